//! Ways through a machine: by policy, to a host and port or a socket; never what a connection of its own would inspect;
//! and limits of a session. Then what no decent client sends.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::net::UnixListener,
    path::Path,
    thread,
};

use super::{Stage, stage_with};
use crate::stories::harness::{Program, Sshd, free_port, python_with, until};

/// Answers each connection with what it was sent, after `greeting`.
fn echo(greeting: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                drop(stream.write_all(greeting.as_bytes()));
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    if stream.write_all(&buffer[..count]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

/// What comes back for these bytes through a local port; all that came where the other side closes.
fn said(port: u16, bytes: &[u8], expected: usize) -> Vec<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the local port is open");
    stream.set_read_timeout(Some(crate::stories::harness::PATIENCE)).expect("set");
    drop(stream.write_all(bytes));
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    while all.len() < expected {
        match stream.read(&mut buffer) {
            Ok(count @ 1..) => all.extend_from_slice(&buffer[..count]),
            Ok(_) | Err(_) => break,
        }
    }
    all
}

fn forwarded(stage: &Stage, to: &str) -> (u16, Program) {
    let local = free_port();
    let mut ssh = Sshd::client("ssh", stage.tunnel.port);
    ssh.args(["-N", "-o", "ExitOnForwardFailure=yes", "-L", &format!("127.0.0.1:{local}:{to}"), "127.0.0.1"]);
    let running = Program::start(&mut ssh);
    until("its port is open", || TcpStream::connect(("127.0.0.1", local)).is_ok());
    (local, running)
}

#[test]
fn what_policy_names_is_reached_and_nothing_that_would_be_inspected_goes_over_it() {
    let (plain, other, greeter) = (echo(""), echo(""), echo("SSH-2.0-somebody\r\n"));
    let policy = format!(
        r#"
@id("connect")
permit(principal, action == Action::"connect", resource);
@id("commands")
permit(principal, action in [Action::"session", Action::"read"], resource);
@id("ways")
permit(principal, action == Action::"ssh_forward", resource)
when {{
  resource is SystemObject &&
  (["127.0.0.1:{plain}", "127.0.0.1:{greeter}", "localhost:{plain}"].contains(resource.name) || resource.name like "*/app.sock")
}};
@id("meant")
permit(principal, action == Action::"ssh_forward_uninspected", resource)
when {{ resource.name == "localhost:{plain}" && context.facts.contains("http") }};
"#
    );
    let mut stage = stage_with("", &policy, "");
    let (local, running) = forwarded(&stage, &format!("127.0.0.1:{plain}"));
    assert_eq!(said(local, b"hello there", 11), b"hello there");
    let large: Vec<u8> = (0..1_000_000_u32).map(|number| (number % 251) as u8).map(|byte| byte | 0x80).collect();
    assert!(said(local, &large[..200_000], 200_000) == large[..200_000], "bulk goes whole, both ways");
    for (name, bytes) in [
        ("http", &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..]),
        ("postgres", &[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f][..]),
        ("ssh", b"SSH-2.0-x\r\n"),
        ("tls", &[0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0][..]),
    ] {
        assert_eq!(said(local, bytes, 1), b"", "{name} was carried");
        until("the refusal is on record", || {
            stage.recorded().contains(&format!("forward {name} to 127.0.0.1:{plain}"))
        });
    }
    drop(running);
    let (local, _running) = forwarded(&stage, &format!("127.0.0.1:{greeter}"));
    assert_eq!(said(local, b"", 1), b"", "a server of SSH that speaks first was heard");
    let (local, _running) = forwarded(&stage, &format!("127.0.0.1:{other}"));
    assert_eq!(said(local, b"hello", 1), b"", "another port was reached");
    let (local, running) = forwarded(&stage, &format!("LOCALHOST:{plain}"));
    let request = b"GET / HTTP/1.1\r\n\r\n";
    assert_eq!(said(local, request, request.len()), request, "what is meant goes");
    let socket = stage.sshd.room().join("app.sock");
    let listener = UnixListener::bind(&socket).expect("a socket");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            drop((&stream).write_all(b"from the socket"));
        }
    });
    let (local, _over_socket) = forwarded(&stage, &socket.display().to_string());
    assert_eq!(said(local, b"", 15), b"from the socket");
    until("counts are on record", || {
        let recorded = stage.recorded();
        ["\"bytes_up\":\"11\"", "\"bytes_down\":\"200000\"", "\"protocol\":\"http\"", "app.sock"]
            .iter()
            .all(|part| recorded.contains(part))
    });
    // A change of policy ends what is open.
    let (plain_way, _plain_running) = forwarded(&stage, &format!("127.0.0.1:{plain}"));
    let mut stream = TcpStream::connect(("127.0.0.1", plain_way)).expect("open");
    stream.set_read_timeout(Some(crate::stories::harness::PATIENCE)).expect("set");
    stream.write_all(b"first").expect("sent");
    let mut buffer = [0; 5];
    stream.read_exact(&mut buffer).expect("answered");
    stage.gateway.site().edit("policies/ssh.cedar", "Action::\"ssh_forward\",", "Action::\"ssh_shell\",");
    stage.gateway.reload();
    assert_eq!(stream.read(&mut buffer).unwrap_or(0), 0, "it is closed");
    drop(running);
}

#[test]
fn a_session_ends_at_its_limits_and_says_so_before() {
    let policy = "permit(principal, action, resource);";
    let stage = stage_with("idle_seconds = 8\n", policy, "");
    let mut quiet = Program::start(&mut stage.ssh(&["echo begun; sleep 600"]));
    quiet.expect_line("begun");
    let outcome = quiet.finish();
    assert_ne!(outcome.status.code(), Some(0), "{outcome:?}");
    assert!(outcome.errors.contains("ends in 2 s unless something is said"), "{outcome:?}");
    assert!(outcome.errors.contains("nothing was said for 8 s"), "{outcome:?}");
    let stage = stage_with("session_seconds = 8\n", policy, "");
    let outcome = Program::run(&mut stage.ssh(&["while true; do echo busy; sleep 0.2; done"]), "");
    assert_ne!(outcome.status.code(), Some(0), "{outcome:?}");
    assert!(outcome.errors.contains("this session ends in 2 s"), "{outcome:?}");
    assert!(outcome.errors.contains("it has lasted for 8 s"), "{outcome:?}");
    assert!(outcome.output.contains("busy"));
}

#[test]
fn questions_about_machines_are_answered_without_running_anything() {
    let policy = r#"
permit(principal, action in [Action::"connect", Action::"session", Action::"read", Action::"write", Action::"administer"], resource);
@id("no-trees")
@approval("dba")
forbid(principal, action == Action::"ssh_delete", resource) when { context.facts.contains("recursive") };
@id("no-sudo")
@message("nobody is another here")
forbid(principal, action, resource in Label::"env=prod")
when { context has facts && context.facts.contains("sudo") };
"#;
    let mut stage = stage_with("", policy, "");
    let can = |text: &str| stage.alice.run(&["can", "bastion", text]);
    assert_eq!(can("cat /var/log/syslog").code(), 0);
    let held = can("rm -rf /srv/app/cache");
    assert_eq!(held.code(), 8, "{held:?}");
    assert!(held.output.contains("no-trees") && held.output.contains("dba"), "{held:?}");
    let refused = can("sudo id");
    assert!(refused.code() == 3 && refused.output.contains("nobody is another here"), "{refused:?}");
    let unknown = can("echo x | base64 -d | sh");
    assert!(unknown.code() == 3 && unknown.output.contains("not understood"), "{unknown:?}");
    assert_eq!(can("forward to db1:5432").code(), 3);
    assert_eq!(can("sftp read /srv/app/x").code(), 0);
    let proven = stage.alice.run(&["connections", "test", "bastion"]);
    let told = &proven.output;
    for part in
        ["reach", "host key", "credential", &format!("logged in as {}", stage.sshd.user), "privileges", "as sh does"]
    {
        assert!(told.contains(part), "{part} is not in {proven:?}");
    }
    assert_eq!(told.contains("is root"), stage.sshd.user == "root", "{proven:?}");
    let (was, other) = (stage.sshd.public_key("host"), stage.sshd.public_key("other"));
    stage.gateway.site().edit("connections.toml", &was, &other);
    stage.gateway.reload();
    let proven = stage.alice.run(&["connections", "test", "bastion"]);
    assert!(proven.output.contains("failed   host key"), "{proven:?}");
}

#[test]
fn what_no_decent_client_sends_does_nothing() {
    let policy = r#"
permit(principal, action in [Action::"connect", Action::"session", Action::"read"], resource);
@id("no-changes")
forbid(principal, action in Action::"write", resource);
@id("no-secrets")
forbid(principal, action in [Action::"session", Action::"read"], resource)
when { resource is SystemObject && resource.name like "*/server.key" };
"#;
    let stage = stage_with("", policy, "");
    let room = stage.sshd.room();
    let (mark, secret) = (room.join("mark"), room.join("server.key"));
    fs::write(&mark, "").expect("written");
    fs::write(&secret, "TOP-SECRET\n").expect("written");
    let (port, shown) = (stage.tunnel.port.to_string(), |path: &Path| path.display().to_string());
    let facts = [
        ("STORY_HOST", "127.0.0.1"),
        ("STORY_PORT", port.as_str()),
        ("STORY_MARK", &shown(&mark)),
        ("STORY_SECRET", &shown(&secret)),
    ];
    let outcome = python_with("ssh_attacks.py", &facts);
    let told = outcome.success();
    let line = |name: &str| {
        let found = told.lines().find(|line| line.starts_with(&format!("{name} ")));
        found.unwrap_or_else(|| panic!("{name} is not in {told}")).to_owned()
    };
    assert!(mark.exists() && !told.contains("leaked") && !told.contains(" gone"), "{told}");
    for name in ["no-reply", "bytes-0", "bytes-1", "bytes-2", "long"] {
        assert_eq!(line(name), format!("{name} quiet 126 kept"), "{told}");
    }
    assert!(told.contains("two-execs-one quiet 0 kept"), "one request a channel: {told}");
    assert_eq!(line("early-data"), "early-data quiet 0 kept", "{told}");
    assert!(told.contains("environment-plain quiet 1"), "what sshd would take is not set: {told}");
    assert_eq!(line("channels"), "channels 64", "{told}");
    assert_eq!(line("requests"), "requests alive", "{told}");
    assert!(!line("forwardings").contains("opened"), "{told}");
    assert!(line("others-handle").starts_with("others-handle status"), "{told}");
    assert!(told.trim_end().ends_with("over"), "{told}");
    let outcome = stage.run(&["echo still"]);
    assert_eq!(outcome.output, "still\n", "{outcome:?}");
}
