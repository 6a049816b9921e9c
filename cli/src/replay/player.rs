//! The player as a state machine: time and keys in, what is to be seen out. Knows no terminal and no clock.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::script::{Cue, Script};

/// What a key asks beyond the player.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// Go on.
    Stay,
    /// End in order.
    Quit,
    /// End as interrupted.
    Interrupt,
}

/// A session being played.
#[derive(Debug)]
pub(super) struct Player {
    pub(super) script: Script,
    pub(super) at: Duration,
    pub(super) speed: f64,
    pub(super) paused: bool,
    /// Lines scrolled back from the newest.
    pub(super) scrolled: usize,
}

const SEEK: Duration = Duration::from_secs(5);
const SLOWEST: f64 = 0.125;
const FASTEST: f64 = 256.0;

impl Player {
    /// Starts playing, at an operation where one is named.
    pub(super) fn new(script: Script, speed: f64, operation: Option<u64>) -> Self {
        let at =
            operation.and_then(|number| script.cues().get(script.cue_of(number))).map_or(Duration::ZERO, |cue| cue.at);
        Self { script, at, speed, paused: false, scrolled: 0 }
    }

    /// Lets time pass.
    pub(super) fn advance(&mut self, passed: Duration) {
        if !self.paused {
            self.at = (self.at + passed.mul_f64(self.speed)).min(self.script.end());
        }
    }

    /// Whether there is nothing left to play.
    pub(super) fn is_over(&self) -> bool {
        self.at >= self.script.end()
    }

    /// What has happened so far.
    pub(super) fn seen(&self) -> &[Cue] {
        let cues = self.script.cues();
        cues.get(..cues.partition_point(|cue| cue.at <= self.at)).unwrap_or_default()
    }

    /// The operation that was asked last.
    pub(super) fn operation(&self) -> Option<u64> {
        self.seen().iter().rev().find_map(|cue| cue.operation)
    }

    /// Takes a key; one without a meaning changes nothing.
    #[expect(clippy::wildcard_enum_match_arm, reason = "most keys of a keyboard mean nothing here")]
    pub(super) fn press(&mut self, key: KeyEvent) -> Wish {
        match key.code {
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return Wish::Interrupt,
            KeyCode::Char('q') | KeyCode::Esc => return Wish::Quit,
            KeyCode::Char(' ') if self.is_over() => self.seek(Duration::ZERO),
            KeyCode::Char(' ') => self.paused = !self.paused,
            KeyCode::Right => self.seek(self.at + SEEK),
            KeyCode::Left => self.seek(self.at.saturating_sub(SEEK)),
            KeyCode::Home => self.seek(Duration::ZERO),
            KeyCode::End => self.seek(self.script.end()),
            KeyCode::Char('n') => self.seek_operation(true),
            KeyCode::Char('p') => self.seek_operation(false),
            KeyCode::Char('+' | '=') => self.speed = (self.speed * 2.0).min(FASTEST),
            KeyCode::Char('-') => self.speed = (self.speed / 2.0).max(SLOWEST),
            KeyCode::Up => self.scrolled += 1,
            KeyCode::PageUp => self.scrolled += 10,
            KeyCode::Down => self.scrolled = self.scrolled.saturating_sub(1),
            KeyCode::PageDown => self.scrolled = self.scrolled.saturating_sub(10),
            _ => {}
        }
        Wish::Stay
    }

    fn seek(&mut self, to: Duration) {
        self.at = to.min(self.script.end());
        self.scrolled = 0;
    }

    /// To where the next operation was asked, or the one before.
    fn seek_operation(&mut self, forward: bool) {
        let mut starts = Vec::new();
        let mut last = None;
        for cue in self.script.cues() {
            if cue.operation.is_some() && cue.operation != last {
                last = cue.operation;
                starts.push(cue.at);
            }
        }
        let found = if forward {
            starts.iter().find(|start| **start > self.at)
        } else {
            starts.iter().rev().find(|start| **start < self.at)
        };
        let otherwise = if forward { self.script.end() } else { Duration::ZERO };
        self.seek(found.copied().unwrap_or(otherwise));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::script::tests::session;

    fn player() -> Player {
        Player::new(Script::new(&session(), None), 1.0, None)
    }

    fn key(code: KeyCode) -> KeyEvent {
        KeyEvent::new(code, KeyModifiers::NONE)
    }

    #[test]
    fn time_shows_one_event_after_another_and_stops_at_the_end() {
        let mut player = player();
        assert_eq!(player.seen().len(), 1);
        player.advance(Duration::from_millis(1_200));
        assert_eq!((player.seen().len(), player.operation()), (2, Some(1)));
        player.advance(Duration::from_hours(1));
        assert!(player.is_over());
        assert_eq!(player.at, Duration::from_secs(66));
    }

    #[test]
    fn a_paused_player_stands_and_speed_multiplies_time() {
        let mut player = player();
        assert_eq!(player.press(key(KeyCode::Char(' '))), Wish::Stay);
        player.advance(Duration::from_secs(9));
        assert_eq!(player.at, Duration::ZERO);
        player.press(key(KeyCode::Char(' ')));
        player.press(key(KeyCode::Char('+')));
        player.advance(Duration::from_secs(2));
        assert_eq!(player.at, Duration::from_secs(4));
    }

    #[test]
    fn keys_seek_by_time_and_by_operation() {
        let mut player = player();
        player.press(key(KeyCode::Right));
        assert_eq!(player.at, Duration::from_secs(5));
        player.press(key(KeyCode::Char('n')));
        assert_eq!(player.operation(), Some(3));
        player.press(key(KeyCode::Char('p')));
        assert_eq!(player.operation(), Some(2));
        player.press(key(KeyCode::Left));
        assert_eq!(player.at, Duration::ZERO);
        player.press(key(KeyCode::End));
        assert!(player.is_over());
        player.press(key(KeyCode::Char(' ')));
        assert_eq!(player.at, Duration::ZERO);
    }

    #[test]
    fn begins_at_the_operation_that_is_named_and_ends_when_asked() {
        let script = Script::new(&session(), None);
        let mut player = Player::new(script, 1.0, Some(3));
        assert_eq!(player.operation(), Some(3));
        assert_eq!(player.press(key(KeyCode::Char('q'))), Wish::Quit);
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(player.press(interrupt), Wish::Interrupt);
    }
}
