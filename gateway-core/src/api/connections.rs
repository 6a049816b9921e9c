//! The connections a caller may use, what is masked for them there, and which rules would hold their operations.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use http::StatusCode;

use super::{
    ApiConnection, ApiState,
    access::admission_of,
    caller::Caller,
    problem::ApiError,
    runs,
    types::{ConnectionItem, ConnectionsOf, MayConnect},
};
use crate::{
    model::{Access, ConnectionFacts, Effect, Operation, Principal, RuleId, Verb, Verdict},
    policy::{Circumstances, PolicySet, Reveal, Source},
    session::Admission,
};

/// `GET /connections`, for the caller or for an agent that the caller lends their presence.
pub(super) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    of: Result<Query<ConnectionsOf>, QueryRejection>,
) -> Result<Json<Vec<ConnectionItem>>, ApiError> {
    let Query(of) = of.map_err(|_malformed| ApiError::new(StatusCode::BAD_REQUEST, "`as_agent` is an agent's name"))?;
    let who = runs::present(&state, caller.principal(), of.as_agent.as_ref()).await?;
    let connections = state.0.connections.borrow().clone();
    let item = |one: &ApiConnection| (one.facts.name.clone(), shown(&state, &who, one));
    let items: BTreeMap<_, _> = connections.iter().map(item).collect();
    Ok(Json(items.into_values().filter(|item| item.may_connect != MayConnect::No).collect()))
}

/// One connection as this principal meets it.
pub(super) fn shown(state: &ApiState, who: &Principal, connection: &ApiConnection) -> ConnectionItem {
    let now = state.0.clock.unix_millis();
    let circumstances = Circumstances::at(now.div_euclid(1_000), Source::Tunnel);
    let admission = admission_of(state, who, &connection.facts, now);
    item(&state.policies(), who, connection, &circumstances, &admission)
}

fn item(
    policies: &PolicySet,
    who: &Principal,
    connection: &ApiConnection,
    circumstances: &Circumstances,
    admission: &Admission,
) -> ConnectionItem {
    let facts = &connection.facts;
    let (may_connect, access_until_millis) = match admission {
        Admission::Open(window) => (MayConnect::Yes, window.as_ref().map(|window| window.ends_at_millis)),
        Admission::Needs(_) => (MayConnect::Approval, None),
        Admission::Refused(_) => (MayConnect::No, None),
    };
    let hidden = |tag: &&String| matches!(policies.reveal(who, facts, tag), Reveal::Masked { .. });
    ConnectionItem {
        name: facts.name.clone(),
        kind: facts.kind,
        database: facts.database.clone(),
        labels: facts.labels.clone(),
        may_connect,
        masked: connection.tags.iter().filter(hidden).cloned().collect::<BTreeSet<_>>().into_iter().collect(),
        native: connection.native.clone(),
        environment: connection.environment.clone(),
        ssh: connection.ssh.clone(),
        held_by: holding(policies, who, facts, circumstances),
        access_until_millis,
    }
}

/// Rules that hold some verb on the connection as such. A rule about one table only is not found this way.
fn holding(policies: &PolicySet, who: &Principal, to: &ConnectionFacts, at: &Circumstances) -> Vec<RuleId> {
    let asked = |verb: Verb| Operation {
        text: Arc::from(""),
        kind: Arc::from(verb.as_str()),
        effect: verb.effect(),
        accesses: BTreeSet::from([Access { verb, object: None }]),
        has_where: true,
        names_rows: true,
        risk: 0,
        risk_reasons: Vec::new(),
        statements: 1,
        estimated_rows: None,
        estimated_percent: None,
        export: false,
        filters_on: BTreeSet::new(),
        facts: BTreeSet::new(),
        advice: None,
        request: None,
    };
    let verbs = Verb::ALL.iter().copied().filter(|verb| verb.effect() != Effect::Unknown);
    let held = verbs.filter_map(|verb| match policies.weigh(who, to, &asked(verb), at) {
        Verdict::NeedsApproval(need) => Some(need.rules),
        Verdict::Permit { .. } | Verdict::Refuse(_) => None,
    });
    held.flatten().collect::<BTreeSet<_>>().into_iter().collect()
}
