//! The lines of an interactive shell: read from its screen at Enter, decided, held, recorded, entered or cleared.
//!
//! **Advisory**, and said to be so wherever it shows: the permit of the shell is what counts (law 1). Owns no reading of
//! the screen (`protocol::ssh::inspect::line`) and no decision.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use russh::ChannelMsg;
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};

use super::{
    channel::Outgoing,
    conversation::Conversation,
    hold::{Passed, Turned},
    incoming::{Incoming, Meanwhile},
};
use crate::{
    model::OperationNumber,
    protocol::ssh::{
        inspect::{
            self,
            line::{LineReader, Reading},
        },
        message::{SshRequest, TerminalSize},
        refuse,
    },
    record::{Event, SealedText, Status},
    upstream::{SshChannel, SshError},
};

/// When nothing came for so long, the machine has shown what it shows.
const SILENCE: Duration = Duration::from_millis(60);
/// Letters that were typed are waited for, since shells show them.
const ECHO: Duration = Duration::from_millis(700);
/// A machine that goes on writing is not waited for any longer.
const MOST_WAIT: Duration = Duration::from_secs(2);
/// To the end of the line, then nothing of it: readline and a plain terminal both know these.
const CLEAR: &[u8] = b"\x05\x15";
const INTERRUPT: u8 = 0x03;
const ADVICE: &str = "lines of a shell are checked by what its screen shows, which is advisory; a command by itself \
                      (`ssh HOST COMMAND`) is checked exactly";

/// A terminal while something runs in it.
pub(super) struct Watched {
    columns: AtomicUsize,
    reader: Option<Mutex<LineReader>>,
    heard: watch::Sender<u64>,
}

impl Watched {
    pub(super) fn new(size: TerminalSize, reads_lines: bool) -> Self {
        let reader = reads_lines.then(|| Mutex::new(LineReader::new(size.columns, size.rows)));
        let watched = Self { columns: AtomicUsize::new(0), reader, heard: watch::Sender::new(0) };
        watched.resized(size);
        watched
    }

    pub(super) fn columns(&self) -> usize {
        self.columns.load(Ordering::Relaxed)
    }

    /// The machine wrote this.
    pub(super) fn wrote(&self, bytes: &[u8]) {
        if self.with(|reader| reader.output(bytes)).is_some() {
            self.heard.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    pub(super) fn resized(&self, size: TerminalSize) {
        self.columns.store(usize::try_from(size.columns).unwrap_or(0), Ordering::Relaxed);
        self.with(|reader| reader.resize(size.columns, size.rows));
    }

    fn with<T>(&self, does: impl FnOnce(&mut LineReader) -> T) -> Option<T> {
        let reader = self.reader.as_ref()?;
        Some(does(&mut reader.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Waits until the machine was silent for a while.
    async fn quiet(&self) {
        let mut heard = self.heard.subscribe();
        let silence = async { while let Ok(Ok(())) = timeout(SILENCE, heard.changed()).await {} };
        drop(timeout(MOST_WAIT, silence).await);
    }

    /// What stands on the screen, once it shows what was typed.
    async fn reading(&self) -> Reading {
        let mut heard = self.heard.subscribe();
        let shown = async {
            loop {
                if self.with(LineReader::shows_all).unwrap_or(true) {
                    return;
                }
                let lacks = self.with(LineReader::lacks_letters).unwrap_or_default();
                if !matches!(timeout(if lacks { ECHO } else { SILENCE }, heard.changed()).await, Ok(Ok(()))) {
                    return;
                }
            }
        };
        drop(timeout(MOST_WAIT, shown).await);
        self.with(LineReader::read).unwrap_or(Reading::Foreign)
    }
}

/// Whether the client is still there.
pub(super) enum After {
    Goes,
    Left,
}

/// What became of a line.
enum Decided {
    Entered,
    Cleared,
    Left,
}

/// Who types, and where it goes.
pub(super) struct Typing<'running> {
    pub(super) conversation: &'running Arc<Conversation>,
    pub(super) machine: &'running SshChannel,
    pub(super) outgoing: &'running Outgoing,
    pub(super) watched: Option<&'running Watched>,
    pub(super) number: OperationNumber,
}

impl Typing<'_> {
    /// Takes what the client typed. Not cancel safe: a line may be between its decision and its Enter.
    pub(super) async fn take(&self, mut data: Bytes, incoming: &mut Incoming) -> Result<After, SshError> {
        let Some(watched) = self.watched else { return self.machine.input(data).await.map(|()| After::Goes) };
        loop {
            let (before, enter) = watched.with(|reader| reader.typed(&data)).unwrap_or((data.len(), None));
            if enter.is_none() {
                return self.machine.input(data).await.map(|()| After::Goes);
            }
            let typed = data.split_to(before.min(data.len()));
            let enter = data.split_to(1.min(data.len()));
            if !typed.is_empty() {
                self.machine.input(typed).await?;
            }
            let texts = match watched.reading().await {
                Reading::Lines(texts) => texts,
                Reading::Hidden => vec![String::new()],
                Reading::Foreign | Reading::Empty => Vec::new(),
            };
            let asked = !texts.is_empty();
            let decided = if asked {
                self.decide(watched, texts, enter, incoming).await?
            } else {
                self.machine.input(enter).await?;
                Decided::Entered
            };
            watched.with(LineReader::entered);
            match decided {
                Decided::Left => return Ok(After::Left),
                // What was meant to follow a line must not run without it.
                Decided::Cleared => return Ok(After::Goes),
                Decided::Entered if data.is_empty() => return Ok(After::Goes),
                // The next line of what was pasted belongs behind the next prompt.
                Decided::Entered if asked => watched.quiet().await,
                Decided::Entered => {}
            }
        }
    }

    /// Each text that the line may be has to be permitted; the last one is entered.
    async fn decide(
        &self,
        watched: &Watched,
        texts: Vec<String>,
        enter: Bytes,
        incoming: &mut Incoming,
    ) -> Result<Decided, SshError> {
        let last = texts.len().saturating_sub(1);
        for (index, text) in texts.into_iter().enumerate() {
            let enter = if index == last { enter.clone() } else { Bytes::new() };
            let request = SshRequest::Line { line: Bytes::from(text), enter };
            match self.pass(request, incoming).await {
                Some(Meanwhile::Done(Ok(passed))) => self.enter(passed).await?,
                Some(Meanwhile::Done(Err(Turned { refusal, approval }))) => {
                    let id = &self.conversation.id;
                    let text = refuse::lines(&refusal, approval.as_ref(), id) + &refuse::notice(ADVICE);
                    return self.clear(watched, &text).await;
                }
                Some(Meanwhile::TooMuch) => {
                    return self.clear(watched, &refuse::notice("too much was typed behind a line that waits")).await;
                }
                None => return self.clear(watched, &refuse::notice("withdrawn; the line is not run")).await,
                Some(Meanwhile::Left) => return Ok(Decided::Left),
            }
        }
        Ok(Decided::Entered)
    }

    /// Decides, and tells what is waited for; `None` where the client withdrew.
    async fn pass(&self, request: SshRequest, incoming: &mut Incoming) -> Option<Meanwhile<Result<Passed, Turned>>> {
        let inspected = inspect::channel(request, Arc::clone(&self.conversation.circumstance));
        let (notices, mut told) = mpsc::unbounded_channel();
        let telling = async {
            let mut passing = std::pin::pin!(self.conversation.pass(inspected, &notices));
            loop {
                tokio::select! {
                    biased;
                    Some(text) = told.recv() => {
                        let waits = if text.starts_with("approved") { "" } else { "; Ctrl-C withdraws" };
                        self.tell(&refuse::notice(&format!("{text}{waits}"))).await;
                    }
                    passed = &mut passing => return passed,
                }
            }
        };
        let interrupts =
            |message: &ChannelMsg| matches!(message, ChannelMsg::Data { data } if data.contains(&INTERRUPT));
        Box::pin(incoming.during_unless(telling, interrupts)).await
    }

    /// A line that is permitted and on record.
    async fn enter(&self, passed: Passed) -> Result<(), SshError> {
        let Passed { recorded, mut open, .. } = passed;
        let text = SealedText::plain("");
        let facts = BTreeMap::from([("check", "advisory: read from the screen of a shell".to_owned())]);
        let note = Event::Noted { number: open.number, kind: "line", text: &text, facts: &facts };
        if self.conversation.append(&note).is_err() {
            tracing::warn!(session = %self.conversation.id, "what a line is could not be noted");
        }
        open.sent();
        self.machine.line(recorded).await?;
        open.end(Status::Completed { tag: "entered" });
        Ok(())
    }

    /// Takes the line away, and says why on the screen.
    async fn clear(&self, watched: &Watched, text: &str) -> Result<Decided, SshError> {
        let prompt = watched.with(|reader| reader.prompt().to_owned()).unwrap_or_default();
        let mut heard = watched.heard.subscribe();
        self.machine.input(Bytes::from_static(CLEAR)).await?;
        let cleared = async {
            while !watched.with(LineReader::is_clear).unwrap_or(true) {
                if heard.changed().await.is_err() {
                    return;
                }
            }
        };
        let cleared = timeout(ECHO, cleared).await.is_ok();
        self.tell(text).await;
        if cleared {
            let shown = self.conversation.environment.detectors.mask_text(&prompt).unwrap_or(prompt);
            self.write(&shown).await;
        } else {
            // It still stands there: the shell throws it away and asks anew.
            self.machine.input(Bytes::from_static(&[INTERRUPT])).await?;
        }
        Ok(Decided::Cleared)
    }

    async fn tell(&self, text: &str) {
        self.write(&format!("\r\n{text}")).await;
    }

    /// Writes to the client's screen, which is on record as it is seen.
    async fn write(&self, text: &str) {
        if self.conversation.append(&Event::TerminalOutput { number: self.number, data: text }).is_err() {
            tracing::warn!(session = %self.conversation.id, "what was told on a terminal could not be recorded");
        }
        if self.outgoing.write.data_bytes(Bytes::from(text.to_owned())).await.is_err() {
            tracing::debug!("a client left before it was told");
        }
    }
}
