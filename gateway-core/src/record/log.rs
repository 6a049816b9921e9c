//! The write-ahead log: one buffer for all sessions, one file, one thread that syncs for everyone.
//!
//! Sessions hash their own records and only the log's own hash is taken under the lock. In `strict` the thread writes
//! and syncs whatever has gathered, so that waiting sessions share one sync; in `relaxed` the first one who needs its
//! bytes in the kernel writes for all, once those that are ready have appended, and the thread syncs within 50 ms. A write or sync that fails ends the
//! recorder: nothing is ever retried, every waiter is told, and nothing more is appended.

mod segment;
mod writer;

use std::{
    collections::BTreeMap,
    future::poll_fn,
    path::PathBuf,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Poll, Waker},
    thread::JoinHandle,
};

use tokio::sync::watch;

use super::{
    Clock, Durability, Position, RecordError, RecordKeys,
    chain::{GENESIS, Hash, Header, log_hash},
    frame::{self, OVERHEAD_BYTES, VERSION, Writer},
};

pub(super) use segment::{Segment, segment_path};

/// More than this may not wait for the disk.
pub(super) const MAX_BACKLOG_BYTES: usize = 64 << 20;

/// What appenders are told after the end.
const CLOSED: &str = "the recorder was closed";

/// What the log says of itself is a chain for each segment.
pub(super) fn housekeeping_name(segment: u64) -> Arc<str> {
    Arc::from(format!("log_{segment:08}"))
}

/// The open log.
#[derive(Debug)]
pub(super) struct Log {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Where a log continues.
#[derive(Debug)]
pub(super) struct Continuation {
    pub(super) log_hash: Hash,
    pub(super) records: u64,
    pub(super) segment: Segment,
    /// The housekeeping chain of that segment.
    pub(super) housekeeping: ChainHead,
}

/// How far a chain has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChainHead {
    pub(super) name: Arc<str>,
    pub(super) seq: u64,
    pub(super) hash: Hash,
    /// The segment that its first record is in; 0 before it has one.
    pub(super) first_segment: u64,
}

impl ChainHead {
    pub(super) fn new(name: Arc<str>) -> Self {
        Self { name, seq: 0, hash: GENESIS, first_segment: 0 }
    }
}

/// Names an open chain inside the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ChainKey(u64);

#[derive(Debug)]
struct Shared {
    directory: PathBuf,
    durability: Durability,
    keys: RecordKeys,
    clock: Arc<dyn Clock>,
    segment_bytes: u64,
    state: Mutex<State>,
    wake: Condvar,
    segment: Mutex<Segment>,
    written: AtomicU64,
    synced: AtomicU64,
    failed: watch::Sender<bool>,
    /// How much was appended, for those who read along.
    news: watch::Sender<u64>,
}

/// What appenders share.
#[derive(Debug)]
struct State {
    buffer: Vec<u8>,
    appended: u64,
    wanted: u64,
    rest: Rest,
    waiters: Vec<(u64, Waker)>,
    failure: Option<Arc<str>>,
    closing: bool,
    log_hash: Hash,
    records: u64,
    signed_records: u64,
    segment_number: u64,
    chains: BTreeMap<ChainKey, ChainHead>,
    next_chain: u64,
    housekeeping: ChainHead,
    writer: Writer,
}

/// What the writing thread is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// It works, and will look again by itself.
    Awake,
    /// It waits for the next tick.
    Ticking,
    /// Nothing is to be done.
    Asleep,
}

impl Log {
    /// Takes over where the log continues. Nothing syncs by itself before [`Self::run`].
    pub(super) fn new(
        continuation: Continuation,
        directory: PathBuf,
        keys: RecordKeys,
        durability: Durability,
        clock: Arc<dyn Clock>,
        segment_bytes: u64,
    ) -> Self {
        let state = State {
            buffer: Vec::new(),
            appended: 0,
            wanted: 0,
            rest: Rest::Awake,
            waiters: Vec::new(),
            failure: None,
            closing: false,
            log_hash: continuation.log_hash,
            records: continuation.records,
            signed_records: 0,
            segment_number: continuation.segment.number(),
            chains: BTreeMap::new(),
            next_chain: 0,
            housekeeping: continuation.housekeeping,
            writer: Writer::default(),
        };
        let shared = Arc::new(Shared {
            directory,
            durability,
            keys,
            clock,
            segment_bytes,
            state: Mutex::new(state),
            wake: Condvar::new(),
            segment: Mutex::new(continuation.segment),
            written: AtomicU64::new(0),
            synced: AtomicU64::new(0),
            failed: watch::Sender::new(false),
            news: watch::Sender::new(0),
        });
        Self { shared, thread: Mutex::new(None) }
    }

    /// Opens the first segment of a new log.
    pub(super) fn begin(&self) -> Result<(), RecordError> {
        self.shared.begin_first()
    }

    /// Signs the log as it stands, and syncs it.
    pub(super) fn sign(&self) -> Result<(), RecordError> {
        self.shared.sign_now()
    }

    /// Starts the writing thread.
    pub(super) fn run(&self) -> Result<(), RecordError> {
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new()
            .name("hoop-record".to_owned())
            .spawn(move || writer::run(&shared))
            .map_err(|error| RecordError::file("start the writer of", &self.shared.directory, error))?;
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(())
    }

    /// Opens a chain; one that continues brings its head.
    pub(super) fn open_chain(&self, head: ChainHead) -> ChainKey {
        let mut state = self.shared.lock();
        let key = ChainKey(state.next_chain);
        state.next_chain += 1;
        state.chains.insert(key, head);
        key
    }

    /// Forgets a chain that has ended.
    pub(super) fn close_chain(&self, key: ChainKey) {
        self.shared.lock().chains.remove(&key);
    }

    /// Appends the next record of a chain. On an error nothing was appended.
    pub(super) fn append(&self, key: ChainKey, body: &[u8], hash: &Hash) -> Result<Position, RecordError> {
        let mut state = self.shared.lock();
        state.check(body.len())?;
        state.push(body, hash);
        let segment = state.segment_number;
        if let Some(head) = state.chains.get_mut(&key) {
            head.seq += 1;
            head.hash = *hash;
            if head.first_segment == 0 {
                head.first_segment = segment;
            }
        }
        if state.rest == Rest::Asleep {
            state.rest = Rest::Awake;
            self.shared.wake.notify_one();
        }
        let appended = state.appended;
        drop(state);
        if self.shared.news.receiver_count() > 0 {
            self.shared.news.send_replace(appended);
        }
        Ok(Position(appended))
    }

    /// Waits until everything before `position` is durable. Cancel-safe.
    pub(super) async fn durable(&self, position: Position) -> Result<(), RecordError> {
        match self.shared.durability {
            Durability::Relaxed => {
                // Sessions that are ready as well append first, so that one write carries them all.
                if !self.shared.is_written(position.0) {
                    tokio::task::yield_now().await;
                }
                self.shared.write_up_to(position.0)
            }
            Durability::Strict => poll_fn(|context| self.shared.poll_synced(position.0, context.waker())).await,
        }
    }

    /// Hands everything appended so far to the kernel.
    pub(super) fn flush(&self) -> Result<(), RecordError> {
        let appended = self.shared.lock().appended;
        self.shared.write_up_to(appended)
    }

    pub(super) fn failed(&self) -> watch::Receiver<bool> {
        self.shared.failed.subscribe()
    }

    /// Changes whenever something is appended.
    pub(super) fn news(&self) -> watch::Receiver<u64> {
        self.shared.news.subscribe()
    }

    pub(super) fn keys(&self) -> &RecordKeys {
        &self.shared.keys
    }

    pub(super) fn directory(&self) -> &PathBuf {
        &self.shared.directory
    }

    pub(super) fn now_micros(&self) -> u64 {
        self.shared.clock.unix_micros()
    }

    /// Signs, writes and syncs what is left, and stops the thread. Later appends fail.
    pub(super) fn close(&self) -> Result<(), RecordError> {
        self.shared.lock().closing = true;
        self.shared.wake.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            self.shared.fail("the writer ended early");
        }
        let (earlier, left, waiters) = {
            let mut state = self.shared.lock();
            let earlier = state.failure.replace(Arc::from(CLOSED));
            (earlier, !state.finished(), std::mem::take(&mut state.waiters))
        };
        for (_position, waker) in waiters {
            waker.wake();
        }
        match earlier {
            Some(reason) if left && &*reason != CLOSED => Err(RecordError::Failed(reason)),
            _ => Ok(()),
        }
    }

    /// Waits for the thread's own tick, without asking for it.
    #[cfg(test)]
    pub(super) fn until_synced(&self, position: Position) {
        let started = std::time::Instant::now();
        while self.shared.synced.load(Ordering::Acquire) < position.0 {
            assert!(started.elapsed().as_secs() < 20, "not synced by itself");
            std::thread::yield_now();
        }
    }

    #[cfg(test)]
    pub(super) fn break_disk(&self, file: std::fs::File) {
        self.shared.segment.lock().unwrap_or_else(PoisonError::into_inner).replace_file(file);
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(%error, "the recording did not close in order");
        }
    }
}

impl State {
    fn check(&self, body: usize) -> Result<(), RecordError> {
        if let Some(reason) = &self.failure {
            return Err(RecordError::Failed(Arc::clone(reason)));
        }
        if self.buffer.len().saturating_add(body).saturating_add(OVERHEAD_BYTES) > MAX_BACKLOG_BYTES {
            return Err(RecordError::Backlog { limit: MAX_BACKLOG_BYTES });
        }
        Ok(())
    }

    fn push(&mut self, body: &[u8], hash: &Hash) {
        let before = self.buffer.len();
        frame::put(body, hash, &mut self.buffer);
        self.appended += u64::try_from(self.buffer.len() - before).unwrap_or_default();
        self.log_hash = log_hash(&self.log_hash, hash);
        self.records += 1;
    }

    /// Appends a record of what the log says of itself.
    fn keep_house(&mut self, at_micros: u64, kind: &str, fill: impl FnOnce(&mut Writer)) -> Result<(), RecordError> {
        let mut writer = std::mem::take(&mut self.writer);
        let name = Arc::clone(&self.housekeeping.name);
        let header = Header { version: VERSION, session: &name, seq: self.housekeeping.seq + 1, at_micros, kind };
        writer.begin(&header);
        fill(&mut writer);
        let (body, hash) = writer.finish(&self.housekeeping.hash, &header)?;
        self.push(body, &hash);
        self.housekeeping.seq += 1;
        self.housekeeping.hash = hash;
        self.writer = writer;
        Ok(())
    }

    /// Whether nothing was left behind.
    fn finished(&self) -> bool {
        self.buffer.is_empty() && self.signed_records == self.records
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll_synced(&self, position: u64, waker: &Waker) -> Poll<Result<(), RecordError>> {
        if self.synced.load(Ordering::Acquire) >= position {
            return Poll::Ready(Ok(()));
        }
        let mut state = self.lock();
        if self.synced.load(Ordering::Acquire) >= position {
            return Poll::Ready(Ok(()));
        }
        if let Some(reason) = &state.failure {
            return Poll::Ready(Err(RecordError::Failed(Arc::clone(reason))));
        }
        state.waiters.push((position, waker.clone()));
        state.wanted = state.wanted.max(position);
        if state.rest != Rest::Awake {
            state.rest = Rest::Awake;
            self.wake.notify_one();
        }
        Poll::Pending
    }

    fn is_written(&self, position: u64) -> bool {
        self.written.load(Ordering::Acquire) >= position
    }

    /// Makes sure that the kernel has everything before `position`: whoever comes first writes for all.
    fn write_up_to(&self, position: u64) -> Result<(), RecordError> {
        if self.is_written(position) {
            return Ok(());
        }
        let mut segment = self.segment.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_written(position) {
            return Ok(());
        }
        self.write_gathered(&mut segment)
    }

    /// Writes what has gathered. Holding the segment keeps the order.
    fn write_gathered(&self, segment: &mut Segment) -> Result<(), RecordError> {
        let up_to = {
            let mut state = self.lock();
            if let Some(reason) = &state.failure {
                return Err(RecordError::Failed(Arc::clone(reason)));
            }
            std::mem::swap(&mut state.buffer, segment.spare());
            state.appended
        };
        match segment.write_spare() {
            Ok(()) => {
                self.written.store(up_to, Ordering::Release);
                Ok(())
            }
            Err(error) => Err(self.fail(&format!("writing {}: {error}", segment.path().display()))),
        }
    }

    /// The end of this recorder: nothing more is appended, everyone who waits is told.
    fn fail(&self, reason: &str) -> RecordError {
        let (reason, waiters) = {
            let mut state = self.lock();
            let reason = Arc::clone(state.failure.get_or_insert_with(|| Arc::from(reason)));
            (reason, std::mem::take(&mut state.waiters))
        };
        tracing::error!(%reason, "the recorder failed; every operation is refused from now on");
        self.failed.send_replace(true);
        for (_position, waker) in waiters {
            waker.wake();
        }
        self.wake.notify_one();
        RecordError::Failed(reason)
    }
}
