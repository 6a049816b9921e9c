//! One text of an answer that streams: the content of a choice, the arguments of a call.
//!
//! Texts go on as they come, but for the few words in which a value might begin. Arguments are of no use before they are
//! whole, so they are put together, masked as the JSON that they are, and go on in one piece.

use super::{
    super::super::json::{Json, Tally, mask_arguments},
    AnswerError,
};
use crate::mask::{Detectors, StreamedText};

/// The longest arguments of a call.
const MOST_ARGUMENTS_BYTES: usize = 4 << 20;
/// How much of a text is remembered for the record and for provenance.
const MOST_REMEMBERED_BYTES: usize = 256 * 1024;

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChannelKind {
    /// What the model says.
    Text,
    /// Arguments of a call, as JSON.
    Arguments,
}

/// One text of an answer.
#[derive(Debug)]
pub(super) struct Channel {
    kind: ChannelKind,
    stream: StreamedText,
    /// Arguments so far; of a text, what went on.
    whole: String,
    /// The event that brought its last piece, with an empty piece: what is kept goes on in one like it.
    pub(super) like: Json,
    /// The tool that is called, where it was named.
    pub(super) name: String,
    done: bool,
}

impl Channel {
    pub(super) fn new(kind: ChannelKind) -> Self {
        let (stream, whole, name) = (StreamedText::default(), String::new(), String::new());
        Self { kind, stream, whole, like: Json::Null, name, done: false }
    }

    /// Takes a piece; gives what may go on now.
    pub(super) fn push(&mut self, piece: &str, with: &Detectors, tally: &mut Tally) -> Result<String, AnswerError> {
        self.done = false;
        if self.kind == ChannelKind::Arguments {
            if self.whole.len() + piece.len() > MOST_ARGUMENTS_BYTES {
                return Err(AnswerError::TooMuch);
            }
            self.whole.push_str(piece);
            return Ok(String::new());
        }
        let mut out = Vec::new();
        self.stream.push(with, piece.as_bytes(), &mut out, &mut |class| tally.count(class))?;
        Ok(self.gone(out))
    }

    /// What is left when nothing follows; `None` where nothing is.
    pub(super) fn finish(&mut self, with: &Detectors, tally: &mut Tally) -> Option<String> {
        if self.done {
            return None;
        }
        self.done = true;
        if self.kind == ChannelKind::Arguments {
            mask_arguments(&mut self.whole, with, tally);
            return (!self.whole.is_empty()).then(|| self.whole.clone());
        }
        let mut out = Vec::new();
        self.stream.finish(with, &mut out, &mut |class| tally.count(class));
        let rest = self.gone(out);
        (!rest.is_empty()).then_some(rest)
    }

    /// What went on of it.
    pub(super) fn said(&self) -> (ChannelKind, &str) {
        (self.kind, &self.whole)
    }

    fn gone(&mut self, out: Vec<u8>) -> String {
        // INVARIANT: pieces are text, and are cut nowhere inside of a letter.
        let text =
            String::from_utf8(out).unwrap_or_else(|broken| String::from_utf8_lossy(broken.as_bytes()).into_owned());
        if self.whole.len() + text.len() <= MOST_REMEMBERED_BYTES {
            self.whole.push_str(&text);
        }
        text
    }
}
