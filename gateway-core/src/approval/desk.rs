//! The async shell around the state machine: tickets, the expiry timer, and storage before every visible change.
//!
//! One task owns the pending cases, so that a caller who goes away half-way leaves nothing half-done. `session`
//! submits and waits on a [`Ticket`]; `api` lists and reviews. Knows no policy and no protocol.

mod clerk;
mod ticket;

use std::{fmt, sync::Arc};

use tokio::sync::{broadcast, mpsc, oneshot};

use self::clerk::{Clerk, Command};
pub use self::ticket::Ticket;
use super::{Case, Request, Review, ReviewError, State, Vote};
use crate::{
    clock::WallClock,
    model::{ApprovalId, Principal},
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

/// Where requests are submitted, reviewed and read; cheap to clone.
#[derive(Clone)]
pub struct Desk {
    commands: mpsc::Sender<Command>,
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
    /// Opens the desk: marks what an earlier gateway left pending as withdrawn, then starts its task, which ends
    /// when the last clone is dropped. Must be called inside a tokio runtime.
    pub async fn open(storage: Arc<dyn Storage>, clock: WallClock, limits: Limits) -> Result<Self, StorageError> {
        let first = Arc::clone(&storage);
        blocking(move || first.withdraw_pending()).await?;
        let (commands, inbox) = mpsc::channel(256);
        let (changes, _nobody_yet) = broadcast::channel(CHANGES_KEPT);
        let clerk = Clerk::new(Arc::clone(&storage), clock.clone(), limits, changes.clone());
        tokio::spawn(clerk.run(inbox));
        Ok(Self { commands, storage, clock, changes })
    }

    /// Every change of a request from now on, after it was stored.
    pub fn changes(&self) -> broadcast::Receiver<Arc<Case>> {
        self.changes.subscribe()
    }

    /// Puts a request before the reviewers; it is durable when this returns. Dropping the ticket withdraws it.
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
        let review = Review { by: reviewer.clone(), vote, reason, at_millis: self.clock.unix_millis() };
        let (reply, answer) = oneshot::channel();
        let command = Command::Review { id: id.clone(), review: Box::new(review), reply };
        self.commands.send(command).await.map_err(|_closed| DeskError::Closed)?;
        answer.await.map_err(|_closed| DeskError::Closed)?
    }

    /// Voids pending requests that a policy change touches; their tickets see [`State::Superseded`].
    pub async fn supersede(&self, id: &ApprovalId) -> Result<State, DeskError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Supersede { id: id.clone(), reply };
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
