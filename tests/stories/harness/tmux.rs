//! A real terminal that a story can look at and type into: tmux, with a server of its own that ends with the story.
//!
//! What is on the screen is waited for, with a deadline; nothing sleeps for a guessed time.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::PATIENCE;

/// Between two looks at the screen; tmux has no way to tell that something was drawn.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// One terminal in which one program runs.
pub(crate) struct Tmux {
    folder: TempDir,
}

impl Tmux {
    /// Runs a program in a terminal of this size. It inherits nothing but what the command says.
    pub(crate) fn start(command: &Command, (columns, rows): (u16, u16)) -> Self {
        let tmux = Self { folder: tempfile::Builder::new().prefix("hoop-tmux-").tempdir_in("/tmp").expect("a folder") };
        let script = tmux.folder.path().join("run");
        std::fs::write(&script, shell_script(command)).expect("written");
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).expect("ours");
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let mut start = tmux.command();
        start.args(["-f", "/dev/null", "new-session", "-d", "-x", &columns, "-y", &rows]);
        // A shell with job control, as a person has it: the program is a job of it.
        start.args(["bash", "--norc", "--noprofile", "-i"]);
        succeeded(&start.output().expect("tmux runs; ./install.sh --packages tests installs it"));
        tmux.tmux(&["set-option", "-g", "remain-on-exit", "on"]);
        tmux.wait_for("a prompt", |screen| screen.contains('$') || screen.contains('#'));
        tmux.line(&format!("clear; {}; echo \"status $?\"", script.display()));
        tmux
    }

    /// Presses keys, by tmux's names: `a`, `Enter`, `C-z`.
    pub(crate) fn press(&self, keys: &[&str]) {
        let all: Vec<&str> = ["send-keys"].into_iter().chain(keys.iter().copied()).collect();
        self.tmux(&all);
    }

    /// Types text as it is.
    pub(crate) fn write(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
    }

    /// Types a line.
    pub(crate) fn line(&self, text: &str) {
        self.write(text);
        self.press(&["Enter"]);
    }

    /// What is on the screen.
    pub(crate) fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Changes the size of the terminal.
    pub(crate) fn resize(&self, (columns, rows): (u16, u16)) {
        self.tmux(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
    }

    /// Whether the program has the other screen, and not the shell's.
    pub(crate) fn is_on_other_screen(&self) -> bool {
        self.tmux(&["display-message", "-p", "#{alternate_on}"]).trim() == "1"
    }

    /// Waits until the screen is as wanted; gives it.
    pub(crate) fn wait_for(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen();
            if wanted(&screen) {
                return screen;
            }
            assert!(Instant::now() < deadline, "the screen never showed {what}:\n{screen}");
            std::thread::park_timeout(LOOK_EVERY);
        }
    }

    /// Waits until these words are on the screen.
    pub(crate) fn expect(&self, words: &str) -> String {
        self.wait_for(words, |screen| screen.contains(words))
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        succeeded(&self.command().args(arguments).output().expect("tmux runs"))
    }

    fn command(&self) -> Command {
        let mut command = Command::new("tmux");
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path).env("LC_ALL", "C.UTF-8").env("HOME", self.folder.path());
        command.env("TERM", "xterm-256color").arg("-S").arg(self.socket());
        command
    }

    fn socket(&self) -> std::path::PathBuf {
        Path::new(self.folder.path()).join("socket")
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        drop(self.command().arg("kill-server").output());
    }
}

/// A script that becomes the command, with its own environment and nothing else: one job of the shell.
fn shell_script(command: &Command) -> String {
    let quoted = |text: &std::ffi::OsStr| format!("'{}'", text.to_string_lossy().replace('\'', "'\\''"));
    let variables = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let variables = variables.filter(|(name, _)| !matches!(name.to_str(), Some("TERM" | "HOOP_NO_INPUT")));
    let variables: String =
        variables.map(|(name, value)| format!("{}={} ", name.to_string_lossy(), quoted(value))).collect();
    let arguments: Vec<String> = command.get_args().map(quoted).collect();
    let program = quoted(command.get_program());
    format!("#!/bin/sh\nexec env -i TERM=\"$TERM\" {variables}{program} {}\n", arguments.join(" "))
}

fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "tmux: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
