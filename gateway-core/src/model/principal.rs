//! Who asks: a person or an agent, with groups and claims from the identity provider.

use std::collections::{BTreeMap, BTreeSet};

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
}

impl Principal {
    /// Whether this principal may not review what `requester` asked: it is the same one, or the owner of the agent.
    pub fn is_interested_in(&self, requester: &Self) -> bool {
        (self.kind == requester.kind && self.name == requester.name)
            || requester.owner.as_ref() == Some(&self.name)
            || (self.owner.is_some() && (self.owner == requester.owner || self.owner.as_ref() == Some(&requester.name)))
    }
}
