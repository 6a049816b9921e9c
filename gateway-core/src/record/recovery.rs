//! Opens a log: takes the lock, proves what is there, cuts off a half-written record, and says what nobody knows.
//!
//! Reads from the segment in which the oldest open chain begins, so that a long history does not delay the start.
//! Anything broken that a crash cannot explain is refused, never repaired.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, SeekFrom},
    ops::ControlFlow,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    sync::Arc,
};

use crate::{api::types::SessionItem, model::OperationNumber};

use super::{
    CHECKPOINT_FILE, Clock, Durability, GatewayEvent, Outcome, RecordError, RecordKeys, Recovery, Status,
    chain::GENESIS,
    counts::Counts,
    fields,
    frame::Record,
    log::{ChainHead, Continuation, Log, Segment, housekeeping_name, segment_path},
    reader::{End, missing, segments, walk_segment},
    recorder::{ChainWriter, GATEWAY_CHAIN},
    summary::session_item,
    walk::Walk,
};

/// A segment is closed when it is larger.
pub(super) const SEGMENT_BYTES: u64 = 256 << 20;
/// The file that says who writes.
const LOCK_FILE: &str = "lock";
/// No line of the file of checkpoints is longer.
const MAX_NOTE_BYTES: u64 = 4096;
/// What ends the recording of a session that a crash cut off.
const CRASHED: &str = "gateway stopped unexpectedly";

/// An open log, ready to record.
pub(super) struct Opened {
    pub(super) log: Arc<Log>,
    pub(super) gateway: ChainWriter,
    pub(super) lock: File,
    pub(super) recovery: Recovery,
}

/// Opens the log, or makes a new one.
pub(super) fn open(
    directory: &Path,
    keys: RecordKeys,
    durability: Durability,
    clock: Arc<dyn Clock>,
    segment_bytes: u64,
) -> Result<Opened, RecordError> {
    let lock = take_lock(directory)?;
    trim_notes(directory)?;
    let found = survey(directory, &keys)?;
    let fresh = found.is_none();
    let found = match found {
        Some(found) => found,
        None => Survey::of_nothing(directory)?,
    };
    let Survey { continuation, gateway, open, cut_bytes } = found;
    let log = Arc::new(Log::new(continuation, directory.to_path_buf(), keys, durability, clock, segment_bytes));
    if fresh {
        log.begin()?;
    }
    let mut gateway = ChainWriter::new(Arc::clone(&log), gateway);
    let mut recovery = Recovery { cut_bytes, ..Recovery::default() };
    for (head, left) in open {
        recovery.unknown_outcomes += u64::try_from(left.pending.len()).unwrap_or_default();
        recovery.ended_sessions += 1;
        end_session(&log, head, &left)?;
    }
    if recovery != Recovery::default() {
        let Recovery { cut_bytes, unknown_outcomes, ended_sessions } = recovery;
        let event = GatewayEvent::Recovered { cut_bytes, unknown_outcomes, ended_sessions };
        gateway.append(fields::gateway_kind(&event), |to| fields::gateway(&event, to))?;
    }
    log.sign()?;
    log.run()?;
    Ok(Opened { log, gateway, lock, recovery })
}

fn take_lock(directory: &Path) -> Result<File, RecordError> {
    let failed = |error| RecordError::file("create", directory, error);
    fs::create_dir_all(directory).map_err(failed)?;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).map_err(failed)?;
    let path = directory.join(LOCK_FILE);
    let failed = |error| RecordError::file("open", &path, error);
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(RecordError::Locked(directory.to_path_buf())),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Cuts a half-written last line off the file of checkpoints, so that the next one stands alone.
fn trim_notes(directory: &Path) -> Result<(), RecordError> {
    let path = directory.join(CHECKPOINT_FILE);
    let failed = |error| RecordError::file("repair", &path, error);
    let mut file = match OpenOptions::new().read(true).write(true).open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(failed)?,
    };
    let length = file.metadata().map_err(failed)?.len();
    let start = length.saturating_sub(MAX_NOTE_BYTES);
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(start)).and_then(|_at| file.read_to_end(&mut tail)).map_err(failed)?;
    let kept = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let sound = start + u64::try_from(kept).unwrap_or_default();
    if sound < length { file.set_len(sound).map_err(failed) } else { Ok(()) }
}

/// What is there.
struct Survey {
    continuation: Continuation,
    gateway: ChainHead,
    open: Vec<(ChainHead, LeftOpen)>,
    cut_bytes: u64,
}

impl Survey {
    fn of_nothing(directory: &Path) -> Result<Self, RecordError> {
        let continuation = Continuation {
            log_hash: GENESIS,
            records: 0,
            segment: Segment::create(directory, 1)?,
            housekeeping: ChainHead::new(housekeeping_name(1)),
        };
        Ok(Self { continuation, gateway: ChainHead::new(Arc::from(GATEWAY_CHAIN)), open: Vec::new(), cut_bytes: 0 })
    }
}

/// What a session left open.
#[derive(Debug, Default)]
struct LeftOpen {
    item: Option<SessionItem>,
    pending: BTreeSet<u64>,
    ended: bool,
}

impl LeftOpen {
    fn take(&mut self, record: &Record) {
        let number = record.number("number").unwrap_or_default();
        match record.kind.as_str() {
            "session_started" => self.item = session_item(record),
            "operation" => {
                self.pending.insert(number);
            }
            "outcome" => {
                self.pending.remove(&number);
            }
            "session_ended" => self.ended = true,
            _ => {}
        }
        if let Some(item) = &mut self.item {
            super::summary::count(item, record);
        }
    }
}

/// Proves the log from where its oldest open chain begins; `None` where there is no log yet.
fn survey(directory: &Path, keys: &RecordKeys) -> Result<Option<Survey>, RecordError> {
    let mut numbers = segments(directory)?;
    if let Some(number) = missing(&numbers) {
        let file = segment_path(directory, number);
        return Err(RecordError::Tampered { file, offset: 0, what: "the segment is missing".to_owned() });
    }
    let mut cut_bytes = 0;
    let Some((last, start)) = anchor(directory, keys, &mut numbers, &mut cut_bytes)? else { return Ok(None) };
    let mut walk = if start == 1 { Walk::from_start(keys.public()) } else { Walk::from_segment(keys.public()) };
    let mut left: BTreeMap<String, LeftOpen> = BTreeMap::new();
    let mut end = End { sound: 0, torn: 0 };
    for number in start..=last {
        end = walk_segment(directory, number, &mut walk, |record, _offset| {
            if record.kind == "session_head" {
                left.remove(&record.session);
            } else if record.session.starts_with("ses_") {
                left.entry(record.session.clone()).or_default().take(record);
            }
            ControlFlow::Continue(())
        })?;
        if end.torn > 0 && number != last {
            let file = segment_path(directory, number);
            return Err(RecordError::Tampered { file, offset: end.sound, what: "the segment is cut".to_owned() });
        }
    }
    let house = housekeeping_name(last);
    let fresh_gateway = || ChainHead::new(Arc::from(GATEWAY_CHAIN));
    let continuation = Continuation {
        log_hash: walk.log_hash,
        records: walk.records,
        segment: Segment::reopen(directory, last, end.sound)?,
        housekeeping: walk.chains.remove(&*house).unwrap_or_else(|| ChainHead::new(house)),
    };
    let gateway = walk.chains.remove(GATEWAY_CHAIN).unwrap_or_else(fresh_gateway);
    let open = walk
        .chains
        .into_iter()
        .filter(|(name, _head)| name.starts_with("ses_"))
        .map(|(name, head)| (head, left.remove(&name).unwrap_or_default()))
        .collect();
    Ok(Some(Survey { continuation, gateway, open, cut_bytes: cut_bytes + end.torn }))
}

/// The last segment that has a whole opening, and the one to start reading at. A segment whose opening a crash cut
/// holds nothing else, and is removed.
fn anchor(
    directory: &Path,
    keys: &RecordKeys,
    numbers: &mut Vec<u64>,
    cut_bytes: &mut u64,
) -> Result<Option<(u64, u64)>, RecordError> {
    while let Some(last) = numbers.pop() {
        let mut walk = if last == 1 { Walk::from_start(keys.public()) } else { Walk::from_segment(keys.public()) };
        let mut first_open = last;
        let mut anchored = false;
        let end = walk_segment(directory, last, &mut walk, |record, _offset| {
            if record.kind == "heads" {
                first_open = first_open.min(oldest_session(record));
            }
            anchored = record.kind == "checkpoint";
            if anchored { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if anchored {
            return Ok(Some((last, first_open)));
        }
        let path = segment_path(directory, last);
        fs::remove_file(&path).map_err(|error| RecordError::file("remove", &path, error))?;
        *cut_bytes += end.sound + end.torn;
    }
    Ok(None)
}

/// The oldest segment in which a session of these heads begins.
fn oldest_session(heads: &Record) -> u64 {
    heads
        .value("heads")
        .unwrap_or_default()
        .lines()
        .filter_map(super::checkpoint::parse_head)
        .filter(|head| head.name.starts_with("ses_"))
        .map(|head| head.first_segment)
        .min()
        .unwrap_or(u64::MAX)
}

/// Writes down what nobody knows, and ends the chain.
fn end_session(log: &Arc<Log>, head: ChainHead, left: &LeftOpen) -> Result<(), RecordError> {
    let mut chain = ChainWriter::new(Arc::clone(log), head);
    let nothing = BTreeMap::new();
    for number in &left.pending {
        let outcome = Outcome {
            number: OperationNumber(*number),
            status: Status::Unknown,
            rows: 0,
            bytes: 0,
            export: false,
            masked: &nothing,
            duration_micros: 0,
        };
        chain.append("outcome", |to| fields::outcome_fields(&outcome, to))?;
    }
    if !left.ended {
        let seen = left.item.as_ref().map(Counts::of).unwrap_or_default();
        chain.append("session_ended", |to| {
            to.field("reason", CRASHED);
            seen.fields(to);
        })?;
    }
    chain.finish()?;
    chain.forget();
    Ok(())
}
