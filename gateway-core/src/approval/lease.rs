//! What reviewers opened for a time: a connection, or statements of one shape. Pure values; stored by `store`.
//!
//! A lease lets nothing pass by itself: the policies of the moment decide again, and take it as what it was approved by.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Case, Grant, Request};
use crate::model::{
    ApprovalId, ConnectionName, Principal, PrincipalKind, PrincipalName, Quorum, RuleId, ShapeId, StepUp,
};

/// What is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "opens", rename_all = "snake_case")]
pub enum LeaseKind {
    /// Connecting.
    Access,
    /// Statements of this shape.
    Shape {
        /// Which.
        shape: ShapeId,
        /// At most so many rows, as the planner estimates.
        max_rows: u64,
    },
}

/// Something that reviewers opened for one principal on one connection for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The request that was approved.
    pub approval: ApprovalId,
    /// What it opens.
    #[serde(flatten)]
    pub kind: LeaseKind,
    /// Person or agent.
    pub principal_kind: PrincipalKind,
    /// For whom.
    pub principal: PrincipalName,
    /// The person who lent an agent their presence for it: it is open to no other pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lent_by: Option<PrincipalName>,
    /// On which connection.
    pub connection: ConnectionName,
    /// The policies that it lifts.
    pub rules: Vec<RuleId>,
    /// The quorums that were met. A policy that asks for more by now holds again.
    pub quorums: Vec<Quorum>,
    /// What the reviewers' authentication was held to. A policy that demands more by now holds again.
    #[serde(default)]
    pub step_up: Vec<StepUp>,
    /// Who approved.
    pub by: Vec<PrincipalName>,
    /// Why it was asked for.
    pub reason: Option<String>,
    /// Since when, milliseconds since 1970.
    pub opened_at_millis: i64,
    /// Until when.
    pub ends_at_millis: i64,
}

impl Lease {
    /// What an approved case opens besides the one statement that waits, from `now` on.
    pub(super) fn of(case: &Case, by: &[PrincipalName], now_millis: i64) -> Option<Self> {
        let request = case.request();
        if let Some(for_millis) = request.window_millis() {
            return Some(Self::new(request, LeaseKind::Access, by, now_millis, for_millis));
        }
        let (terms, shape) = (case.shape_terms()?, request.shape.clone()?);
        let limit = i64::try_from(request.shape_limit()?.as_millis()).unwrap_or(i64::MAX);
        let kind = LeaseKind::Shape { shape, max_rows: terms.max_rows };
        Some(Self::new(request, kind, by, now_millis, terms.for_millis.min(limit)))
    }

    fn new(request: &Request, kind: LeaseKind, by: &[PrincipalName], now_millis: i64, for_millis: i64) -> Self {
        let reason = match &request.asks {
            super::Asks::Access { reason, .. } => reason.clone(),
            super::Asks::Operation => None,
        };
        Self {
            approval: request.id.clone(),
            kind,
            principal_kind: request.requester.kind,
            principal: request.requester.name.clone(),
            lent_by: request.requester.lent_by.as_ref().map(|lender| lender.name.clone()),
            connection: request.connection.name.clone(),
            rules: request.need.rules.clone(),
            quorums: request.need.quorums.clone(),
            step_up: request.need.step_up.clone(),
            by: by.to_vec(),
            reason,
            opened_at_millis: now_millis,
            ends_at_millis: now_millis.saturating_add(for_millis),
        }
    }

    /// Whether its time is not over.
    pub fn is_open(&self, now_millis: i64) -> bool {
        now_millis < self.ends_at_millis
    }

    /// Whether it lets this principal connect there now.
    pub fn opens(&self, who: &Principal, to: &ConnectionName, now_millis: i64) -> bool {
        self.kind == LeaseKind::Access && self.is_for(who, to) && self.is_open(now_millis)
    }

    /// What it opens, in words for the record.
    pub fn what(&self) -> String {
        match &self.kind {
            LeaseKind::Access => "access".to_owned(),
            LeaseKind::Shape { shape, max_rows } => format!("shape {shape}, at most {max_rows} rows"),
        }
    }

    fn is_for(&self, who: &Principal, to: &ConnectionName) -> bool {
        self.principal_kind == who.kind
            && self.principal == who.name
            && self.lent_by.as_ref() == who.lent_by.as_ref().map(|lender| &lender.name)
            && self.connection == *to
    }
}

/// What is open on a gateway now. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Leases(Arc<Vec<Lease>>);

impl Leases {
    pub(super) fn new(leases: Vec<Lease>) -> Self {
        Self(Arc::new(leases))
    }

    /// Whether nothing is open.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every lease.
    pub fn iter(&self) -> impl Iterator<Item = &Lease> {
        self.0.iter()
    }

    /// The open windows of a principal on a connection; the one that stays open longest first.
    pub fn windows(&self, who: &Principal, to: &ConnectionName, now_millis: i64) -> Vec<&Lease> {
        let mut open: Vec<_> = self.0.iter().filter(|lease| lease.opens(who, to, now_millis)).collect();
        open.sort_by_key(|lease| std::cmp::Reverse(lease.ends_at_millis));
        open
    }

    /// A grant for one message of this shape, where a lease covers it. A message whose rows nobody could estimate is
    /// covered by none.
    pub fn shape_grant(
        &self,
        who: &Principal,
        to: &ConnectionName,
        wanted: &ShapeId,
        rows: Option<u64>,
        digest: [u8; 32],
        now_millis: i64,
    ) -> Option<Grant> {
        let rows = rows?;
        let covers = |lease: &&Lease| match &lease.kind {
            LeaseKind::Shape { shape, max_rows } => {
                shape == wanted && rows <= *max_rows && lease.is_for(who, to) && lease.is_open(now_millis)
            }
            LeaseKind::Access => false,
        };
        let lease = self.0.iter().filter(covers).max_by_key(|lease| lease.ends_at_millis)?;
        let Lease { approval, rules, quorums, step_up, by, .. } = lease.clone();
        Some(Grant::new(approval, rules, quorums, digest, by).held_to(step_up))
    }
}
