//! Reads segment files piece by piece, in bounded memory. Knows frames only through whoever asks.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use super::{
    RecordError,
    frame::Record,
    log::segment_path,
    walk::{Step, Walk},
};

/// As much is read at once.
const CHUNK_BYTES: usize = 1 << 20;

/// One segment file, from its start.
#[derive(Debug)]
pub(super) struct SegmentReader {
    path: PathBuf,
    file: File,
    buffer: Vec<u8>,
    start: usize,
    offset: u64,
}

impl SegmentReader {
    pub(super) fn open(directory: &Path, number: u64) -> Result<Self, RecordError> {
        let path = segment_path(directory, number);
        let file = File::open(&path).map_err(|error| RecordError::file("read", &path, error))?;
        Ok(Self { path, file, buffer: Vec::new(), start: 0, offset: 0 })
    }

    /// The same from one of its bytes on.
    pub(super) fn open_at(directory: &Path, number: u64, offset: u64) -> Result<Self, RecordError> {
        let mut reader = Self::open(directory, number)?;
        let length = reader.file.metadata().map_err(|error| RecordError::file("read", &reader.path, error))?.len();
        if length < offset {
            return Err(reader.tampered("it is shorter than it was"));
        }
        let sought = reader.file.seek(SeekFrom::Start(offset));
        reader.offset = sought.map_err(|error| RecordError::file("read", &reader.path, error))?;
        Ok(reader)
    }

    /// The bytes read and not yet consumed.
    pub(super) fn front(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// Where the front is in the file.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Passes over bytes of the front.
    pub(super) fn consume(&mut self, bytes: usize) {
        self.start += bytes;
        self.offset += u64::try_from(bytes).unwrap_or_default();
    }

    /// Reads more; false at the end of the file.
    pub(super) fn fill(&mut self) -> Result<bool, RecordError> {
        self.buffer.drain(..self.start.min(self.buffer.len()));
        self.start = 0;
        let limit = u64::try_from(CHUNK_BYTES).unwrap_or(u64::MAX);
        let read = (&self.file)
            .take(limit)
            .read_to_end(&mut self.buffer)
            .map_err(|error| RecordError::file("read", &self.path, error))?;
        Ok(read > 0)
    }

    /// Whether nothing but zeros is left: a file that grew before its bytes came, in a power failure.
    pub(super) fn rest_is_zero(&mut self) -> Result<bool, RecordError> {
        loop {
            if self.front().iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            let passed = self.front().len();
            self.consume(passed);
            if !self.fill()? {
                return Ok(true);
            }
        }
    }

    /// The error for what is wrong at the front.
    pub(super) fn tampered(&self, what: impl Into<String>) -> RecordError {
        RecordError::Tampered { file: self.path.clone(), offset: self.offset, what: what.into() }
    }
}

/// Where the sound part of a segment ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    /// Bytes of whole, proved records.
    pub(super) sound: u64,
    /// Bytes of a half-written record behind them.
    pub(super) torn: u64,
}

/// Proves a segment, handing each record on with its offset, to its end or until `each` breaks off.
pub(super) fn walk_segment(
    directory: &Path,
    number: u64,
    walk: &mut Walk,
    mut each: impl FnMut(&Record, u64) -> ControlFlow<()>,
) -> Result<End, RecordError> {
    let mut reader = SegmentReader::open(directory, number)?;
    walk.enter(number);
    loop {
        match walk.step(reader.front()) {
            Ok(Step::Record(record, bytes)) => {
                let flow = each(&record, reader.offset());
                reader.consume(bytes);
                if flow.is_break() {
                    return Ok(End { sound: reader.offset(), torn: 0 });
                }
            }
            Ok(Step::Partial) => {
                if !reader.fill()? {
                    let torn = u64::try_from(reader.front().len()).unwrap_or_default();
                    return Ok(End { sound: reader.offset(), torn });
                }
            }
            Err(what) => {
                let broken = reader.tampered(what);
                let sound = reader.offset();
                if reader.rest_is_zero()? {
                    return Ok(End { sound, torn: reader.offset().saturating_sub(sound) });
                }
                return Err(broken);
            }
        }
    }
}

/// The numbers of the segments in a folder, in order.
pub(super) fn segments(directory: &Path) -> Result<Vec<u64>, RecordError> {
    let failed = |error: io::Error| RecordError::file("read", directory, error);
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".log")).and_then(|digits| digits.parse().ok());
        if let Some(number) = number {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The first number that is missing between the first and the last segment.
pub(super) fn missing(numbers: &[u64]) -> Option<u64> {
    let first = *numbers.first()?;
    numbers.iter().zip(first..).find_map(|(have, want)| (*have != want).then_some(want))
}
