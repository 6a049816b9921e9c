//! Reads the log from where it was read last, to gather what sessions said. Proves nothing: whoever shows a recording
//! reads it through `read`. Called by `api`, off the data path.

use std::path::Path;

use super::{
    RecordError,
    frame::{self, Found, OVERHEAD_BYTES},
    reader::{SegmentReader, segments},
};

/// Where in the log reading goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogPlace {
    /// Which segment.
    pub segment: u64,
    /// Behind which of its bytes.
    pub offset: u64,
}

/// What one record says: the text of an operation, and its parameters, as they are shown to everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saying {
    /// In which session.
    pub session: String,
    /// What.
    pub text: String,
}

/// Kinds of records that hold a text of the client's.
const KINDS: [&[u8]; 4] = [b"operation", b"prepared", b"held", b"refused"];

/// Reads on, at most about `most_bytes`, and gives what was said and where the next reading begins.
pub fn follow(directory: &Path, from: LogPlace, most_bytes: u64) -> Result<(Vec<Saying>, LogPlace), RecordError> {
    let mut said = Vec::new();
    let mut place = from;
    let mut left = most_bytes;
    for number in segments(directory)?.into_iter().filter(|number| *number >= from.segment) {
        let start = if number == from.segment { from.offset } else { 0 };
        let mut reader = SegmentReader::open_at(directory, number, start)?;
        place = LogPlace { segment: number, offset: start };
        while left > 0 && step(&mut reader, &mut said)? {
            let read = reader.offset().saturating_sub(place.offset);
            left = left.saturating_sub(read);
            place.offset = reader.offset();
        }
        if left == 0 {
            break;
        }
    }
    Ok((said, place))
}

/// Passes over one frame; false where no whole one is left.
fn step(reader: &mut SegmentReader, said: &mut Vec<Saying>) -> Result<bool, RecordError> {
    loop {
        match frame::find(reader.front()) {
            Found::Frame { body, hash } => {
                let length = body.len() + OVERHEAD_BYTES;
                if says_something(body) {
                    let record = frame::parse(body, hash).map_err(|what| reader.tampered(what))?;
                    let mut text = record.value("text").unwrap_or_default().to_owned();
                    for one in parameters(record.value("parameters")) {
                        text.push(' ');
                        text.push_str(&one);
                    }
                    said.push(Saying { session: record.session, text });
                }
                reader.consume(length);
                return Ok(true);
            }
            Found::Partial => {
                if !reader.fill()? {
                    return Ok(false);
                }
            }
            Found::Broken(what) => return Err(reader.tampered(what)),
        }
    }
}

fn parameters(spelt: Option<&str>) -> impl Iterator<Item = String> {
    let parameters: Vec<Option<String>> = spelt.and_then(|spelt| serde_json::from_str(spelt).ok()).unwrap_or_default();
    parameters.into_iter().flatten()
}

/// Whether a body is of such a kind, by how it begins: results need not be read to be passed over.
fn says_something(body: &[u8]) -> bool {
    const KIND: &[u8] = b",\"kind\":\"";
    /// The header before the kind is never longer.
    const HEADER_BYTES: usize = 256;
    let header = body.get(..body.len().min(HEADER_BYTES)).unwrap_or_default();
    let kind = memchr::memmem::find(header, KIND).and_then(|at| body.get(at + KIND.len()..)).unwrap_or_default();
    KINDS.iter().any(|one| kind.strip_prefix(*one).is_some_and(|rest| rest.starts_with(b"\"")))
}
