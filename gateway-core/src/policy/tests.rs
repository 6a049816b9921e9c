//! What policies promise, as sentences.

use std::{collections::BTreeMap, sync::Arc};

use super::*;
use crate::{
    approval::Grant,
    config::Problem,
    mask::MaskFunction,
    model::{
        Access, ApprovalId, ConnectionFacts, ConnectionKind, ConnectionName, Effect, GroupName, ObjectName, Operation,
        Principal, PrincipalKind, PrincipalName, Quorum, RefusalKind, StepUp, Verb, Verdict,
        flow::{Digestible, Inspected},
    },
};

mod decide;
mod gate;
mod lent;
mod loading;
mod matrix;
mod properties;

pub(super) fn load(text: &str) -> Result<PolicySet, Vec<Problem>> {
    let tags = TagNames(["email", "salary"].into_iter().map(str::to_owned).collect());
    PolicySet::load(&[PolicySource { path: "policies/site.cedar".into(), text: text.to_owned() }], &tags)
}

pub(super) fn policies(text: &str) -> PolicySet {
    load(text).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

pub(super) fn person(name: &str, groups: &[&str]) -> Principal {
    Principal {
        kind: PrincipalKind::User,
        name: PrincipalName::new(name).unwrap(),
        groups: groups.iter().map(|group| GroupName::new(group).unwrap()).collect(),
        claims: BTreeMap::from([("team".into(), "billing".into())]),
        owner: None,
        lent_by: None,
    }
}

pub(super) fn agent(name: &str, owner: &str, groups: &[&str]) -> Principal {
    let owner = Some(PrincipalName::new(owner).unwrap());
    Principal { kind: PrincipalKind::Agent, owner, ..person(name, groups) }
}

pub(super) fn production() -> ConnectionFacts {
    ConnectionFacts {
        name: ConnectionName::new("pg-prod").unwrap(),
        kind: ConnectionKind::Postgres,
        labels: BTreeMap::from([("env".into(), "prod".into())]),
        database: "shop".into(),
    }
}

pub(super) fn now() -> Circumstances {
    Circumstances::at(1_800_000_000, Source::Tunnel)
}

pub(super) fn operation(accesses: &[(Verb, Option<&str>)]) -> Operation {
    let object = |name: &str| ObjectName { schema: "public".into(), name: name.into() };
    let accesses =
        accesses.iter().map(|(verb, name)| Access { verb: *verb, object: name.map(object) }).collect::<Vec<_>>();
    Operation {
        text: Arc::from("…"),
        kind: Arc::from(accesses[0].verb.as_str()),
        effect: accesses.iter().map(|access| access.verb.effect()).max().unwrap(),
        accesses: accesses.into_iter().collect(),
        has_where: true,
        names_rows: true,
        risk: 10,
        risk_reasons: Vec::new(),
        statements: 1,
        estimated_rows: None,
        estimated_percent: None,
        export: false,
        filters_on: std::collections::BTreeSet::new(),
        facts: std::collections::BTreeSet::new(),
        advice: None,
        request: None,
    }
}

pub(super) fn delete(table: &str) -> Operation {
    operation(&[(Verb::Delete, Some(table))])
}

pub(super) fn weigh(set: &PolicySet, who: &Principal, asked: &Operation) -> Verdict {
    set.weigh(who, &production(), asked, &now())
}

/// `permit`, `refuse RULE` or `hold RULE QUORUM…`.
pub(super) fn short(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Permit { .. } => "permit".into(),
        Verdict::Refuse(refusal) => {
            format!("refuse {}", refusal.rule.as_ref().map_or("-".to_owned(), ToString::to_string))
        }
        Verdict::NeedsApproval(need) => {
            let rules: Vec<_> = need.rules.iter().map(ToString::to_string).collect();
            let quorums: Vec<_> = need.quorums.iter().map(ToString::to_string).collect();
            format!("hold {} for {}", rules.join(" "), quorums.join(", "))
        }
    }
}

pub(super) const PERMIT_ALL: &str = "@id(\"all\") permit(principal, action, resource);\n";
