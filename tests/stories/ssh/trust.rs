//! Who is believed: the machine's key, the gateway's certificates, the gateway's own key; and ways around the record.

use std::{fs, net::TcpStream, path::Path, process::Command};

use super::{POLICY, Stage, stage};
use crate::stories::harness::{Gateway, Person, Program, Site, Sshd, Stream, Tunnel, free_port, until};

#[test]
fn every_forwarding_is_refused_and_on_record() {
    let stage = stage();
    let (local, remote) = (free_port(), free_port());
    let away = format!("127.0.0.1:{}", stage.sshd.port);
    let stdio = stage.run(&[&format!("-W{away}")]);
    assert_ne!(stdio.status.code(), Some(0), "{stdio:?}");
    let mut forwarding = Sshd::client("ssh", stage.tunnel.port);
    forwarding.args(["-N", "-L", &format!("{local}:{away}"), "127.0.0.1"]);
    let forwarding = Program::start(&mut forwarding);
    until("its port is open", || TcpStream::connect(("127.0.0.1", local)).is_ok());
    let mut backwards = Sshd::client("ssh", stage.tunnel.port);
    backwards.args(["-N", "-o", "ExitOnForwardFailure=yes", "-R", &format!("{remote}:{away}"), "127.0.0.1"]);
    assert_ne!(Program::run(&mut backwards, "").status.code(), Some(0));
    let agent = Program::run(stage.ssh(&["-A", "echo agent=$SSH_AUTH_SOCK"]).env("SSH_AUTH_SOCK", "/nowhere"), "");
    assert_eq!(agent.output, "agent=\n");
    drop(forwarding);
    until("all of it is on record", || {
        let recorded = stage.recorded();
        recorded.contains(&format!("forward to {away}"))
            && recorded.contains(&format!("forwarding from localhost:{remote}"))
    });
}

#[test]
fn another_machine_is_not_spoken_to() {
    let sshd = Sshd::start();
    let key = sshd.path("gateway").display().to_string();
    let credential = format!("type = \"key\"\nusername = \"{}\"\nsecret = \"file:{key}\"", sshd.user);
    let other = format!("host_key = \"{}\"", sshd.public_key("other"));
    let site = Site::of(&Sshd::connection_with("bastion", &other, &credential, sshd.port)).policy("ssh", POLICY);
    let gateway = Gateway::start(site);
    let alice = Person::login(&gateway, "alice");
    let tunnel = Tunnel::open(&alice, "bastion");
    let outcome = Program::run(Sshd::client("ssh", tunnel.port).args(["127.0.0.1", "id"]), "");
    assert_eq!((outcome.code(), outcome.output.as_str()), (126, ""), "{outcome:?}");
    assert!(outcome.errors.contains("host key") && outcome.errors.contains("connections.toml"), "{outcome:?}");
}

#[test]
fn the_gateway_logs_in_with_certificates_of_minutes() {
    let sshd = Sshd::start();
    fs::write(sshd.path("authorized"), "").expect("written");
    let policy = format!(
        "{POLICY}\n@id(\"looked-at\")\n@approval(\"dba\")\n\
         forbid(principal, action == Action::\"ssh_unknown\", resource) when {{ context.agent }};\n"
    );
    let credential = format!("type = \"ssh-certificate\"\nusername = \"{}\"", sshd.user);
    let trusted = format!("host_key = \"{}\"", sshd.public_key("host"));
    let site = Site::of(&Sshd::connection_with("bastion", &trusted, &credential, sshd.port)).policy("ssh", &policy);
    let gateway = Gateway::start(site);
    let alice = Person::login(&gateway, "alice");
    let authority = alice.run(&["ssh", "ca"]).success();
    fs::write(sshd.path("user_ca.pub"), &authority).expect("written");
    let outcome = alice.run(&["connect", "bastion", "--", "echo certified"]);
    assert_eq!(
        (outcome.code(), outcome.output.as_str()),
        (0, "certified\n"),
        "ssh with the right host key: {outcome:?}"
    );
    let configuration = alice.run(&["ssh-config"]).success();
    fs::write(sshd.path("config"), configuration).expect("written");
    let mut ssh = Command::new("ssh");
    ssh.arg("-F").arg(sshd.path("config")).args(["-o", "BatchMode=yes", "bastion.hoop", "echo through stdio"]);
    let prepared = alice.command(&[]);
    ssh.env_clear().envs(prepared.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let outcome = Program::run(&mut ssh, "");
    assert_eq!((outcome.code(), outcome.output.as_str()), (0, "through stdio\n"), "{outcome:?}");
}

#[test]
fn what_a_certificate_binds_a_login_to_is_all_that_it_does_and_a_kill_reaches_it() {
    let sshd = Sshd::saying("DEBUG1");
    fs::write(sshd.path("authorized"), "").expect("written");
    let policy = format!(
        "{POLICY}\n@id(\"ways\")\npermit(principal, action == Action::\"ssh_forward\", resource);\n\
         @id(\"looked-at\")\n@approval(\"dba\")\nforbid(principal, action == Action::\"ssh_write\", resource);\n"
    );
    let credential = format!("type = \"ssh-certificate\"\nusername = \"{}\"", sshd.user);
    let trusted = format!("host_key = \"{}\"", sshd.public_key("host"));
    let site = Site::of(&Sshd::connection_with("bastion", &trusted, &credential, sshd.port)).policy("ssh", &policy);
    site.write("masking.toml", "detectors = []\n");
    let gateway = Gateway::start(site);
    let (alice, bob) = (Person::login(&gateway, "alice"), Person::login(&gateway, "bob"));
    fs::write(sshd.path("user_ca.pub"), alice.run(&["ssh", "ca"]).success()).expect("written");
    let tunnel = Tunnel::open(&alice, "bastion");
    // A way has a login of its own: it may forward, and runs nothing.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let to = listener.local_addr().expect("bound").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            drop(std::io::Write::write_all(&mut &stream, b"reached\n"));
        }
    });
    let reached = Program::run(Sshd::client("ssh", tunnel.port).args([&format!("-W{to}"), "127.0.0.1"]), "");
    assert_eq!(reached.output, "reached\n", "{reached:?}");
    let options = sshd.logged(&["cert: key options:", "port-forwarding"]);
    assert!(options.contains(" command") && !options.contains(" pty"), "{options}");
    sshd.logged(&["Accepted", "-CERT", " ID ses_"]);
    // What reviewers let through is forced, and no signal reaches it. A kill does.
    let mark = sshd.path("mark");
    let line = format!("touch {}; sleep 600 & echo pids $$ $!; wait; echo on", mark.display());
    let mut waiting = Program::start(Sshd::client("ssh", tunnel.port).args(["127.0.0.1", &line]));
    let id = waiting.expect("that it is held", |stream, line| {
        let mut words = line.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
        words.find(|word| word.starts_with("apr_") && stream == Stream::Errors).map(str::to_owned)
    });
    bob.run(&["approvals", "approve", &id]).success();
    let pids = waiting.expect("its processes", |_, line| line.strip_prefix("pids ").map(str::to_owned));
    let pids: Vec<&str> = pids.split(' ').collect();
    let running = || pids.iter().filter(|pid| Path::new(&format!("/proc/{pid}")).exists()).count();
    assert_eq!((pids.len(), running()), (2, 2), "{pids:?}");
    let listed = alice.run(&["sessions", "ls", "--live", "--output", "jsonl"]).success();
    let session = listed.split(['"', ',']).find(|word| word.starts_with("ses_")).expect("a session").to_owned();
    alice.run(&["sessions", "kill", &session, "--reason", "enough"]).success();
    let outcome = waiting.finish();
    assert!(outcome.errors.contains("enough") && !outcome.output.contains("on\n"), "{outcome:?}");
    until("its processes are gone", || running() == 0);
}

/// In fish a backslash spells letters; in csh none keeps a backquote from its meaning.
const READ_OTHERWISE: [(&str, &str); 2] = [("fish", "touch ROOM/\\x6dade"), ("tcsh", "echo \"\\`touch ROOM/made\\`\"")];

#[test]
fn a_login_shell_that_reads_otherwise_makes_every_command_unknown() {
    let sshd = Sshd::start();
    let site = sshd.connection("bastion", "") + &sshd.connection("vouched", "shell = \"posix\"");
    let policy = format!(
        "{POLICY}\n@id(\"understood-only\")\nforbid(principal, action == Action::\"ssh_unknown\", resource);\n\
         permit(principal, action == Action::\"administer\", resource);\n"
    );
    let gateway = Gateway::start(Site::of(&site).policy("ssh", &policy));
    let alice = Person::login(&gateway, "alice");
    let tunnel = Tunnel::open(&alice, "bastion");
    let stage = Stage { sshd, gateway, alice, tunnel };
    let (made, key) = (stage.sshd.room().join("made"), stage.sshd.public_key("gateway"));
    let account =
        |options: &str| fs::write(stage.sshd.path("authorized"), format!("{options} {key}\n")).expect("written");
    for (shell, line) in READ_OTHERWISE {
        let line = line.replace("ROOM", stage.sshd.room().to_str().expect("text"));
        Program::run(Command::new(shell).args(["-c", &line]), "").success();
        assert!(made.exists(), "{shell} does no harm without the gateway: {line}");
        fs::remove_file(&made).expect("removed");
        account(&format!("command=\"exec {shell} -c \\\"$SSH_ORIGINAL_COMMAND\\\"\""));
        for line in [&*line, "echo plain"] {
            let outcome = stage.run(&[line]);
            assert_eq!((outcome.code(), &*outcome.output), (126, ""), "{shell} is given {line}: {outcome:?}");
            let is_told = ["understood-only", "login shell"].iter().all(|part| outcome.errors.contains(part));
            assert!(is_told && !made.exists(), "{shell}: {outcome:?}");
        }
        let proven = stage.alice.run(&["connections", "test", "bastion"]);
        assert!(proven.output.contains("otherwise than sh"), "{shell}: {proven:?}");
    }
    let vouched = stage.alice.run(&["connect", "vouched", "--", "echo of tcsh"]);
    assert_eq!((vouched.code(), &*vouched.output), (0, "of tcsh\n"), "the site says that it may: {vouched:?}");
    account("command=\"echo this account runs nothing else\"");
    assert_eq!(stage.run(&["echo plain"]).code(), 126, "what answers otherwise is no shell");
    account("");
    assert_eq!(stage.run(&["echo plain"]).output, "plain\n", "it is asked again until it is one");
    assert!(stage.recorded().contains("\"purpose\":\"probe\""), "what the gateway asks is on record");
}
