//! What a waiting session holds until its request is settled.
//!
//! A ticket is the only source of a grant, and gives one. Made by `clerk`; held by `session`; spent by `policy`.

use tokio::sync::{mpsc, watch};

use crate::{
    approval::{Grant, Request, State},
    clock::WallClock,
    model::{ApprovalId, Quorum, RuleId, StepUp},
};

/// A place in the queue. Dropping it withdraws the request, if it is still pending.
#[derive(Debug)]
pub struct Ticket {
    id: ApprovalId,
    rules: Vec<RuleId>,
    quorums: Vec<Quorum>,
    step_up: Vec<StepUp>,
    digest: [u8; 32],
    expires_at_millis: i64,
    states: watch::Receiver<State>,
    withdrawals: mpsc::UnboundedSender<ApprovalId>,
    clock: WallClock,
}

impl Ticket {
    pub(super) fn new(
        request: &Request,
        states: watch::Receiver<State>,
        withdrawals: mpsc::UnboundedSender<ApprovalId>,
        clock: WallClock,
    ) -> Self {
        Self {
            id: request.id.clone(),
            rules: request.need.rules.clone(),
            quorums: request.need.quorums.clone(),
            step_up: request.need.step_up.clone(),
            digest: request.digest,
            expires_at_millis: request.expires_at_millis,
            states,
            withdrawals,
            clock,
        }
    }

    /// The request's id.
    pub fn id(&self) -> &ApprovalId {
        &self.id
    }

    /// When the request lapses, milliseconds since 1970.
    pub fn expires_at_millis(&self) -> i64 {
        self.expires_at_millis
    }

    /// Where the request stands now.
    pub fn state(&self) -> State {
        self.states.borrow().clone()
    }

    /// Waits for the next change and returns the new state. Cancel-safe. A desk that is gone counts as withdrawn.
    pub async fn changed(&mut self) -> State {
        match self.states.changed().await {
            Ok(()) => self.states.borrow_and_update().clone(),
            Err(_closed) => {
                // FAIL-CLOSED: an approval that was published before the desk ended still stands; pending does not.
                let last = self.state();
                if last.is_pending() { State::Withdrawn } else { last }
            }
        }
    }

    /// Waits until the request is settled. Cancel-safe.
    pub async fn settled(&mut self) -> State {
        let mut state = self.states.borrow_and_update().clone();
        while state.is_pending() {
            state = self.changed().await;
        }
        state
    }

    /// The one grant of an approved request; `None` in any other state, and after the expiry.
    pub fn into_grant(self) -> Option<Grant> {
        let by = match &*self.states.borrow() {
            State::Approved { by } => by.clone(),
            State::Pending { .. } | State::Denied { .. } | State::Expired | State::Withdrawn | State::Superseded => {
                return None;
            }
        };
        if self.clock.unix_millis() >= self.expires_at_millis {
            return None;
        }
        let grant = Grant::new(self.id.clone(), self.rules.clone(), self.quorums.clone(), self.digest, by);
        Some(grant.held_to(self.step_up.clone()))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // A desk that is gone has withdrawn everything itself.
        drop(self.withdrawals.send(self.id.clone()));
    }
}
