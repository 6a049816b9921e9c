//! What a machine wrote, on its way to the client: what the detectors find is masked, whatever the pieces are.
//!
//! Pure. Lines go on when they are complete, where something is masked; else every byte goes at once.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::{
    mask::Detectors,
    model::Refusal,
    protocol::http::reframe::{Tally, TextMasker},
};

/// One of the two outputs of a command.
#[derive(Debug)]
pub struct Output {
    masker: Option<TextMasker>,
}

impl Output {
    /// Masked by these detectors.
    pub fn new(detectors: &Arc<Detectors>) -> Self {
        let masker = (!detectors.is_empty()).then(|| TextMasker::new(Arc::clone(detectors)));
        Self { masker }
    }

    /// Whether something is masked in it.
    pub fn masks(&self) -> bool {
        self.masker.is_some()
    }

    /// Takes a piece, gives what may go.
    pub fn chunk(&mut self, bytes: Bytes) -> Result<Bytes, Refusal> {
        let Some(masker) = &mut self.masker else { return Ok(bytes) };
        let mut out = BytesMut::new();
        masker.chunk(&bytes, &mut out)?;
        Ok(out.freeze())
    }

    /// Nothing follows: the rest, and how much of which class was masked. Without a proper end, what may be half a value
    /// stays here.
    pub fn end(self, whole: bool) -> (Bytes, Tally) {
        let Some(masker) = self.masker else { return (Bytes::new(), Tally::new()) };
        let mut out = BytesMut::new();
        let tally = masker.end(whole, &mut out);
        (out.freeze(), tally)
    }
}
