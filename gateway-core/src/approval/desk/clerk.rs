//! The task behind the desk: it owns the pending cases and makes every change durable before anybody sees it.
//!
//! Runs commands one at a time; expires what is due before each. Identical requests wait as one case with several
//! attempts; an approval of an operation serves the newest of them only. Knows nothing of HTTP or sessions.

use std::{sync::Arc, time::Duration};

use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::{
    DeskError, Limits, MAX_SHOWN_BYTES, Storage, StorageError, SubmitError, Ticket, blocking,
    queue::{Left, Queue, Waiting},
};
use crate::{
    approval::{Case, Fact, Lease, LeaseKind, Leases, Oversight, Request, Review, ReviewError, State},
    clock::WallClock,
    model::{ApprovalId, ConnectionName, Principal},
};

/// How late an expiry may be noticed when the wall clock jumps.
const LONGEST_NAP: Duration = Duration::from_secs(5);

/// Which attempt of a request a ticket stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Attempt(u64);

/// What the desk asks of its task.
pub(super) enum Command {
    Submit { request: Box<Request>, reply: oneshot::Sender<Result<Ticket, SubmitError>> },
    Ask { request: Box<Request>, reply: oneshot::Sender<Result<ApprovalId, SubmitError>> },
    Review { id: ApprovalId, review: Box<Review>, reply: oneshot::Sender<Result<State, DeskError>> },
    Supersede { id: ApprovalId, reply: oneshot::Sender<Result<State, DeskError>> },
    Withdraw { id: ApprovalId, reply: oneshot::Sender<Result<State, DeskError>> },
    CloseOn { connection: ConnectionName, reply: oneshot::Sender<Result<(), DeskError>> },
    LogOut { who: Box<Principal>, reply: oneshot::Sender<Result<(), DeskError>> },
    Close { reply: oneshot::Sender<()> },
}

/// What the desk's task works with.
pub(super) struct Tools {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) clock: WallClock,
    pub(super) limits: Limits,
    pub(super) oversight: Arc<dyn Oversight>,
    pub(super) leases: watch::Sender<Leases>,
    pub(super) changes: broadcast::Sender<Arc<Case>>,
}

pub(super) struct Clerk {
    tools: Tools,
    queue: Queue,
    attempts: u64,
    leave: mpsc::UnboundedSender<(ApprovalId, Attempt)>,
    leaving: mpsc::UnboundedReceiver<(ApprovalId, Attempt)>,
}

impl Clerk {
    pub(super) fn new(tools: Tools) -> Self {
        // Unbounded but small: each ticket sends once.
        let (leave, leaving) = mpsc::unbounded_channel();
        Self { tools, queue: Queue::default(), attempts: 0, leave, leaving }
    }

    /// Tells whoever follows. Only after the change was stored: who follows from now on lists it.
    fn announce(&self, case: &Case) {
        if self.tools.changes.receiver_count() > 0 {
            // Whoever listened may have gone this moment.
            self.tools.changes.send(Arc::new(case.clone())).ok();
        }
    }

    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Command>) {
        loop {
            let nap = self.nap();
            tokio::select! {
                // Withdrawals first, so that a review never approves what nobody waits for.
                biased;
                Some((id, attempt)) = self.leaving.recv() => self.leave(&id, attempt).await,
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
            Command::Ask { request, reply } => drop(reply.send(self.ask(*request).await)),
            Command::Review { id, review, reply } => drop(reply.send(self.review(&id, *review).await)),
            Command::Supersede { id, reply } => drop(reply.send(self.settle(&id, Case::supersede).await)),
            Command::Withdraw { id, reply } => drop(reply.send(self.settle(&id, Case::withdraw).await)),
            Command::CloseOn { connection, reply } => drop(reply.send(self.close_on(&connection).await)),
            Command::LogOut { who, reply } => drop(reply.send(self.log_out(&who).await)),
            Command::Close { reply } => {
                self.close().await;
                reply.send(()).unwrap_or_default();
            }
        }
    }

    /// Takes a request that a session waits for; it joins one that is the same.
    async fn submit(&mut self, request: Request) -> Result<Ticket, SubmitError> {
        let digest = request.digest;
        let id = self.enter(request).await?;
        self.attempts += 1;
        let attempt = Attempt(self.attempts);
        let waiting = self.queue.get_mut(&id).ok_or(SubmitError::Closed)?;
        let told = waiting.attend(attempt, digest);
        let Tools { clock, oversight, .. } = &self.tools;
        let ticket =
            Ticket::new((id.clone(), attempt, digest), told, self.leave.clone(), clock.clone(), Arc::clone(oversight));
        // What is over as it begins is told as such.
        if !waiting.case.state().is_pending() {
            self.queue.remove(&id);
        }
        Ok(ticket)
    }

    /// Takes a request that nobody waits for on the wire: it stays until it is decided, withdrawn or over.
    async fn ask(&mut self, request: Request) -> Result<ApprovalId, SubmitError> {
        let id = self.enter(request).await?;
        match self.queue.get_mut(&id) {
            Some(waiting) if waiting.case.state().is_pending() => waiting.stays = true,
            _ => drop(self.queue.remove(&id)),
        }
        Ok(id)
    }

    async fn enter(&mut self, request: Request) -> Result<ApprovalId, SubmitError> {
        if let Some(earlier) = self.queue.same(&request)? {
            let mut case = earlier.case.clone();
            case.join(request);
            self.save(&case, None).await?;
            self.announce(&case);
            let id = case.request().id.clone();
            if let Some(waiting) = self.queue.get_mut(&id) {
                waiting.tell(case);
            }
            return Ok(id);
        }
        self.admit(&request)?;
        if request.window_millis().is_some() {
            self.tools.oversight.note(Fact::Asked(&request)).await.map_err(|error| StorageError(error.to_string()))?;
        }
        let mut case = Case::open(request);
        case.expire(self.tools.clock.unix_millis());
        self.save(&case, None).await?;
        self.announce(&case);
        let id = case.request().id.clone();
        self.queue.insert(id.clone(), Waiting::new(case));
        Ok(id)
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
        self.queue.admit(request, self.tools.limits)
    }

    async fn review(&mut self, id: &ApprovalId, review: Review) -> Result<State, DeskError> {
        let mut case = self.pending(id).await?;
        let (oversight, request) = (Arc::clone(&self.tools.oversight), case.request().clone());
        case.review(review, &|reviewer| oversight.groups(reviewer, &request))?;
        self.publish(case).await
    }

    async fn settle(&mut self, id: &ApprovalId, end: impl FnOnce(&mut Case) -> bool) -> Result<State, DeskError> {
        let mut case = self.pending(id).await?;
        end(&mut case);
        self.publish(case).await
    }

    /// An attempt is not waited for any more; the request goes with the last one.
    async fn leave(&mut self, id: &ApprovalId, attempt: Attempt) {
        let Some(waiting) = self.queue.get_mut(id) else { return };
        let mut case = waiting.case.clone();
        match waiting.leave(attempt) {
            Left::Others => return,
            Left::Newest(session, digest) => case.stand_for(session, digest),
            Left::Nobody => drop(case.withdraw()),
        }
        if let Err(failure) = self.publish(case).await {
            // The case leaves the queue either way; a restart marks it withdrawn in storage too.
            tracing::warn!(approval = %id, %failure, "a withdrawn request could not be stored");
            self.queue.remove(id);
        }
    }

    async fn expire_due(&mut self) {
        let now = self.tools.clock.unix_millis();
        for case in self.queue.due(now) {
            let id = case.request().id.clone();
            if let Err(failure) = self.publish(case.clone()).await {
                tracing::warn!(approval = %id, %failure, "an expired request could not be stored");
                // FAIL-CLOSED: its time is over whether or not that could be written down.
                if let Some(mut waiting) = self.queue.remove(&id) {
                    waiting.tell(case);
                }
            }
        }
        self.close_leases(now).await;
    }

    async fn close_on(&mut self, connection: &ConnectionName) -> Result<(), DeskError> {
        let (storage, on) = (Arc::clone(&self.tools.storage), connection.clone());
        blocking(move || storage.end_leases(&on)).await?;
        let (over, open): (Vec<Lease>, Vec<Lease>) =
            self.tools.leases.borrow().iter().cloned().partition(|lease| lease.connection == *connection);
        if !over.is_empty() {
            self.tools.leases.send_replace(Leases::new(open));
        }
        for lease in over {
            if let Err(failure) = self.tools.oversight.note(Fact::Closed(&lease, "its connection was changed")).await {
                tracing::error!(approval = %lease.approval, %failure, "the end of a lease could not be recorded");
            }
        }
        for id in self.queue.pending(|request| request.connection.name == *connection) {
            self.settle(&id, Case::supersede).await?;
        }
        Ok(())
    }

    async fn log_out(&mut self, who: &Principal) -> Result<(), DeskError> {
        let theirs =
            |request: &Request| request.session.is_none() && request.requester.everyone().any(|one| one.is(who));
        for id in self.queue.pending(theirs) {
            self.settle(&id, Case::withdraw).await?;
        }
        Ok(())
    }

    async fn close_leases(&mut self, now: i64) {
        let (open, over): (Vec<Lease>, Vec<Lease>) =
            self.tools.leases.borrow().iter().cloned().partition(|lease| lease.is_open(now));
        if over.is_empty() {
            return;
        }
        self.tools.leases.send_replace(Leases::new(open));
        for lease in over {
            if let Err(failure) = self.tools.oversight.note(Fact::Closed(&lease, "its time is over")).await {
                tracing::error!(approval = %lease.approval, %failure, "the end of a lease could not be recorded");
            }
        }
    }

    /// The pending case, or why there is none.
    async fn pending(&mut self, id: &ApprovalId) -> Result<Case, DeskError> {
        if let Some(waiting) = self.queue.get_mut(id) {
            return Ok(waiting.case.clone());
        }
        let storage = Arc::clone(&self.tools.storage);
        let wanted = id.clone();
        let stored = blocking(move || storage.load(&wanted)).await?;
        let case = stored.ok_or_else(|| DeskError::NotFound(id.clone()))?;
        // FAIL-CLOSED: pending in storage without a ticket here means that nobody waits any more.
        let word = if case.state().is_pending() { "withdrawn" } else { case.state().word() };
        Err(DeskError::Review(ReviewError::Settled(word)))
    }

    /// Stores the changed case, with what it opens, then shows it to who waits.
    async fn publish(&mut self, case: Case) -> Result<State, DeskError> {
        let opened = self.opened(&case).await?;
        self.save(&case, opened.clone()).await?;
        if let Some(lease) = opened {
            let mut leases: Vec<Lease> = self.tools.leases.borrow().iter().cloned().collect();
            leases.push(lease);
            // Before the approval is seen: who waits for it finds it open.
            self.tools.leases.send_replace(Leases::new(leases));
        }
        self.announce(&case);
        let (state, id) = (case.state().clone(), case.request().id.clone());
        if let Some(waiting) = self.queue.get_mut(&id) {
            waiting.tell(case);
        }
        if !state.is_pending() {
            self.queue.remove(&id);
        }
        Ok(state)
    }

    /// What an approval opens. It is on record before it is open; the end of a request for access is, in any case.
    async fn opened(&self, case: &Case) -> Result<Option<Lease>, DeskError> {
        let oversight = &self.tools.oversight;
        let unwritten = |error: crate::approval::Unwritten| DeskError::Storage(StorageError(error.to_string()));
        let is_access = case.request().window_millis().is_some();
        let State::Approved { by } = case.state() else {
            if is_access && !case.state().is_pending() {
                oversight.note(Fact::Decided(case)).await.map_err(unwritten)?;
            }
            return Ok(None);
        };
        let lease = Lease::of(case, by, self.tools.clock.unix_millis());
        if is_access {
            oversight.note(Fact::Decided(case)).await.map_err(unwritten)?;
        }
        if let Some(lease) = &lease {
            oversight.note(Fact::Opened(lease)).await.map_err(unwritten)?;
        }
        debug_assert!(
            !is_access || lease.as_ref().is_some_and(|lease| lease.kind == LeaseKind::Access),
            "approved access opens a window"
        );
        Ok(lease)
    }

    async fn save(&self, case: &Case, opened: Option<Lease>) -> Result<(), StorageError> {
        let storage = Arc::clone(&self.tools.storage);
        let case = case.clone();
        blocking(move || match opened {
            Some(lease) => storage.save_opening(&case, &lease),
            None => storage.save(&case),
        })
        .await
    }

    fn nap(&self) -> Duration {
        let now = self.tools.clock.unix_millis();
        let lease_end = self.tools.leases.borrow().iter().map(|lease| lease.ends_at_millis).min();
        let next = self.queue.next_end().into_iter().chain(lease_end).min();
        let millis = next.map(|end| u64::try_from(end.saturating_sub(now)).unwrap_or(0));
        millis.map_or(LONGEST_NAP, Duration::from_millis).min(LONGEST_NAP)
    }

    async fn close(&mut self) {
        for id in self.queue.ids() {
            if let Err(failure) = self.settle(&id, Case::withdraw).await {
                tracing::warn!(approval = %id, %failure, "a withdrawn request could not be stored");
            }
        }
    }
}
