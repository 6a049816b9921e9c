//! The player as a state machine: time and keys in, what is to be seen out. Knows no terminal and no clock.
//!
//! Where it stands is one time, the position; everything that is shown follows from that, so that going anywhere shows
//! exactly what playing up to there would have shown.

mod keys;
mod prompt;

pub(crate) use keys::HELP;
pub(crate) use prompt::{Prompt, PromptKind};

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use crossterm::event::KeyEvent;
use ratatui::text::Line;

use super::{
    emulator::Emulator,
    script::{Cue, Mark, Operation, Script},
};
use crate::{
    output::{printable, printable_line},
    paint::{Painted, Theme},
};
use prompt::Place;

/// What happens to a player.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Message {
    /// Time passed.
    Passed(Duration),
    /// A key was pressed.
    Key(KeyEvent),
    /// Play or pause; at the end, from the beginning.
    Toggle,
    /// Go by so many seconds.
    By(i64),
    /// Go to so many per cent.
    Share(u8),
    /// Go to where the next operation was asked, or the one before.
    Operation(Direction),
    /// Go to the next or previous refusal, hold or masked result.
    Mark(Mark, Direction),
    /// Go to the next or previous place that was found.
    Found(Direction),
    /// Play twice as fast.
    Faster,
    /// Play half as fast.
    Slower,
    /// Scroll what is shown of the operation.
    Scroll(isize),
    /// Ask for something: what to search, where to go.
    Ask(PromptKind),
    /// Show or hide the keys.
    Help,
    /// One step out: the help, the search, then the player itself.
    Back,
    /// Out of the player.
    Quit,
    /// Out of everything.
    Interrupt,
    /// Put the statement on the clipboard.
    Copy,
    /// Give the terminal back for a while.
    Suspend,
}

/// Which way to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Next,
    Previous,
}

/// What a message asks beyond the player.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Go on.
    Stay,
    /// End in order.
    Quit,
    /// End as interrupted.
    Interrupt,
    /// Put this on the clipboard.
    Copy(String),
    /// Give the terminal back for a while.
    Suspend,
}

/// What was searched, and where it is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Search {
    pub(crate) text: String,
    pub(crate) found: Vec<Duration>,
}

/// A session being played.
#[derive(Debug, Clone)]
pub(crate) struct Player {
    pub(crate) script: Script,
    pub(crate) position: Duration,
    pub(crate) speed: f64,
    pub(crate) playing: bool,
    pub(crate) prompt: Option<Prompt>,
    pub(crate) search: Option<Search>,
    /// Rows scrolled down from the top of the operation.
    pub(crate) scrolled: usize,
    pub(crate) help: bool,
    /// What the watcher is told, until the next key.
    pub(crate) note: Option<String>,
    pub(crate) emulator: Option<Emulator>,
    /// How far down there was anything to scroll to, when it was drawn last.
    pub(crate) deepest: Cell<usize>,
    painted: RefCell<Memory>,
}

/// The statement that was painted last: a screen is drawn far more often than the operation changes.
#[derive(Debug, Clone, Default)]
struct Memory {
    of: Option<(usize, u16, Theme)>,
    lines: Vec<Line<'static>>,
}

/// More than this is not put on a clipboard: terminals drop it.
const MAX_COPIED_BYTES: usize = 64 << 10;
const SLOWEST: f64 = 0.125;
const FASTEST: f64 = 256.0;

impl Player {
    /// Starts playing, at an operation where one is named.
    pub(crate) fn new(script: Script, speed: f64, operation: Option<u64>) -> Self {
        let start = operation.and_then(|number| script.cues().get(script.cue_of(number))).map(|cue| cue.at);
        let emulator = (!script.terminal().is_empty()).then(Emulator::new);
        let mut player = Self {
            script,
            position: Duration::ZERO,
            speed,
            playing: true,
            prompt: None,
            search: None,
            scrolled: 0,
            help: false,
            note: None,
            emulator,
            deepest: Cell::new(0),
            painted: RefCell::default(),
        };
        player.stand(start.unwrap_or_default());
        player
    }

    /// Takes what happens.
    pub(crate) fn update(&mut self, message: Message) -> Wish {
        match message {
            Message::Passed(time) => self.pass(time),
            Message::Key(key) => return self.press(key),
            Message::Toggle if self.is_over() => {
                self.stand(Duration::ZERO);
                self.playing = true;
            }
            Message::Toggle => self.playing = !self.playing,
            Message::By(seconds) => self.go_by(seconds),
            Message::Share(share) => self.stand(self.script.end().mul_f64(f64::from(share.min(100)) / 100.0)),
            Message::Operation(direction) => self.go_to_operation(direction),
            Message::Mark(mark, direction) => self.go_to_mark(mark, direction),
            Message::Found(direction) => self.go_to_found(direction),
            Message::Faster => self.speed = (self.speed * 2.0).min(FASTEST),
            Message::Slower => self.speed = (self.speed / 2.0).max(SLOWEST),
            Message::Scroll(rows) => {
                self.scrolled = self.scrolled.saturating_add_signed(rows).min(self.deepest.get());
            }
            Message::Ask(kind) => self.prompt = Some(Prompt::new(kind)),
            Message::Help => self.help = !self.help,
            Message::Back => return self.back(),
            Message::Quit => return Wish::Quit,
            Message::Interrupt => return Wish::Interrupt,
            Message::Suspend => return Wish::Suspend,
            Message::Copy => return self.copy(),
        }
        Wish::Stay
    }

    /// Whether time changes what is seen.
    pub(crate) fn is_moving(&self) -> bool {
        self.playing && !self.is_over()
    }

    /// Whether there is nothing left to play.
    pub(crate) fn is_over(&self) -> bool {
        self.position >= self.script.end()
    }

    /// What has happened so far.
    pub(crate) fn seen(&self) -> &[Cue] {
        self.script.until(self.position)
    }

    /// The operation that it is about now, and its index.
    pub(crate) fn current(&self) -> Option<(usize, &Operation)> {
        let index = self.script.about(self.position)?;
        Some((index, self.script.operations().get(index)?))
    }

    /// The current statement as painted lines; painted once for each width.
    pub(crate) fn with_statement<T>(&self, width: u16, theme: Theme, read: impl FnOnce(&[Line<'static>]) -> T) -> T {
        let mut memory = self.painted.borrow_mut();
        let current = self.current();
        let of = current.map(|(index, _)| (index, width, theme));
        if memory.of != of {
            let lines = current.map(|(_, one)| Painted::sql(&one.text).lines(width, theme)).unwrap_or_default();
            *memory = Memory { of, lines };
        }
        read(&memory.lines)
    }

    fn press(&mut self, key: KeyEvent) -> Wish {
        self.note = None;
        if let Some(prompt) = &mut self.prompt {
            match prompt.press(key) {
                prompt::Typed::More => return Wish::Stay,
                prompt::Typed::Left => self.prompt = None,
                prompt::Typed::Done => self.answer(),
                prompt::Typed::Interrupt => return Wish::Interrupt,
            }
            return Wish::Stay;
        }
        if self.help {
            self.help = false;
            return if keys::interrupts(key) { Wish::Interrupt } else { Wish::Stay };
        }
        keys::meaning(key, self.search.is_some()).map_or(Wish::Stay, |message| self.update(message))
    }

    fn pass(&mut self, time: Duration) {
        if self.is_moving() {
            let ahead = time.mul_f64(self.speed);
            let end = self.script.end();
            self.stand(self.position.saturating_add(ahead).min(end));
        }
    }

    /// Stands there from now on. The only place that moves the position.
    fn stand(&mut self, at: Duration) {
        let before = self.script.about(self.position);
        self.position = at.min(self.script.end());
        if self.script.about(self.position) != before {
            self.scrolled = 0;
        }
        if let Some(emulator) = &mut self.emulator {
            emulator.seek(self.script.terminal(), self.position);
        }
    }

    fn go_by(&mut self, seconds: i64) {
        let by = Duration::from_secs(seconds.unsigned_abs());
        let to = if seconds < 0 { self.position.saturating_sub(by) } else { self.position.saturating_add(by) };
        self.stand(to);
    }

    fn go_to_operation(&mut self, direction: Direction) {
        let operations = self.script.operations();
        let found = match direction {
            Direction::Next => operations.get(operations.partition_point(|one| one.at <= self.position)),
            Direction::Previous => {
                let before = operations.partition_point(|one| one.at < self.position);
                before.checked_sub(1).and_then(|index| operations.get(index))
            }
        };
        match (found.map(|one| one.at), direction) {
            (Some(at), _) => self.stand(at),
            (None, Direction::Next) => self.stand(self.script.end()),
            (None, Direction::Previous) => self.stand(Duration::ZERO),
        }
    }

    fn go_to_mark(&mut self, mark: Mark, direction: Direction) {
        let times = self.script.marks().iter().filter(|(_, one)| *one == mark).map(|(at, _)| *at);
        let found = nearest(times, self.position, direction);
        let what = match mark {
            Mark::Refused => "refused",
            Mark::Held => "held",
            Mark::Masked => "masked",
        };
        self.go_or_say(found, direction, &format!("that was {what}"));
    }

    fn go_to_found(&mut self, direction: Direction) {
        let Some(search) = &self.search else { return };
        let found = nearest(search.found.iter().copied(), self.position, direction);
        let what = format!("place with \u{201c}{}\u{201d}", search.text);
        self.go_or_say(found, direction, &what);
    }

    fn go_or_say(&mut self, found: Option<Duration>, direction: Direction, what: &str) {
        match (found, direction) {
            (Some(at), _) => {
                self.stand(at);
                self.playing = false;
            }
            (None, Direction::Next) => self.note = Some(format!("nothing behind this {what}")),
            (None, Direction::Previous) => self.note = Some(format!("nothing before this {what}")),
        }
    }

    /// Does what the prompt asked for.
    fn answer(&mut self) {
        let Some(prompt) = self.prompt.take() else { return };
        match prompt.kind {
            PromptKind::Search if prompt.text.is_empty() => self.search = None,
            PromptKind::Search => self.find(&prompt.text),
            PromptKind::Jump => match prompt::place(&prompt.text) {
                Some(Place::At(at)) => self.stand(at),
                Some(Place::Share(share)) => self.stand(self.script.end().mul_f64(share)),
                Some(Place::Operation(number)) => {
                    let cue = self.script.cues().get(self.script.cue_of(number));
                    self.stand(cue.map_or(Duration::ZERO, |cue| cue.at));
                }
                None => self.note = Some("say 1:23, 90, 50% or #12".to_owned()),
            },
        }
    }

    /// Searches, and goes to the first place from here.
    pub(crate) fn find(&mut self, text: &str) {
        let found = self.script.find(text);
        if found.is_empty() {
            self.note = Some(format!("nothing says \u{201c}{}\u{201d}", printable_line(text)));
            return;
        }
        let here = found.contains(&self.position);
        self.search = Some(Search { text: printable_line(text), found });
        if !here {
            let ahead = self.search.iter().flat_map(|search| &search.found).any(|at| *at > self.position);
            self.go_to_found(if ahead { Direction::Next } else { Direction::Previous });
        }
    }

    fn back(&mut self) -> Wish {
        if self.search.take().is_some() { Wish::Stay } else { Wish::Quit }
    }

    fn copy(&mut self) -> Wish {
        let Some((_, operation)) = self.current() else { return Wish::Stay };
        let number = operation.number;
        if operation.text.len() > MAX_COPIED_BYTES {
            self.note = Some(format!("#{number} is too long for the clipboard of a terminal"));
            return Wish::Stay;
        }
        // What is pasted elsewhere has no escape sequences in it either.
        let text = printable(&operation.text);
        self.note = Some(format!("copied the text of #{number}"));
        Wish::Copy(text)
    }
}

fn nearest(times: impl Iterator<Item = Duration>, here: Duration, direction: Direction) -> Option<Duration> {
    match direction {
        Direction::Next => times.filter(|at| *at > here).min(),
        Direction::Previous => times.filter(|at| *at < here).max(),
    }
}

#[cfg(test)]
mod tests;
