//! The task behind the desk: it owns the pending cases and makes every change durable before anybody sees it.
//!
//! Runs commands one at a time; expires what is due before each. Knows nothing of HTTP or sessions.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::{DeskError, Limits, MAX_SHOWN_BYTES, Storage, StorageError, SubmitError, Ticket, blocking};
use crate::{
    approval::{Case, Request, Review, ReviewError, State},
    clock::WallClock,
    model::ApprovalId,
};

/// How late an expiry may be noticed when the wall clock jumps.
const LONGEST_NAP: Duration = Duration::from_secs(5);

/// What the desk asks of its task.
pub(super) enum Command {
    Submit { request: Box<Request>, reply: oneshot::Sender<Result<Ticket, SubmitError>> },
    Review { id: ApprovalId, review: Box<Review>, reply: oneshot::Sender<Result<State, DeskError>> },
    Supersede { id: ApprovalId, reply: oneshot::Sender<Result<State, DeskError>> },
}

struct Waiting {
    case: Case,
    states: watch::Sender<State>,
}

pub(super) struct Clerk {
    storage: Arc<dyn Storage>,
    clock: WallClock,
    limits: Limits,
    waiting: BTreeMap<ApprovalId, Waiting>,
    withdrawals: (mpsc::UnboundedSender<ApprovalId>, mpsc::UnboundedReceiver<ApprovalId>),
    changes: broadcast::Sender<Arc<Case>>,
}

impl Clerk {
    pub(super) fn new(
        storage: Arc<dyn Storage>,
        clock: WallClock,
        limits: Limits,
        changes: broadcast::Sender<Arc<Case>>,
    ) -> Self {
        // Unbounded but small: each pending ticket sends at most once.
        Self { storage, clock, limits, waiting: BTreeMap::new(), withdrawals: mpsc::unbounded_channel(), changes }
    }

    /// Tells whoever follows. Only after the change was stored: who follows from now on lists it.
    fn announce(&self, case: &Case) {
        if self.changes.receiver_count() > 0 {
            // Whoever listened may have gone this moment.
            self.changes.send(Arc::new(case.clone())).ok();
        }
    }

    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Command>) {
        loop {
            let nap = self.nap();
            tokio::select! {
                // Withdrawals first, so that a review never approves what nobody waits for.
                biased;
                Some(id) = self.withdrawals.1.recv() => self.withdraw(&id).await,
                command = inbox.recv() => match command {
                    Some(command) => self.obey(command).await,
                    None => break,
                },
                () = tokio::time::sleep(nap) => {}
            }
            self.expire_due().await;
        }
        self.close().await;
    }

    async fn obey(&mut self, command: Command) {
        self.expire_due().await;
        // A caller that went away does not want the answer; the change stands.
        match command {
            Command::Submit { request, reply } => drop(reply.send(self.submit(*request).await)),
            Command::Review { id, review, reply } => drop(reply.send(self.review(&id, *review).await)),
            Command::Supersede { id, reply } => drop(reply.send(self.supersede(&id).await)),
        }
    }

    async fn submit(&mut self, request: Request) -> Result<Ticket, SubmitError> {
        self.admit(&request)?;
        let mut case = Case::open(request);
        case.expire(self.clock.unix_millis());
        self.save(&case).await?;
        self.announce(&case);
        let (sender, states) = watch::channel(case.state().clone());
        let ticket = Ticket::new(case.request(), states, self.withdrawals.0.clone(), self.clock.clone());
        if case.state().is_pending() {
            self.waiting.insert(case.request().id.clone(), Waiting { case, states: sender });
        }
        Ok(ticket)
    }

    fn admit(&self, request: &Request) -> Result<(), SubmitError> {
        if request.need.quorums.is_empty() {
            return Err(SubmitError::NoQuorum);
        }
        let parameters = request.parameters.iter().flatten().map(String::len);
        let shown = parameters.fold(request.text.len(), usize::saturating_add);
        if shown > MAX_SHOWN_BYTES {
            return Err(SubmitError::TooLarge(shown));
        }
        if self.waiting.contains_key(&request.id) {
            return Err(SubmitError::Duplicate);
        }
        if self.waiting.len() >= self.limits.pending {
            return Err(SubmitError::TooMany(self.waiting.len()));
        }
        let who = &request.requester;
        let asked = |waiting: &&Waiting| {
            let requester = &waiting.case.request().requester;
            requester.kind == who.kind && requester.name == who.name
        };
        let yours = self.waiting.values().filter(asked).count();
        if yours >= self.limits.pending_per_principal {
            return Err(SubmitError::TooManyOfYours(yours));
        }
        Ok(())
    }

    async fn review(&mut self, id: &ApprovalId, review: Review) -> Result<State, DeskError> {
        let mut case = self.pending(id).await?;
        case.review(review)?;
        self.publish(case).await
    }

    async fn supersede(&mut self, id: &ApprovalId) -> Result<State, DeskError> {
        let mut case = self.pending(id).await?;
        case.supersede();
        self.publish(case).await
    }

    async fn withdraw(&mut self, id: &ApprovalId) {
        let Some(waiting) = self.waiting.get(id) else { return };
        let mut case = waiting.case.clone();
        case.withdraw();
        if let Err(failure) = self.publish(case).await {
            // The case leaves the queue either way; a restart marks it withdrawn in storage too.
            tracing::warn!(approval = %id, %failure, "a withdrawn request could not be stored");
            self.waiting.remove(id);
        }
    }

    async fn expire_due(&mut self) {
        let now = self.clock.unix_millis();
        let due: Vec<Case> = self
            .waiting
            .values()
            .map(|waiting| waiting.case.clone())
            .filter_map(|mut case| case.expire(now).then_some(case))
            .collect();
        for case in due {
            let id = case.request().id.clone();
            if let Err(failure) = self.publish(case).await {
                tracing::warn!(approval = %id, %failure, "an expired request could not be stored");
                // FAIL-CLOSED: its time is over whether or not that could be written down.
                if let Some(waiting) = self.waiting.remove(&id) {
                    waiting.states.send_replace(State::Expired);
                }
            }
        }
    }

    /// The pending case, or why there is none.
    async fn pending(&mut self, id: &ApprovalId) -> Result<Case, DeskError> {
        if let Some(waiting) = self.waiting.get(id) {
            return Ok(waiting.case.clone());
        }
        let storage = Arc::clone(&self.storage);
        let wanted = id.clone();
        let stored = blocking(move || storage.load(&wanted)).await?;
        let case = stored.ok_or_else(|| DeskError::NotFound(id.clone()))?;
        // FAIL-CLOSED: pending in storage without a ticket here means that nobody waits any more.
        let word = if case.state().is_pending() { "withdrawn" } else { case.state().word() };
        Err(DeskError::Review(ReviewError::Settled(word)))
    }

    /// Stores the changed case, then shows it to its ticket.
    async fn publish(&mut self, case: Case) -> Result<State, DeskError> {
        self.save(&case).await?;
        self.announce(&case);
        let state = case.state().clone();
        let id = case.request().id.clone();
        if let Some(mut waiting) = self.waiting.remove(&id) {
            waiting.states.send_replace(state.clone());
            if state.is_pending() {
                waiting.case = case;
                self.waiting.insert(id, waiting);
            }
        }
        Ok(state)
    }

    async fn save(&self, case: &Case) -> Result<(), StorageError> {
        let storage = Arc::clone(&self.storage);
        let case = case.clone();
        blocking(move || storage.save(&case)).await
    }

    fn nap(&self) -> Duration {
        let now = self.clock.unix_millis();
        let next = self.waiting.values().map(|waiting| waiting.case.request().expires_at_millis - now).min();
        next.map_or(LONGEST_NAP, |millis| Duration::from_millis(u64::try_from(millis).unwrap_or(0))).min(LONGEST_NAP)
    }

    async fn close(mut self) {
        let ids: Vec<ApprovalId> = self.waiting.keys().cloned().collect();
        for id in ids {
            self.withdraw(&id).await;
        }
    }
}
