//! The record of a session over HTTP: refusals, notes, outcomes. An operation that was let through and is dropped gets
//! the only true outcome there is.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
    time::Instant,
};

use tokio_util::task::task_tracker::TaskTrackerToken;

use super::conversation::{Books, Conversation};
use crate::{
    mask::{Detectors, Hit},
    model::{Operation, OperationNumber, Refusal, RefusalKind, SealSpan},
    protocol::http::{dialect::Note, refuse::Rejection},
    record::{Event, Outcome, Position, RecordError, SealedText, SessionRecorder, Status},
};

/// What the detectors find in a text, to be sealed, with what is known to be sealed besides.
pub(super) fn spans(text: &str, known: &[SealSpan], detectors: &Detectors) -> Vec<SealSpan> {
    let mut hits: Vec<Hit> = Vec::new();
    detectors.find(text.as_bytes(), &mut hits);
    let found = hits.into_iter().map(|hit| SealSpan { range: hit.range, class: Arc::from(hit.class.as_str()) });
    known.iter().cloned().chain(found).collect()
}

/// The refusal of what cannot be recorded.
pub(super) fn unrecorded() -> Rejection {
    Rejection::from(Refusal {
        kind: RefusalKind::Unrecorded,
        rule: None,
        message: "the gateway cannot record this request, so it is not sent".to_owned(),
        hint: Some("Tell the gateway's operator.".to_owned()),
    })
}

impl Conversation {
    /// Does something with the record. After a failure nothing more is let through: the session ends.
    pub(super) fn record<T>(
        &self,
        with: impl FnOnce(&mut SessionRecorder) -> Result<T, RecordError>,
    ) -> Result<T, Rejection> {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let Books { recorder: Some(recorder), .. } = &mut *books else { return Err(unrecorded()) };
        with(recorder).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &RecordError) -> Rejection {
        tracing::error!(session = %self.id, %error, "a request could not be recorded");
        if !matches!(error, RecordError::TooLong { .. } | RecordError::Backlog { .. }) {
            self.ended.cancel();
        }
        unrecorded()
    }

    /// Appends a fact.
    pub(super) fn append(&self, event: &Event<'_>) -> Result<Position, Rejection> {
        self.record(|recorder| recorder.append(event))
    }

    /// Waits until something is durable.
    pub(super) async fn durable<T>(
        &self,
        waiting: impl Future<Output = Result<T, RecordError>>,
    ) -> Result<T, Rejection> {
        waiting.await.map_err(|error| self.failed(&error))
    }

    /// Takes the number of the next operation.
    pub(super) fn number(&self) -> Result<OperationNumber, Rejection> {
        self.record(|recorder| Ok(recorder.number()))
    }

    /// Records a refusal, and gives back what the client is told.
    pub(super) fn refused(
        &self,
        number: OperationNumber,
        operations: &[Operation],
        text: &SealedText<'_>,
        rejection: Rejection,
    ) -> Rejection {
        self.count(|counts| {
            counts.refused += 1;
            counts.operations += 1;
        });
        let refusal = &rejection.refusal;
        match self.append(&Event::Refused { number, operations, text, refusal }) {
            Ok(_position) => rejection,
            Err(unrecorded) => unrecorded,
        }
    }

    /// Records what was said around an operation.
    pub(super) fn note(&self, number: OperationNumber, notes: &[Note]) -> Result<(), Rejection> {
        for note in notes {
            let spans = spans(&note.text, &note.seals, &self.environment.detectors);
            let text = SealedText::new(&note.text, &spans, &[], &self.environment.sealer);
            self.append(&Event::Noted { number, kind: note.kind, text: &text, facts: &note.facts })?;
        }
        Ok(())
    }
}

/// An operation that was let through. Dropped, it is recorded as what it then is: not sent, or of unknown end.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) conversation: Arc<Conversation>,
    pub(super) number: OperationNumber,
    started: Instant,
    sent: bool,
    over: bool,
    /// Bytes that went to the client.
    pub(super) bytes: u64,
    masked: BTreeMap<String, u64>,
    /// The session's record stays open for as long.
    _alive: TaskTrackerToken,
}

impl Open {
    pub(super) fn new(conversation: Arc<Conversation>, number: OperationNumber) -> Self {
        let (sent, over, masked) = (false, false, BTreeMap::new());
        let alive = conversation.relays.token();
        Self { conversation, number, started: Instant::now(), sent, over, bytes: 0, masked, _alive: alive }
    }

    /// From here on the upstream may have seen it.
    pub(super) fn sent(&mut self) {
        self.sent = true;
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
        let duration_micros = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let hidden: u64 = self.masked.values().sum();
        self.conversation.count(|counts| counts.masked += hidden);
        let outcome = Outcome {
            number: self.number,
            status,
            rows: 0,
            bytes: self.bytes,
            export: false,
            masked: &self.masked,
            duration_micros,
        };
        if self.conversation.append(&Event::Outcome(outcome)).is_err() {
            tracing::warn!(session = %self.conversation.id, "an outcome could not be recorded");
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let status = if self.sent { Status::Unknown } else { Status::Skipped };
        self.record(status);
    }
}
