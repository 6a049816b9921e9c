//! The async shell around the state machine: tickets, the expiry timer, and storage before every visible change.
//!
//! One task owns the pending cases, so that a caller who goes away half-way leaves nothing half-done. `session`
//! submits and waits on a [`Ticket`]; `api` lists and reviews. Knows no policy and no protocol.

mod clerk;
mod queue;
mod ticket;

use std::{collections::BTreeSet, fmt, sync::Arc};

use tokio::sync::{broadcast, mpsc, oneshot, watch};

use self::clerk::{Clerk, Command, Tools};
pub use self::ticket::Ticket;
use super::{Case, Lease, Leases, Oversight, Request, Review, ReviewError, ShapeTerms, State, Vote};
use crate::{
    clock::WallClock,
    model::{ApprovalId, ConnectionName, GroupName, Principal, ShapeId},
};

/// A failure of the storage below, as text that is safe to show. It holds no statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("approvals cannot be stored: {0}")]
pub struct StorageError(pub String);

/// Which requests to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// Only those waiting for reviewers.
    Pending,
    /// The newest of any state.
    All,
}

/// Where cases are kept. Blocking: called from a thread that may block. A write returns once it is durable.
pub trait Storage: Send + Sync + 'static {
    /// Writes a case, new or changed.
    fn save(&self, case: &Case) -> Result<(), StorageError>;
    /// Reads one case.
    fn load(&self, id: &ApprovalId) -> Result<Option<Case>, StorageError>;
    /// Reads at most `limit` cases, newest first.
    fn list(&self, listed: Listed, limit: usize) -> Result<Vec<Case>, StorageError>;
    /// Writes an approved case and what it opens, both or neither.
    fn save_opening(&self, case: &Case, lease: &Lease) -> Result<(), StorageError>;
    /// Reads what is still open.
    fn leases(&self, now_millis: i64) -> Result<Vec<Lease>, StorageError>;
    /// Ends what is open on a connection.
    fn end_leases(&self, on: &ConnectionName) -> Result<(), StorageError>;
    /// Reads at most `limit` cases of a shape on a connection, newest first.
    fn of_shape(&self, shape: &ShapeId, on: &ConnectionName, limit: usize) -> Result<Vec<Case>, StorageError>;
    /// Marks every pending case withdrawn: their sessions died with the gateway that ran before.
    fn withdraw_pending(&self) -> Result<usize, StorageError>;
}

/// How many requests may wait at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Of one principal.
    pub pending_per_principal: usize,
    /// Of everybody.
    pub pending: usize,
}

impl Limits {
    /// 100 of one principal, 2000 of everybody.
    pub const STANDARD: Self = Self { pending_per_principal: 100, pending: 2_000 };
}

/// The most that a request may show: text and parameters together.
pub(crate) const MAX_SHOWN_BYTES: usize = 64 * 1024;

/// Why a request was not taken; the operation stays refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The principal has too many waiting.
    #[error("{0} of your requests already wait for approval; withdraw some, or wait")]
    TooManyOfYours(usize),
    /// The gateway has too many waiting.
    #[error("{0} requests already wait for approval on this gateway; try again later")]
    TooMany(usize),
    /// Too large for anybody to review.
    #[error("a request for approval holds at most {MAX_SHOWN_BYTES} bytes of text and parameters, this has {0}")]
    TooLarge(usize),
    /// Nobody could approve it.
    #[error("the policy names nobody who could approve")]
    NoQuorum,
    /// The id is in use.
    #[error("the request id is in use")]
    Duplicate,
    /// It could not be stored, so it is not held.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The gateway is ending.
    #[error("the gateway is shutting down")]
    Closed,
}

/// Why a review or a look failed. The request is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeskError {
    /// No such request.
    #[error("there is no approval request `{0}`")]
    NotFound(ApprovalId),
    /// The state machine refused it.
    #[error(transparent)]
    Review(#[from] ReviewError),
    /// It could not be stored, so it does not count.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The gateway is ending.
    #[error("the gateway is shutting down")]
    Closed,
}

/// What a reviewer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ballot {
    /// What.
    pub vote: Vote,
    /// Why.
    pub reason: Option<String>,
    /// The whole shape too, within these bounds.
    pub shape: Option<ShapeTerms>,
}

/// Where requests are submitted, reviewed and read; cheap to clone.
#[derive(Clone)]
pub struct Desk {
    commands: mpsc::Sender<Command>,
    leases: watch::Receiver<Leases>,
    oversight: Arc<dyn Oversight>,
    storage: Arc<dyn Storage>,
    clock: WallClock,
    changes: broadcast::Sender<Arc<Case>>,
}

/// How many changes wait for one who follows them; who is slower is told so, and lists again.
const CHANGES_KEPT: usize = 256;

impl fmt::Debug for Desk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Desk")
    }
}

impl Desk {
    /// Opens the desk: marks what an earlier gateway left pending as withdrawn, finds what it left open, then starts
    /// its task, which ends when the last clone is dropped. Must be called inside a tokio runtime.
    pub async fn open(
        storage: Arc<dyn Storage>,
        clock: WallClock,
        limits: Limits,
        oversight: Arc<dyn Oversight>,
    ) -> Result<Self, StorageError> {
        let (first, now) = (Arc::clone(&storage), clock.unix_millis());
        let open = blocking(move || {
            first.withdraw_pending()?;
            first.leases(now)
        });
        let (leases, receiver) = watch::channel(Leases::new(open.await?));
        let (commands, inbox) = mpsc::channel(256);
        let (changes, _nobody_yet) = broadcast::channel(CHANGES_KEPT);
        let tools = Tools {
            storage: Arc::clone(&storage),
            clock: clock.clone(),
            limits,
            oversight: Arc::clone(&oversight),
            leases,
            changes: changes.clone(),
        };
        tokio::spawn(Clerk::new(tools).run(inbox));
        Ok(Self { commands, leases: receiver, oversight, storage, clock, changes })
    }

    /// Every change of a request from now on, after it was stored.
    pub fn changes(&self) -> broadcast::Receiver<Arc<Case>> {
        self.changes.subscribe()
    }

    /// The groups that a reviewer counts for in a request at this moment.
    pub fn rights(&self, reviewer: &Principal, request: &Request) -> BTreeSet<GroupName> {
        self.oversight.groups(reviewer, request)
    }

    /// What reviewers opened for a time, as it is now and as it changes.
    pub fn leases(&self) -> watch::Receiver<Leases> {
        self.leases.clone()
    }

    /// Puts a request before the reviewers; it is durable when this returns. Dropping the ticket withdraws it. Where
    /// the same is asked already, it joins that request: an approval then serves the newest of those that wait.
    pub async fn submit(&self, request: Request) -> Result<Ticket, SubmitError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Submit { request: Box::new(request), reply };
        self.commands.send(command).await.map_err(|_closed| SubmitError::Closed)?;
        answer.await.map_err(|_closed| SubmitError::Closed)?
    }

    /// Takes one review. Whether `reviewer` may review by policy is for the caller to ask first; that they are not
    /// interested, are in a group asked and come in time is checked here.
    pub async fn review(
        &self,
        id: &ApprovalId,
        reviewer: &Principal,
        vote: Vote,
        reason: Option<String>,
    ) -> Result<State, DeskError> {
        self.vote(id, reviewer, Ballot { vote, reason, shape: None }).await
    }

    /// Takes one review, which may let pass the whole shape.
    pub async fn vote(&self, id: &ApprovalId, reviewer: &Principal, ballot: Ballot) -> Result<State, DeskError> {
        let Ballot { vote, reason, shape } = ballot;
        let review = Review { by: reviewer.clone(), vote, reason, at_millis: self.clock.unix_millis(), shape };
        let (reply, answer) = oneshot::channel();
        let command = Command::Review { id: id.clone(), review: Box::new(review), reply };
        self.commands.send(command).await.map_err(|_closed| DeskError::Closed)?;
        answer.await.map_err(|_closed| DeskError::Closed)?
    }

    /// Puts a request before the reviewers that no session waits for: it stands until it is decided or over.
    pub async fn ask(&self, request: Request) -> Result<ApprovalId, SubmitError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Ask { request: Box::new(request), reply };
        self.commands.send(command).await.map_err(|_closed| SubmitError::Closed)?;
        answer.await.map_err(|_closed| SubmitError::Closed)?
    }

    /// Takes a pending request back. Whose it is, is for the caller to ask first.
    pub async fn withdraw(&self, id: &ApprovalId) -> Result<State, DeskError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Withdraw { id: id.clone(), reply };
        self.commands.send(command).await.map_err(|_closed| DeskError::Closed)?;
        answer.await.map_err(|_closed| DeskError::Closed)?
    }

    /// Withdraws everything that waits: the gateway ends.
    pub async fn close(&self) {
        let (reply, answer) = oneshot::channel();
        if self.commands.send(Command::Close { reply }).await.is_ok() && answer.await.is_err() {
            tracing::debug!("the desk was closed already");
        }
    }

    /// Voids pending requests that a policy change touches; their tickets see [`State::Superseded`].
    pub async fn supersede(&self, id: &ApprovalId) -> Result<State, DeskError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Supersede { id: id.clone(), reply };
        self.commands.send(command).await.map_err(|_closed| DeskError::Closed)?;
        answer.await.map_err(|_closed| DeskError::Closed)?
    }

    /// Ends what is open on a connection and supersedes what waits for it: the connection is another one now, and what
    /// was shown to reviewers was not.
    pub async fn close_on(&self, connection: &ConnectionName) -> Result<(), DeskError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::CloseOn { connection: connection.clone(), reply };
        self.commands.send(command).await.map_err(|_closed| DeskError::Closed)?;
        answer.await.map_err(|_closed| DeskError::Closed)?
    }

    /// Takes back what somebody who logged out, or an agent of theirs, asked for apart from a session: nobody who is
    /// logged in waits for it any more.
    pub async fn log_out(&self, who: &Principal) -> Result<(), DeskError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::LogOut { who: Box::new(who.clone()), reply };
        self.commands.send(command).await.map_err(|_closed| DeskError::Closed)?;
        answer.await.map_err(|_closed| DeskError::Closed)?
    }

    /// Lists cases, newest first, at most `limit`.
    pub async fn list(&self, listed: Listed, limit: usize) -> Result<Vec<Case>, DeskError> {
        let storage = Arc::clone(&self.storage);
        Ok(blocking(move || storage.list(listed, limit)).await?)
    }

    /// Reads one case.
    pub async fn show(&self, id: &ApprovalId) -> Result<Case, DeskError> {
        let storage = Arc::clone(&self.storage);
        let wanted = id.clone();
        blocking(move || storage.load(&wanted)).await?.ok_or_else(|| DeskError::NotFound(id.clone()))
    }

    /// Reads at most `limit` requests of the same shape on a connection, newest first.
    pub async fn of_shape(&self, shape: &ShapeId, on: &ConnectionName, limit: usize) -> Result<Vec<Case>, DeskError> {
        let (storage, shape, on) = (Arc::clone(&self.storage), shape.clone(), on.clone());
        Ok(blocking(move || storage.of_shape(&shape, &on, limit)).await?)
    }

    /// Whether the desk's task and its storage answer.
    pub async fn works(&self) -> bool {
        !self.commands.is_closed() && self.list(Listed::Pending, 1).await.is_ok()
    }
}

/// Runs storage work where it may block; a panic there is a storage error, not ours.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    tokio::task::spawn_blocking(work).await.map_err(|failure| StorageError(failure.to_string()))?
}

#[cfg(test)]
mod tests;
