//! Stock clients straight at the gateway, with no CLI behind them: a password of `hoop token`, a JWT, or a certificate of
//! `hoop cert`. Whoever is not believed reaches no machine.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::stories::harness::{
    Gateway, Outcome, PATIENCE, Person, Program, Site, Sshd, Stream, free_port, python_with,
};

const POLICY: &str = r#"
@id("engineers-connect")
permit(principal in Group::"engineers", action == Action::"connect", resource);
@id("dbas-connect-to-build")
permit(principal in Group::"dba", action == Action::"connect", resource == Connection::"build");
@id("who-asked-before") @approval("dba") @message("a dba lets you in here")
forbid(principal, action == Action::"connect", resource == Connection::"build") unless { principal in Group::"dba" };
@id("work")
permit(principal in Group::"engineers", action, resource) when { action != Action::"connect" };
@id("looked-at") @approval("dba") @expires("15m") @message("a dba looks at removals")
forbid(principal, action == Action::"ssh_delete", resource);
@id("no-services") @message("services stay as they are")
forbid(principal, action == Action::"ssh_admin", resource);
"#;

struct Stage {
    sshd: Sshd,
    gateway: Gateway,
    alice: Person,
    bob: Person,
    port: u16,
}

impl Stage {
    /// Two connections at one address: one machine, reached by two names.
    fn new() -> Self {
        let (sshd, port) = (Sshd::start(), free_port());
        let listen = format!("listen = \"127.0.0.1:{port}\"\n");
        let connections = sshd.connection("bastion", &listen) + &sshd.connection("build", &listen);
        let site = Site::of(&connections).policy("ssh", POLICY);
        site.write("masking.toml", "detectors = []\n");
        let gateway = Gateway::start(site);
        let (alice, bob) = (Person::login(&gateway, "alice"), Person::login(&gateway, "bob"));
        Self { sshd, gateway, alice, bob, port }
    }

    fn token(&self) -> String {
        let printed = self.alice.json(&["token", "bastion"]);
        printed["token"]["password"].as_str().expect("text").to_owned()
    }

    /// How often somebody came to the machine.
    fn dialled(&self) -> usize {
        self.sshd.log().matches("Connection from").count()
    }
}

fn text(printed: &Value, name: &str) -> String {
    printed[name].as_str().unwrap_or_else(|| panic!("{name} in {printed}")).to_owned()
}

/// `hoop cert`, and the file that it is in.
fn certificate(person: &Person, arguments: &[&str]) -> Value {
    let all: Vec<&str> = ["cert"].into_iter().chain(arguments.iter().copied()).collect();
    person.json(&all)["cert"].clone()
}

/// A stock program with the configuration that `hoop cert` wrote, and nothing of the machine's user.
fn stock(program: &str, certificate: &Value) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", "/nonexistent");
    command.args(["-F", &text(certificate, "configuration"), "-o", "BatchMode=yes"]);
    command
}

fn run(certificate: &Value, arguments: &[&str]) -> Outcome {
    Program::run(stock("ssh", certificate).args(arguments), "")
}

/// Has another authority certify a key that the gateway knows, as the gateway would.
fn forged(stage: &Stage, authority: &Path, known: &Value) -> PathBuf {
    let name = format!("forged-{}", authority.file_name().expect("named").to_string_lossy());
    let key = stage.sshd.path(&name);
    fs::copy(text(known, "key"), &key).expect("copied");
    let public = Program::run(Command::new("ssh-keygen").arg("-y").arg("-f").arg(&key), "").success();
    fs::write(key.with_extension("pub"), public).expect("written");
    let signed = ["-I", "crt_forged", "-n", "alice", "-V", "-1m:+5m", "-O", "critical:connection@hoop=bastion"];
    let mut signing = Command::new("ssh-keygen");
    signing.arg("-q").arg("-s").arg(authority).args(signed).arg(key.with_extension("pub"));
    Program::run(&mut signing, "").success();
    assert!(stage.sshd.path(&format!("{name}-cert.pub")).exists());
    key
}

#[test]
fn a_certificate_opens_one_connection_with_every_decision_until_the_logout() {
    let mut stage = Stage::new();
    let hers = certificate(&stage.alice, &["bastion"]);
    for file in ["certificate", "key", "configuration"] {
        let mode = fs::metadata(text(&hers, file)).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    assert_eq!(text(&hers, "user"), "alice+bastion");
    let known = text(&hers, "known_hosts");
    assert!(known.starts_with(&format!("[127.0.0.1]:{} ssh-ed25519 ", stage.port)), "{known}");
    assert!(stage.alice.run(&["ssh-config"]).success().contains(&known));
    assert!(stage.alice.run(&["ls"]).success().contains(&format!("127.0.0.1:{}", stage.port)));
    let shown = Program::run(Command::new("ssh-keygen").args(["-L", "-f", &text(&hers, "certificate")]), "").success();
    for part in ["user certificate", "alice", "connection@hoop", &text(&hers, "id")] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }

    // What a tunnel's client does, this one does.
    for again in ["once", "twice"] {
        assert_eq!(run(&hers, &["bastion", &format!("echo {again}")]).success(), format!("{again}\n"));
    }
    let room = stage.sshd.room();
    fs::write(room.join("here"), "carried\n").expect("written");
    let mut copying = stock("scp", &hers);
    copying.arg("-q").arg(room.join("here")).arg(format!("bastion:{}", room.join("there").display()));
    Program::run(&mut copying, "").success();
    assert_eq!(fs::read_to_string(room.join("there")).expect("carried"), "carried\n");
    let refused = run(&hers, &["bastion", "systemctl stop cron"]);
    assert_eq!(refused.code(), 126, "{refused:?}");
    assert!(refused.errors.contains("no-services") && refused.errors.contains("ses_"), "{refused:?}");
    let mut waiting = Program::start(stock("ssh", &hers).args(["bastion", "rm -rf /srv/never"]));
    let id = approval(&mut waiting);
    stage.bob.run(&["approvals", "deny", &id, "--reason", "use the job"]).success();
    let outcome = waiting.finish();
    assert!(outcome.code() == 126 && outcome.errors.contains("use the job"), "{outcome:?}");
    let recorded = recorded(&stage.alice);
    for part in ["\"source\":\"native\"", "echo twice", "no-services", "\"client_address\":\"127.0.0.1:"] {
        assert!(recorded.contains(part), "{part} is not in {recorded}");
    }

    // A key of one's own, which its owner keeps.
    let own = stage.sshd.path("own");
    let made = ["-q", "-t", "ecdsa", "-N", "", "-f"];
    Program::run(Command::new("ssh-keygen").args(made).arg(&own), "").success();
    let folder = stage.sshd.path("certified").display().to_string();
    let (private, public) = (own.display().to_string(), own.with_extension("pub").display().to_string());
    let private_sent = stage.alice.run(&["cert", "bastion", "--public-key", &private]);
    assert!(private_sent.errors.contains("it is a private key"), "{private_sent:?}");
    let own = certificate(&stage.alice, &["bastion", "--public-key", &public, "--out", &folder]);
    assert_eq!((text(&own, "key"), run(&own, &["bastion", "echo own"]).success()), (private, "own\n".to_owned()));

    refuses_others(&mut stage, &hers);

    // The login ends, and with it all that came of it.
    let mut running = Program::start(stock("ssh", &hers).args(["bastion", "echo open; exec sleep 600"]));
    running.expect_line("open");
    stage.alice.run(&["logout"]).success();
    let outcome = running.finish();
    assert!(outcome.code() != 0 && outcome.errors.contains("token expired or principal changed"), "{outcome:?}");
    let before = stage.dialled();
    assert!(!Path::new(&text(&hers, "key")).exists(), "hoop keeps none after the logout");
    let ended = run(&own, &["bastion", "echo in"]);
    assert!(ended.code() == 255 && ended.output.is_empty(), "{ended:?}");
    assert_eq!(stage.dialled(), before);
}

/// Nobody else's certificate, and no other authority's. Nothing of it reaches the machine.
fn refuses_others(stage: &mut Stage, hers: &Value) {
    let window = stage.alice.run(&["cert", "build"]);
    assert!(window.code() == 3 && window.errors.contains("hoop connect build --request"), "{window:?}");
    let mut asking = stage.alice.start(&["connect", "build", "--request", "why", "--for", "1h", "--", "echo in"]);
    let id = approval(&mut asking);
    stage.bob.run(&["approvals", "approve", &id]).success();
    assert_eq!(asking.finish().success(), "in\n");
    let other = certificate(&stage.alice, &["build"]);
    assert_eq!(
        run(&other, &["build", "echo windowed"]).success(),
        "windowed\n",
        "an open window opens it natively too"
    );
    let his = certificate(&stage.bob, &["build"]);
    let before = stage.dialled();
    let gone_wrong = |certificate: &Value, user: &str, why: &str| {
        let host = text(certificate, "configuration");
        let host = Path::new(&host).file_stem().expect("a name").to_string_lossy().into_owned();
        let outcome = run(certificate, &["-l", user, &host, "echo in"]);
        assert!(outcome.code() == 255 && outcome.output.is_empty(), "{why}: {outcome:?}");
        assert!(outcome.errors.contains("Permission denied"), "{why}: {outcome:?}");
    };
    gone_wrong(&other, "alice+bastion", "another connection's");
    gone_wrong(&his, "alice+build", "another user's");
    gone_wrong(hers, "alice+nowhere", "no connection");
    let machines = stage.gateway.site().data().join("keys/ssh_user_ca");
    let own_authority = stage.sshd.path("other");
    for authority in [machines.as_path(), own_authority.as_path()] {
        let key = forged(stage, authority, hers);
        let mut trying = Sshd::client("ssh", stage.port);
        trying.arg("-i").arg(&key).args(["-l", "alice+bastion", "127.0.0.1", "echo in"]);
        let outcome = Program::run(&mut trying, "");
        assert!(outcome.code() == 255 && outcome.output.is_empty(), "{outcome:?}");
    }
    assert_eq!(stage.dialled(), before, "no machine heard of it");
    stage.gateway.says(&["it is for another connection"]);
    stage.gateway.says(&["it is another user's"]);
    stage.gateway.says(&["our authority did not sign it"]);
    // Nor does a machine take a person's certificate that trusts the gateway's authority for machines.
    fs::write(stage.sshd.path("user_ca.pub"), stage.alice.run(&["ssh", "ca"]).success()).expect("written");
    let mut direct = Sshd::client("ssh", stage.sshd.port);
    direct.args(["-i", &text(hers, "key"), "-o", &format!("CertificateFile={}", text(hers, "certificate"))]);
    let outcome = Program::run(direct.args(["-l", &stage.sshd.user, "127.0.0.1", "echo in"]), "");
    assert!(outcome.code() == 255 && outcome.output.is_empty(), "{outcome:?}");
}

#[test]
fn a_password_opens_it_once_and_whoever_proves_nothing_reaches_no_machine() {
    let stage = Stage::new();
    let (first, second, third, fourth) = (stage.token(), stage.token(), stage.token(), stage.token());
    let (hers, his) = (stage.alice.jwt(), stage.bob.jwt());
    let kept = certificate(&stage.alice, &["bastion"]);
    let mark = stage.sshd.path("mark");
    // Of each: a name, the user name, the password, and whether it opens the door.
    let long = format!("hoop_{}", "x".repeat(20_000));
    let attempts = [
        ("token", "alice+bastion", first.as_str(), true),
        ("again", "alice+bastion", &first, false),
        ("other-connection", "alice+build", &second, false),
        ("other-person", "bob+bastion", &second, false),
        ("nobody", "zoe+bastion", &second, false),
        ("no-connection", "alice", &second, false),
        ("nowhere", "alice+nowhere", &second, false),
        ("unharmed", "alice+bastion", &second, true),
        ("wrong", "alice+bastion", "hoop_AAAA", false),
        ("empty", "alice+bastion", "", false),
        ("long", "alice+bastion", &long, false),
        ("jwt", "alice+bastion", &hers, true),
        ("jwt-again", "alice+bastion", &hers, true),
        ("jwt-of-another", "bob+build", &hers, false),
        ("jwt-altered", "alice+bastion", &format!("{hers}x"), false),
        ("not-permitted", "bob+bastion", &his, false),
    ];
    let passwords = json!(attempts.map(|(name, user, password, _)| [name, user, password])).to_string();
    let facts = [
        ("STORY_HOST", "127.0.0.1"),
        ("STORY_PORT", &stage.port.to_string()),
        ("STORY_PASSWORDS", &passwords),
        ("STORY_ASKED", &json!(["interactive", "alice+bastion", third]).to_string()),
        ("STORY_CERTIFICATE", &text(&kept, "certificate")),
        ("STORY_MARK", &mark.display().to_string()),
    ];
    let before = stage.dialled();
    let told = python_with("ssh_native.py", &facts).success();
    let others = [("interactive", true), ("none", false), ("plain-key", false), ("stolen", false)];
    let others = others.into_iter().chain([("early", false), ("no-login", false)]);
    let expected: Vec<_> = attempts.iter().map(|(name, .., opens)| (*name, *opens)).chain(others).collect();
    for (name, opens) in &expected {
        let way = if *opens { "in" } else { "out" };
        assert!(told.lines().any(|line| line.starts_with(&format!("{name} {way}"))), "{name} {way} is not in {told}");
    }
    let came = expected.iter().filter(|(_, opens)| *opens).count();
    assert_eq!(stage.dialled() - before, came, "the machine heard of nobody else: {told}");
    let sessions = stage.alice.run(&["sessions", "ls", "--output", "jsonl"]).success();
    assert_eq!(sessions.lines().count(), came, "nor did the record: {sessions}");
    assert!(!mark.exists(), "what came before the login was not done");

    // Stock ssh asks a program for its password; who has to ask first is told so.
    let ask = stage.sshd.path("ask");
    fs::write(&ask, "#!/bin/sh\nprintf '%s\\n' \"$STORY_PASSWORD\"\n").expect("written");
    fs::set_permissions(&ask, fs::Permissions::from_mode(0o700)).expect("made");
    let by_password = |user: &str, password: &str| {
        let mut ssh = Sshd::client("ssh", stage.port);
        ssh.args(["-o", "BatchMode=no", "-l", user, "127.0.0.1", "echo typed"]);
        ssh.env("SSH_ASKPASS", &ask).env("SSH_ASKPASS_REQUIRE", "force").env("STORY_PASSWORD", password);
        Program::run(&mut ssh, "")
    };
    assert_eq!(by_password("alice+bastion", &fourth).success(), "typed\n");
    let asked = by_password("alice+build", &hers);
    assert!(asked.code() == 255 && asked.errors.contains("hoop connect build --request"), "{asked:?}");
    assert_eq!(stage.dialled() - before, came + 1);

    // Whoever fails too often waits, and is not even asked.
    let mut tried = 0;
    loop {
        let mut stream = TcpStream::connect(("127.0.0.1", stage.port)).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        let mut line = [0; 5];
        stream.read_exact(&mut line).expect("its first words");
        if &line == b"hoop:" {
            break;
        }
        drop(stream.write_all(b"SSH-2.0-story\r\n"));
        assert!(tried < 20, "nobody was slowed");
        tried += 1;
        drop(by_password("alice+bastion", "hoop_wrong"));
    }
}

fn approval(program: &mut Program) -> String {
    program.expect("that it is held", |stream, line| {
        let mut words = line.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
        words.find(|word| word.starts_with("apr_") && stream == Stream::Errors).map(str::to_owned)
    })
}

fn recorded(person: &Person) -> String {
    let sessions = person.run(&["sessions", "ls", "--output", "jsonl"]).success();
    let ids =
        sessions.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()?["id"].as_str().map(str::to_owned));
    ids.map(|id| person.run(&["replay", &id, "--output", "jsonl"]).success()).collect()
}
