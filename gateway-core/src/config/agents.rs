//! `agents.toml`: who a service account is, and who answers for it.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{GroupName, PrincipalName};

/// One `[[agent]]`: a token of this issuer whose claims all match is this agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentRule {
    /// The agent's name.
    pub name: PrincipalName,
    /// The issuer whose tokens may be it.
    pub issuer: String,
    /// Claims that must have exactly these values; never empty. A name may be a dotted path.
    pub claims: BTreeMap<String, String>,
    /// Who answers for it.
    pub owner: PrincipalName,
    /// Its groups.
    pub groups: BTreeSet<GroupName>,
}
