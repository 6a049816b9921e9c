//! What a command wrote, for the record: masked for everybody, and no more than is kept.

use std::sync::Arc;

use bytes::Bytes;

use super::conversation::Conversation;
use crate::{
    mask::Detectors,
    model::{OperationNumber, Refusal},
    protocol::ssh::{message::TerminalSize, reframe::Output},
    record::Event,
};

/// The most of a terminal that is recorded.
const MOST_TERMINAL_BYTES: usize = 256 << 20;
/// One event holds no more.
const EVENT_BYTES: usize = 256 * 1024;

/// The record's own copy of what was written.
pub(super) enum Keeper {
    /// Standard output and standard error, as one result at the end.
    Lines { streams: [Stream; 2], cap: usize },
    /// A terminal, as it was written.
    Terminal { output: Option<Output>, rest: Vec<u8>, kept: usize },
}

/// One output of a command.
pub(super) struct Stream {
    output: Option<Output>,
    text: Vec<u8>,
    truncated: bool,
}

impl Stream {
    fn new(detectors: &Arc<Detectors>) -> Self {
        Self { output: Some(Output::new(detectors)), text: Vec::new(), truncated: false }
    }

    fn push(&mut self, bytes: Bytes, cap: usize) {
        let Some(output) = &mut self.output else { return };
        match output.chunk(bytes) {
            Ok(bytes) if self.text.len() + bytes.len() <= cap => self.text.extend_from_slice(&bytes),
            // FAIL-CLOSED: what cannot be masked is not kept.
            Ok(_) | Err(_) => self.cut(),
        }
    }

    fn cut(&mut self) {
        self.output = None;
        self.truncated = true;
    }
}

impl Keeper {
    /// For a terminal where there is one.
    pub(super) fn new(conversation: &Conversation, number: OperationNumber, size: Option<TerminalSize>) -> Self {
        let detectors = Arc::new(conversation.environment.detectors.clone());
        match size {
            Some(size) => {
                resized(conversation, number, size);
                let output = Output::terminal(&detectors, usize::try_from(size.columns).unwrap_or(0));
                Self::Terminal { output: Some(output), rest: Vec::new(), kept: 0 }
            }
            None => Self::Lines {
                streams: [Stream::new(&detectors), Stream::new(&detectors)],
                cap: conversation.environment.result_cap_bytes / 2,
            },
        }
    }

    /// Takes what was written.
    pub(super) fn push(
        &mut self,
        conversation: &Conversation,
        number: OperationNumber,
        is_error: bool,
        bytes: Bytes,
    ) -> Result<(), Refusal> {
        match self {
            Self::Lines { streams: [stdout, stderr], cap } => {
                if is_error { stderr } else { stdout }.push(bytes, *cap);
                Ok(())
            }
            Self::Terminal { output: Some(output), rest, kept } if *kept <= MOST_TERMINAL_BYTES => {
                rest.extend_from_slice(&output.chunk(bytes)?);
                *kept += rest.len();
                write_terminal(conversation, number, rest, false)
            }
            Self::Terminal { .. } => Ok(()),
        }
    }

    /// The terminal has another width.
    pub(super) fn resize(&mut self, columns: usize) {
        if let Self::Terminal { output: Some(output), .. } = self {
            output.resize(columns);
        }
    }

    /// Nothing follows. `whole` says whether all of it came.
    pub(super) fn end(self, conversation: &Conversation, number: OperationNumber, whole: bool) {
        let ended = match self {
            Self::Lines { streams, .. } => {
                let Some((text, truncated)) = lines(streams, whole) else { return };
                conversation.append(&Event::Result { number, part: 0, text: &text, truncated }).map(|_position| ())
            }
            Self::Terminal { output, mut rest, .. } => {
                let last = output.map(|output| output.end(whole).0).unwrap_or_default();
                rest.extend_from_slice(&last);
                write_terminal(conversation, number, &mut rest, true)
            }
        };
        if ended.is_err() {
            tracing::warn!(session = %conversation.id, "what a command wrote could not be recorded");
        }
    }
}

/// A terminal became so large.
pub(super) fn resized(conversation: &Conversation, number: OperationNumber, size: TerminalSize) {
    let event = Event::TerminalResized { number, columns: size.columns, rows: size.rows };
    if conversation.append(&event).is_err() {
        tracing::warn!(session = %conversation.id, "the size of a terminal could not be recorded");
    }
}

/// Writes whole characters; one whose bytes come in two pieces is in the second.
fn write_terminal(
    conversation: &Conversation,
    number: OperationNumber,
    rest: &mut Vec<u8>,
    last: bool,
) -> Result<(), Refusal> {
    let whole = match std::str::from_utf8(rest) {
        Err(error) if !last && error.error_len().is_none() => error.valid_up_to(),
        Ok(_) | Err(_) => rest.len(),
    };
    let ready: Vec<u8> = rest.drain(..whole).collect();
    for piece in ready.chunks(EVENT_BYTES) {
        let data = String::from_utf8_lossy(piece);
        conversation.append(&Event::TerminalOutput { number, data: &data })?;
    }
    Ok(())
}

/// Both outputs as a result of two columns.
fn lines(streams: [Stream; 2], whole: bool) -> Option<(String, bool)> {
    let mut text = String::from("{\"columns\":[\"stream\",\"line\"]}\n");
    let (mut truncated, mut empty) = (false, true);
    for (mut stream, name) in streams.into_iter().zip(["stdout", "stderr"]) {
        truncated |= stream.truncated;
        if let Some(output) = stream.output.take() {
            stream.text.extend_from_slice(&output.end(whole).0);
        }
        for line in String::from_utf8_lossy(&stream.text).lines() {
            empty = false;
            text.push_str(&serde_json::json!([name, line]).to_string());
            text.push('\n');
        }
    }
    (!empty || truncated).then_some((text, truncated))
}
