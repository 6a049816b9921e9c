//! An operation that was let through, until its outcome is on record. Dropped, it gets the only true one there is: not
//! sent, or of unknown end.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use tokio_util::task::task_tracker::TaskTrackerToken;

use super::shared::SharedSession;
use crate::{
    model::{OperationNumber, Refusal},
    policy::Permitted,
    record::{Admitted, Asked, Event, Outcome, Status},
};

/// Such an operation.
#[derive(Debug)]
pub(super) struct Open {
    session: Arc<SharedSession>,
    pub(super) number: OperationNumber,
    started: Instant,
    sent: bool,
    over: bool,
    /// Bytes that went to the client.
    bytes: u64,
    masked: BTreeMap<String, u64>,
    /// The session's record stays open for as long.
    _alive: TaskTrackerToken,
}

impl SharedSession {
    /// Puts on record what may go. It leaves once that is durable.
    pub(super) fn admit<M>(
        self: &Arc<Self>,
        permitted: Permitted<M>,
        asked: &Asked<'_>,
    ) -> Result<(Admitted<M>, Open), Refusal> {
        let admitted = self.record(|recorder| recorder.admit(permitted, asked))?;
        let open = Open::new(Arc::clone(self), asked.number);
        self.meter.operations(&self.served.facts.name, admitted.permitted().operations());
        self.count(|counts| counts.operations += 1);
        Ok((admitted, open))
    }
}

impl Open {
    fn new(session: Arc<SharedSession>, number: OperationNumber) -> Self {
        let (sent, over, masked, alive) = (false, false, BTreeMap::new(), session.tasks.token());
        Self { session, number, started: Instant::now(), sent, over, bytes: 0, masked, _alive: alive }
    }

    /// From here on the upstream may have seen it.
    pub(super) fn sent(&mut self) {
        self.sent = true;
    }

    /// Bytes went to the client.
    pub(super) fn add_bytes(&mut self, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.bytes = self.bytes.saturating_add(count);
        self.session.meter.bytes(count);
    }

    /// Counts what was masked.
    pub(super) fn add_masked(&mut self, more: BTreeMap<String, u64>) {
        for (class, count) in more {
            *self.masked.entry(class).or_default() += count;
        }
    }

    /// Records how it ended.
    pub(super) fn end(mut self, status: Status<'_>) {
        self.record(status);
    }

    fn record(&mut self, status: Status<'_>) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        let hidden: u64 = self.masked.values().sum();
        self.session.count(|counts| counts.masked += hidden);
        let outcome = Outcome {
            number: self.number,
            status,
            rows: 0,
            bytes: self.bytes,
            export: false,
            masked: &self.masked,
            duration_micros: u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
        };
        if self.session.append(&Event::Outcome(outcome)).is_err() {
            tracing::warn!(session = %self.session.id, "an outcome could not be recorded");
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.record(if self.sent { Status::Unknown } else { Status::Skipped });
    }
}
