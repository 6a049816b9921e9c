//! The real terminal: taken and given back whatever happens, suspended and resumed, rung, and lent its clipboard.
//!
//! Knows nothing of the state. What is written here besides frames is made of our own sequences and of safe text.

use std::io::{Stdout, Write as _, stdout};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use crossterm::{
    cursor::{Hide, Show},
    event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture},
    execute,
    terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, getpgid, getppid, getsid},
};
use ratatui::{Terminal, backend::CrosstermBackend};

use crate::{failure::Failure, output::printable_line};

/// Holds the terminal; gives it back when dropped, also by a panic. The panic hook gives it back before it speaks.
#[derive(Debug)]
pub(super) struct Guard {
    mouse: bool,
}

impl Guard {
    /// Takes the terminal: raw mode, the other screen, pasted text as such.
    pub(super) fn enter(mouse: bool) -> std::io::Result<Self> {
        enable_raw_mode()?;
        let guard = Self { mouse };
        guard.begin()?;
        Ok(guard)
    }

    /// Takes it again, after somebody else may have had it.
    pub(super) fn enter_again(&self) -> std::io::Result<()> {
        enable_raw_mode()?;
        self.begin()
    }

    /// Stops the job, as Ctrl-Z does, and takes the terminal again when the shell lets it go on. Where no shell would
    /// ever do that, nothing stops, and that is said.
    pub(super) fn suspend(&self) -> std::io::Result<bool> {
        if is_orphan() {
            return Ok(false);
        }
        restore();
        // The whole job, so that the shell notices.
        kill(Pid::from_raw(0), Signal::SIGSTOP)?;
        self.enter_again()?;
        Ok(true)
    }

    fn begin(&self) -> std::io::Result<()> {
        execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste, Hide)?;
        if self.mouse {
            execute!(stdout(), EnableMouseCapture)?;
        }
        Ok(())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back as it was. Harmless when it was not taken.
pub(crate) fn restore() {
    drop(execute!(stdout(), DisableMouseCapture, DisableBracketedPaste, LeaveAlternateScreen, Show));
    drop(disable_raw_mode());
}

/// What is drawn on.
pub(super) fn canvas() -> std::io::Result<Terminal<CrosstermBackend<Stdout>>> {
    Terminal::new(CrosstermBackend::new(stdout()))
}

/// The bell, and a notification where the terminal knows OSC 9.
pub(super) fn ring(text: &str) -> std::io::Result<()> {
    let text: String = printable_line(text).chars().take(LONGEST_NOTIFICATION).collect();
    write_all(&format!("\u{7}\u{1b}]9;{text}\u{1b}\\"))
}

/// Into the clipboard, by OSC 52. Whether the terminal takes it cannot be known.
pub(super) fn copy(text: &str) -> std::io::Result<()> {
    write_all(&format!("\u{1b}]52;c;{}\u{1b}\\", STANDARD.encode(text)))
}

/// The terminal does not do what terminals do.
pub(super) fn broken(error: &std::io::Error) -> Failure {
    Failure::failed("the terminal cannot be used").caused_by(error)
}

const LONGEST_NOTIFICATION: usize = 200;

fn write_all(text: &str) -> std::io::Result<()> {
    let mut stream = stdout().lock();
    stream.write_all(text.as_bytes())?;
    stream.flush()
}

/// Whether no shell of this session would ever resume us: then stopping would be for ever.
fn is_orphan() -> bool {
    let parent = getppid();
    let same_session = getsid(Some(parent)).ok() == getsid(None).ok();
    let other_job = getpgid(Some(parent)).ok() != getpgid(None).ok();
    !(same_session && other_job)
}
