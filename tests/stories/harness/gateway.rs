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
    dev: bool,
    file_limit: Option<u32>,
}

impl Gateway {
    /// Starts it on this site.
    pub(crate) fn start(site: Site) -> Self {
        Self::start_with(site, &[])
    }

    /// Starts it with further arguments.
    pub(crate) fn start_with(site: Site, arguments: &[&str]) -> Self {
        let home = tempfile::Builder::new().prefix("hoop-home-").tempdir().expect("a folder");
        let mut gateway = Self::prepared(site, home);
        gateway.launch(arguments);
        gateway
    }

    /// Starts one that can write no file longer than so many blocks of 512 bytes: its disk is full early.
    pub(crate) fn start_on_a_small_disk(site: Site, blocks: u32) -> Self {
        let home = tempfile::Builder::new().prefix("hoop-home-").tempdir().expect("a folder");
        let mut gateway = Self::prepared(site, home);
        gateway.file_limit = Some(blocks);
        gateway.launch(&[]);
        gateway
    }

    /// Tries to start one that is expected to refuse.
    pub(crate) fn attempt(site: &Site, arguments: &[&str]) -> Outcome {
        let home = tempfile::Builder::new().prefix("hoop-home-").tempdir().expect("a folder");
        let mut command = hermetic(HOOP, home.path().to_path_buf(), &home.path().join("state"));
        Program::run(command.args(["gateway", "run"]).args(arguments).arg(site.path()), "")
    }

    fn prepared(site: Site, home: TempDir) -> Self {
        let (url, secret) = (String::new(), String::new());
        Self { url, secret, site, program: None, home, dev: true, file_limit: None }
    }

    /// From the next launch on, without `--dev`.
    pub(crate) fn leave_development(&mut self) {
        self.dev = false;
    }

    /// Reads the policies of the site again, as an operator does; gives what the gateway said to it.
    pub(crate) fn reload(&mut self) -> String {
        let program = self.program.as_mut().expect("running");
        program.signal(Signal::SIGHUP);
        let what = |line: &str| line.contains("are in force") || line.contains("stay as they were");
        program.expect("what it made of the policies", |_, line| what(line).then(|| line.to_owned()))
    }

    /// Everything it said so far.
    pub(crate) fn said(&mut self) -> String {
        self.program.as_mut().expect("running").so_far()
    }

    /// Waits until it says a line with all of these in it.
    pub(crate) fn says(&mut self, parts: &[&str]) {
        let program = self.program.as_mut().expect("running");
        let what = parts.join(" … ");
        program.expect(&what, |_, line| parts.iter().all(|part| line.contains(part)).then_some(()));
    }

    /// Starts it again on the same site and data, after `kill` or `stop`.
    pub(crate) fn launch(&mut self, arguments: &[&str]) {
        let ready = self.site.path().join("ready");
        drop(fs::remove_file(&ready));
        let mut command = self.command();
        command
            .args(["-v", "gateway", "run", "--ready-file"])
            .arg(&ready)
            .args(self.dev.then_some("--dev"))
            .args(arguments)
            .arg(self.site.path());
        let mut program = Program::start(&mut command);
        // With an issuer of its own there is no built-in provider and no secret.
        let settings = fs::read_to_string(self.site.path().join("gateway.toml")).expect("readable");
        let foreign = ["[identity.oidc]", "[identity.saml]"].iter().any(|section| settings.contains(section));
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
        let (home, state) = (self.home.path().to_path_buf(), self.state());
        let Some(blocks) = self.file_limit else { return hermetic(HOOP, home, &state) };
        let mut command = hermetic("sh", home, &state);
        // 25 is SIGXFSZ: ignored, so that a write fails as it does on a full disk.
        let limit = format!("trap '' 25; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        command.args(["-c", &limit, HOOP]);
        command
    }

    /// Where the gateway's user keeps state: the development authority is there, for the same user's CLI.
    pub(crate) fn state(&self) -> PathBuf {
        self.home.path().join("state")
    }

    /// The authority that the gateway's certificates come from.
    pub(crate) fn authority(&self) -> PathBuf {
        let port = self.url.rsplit(':').next().expect("a port");
        self.state().join("hoop/dev").join(port).join("ca.pem")
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
pub(crate) fn hermetic(program: &str, home: PathBuf, state: &std::path::Path) -> Command {
    let mut command = Command::new(program);
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
