//! `[[identity.workload]]`: issuers of service accounts besides the one that people log in at, as of a cluster or a CI.
//!
//! Who such a token is, says `agents.toml`; without a rule there it is nobody.

use std::{collections::BTreeSet, path::Path};

use super::{
    AgentRule, OidcConfig, WorkloadIssuer,
    gateway::{algorithms, issuer_address},
    reader::Table,
};

/// Reads every issuer; `login` is the one that people log in at.
pub(super) fn read(identity: &mut Table<'_>, login: Option<&OidcConfig>, root: &Path) -> Vec<WorkloadIssuer> {
    let mut names = BTreeSet::new();
    let mut issuers = Vec::new();
    for mut table in identity.tables("workload") {
        let issuer = issuer(&mut table, root);
        if let Some(issuer) = issuer {
            if login.is_some_and(|login| login.issuer == issuer.issuer) {
                let message = "people log in at this issuer, so its service accounts need no table of their own";
                table.problem(table.span(), message, "remove it; [[agent]] in agents.toml is enough");
            } else if !names.insert(issuer.issuer.clone()) {
                let message = format!("a second table is for the issuer `{}`", issuer.issuer);
                table.problem(table.span(), message, "keep one of them");
            }
            issuers.push(issuer);
        }
        table.finish();
    }
    issuers
}

fn issuer(table: &mut Table<'_>, root: &Path) -> Option<WorkloadIssuer> {
    const ISSUER: &str = "issuer = \"https://token.actions.githubusercontent.com\"";
    let issuer = table.required("issuer", ISSUER);
    let issuer = table.parsed("issuer", issuer, ISSUER, |text| issuer_address(text).map(|()| text.to_owned()));
    // FAIL-CLOSED: without an audience a token that was made for somebody else would do.
    let audience = table.required("audience", "audience = \"hoop\"").map(toml::Spanned::into_inner);
    let algorithms = algorithms(table);
    let ca_file = table.text("ca_file").map(|path| root.join(path.get_ref()));
    Some(WorkloadIssuer { issuer: issuer?, audience: audience?, algorithms, ca_file })
}

/// The agents whose issuer the gateway does not believe, so that no token can ever be them.
pub(super) fn unreachable<'agents>(
    agents: &'agents [AgentRule],
    login: Option<&OidcConfig>,
    workloads: &[WorkloadIssuer],
) -> impl Iterator<Item = &'agents AgentRule> {
    let known: BTreeSet<&str> = login
        .iter()
        .map(|login| login.issuer.as_str())
        .chain(workloads.iter().map(|one| one.issuer.as_str()))
        .collect();
    let known: Vec<String> = known.into_iter().map(str::to_owned).collect();
    agents.iter().filter(move |agent| !known.contains(&agent.issuer))
}
