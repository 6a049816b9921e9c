//! The record of a session whose operations overlap, and what was counted: facts, refusals, its end.
//!
//! What cannot be recorded is refused, and nothing more is let through: the session ends.

use std::sync::PoisonError;

use super::{ending::Ending, environment::Environment, shared::SharedSession};
use crate::{
    mask::{Detectors, Hit},
    model::{Operation, OperationNumber, Refusal, RefusalKind, SealSpan},
    record::{Event, Position, RecordError, SealedText, SessionRecorder},
    store::SessionCounts,
};

/// The record and what was counted; no record once the session is over.
#[derive(Debug)]
pub(super) struct Books {
    recorder: Option<SessionRecorder>,
    counts: SessionCounts,
}

impl Books {
    pub(super) fn new(recorder: SessionRecorder) -> Self {
        Self { recorder: Some(recorder), counts: SessionCounts::default() }
    }
}

impl Environment {
    /// A text as it is recorded: what the detectors find is sealed, and what is known to be sealed besides.
    pub(super) fn sealed<'text>(&self, text: &'text str, known: &[SealSpan]) -> SealedText<'text> {
        let spans: Vec<_> = known.iter().cloned().chain(spans(text, &self.detectors)).collect();
        SealedText::new(text, &spans, &[], &self.sealer)
    }
}

/// What the detectors find in a text, to be sealed.
pub(super) fn spans(text: &str, detectors: &Detectors) -> Vec<SealSpan> {
    let mut hits: Vec<Hit> = Vec::new();
    detectors.find(text.as_bytes(), &mut hits);
    hits.into_iter().map(|hit| SealSpan { range: hit.range, class: hit.class.as_str().into() }).collect()
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

impl SharedSession {
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

    /// Changes the counts, for whoever watches.
    pub(super) fn count(&self, change: impl FnOnce(&mut SessionCounts)) {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut books.counts);
        self.live.set(books.counts);
    }

    /// Ends the record and the index.
    pub(super) async fn end(&self, ending: &Ending) {
        let (recorder, counts) = {
            let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
            (books.recorder.take(), books.counts)
        };
        let (reason, now) = (ending.reason(), self.environment.clock.unix_millis());
        if let Some(Err(error)) = recorder.map(|recorder| recorder.end(&reason)) {
            tracing::error!(session = %self.id, %error, "the end of a session could not be recorded");
        }
        if let Err(error) = self.environment.index.ended(&self.id, now, reason, counts).await {
            tracing::error!(session = %self.id, %error, "the end of a session could not be indexed");
        }
    }
}
