//! `agents.toml`: who a service account is, and who answers for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
};

use super::reader::{Document, Table};
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

/// Reads `agents.toml`.
pub(super) fn read(document: &Document<'_>) -> Vec<AgentRule> {
    let Some(mut file) = document.root() else { return Vec::new() };
    let mut names = BTreeSet::new();
    let agents: Vec<_> = file
        .tables("agent")
        .into_iter()
        .filter_map(|mut table| {
            let agent = agent(&mut table);
            if let Some(agent) = &agent
                && !names.insert(agent.name.clone())
            {
                let message = format!("a second agent is named `{}`", agent.name);
                table.problem(table.span(), message, "give it another name");
            }
            table.finish();
            agent
        })
        .collect();
    file.finish();
    agents
}

fn agent(table: &mut Table<'_>) -> Option<AgentRule> {
    let name = table.required("name", "name = \"crew\"");
    let name = table.parsed("name", name, "name = \"crew\"", PrincipalName::from_str);
    let issuer = table.required("issuer", "issuer = \"https://idp.example.com\"").map(toml::Spanned::into_inner);
    let claims = table.map("claims").unwrap_or_default();
    if claims.is_empty() {
        // FAIL-CLOSED: without a condition every token of the issuer would be this agent.
        table.missing("claims", "claims = { client_id = \"crew\" }");
    }
    let owner = table.required("owner", "owner = \"alice\"");
    let owner = table.parsed("owner", owner, "owner = \"alice\"", PrincipalName::from_str);
    let groups = table.texts("groups").unwrap_or_default();
    let groups = groups
        .into_iter()
        .filter_map(|group| table.parsed("groups", Some(group), "agents", GroupName::from_str))
        .collect();
    Some(AgentRule { name: name?, issuer: issuer?, claims, owner: owner?, groups })
}
