//! Requests for approval and reviews of them, as they cross the API.
//!
//! Texts come masked for reviewers. Knows no HTTP and no state machine.

use serde::{Deserialize, Serialize};

use crate::model::{
    ApprovalId, ConnectionName, Principal, PrincipalName, ProposedBy, Quorum, RuleId, SessionId, StepUp,
};

/// What a request asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asks {
    /// One operation, held on the wire.
    #[default]
    Operation,
    /// To connect, for a time.
    Access,
}

/// Where a request for approval stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalStatus {
    /// Waiting for reviewers.
    Pending,
    /// Enough approved.
    Approved,
    /// One denied.
    Denied,
    /// Nobody decided in time.
    Expired,
    /// The client went away or cancelled.
    Withdrawn,
    /// A policy change made it void.
    Superseded,
}

/// One review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewItem {
    /// Who.
    pub by: PrincipalName,
    /// Approved or denied.
    pub approved: bool,
    /// Why, if said.
    pub reason: Option<String>,
    /// When.
    pub at_millis: i64,
}

/// How an earlier request of the same shape on the same connection ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryItem {
    /// Which request.
    pub id: ApprovalId,
    /// How it ended.
    pub status: ApprovalStatus,
    /// Who reviewed it.
    pub by: Vec<PrincipalName>,
    /// When it was asked.
    pub at_millis: i64,
}

/// `GET /api/v1/approvals` rows and `GET /api/v1/approvals/{id}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ApprovalItem {
    /// Its id.
    pub id: ApprovalId,
    /// Where it stands.
    pub status: ApprovalStatus,
    /// What it asks for.
    #[serde(default)]
    pub asks: Asks,
    /// Who asks.
    pub requester: Principal,
    /// The agent that acts for the person, where runs are known.
    #[serde(default)]
    pub agent: Option<String>,
    /// The run it belongs to, where known.
    #[serde(default)]
    pub run: Option<String>,
    /// The task of the run, where known.
    #[serde(default)]
    pub task: Option<String>,
    /// In which session; `None` for access that no client waits for yet.
    #[serde(default)]
    pub session: Option<SessionId>,
    /// On which connection.
    pub connection: ConnectionName,
    /// In which database.
    pub database: String,
    /// As which upstream role.
    pub role: String,
    /// The exact text; parts that the reviewer may not see are replaced by class and length. Empty for access.
    pub text: String,
    /// Bound parameters, masked likewise.
    pub parameters: Vec<Option<String>>,
    /// What it is: `delete`, `drop_table`, `connect`, …
    pub kind: String,
    /// The worst effect.
    pub effect: String,
    /// Objects touched.
    pub objects: Vec<String>,
    /// 0 to 100.
    pub risk: u8,
    /// Why.
    pub risk_reasons: Vec<String>,
    /// Rows that the planner expects to be touched or read; `None` where it could not be asked.
    #[serde(default)]
    pub estimated_rows: Option<u64>,
    /// How much of the table these are, in per cent.
    #[serde(default)]
    pub estimated_percent: Option<u8>,
    /// Whether rows leave in bulk.
    #[serde(default)]
    pub export: bool,
    /// Classes and tags of columns that are compared.
    #[serde(default)]
    pub filters_on: Vec<String>,
    /// The policies that hold it.
    pub rules: Vec<RuleId>,
    /// What the policy says.
    pub message: Option<String>,
    /// Why the requester asks, for access.
    #[serde(default)]
    pub reason: Option<String>,
    /// How long the connection would be open, for access.
    #[serde(default)]
    pub window_seconds: Option<u64>,
    /// What statements have in common that differ in constants only, in hexadecimal.
    #[serde(default)]
    pub shape: Option<String>,
    /// The longest time that policy lets a reviewer approve the whole shape for; `None` where it does not.
    #[serde(default)]
    pub shape_for_seconds: Option<u64>,
    /// How earlier requests of the same shape ended, newest first; only where one request is shown.
    #[serde(default)]
    pub history: Vec<HistoryItem>,
    /// How often the same was asked again while this one waited.
    #[serde(default)]
    pub retries: u32,
    /// Whether the caller may review it now.
    #[serde(default)]
    pub may_review: bool,
    /// The answer of a model that proposed it, where it belongs to a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed_by: Option<ProposedBy>,
    /// How a reviewer must have authenticated, where a policy says so.
    #[serde(default)]
    pub step_up: Option<StepUp>,
    /// Who must approve.
    pub quorums: Vec<Quorum>,
    /// Who must still approve, besides those who did and still may.
    #[serde(default)]
    pub missing: Vec<Quorum>,
    /// Reviews so far.
    pub reviews: Vec<ReviewItem>,
    /// When it was asked.
    pub created_at_millis: i64,
    /// When it lapses.
    pub expires_at_millis: i64,
}

/// Approve not only this statement, but its shape, for this principal, for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShapeChoice {
    /// For how long.
    pub for_seconds: u64,
    /// At most so many rows by the planner's estimate; without it as many as this request's own estimate.
    #[serde(default)]
    pub max_rows: Option<u64>,
}

/// Body of `POST /api/v1/approvals/{id}/approve` and `/deny`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewRequest {
    /// Why; optional when approving.
    #[serde(default)]
    pub reason: Option<String>,
    /// Approve the shape too; only when approving.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<ShapeChoice>,
}
