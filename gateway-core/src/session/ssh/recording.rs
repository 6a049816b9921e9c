//! The record of a session over SSH: refusals, notes, outcomes. An operation that was let through and is dropped gets
//! the only true outcome there is.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
    time::Instant,
};

use super::conversation::{Books, Conversation};
use crate::{
    mask::{Detectors, Hit},
    model::{Operation, OperationNumber, Refusal, RefusalKind, SealSpan},
    record::{Event, Outcome, Position, RecordError, SealedText, SessionRecorder, Status},
};

/// What the detectors find in a text, to be sealed.
pub(super) fn spans(text: &str, detectors: &Detectors) -> Vec<SealSpan> {
    let mut hits: Vec<Hit> = Vec::new();
    detectors.find(text.as_bytes(), &mut hits);
    hits.into_iter().map(|hit| SealSpan { range: hit.range, class: Arc::from(hit.class.as_str()) }).collect()
}

/// The refusal of what cannot be recorded.
pub(super) fn unrecorded() -> Refusal {
    Refusal {
        kind: RefusalKind::Unrecorded,
        rule: None,
        message: "the gateway cannot record this, so it is not sent".to_owned(),
        hint: Some("Tell the gateway's operator.".to_owned()),
    }
}

impl Conversation {
    /// Does something with the record. After a failure nothing more is let through: the session ends.
    pub(super) fn record<T>(
        &self,
        with: impl FnOnce(&mut SessionRecorder) -> Result<T, RecordError>,
    ) -> Result<T, Refusal> {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let Books { recorder: Some(recorder), .. } = &mut *books else { return Err(unrecorded()) };
        with(recorder).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &RecordError) -> Refusal {
        tracing::error!(session = %self.id, %error, "something could not be recorded");
        if !matches!(error, RecordError::TooLong { .. } | RecordError::Backlog { .. }) {
            self.ended.cancel();
        }
        unrecorded()
    }

    /// Appends a fact.
    pub(super) fn append(&self, event: &Event<'_>) -> Result<Position, Refusal> {
        self.record(|recorder| recorder.append(event))
    }

    /// Waits until something is durable.
    pub(super) async fn durable<T>(&self, waiting: impl Future<Output = Result<T, RecordError>>) -> Result<T, Refusal> {
        waiting.await.map_err(|error| self.failed(&error))
    }

    /// Takes the number of the next operation.
    pub(super) fn number(&self) -> Result<OperationNumber, Refusal> {
        self.record(|recorder| Ok(recorder.number()))
    }

    /// Records a refusal, and gives back what the client is told.
    pub(super) fn refused(
        &self,
        number: OperationNumber,
        operations: &[Operation],
        text: &SealedText<'_>,
        refusal: Refusal,
    ) -> Refusal {
        self.count(|counts| {
            counts.refused += 1;
            counts.operations += 1;
        });
        match self.append(&Event::Refused { number, operations, text, refusal: &refusal }) {
            Ok(_position) => refusal,
            Err(unrecorded) => unrecorded,
        }
    }
}

/// An operation that was let through. Dropped, it is recorded as what it then is: not sent, or of unknown end.
pub(super) struct Open {
    conversation: Arc<Conversation>,
    pub(super) number: OperationNumber,
    started: Instant,
    sent: bool,
    over: bool,
    bytes: u64,
    masked: BTreeMap<String, u64>,
}

impl Open {
    pub(super) fn new(conversation: Arc<Conversation>, number: OperationNumber) -> Self {
        let (sent, over, masked) = (false, false, BTreeMap::new());
        Self { conversation, number, started: Instant::now(), sent, over, bytes: 0, masked }
    }

    /// From here on the machine may have seen it.
    pub(super) fn sent(&mut self) {
        self.sent = true;
    }

    /// Bytes went to the client.
    pub(super) fn add_bytes(&mut self, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.bytes = self.bytes.saturating_add(count);
        self.conversation.touch();
        self.conversation.meter.bytes(count);
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
        self.conversation.count(|counts| counts.masked += hidden);
        let outcome = Outcome {
            number: self.number,
            status,
            rows: 0,
            bytes: self.bytes,
            export: false,
            masked: &self.masked,
            duration_micros: u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
        };
        if self.conversation.append(&Event::Outcome(outcome)).is_err() {
            tracing::warn!(session = %self.conversation.id, "an outcome could not be recorded");
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.record(if self.sent { Status::Unknown } else { Status::Skipped });
    }
}
