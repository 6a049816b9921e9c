//! The pending cases with who waits for each, in memory. Every change comes from `clerk`, after it was stored.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::watch;

use super::{Limits, SubmitError, clerk::Attempt, ticket::Told};
use crate::{
    approval::{Asks, Case, Request, State},
    model::{ApprovalId, Principal, SessionId},
};

/// How often the same may wait at once.
const MAX_ATTEMPTS: usize = 50;

/// One session that waits.
struct Waiter {
    attempt: Attempt,
    session: Option<SessionId>,
    digest: [u8; 32],
    told: watch::Sender<Told>,
}

/// A pending case, and who waits for it, in order.
pub(super) struct Waiting {
    pub(super) case: Case,
    /// It waits whether or not a session does.
    pub(super) stays: bool,
    waiters: Vec<Waiter>,
}

/// Who still waits after one left.
pub(super) enum Left {
    /// Others, and the newest of them is who it was.
    Others,
    /// Others, of whom another is the newest now.
    Newest(Option<SessionId>, [u8; 32]),
    /// Nobody.
    Nobody,
}

impl Waiting {
    pub(super) fn new(case: Case) -> Self {
        Self { case, stays: false, waiters: Vec::new() }
    }

    /// Adds a session that waits.
    pub(super) fn attend(&mut self, attempt: Attempt, digest: [u8; 32]) -> watch::Receiver<Told> {
        let (told, receiver) = watch::channel(Told { case: Arc::new(self.case.clone()), passed_over: false });
        self.waiters.push(Waiter { attempt, session: self.case.request().session.clone(), digest, told });
        receiver
    }

    /// Takes one away that does not wait any more.
    pub(super) fn leave(&mut self, attempt: Attempt) -> Left {
        let newest = self.waiters.last().map(|waiter| waiter.attempt);
        self.waiters.retain(|waiter| waiter.attempt != attempt);
        match self.waiters.last() {
            Some(_) if newest != Some(attempt) => Left::Others,
            Some(waiter) => Left::Newest(waiter.session.clone(), waiter.digest),
            None if self.stays => Left::Others,
            None => Left::Nobody,
        }
    }

    /// Shows the case to who waits. An approved operation is the newest attempt's alone; access is everybody's.
    pub(super) fn tell(&mut self, case: Case) {
        let approved = matches!(case.state(), State::Approved { .. });
        let for_one = approved && case.request().asks == Asks::Operation;
        let shown = Arc::new(case.clone());
        let newest = self.waiters.last().map(|waiter| waiter.attempt);
        for waiter in &self.waiters {
            let passed_over = for_one && newest != Some(waiter.attempt);
            waiter.told.send_replace(Told { case: Arc::clone(&shown), passed_over });
        }
        self.case = case;
    }
}

/// The pending cases.
#[derive(Default)]
pub(super) struct Queue(BTreeMap<ApprovalId, Waiting>);

impl Queue {
    pub(super) fn get_mut(&mut self, id: &ApprovalId) -> Option<&mut Waiting> {
        self.0.get_mut(id)
    }

    pub(super) fn insert(&mut self, id: ApprovalId, waiting: Waiting) {
        self.0.insert(id, waiting);
    }

    pub(super) fn remove(&mut self, id: &ApprovalId) -> Option<Waiting> {
        self.0.remove(id)
    }

    pub(super) fn ids(&self) -> Vec<ApprovalId> {
        self.0.keys().cloned().collect()
    }

    /// The case that asks for the very same; refuses where too many wait for it already.
    pub(super) fn same(&self, request: &Request) -> Result<Option<&Waiting>, SubmitError> {
        let is_same = |waiting: &&Waiting| {
            let earlier = waiting.case.request();
            earlier.same == request.same
                && earlier.asks == request.asks
                && is_like(&earlier.requester, &request.requester)
                && earlier.connection == request.connection
                && earlier.need == request.need
        };
        match self.0.values().find(is_same) {
            Some(waiting) if waiting.waiters.len() >= MAX_ATTEMPTS => {
                Err(SubmitError::TooManyOfYours(waiting.waiters.len()))
            }
            found => Ok(found),
        }
    }

    /// Whether there is room for one more.
    pub(super) fn admit(&self, request: &Request, limits: Limits) -> Result<(), SubmitError> {
        if self.0.contains_key(&request.id) {
            return Err(SubmitError::Duplicate);
        }
        if self.0.len() >= limits.pending {
            return Err(SubmitError::TooMany(self.0.len()));
        }
        let yours = self.0.values().filter(|waiting| is_same(&waiting.case.request().requester, &request.requester));
        let yours = yours.count();
        if yours >= limits.pending_per_principal {
            return Err(SubmitError::TooManyOfYours(yours));
        }
        Ok(())
    }

    /// The cases whose time is over, expired.
    pub(super) fn due(&self, now_millis: i64) -> Vec<Case> {
        let over = |waiting: &&Waiting| waiting.case.request().expires_at_millis <= now_millis;
        let cases = self.0.values().filter(over).map(|waiting| waiting.case.clone());
        cases.filter_map(|mut case| case.expire(now_millis).then_some(case)).collect()
    }

    /// The pending requests of a kind.
    pub(super) fn pending(&self, of: impl Fn(&Request) -> bool) -> Vec<ApprovalId> {
        let pending = self.0.values().filter(|waiting| waiting.case.state().is_pending());
        let requests = pending.map(|waiting| waiting.case.request());
        requests.filter(|request| of(request)).map(|request| request.id.clone()).collect()
    }

    /// When the next case's time is over.
    pub(super) fn next_end(&self) -> Option<i64> {
        self.0.values().map(|waiting| waiting.case.request().expires_at_millis).min()
    }
}

/// The same principal with the same rights; what else a token says may differ from login to login.
fn is_like(left: &Principal, right: &Principal) -> bool {
    is_same(left, right) && left.groups == right.groups && left.owner == right.owner
}

fn is_same(left: &Principal, right: &Principal) -> bool {
    left.kind == right.kind && left.name == right.name
}
