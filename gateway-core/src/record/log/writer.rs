//! The writing thread: syncs for everyone who waits, signs a checkpoint every 10 s, starts the next segment.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    sync::{PoisonError, atomic::Ordering},
    task::Waker,
    time::{Duration, Instant},
};

use crate::record::{
    RecordError,
    checkpoint::{CHECKPOINT_FILE, Checkpoint, HEADS_PER_RECORD, head_line},
};

use super::{ChainHead, Rest, Segment, Shared, State};

/// What nobody waits for is on the disk after this at the latest.
const TICK: Duration = Duration::from_millis(50);
/// How often the log is signed while it grows.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(10);
/// A sync is never put off for longer than this, so that more may share it.
const LONGEST_GATHERING: Duration = Duration::from_millis(1);

/// Why the thread goes on.
enum Turn {
    Flush,
    Checkpoint,
    Close,
    Failed,
}

/// Runs until the log is closed or has failed.
pub(super) fn run(shared: &Shared) {
    let mut signed_at = Instant::now();
    let mut pace = Pace::default();
    loop {
        let result = match next_turn(shared, signed_at) {
            Turn::Failed => return,
            Turn::Flush => {
                gather(shared, pace);
                let began = Instant::now();
                let result = flush(shared);
                pace = Pace::after(began.elapsed(), &result);
                result.map(drop)
            }
            Turn::Checkpoint => {
                signed_at = Instant::now();
                checkpoint(shared)
            }
            Turn::Close => {
                // A failure has been published by whoever met it.
                let _published = checkpoint(shared);
                return;
            }
        };
        if result.and_then(|()| rotate_when_full(shared)).is_err() {
            return;
        }
    }
}

/// What the last sync says of the next one.
#[derive(Debug, Clone, Copy, Default)]
struct Pace {
    /// How long a sync may be put off.
    patience: Duration,
    /// How many sessions are in step: those that it woke, and those that came while it ran.
    sessions: usize,
}

impl Pace {
    fn after(took: Duration, sessions: &Result<usize, RecordError>) -> Self {
        Self { patience: (took / 4).min(LONGEST_GATHERING), sessions: sessions.as_ref().copied().unwrap_or(0) }
    }
}

/// Puts a sync off for a fraction of its cost while sessions that the last one woke are expected back. Without this,
/// sessions fall into two halves that wait for each other's sync. One session alone never waits.
fn gather(shared: &Shared, pace: Pace) {
    if pace.sessions < 2 {
        return;
    }
    let began = Instant::now();
    let mut state = shared.lock();
    while state.waiters.len() < pace.sessions && !state.closing && state.failure.is_none() {
        let left = pace.patience.saturating_sub(began.elapsed());
        if left.is_zero() {
            break;
        }
        state.rest = Rest::Ticking;
        state = shared.wake.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
    }
    state.rest = Rest::Awake;
}

/// Waits until there is something to do.
fn next_turn(shared: &Shared, signed_at: Instant) -> Turn {
    let mut state = shared.lock();
    let mut ticked = false;
    loop {
        if state.failure.is_some() {
            return Turn::Failed;
        }
        state.rest = Rest::Awake;
        let synced = shared.synced.load(Ordering::Acquire);
        let unsynced = state.appended > synced;
        let unsigned = state.records > state.signed_records;
        let until_signing = CHECKPOINT_EVERY.saturating_sub(signed_at.elapsed());
        if state.closing {
            return Turn::Close;
        }
        if unsigned && until_signing.is_zero() {
            return Turn::Checkpoint;
        }
        if state.wanted > synced || (unsynced && ticked) {
            return Turn::Flush;
        }
        (state, ticked) = if unsynced {
            state.rest = Rest::Ticking;
            let (state, timeout) =
                shared.wake.wait_timeout(state, TICK.min(until_signing)).unwrap_or_else(PoisonError::into_inner);
            (state, timeout.timed_out())
        } else {
            state.rest = Rest::Asleep;
            let pause = if unsigned { until_signing } else { Duration::from_hours(1) };
            (shared.wake.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner).0, false)
        };
    }
}

/// Writes and syncs what has gathered, and wakes who waited for it. Says how many sessions waited for this or the next.
fn flush(shared: &Shared) -> Result<usize, RecordError> {
    let (file, up_to) = {
        let mut segment = shared.segment.lock().unwrap_or_else(PoisonError::into_inner);
        shared.write_gathered(&mut segment)?;
        (segment.file(), shared.written.load(Ordering::Acquire))
    };
    sync(shared, &file, up_to)
}

/// One sync for all; never tried again, since a second one may succeed without the data.
fn sync(shared: &Shared, file: &File, up_to: u64) -> Result<usize, RecordError> {
    file.sync_data().map_err(|error| shared.fail(&format!("syncing the log: {error}")))?;
    shared.synced.fetch_max(up_to, Ordering::AcqRel);
    let (sessions, ready): (usize, Vec<Waker>) = {
        let mut state = shared.lock();
        let sessions = state.waiters.len();
        let ready = state.waiters.extract_if(.., |(position, _waker)| *position <= up_to);
        (sessions, ready.map(|(_position, waker)| waker).collect())
    };
    ready.into_iter().for_each(Waker::wake);
    Ok(sessions)
}

/// Signs the log as it stands, makes that durable and notes it in the file of checkpoints.
fn checkpoint(shared: &Shared) -> Result<(), RecordError> {
    let signed = {
        let mut state = shared.lock();
        if state.failure.is_some() || state.records == state.signed_records {
            None
        } else {
            Some(sign(shared, &mut state))
        }
    };
    let Some(signed) = signed else { return flush(shared).map(drop) };
    let signed = signed.map_err(|error| shared.fail(&error.to_string()))?;
    flush(shared)?;
    note(shared, &signed)
}

/// Appends heads and checkpoint. Everything up to here is signed afterwards.
fn sign(shared: &Shared, state: &mut State) -> Result<Checkpoint, RecordError> {
    let at_micros = shared.clock.unix_micros();
    let heads: Vec<String> = state.chains.values().filter(|head| head.seq > 0).map(head_line).collect();
    for piece in heads.chunks(HEADS_PER_RECORD) {
        state.keep_house(at_micros, "heads", |to| to.field("heads", &piece.concat()))?;
    }
    let signed = Checkpoint::sign(&shared.keys, state.segment_number, state.records, state.log_hash, at_micros)
        .ok_or(RecordError::Randomness)?;
    state.keep_house(at_micros, "checkpoint", |to| signed.fields(to))?;
    state.signed_records = state.records;
    Ok(signed)
}

/// Adds a line to the file of checkpoints, which may be copied away to prove that the log was not cut.
fn note(shared: &Shared, signed: &Checkpoint) -> Result<(), RecordError> {
    let path = shared.directory.join(CHECKPOINT_FILE);
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file| file.write_all(signed.line().as_bytes()).and_then(|()| file.sync_data()))
        .map_err(|error| shared.fail(&format!("writing {}: {error}", path.display())))
}

/// Goes on in a new segment, which opens with all that is needed to start reading there.
fn rotate_when_full(shared: &Shared) -> Result<(), RecordError> {
    let mut segment = shared.segment.lock().unwrap_or_else(PoisonError::into_inner);
    if segment.bytes() < shared.segment_bytes {
        return Ok(());
    }
    let fresh =
        Segment::create(&shared.directory, segment.number() + 1).map_err(|error| shared.fail(&error.to_string()))?;
    let (file, up_to, signed) = {
        // Nobody appends between the last record of this segment and the first of the next.
        let mut state = shared.lock();
        std::mem::swap(&mut state.buffer, segment.spare());
        let written = segment.write_spare();
        let up_to = state.appended;
        let signed = written
            .map_err(|error| RecordError::file("write", segment.path(), error))
            .and_then(|()| begin_segment(shared, &mut state, fresh.number()));
        (segment.file(), up_to, signed)
    };
    let signed = signed.map_err(|error| shared.fail(&error.to_string()))?;
    shared.written.store(up_to, Ordering::Release);
    *segment = fresh;
    sync(shared, &file, up_to)?;
    shared.write_gathered(&mut segment)?;
    let (file, up_to) = (segment.file(), shared.written.load(Ordering::Acquire));
    drop(segment);
    sync(shared, &file, up_to)?;
    note(shared, &signed)
}

/// The opening of a segment: where the log stands, the heads of its open chains, a checkpoint.
fn begin_segment(shared: &Shared, state: &mut State, number: u64) -> Result<Checkpoint, RecordError> {
    state.segment_number = number;
    state.housekeeping = ChainHead::new(super::housekeeping_name(number));
    let (records, log_hash) = (state.records, state.log_hash);
    state.keep_house(shared.clock.unix_micros(), "segment", |to| {
        to.number("segment", number);
        to.number("records", records);
        to.field("log", &crate::record::hex::encode(&log_hash));
    })?;
    sign(shared, state)
}

impl Shared {
    /// Opens the very first segment of a log.
    pub(super) fn begin_first(&self) -> Result<(), RecordError> {
        let signed = {
            let mut state = self.lock();
            let number = state.segment_number;
            begin_segment(self, &mut state, number)?
        };
        flush(self)?;
        note(self, &signed)
    }

    /// Signs now.
    pub(super) fn sign_now(&self) -> Result<(), RecordError> {
        checkpoint(self)
    }
}
