//! One session: one's own, and by policy those of others. Looking into one is recorded before anything is shown.

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{Path, State},
    response::Response,
};
use futures_util::{StreamExt as _, stream};
use http::{HeaderValue, header};
use tokio::sync::mpsc;

use super::{
    ApiState,
    caller::Caller,
    problem::ApiError,
    recordings::{MayReveal, RecordingsError},
    types::{SessionDetail, SessionItem},
};
use crate::{
    model::{Principal, SessionId},
    policy::{ApiAction, ApiResource, Reveal},
    record::GatewayEvent,
    store::{SessionCounts, SessionEntry},
};

/// Lines read ahead of a slow reader.
const LINES_AHEAD: usize = 64;

pub(super) async fn show(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<SessionDetail>, ApiError> {
    let entry = looked_at(&state, caller.principal(), &id).await?;
    let recordings = std::sync::Arc::clone(&state.0.recordings);
    let session = entry.id.clone();
    let read = move || recordings.detail(&session);
    let mut detail = tokio::task::spawn_blocking(read).await.map_err(|ended| interrupted(&ended))??;
    // The index knows why a session ended; the recording knows what was said in it.
    detail.session.end_reason = detail.session.end_reason.or(entry.end_reason);
    Ok(Json(detail))
}

/// The recording as JSON lines. An error on the way breaks the answer off, so that half of one never looks whole.
pub(super) async fn recording(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let entry = looked_at(&state, caller.principal(), &id).await?;
    let (sender, mut lines) = mpsc::channel::<Result<Bytes, RecordingsError>>(LINES_AHEAD);
    let recordings = std::sync::Arc::clone(&state.0.recordings);
    let may_reveal = may_reveal(&state, caller.principal(), &entry);
    tokio::task::spawn_blocking(move || {
        let mut sink = |line: Bytes| sender.blocking_send(Ok(line)).is_ok();
        if let Err(failure) = recordings.lines(&entry.id, &*may_reveal, &mut sink) {
            // A reader that went away does not want to know.
            drop(sender.blocking_send(Err(failure)));
        }
    });
    let first = match lines.recv().await {
        Some(Ok(line)) => Some(Ok(line)),
        Some(Err(failure)) => return Err(failure.into()),
        None => None,
    };
    let rest = stream::unfold(lines, async |mut lines| Some((lines.recv().await?, lines)));
    let mut response = Response::new(Body::from_stream(stream::iter(first).chain(rest)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    Ok(response)
}

/// Finds the session, asks the policies, and writes the look down; only then is there anything to show.
pub(super) async fn looked_at(state: &ApiState, who: &Principal, id: &str) -> Result<SessionEntry, ApiError> {
    let absent = || ApiError::not_found("no such session");
    let id: SessionId = id.parse().map_err(|_malformed| absent())?;
    let entry = state.0.sessions.find(&id).await?.ok_or_else(absent)?;
    if let Err(refusal) = state.authorize(who, &ApiAction::ReplaySession, &on(&entry)) {
        let listed = is_visible(state, who, &entry);
        let refused = state.refuse(who, format!("replay {id}"), refusal).await;
        return Err(if listed { refused } else { absent() });
    }
    state.0.recordings.note(GatewayEvent::Looked { who: who.clone(), session: id }).await?;
    Ok(entry)
}

/// Whether a sealed part of this class is shown to this reader, by the policies of now.
pub(super) fn may_reveal(state: &ApiState, who: &Principal, entry: &SessionEntry) -> Box<MayReveal> {
    let (policies, who, connection) = (state.policies(), who.clone(), entry.connection.clone());
    Box::new(move |class| matches!(policies.reveal(&who, &connection, class), Reveal::Clear))
}

/// Seen by whom the policies of this moment let list it: everybody their own, unless forbidden.
pub(super) fn is_visible(state: &ApiState, who: &Principal, entry: &SessionEntry) -> bool {
    state.authorize(who, &ApiAction::ListSessions, &on(entry)).is_ok()
}

pub(super) fn on(entry: &SessionEntry) -> ApiResource {
    ApiResource::Session { owner: entry.principal.clone(), connection: entry.connection.clone() }
}

/// What a live session counted so far is asked of it; the index learns it at the end.
pub(super) fn as_it_stands(state: &ApiState, mut entry: SessionEntry) -> SessionEntry {
    if entry.ended_at_millis.is_none() {
        entry.counts = state.0.registry.counts(&entry.id).unwrap_or(entry.counts);
    }
    entry
}

pub(super) fn item(entry: SessionEntry) -> SessionItem {
    let counts = entry.counts;
    item_with(entry, counts)
}

pub(super) fn item_with(entry: SessionEntry, counts: SessionCounts) -> SessionItem {
    SessionItem {
        id: entry.id,
        principal: entry.principal,
        connection: entry.connection.name,
        started_at_millis: entry.started_at_millis,
        ended_at_millis: entry.ended_at_millis,
        end_reason: entry.end_reason,
        run: entry.run,
        operations: counts.operations,
        refused: counts.refused,
        held: counts.held,
        masked: counts.masked,
        partly_searched: false,
    }
}

pub(super) fn interrupted(ended: &tokio::task::JoinError) -> ApiError {
    ApiError::unavailable("the recording could not be read", ended)
}
