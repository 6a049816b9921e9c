//! Runs: `hoop exec` begins one, renews its token and ends it. A run that nobody renews ends by itself.
//!
//! A run begins on record or not at all. Only who started it renews or ends it, with their own token: the run's opens
//! streams and nothing else. Listing and showing is in `run_views`.

use std::{collections::BTreeMap, sync::Arc};

use aws_lc_rs::rand;
use axum::{
    Json,
    body::Bytes,
    extract::{Path, State, rejection::BytesRejection},
};
use http::StatusCode;
use secrecy::ExposeSecret as _;

use super::{
    ApiConnection, ApiState,
    caller::Caller,
    connections,
    guard::json,
    problem::ApiError,
    types::{NewRun, RunEnding, RunOpened, RunPrincipal, RunToken},
};
use crate::{
    identity::{Issued, Verified},
    model::{ConnectionFacts, Principal, PrincipalKind, PrincipalName, RunId, RunScope, Verdict},
    policy::{ApiAction, ApiResource, Circumstances, Source},
    record::GatewayEvent,
    session::registry::{OpenRun, RunError},
    store::{RunEnd, RunEntry},
};

const MOST_CONNECTIONS: usize = 32;
const MOST_LABELS: usize = 16;
const MOST_LABEL_BYTES: usize = 128;
const MOST_COMMAND_BYTES: usize = 255;

/// `POST /runs`.
pub(super) async fn begin(
    State(state): State<ApiState>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<RunOpened>), ApiError> {
    let wanted = sound(json(body)?)?;
    let principal = present(&state, caller.principal(), wanted.agent.as_ref()).await?;
    let reached = reached(&state, &principal, &wanted).await?;
    let now = state.0.clock.unix_millis();
    let mut random = [0; 10];
    rand::fill(&mut random).map_err(|_none| ApiError::unavailable("no run can begin", &"no randomness"))?;
    let id = RunId::new(u64::try_from(now).unwrap_or(0), random);
    let facts: Vec<ConnectionFacts> = reached.iter().map(|one| one.facts.clone()).collect();
    let issued = issue(&state, &caller, principal.clone(), &id, &facts)?;
    let event = GatewayEvent::RunStarted {
        run: id.clone(),
        who: principal.clone(),
        connections: facts.iter().map(|one| one.name.clone()).collect(),
        labels: wanted.labels.clone(),
        command: wanted.command.clone(),
        jailed: wanted.jailed,
    };
    state.0.recordings.note(event).await?;
    let entry = RunEntry {
        id: id.clone(),
        principal: principal.clone(),
        connections: facts,
        labels: wanted.labels,
        command: wanted.command,
        jailed: wanted.jailed,
        started_at_millis: now,
        ended_at_millis: None,
        end_reason: None,
        status: None,
        signal: None,
        usage: crate::model::Usage::default(),
    };
    state.0.runs.started(entry).await?;
    let starter = caller.principal().clone();
    let open = OpenRun { id: id.clone(), starter, started_at_millis: now, expires_at: issued.expires_at };
    if let Err(failure) = state.0.registry.open_run(open) {
        state.end_run(&id, &failure.to_string(), RunEnding::default()).await?;
        return Err(failure.into());
    }
    let opened = RunOpened {
        id,
        token: issued.token.expose_secret().to_owned(),
        expires_at: issued.expires_at,
        principal: RunPrincipal { kind: principal.kind, name: principal.name.clone() },
        lent_by: principal.lent_by.as_ref().map(|lender| lender.name.clone()),
        connections: reached.iter().map(|one| connections::shown(&state, &principal, one)).collect(),
    };
    Ok((StatusCode::CREATED, Json(opened)))
}

/// `POST /runs/{id}/token`: who the caller is by now counts, so that a login that lost a group loses it here too.
pub(super) async fn renew(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<RunToken>, ApiError> {
    let id = under_way(&state, &caller, &id)?;
    let entry = state.0.runs.find(&id).await?.ok_or(RunError::Absent)?;
    let agent = entry.principal.lent_by.is_some().then_some(&entry.principal.name);
    let principal = present(&state, caller.principal(), agent).await?;
    let issued = issue(&state, &caller, principal, &id, &entry.connections)?;
    state.0.registry.renew_run(&id, caller.principal(), issued.expires_at)?;
    Ok(Json(RunToken { token: issued.token.expose_secret().to_owned(), expires_at: issued.expires_at }))
}

/// `POST /runs/{id}/end`. Ending what has ended is no error.
pub(super) async fn end(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, ApiError> {
    let ending: RunEnding = json(body)?;
    let id: RunId = id.parse().map_err(|_malformed| RunError::Absent)?;
    if state.0.registry.is_run_of(&id, caller.principal()) {
        let why = match (ending.status, ending.signal) {
            (Some(status), _) => format!("its program exited with status {status}"),
            (None, Some(signal)) => format!("signal {signal} ended its program"),
            (None, None) => "it was ended".to_owned(),
        };
        state.end_run(&id, &why, ending).await?;
        return Ok(StatusCode::NO_CONTENT);
    }
    let entry = state.0.runs.find(&id).await?.ok_or(RunError::Absent)?;
    let starter = entry.principal.lent_by.as_deref().unwrap_or(&entry.principal);
    if starter.is(caller.principal()) { Ok(StatusCode::NO_CONTENT) } else { Err(RunError::Absent.into()) }
}

impl ApiState {
    /// Ends a run and its sessions, and writes both down. What cannot be written down is ended all the same.
    async fn end_run(&self, id: &RunId, why: &str, ending: RunEnding) -> Result<(), ApiError> {
        let at_millis = self.0.clock.unix_millis();
        let usage = self.0.registry.end_run(id, at_millis).unwrap_or_default();
        let RunEnding { status, signal } = ending;
        let (run, why) = (id.clone(), why.to_owned());
        let event = GatewayEvent::RunEnded { run, why: why.clone(), status, signal, usage };
        let noted = self.0.recordings.note(event).await;
        self.0.runs.ended(id, RunEnd { at_millis, why, status, signal, usage }).await?;
        Ok(noted?)
    }

    /// Ends the runs whose token nobody renewed.
    pub async fn end_lapsed_runs(&self) {
        for id in self.0.registry.lapsed_runs(self.0.clock.unix_seconds()) {
            self.give_up_run(&id, "its token was not renewed").await;
        }
    }

    /// Ends every run: the gateway stops.
    pub async fn end_every_run(&self) {
        for id in self.0.registry.live_runs() {
            self.give_up_run(&id, "the gateway stopped").await;
        }
    }

    async fn give_up_run(&self, id: &RunId, why: &str) {
        if let Err(failure) = self.end_run(id, why, RunEnding::default()).await {
            tracing::error!(run = %id, ?failure, "the end of a run could not be written down");
        }
    }
}

/// Who the run stands for: the caller, or an agent with the caller's presence, where policy lets the caller act as it.
pub(super) async fn present(
    state: &ApiState,
    caller: &Principal,
    agent: Option<&PrincipalName>,
) -> Result<Principal, ApiError> {
    let Some(name) = agent else { return Ok(caller.clone()) };
    let absent = || ApiError::not_found("no such agent");
    let rules = state.0.agents.rules();
    let rule = rules.iter().find(|rule| rule.name == *name).ok_or_else(absent)?;
    let agent = Principal {
        kind: PrincipalKind::Agent,
        name: rule.name.clone(),
        groups: rule.groups.clone(),
        // No token of its own is there to say more of it.
        claims: BTreeMap::new(),
        owner: Some(rule.owner.clone()),
        lent_by: None,
    };
    if let Err(refusal) = state.authorize(caller, &ApiAction::ActAs, &ApiResource::Agent(agent.clone())) {
        return Err(state.refuse(caller, format!("act as {name}"), refusal).await);
    }
    Ok(Principal { lent_by: Some(Arc::new(caller.clone())), ..agent })
}

/// The connections of a run. One that policy refuses refuses the run; one that needs an approval asks when it is used.
async fn reached(state: &ApiState, who: &Principal, wanted: &NewRun) -> Result<Vec<ApiConnection>, ApiError> {
    let known = state.0.connections.borrow().clone();
    let at = Circumstances::at(state.0.clock.unix_seconds(), Source::Tunnel);
    let mut reached = Vec::new();
    for name in &wanted.connections {
        let found = known.iter().find(|one| one.facts.name == *name);
        let connection = found.ok_or_else(|| ApiError::not_found("no such connection"))?;
        if let Verdict::Refuse(refusal) = state.policies().connect(who, &connection.facts, &at) {
            return Err(state.refuse(who, format!("connect {name}"), refusal).await);
        }
        reached.push(connection.clone());
    }
    Ok(reached)
}

fn issue(
    state: &ApiState,
    caller: &Caller,
    principal: Principal,
    id: &RunId,
    connections: &[ConnectionFacts],
) -> Result<Issued, ApiError> {
    // It lives by the login, of which the caller's own token is a shorter piece.
    let verified = Verified { principal, expires_at: caller.1, authentication: caller.0.authentication.clone() };
    let connections = connections.iter().map(|one| one.name.clone()).collect();
    let issued = state.0.tokens.issue_run(&verified, RunScope { run: id.clone(), connections })?;
    caller.still_in(state)?;
    Ok(issued)
}

fn under_way(state: &ApiState, caller: &Caller, id: &str) -> Result<RunId, ApiError> {
    let id: RunId = id.parse().map_err(|_malformed| RunError::Absent)?;
    if state.0.registry.is_run_of(&id, caller.principal()) { Ok(id) } else { Err(RunError::Absent.into()) }
}

/// Bounds everything that will be stored and shown.
fn sound(mut wanted: NewRun) -> Result<NewRun, ApiError> {
    let unsound = |why: &str| {
        ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "the run cannot begin like this").detail(why.to_owned())
    };
    wanted.connections.sort();
    wanted.connections.dedup();
    if wanted.connections.is_empty() || wanted.connections.len() > MOST_CONNECTIONS {
        return Err(unsound(&format!("a run has 1 to {MOST_CONNECTIONS} connections")));
    }
    let is_plain =
        |text: &str, most: usize| !text.is_empty() && text.len() <= most && !text.chars().any(char::is_control);
    let labels_are_plain = wanted
        .labels
        .iter()
        .all(|(key, value)| is_plain(key, MOST_LABEL_BYTES) && (value.is_empty() || is_plain(value, MOST_LABEL_BYTES)));
    if wanted.labels.len() > MOST_LABELS || !labels_are_plain {
        return Err(unsound(&format!("a run has at most {MOST_LABELS} labels of {MOST_LABEL_BYTES} plain bytes each")));
    }
    if wanted.command.as_deref().is_some_and(|command| !is_plain(command, MOST_COMMAND_BYTES)) {
        return Err(unsound("the command is one program's name, without control characters"));
    }
    Ok(wanted)
}

impl From<RunError> for ApiError {
    fn from(failure: RunError) -> Self {
        match failure {
            RunError::TooMany => Self::new(StatusCode::TOO_MANY_REQUESTS, "too many runs are under way")
                .hint("end some of them, or wait; `hoop runs ls` lists them"),
            RunError::Absent => Self::new(StatusCode::NOT_FOUND, "no such run is under way")
                .detail("it has ended, or it is not yours")
                .hint("start it again with `hoop exec`"),
        }
    }
}
