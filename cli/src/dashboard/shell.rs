//! The loop around the pure core: keys, time, signals and news in; frames and effects out.
//!
//! Draws only when something on the screen changed, and then once for everything that came in meanwhile.

use std::time::Duration;

use crossterm::event::{Event, EventStream};
use futures_util::StreamExt as _;
use nix::sys::signal::Signal;
use ratatui::{Terminal, backend::Backend};
use tokio::{
    signal::unix::{Signal as Signals, SignalKind, signal},
    sync::mpsc,
};

use super::{
    draw::{Shown, draw},
    effect::Effect,
    hands::Hands,
    message::{Answer, Message},
    now_millis,
    state::{State, Tone},
    terminal::{self, Guard, broken},
    update::{next_change, update},
};
use crate::{
    context::Context,
    failure::{ExitStatus, Failure},
};

/// News that wait while a frame is drawn.
const INBOX: usize = 1_024;
/// So many of them are taken before the next frame.
const BATCH: usize = 4_096;
/// Even when nothing is due, the time is looked at so often.
const LONGEST_NAP: Duration = Duration::from_mins(10);

/// Something to draw on, and how often that was done.
#[derive(Debug)]
pub(super) struct Screen<B: Backend> {
    terminal: Terminal<B>,
    frames: u64,
}

impl<B: Backend> Screen<B> {
    pub(super) const fn new(terminal: Terminal<B>) -> Self {
        Self { terminal, frames: 0 }
    }

    /// Draws the state; says what could be read.
    pub(super) fn paint(&mut self, state: &State) -> Result<Shown, B::Error> {
        let mut shown = Shown::default();
        self.terminal.draw(|frame| shown = draw(state, frame.buffer_mut()))?;
        self.frames += 1;
        Ok(shown)
    }

    /// Frames so far.
    #[cfg(test)]
    pub(super) const fn frames(&self) -> u64 {
        self.frames
    }

    /// Whatever is on the terminal is drawn over.
    fn forget(&mut self) -> Result<(), B::Error> {
        self.terminal.clear()
    }
}

/// How the loop ends.
enum End {
    Quit,
    Interrupted,
}

/// Runs until the person leaves. The terminal is given back however that happens.
pub(super) async fn run(state: State, mouse: bool, context: &Context) -> Result<ExitStatus, Failure> {
    let signals = Interrupts::new().map_err(|error| broken(&error))?;
    let (sender, inbox) = mpsc::channel(INBOX);
    let hands = Hands::new(context, sender);
    let guard = Guard::enter(mouse).map_err(|error| broken(&error))?;
    let canvas = terminal::canvas().map_err(|error| broken(&error))?;
    let keys = EventStream::new();
    let mut shell = Shell { state, screen: Screen::new(canvas), hands, guard, inbox, keys, signals, dirty: true };
    let end = shell.live().await;
    drop(shell);
    match end? {
        End::Quit => Ok(ExitStatus::SUCCESS),
        End::Interrupted => Err(Failure::interrupted()),
    }
}

struct Shell<B: Backend> {
    state: State,
    screen: Screen<B>,
    hands: Hands,
    guard: Guard,
    inbox: mpsc::Receiver<Message>,
    keys: EventStream,
    signals: Interrupts,
    dirty: bool,
}

impl<B: Backend<Error = std::io::Error>> Shell<B> {
    async fn live(&mut self) -> Result<End, Failure> {
        loop {
            if std::mem::take(&mut self.dirty) {
                let shown = self.screen.paint(&self.state).map_err(|error| broken(&error))?;
                self.apply(Message::Shown(shown))?;
            }
            if let Some(end) = self.wait().await? {
                return Ok(end);
            }
        }
    }

    /// Waits for the next thing to happen and lets it happen.
    async fn wait(&mut self) -> Result<Option<End>, Failure> {
        let nap = u64::try_from(next_change(&self.state).saturating_sub(now_millis())).unwrap_or(0);
        let nap = Duration::from_millis(nap).min(LONGEST_NAP);
        let message = tokio::select! {
            event = self.keys.next() => match event {
                Some(event) => translated(event.map_err(|error| broken(&error))?),
                None => return Ok(Some(End::Quit)),
            },
            message = self.inbox.recv() => message,
            signal = self.signals.next() => return self.signalled(signal),
            fault = self.hands.fault() => return Err(fault),
            () = tokio::time::sleep(nap) => None,
        };
        // What happens, happens at a time.
        if let Some(end) = self.apply(Message::Time(now_millis()))? {
            return Ok(Some(end));
        }
        let Some(message) = message else { return Ok(None) };
        if let Some(end) = self.apply(message)? {
            return Ok(Some(end));
        }
        for _ in 0..BATCH {
            let Ok(message) = self.inbox.try_recv() else { break };
            if let Some(end) = self.apply(message)? {
                return Ok(Some(end));
            }
        }
        Ok(None)
    }

    fn apply(&mut self, message: Message) -> Result<Option<End>, Failure> {
        let outcome = update(&mut self.state, message);
        self.dirty |= outcome.redraw;
        for effect in outcome.effects {
            if let Some(end) = self.act(effect)? {
                return Ok(Some(end));
            }
        }
        Ok(None)
    }

    /// What only the terminal can do is done here; the rest is for the hands.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the hands list every effect")]
    fn act(&mut self, effect: Effect) -> Result<Option<End>, Failure> {
        match effect {
            Effect::Quit => return Ok(Some(End::Quit)),
            Effect::Interrupt => return Ok(Some(End::Interrupted)),
            Effect::Suspend => self.suspend()?,
            Effect::Ring(text) => terminal::ring(&text).map_err(|error| broken(&error))?,
            Effect::Copy(text) => {
                let copied = terminal::copy(&text).map_err(|error| error.to_string());
                return self.apply(Message::Answer(Answer::Copied(copied)));
            }
            other => self.hands.take(other),
        }
        Ok(None)
    }

    fn suspend(&mut self) -> Result<(), Failure> {
        if self.guard.suspend().map_err(|error| broken(&error))? {
            return self.resume();
        }
        self.state.say(Tone::Bad, "there is no shell to go back to from here");
        self.dirty = true;
        Ok(())
    }

    /// Somebody else may have drawn on the terminal, or changed its size.
    fn resume(&mut self) -> Result<(), Failure> {
        self.guard.enter_again().and_then(|()| self.screen.forget()).map_err(|error| broken(&error))?;
        if let Ok((columns, rows)) = crossterm::terminal::size() {
            self.state.size = (columns, rows);
            self.state.lay_out();
        }
        self.dirty = true;
        Ok(())
    }

    fn signalled(&mut self, signal: Interrupt) -> Result<Option<End>, Failure> {
        match signal {
            Interrupt::End => Ok(Some(End::Interrupted)),
            Interrupt::Suspend => self.suspend().map(|()| None),
            Interrupt::Resume => self.resume().map(|()| None),
        }
    }
}

fn translated(event: Event) -> Option<Message> {
    match event {
        Event::Key(key) => Some(Message::Key(key)),
        Event::Paste(text) => Some(Message::Paste(text)),
        Event::Mouse(mouse) => Some(Message::Mouse(mouse)),
        Event::Resize(columns, rows) => Some(Message::Resized(columns, rows)),
        Event::FocusGained | Event::FocusLost => None,
    }
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy)]
enum Interrupt {
    End,
    Suspend,
    Resume,
}

/// The signals that are listened for.
struct Interrupts {
    terminate: Signals,
    hang_up: Signals,
    interrupt: Signals,
    stop: Signals,
    resume: Signals,
}

impl Interrupts {
    fn new() -> std::io::Result<Self> {
        let other = |number: Signal| signal(SignalKind::from_raw(number as i32));
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            stop: other(Signal::SIGTSTP)?,
            resume: other(Signal::SIGCONT)?,
        })
    }

    /// Cancel-safe: a signal that nobody took is told the next time.
    async fn next(&mut self) -> Interrupt {
        tokio::select! {
            _ = self.terminate.recv() => Interrupt::End,
            _ = self.hang_up.recv() => Interrupt::End,
            _ = self.interrupt.recv() => Interrupt::End,
            _ = self.stop.recv() => Interrupt::Suspend,
            _ = self.resume.recv() => Interrupt::Resume,
        }
    }
}
