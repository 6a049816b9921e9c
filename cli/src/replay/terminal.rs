//! Plays on the real terminal: keys and time in, frames out; leaves the terminal as it was, whatever happens.

use std::{
    io::{Stdout, stdout},
    time::{Duration, Instant},
};

use crossterm::{
    cursor::Show,
    event::{Event, KeyEventKind, poll, read},
    execute,
    terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
};
use ratatui::{Terminal, backend::CrosstermBackend};

use super::{
    player::{Player, Wish},
    screen::draw,
};
use crate::failure::{ExitStatus, Failure};

/// How often a frame is drawn while playing.
const FRAME: Duration = Duration::from_millis(33);
/// How often one is drawn while nothing moves.
const IDLE_FRAME: Duration = Duration::from_millis(500);

/// Plays until the watcher leaves. Blocks.
pub(super) fn play(mut player: Player, colour: bool) -> Result<ExitStatus, Failure> {
    let (_guard, mut terminal) = Guard::enter().map_err(|error| broken(&error))?;
    let mut last = Instant::now();
    loop {
        let now = Instant::now();
        player.advance(now.duration_since(last));
        last = now;
        terminal.draw(|frame| draw(&player, colour, frame)).map_err(|error| broken(&error))?;
        let pause = if player.paused || player.is_over() { IDLE_FRAME } else { FRAME };
        if !poll(pause).map_err(|error| broken(&error))? {
            continue;
        }
        if let Event::Key(key) = read().map_err(|error| broken(&error))?
            && key.kind != KeyEventKind::Release
        {
            match player.press(key) {
                Wish::Stay => {}
                Wish::Quit => return Ok(ExitStatus::SUCCESS),
                Wish::Interrupt => return Err(Failure::interrupted()),
            }
        }
    }
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
