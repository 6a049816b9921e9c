//! The values that cross the HTTP API, shared by the gateway and its clients. Versioned by the path `/api/v1`.
//!
//! Times are seconds since 1970 unless the name says `_millis`. Knows no HTTP.

mod access;
mod approvals;
mod certificate;
mod check;
mod device;
mod health;
mod live;
mod notifications;
mod runs;
mod secrets;
mod site;
mod tools;

pub use certificate::{CertificateRequest, ConnectionCertificate, SshCertificateRequest};
pub use check::{CheckAnswer, CheckDecision, CheckProblem, CheckRequest, CheckedOperation, MaskedColumn};
pub use device::{DeviceAuthorization, DeviceToken, LoginWay};
pub use live::KillRequest;
pub use site::{
    ApplySite, Change, CompareSite, RollBackSite, SiteApplied, SiteChange, SiteDifference, SiteOrigin, SiteProblem,
    SiteProblemKind, SiteStanding, SiteVersion,
};
pub use tools::{AcceptTool, ToolItem, ToolState};

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

pub use self::{
    access::{AccessItem, AccessRequest, ConnectionsOf, ReviewerItem},
    approvals::{ApprovalItem, ApprovalStatus, Asks, HistoryItem, ReviewItem, ReviewRequest, ShapeChoice},
    health::{ConnectionHealth, HealthDetail, NotificationHealth, ReceiverHealth},
    notifications::{NotificationItem, NotificationState, Notifications},
    runs::{NewRun, RunCounts, RunDetail, RunEnding, RunItem, RunOpened, RunPrincipal, RunToken, TimelineEntry},
    secrets::{ConfiguredConnection, ConnectionProof, Proof, ProofOutcome, SecretItem, SecretVersion, SetSecret},
};
use crate::model::{ApprovalId, ConnectionKind, ConnectionName, Principal, RuleId, RunId, SessionId};

/// `GET /api/v1/gateway`, without authentication: how to log in here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayInfo {
    /// Version of the gateway.
    pub version: String,
    /// Whether this is a development gateway.
    pub dev: bool,
    /// Where and how to log in.
    pub identity: IdentityInfo,
}

/// Which issuer to log in at, found by discovery from there on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityInfo {
    /// The OIDC issuer URL.
    pub issuer: String,
    /// The public client id of the CLI.
    pub client_id: String,
    /// Scopes to ask for.
    pub scopes: Vec<String>,
    /// Which of the issuer's tokens the gateway takes.
    pub token: TokenChoice,
    /// Whose device page a login goes through.
    #[serde(default)]
    pub way: LoginWay,
    /// Where the issuer sends a browser back to, on the person's own machine; any port where it names none. Without it,
    /// logins are by code.
    #[serde(default)]
    pub redirect_uri: Option<String>,
    /// Whether the gateway speaks with the issuer for its clients, because it keeps a secret that they must not see.
    #[serde(default)]
    pub via_gateway: bool,
    /// Whether the access token is wanted beside the ID token, to ask for groups.
    #[serde(default)]
    pub wants_access_token: bool,
}

/// Which token of an issuer the gateway validates; Google's access tokens are opaque.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenChoice {
    /// The access token, a JWT.
    Access,
    /// The ID token.
    Id,
}

/// `POST /api/v1/token`: exchange an issuer's token for the gateway's own.
#[derive(Clone, Serialize, Deserialize)]
pub struct TokenRequest {
    /// The issuer's token.
    pub token: String,
    /// The access token that came with an ID token, where the gateway wants it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token: Option<String>,
}

/// The gateway's own short-lived token.
#[derive(Clone, Serialize, Deserialize)]
pub struct TokenResponse {
    /// The token, to be sent as a bearer.
    pub token: String,
    /// When it ends.
    pub expires_at: i64,
    /// Who it stands for.
    pub principal: Principal,
}

impl fmt::Debug for TokenRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenRequest")
    }
}

impl fmt::Debug for TokenResponse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TokenResponse").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// `GET /api/v1/whoami`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Whoami {
    /// Who I am to the gateway.
    pub principal: Principal,
    /// When my token ends.
    pub expires_at: i64,
    /// When this machine's sessions end after the issuer disabled me, in seconds at most: tokens are renewed that often.
    #[serde(default)]
    pub renewed_every_seconds: i64,
    /// How long anything goes on after the issuer disabled me, in seconds at most, as sessions of native clients.
    #[serde(default)]
    pub believed_for_seconds: i64,
}

/// `GET /api/v1/health`, without authentication: what works. The status is 503 where something does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Whether everything below works.
    pub ok: bool,
    /// Whether operations and looks can be recorded.
    pub recorder: bool,
    /// Whether approvals and sessions can be stored.
    pub store: bool,
    /// Whether logins can be verified.
    pub identity: bool,
}

/// Whether the principal may connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MayConnect {
    /// At once.
    Yes,
    /// After an approval.
    Approval,
    /// Not at all.
    No,
}

/// One row of `GET /api/v1/connections`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ConnectionItem {
    /// Its name.
    pub name: ConnectionName,
    /// Its protocol.
    pub kind: ConnectionKind,
    /// The database behind it.
    pub database: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Whether I may connect.
    pub may_connect: MayConnect,
    /// Tags that are masked for me here.
    pub masked: Vec<String>,
    /// Where native clients reach it without the CLI, if they may.
    #[serde(default)]
    pub native: Option<NativeAddress>,
    /// Templates of variables that `hoop exec` sets for it besides the usual ones.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// The gateway's own SSH keys, where the connection is SSH.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh: Option<SshPublicKeys>,
    /// Rules that hold operations here for approval.
    pub held_by: Vec<RuleId>,
    /// Until when an approval lets me connect, where connecting needs one; `None` where no window is open.
    #[serde(default)]
    pub access_until_millis: Option<i64>,
}

/// What the gateway's SSH keys are known by, in OpenSSH's format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshPublicKeys {
    /// The host key that clients see.
    pub host_key: String,
    /// The authority that signs certificates for machines.
    pub user_ca: String,
}

/// Where native clients reach a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativeAddress {
    /// The gateway's public name, which its certificate vouches for.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// `POST /api/v1/connections/{name}/token`: a password for a native client. One use, one connection.
#[derive(Clone, Serialize, Deserialize)]
pub struct ConnectionToken {
    /// Its public name, as in the record.
    pub id: String,
    /// Where to connect.
    pub host: String,
    /// The port there.
    pub port: u16,
    /// The user to say.
    pub user: String,
    /// The connection; to be said as the database where it is PostgreSQL.
    pub database: ConnectionName,
    /// The gateway's own SSH keys, where the connection is SSH.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh: Option<SshPublicKeys>,
    /// The password. It is not kept and cannot be shown again.
    pub password: String,
    /// When it can no longer be used.
    pub expires_at: i64,
    /// When a session that was opened with it ends: with the login behind it.
    pub login_expires_at: i64,
}

impl fmt::Debug for ConnectionToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ConnectionToken").field("id", &self.id).finish_non_exhaustive()
    }
}

/// One row of `GET /api/v1/sessions`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SessionItem {
    /// Its id.
    pub id: SessionId,
    /// Whose.
    pub principal: Principal,
    /// On which connection.
    pub connection: ConnectionName,
    /// When it began.
    pub started_at_millis: i64,
    /// When it ended; `None` while live.
    pub ended_at_millis: Option<i64>,
    /// Why it ended.
    pub end_reason: Option<String>,
    /// The run that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Operations asked.
    pub operations: u64,
    /// Of these, refused.
    pub refused: u64,
    /// Of these, held.
    pub held: u64,
    /// Cells masked.
    pub masked: u64,
    /// Whether a text was searched for and not found, but not all that was said could be searched.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partly_searched: bool,
}

/// One operation of `GET /api/v1/sessions/{id}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OperationItem {
    /// Its number in the session, from 1.
    pub number: u64,
    /// When it was asked.
    pub at_millis: i64,
    /// Its text, sealed parts shown as class and length.
    pub text: String,
    /// Bound parameters, likewise.
    pub parameters: Vec<Option<String>>,
    /// `permit`, `refuse` or `approval`.
    pub decision: String,
    /// The rules that decided.
    pub rules: Vec<RuleId>,
    /// The approval it ran under.
    pub approval: Option<ApprovalId>,
    /// `DELETE 3`, an SQLSTATE, `outcome unknown`, …
    pub outcome: Option<String>,
    /// Rows returned or touched.
    pub rows: Option<u64>,
    /// Masked cells per class.
    pub masked: BTreeMap<String, u64>,
    /// Microseconds from forwarding to the outcome.
    pub duration_micros: Option<u64>,
}

/// `GET /api/v1/sessions/{id}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SessionDetail {
    /// The row.
    pub session: SessionItem,
    /// What happened in it.
    pub operations: Vec<OperationItem>,
}

/// One line of `GET /api/v1/sessions/{id}/recording` (JSON lines): one event, in order. Sealed parts that the reader
/// may not reveal are placeholders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedEvent {
    /// Its position in the session, from 1.
    pub seq: u64,
    /// When, in microseconds since 1970.
    pub at_micros: u64,
    /// `session_started`, `operation`, `held`, `approval_decided`, `refused`, `outcome`, `result`, `session_ended`, …
    pub kind: String,
    /// Named facts; lists and maps are JSON text.
    pub fields: BTreeMap<String, String>,
}

/// An error body (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Which kind of problem, where a client can do something about it: [`STEP_UP_REQUIRED`].
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// One short sentence.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened, for people.
    #[serde(default)]
    pub detail: Option<String>,
    /// What to do next.
    #[serde(default)]
    pub hint: Option<String>,
    /// The rule that refused, where one did.
    #[serde(default)]
    pub rule: Option<RuleId>,
    /// With [`STEP_UP_REQUIRED`]: how recent the caller's login must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_seconds: Option<u32>,
    /// With [`STEP_UP_REQUIRED`]: of which kind it must be; one of these words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// What stands in the way of a site, one by one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<SiteProblem>,
}

/// The caller may do it, but only after a fresher or stronger login.
pub const STEP_UP_REQUIRED: &str = "/problems/step-up-required";

/// Tags that a sample proposes. Holds no value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassifyAnswer {
    /// The connection.
    pub connection: ConnectionName,
    /// Tables that were sampled.
    pub tables: usize,
    /// Tables that could not be read in time.
    pub skipped: usize,
    /// A tag for each column that seems to need one.
    pub proposals: Vec<ProposedTag>,
}

/// A tag for a column, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposedTag {
    /// The schema.
    pub schema: String,
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    /// The data class.
    pub tag: String,
    /// Values in which it was found,
    pub found: u32,
    /// of so many.
    pub sampled: u32,
    /// Whether the column's name says so too, or alone.
    pub by_name: bool,
}
