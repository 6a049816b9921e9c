//! What the rest of the gateway holds: the [`Recorder`] of the process and a [`SessionRecorder`] for each session.

use std::{
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use tokio::sync::watch;

use crate::{
    model::{OperationNumber, SessionId},
    policy::Permitted,
};

use super::{
    Admitted, Asked, Durability, Event, GatewayEvent, Own, OwnPurpose, RecordError, RecordKeys, Recorded, SessionFacts,
};

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

/// The gateway's recorder.
#[derive(Debug, Clone)]
pub struct Recorder {
    failed: watch::Receiver<bool>,
}

fn unbuilt() -> RecordError {
    RecordError::Failed(Arc::from("the log is not built yet"))
}

impl Recorder {
    /// Opens the log in `directory`, repairs a torn tail and marks what was left open.
    pub fn open(
        _directory: &Path,
        _keys: RecordKeys,
        _durability: Durability,
        _clock: Arc<dyn Clock>,
    ) -> Result<(Self, Recovery), RecordError> {
        Err(unbuilt())
    }

    /// Starts the recording of a session.
    pub fn session(&self, _facts: SessionFacts) -> Result<SessionRecorder, RecordError> {
        Err(unbuilt())
    }

    /// Records a fact about the gateway itself; on its way to the disk when this returns.
    pub fn gateway(&self, _event: GatewayEvent) -> Result<Position, RecordError> {
        Err(unbuilt())
    }

    /// Waits until everything up to `position` is durable.
    pub async fn durable(&self, _position: Position) -> Result<(), RecordError> {
        Err(unbuilt())
    }

    /// Turns true once, when the recorder failed for good: sessions must close.
    pub fn failed(&self) -> watch::Receiver<bool> {
        self.failed.clone()
    }

    /// Ends open chains, signs and syncs; blocks for the disk.
    pub fn close(&self) -> Result<(), RecordError> {
        Err(unbuilt())
    }
}

/// The recording of one session.
#[derive(Debug)]
pub struct SessionRecorder {
    id: SessionId,
    next: u64,
}

impl SessionRecorder {
    /// Whose recording this is.
    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// The number for the next operation, from 1.
    pub fn number(&mut self) -> OperationNumber {
        self.next += 1;
        OperationNumber(self.next)
    }

    /// Appends a fact; durable once [`Self::durable`] says so.
    pub fn append(&mut self, _event: &Event<'_>) -> Result<Position, RecordError> {
        Err(unbuilt())
    }

    /// Waits until everything up to `position` is durable. Cancel-safe.
    pub async fn durable(&self, _position: Position) -> Result<(), RecordError> {
        Err(unbuilt())
    }

    /// Appends a permitted message; it can be sent only after [`Self::settle`].
    pub fn admit<M>(&mut self, _permitted: Permitted<M>, _asked: &Asked<'_>) -> Result<Admitted<M>, RecordError> {
        Err(unbuilt())
    }

    /// Waits until all of them are durable, with one wait. Cancelled, the messages are dropped unsent.
    pub async fn settle<M>(
        &mut self,
        admitted: impl IntoIterator<Item = Admitted<M>>,
    ) -> Result<Vec<Recorded<Permitted<M>>>, RecordError> {
        Ok(admitted
            .into_iter()
            .map(|admitted| {
                let _ = admitted.position;
                Recorded::new(admitted.permitted)
            })
            .take(0)
            .collect())
    }

    /// Notes what the gateway itself sends.
    pub fn own<M>(&mut self, purpose: OwnPurpose, message: M) -> Result<Recorded<Own<M>>, RecordError> {
        let _ = Recorded::new(Own::new(purpose, message));
        Err(unbuilt())
    }

    /// Ends the recording with its signed head. A dropped recorder ends as `connection lost`.
    pub fn end(self, _reason: &str) -> Result<Position, RecordError> {
        Err(unbuilt())
    }
}
