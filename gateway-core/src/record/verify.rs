//! Proves a whole log offline, from its files and a public key that was kept elsewhere. Writes nothing.
//!
//! Every leaf, chain and signature is recomputed. What is fine is counted, what is not is told with its place.
//! Called by `hoop audit verify`.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{
    CHECKPOINT_FILE, PublicKey, RecordError,
    chain::Hash,
    checkpoint::Checkpoint,
    hex,
    log::segment_path,
    reader::{missing, segments, walk_segment},
    walk::Walk,
};

/// No line of the file of checkpoints is longer.
const MAX_LINE_BYTES: u64 = 4096;

/// What verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Sessions begun in the log.
    pub sessions: u64,
    /// Records proved.
    pub records: u64,
    /// Signed checkpoints proved.
    pub checkpoints: u64,
    /// Signed session heads proved.
    pub session_heads: u64,
    /// Records behind the last checkpoint: chained, but not signed yet.
    pub unsigned_records: u64,
    /// The hash of the whole log as it stands, hexadecimal: keep it to prove later that nothing was cut.
    pub head: String,
    /// What is wrong. Empty: the recordings are what the gateway wrote.
    pub problems: Vec<Finding>,
    /// What is odd but can be explained, such as a half-written last record.
    pub warnings: Vec<Finding>,
}

/// One thing that was found, with its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file.
    pub file: PathBuf,
    /// The byte in it.
    pub offset: u64,
    /// What is wrong.
    pub what: String,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    fn problem(&mut self, file: PathBuf, offset: u64, what: impl Into<String>) {
        self.problems.push(Finding { file, offset, what: what.into() });
    }

    fn warning(&mut self, file: PathBuf, offset: u64, what: impl Into<String>) {
        self.warnings.push(Finding { file, offset, what: what.into() });
    }
}

/// Proves the log in `directory`. `expected_head` is a log hash noted earlier: the log must still contain it.
/// `progress` is called with the bytes done and the bytes in all. An error means that the files cannot be read;
/// what is wrong with their content is in the report.
pub fn verify(
    directory: &Path,
    public: PublicKey,
    expected_head: Option<Hash>,
    mut progress: impl FnMut(u64, u64),
) -> Result<Report, RecordError> {
    let mut report = Report::default();
    let numbers = segments(directory)?;
    if numbers.first() != Some(&1) {
        report.problem(segment_path(directory, 1), 0, "the first segment is missing");
        return Ok(report);
    }
    if let Some(number) = missing(&numbers) {
        report.problem(segment_path(directory, number), 0, "the segment is missing");
    }
    let sizes: Vec<u64> = numbers
        .iter()
        .map(|number| fs::metadata(segment_path(directory, *number)).map(|found| found.len()))
        .collect::<Result<_, _>>()
        .map_err(|error| RecordError::file("read", directory, error))?;
    let total = sizes.iter().sum();
    let mut proof = Proof { walk: Walk::from_start(public), signed: Vec::new(), expected_head, met_head: false };
    let mut done = 0;
    for (number, size) in numbers.iter().zip(&sizes) {
        let last = numbers.last() == Some(number);
        if !proof.segment(directory, *number, last, &mut report, |offset| progress(done + offset, total)) {
            break;
        }
        done += size;
    }
    progress(total, total);
    proof.finish(directory, &mut report)?;
    Ok(report)
}

/// The walk and what it gathered.
struct Proof {
    walk: Walk,
    signed: Vec<Checkpoint>,
    expected_head: Option<Hash>,
    met_head: bool,
}

impl Proof {
    /// Proves one segment; false where going on makes no sense.
    fn segment(
        &mut self,
        directory: &Path,
        number: u64,
        last: bool,
        report: &mut Report,
        mut progress: impl FnMut(u64),
    ) -> bool {
        let (signed, met, expected) =
            (&mut self.signed, &mut self.met_head, self.expected_head.map(|head| hex::encode(&head)));
        let walked = walk_segment(directory, number, &mut self.walk, |record, offset| {
            report.records += 1;
            match record.kind.as_str() {
                "session_started" => report.sessions += 1,
                "session_head" => report.session_heads += 1,
                "checkpoint" if record.session.starts_with("log_") => {
                    report.checkpoints += 1;
                    if let Some(checkpoint) = Checkpoint::from_record(record) {
                        *met |= expected.as_ref() == Some(&checkpoint.log);
                        signed.push(checkpoint);
                    }
                }
                _ => {}
            }
            if report.records.is_multiple_of(1024) {
                progress(offset);
            }
            ControlFlow::Continue(())
        });
        match walked {
            Ok(end) if end.torn == 0 => true,
            Ok(end) if last => {
                let what = format!("{} bytes of a half-written record, as a crash leaves them", end.torn);
                report.warning(segment_path(directory, number), end.sound, what);
                true
            }
            Ok(end) => {
                report.problem(segment_path(directory, number), end.sound, "the segment is cut");
                false
            }
            Err(RecordError::Tampered { file, offset, what }) => {
                report.problem(file, offset, what);
                false
            }
            Err(error) => {
                report.problem(segment_path(directory, number), 0, error.to_string());
                false
            }
        }
    }

    fn finish(mut self, directory: &Path, report: &mut Report) -> Result<(), RecordError> {
        report.head = hex::encode(&self.walk.log_hash);
        report.unsigned_records = self.walk.records.saturating_sub(self.walk.signed_records);
        let log = segment_path(directory, self.walk.segment);
        if report.unsigned_records > 0 && report.is_sound() {
            let what = format!("the last {} records are not signed by a checkpoint yet", report.unsigned_records);
            report.warning(log.clone(), 0, what);
        }
        if report.checkpoints == 0 {
            report.problem(log.clone(), 0, "nothing in the log is signed by this key");
        }
        self.met_head |= self.expected_head == Some(self.walk.log_hash);
        if self.expected_head.is_some() && !self.met_head {
            report.problem(log, 0, "the log does not contain the expected head: it was cut or replaced");
        }
        // What follows a broken record was not read, so that its checkpoints are not there to compare with.
        if report.is_sound() { self.compare_notes(directory, report) } else { Ok(()) }
    }

    /// Every checkpoint that was noted beside the log must be in it.
    fn compare_notes(&self, directory: &Path, report: &mut Report) -> Result<(), RecordError> {
        let path = directory.join(CHECKPOINT_FILE);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                report.problem(path, 0, "the file of checkpoints is missing");
                return Ok(());
            }
            Err(error) => return Err(RecordError::file("read", path, error)),
        };
        let mut lines = BufReader::new(file);
        let mut expected = self.signed.iter();
        let mut offset = 0;
        loop {
            let mut line = Vec::new();
            let read = (&mut lines)
                .take(MAX_LINE_BYTES)
                .read_until(b'\n', &mut line)
                .map_err(|error| RecordError::file("read", &path, error))?;
            if read == 0 {
                return Ok(());
            }
            // A crash between the log and this file leaves a line out; it never leaves one too many.
            if !expected.any(|checkpoint| checkpoint.line().as_bytes() == line) {
                let torn = !line.ends_with(b"\n") && lines.fill_buf().is_ok_and(<[u8]>::is_empty);
                if torn && self.signed.iter().any(|checkpoint| checkpoint.line().as_bytes().starts_with(&line)) {
                    report.warning(path, offset, "a half-written line, as a crash leaves it");
                } else {
                    report.problem(
                        path,
                        offset,
                        "a signed checkpoint that the log does not contain: the log was cut or replaced",
                    );
                }
                return Ok(());
            }
            offset += u64::try_from(read).unwrap_or_default();
        }
    }
}
