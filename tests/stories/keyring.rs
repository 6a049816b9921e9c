//! Tokens in a real Secret Service: gnome-keyring on a message bus of its own. And what happens where there is none.

use std::{fs, path::Path, process::Command};

use tempfile::TempDir;

use super::harness::{Cluster, Gateway, Outcome, Person, Program, Site, Stream};

/// A desktop session's message bus and keyring, private to one story.
struct Desktop {
    address: String,
    home: TempDir,
    bus: Program,
}

impl Desktop {
    fn start() -> Self {
        let home = tempfile::Builder::new().prefix("hoop-desktop-").tempdir().expect("a folder");
        fs::create_dir(home.path().join("run")).expect("made");
        let mut command = Command::new("dbus-daemon");
        command.args(["--session", "--nofork", "--print-address=1"]).env("XDG_RUNTIME_DIR", home.path().join("run"));
        let mut bus = Program::start(&mut command);
        let address = bus.expect("its address", |stream, line| {
            (stream == Stream::Output && line.starts_with("unix:")).then(|| line.to_owned())
        });
        Self { address, home, bus }
    }

    /// Starts the keyring, and unlocks it as a login screen does. It goes to the background once it is ready, and ends
    /// with its bus.
    fn unlock(&self) {
        let mut command = Command::new("gnome-keyring-daemon");
        command
            .args(["--unlock", "--components=secrets", "--daemonize"])
            .env_clear()
            .envs(self.environment().map(|(name, value)| (name, value.to_owned())))
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path());
        Program::run(&mut command, "the password of the person").success();
    }

    fn environment(&self) -> [(&'static str, &str); 3] {
        let folder = self.home.path().to_str().expect("UTF-8");
        [("DBUS_SESSION_BUS_ADDRESS", &self.address), ("XDG_RUNTIME_DIR", folder), ("XDG_DATA_HOME", folder)]
    }

    /// Whether the keyring holds a login of this person, wherever they remember to keep it.
    fn keeps(&self, gateway: &Gateway, person: &Person) -> bool {
        let state = tempfile::tempdir().expect("a folder");
        let logins = state.path().join("hoop/logins");
        fs::create_dir_all(&logins).expect("made");
        let address = gateway.url.trim_start_matches("https://").replace(':', "_");
        let place = serde_json::json!({ "version": 1, "gateway": gateway.url, "store": "keyring" });
        fs::write(logins.join(format!("{address}.json")), place.to_string()).expect("written");
        let mut command = person.command(&["whoami"]);
        command.env("XDG_STATE_HOME", state.path()).env_remove("HOOP_TOKEN_STORE").envs(self.environment());
        // Who is logged in asks the gateway, whose authority is not trusted from there.
        Program::run(&mut command, "").code() != 4
    }

    fn run(&self, person: &Person, arguments: &[&str]) -> Outcome {
        let mut command = person.command(arguments);
        Program::run(command.env_remove("HOOP_TOKEN_STORE").envs(self.environment()), "")
    }
}

/// Logs in once more, with this desktop there.
fn again(gateway: &Gateway, person: &Person, store: &[(&str, &str)], desktop: &Desktop) {
    let environment: Vec<(&str, &str)> = store.iter().copied().chain(desktop.environment()).collect();
    let (login, page) = person.begin_login(&environment);
    gateway.browser().approve(&page, &person.name, &gateway.secret);
    login.finish().success();
}

fn gateway() -> Gateway {
    Gateway::start(Site::new(&Cluster::shared().database()))
}

/// Logs in where this environment decides about the token store.
fn login(gateway: &Gateway, name: &str, environment: &[(&str, &str)]) -> (Person, Outcome) {
    let person = Person::new(gateway, name);
    let chosen: Vec<(&str, &str)> = [("HOOP_TOKEN_STORE", "")].iter().chain(environment).copied().collect();
    let (login, page) = person.begin_login(&chosen);
    gateway.browser().approve(&page, name, &gateway.secret);
    let outcome = login.finish();
    assert_eq!(outcome.code(), 0, "{outcome:?}");
    (person, outcome)
}

fn kept_in_files(person: &Person) -> bool {
    fn any(folder: &Path) -> bool {
        let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        entries.map(|entry| entry.path()).any(|path| path.extension().is_some_and(|end| end == "token") || any(&path))
    }
    any(&person.home().join("state/hoop/logins"))
}

#[test]
fn a_desktop_keeps_the_login_in_its_keyring_and_nowhere_else() {
    let gateway = gateway();
    let desktop = Desktop::start();
    desktop.unlock();
    let (alice, outcome) = login(&gateway, "alice", &desktop.environment());
    assert!(outcome.errors.contains("keyring"), "{outcome:?}");
    assert!(!kept_in_files(&alice));
    assert!(desktop.run(&alice, &["whoami"]).success().contains("alice"));
    assert!(desktop.run(&alice, &["status"]).success().contains("keyring"));
    assert_eq!(desktop.run(&alice, &["logout"]).code(), 0);
    assert_eq!(desktop.run(&alice, &["whoami"]).code(), 4);
    assert!(!desktop.keeps(&gateway, &alice), "the logout leaves nothing in the keyring");

    // A later login that is kept elsewhere leaves no refresh token in the keyring either.
    again(&gateway, &alice, &[("HOOP_TOKEN_STORE", "")], &desktop);
    assert!(desktop.keeps(&gateway, &alice) && !kept_in_files(&alice));
    again(&gateway, &alice, &[("HOOP_TOKEN_STORE", "file")], &desktop);
    assert!(kept_in_files(&alice) && !desktop.keeps(&gateway, &alice));
}

#[test]
fn a_keyring_that_went_away_is_an_error_and_not_a_second_login() {
    let gateway = gateway();
    let desktop = Desktop::start();
    desktop.unlock();
    let (alice, _) = login(&gateway, "alice", &desktop.environment());
    let address = desktop.address.clone();
    desktop.bus.signal(nix::sys::signal::Signal::SIGKILL);
    desktop.bus.finish();
    let mut command = alice.command(&["whoami"]);
    let outcome = Program::run(command.env_remove("HOOP_TOKEN_STORE").env("DBUS_SESSION_BUS_ADDRESS", address), "");
    assert_eq!(outcome.code(), 1, "{outcome:?}");
    assert!(outcome.errors.contains("keyring") && outcome.errors.contains("HOOP_TOKEN_STORE=file"), "{outcome:?}");
}

/// The same command in a session keyring of this name, as a login on a terminal has one.
fn in_session(name: &str, command: &mut Command) -> Command {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/python/session.py");
    let mut wrapped = Command::new("python3");
    wrapped.env_clear().args([script, name]).arg(command.get_program()).args(command.get_args());
    for (variable, value) in command.get_envs() {
        value.map(|value| wrapped.env(variable, value));
    }
    wrapped
}

#[test]
fn the_kernels_keyring_keeps_a_login_in_memory_where_it_is_asked_to() {
    let gateway = gateway();
    let alice = Person::new(&gateway, "alice");
    let name = format!("hoop-story-{}", gateway.url);
    let mut keeper = Program::start(&mut in_session(
        &name,
        Command::new("cat").env("PATH", std::env::var_os("PATH").unwrap_or_default()),
    ));
    keeper.expect_line("joined");
    let command = |arguments: &[&str]| {
        let mut command = alice.command(arguments);
        in_session(&name, command.env("HOOP_TOKEN_STORE", "keyutils"))
    };
    let mut login = Program::start(&mut command(&["login", "--no-browser"]));
    let page = login.expect("the address to open", |stream, line| {
        let mut words = line.split_whitespace().filter(|_| stream == Stream::Errors);
        words.find(|word| word.starts_with("http") && word.contains("user_code=")).map(str::to_owned)
    });
    gateway.browser().approve(&page, "alice", &gateway.secret);
    let outcome = login.finish();
    assert!(outcome.code() == 0 && outcome.errors.contains("gone at the machine's next start"), "{outcome:?}");
    assert!(!kept_in_files(&alice));
    let run = |arguments: &[&str]| Program::run(&mut command(arguments), "");
    assert!(run(&["whoami"]).success().contains("alice"));
    assert!(run(&["status"]).success().contains("keyutils"));
    assert_eq!(run(&["logout"]).code(), 0);
    assert_eq!(run(&["whoami"]).code(), 4);
}

#[test]
fn a_server_without_a_keyring_says_aloud_that_a_file_keeps_the_login() {
    let gateway = gateway();
    let (bob, outcome) = login(&gateway, "bob", &[]);
    assert!(outcome.errors.contains("no usable keyring"), "{outcome:?}");
    assert!(outcome.errors.contains("which only you can read"), "{outcome:?}");
    assert!(kept_in_files(&bob));
    assert!(bob.run(&["whoami"]).success().contains("bob"));
}
