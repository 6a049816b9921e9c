//! Reads recordings back: one session's records in order, from the log files alone, while the gateway goes on writing.
//!
//! Streams in bounded memory and proves the session's own chain on the way; `verify` proves the rest. Called by `api`
//! for replay and by whoever has the folder.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{
    api::types::{RecordedEvent, SessionDetail},
    model::SessionId,
};

use super::{
    PublicKey, RecordError, SealedPart, Sealer,
    chain::{GENESIS, Hash},
    frame::{self, Found, OVERHEAD_BYTES, Record},
    reader::{SegmentReader, segments},
    summary::{Operations, count, session_item},
    walk::{Step, Walk},
};

/// No more operations are listed of one session.
pub const MAX_LISTED_OPERATIONS: usize = 10_000;

/// Reads a session's records in order. Refuses a session that is not there.
pub fn read_session(directory: &Path, id: &SessionId) -> Result<SessionRecords, RecordError> {
    let numbers = segments(directory)?;
    let guess = started_in(directory, &numbers, id)?;
    for from in [guess, 0] {
        let mut records = SessionRecords::from_segments(directory, numbers.get(from..).unwrap_or_default(), id);
        if let Some(first) = records.next() {
            records.first = Some(first?);
            return Ok(records);
        }
    }
    Err(RecordError::NoSession(id.to_string()))
}

/// Reads a session's records in order, as they are appended: at the end of what is written there is `None`, and later
/// perhaps more, until [`SessionRecords::is_over`].
pub fn follow_session(directory: &Path, id: &SessionId) -> Result<SessionRecords, RecordError> {
    let mut records = read_session(directory, id)?;
    records.follows = true;
    Ok(records)
}

/// Reads a session and sums it up; beyond [`MAX_LISTED_OPERATIONS`] operations are counted but not listed.
pub fn session_detail(directory: &Path, id: &SessionId) -> Result<SessionDetail, RecordError> {
    let mut session = None;
    let mut operations = Operations::default();
    for record in read_session(directory, id)? {
        let record = record?;
        match &mut session {
            None => session = session_item(&record),
            Some(item) => count(item, &record),
        }
        operations.take(&record);
    }
    let session = session.ok_or_else(|| RecordError::NoSession(id.to_string()))?;
    Ok(SessionDetail { session, operations: operations.into_items() })
}

/// One session's records, in order.
#[derive(Debug)]
pub struct SessionRecords {
    directory: PathBuf,
    prefix: Vec<u8>,
    segments: Vec<u64>,
    next_segment: usize,
    reader: Option<SegmentReader>,
    first: Option<Record>,
    seq: u64,
    hash: Hash,
    done: bool,
    follows: bool,
}

impl SessionRecords {
    /// Whether nothing more can come: its signed head was read, or it cannot be read on.
    pub fn is_over(&self) -> bool {
        self.done
    }

    fn from_segments(directory: &Path, numbers: &[u64], id: &SessionId) -> Self {
        Self {
            directory: directory.to_path_buf(),
            prefix: format!("{{\"v\":{},\"session\":\"{id}\",", frame::VERSION).into_bytes(),
            segments: numbers.to_vec(),
            next_segment: 0,
            reader: None,
            first: None,
            seq: 0,
            hash: GENESIS,
            done: false,
            follows: false,
        }
    }

    fn advance(&mut self) -> Result<Option<Record>, RecordError> {
        loop {
            let Some(reader) = &mut self.reader else {
                let Some(number) = self.segments.get(self.next_segment).copied() else { return Ok(None) };
                self.next_segment += 1;
                self.reader = Some(SegmentReader::open(&self.directory, number)?);
                continue;
            };
            match frame::find(reader.front()) {
                Found::Frame { body, hash } => {
                    let length = body.len() + OVERHEAD_BYTES;
                    if body.starts_with(&self.prefix) {
                        let record = frame::parse(body, hash).map_err(|what| reader.tampered(what))?;
                        if record.seq != self.seq + 1 || record.hash_after(&self.hash) != record.hash {
                            return Err(reader.tampered("the session's chain is broken"));
                        }
                        reader.consume(length);
                        (self.seq, self.hash) = (record.seq, record.hash);
                        self.done = record.kind == "session_head";
                        return Ok(Some(record));
                    }
                    reader.consume(length);
                }
                Found::Partial => {
                    if !reader.fill()? && !self.move_on()? {
                        return Ok(None);
                    }
                }
                Found::Broken(what) => return Err(reader.tampered(what)),
            }
        }
    }
}

impl SessionRecords {
    /// Leaves a segment that was read to its end; false where it is the last one, and may grow.
    fn move_on(&mut self) -> Result<bool, RecordError> {
        if self.follows && self.next_segment >= self.segments.len() {
            let last = self.segments.last().copied().unwrap_or_default();
            let newer: Vec<u64> = segments(&self.directory)?.into_iter().filter(|number| *number > last).collect();
            if newer.is_empty() {
                return Ok(false);
            }
            self.segments.extend(newer);
            // What was written between the last look and the rotation is read before the segment is left.
            if let Some(reader) = &mut self.reader
                && reader.fill()?
            {
                return Ok(true);
            }
        }
        self.reader = None;
        Ok(true)
    }
}

impl Iterator for SessionRecords {
    type Item = Result<Record, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(first) = self.first.take() {
            return Some(Ok(first));
        }
        if self.done {
            return None;
        }
        let next = self.advance().transpose();
        self.done |= matches!(next, Some(Err(_))) || (next.is_none() && !self.follows);
        next
    }
}

/// The index of the segment that was being written when the session began, by the time in its id.
fn started_in(directory: &Path, numbers: &[u64], id: &SessionId) -> Result<usize, RecordError> {
    let Some(started_millis) = id.unix_millis() else { return Ok(0) };
    for (index, number) in numbers.iter().enumerate().rev() {
        if opened_at_micros(directory, *number)?.is_some_and(|at| at / 1000 <= started_millis) {
            return Ok(index);
        }
    }
    Ok(0)
}

/// When a segment was opened.
fn opened_at_micros(directory: &Path, number: u64) -> Result<Option<u64>, RecordError> {
    let mut reader = SegmentReader::open(directory, number)?;
    reader.fill()?;
    match frame::find(reader.front()) {
        Found::Frame { body, hash } => Ok(frame::parse(body, hash).ok().map(|record| record.at_micros)),
        Found::Partial | Found::Broken(_) => Ok(None),
    }
}

/// Puts back the sealed parts whose every class `may` be revealed. What does not open stays a placeholder.
pub fn reveal(record: &mut Record, sealer: &Sealer, may: impl Fn(&str) -> bool) {
    let parts: Option<Vec<SealedPart>> =
        record.value("text_sealed").and_then(|sealed| serde_json::from_str(sealed).ok());
    if let (Some(parts), Some(field)) = (parts, record.fields.iter_mut().find(|field| field.name == "text")) {
        field.value = opened(&field.value, &parts, sealer, &may);
    }
    let parameters: Option<Vec<Vec<SealedPart>>> =
        record.value("parameters_sealed").and_then(|sealed| serde_json::from_str(sealed).ok());
    let Some(parameters) = parameters else { return };
    let Some(field) = record.fields.iter_mut().find(|field| field.name == "parameters") else { return };
    let Ok(mut shown) = serde_json::from_str::<Vec<Option<String>>>(&field.value) else { return };
    for (text, parts) in shown.iter_mut().zip(&parameters) {
        if let Some(text) = text {
            *text = opened(text, parts, sealer, &may);
        }
    }
    if let Ok(text) = serde_json::to_string(&shown) {
        field.value = text;
    }
}

/// From the last part to the first, so that offsets stay true.
fn opened(shown: &str, parts: &[SealedPart], sealer: &Sealer, may: &impl Fn(&str) -> bool) -> String {
    let mut text = shown.to_owned();
    for part in parts.iter().rev().filter(|part| part.class.split('+').all(may)) {
        let placeholder = part.placeholder();
        let range = part.at..part.at.saturating_add(placeholder.len());
        if text.get(range.clone()) == Some(placeholder.as_str())
            && let Ok(plaintext) = part.unseal(sealer)
        {
            text.replace_range(range, &plaintext);
        }
    }
    text
}

impl From<Record> for RecordedEvent {
    /// Leaves out salts, hashes and ciphertexts, which only verification and the gateway need.
    fn from(record: Record) -> Self {
        let fields: BTreeMap<String, String> = record
            .fields
            .into_iter()
            .filter(|field| !field.name.ends_with("_sealed"))
            .map(|field| (field.name, field.value))
            .collect();
        Self { seq: record.seq, at_micros: record.at_micros, kind: record.kind, fields }
    }
}

/// Reads any bytes as a segment, for the fuzzer.
///
/// # Panics
///
/// When a record that is read is not written back byte for byte, or when a walk without the key takes it for proved.
pub fn fuzz(input: &[u8]) {
    let mut rest = input;
    while let Found::Frame { body, hash } = frame::find(rest) {
        if let Ok(record) = frame::parse(body, hash) {
            assert_eq!(record.spelt(), body, "not written back");
        }
        rest = rest.get(body.len() + OVERHEAD_BYTES..).unwrap_or_default();
    }
    let mut walk = Walk::from_start(PublicKey::NOBODY);
    walk.enter(1);
    let mut rest = input;
    while let Ok(Step::Record(record, length)) = walk.step(rest) {
        assert!(record.kind != "checkpoint" && record.kind != "session_head", "proved without a key");
        rest = rest.get(length..).unwrap_or_default();
    }
}
