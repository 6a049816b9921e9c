//! The recording of one session: numbers its operations, turns permits into proof, counts, and ends with a signed head.
//!
//! Called by `session`'s relay. Everything is refused from the first failure on.

use std::sync::Arc;

use crate::{
    model::{OperationNumber, SessionId},
    policy::Permitted,
};

use super::{
    Admitted, Asked, Event, Own, OwnPurpose, Position, RecordError, Recorded, SessionFacts, Step,
    counts::Counts,
    fields,
    log::{ChainHead, Log},
    recorder::ChainWriter,
};

/// The recording of one session. Dropped without [`Self::end`], it ends as `connection lost`.
#[derive(Debug)]
pub struct SessionRecorder {
    id: SessionId,
    numbered: u64,
    chain: ChainWriter,
    counts: Counts,
    begun: Position,
    ended: bool,
}

impl SessionRecorder {
    pub(super) fn start(log: &Arc<Log>, facts: &SessionFacts) -> Result<Self, RecordError> {
        let mut chain = ChainWriter::new(Arc::clone(log), ChainHead::new(Arc::from(facts.id.as_str())));
        let begun = match chain.append("session_started", |to| fields::session_started(facts, to)) {
            Ok(begun) => begun,
            Err(error) => {
                chain.forget();
                return Err(error);
            }
        };
        Ok(Self { id: facts.id.clone(), numbered: 0, chain, counts: Counts::default(), begun, ended: false })
    }

    /// Whose recording this is.
    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// Where its first record stands: durable before the session is told of to anybody.
    pub fn begun(&self) -> Position {
        self.begun
    }

    /// What it did so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The number for the next operation, from 1.
    pub fn number(&mut self) -> OperationNumber {
        self.numbered += 1;
        OperationNumber(self.numbered)
    }

    /// Appends a fact; durable once [`Self::durable`] says so.
    pub fn append(&mut self, event: &Event<'_>) -> Result<Position, RecordError> {
        let position = self.chain.append(fields::kind(event), |to| fields::event(event, to))?;
        self.counts.count(event);
        Ok(position)
    }

    /// Waits until everything up to `position` is durable. Cancel-safe.
    pub async fn durable(&self, position: Position) -> Result<(), RecordError> {
        self.chain.log().durable(position).await
    }

    /// Appends a permitted message; it can be sent only after [`Self::settle`].
    pub fn admit<M>(&mut self, permitted: Permitted<M>, asked: &Asked<'_>) -> Result<Admitted<M>, RecordError> {
        let position = self.chain.append(fields::asked_kind(asked.step), |to| fields::asked(&permitted, asked, to))?;
        if asked.step == Step::Execute {
            self.counts.operations += 1;
        }
        Ok(Admitted { permitted, position })
    }

    /// Waits until all of them are durable, with one wait. Cancelled, the messages are dropped unsent.
    pub async fn settle<M>(
        &mut self,
        admitted: impl IntoIterator<Item = Admitted<M>>,
    ) -> Result<Vec<Recorded<Permitted<M>>>, RecordError> {
        let admitted: Vec<Admitted<M>> = admitted.into_iter().collect();
        if let Some(last) = admitted.iter().map(|one| one.position).max() {
            self.durable(last).await?;
        }
        Ok(admitted.into_iter().map(|one| Recorded::new(one.permitted)).collect())
    }

    /// Notes what the gateway itself sends, and gives the proof that lets it pass.
    pub fn own<M>(&mut self, purpose: OwnPurpose, message: M) -> Result<Recorded<Own<M>>, RecordError> {
        self.chain.append("gateway_sent", |to| to.field("purpose", purpose.as_str()))?;
        Ok(Recorded::new(Own::new(purpose, message)))
    }

    /// Ends the recording with its signed head.
    pub fn end(mut self, reason: &str) -> Result<Position, RecordError> {
        self.finish(reason)
    }

    fn finish(&mut self, reason: &str) -> Result<Position, RecordError> {
        self.ended = true;
        let counts = self.counts;
        let ended = self.chain.append("session_ended", |to| {
            to.field("reason", reason);
            counts.fields(to);
        });
        let position = match ended {
            Ok(_position) => self.chain.finish(),
            Err(error) => Err(error),
        };
        self.chain.forget();
        position
    }
}

impl Drop for SessionRecorder {
    fn drop(&mut self) {
        if !self.ended
            && let Err(error) = self.finish("connection lost")
        {
            tracing::warn!(session = %self.id, %error, "the end of a session was not recorded");
        }
    }
}
