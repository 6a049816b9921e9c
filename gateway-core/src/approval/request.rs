//! What is asked, bound to exactly what a reviewer is shown (law 5).
//!
//! Pure values: time, id and digest are passed in. Made by `session`, read by reviewers through the API.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::model::{
    ApprovalId, ApprovalNeed, ConnectionFacts, Effect, ObjectName, Principal, PrincipalKind, ProposedBy, RunId,
    SessionId, ShapeId,
};

/// One held message, as reviewers see it. `text` and `parameters` come already masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Its id.
    pub id: ApprovalId,
    /// Who asks.
    pub requester: Principal,
    /// In which session; `None` for access, which comes before one.
    #[serde(default)]
    pub session: Option<SessionId>,
    /// In which run.
    #[serde(default)]
    pub run: Option<RunId>,
    /// What for.
    #[serde(default)]
    pub asks: Asks,
    /// On which connection.
    pub connection: ConnectionFacts,
    /// In which database.
    pub database: String,
    /// As which upstream role.
    pub role: String,
    /// The search path that names were resolved with.
    pub search_path: Vec<String>,
    /// The objects it touches, resolved.
    pub objects: BTreeSet<ObjectName>,
    /// The text; parts that reviewers may not see are replaced by class and length.
    pub text: String,
    /// Bound parameters, masked likewise.
    pub parameters: Vec<Option<String>>,
    /// What it is: `delete`, `drop_table`, …
    pub kind: String,
    /// The worst effect.
    pub effect: Effect,
    /// 0 to 100.
    pub risk: u8,
    /// Why.
    pub risk_reasons: Vec<String>,
    /// What else is known of it: the planner's estimate, whether rows leave in bulk, which classes are compared.
    #[serde(default)]
    pub facts: Facts,
    /// `model::flow::Inspected::digest` of the unmasked original: the grant is good for this digest only.
    pub digest: [u8; 32],
    /// What identifies the same thing asked again, by whichever session: the digest without the session.
    #[serde(default)]
    pub same: [u8; 32],
    /// How often the same was asked again while this waited.
    #[serde(default)]
    pub retries: u32,
    /// What it has in common with statements that differ in constants only.
    #[serde(default)]
    pub shape: Option<ShapeId>,
    /// Whether nothing but constants is hidden behind the shape, so that a reviewer may approve it as a whole.
    #[serde(default)]
    pub shape_is_open: bool,
    /// The answer of a model that proposed it, where it belongs to a run.
    #[serde(default)]
    pub proposed_by: Option<ProposedBy>,
    /// Who must approve, and which policies say so.
    pub need: ApprovalNeed,
    /// When it was asked, milliseconds since 1970.
    pub created_at_millis: i64,
    /// When it lapses, milliseconds since 1970.
    pub expires_at_millis: i64,
}

/// What a request asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asks {
    /// One operation, held on the wire.
    #[default]
    Operation,
    /// To connect, for a time.
    Access {
        /// Why, in the requester's words.
        reason: Option<String>,
        /// For how long, in milliseconds.
        for_millis: i64,
    },
}

impl Request {
    /// How long the connection would be open; `None` for an operation.
    pub fn window_millis(&self) -> Option<i64> {
        match self.asks {
            Asks::Access { for_millis, .. } => Some(for_millis),
            Asks::Operation => None,
        }
    }

    /// The longest that reviewers may approve its shape for.
    pub fn shape_limit(&self) -> Option<Duration> {
        self.need.shape.filter(|_| self.shape_is_open && self.shape.is_some())
    }
}

/// What reviewers are shown besides, of the riskiest operation of the message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Rows that the planner expects to be touched or read; `None` where it could not be asked.
    pub estimated_rows: Option<u64>,
    /// How much of the table these are, in per cent.
    pub estimated_percent: Option<u8>,
    /// Whether rows leave in bulk.
    pub export: bool,
    /// Classes and tags of columns that are compared.
    pub filters_on: BTreeSet<String>,
}

/// What an approval binds to besides the message and its resolved objects.
#[derive(Debug, Clone, Copy)]
pub struct Binding<'facts> {
    /// Who asks.
    pub requester: &'facts Principal,
    /// In which session; without one, what is bound is the same in every session.
    pub session: Option<&'facts SessionId>,
    /// On which connection.
    pub connection: &'facts ConnectionFacts,
    /// In which database.
    pub database: &'facts str,
    /// As which upstream role.
    pub role: &'facts str,
    /// The search path.
    pub search_path: &'facts [String],
}

impl Binding<'_> {
    /// Every part with its length, so that no two different bindings share a byte string. This is the
    /// `circumstance` of `model::flow::Inspected`, and so part of its digest.
    pub fn circumstance(&self) -> Arc<[u8]> {
        let requester = self.requester;
        let kind = match requester.kind {
            PrincipalKind::User => "user",
            PrincipalKind::Agent => "agent",
        };
        let owner = requester.owner.as_ref().map_or("", |owner| owner.as_str());
        let lender = requester.lent_by.as_ref().map_or("", |lender| lender.name.as_str());
        let connection = self.connection;
        let fixed = [
            "hoop approval binding 2",
            kind,
            requester.name.as_str(),
            owner,
            lender,
            self.session.map_or("", SessionId::as_str),
            connection.name.as_str(),
            connection.kind.as_str(),
            self.database,
            self.role,
        ];
        let mut bytes = Vec::with_capacity(256);
        for part in fixed.into_iter().chain(self.search_path.iter().map(String::as_str)) {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        Arc::from(bytes)
    }
}
