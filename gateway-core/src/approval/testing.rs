//! People and requests for the tests of approvals and the API. Compiled for tests only.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::Request;
use crate::model::{
    ApprovalId, ApprovalNeed, ConnectionFacts, ConnectionKind, ConnectionName, Effect, GroupName, ObjectName,
    Principal, PrincipalKind, PrincipalName, Quorum, RuleId, SessionId,
};

pub(crate) fn person(name: &str, groups: &[&str]) -> Principal {
    Principal {
        kind: PrincipalKind::User,
        name: PrincipalName::new(name).unwrap(),
        groups: groups.iter().map(|group| GroupName::new(group).unwrap()).collect(),
        claims: BTreeMap::new(),
        owner: None,
        lent_by: None,
    }
}

/// Everybody counts for the groups they came with.
pub(crate) fn own(by: &Principal) -> BTreeSet<GroupName> {
    by.groups.clone()
}

pub(crate) fn agent(name: &str, owner: &str, groups: &[&str]) -> Principal {
    Principal { kind: PrincipalKind::Agent, owner: Some(PrincipalName::new(owner).unwrap()), ..person(name, groups) }
}

pub(crate) fn connection() -> ConnectionFacts {
    ConnectionFacts {
        name: ConnectionName::new("pg-prod").unwrap(),
        kind: ConnectionKind::Postgres,
        labels: BTreeMap::from([("env".to_owned(), "prod".to_owned())]),
        database: "shop".into(),
    }
}

/// A held DELETE that one of dba must approve within a minute of the epoch.
pub(crate) fn request(number: u8, requester: Principal) -> Request {
    Request {
        id: ApprovalId::new(u64::from(number), [number; 5]),
        requester,
        session: Some(SessionId::new(1, [number; 10])),
        run: None,
        asks: crate::approval::Asks::Operation,
        connection: connection(),
        database: "shop".into(),
        role: "hoop".into(),
        search_path: vec!["public".into()],
        objects: BTreeSet::from([ObjectName { schema: "public".into(), name: "orders".into() }]),
        text: "DELETE FROM orders WHERE id = 7".into(),
        parameters: Vec::new(),
        kind: "delete".into(),
        effect: Effect::Write,
        risk: 40,
        risk_reasons: vec!["deletes rows".into()],
        facts: crate::approval::Facts::default(),
        digest: [number; 32],
        same: [number; 32],
        retries: 0,
        shape: None,
        shape_is_open: false,
        proposed_by: None,
        need: ApprovalNeed {
            quorums: vec![Quorum { count: 1, group: GroupName::new("dba").unwrap() }],
            rules: vec![RuleId("hold-deletes".into())],
            message: Some("a DBA looks at deletes".into()),
            expires_after: Duration::from_mins(1),
            step_up: Vec::new(),
            window: None,
            shape: None,
        },
        created_at_millis: 0,
        expires_at_millis: 60_000,
    }
}
