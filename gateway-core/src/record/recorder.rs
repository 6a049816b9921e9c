//! What the rest of the gateway holds: the [`Recorder`] of the process and a [`SessionRecorder`] for each session.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use tokio::sync::watch;

use super::{
    Admitted, Durability, GatewayEvent, Own, OwnPurpose, RecordError, RecordKeys, Recorded, SessionFacts,
    SessionRecorder,
    chain::{Hash, Header},
    checkpoint::session_statement,
    frame::{VERSION, Writer},
    log::{ChainHead, ChainKey, Log},
    recovery,
};
use crate::policy::Permitted;

/// The chain of what concerns the gateway itself.
pub(super) const GATEWAY_CHAIN: &str = "gateway";

/// The clock that records are stamped with.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Microseconds since 1970.
    fn unix_micros(&self) -> u64;
}

/// The system's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn unix_micros(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }
}

/// A place in the log: everything before it is durable once [`SessionRecorder::durable`] returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(pub(super) u64);

/// What opening the log repaired.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Bytes of a half-written record cut off.
    pub cut_bytes: u64,
    /// Operations marked `outcome unknown`.
    pub unknown_outcomes: u64,
    /// Sessions that were ended.
    pub ended_sessions: u64,
}

/// The gateway's recorder. Clones share one log; the last one dropped closes it.
#[derive(Debug, Clone)]
pub struct Recorder {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    gateway: Mutex<ChainWriter>,
    log: Arc<Log>,
    /// Held for as long as the log is open: one process writes.
    _lock: std::fs::File,
}

impl Recorder {
    /// Opens the log in `directory`, repairs a torn tail and marks what was left open. Blocks for the disk.
    ///
    /// Refuses a log that another process holds, and one that is damaged anywhere but in its last, half-written record.
    pub fn open(
        directory: &Path,
        keys: RecordKeys,
        durability: Durability,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, Recovery), RecordError> {
        Self::open_with_segments(directory, keys, durability, clock, recovery::SEGMENT_BYTES)
    }

    pub(super) fn open_with_segments(
        directory: &Path,
        keys: RecordKeys,
        durability: Durability,
        clock: Arc<dyn Clock>,
        segment_bytes: u64,
    ) -> Result<(Self, Recovery), RecordError> {
        let opened = recovery::open(directory, keys, durability, clock, segment_bytes)?;
        let inner = Inner { gateway: Mutex::new(opened.gateway), log: opened.log, _lock: opened.lock };
        Ok((Self { inner: Arc::new(inner) }, opened.recovery))
    }

    /// Starts the recording of a session.
    #[expect(clippy::needless_pass_by_value, reason = "the facts belong to the recording from here on")]
    pub fn session(&self, facts: SessionFacts) -> Result<SessionRecorder, RecordError> {
        SessionRecorder::start(&self.inner.log, &facts)
    }

    /// Appends a fact about the gateway itself; durable once [`Self::durable`] says so.
    pub fn gateway(&self, event: &GatewayEvent) -> Result<Position, RecordError> {
        let mut chain = self.inner.gateway.lock().unwrap_or_else(PoisonError::into_inner);
        chain.append(super::fields::gateway_kind(event), |to| super::fields::gateway(event, to))
    }

    /// Notes durably what the gateway itself sends for somebody outside of a session, and gives the proof that lets it
    /// pass.
    pub async fn own<M>(
        &self,
        event: &GatewayEvent,
        purpose: OwnPurpose,
        message: M,
    ) -> Result<Recorded<Own<M>>, RecordError> {
        let position = self.gateway(event)?;
        self.durable(position).await?;
        Ok(Recorded::new(Own::new(purpose, message)))
    }

    /// Waits until an admitted message is durable, for sessions that admit several at a time. Cancelled, the message is
    /// dropped unsent.
    pub async fn settle<M>(&self, admitted: Admitted<M>) -> Result<Recorded<Permitted<M>>, RecordError> {
        self.durable(admitted.position).await?;
        Ok(Recorded::new(admitted.permitted))
    }

    /// Waits until everything up to `position` is durable. Cancel-safe.
    pub async fn durable(&self, position: Position) -> Result<(), RecordError> {
        self.inner.log.durable(position).await
    }

    /// Turns true once, when the recorder failed for good: sessions must close.
    pub fn failed(&self) -> watch::Receiver<bool> {
        self.inner.log.failed()
    }

    /// Changes whenever something is appended, by whomever.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.inner.log.news()
    }

    /// Where the log is, for [`super::read`].
    pub fn directory(&self) -> &Path {
        self.inner.log.directory()
    }

    /// What seals texts for these recordings.
    pub fn sealer(&self) -> &Arc<super::Sealer> {
        self.inner.log.keys().sealer()
    }

    /// Signs and syncs what is left and stops; everything later is refused. Blocks for the disk.
    pub fn close(&self) -> Result<(), RecordError> {
        self.inner.log.close()
    }

    /// Hands what is gathered to the kernel, so that a reader sees it.
    pub fn flush(&self) -> Result<(), RecordError> {
        self.inner.log.flush()
    }

    #[cfg(test)]
    pub(super) fn log(&self) -> &Log {
        &self.inner.log
    }
}

/// Writes the records of one chain.
#[derive(Debug)]
pub(super) struct ChainWriter {
    log: Arc<Log>,
    key: ChainKey,
    head: ChainHead,
    writer: Writer,
}

impl ChainWriter {
    /// Continues a chain where it stands.
    pub(super) fn new(log: Arc<Log>, head: ChainHead) -> Self {
        let key = log.open_chain(head.clone());
        Self { log, key, head, writer: Writer::default() }
    }

    /// Appends a record. After an error the chain stands where it stood.
    pub(super) fn append(&mut self, kind: &str, fill: impl FnOnce(&mut Writer)) -> Result<Position, RecordError> {
        let header = Header {
            version: VERSION,
            session: &self.head.name,
            seq: self.head.seq + 1,
            at_micros: self.log.now_micros(),
            kind,
        };
        self.writer.begin(&header);
        fill(&mut self.writer);
        let (body, hash): (&[u8], Hash) = self.writer.finish(&self.head.hash, &header)?;
        let position = self.log.append(self.key, body, &hash)?;
        self.head.seq += 1;
        self.head.hash = hash;
        Ok(position)
    }

    /// Appends the signed head, the last record of a session.
    pub(super) fn finish(&mut self) -> Result<Position, RecordError> {
        let signature = self.log.keys().sign(&session_statement(&self.head)).ok_or(RecordError::Randomness)?;
        self.append("session_head", |to| to.field("signature", &BASE64.encode(signature)))
    }

    /// Forgets the chain; nothing may be appended to it afterwards.
    pub(super) fn forget(&self) {
        self.log.close_chain(self.key);
    }

    pub(super) fn log(&self) -> &Arc<Log> {
        &self.log
    }
}
