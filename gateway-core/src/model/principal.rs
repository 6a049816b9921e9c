//! Who asks: a person or an agent, with groups and claims from the identity provider.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{GroupName, PrincipalName};

/// A person or a service account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrincipalKind {
    /// A person.
    User,
    /// A service account, which has an owner.
    Agent,
}

/// A verified principal. Built by `identity` only after a token was validated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// Person or agent.
    pub kind: PrincipalKind,
    /// The name that policies and records use.
    pub name: PrincipalName,
    /// Groups, ordered.
    pub groups: BTreeSet<GroupName>,
    /// Claims that policies may read (`principal.claims`), as text.
    pub claims: BTreeMap<String, String>,
    /// Who answers for an agent; `None` for a person.
    pub owner: Option<PrincipalName>,
    /// The person who lent an agent their presence for a run: whatever is decided is decided for both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lent_by: Option<Arc<Self>>,
}

impl Principal {
    /// Whether it is the same person or agent; groups and claims may differ, and who lent it their presence.
    pub fn is(&self, other: &Self) -> bool {
        self.kind == other.kind && self.name == other.name
    }

    /// Whether somebody else's presence in a run is of this principal's lending.
    pub fn lends_to(&self, other: &Self) -> bool {
        other.lent_by.as_ref().is_some_and(|lender| lender.is(self))
    }

    /// Everybody for whom a request is decided: the agent, and the person who lent it their presence.
    pub fn everyone(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |one| one.lent_by.as_deref())
    }

    /// Whether this principal may not review what `requester` asked: it is the same one, the owner of the agent, or who
    /// lent it their presence.
    pub fn is_interested_in(&self, requester: &Self) -> bool {
        requester.everyone().any(|one| self.is_interested_in_one(one))
    }

    fn is_interested_in_one(&self, requester: &Self) -> bool {
        self.is(requester)
            || requester.owner.as_ref() == Some(&self.name)
            || (self.owner.is_some() && (self.owner == requester.owner || self.owner.as_ref() == Some(&requester.name)))
    }
}
