//! COPY output in text and csv: what the detectors find is masked in place, with bytes that need no quoting.
//!
//! A server sends one row per CopyData. Only dialects in which a value cannot be cut up are read; binary is not.

use bytes::{Bytes, BytesMut};

use super::{
    MaskTally, Outcome, ReframeError, begin_message, cell::put_in_place, each_message, patch_length, put_message,
};
use crate::{mask::Detectors, protocol::postgres::message::backend::tag};

/// How the rows of one COPY are written, as far as masking must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyDialect {
    /// The text format, with backslash escapes.
    Text,
    /// csv, quoted and escaped with `"`.
    Csv,
}

impl CopyDialect {
    /// The text format. Refuses delimiters that could be part of a value, such as `@`, `-` or a space.
    pub fn text(delimiter: u8) -> Result<Self, ReframeError> {
        check_delimiter(delimiter).map(|()| Self::Text)
    }

    /// csv. Refuses delimiters, quotes and escapes that could be part of a value: a quote inside one is doubled.
    pub fn csv(delimiter: u8, quote: u8, escape: u8) -> Result<Self, ReframeError> {
        check_delimiter(delimiter)?;
        if quote != b'"' {
            return Err(ReframeError::Dialect("quote"));
        }
        if !matches!(escape, b'"' | b'\\') {
            return Err(ReframeError::Dialect("escape"));
        }
        Ok(Self::Csv)
    }

    const fn has_escapes(self) -> bool {
        matches!(self, Self::Text)
    }
}

fn check_delimiter(delimiter: u8) -> Result<(), ReframeError> {
    match delimiter {
        b'\t' | b',' | b';' | b'|' => Ok(()),
        _ => Err(ReframeError::Dialect("delimiter")),
    }
}

/// Appends one CopyData, as a whole message, with what the detectors find masked. `body` is one row without header.
pub fn copy_line(dialect: CopyDialect, detectors: &Detectors, body: &[u8], out: &mut BytesMut, tally: &mut MaskTally) {
    if rewrite_line(dialect, detectors, &[], body, out, tally) == Outcome::Unchanged {
        put_message(tag::COPY_DATA, body, out);
    }
}

/// Masks a run of whole CopyData messages, like [`super::rows`].
pub fn copy_run(
    dialect: CopyDialect,
    detectors: &Detectors,
    run: &Bytes,
    out: &mut BytesMut,
    tally: &mut MaskTally,
) -> Result<Outcome, ReframeError> {
    if !detectors.may_hit(run) {
        return Ok(Outcome::Unchanged);
    }
    each_message(run, out, |stretch, body, out| Ok(rewrite_line(dialect, detectors, stretch, body, out, tally)))
}

fn rewrite_line(
    dialect: CopyDialect,
    detectors: &Detectors,
    stretch: &[u8],
    body: &[u8],
    out: &mut BytesMut,
    tally: &mut MaskTally,
) -> Outcome {
    if dialect.has_escapes() {
        // SPEC: a tab in a value of the text format is written `\t`, so a bare one stands between fields.
        detectors.find_parted(body, b'\t', &mut tally.hits);
    } else {
        detectors.find(body, &mut tally.hits);
    }
    if tally.hits.is_empty() {
        return Outcome::Unchanged;
    }
    tally.add_hits(0);
    let start = begin_message(tag::COPY_DATA, stretch, out);
    put_in_place(detectors, body, &tally.hits, dialect.has_escapes(), out);
    patch_length(out, start);
    Outcome::Rewritten
}
