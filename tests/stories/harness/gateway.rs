//! The real gateway, started as an operator starts it, with `--dev`, and known only by what it says.

use std::{cell::RefCell, fs, path::PathBuf, process::Command};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::{HOOP, Outcome, Program, Site, http::Browser};

/// A running gateway.
pub(crate) struct Gateway {
    /// Where it is reached: `https://127.0.0.1:PORT`.
    pub(crate) url: String,
    /// What the development provider's page wants; only the starting terminal was told.
    pub(crate) secret: String,
    site: Site,
    program: Option<Program>,
    home: TempDir,
}

impl Gateway {
    /// Starts it on this site.
    pub(crate) fn start(site: Site) -> Self {
        Self::start_with(site, &[])
    }

    /// Starts it with further arguments.
    pub(crate) fn start_with(site: Site, arguments: &[&str]) -> Self {
        let home = tempfile::Builder::new().prefix("hoop-home-").tempdir().expect("a folder");
        let mut gateway = Self { url: String::new(), secret: String::new(), site, program: None, home };
        gateway.launch(arguments);
        gateway
    }

    /// Starts it again on the same site and data, after `kill` or `stop`.
    pub(crate) fn launch(&mut self, arguments: &[&str]) {
        let ready = self.site.path().join("ready");
        drop(fs::remove_file(&ready));
        let mut command = self.command();
        command
            .args(["-v", "gateway", "run", "--dev", "--ready-file"])
            .arg(&ready)
            .args(arguments)
            .arg(self.site.path());
        let mut program = Program::start(&mut command);
        // With an issuer of its own there is no built-in provider and no secret.
        let settings = fs::read_to_string(self.site.path().join("gateway.toml")).expect("readable");
        let foreign = settings.contains("[identity.oidc]");
        // It says both when it is ready, in whichever order.
        let said = (RefCell::new(foreign.then(String::new)), RefCell::new(None));
        let (secret, url) = program.expect("that it is ready", |_, line| {
            if let Some((_, secret)) = line.split_once("secret:") {
                said.0.replace(Some(secret.trim().to_owned()));
            }
            if let Some(start) = line.find("https://127.0.0.1:") {
                let word = line.get(start..)?.split([' ', ',']).next()?;
                said.1.replace(Some(word.trim_end_matches(['/', '.']).to_owned()));
            }
            said.0.borrow().clone().zip(said.1.borrow().clone())
        });
        (self.secret, self.url) = (secret, url);
        self.program = Some(program);
    }

    /// A `hoop` command with the gateway's own hermetic home.
    pub(crate) fn command(&self) -> Command {
        hermetic(self.home.path().to_path_buf(), &self.home.path().join("state"))
    }

    /// Where the gateway's user keeps state: the development authority is there, for the same user's CLI.
    pub(crate) fn state(&self) -> PathBuf {
        self.home.path().join("state")
    }

    /// A browser that trusts this gateway.
    pub(crate) fn browser(&self) -> Browser {
        Browser::trusting(&self.state())
    }

    pub(crate) fn site(&self) -> &Site {
        &self.site
    }

    /// The gateway's process id.
    pub(crate) fn pid(&self) -> i32 {
        self.program.as_ref().expect("running").pid()
    }

    /// Ends it at once, as a power cut of the process would.
    pub(crate) fn kill(&mut self) -> Outcome {
        self.end(Signal::SIGKILL)
    }

    /// Asks it to end.
    pub(crate) fn stop(&mut self) -> Outcome {
        self.end(Signal::SIGTERM)
    }

    fn end(&mut self, signal: Signal) -> Outcome {
        let program = self.program.take().expect("running");
        program.signal(signal);
        program.finish()
    }
}

impl Drop for Gateway {
    #[expect(clippy::print_stderr, reason = "what the gateway said explains why a story failed")]
    fn drop(&mut self) {
        if let Some(program) = self.program.as_mut().filter(|_| std::thread::panicking()) {
            eprintln!("the gateway said:\n{}", program.so_far());
        }
    }
}

/// A `hoop` command that sees nothing of the machine's user: its own home, no settings, no keyring, no colour.
pub(crate) fn hermetic(home: PathBuf, state: &std::path::Path) -> Command {
    let mut command = Command::new(HOOP);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("LC_ALL", "C.UTF-8")
        .env("TERM", "dumb")
        .env("XDG_CONFIG_HOME", home.join("config"))
        .env("XDG_STATE_HOME", state)
        .env("XDG_DATA_HOME", home.join("share"))
        .env("XDG_RUNTIME_DIR", home.join("run"))
        .env("HOOP_TOKEN_STORE", "file")
        .env("HOOP_NO_INPUT", "1")
        .env("HOME", home);
    command
}
