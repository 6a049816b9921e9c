//! What the dashboard wants done in the world. `update` asks for it, the shell does it.

use hoop_gateway_core::model::{ApprovalId, RunId, SessionId};

use super::state::{Choice, Query};

/// One thing to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Leave.
    Quit,
    /// Leave at once, as Ctrl-C does everywhere.
    Interrupt,
    /// Give the terminal back until `fg`.
    Suspend,
    /// Call the person, with these words.
    Ring(String),
    /// Put text into the clipboard of the person's terminal.
    Copy(String),
    /// Ask who I am.
    AskMe,
    /// Ask how the gateway is.
    AskHealth,
    /// List everything again.
    List,
    /// Fetch one request with its history.
    Look(ApprovalId),
    /// Approve.
    Approve(ApprovalId, Choice),
    /// Deny, and why.
    Deny(ApprovalId, String),
    /// Follow a session from an event on; an older one is followed no more.
    Watch(SessionId, u64),
    /// Follow no session.
    StopWatching,
    /// Search old sessions.
    Search(Query),
    /// Fetch a recording, to play it.
    Fetch(SessionId),
    /// List the runs.
    ListRuns,
    /// Fetch the timeline of a run.
    FetchRun(RunId),
    /// Kill a session, and why.
    Kill(SessionId, String),
}
