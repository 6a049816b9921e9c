//! What commands print, masked. Two streams, each with its own end. Pure.
//!
//! Lines of a command go on when they are complete, words of a terminal when they are; where nothing is masked every
//! byte goes at once. What a transfer carries cannot be masked: it is searched, and stopped where a value is found.

mod scanned;
mod scanner;
mod shown;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

pub use self::scanned::{ScannedText, found};
use self::shown::{Holding, ShownText};
use crate::{mask::Detectors, model::Refusal, protocol::http::reframe::Tally};

/// One of the two outputs of a command.
#[derive(Debug)]
pub struct Output {
    reads: Reads,
}

#[derive(Debug)]
enum Reads {
    Nothing,
    Shown(Box<ShownText>),
    Carried(ScannedText),
}

impl Output {
    /// Masked by these detectors.
    pub fn new(detectors: &Arc<Detectors>) -> Self {
        Self::shown(detectors, Holding::Lines, 0)
    }

    /// The same, of a terminal with so many columns.
    pub fn terminal(detectors: &Arc<Detectors>, columns: usize) -> Self {
        Self::shown(detectors, Holding::Words, columns)
    }

    fn shown(detectors: &Arc<Detectors>, holding: Holding, columns: usize) -> Self {
        let shown = || Reads::Shown(Box::new(ShownText::new(detectors, holding, columns)));
        Self { reads: if detectors.is_empty() { Reads::Nothing } else { shown() } }
    }

    /// Content of files: stopped at the first value.
    pub fn carried(detectors: &Arc<Detectors>) -> Self {
        let scanned = || Reads::Carried(ScannedText::new(detectors));
        Self { reads: if detectors.is_empty() { Reads::Nothing } else { scanned() } }
    }

    /// Whether something is masked in it.
    pub fn masks(&self) -> bool {
        !matches!(self.reads, Reads::Nothing)
    }

    /// Whether something is kept back that may go after a while.
    pub fn is_waiting(&self) -> bool {
        matches!(&self.reads, Reads::Shown(text) if text.is_waiting())
    }

    /// The terminal has another width.
    pub fn resize(&mut self, columns: usize) {
        if let Reads::Shown(text) = &mut self.reads {
            text.resize(columns);
        }
    }

    /// Takes a piece, gives what may go.
    pub fn chunk(&mut self, bytes: Bytes) -> Result<Bytes, Refusal> {
        match &mut self.reads {
            Reads::Nothing => Ok(bytes),
            Reads::Shown(text) => {
                let mut out = BytesMut::with_capacity(bytes.len());
                text.chunk(&bytes, &mut out)?;
                Ok(out.freeze())
            }
            Reads::Carried(text) => match text.piece(&bytes) {
                None => Ok(bytes),
                Some(class) => Err(found(class)),
            },
        }
    }

    /// Nothing came for a while: whoever watches sees all of it now.
    pub fn flush(&mut self) -> Bytes {
        let mut out = BytesMut::new();
        if let Reads::Shown(text) = &mut self.reads {
            text.flush(&mut out);
        }
        out.freeze()
    }

    /// Nothing follows: the rest, and how much of which class was masked. Without a proper end, what may be half a value
    /// stays here.
    pub fn end(self, whole: bool) -> (Bytes, Tally) {
        let mut out = BytesMut::new();
        let tally = match self.reads {
            Reads::Shown(text) => text.end(whole, &mut out),
            Reads::Nothing | Reads::Carried(_) => Tally::new(),
        };
        (out.freeze(), tally)
    }
}

#[cfg(test)]
mod tests;
