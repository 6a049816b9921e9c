//! Text of any length in pieces: a value that is split over them is found whole, and no more than a window is kept.
//!
//! Lines go on when they are complete, since no value but a private key reaches over one.

use std::sync::Arc;

use bytes::BytesMut;

use super::{
    Tally, unmaskable,
    veiled::{self, Found},
};
use crate::{mask::Detectors, model::Refusal};

/// More than this without the end of a line is cut where no value can be.
const LINE_BYTES: usize = 64 * 1024;
/// No value that a detector finds is longer, but a private key.
const WINDOW_BYTES: usize = 8 * 1024;
/// More than this is never kept.
const MOST_BYTES: usize = 512 * 1024;

/// Masks text as it comes.
#[derive(Debug)]
pub struct TextMasker {
    detectors: Arc<Detectors>,
    kept: Vec<u8>,
    tally: Tally,
}

impl TextMasker {
    /// A masker at the start of a text.
    pub fn new(detectors: Arc<Detectors>) -> Self {
        Self { detectors, kept: Vec::new(), tally: Tally::new() }
    }

    /// Takes a piece; writes what is complete.
    pub fn chunk(&mut self, bytes: &[u8], out: &mut BytesMut) -> Result<(), Refusal> {
        // A piece of any size is taken in steps, so that what is kept stays bounded.
        for step in bytes.chunks(LINE_BYTES) {
            self.kept.extend_from_slice(step);
            let (cut, found) = self.cut();
            self.write(cut, &found, out);
            if self.kept.len() > MOST_BYTES {
                return Err(unmaskable("a value in it is too long"));
            }
        }
        Ok(())
    }

    /// The text has ended; `whole` says whether all of it came. What may be half a value is not written.
    pub fn end(mut self, whole: bool, out: &mut BytesMut) -> Tally {
        if whole {
            let found = veiled::find(&self.detectors, &self.kept);
            self.write(self.kept.len(), &found, out);
        }
        self.tally
    }

    /// Up to where everything is complete, with what was found before there.
    fn cut(&self) -> (usize, Vec<Found>) {
        let line = memchr::memrchr(b'\n', &self.kept).map_or(0, |place| place + 1);
        let mut cut = line;
        if self.kept.len() - line > LINE_BYTES {
            cut = self.between_words(self.kept.len().saturating_sub(WINDOW_BYTES)).max(line);
        }
        if let Some(open) = self.open_key().filter(|open| *open < cut) {
            cut = open;
        }
        if cut == 0 {
            return (0, Vec::new());
        }
        let found = veiled::find(&self.detectors, &self.kept);
        let over = found.iter().map(|one| &one.hit.range).find(|range| range.start < cut && range.end > cut);
        (over.map_or(cut, |range| range.start), found)
    }

    /// The last place before `place` where no word is cut, where there is one near; never inside of a character.
    fn between_words(&self, place: usize) -> usize {
        let head = self.kept.get(..place).unwrap_or_default();
        let near = head.iter().rposition(u8::is_ascii_whitespace).filter(|space| place - space < WINDOW_BYTES);
        if let Some(space) = near {
            return space + 1;
        }
        let inside = |place: usize| self.kept.get(place).is_some_and(|byte| byte & 0xC0 == 0x80);
        (place.saturating_sub(4)..=place).rev().find(|place| !inside(*place)).unwrap_or(place)
    }

    /// Where a private key begins that has not ended yet, or that the last bytes may begin.
    fn open_key(&self) -> Option<usize> {
        let begun = memchr::memmem::rfind(&self.kept, b"-----BEGIN")?;
        let rest = self.kept.get(begun..).unwrap_or_default();
        let ended = memchr::memmem::find(rest, b"-----END").and_then(|end| {
            let rest = rest.get(end + 8..)?;
            memchr::memmem::find(rest, b"-----")
        });
        ended.is_none().then_some(begun)
    }

    fn write(&mut self, cut: usize, found: &[Found], out: &mut BytesMut) {
        let mut copied = 0;
        for one in found.iter().filter(|one| one.hit.range.end <= cut) {
            out.extend_from_slice(self.kept.get(copied..one.hit.range.start).unwrap_or_default());
            one.put(&self.detectors, &self.kept, out);
            *self.tally.entry(one.class().as_str().to_owned()).or_default() += 1;
            copied = one.hit.range.end;
        }
        out.extend_from_slice(self.kept.get(copied..cut).unwrap_or_default());
        self.kept.drain(..cut.min(self.kept.len()));
    }
}
