//! Just-in-time access and the load of reviewers, as they cross the API.

use serde::{Deserialize, Serialize};

use crate::model::{ApprovalId, ConnectionName, PrincipalName};

/// Body of `POST /api/v1/connections/{name}/access`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessRequest {
    /// Why, for the reviewers.
    #[serde(default)]
    pub reason: Option<String>,
    /// For how long; without it an hour, or less where policy caps it.
    #[serde(default)]
    pub for_seconds: Option<u64>,
    /// The agent that the caller lends their presence: the access is asked for both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_agent: Option<PrincipalName>,
}

/// Query of `GET /api/v1/connections`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionsOf {
    /// The agent that the caller lends their presence: what both may reach is listed.
    #[serde(default)]
    pub as_agent: Option<PrincipalName>,
}

/// One row of `GET /api/v1/access`: a connection that is open to the caller for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessItem {
    /// Which connection.
    pub connection: ConnectionName,
    /// The approval that opened it.
    pub approval: ApprovalId,
    /// Who approved.
    pub by: Vec<PrincipalName>,
    /// Why it was asked for.
    pub reason: Option<String>,
    /// When it opened.
    pub opened_at_millis: i64,
    /// When it closes, with the sessions in it.
    pub ends_at_millis: i64,
}

/// One row of `GET /api/v1/reviewers`: who has how much to decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewerItem {
    /// Who.
    pub name: PrincipalName,
    /// Requests that wait for them, or for somebody else of their groups.
    pub pending: u64,
    /// Requests they decided within the last 24 hours.
    pub decided_24h: u64,
}
