//! What surrounds a request besides who and what: where it came from, when, in which run; and the API's own actions.
//!
//! Plain values, handed in by `session` and `api`; time comes from their clock.

use crate::model::{ConnectionFacts, GroupName, Principal, RunId, Usage};

/// How the client reached the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// Through `hoop connect` or `hoop exec`.
    Tunnel,
    /// By the protocol's own client, straight to a listener of the gateway.
    Native,
}

impl Source {
    /// The word that policies see as `context.source`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tunnel => "tunnel",
            Self::Native => "native",
        }
    }
}

/// The circumstances of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circumstances {
    /// Now, in seconds since 1970.
    pub unix_seconds: i64,
    /// How the client came in.
    pub source: Source,
    /// The run that the session belongs to.
    pub run: Option<RunId>,
    /// What the run has used up so far.
    pub usage: Option<Usage>,
}

impl Circumstances {
    /// Outside of every run.
    pub const fn at(unix_seconds: i64, source: Source) -> Self {
        Self { unix_seconds, source, run: None, usage: None }
    }
}

/// What a caller of the API wants to do; the same policies decide it (law 10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiAction {
    /// Review a request as a member of this group.
    Approve {
        /// The group that the quorum names.
        group: GroupName,
    },
    /// Look at what a session did.
    ReplaySession,
    /// See that a session exists.
    ListSessions,
    /// End a live session.
    KillSession,
    /// Change the gateway itself.
    Administer,
    /// Lend an agent one's presence for a run.
    ActAs,
}

impl ApiAction {
    /// The Cedar action.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Approve { .. } => "approve",
            Self::ReplaySession => "replay",
            Self::ListSessions => "list_sessions",
            Self::KillSession => "kill_session",
            Self::Administer => "administer",
            Self::ActAs => "act_as",
        }
    }
}

/// What the API action is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiResource {
    /// The gateway as a whole.
    Gateway,
    /// One session.
    Session {
        /// Whose.
        owner: Principal,
        /// On which connection.
        connection: ConnectionFacts,
    },
    /// An agent of the site.
    Agent(Principal),
    /// One request for approval.
    Request {
        /// Who asks.
        requester: Principal,
        /// On which connection.
        connection: ConnectionFacts,
    },
}
