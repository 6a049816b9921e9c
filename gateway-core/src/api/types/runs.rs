//! Runs as they cross the API: what `hoop exec` opens, renews and ends, and what is shown of them.
//!
//! Knows no HTTP and no registry.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::{ConnectionItem, RecordedEvent, SessionItem};
use crate::model::{ConnectionName, Principal, PrincipalKind, PrincipalName, RunId, SessionId, Usage};

/// `POST /api/v1/runs`: a run begins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRun {
    /// Where it may go.
    pub connections: Vec<ConnectionName>,
    /// Labels of it.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The program, never its arguments.
    #[serde(default)]
    pub command: Option<String>,
    /// The agent that the caller lends their presence to.
    #[serde(default)]
    pub agent: Option<PrincipalName>,
    /// Whether it runs in the jail.
    #[serde(default)]
    pub jailed: bool,
}

/// For whom a run stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunPrincipal {
    /// Person or agent.
    pub kind: PrincipalKind,
    /// The name.
    pub name: PrincipalName,
}

/// A run that began: 201.
#[derive(Clone, Serialize, Deserialize)]
pub struct RunOpened {
    /// Its id.
    pub id: RunId,
    /// The bearer for its streams, and for nothing else.
    pub token: String,
    /// When the bearer ends; without another one by then, the run ends.
    pub expires_at: i64,
    /// For whom it stands.
    pub principal: RunPrincipal,
    /// The person who lent an agent their presence.
    #[serde(default)]
    pub lent_by: Option<PrincipalName>,
    /// What it may reach.
    pub connections: Vec<ConnectionItem>,
}

/// `POST /api/v1/runs/{id}/token`: the next bearer.
#[derive(Clone, Serialize, Deserialize)]
pub struct RunToken {
    /// The bearer.
    pub token: String,
    /// When it ends.
    pub expires_at: i64,
}

/// `POST /api/v1/runs/{id}/end`: how its program ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunEnding {
    /// The status that it exited with.
    #[serde(default)]
    pub status: Option<i32>,
    /// The signal that ended it.
    #[serde(default)]
    pub signal: Option<i32>,
}

/// One row of `GET /api/v1/runs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunItem {
    /// Its id.
    pub id: RunId,
    /// For whom it stands, and who lent an agent their presence.
    pub principal: Principal,
    /// Where it may go.
    pub connections: Vec<ConnectionName>,
    /// Labels of it.
    pub labels: BTreeMap<String, String>,
    /// The program.
    pub command: Option<String>,
    /// Whether it runs in the jail.
    pub jailed: bool,
    /// When it began.
    pub started_at_millis: i64,
    /// When it ended; `None` while it is under way.
    pub ended_at_millis: Option<i64>,
    /// Why it ended.
    pub end_reason: Option<String>,
    /// The status that its program exited with.
    pub status: Option<i32>,
    /// The signal that ended its program.
    pub signal: Option<i32>,
    /// What it used up so far.
    pub usage: Usage,
}

/// What the sessions of a run counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunCounts {
    /// Operations asked.
    pub operations: u64,
    /// Of these, refused.
    pub refused: u64,
    /// Of these, held.
    pub held: u64,
    /// Cells masked.
    pub masked: u64,
}

/// `GET /api/v1/runs/{id}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunDetail {
    /// The row.
    pub run: RunItem,
    /// Its sessions that the caller may list, oldest first.
    pub sessions: Vec<SessionItem>,
    /// What they counted together.
    pub counts: RunCounts,
}

/// One line of `GET /api/v1/runs/{id}/timeline` (JSON lines): one event of one of its sessions, in the order of time.
///
/// Where the caller may not look into a session, its kind is `withheld`, and it is one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// In which session.
    pub session: SessionId,
    /// On which connection.
    pub connection: ConnectionName,
    /// What happened.
    #[serde(flatten)]
    pub event: RecordedEvent,
}

impl fmt::Debug for RunOpened {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RunOpened").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for RunToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RunToken").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}
