//! What a waiting session holds until its request is settled.
//!
//! A ticket is the only source of a grant for what waits, and gives one. Made by `clerk`; held by `session`; spent by
//! `policy`.

use std::{fmt, sync::Arc};

use tokio::sync::{mpsc, watch};

use super::clerk::Attempt;
use crate::{
    approval::{Case, Grant, Oversight, State, Void},
    clock::WallClock,
    model::ApprovalId,
};

/// What one attempt is told of its request.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) case: Arc<Case>,
    /// The approval served another attempt of the same.
    pub(super) passed_over: bool,
}

impl Told {
    fn state(&self) -> State {
        if self.passed_over { State::Withdrawn } else { self.case.state().clone() }
    }
}

/// A place in the queue. Dropping it withdraws this attempt, and the request with its last one.
pub struct Ticket {
    id: ApprovalId,
    attempt: Attempt,
    digest: [u8; 32],
    told: watch::Receiver<Told>,
    withdrawals: mpsc::UnboundedSender<(ApprovalId, Attempt)>,
    clock: WallClock,
    oversight: Arc<dyn Oversight>,
}

impl fmt::Debug for Ticket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Ticket").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Ticket {
    pub(super) fn new(
        (id, attempt, digest): (ApprovalId, Attempt, [u8; 32]),
        told: watch::Receiver<Told>,
        withdrawals: mpsc::UnboundedSender<(ApprovalId, Attempt)>,
        clock: WallClock,
        oversight: Arc<dyn Oversight>,
    ) -> Self {
        Self { id, attempt, digest, told, withdrawals, clock, oversight }
    }

    /// The request's id. An attempt that joined an earlier one has the earlier one's.
    pub fn id(&self) -> &ApprovalId {
        &self.id
    }

    /// When the request lapses, milliseconds since 1970.
    pub fn expires_at_millis(&self) -> i64 {
        self.told.borrow().case.request().expires_at_millis
    }

    /// Where the request stands now.
    pub fn state(&self) -> State {
        self.told.borrow().state()
    }

    /// Waits for the next change and returns the new state. Cancel-safe. A desk that is gone counts as withdrawn.
    pub async fn changed(&mut self) -> State {
        match self.told.changed().await {
            Ok(()) => self.told.borrow_and_update().state(),
            Err(_closed) => {
                // FAIL-CLOSED: an approval that was published before the desk ended still stands; pending does not.
                let last = self.state();
                if last.is_pending() { State::Withdrawn } else { last }
            }
        }
    }

    /// Waits until the request is settled. Cancel-safe.
    pub async fn settled(&mut self) -> State {
        let mut state = self.told.borrow_and_update().state();
        while state.is_pending() {
            state = self.changed().await;
        }
        state
    }

    /// The one grant of an approved request, if it came in time, and if enough of those who approved still may.
    pub fn into_grant(self) -> Result<Grant, Void> {
        let case = {
            let told = self.told.borrow();
            if told.passed_over {
                return Err(Void::Undecided);
            }
            Arc::clone(&told.case)
        };
        let State::Approved { by } = case.state() else { return Err(Void::Undecided) };
        let request = case.request();
        if self.clock.unix_millis() >= request.expires_at_millis {
            return Err(Void::Lapsed);
        }
        if !case.stands(&|reviewer| self.oversight.groups(reviewer, request)) {
            return Err(Void::RightsEnded);
        }
        let need = &request.need;
        let grant = Grant::new(self.id.clone(), need.rules.clone(), need.quorums.clone(), self.digest, by.clone());
        Ok(grant.held_to(need.step_up.clone()))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // A desk that is gone has withdrawn everything itself.
        drop(self.withdrawals.send((self.id.clone(), self.attempt)));
    }
}
