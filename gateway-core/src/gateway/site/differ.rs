//! What differs between two sites, and whose sessions that ends. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    api::types::{Change, SiteChange, SiteDifference, SiteProblem, SiteStanding},
    config::{Connection, Credential, Masking, Site},
    model::{ConnectionKind, ConnectionName},
};

/// Everything that would change.
pub(super) fn difference(
    running: &Site,
    wanted: &Site,
    base: SiteStanding,
    cases: u64,
    problems: Vec<SiteProblem>,
) -> SiteDifference {
    let by_name = |site: &Site| -> BTreeMap<String, Connection> {
        site.connections.iter().map(|one| (one.name.to_string(), one.clone())).collect()
    };
    let agents = |site: &Site| -> BTreeMap<String, _> {
        site.agents.iter().map(|one| (one.name.to_string(), one.clone())).collect()
    };
    let files = |site: &Site| -> BTreeMap<String, String> { site.files.clone().into_map() };
    let policies = |site: &Site| -> BTreeMap<String, String> {
        site.policies.texts().into_iter().map(|(id, text)| (id.to_string(), text)).collect()
    };
    let (before, after) = (by_name(running), by_name(wanted));
    SiteDifference {
        base,
        files: changes(&files(running), &files(wanted)),
        connections: changes(&before, &after),
        policies: changes(&policies(running), &policies(wanted)),
        agents: changes(&agents(running), &agents(wanted)),
        masking: running.masking != wanted.masking,
        ends: ends(running, &after, &wanted.masking),
        cases,
        problems,
    }
}

fn changes<T: PartialEq>(before: &BTreeMap<String, T>, after: &BTreeMap<String, T>) -> Vec<SiteChange> {
    let gone = before.keys().filter(|name| !after.contains_key(*name)).map(|name| (name, Change::Removed));
    let rest = after.iter().filter_map(|(name, value)| match before.get(name) {
        None => Some((name, Change::Added)),
        Some(old) if old != value => Some((name, Change::Changed)),
        Some(_) => None,
    });
    let mut all: Vec<_> = gone.chain(rest).map(|(name, change)| SiteChange { name: name.clone(), change }).collect();
    all.sort();
    all
}

/// The connections whose live sessions cannot stay as they are, and why.
fn ends(running: &Site, after: &BTreeMap<String, Connection>, masking: &Masking) -> BTreeMap<String, String> {
    let why = |old: &Connection| match after.get(old.name.as_str()) {
        None => Some(format!("connection {} was removed", old.name)),
        Some(new) if new != old => Some(format!("connection {} was changed", old.name)),
        Some(new) if machine_of(running.connections.iter(), old) != machine_of(after.values(), new) => {
            Some(format!("the machine that connection {} is reached through was changed", old.name))
        }
        Some(_) if !masks_alike(old, &running.masking, masking) => {
            Some(format!("what is masked on connection {} was changed", old.name))
        }
        Some(_)
            if overheard_by(old, running.connections.iter(), &running.masking)
                != overheard_by(old, after.values(), masking) =>
        {
            Some(format!("what is masked beside connection {}, on the same server, was changed", old.name))
        }
        Some(_) => None,
    };
    running.connections.iter().filter_map(|old| Some((old.name.to_string(), why(old)?))).collect()
}

/// The connections that make logins for sessions, of which one site says something else than the other.
pub(super) fn changed_lenders(running: &Site, wanted: &Site) -> BTreeSet<ConnectionName> {
    let lends =
        |one: &&Connection| matches!(one.credential, Credential::EphemeralRole(_) | Credential::VaultRole { .. });
    let lending = |site: &Site| -> BTreeMap<ConnectionName, Connection> {
        site.connections.iter().filter(lends).map(|one| (one.name.clone(), one.clone())).collect()
    };
    let (before, after) = (lending(running), lending(wanted));
    before.keys().chain(after.keys()).filter(|name| before.get(*name) != after.get(*name)).cloned().collect()
}

/// The machine that a connection is reached through.
fn machine_of<'site>(
    mut all: impl Iterator<Item = &'site Connection>,
    connection: &Connection,
) -> Option<&'site Connection> {
    let via = connection.via.as_ref()?;
    all.find(|one| one.name == *via)
}

/// What other connections to the same server tag: statistics views show it here too.
fn overheard_by<'site>(
    connection: &Connection,
    all: impl Iterator<Item = &'site Connection>,
    masking: &Masking,
) -> BTreeSet<String> {
    let beside = all.filter(|other| {
        other.kind == ConnectionKind::Postgres
            && connection.kind == ConnectionKind::Postgres
            && other.name != connection.name
            && other.upstream == connection.upstream
    });
    let mut found = BTreeSet::new();
    for facts in beside.map(Connection::facts) {
        let rules = masking.columns.iter().filter(|rule| rule.connection.selects(&facts));
        found.extend(rules.map(|rule| format!("{facts:?} {}", rule.tag)));
    }
    found
}

/// Whether both say the same of this connection.
fn masks_alike(connection: &Connection, before: &Masking, after: &Masking) -> bool {
    let facts = connection.facts();
    let rules = |masking: &Masking| -> Vec<_> {
        let here = masking.columns.iter().filter(|rule| rule.connection.selects(&facts));
        here.map(|rule| (rule.columns.clone(), rule.tag.clone())).collect()
    };
    rules(before) == rules(after) && before.detectors == after.detectors && before.custom == after.custom
}
