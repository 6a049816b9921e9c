//! What is shown of runs: who started one and whoever may list the sessions of all its connections sees it.

use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
};
use http::StatusCode;
use serde::Deserialize;

use super::{
    ApiState,
    caller::Caller,
    problem::ApiError,
    sessions,
    types::{RunCounts, RunDetail, RunItem},
};
use crate::{
    model::{Principal, RunId},
    policy::{ApiAction, ApiResource},
    store::{RunEntry, SessionEntry},
};

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1_000;
/// Runs that are looked through for those that the caller may see.
const MOST_LOOKED_THROUGH: usize = 10_000;
const PAGE: usize = 500;
/// The most sessions of a run that are shown.
pub(super) const MOST_SESSIONS: usize = 5_000;

/// `GET /runs?limit=`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RunQuery {
    limit: Option<usize>,
}

pub(super) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    query: Result<Query<RunQuery>, QueryRejection>,
) -> Result<Json<Vec<RunItem>>, ApiError> {
    let malformed = |_query| ApiError::new(StatusCode::BAD_REQUEST, "`limit` is a number");
    let limit = query.map_err(malformed)?.0.limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
    let (mut items, mut looked_through, mut before) = (Vec::new(), 0, None);
    while items.len() < limit && looked_through < MOST_LOOKED_THROUGH {
        let page = state.0.runs.list(before, PAGE).await?;
        let Some(last) = page.last() else { break };
        before = Some(last.started_at_millis);
        looked_through += page.len();
        items.extend(page.into_iter().filter(|run| is_visible(&state, caller.principal(), run)));
    }
    items.truncate(limit);
    Ok(Json(items.into_iter().map(|run| item(&state, run)).collect()))
}

pub(super) async fn show(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<RunDetail>, ApiError> {
    let (run, entries) = seen(&state, caller.principal(), &id).await?;
    let sessions: Vec<_> =
        entries.into_iter().map(|entry| sessions::item(sessions::as_it_stands(&state, entry))).collect();
    let counts = sessions.iter().fold(RunCounts::default(), |sum, one| RunCounts {
        operations: sum.operations.saturating_add(one.operations),
        refused: sum.refused.saturating_add(one.refused),
        held: sum.held.saturating_add(one.held),
        masked: sum.masked.saturating_add(one.masked),
    });
    Ok(Json(RunDetail { run: item(&state, run), sessions, counts }))
}

/// A run that the caller may see, and those of its sessions that they may list, oldest first.
pub(super) async fn seen(
    state: &ApiState,
    who: &Principal,
    id: &str,
) -> Result<(RunEntry, Vec<SessionEntry>), ApiError> {
    let absent = || ApiError::not_found("no such run");
    let id: RunId = id.parse().map_err(|_malformed| absent())?;
    let run = state.0.runs.find(&id).await?.filter(|run| is_visible(state, who, run)).ok_or_else(absent)?;
    let mut entries = state.0.sessions.of_run(&id, MOST_SESSIONS).await?;
    entries.retain(|entry| sessions::is_visible(state, who, entry));
    Ok((run, entries))
}

/// By the policies of this moment: everybody their own, unless forbidden, as for sessions.
fn is_visible(state: &ApiState, who: &Principal, run: &RunEntry) -> bool {
    !run.connections.is_empty()
        && run.connections.iter().all(|connection| {
            let on = ApiResource::Session { owner: run.principal.clone(), connection: connection.clone() };
            state.authorize(who, &ApiAction::ListSessions, &on).is_ok()
        })
}

fn item(state: &ApiState, run: RunEntry) -> RunItem {
    // What is under way is asked of it; the store learns it at the end.
    let usage = state.0.registry.usage(&run.id, state.0.clock.unix_millis()).unwrap_or(run.usage);
    RunItem {
        id: run.id,
        principal: run.principal,
        connections: run.connections.into_iter().map(|connection| connection.name).collect(),
        labels: run.labels,
        command: run.command,
        jailed: run.jailed,
        started_at_millis: run.started_at_millis,
        ended_at_millis: run.ended_at_millis,
        end_reason: run.end_reason,
        status: run.status,
        signal: run.signal,
        usage,
    }
}
