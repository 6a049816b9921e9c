//! The jail of `hoop exec`: every way out that is known is tried from inside, and from outside too, where it must work:
//! an attempt that fails everywhere would show nothing.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    net::{TcpListener, UdpSocket},
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            fs::{PermissionsExt as _, chown},
            net::{SocketAddr, UnixListener},
            process::CommandExt as _,
        },
    },
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use nix::unistd::geteuid;
use serde_json::{Value, json};

use super::{
    harness::{Cluster, Database, Gateway, HOOP, Outcome, Person, Program, Site},
    login::token_file,
};

const PROBE: &str = include_str!("../fixtures/python/jail_probe.py");
/// A Python that every user may read.
const PYTHON: &str = "/usr/bin/python3";
/// Somebody who is nobody in particular.
const PLAIN: u32 = 65534;

struct Stage {
    database: Database,
    gateway: Gateway,
    alice: Person,
    /// What runs `hoop exec`: ourselves, or a plain user.
    user: Option<u32>,
}

fn stage() -> Stage {
    let database = Cluster::shared().database();
    let gateway = Gateway::start(Site::new(&database));
    let alice = Person::login(&gateway, "alice");
    let stage = Stage { database, gateway, alice, user: None };
    for (path, text) in
        [(".ssh/id_ed25519", "key"), (".aws/credentials", "secret"), (".pgpass", "*:*:*:*:word"), ("project/own", "")]
    {
        let path = stage.home().join(path);
        fs::create_dir_all(path.parent().expect("in the home")).expect("made");
        fs::write(path, text).expect("written");
    }
    fs::create_dir_all(stage.home().join("given")).expect("made");
    fs::write(stage.home().join("project/probe.py"), PROBE).expect("written");
    stage
}

/// Things outside that greet whoever reaches them.
struct Outside {
    _folder: tempfile::TempDir,
    aim: BTreeMap<&'static str, Value>,
}

impl Stage {
    fn home(&self) -> &Path {
        self.alice.home()
    }

    fn folder(&self) -> PathBuf {
        self.home().join("project")
    }

    /// The same person as another user of this machine; needs root.
    fn given_to_a_plain_user(mut self) -> Self {
        let authority = self.home().join("state/hoop/dev");
        fs::remove_file(&authority).expect("a link");
        copy(&self.gateway.state().join("hoop/dev"), &authority);
        give(self.home(), PLAIN);
        self.user = Some(PLAIN);
        self
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let all: Vec<&str> = ["exec", "-c", "pg-prod"].iter().chain(arguments).copied().collect();
        let mut command = self.alice.command(&all);
        command.current_dir(self.folder());
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        Program::run(&mut self.command(arguments), "")
    }

    fn outside(&self) -> Outside {
        let greeter = greet_tcp("127.0.0.1:0");
        let everywhere = greet_tcp("0.0.0.0:0");
        // The same port at another address of the loopback network.
        greet_tcp(&format!("127.0.0.2:{greeter}"));
        let name = format!("hoop-story-{}", self.database.name);
        let near = self.folder().join("daemon.socket");
        let bus = self.home().join("run/bus");
        fs::create_dir_all(self.home().join("run")).expect("made");
        greet_unix(UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).expect("short")).expect("free"));
        for path in [&near, &bus] {
            greet_unix(UnixListener::bind(path).expect("free"));
            fs::set_permissions(path, fs::Permissions::from_mode(0o777)).expect("ours");
        }
        let folder = tempfile::Builder::new().prefix("hoop-far-").tempdir().expect("a folder");
        let far = folder.path().join("socket");
        fs::set_permissions(far.parent().expect("a folder"), fs::Permissions::from_mode(0o777)).expect("ours");
        greet_unix(UnixListener::bind(&far).expect("free"));
        fs::set_permissions(&far, fs::Permissions::from_mode(0o777)).expect("ours");
        let setuid = self.folder().join("whoami");
        fs::copy("/usr/bin/id", &setuid).expect("copied");
        let port = self.gateway.url.rsplit(':').next().expect("a port").parse::<u16>().expect("a port");
        let person: BTreeMap<String, String> = self
            .alice
            .command(&[])
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_str()?.to_owned(), value?.to_str()?.to_owned())))
            .collect();
        let aim = BTreeMap::from([
            ("greeter", json!(greeter)),
            ("greeter_everywhere", json!(everywhere)),
            ("address", json!(own_address())),
            ("gateway", json!(port)),
            ("udp", json!(greet_udp())),
            ("abstract", json!(name)),
            ("bus", json!(bus)),
            ("near_socket", json!(near)),
            ("far_socket", json!(far)),
            ("token", json!(token_file(&self.alice))),
            ("home", json!(self.home())),
            ("hoop", json!(HOOP)),
            ("person", json!(person)),
            ("outside", json!(far.with_file_name("beside"))),
            ("own", json!(format!("/tmp/hoop-story-own-{}-{}", self.database.name, std::process::id()))),
            ("given", json!(self.home().join("given"))),
            ("setuid", json!(self.folder().join("helper"))),
        ]);
        Outside { _folder: folder, aim }
    }

    /// Runs the probe and gives what it found: whether each attempt worked, and how.
    fn probe(&self, outside: &Outside, arguments: &[&str]) -> BTreeMap<String, (bool, String)> {
        // The parent is only known once it runs: a shell that becomes `hoop exec` writes its own number down.
        let mut aim = json!(outside.aim);
        aim["parent"] = json!("PARENT");
        let template = self.folder().join("aim.template");
        fs::write(&template, aim.to_string()).expect("written");
        let given = self.home().join("given");
        let all: Vec<&str> = arguments
            .iter()
            .copied()
            .chain(["--allow-write", given.to_str().expect("text"), "--allow-read", HOOP, "--", PYTHON, "probe.py"])
            .collect();
        let command = self.command(&all);
        let secret = self.home().join(".pgpass");
        let script =
            format!("sed \"s/\\\"PARENT\\\"/$$/\" aim.template > aim.json; exec 9<{}; exec \"$@\"", secret.display());
        let mut shell = Command::new("sh");
        shell.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell.env("PROBE", self.folder().join("aim.json")).current_dir(self.folder());
        shell.args(["-c", &script, "sh", HOOP]).args(command.get_args());
        if let Some(user) = self.user {
            shell.uid(user).gid(user);
        }
        let outcome = Program::run(&mut shell, "");
        assert!(outcome.status.success(), "{outcome:?}");
        let found: BTreeMap<_, _> = outcome
            .output
            .lines()
            .map(|line| {
                let found: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}: {outcome:?}"));
                let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
                (text("attempt"), (found["worked"].as_bool().expect("a word"), text("how")))
            })
            .collect();
        assert!(found.len() > 40, "{outcome:?}");
        found
    }
}

fn greet_tcp(address: &str) -> u16 {
    let listener = TcpListener::bind(address).expect("free");
    let port = listener.local_addr().expect("bound").port();
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            drop(stream.write_all(b"greetings"));
        }
    });
    port
}

fn greet_udp() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("free");
    let port = socket.local_addr().expect("bound").port();
    thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((_, who)) = socket.recv_from(&mut question) {
            drop(socket.send_to(b"an answer", who));
        }
    });
    port
}

fn greet_unix(listener: UnixListener) {
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            drop(stream.write_all(b"greetings"));
        }
    });
}

/// An address of this machine that is not loopback; loopback where there is none.
fn own_address() -> String {
    let socket = UdpSocket::bind("0.0.0.0:0").expect("free");
    // Nothing is sent: only the way is looked up.
    let found = socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr());
    found.map_or_else(|_| "127.0.0.3".to_owned(), |address| address.ip().to_string())
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else if entry.path().extension().is_some_and(|extension| extension == "pem") {
            fs::copy(entry.path(), &target).expect("copied");
        }
    }
}

fn give(path: &Path, user: u32) {
    chown(path, Some(user), Some(user)).expect("root may give files away");
    if path.is_dir() && !path.is_symlink() {
        fs::read_dir(path).expect("a folder").flatten().for_each(|entry| give(&entry.path(), user));
    }
}

/// What a jailed command must be able to do.
const CONTROLS: [&str; 7] = [
    "own tunnel",
    "write in the working folder",
    "write to a given folder",
    "own memory for files",
    "home of its own",
    "threads and processes",
    "sockets among ourselves",
];

/// What a user may not do on some machines even outside; then only the jail's own refusal is shown.
const MAY_FAIL_OUTSIDE: [&str; 25] = [
    "calls of another architecture",
    "mptcp",
    "netlink",
    "packet",
    "kernel crypto",
    "vsock",
    "io_uring",
    "ptrace of the parent",
    "ptrace of the first process",
    "memory of the parent",
    "memory of the first process",
    "environment of the parent",
    "memory file of the parent",
    "shadow",
    "write to the system",
    "mode of the system",
    "write a kernel setting",
    "setuid helper",
    "mount",
    "file handle",
    "bpf",
    "userfaultfd",
    "perf",
    "descriptor of another process",
    "second numbers",
];

fn compare(stage: &Stage) {
    let outside = stage.outside();
    let at = |name: &str| PathBuf::from(outside.aim[name].as_str().expect("a path"));
    let jailed = stage.probe(&outside, &["--jail"]);
    assert!(!at("outside").exists() && !at("own").exists(), "what it writes to its own /tmp stays there");
    assert_eq!(fs::read_to_string(stage.home().join("given/made-inside")).expect("given"), "x");
    let open = stage.probe(&outside, &["--no-jail"]);
    fs::remove_file(at("own")).expect("written without the jail");
    let mut wrong = Vec::new();
    for (name, (worked, how)) in &open {
        let may_fail = MAY_FAIL_OUTSIDE.contains(&name.as_str()) || (name.contains("priv") && stage.user.is_none());
        if !worked && !may_fail && !name.contains("inherited") {
            wrong.push(format!("outside, `{name}` shows nothing: {how}"));
        }
    }
    for (name, (worked, how)) in &jailed {
        if *worked != CONTROLS.contains(&name.as_str()) {
            wrong.push(format!("in the jail, `{name}` {}: {how}", if *worked { "worked" } else { "failed" }));
        }
    }
    assert!(wrong.is_empty(), "{}\n\nin the jail: {jailed:#?}", wrong.join("\n"));
}

#[test]
fn there_is_no_way_out() {
    compare(&stage());
}

#[test]
fn there_is_no_way_out_for_a_plain_user_either() {
    if !geteuid().is_root() {
        // Then the other story is about a plain user.
        return;
    }
    let stage = stage().given_to_a_plain_user();
    let helper = stage.folder().join("helper");
    fs::write(&helper, "").expect("written");
    // A helper that is root whoever starts it, and says so.
    let built = Command::new("cp").args(["/usr/bin/id", helper.to_str().expect("text")]).status().expect("cp runs");
    assert!(built.success());
    chown(&helper, Some(0), Some(0)).expect("root may");
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o4755)).expect("root may");
    compare(&stage);
}

#[test]
fn the_real_clients_work_inside() {
    let stage = stage();
    let count = stage.database.value("select count(*) from customers");
    let psql = stage.run(&["--jail", "--", "psql", "-X", "-A", "-t", "-c", "select count(*) from customers"]);
    assert_eq!(psql.success(), format!("{count}\n"));
    let root = fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).expect("here");
    let python = root.join(".cache/python/bin/python");
    let script = "import os, psycopg\nwith psycopg.connect(os.environ['DATABASE_URL']) as c: print(c.execute('select count(*) from customers').fetchone()[0])";
    fs::write(stage.folder().join("count.py"), script).expect("written");
    let python = stage.run(&["--jail", "--", python.to_str().expect("text"), "count.py"]);
    assert_eq!(python.success(), format!("{count}\n"));
}

#[test]
fn what_the_path_finds_in_the_home_runs_from_there() {
    let stage = stage();
    let manager = stage.home().join(".manager");
    let script = |path: &str, text: &str| {
        let path = manager.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("ours");
    };
    // As pyenv does it: a shim, which asks the manager, which runs one of its versions.
    script("shims/tool", "#!/usr/bin/env bash\nexec \"${0%/*}/../libexec/manager\" \"$@\"\n");
    script("libexec/manager", "#!/bin/sh\nexec \"${0%/*}/../versions/1/bin/tool\" \"$@\"\n");
    script("versions/1/bin/tool", "#!/bin/sh\ncat \"${0%/*}/../lib/text\"\ncat \"${0%/*}/../../../credentials\"\n");
    script("versions/1/lib/text", "from the version\n");
    script("credentials", "not for anybody\n");
    let path = format!("{}:{}", manager.join("shims").display(), std::env::var("PATH").expect("a path"));
    let outcome = Program::run(stage.command(&["--jail", "--", "tool"]).env("PATH", path), "");
    assert!(outcome.output.contains("from the version"), "{outcome:?}");
    assert!(!outcome.output.contains("not for anybody"), "{outcome:?}");
    let hidden = stage.home().join("state/hoop/tool");
    fs::copy("/bin/true", &hidden).expect("copied");
    let outcome = stage.run(&["--jail", "--", hidden.to_str().expect("text")]);
    assert_eq!(outcome.code(), 2, "{outcome:?}");
    assert!(outcome.errors.contains("does not show it") && outcome.errors.contains("--allow-read"), "{outcome:?}");
}

#[test]
fn a_jailed_shell_has_its_terminal() {
    let stage = stage();
    let screen = super::harness::Tmux::start(&stage.command(&["--jail", "--", "bash", "--norc", "-i"]), (100, 20));
    screen.wait_for("a prompt", |screen| screen.contains("bash-"));
    screen.line("trap 'echo heard' INT; stty size; echo $((40 + 2)) $$");
    screen.expect("20 100");
    screen.expect("42 2");
    screen.line("cat");
    screen.press(&["C-c"]);
    screen.line("exit 5");
    screen.expect("status 5");
}

#[test]
fn a_jail_that_would_show_credentials_is_refused() {
    let stage = stage();
    let at_home = Program::run(stage.command(&["--jail", "--", "touch", "made"]).current_dir(stage.home()), "");
    assert_eq!(at_home.code(), 2, "{at_home:?}");
    assert!(at_home.errors.contains("cannot be shown in the jail"), "{at_home:?}");
    let kept = stage.home().join("state");
    for flag in ["--allow-read", "--allow-write"] {
        let outcome = stage.run(&["--jail", flag, kept.to_str().expect("text"), "--", "touch", "made"]);
        assert_eq!(outcome.code(), 2, "{outcome:?}");
    }
    assert!(!stage.home().join("made").exists() && !stage.folder().join("made").exists());
}

#[test]
fn an_agent_is_jailed_without_being_asked() {
    let stage = stage();
    let crew = Person::login(&stage.gateway, "crew");
    let status = ["--", "sh", "-c", "cat /proc/self/status; cat ~/.pgpass; echo user $PGUSER; ls -d /var/lib"];
    let run = |person: &Person, arguments: &[&str]| {
        let all: Vec<&str> = ["exec", "-c", "pg-prod"].iter().chain(arguments).chain(&status).copied().collect();
        Program::run(person.command(&all).current_dir(stage.folder()), "")
    };
    let agents = run(&crew, &[]);
    assert!(agents.output.contains("NoNewPrivs:\t1") && agents.output.contains("user crew"), "{agents:?}");
    assert!(!agents.output.contains("/var/lib"), "{agents:?}");
    let persons = run(&stage.alice, &[]);
    assert!(persons.output.contains("NoNewPrivs:\t0") && persons.output.contains("*:*:*:*:word"), "{persons:?}");
    let told = run(&crew, &["--no-jail"]);
    assert!(told.errors.contains("without a jail") && told.output.contains("NoNewPrivs:\t0"), "{told:?}");
}

#[test]
fn a_lent_presence_is_jailed_and_carries_the_agents_name() {
    let database = Cluster::shared().database();
    let site = Site::new(&database).policy(
        "lending",
        "@id(\"lend\") permit(principal in Group::\"engineers\", action == Action::\"act_as\", resource);",
    );
    site.write(
        "agents.toml",
        "[[agent]]\nname = \"crew\"\nissuer = \"https://idp.example.com\"\nclaims = { client_id = \"crew\" }\nowner = \"alice\"\ngroups = [\"agents\"]\n",
    );
    let gateway = Gateway::start(site);
    let alice = Person::login(&gateway, "alice");
    let folder = alice.home().join("project");
    fs::create_dir_all(&folder).expect("made");
    let script = "grep NoNewPrivs /proc/self/status; psql -X -A -t -c 'select count(*) from orders'; psql -X -c \"update orders set total = 1 where id = 1\"";
    let lent = Program::run(
        alice.command(&["exec", "-c", "pg-prod", "--as-agent", "crew", "--", "sh", "-c", script]).current_dir(&folder),
        "",
    );
    let count = database.value("select count(*) from orders");
    assert!(lent.output.contains("NoNewPrivs:\t1") && lent.output.contains(&format!("{count}\n")), "{lent:?}");
    assert_eq!(lent.code(), 1, "alice may write, her agent may not: {lent:?}");
    let stranger = Program::run(
        alice.command(&["exec", "-c", "pg-prod", "--as-agent", "nobody", "--", "true"]).current_dir(&folder),
        "",
    );
    assert_ne!(stranger.code(), 0, "{stranger:?}");
}

/// As on a machine whose users may have no namespaces of their own.
#[test]
fn a_jail_that_cannot_be_made_says_why_and_runs_nothing() {
    let stage = stage();
    let command = stage.command(&["--jail", "--", "touch", "made"]);
    let mut forbidding = Command::new("unshare");
    forbidding
        .env_clear()
        .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .current_dir(stage.folder());
    let script = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"";
    forbidding.args(["--user", "--map-root-user", "sh", "-c", script, "sh", HOOP]).args(command.get_args());
    let outcome = Program::run(&mut forbidding, "");
    assert_eq!(outcome.code(), 1, "{outcome:?}");
    assert!(outcome.errors.contains("does not let the jail have namespaces"), "{outcome:?}");
    assert!(outcome.errors.contains("max_user_namespaces") && outcome.errors.contains("--no-jail"), "{outcome:?}");
    assert!(!stage.folder().join("made").exists());
}

#[test]
fn the_stages_of_a_jail_do_nothing_by_themselves() {
    let stage = stage();
    // Inside a jail nobody makes namespaces: there it fails as on a machine that forbids them.
    let script = format!("exec 0</dev/null; {HOOP} __jailer; echo status $?");
    let outcome = stage.run(&["--jail", "--allow-read", HOOP, "--", "sh", "-c", &script]);
    assert!(outcome.output.contains("status 1"), "{outcome:?}");
}

#[test]
fn without_a_jail_an_agent_is_told_what_stays_open() {
    let stage = stage();
    let outcome = stage.run(&["--no-jail", "--", "true"]);
    assert!(outcome.errors.contains("without a jail") && outcome.errors.contains("network"), "{outcome:?}");
    let quiet = stage.run(&["--", "true"]);
    assert!(!quiet.errors.contains("without a jail"), "people are not jailed, and need not hear it: {quiet:?}");
}
