//! One question to Cedar and its answer: the hard set must allow, then the liftable set says who must approve.
//!
//! There is no default answer, and an error in any policy is a refusal that names it.

use std::{collections::BTreeSet, sync::Arc};

use cedar_policy::{
    AuthorizationError, Authorizer, Context, Decision as CedarDecision, Entities, EntityUid, PolicyId,
    PolicySet as CedarSet, Request, Response,
};

use super::{load::Loaded, rule::Rule, world::WorldError};
use crate::model::RuleId;

/// Why the answer is no. The order is the order in which one is told rather than another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum No {
    /// No policy permits it.
    NotPermitted,
    /// This policy forbids it.
    Forbidden(RuleId),
    /// This policy failed.
    Failed(RuleId),
    /// The question does not fit the schema.
    Unaskable(String),
}

/// What the policies say to one (principal, action, resource).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// Yes, by these permits, and, where `held` is not empty, once these rules are lifted.
    Yes { permits: BTreeSet<RuleId>, held: BTreeSet<RuleId> },
    /// No, for all these reasons; never empty.
    No(BTreeSet<No>),
}

impl Answer {
    pub(super) fn unaskable(error: &WorldError) -> Self {
        Self::No(BTreeSet::from([No::Unaskable(error.to_string())]))
    }

    /// The strictest of two: a no wins, holds add up.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No(mut left), Self::No(right)) => {
                left.extend(right);
                Self::No(left)
            }
            (Self::No(no), Self::Yes { .. }) | (Self::Yes { .. }, Self::No(no)) => Self::No(no),
            (Self::Yes { mut permits, mut held }, Self::Yes { permits: more, held: also }) => {
                permits.extend(more);
                held.extend(also);
                Self::Yes { permits, held }
            }
        }
    }
}

impl Loaded {
    /// Puts one question to both sets.
    pub(super) fn ask(
        &self,
        principal: EntityUid,
        action: EntityUid,
        resource: EntityUid,
        context: Context,
        entities: &Entities,
    ) -> Answer {
        let request = match Request::new(principal, action, resource, context, Some(&self.vocabulary.schema)) {
            Ok(request) => request,
            // FAIL-CLOSED: what the schema does not know was never decided.
            Err(error) => return Answer::unaskable(&WorldError::new(error)),
        };
        let permits = match self.authorize(&self.hard, &request, entities) {
            Ok((CedarDecision::Allow, permits)) => permits,
            Ok((CedarDecision::Deny, forbids)) if forbids.is_empty() => {
                return Answer::No(BTreeSet::from([No::NotPermitted]));
            }
            Ok((CedarDecision::Deny, forbids)) => return Answer::No(forbids.into_iter().map(No::Forbidden).collect()),
            Err(failed) => return Answer::No(failed),
        };
        if !self.lifts {
            return Answer::Yes { permits, held: BTreeSet::new() };
        }
        match self.authorize(&self.liftable, &request, entities) {
            Ok((CedarDecision::Allow, _)) => Answer::Yes { permits, held: BTreeSet::new() },
            Ok((CedarDecision::Deny, held)) if held.is_empty() => Answer::No(BTreeSet::from([No::NotPermitted])),
            Ok((CedarDecision::Deny, held)) => Answer::Yes { permits, held },
            Err(failed) => Answer::No(failed),
        }
    }

    fn authorize(
        &self,
        set: &CedarSet,
        request: &Request,
        entities: &Entities,
    ) -> Result<(CedarDecision, BTreeSet<RuleId>), BTreeSet<No>> {
        let response: Response = Authorizer::new().is_authorized(request, set, entities);
        let failed: BTreeSet<No> = response
            .diagnostics()
            .errors()
            .map(|AuthorizationError::PolicyEvaluationError(error)| No::Failed(self.name(error.policy_id())))
            .collect();
        if failed.is_empty() {
            Ok((response.decision(), response.diagnostics().reason().map(|id| self.name(id)).collect()))
        } else {
            // FAIL-CLOSED: Cedar skips a policy that errors; a forbid that is skipped would let through.
            Err(failed)
        }
    }

    fn name(&self, id: &PolicyId) -> RuleId {
        self.rules.get(id).map_or_else(|| super::rule_id(id), |rule| rule.id.clone())
    }

    /// The rule of this name.
    pub(super) fn rule(&self, id: &RuleId) -> Option<&Arc<Rule>> {
        self.rules.get(&PolicyId::new(&*id.0))
    }
}
