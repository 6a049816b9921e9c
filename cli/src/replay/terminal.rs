//! Plays on the real terminal: keys and time in, frames out; leaves the terminal as it was, whatever happens.
//!
//! Draws only when something is to be seen: while it plays, on a key, and when the window changes.

use std::{
    io::{Stdout, Write as _, stdout},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use crossterm::{
    cursor::Show,
    event::{Event, KeyEventKind, poll, read},
    execute,
    terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
};
use nix::sys::signal::{Signal, raise};
use ratatui::{Terminal, backend::CrosstermBackend};

use super::{
    player::{Message, Player, Wish},
    screen::draw,
};
use crate::{
    failure::{ExitStatus, Failure},
    paint::Theme,
};

/// How often a frame is drawn while playing.
const FRAME: Duration = Duration::from_millis(33);

/// Plays until the watcher leaves. Blocks.
pub(super) fn play(mut player: Player, theme: Theme) -> Result<ExitStatus, Failure> {
    let (mut guard, mut terminal) = Guard::enter().map_err(|error| broken(&error))?;
    let mut last = Instant::now();
    loop {
        let now = Instant::now();
        player.update(Message::Passed(now.duration_since(last)));
        last = now;
        let drawn = terminal.draw(|frame| draw(&player, theme, frame.area(), frame.buffer_mut()));
        drawn.map_err(|error| broken(&error))?;
        if player.is_moving() && !poll(FRAME).map_err(|error| broken(&error))? {
            continue;
        }
        let event = read().map_err(|error| broken(&error))?;
        if !player.is_moving() {
            // Time that was waited away is not played.
            last = Instant::now();
        }
        let Event::Key(key) = event else { continue };
        if key.kind == KeyEventKind::Release {
            continue;
        }
        match player.update(Message::Key(key)) {
            Wish::Stay => {}
            Wish::Quit => return Ok(ExitStatus::SUCCESS),
            Wish::Interrupt => return Err(Failure::interrupted()),
            Wish::Copy(text) => copy(&text).map_err(|error| broken(&error))?,
            Wish::Suspend => {
                drop(guard);
                raise(Signal::SIGTSTP).map_err(|errno| broken(&errno.into()))?;
                (guard, terminal) = Guard::enter().map_err(|error| broken(&error))?;
                last = Instant::now();
            }
        }
    }
}

/// Puts a text on the clipboard of the terminal (OSC 52).
fn copy(text: &str) -> std::io::Result<()> {
    let mut stdout = stdout().lock();
    write!(stdout, "\u{1b}]52;c;{}\u{7}", BASE64.encode(text))?;
    stdout.flush()
}

/// Restores the terminal when it is dropped, also by a panic; the panic hook restores it before it speaks.
struct Guard;

impl Guard {
    fn enter() -> std::io::Result<(Self, Terminal<CrosstermBackend<Stdout>>)> {
        enable_raw_mode()?;
        let guard = Self;
        execute!(stdout(), EnterAlternateScreen)?;
        let terminal = Terminal::new(CrosstermBackend::new(stdout()))?;
        Ok((guard, terminal))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(execute!(stdout(), LeaveAlternateScreen, Show));
        drop(disable_raw_mode());
    }
}

fn broken(error: &std::io::Error) -> Failure {
    Failure::failed("the terminal cannot be used").caused_by(error).next("say `--speed max` to print instead")
}
