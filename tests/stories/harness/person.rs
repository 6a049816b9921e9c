//! A person at a shell of their own: logs in through the provider's real pages, then runs `hoop`.

use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

use tempfile::TempDir;

use super::{Gateway, HOOP, Outcome, Program, Stream, gateway::hermetic};

/// Somebody with a home of their own.
pub(crate) struct Person {
    pub(crate) name: String,
    gateway: String,
    home: TempDir,
}

impl Person {
    /// Logs in with the development provider.
    pub(crate) fn login(gateway: &Gateway, name: &str) -> Self {
        let person = Self::new(gateway, name);
        let (login, page) = person.begin_login(&[]);
        gateway.browser().approve(&page, name, &gateway.secret);
        login.finish().success();
        person
    }

    /// Begins to log in, and gives the address of the page to open.
    pub(crate) fn begin_login(&self, environment: &[(&str, &str)]) -> (Program, String) {
        let mut command = self.command(&["login", "--no-browser"]);
        let mut login = Program::start(command.envs(environment.iter().copied()));
        let page = login.expect("the address to open", |stream, line| {
            let mut words = line.split_whitespace().filter(|_| stream == Stream::Errors);
            words.find(|word| word.starts_with("http") && word.contains("user_code=")).map(str::to_owned)
        });
        (login, page)
    }

    /// Somebody who has not logged in yet.
    pub(crate) fn new(gateway: &Gateway, name: &str) -> Self {
        let home = tempfile::Builder::new().prefix("hoop-person-").tempdir().expect("a folder");
        let state = home.path().join("state");
        share_authorities(&gateway.state(), &state);
        Self { name: name.to_owned(), gateway: gateway.url.clone(), home }
    }

    /// A bearer of this person, as the CLI keeps it.
    pub(crate) fn jwt(&self) -> String {
        find_jwt(self.home.path()).expect("a stored token")
    }

    /// A `hoop` command of this person.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = hermetic(HOOP, self.home.path().to_path_buf(), &self.home.path().join("state"));
        command.env("HOOP_GATEWAY", &self.gateway).args(arguments);
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        Program::run(&mut self.command(arguments), "")
    }

    /// Starts it.
    pub(crate) fn start(&self, arguments: &[&str]) -> Program {
        Program::start(&mut self.command(arguments))
    }

    /// Runs it with `--output json` and reads what it printed.
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let all: Vec<&str> = arguments.iter().copied().chain(["--output", "json"]).collect();
        let output = self.run(&all).success();
        serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}"))
    }

    /// The folder of this person's home.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }
}

/// The people of a story are one operating-system user; each trusts the development authorities of that user.
fn share_authorities(gateway: &Path, person: &Path) {
    fs::create_dir_all(person.join("hoop")).expect("made");
    symlink(gateway.join("hoop/dev"), person.join("hoop/dev")).expect("linked");
}

fn find_jwt(folder: &Path) -> Option<String> {
    for entry in fs::read_dir(folder).ok()?.flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            if let Some(found) = find_jwt(&path) {
                return Some(found);
            }
        } else if let Ok(text) = fs::read_to_string(&path)
            && let Ok(login) = serde_json::from_str::<serde_json::Value>(&text)
            && let Some(token) = login.get("token").and_then(serde_json::Value::as_str)
        {
            return Some(token.to_owned());
        }
    }
    None
}
