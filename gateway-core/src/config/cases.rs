//! `tests/*.toml`: what a site's author expects the policies to say. Only read here; whoever runs them inspects the text.

use std::{collections::BTreeSet, path::PathBuf, str::FromStr};

use super::reader::{Document, Table};
use crate::model::{ConnectionName, GroupName, Principal, PrincipalKind, PrincipalName};

/// The decision that a case expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedDecision {
    /// It passes.
    Permit,
    /// It is refused.
    Refuse,
    /// It waits for reviewers.
    Approval,
}

/// One `[[case]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyCase {
    /// The file, relative to the site.
    pub file: PathBuf,
    /// Its line.
    pub line: usize,
    /// Who asks.
    pub principal: Principal,
    /// On which connection.
    pub connection: ConnectionName,
    /// The text of the operation.
    pub operation: String,
    /// What is expected.
    pub decision: ExpectedDecision,
    /// The rule that is expected to decide.
    pub rule: Option<String>,
}

/// Reads one file of cases.
pub(super) fn read(document: &Document<'_>) -> Vec<PolicyCase> {
    let Some(mut file) = document.root() else { return Vec::new() };
    let cases = file
        .tables("case")
        .into_iter()
        .filter_map(|mut table| {
            let case = case(&mut table, document);
            table.finish();
            case
        })
        .collect();
    file.finish();
    cases
}

fn case(table: &mut Table<'_>, document: &Document<'_>) -> Option<PolicyCase> {
    let principal = if let Some(mut principal) = table.table("principal") {
        let read = self::principal(&mut principal);
        principal.finish();
        read
    } else {
        table.missing("principal", "principal = { user = \"alice\", groups = [\"engineers\"] }");
        None
    };
    let connection = table.required("connection", "connection = \"pg-prod\"");
    let connection = table.parsed("connection", connection, "connection = \"pg-prod\"", ConnectionName::from_str);
    let operation = table.required("operation", "operation = \"SELECT 1\"").map(toml::Spanned::into_inner);
    let decision = table.required("decision", "decision = \"permit\"");
    let decision = table.parsed("decision", decision, "decision = \"permit\"", |word| match word {
        "permit" => Ok(ExpectedDecision::Permit),
        "refuse" => Ok(ExpectedDecision::Refuse),
        "approval" => Ok(ExpectedDecision::Approval),
        _ => Err("use permit, refuse or approval"),
    });
    let rule = table.text("rule").map(toml::Spanned::into_inner);
    Some(PolicyCase {
        file: document.file().to_owned(),
        line: document.line(table.span()),
        principal: principal?,
        connection: connection?,
        operation: operation?,
        decision: decision?,
        rule,
    })
}

fn principal(table: &mut Table<'_>) -> Option<Principal> {
    const USER: &str = "user = \"alice\"";
    let user = table.text("user");
    let agent = table.text("agent");
    let (kind, name) = match (user, agent) {
        (Some(user), None) => (PrincipalKind::User, user),
        (None, Some(agent)) => (PrincipalKind::Agent, agent),
        (Some(_), Some(agent)) => {
            table.problem(&agent.span(), "a principal is a user or an agent, not both", "remove one of them");
            return None;
        }
        (None, None) => {
            table.missing("user", USER);
            return None;
        }
    };
    let name = table.parsed("user", Some(name), USER, PrincipalName::from_str);
    let owner = table.text("owner");
    let owner = table.parsed("owner", owner, "owner = \"alice\"", PrincipalName::from_str);
    let groups = table.texts("groups").unwrap_or_default().into_iter();
    let groups: BTreeSet<_> =
        groups.filter_map(|group| table.parsed("groups", Some(group), "engineers", GroupName::from_str)).collect();
    let claims = table.map("claims").unwrap_or_default();
    Some(Principal { kind, name: name?, groups, claims, owner, lent_by: None })
}
