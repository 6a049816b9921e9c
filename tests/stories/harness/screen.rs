//! A terminal that somebody could sit before (tmux): keys go in, and what stands on it can be waited for.

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::{PATIENCE, Program};

/// A terminal with one program in it. Both end with this.
pub(crate) struct Screen {
    folder: TempDir,
}

/// How long it is between two looks.
const LOOK: Duration = Duration::from_millis(50);

impl Screen {
    /// Opens a terminal of so many columns and rows and starts the program in it.
    pub(crate) fn open(program: &Command, columns: u16, rows: u16) -> Self {
        let screen = Self { folder: tempfile::Builder::new().prefix("hoop-tmux-").tempdir().expect("a folder") };
        let mut start = screen.tmux(&["new-session", "-d", "-x", &columns.to_string(), "-y", &rows.to_string()]);
        // What it ends with is left on the screen, and the screen stays.
        start.args(["sh", "-c", "\"$@\"; echo \"status $?\"; exec cat", "sh"]);
        start.args(["env", "-i", "TERM=tmux-256color", "LC_ALL=C.UTF-8"]);
        for (name, value) in program.get_envs() {
            // Here somebody sits before it.
            if let Some(value) = value.filter(|_| !matches!(name.to_str(), Some("TERM" | "HOOP_NO_INPUT"))) {
                start.arg(format!("{}={}", name.to_string_lossy(), value.to_string_lossy()));
            }
        }
        start.arg(program.get_program()).args(program.get_args());
        Program::run(&mut start, "").success();
        screen
    }

    /// Presses keys, by tmux's names: `r`, `Enter`, `C-c`, `PageDown`.
    pub(crate) fn press(&self, keys: &[&str]) {
        Program::run(self.tmux(&["send-keys"]).args(keys), "").success();
    }

    /// Types letters.
    pub(crate) fn write(&self, text: &str) {
        Program::run(self.tmux(&["send-keys", "-l"]).arg(text), "").success();
    }

    /// What stands on it.
    pub(crate) fn text(&self) -> String {
        Program::run(&mut self.tmux(&["capture-pane", "-p"]), "").success()
    }

    /// What a program could have changed without a letter on the screen: the title.
    pub(crate) fn title(&self) -> String {
        Program::run(&mut self.tmux(&["display-message", "-p", "#{pane_title}"]), "").success()
    }

    /// The status with which the program ended; waits for its end.
    pub(crate) fn status(&self) -> i32 {
        let ended = || {
            let text = self.text();
            text.lines().find_map(|line| line.strip_prefix("status ")).and_then(|status| status.trim().parse().ok())
        };
        wait(ended).unwrap_or_else(|| panic!("it never ended:\n{}", self.text()))
    }

    /// Waits until all of these stand on it; gives the whole screen.
    pub(crate) fn expect(&self, parts: &[&str]) -> String {
        let shown = || Some(self.text()).filter(|text| parts.iter().all(|part| text.contains(part)));
        wait(shown).unwrap_or_else(|| panic!("{parts:?} never stood on the screen:\n{}", self.text()))
    }

    fn tmux(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        command.env_remove("TMUX").arg("-u").arg("-S").arg(self.folder.path().join("socket"));
        command.args(["-f", "/dev/null"]).args(arguments);
        command
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A server that ended by itself is gone already.
        drop(self.tmux(&["kill-server"]).output());
    }
}

fn wait<T>(look: impl Fn() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::park_timeout(LOOK);
    }
}
