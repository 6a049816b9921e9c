//! `POST /sessions/{id}/kill`: ends a live session. It is on record before anything happens.

use axum::{
    body::Bytes,
    extract::{Path, State, rejection::BytesRejection},
};
use http::StatusCode;

use super::{ApiState, caller::Caller, guard::json, problem::ApiError, sessions, types::KillRequest};
use crate::{model::SessionId, notify::Notice, policy::ApiAction, record::GatewayEvent};

/// Longer reasons are refused: they are told to the client in one sentence.
const MAX_REASON_CHARACTERS: usize = 500;

pub(super) async fn kill(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, ApiError> {
    let request: KillRequest = match body {
        Ok(body) if body.is_empty() => KillRequest::default(),
        body => json(body)?,
    };
    let reason = sound(request)?;
    let who = caller.principal();
    let absent = || ApiError::not_found("no such session");
    let id: SessionId = id.parse().map_err(|_malformed| absent())?;
    let entry = state.0.sessions.find(&id).await?.ok_or_else(absent)?;
    if let Err(refusal) = state.authorize(who, &ApiAction::KillSession, &sessions::on(&entry)) {
        let listed = sessions::is_visible(&state, who, &entry);
        let refused = state.refuse(who, format!("kill {id}"), refusal).await;
        return Err(if listed { refused } else { absent() });
    }
    if let Some(reason) = entry.end_reason.filter(|_| entry.ended_at_millis.is_some()) {
        return Err(over().detail(format!("it ended before: {reason}")));
    }
    // Only what lives is ended: what is on its way out has its own reason.
    if !state.0.registry.is_live(&id) {
        return Err(over().detail("it is ending right now"));
    }
    // FAIL-CLOSED: a kill that is not on record does not happen.
    let event = GatewayEvent::Killed { who: who.clone(), session: id.clone(), reason: reason.clone() };
    state.0.recordings.note(event).await?;
    if !state.0.registry.kill(&id, &who.name, reason) {
        return Err(over().detail("it ended by itself meanwhile"));
    }
    let at = state.0.clock.unix_millis();
    let notice = Notice::of_kill(&entry.principal, entry.connection.name.clone(), id, who, at);
    if let Err(failure) = state.0.outbox.tell(&notice).await {
        tracing::error!(%failure, "that a session was ended is on record, and could not be told to anybody");
    }
    Ok(StatusCode::NO_CONTENT)
}

fn over() -> ApiError {
    ApiError::new(StatusCode::CONFLICT, "the session has ended").hint("`hoop sessions ls --live` lists those that live")
}

fn sound(request: KillRequest) -> Result<Option<String>, ApiError> {
    let reason = request.reason.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    let is_sound =
        |reason: &str| reason.chars().count() <= MAX_REASON_CHARACTERS && !reason.chars().any(char::is_control);
    match reason {
        Some(reason) if !is_sound(&reason) => {
            Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "the reason does not do")
                .detail(format!("a reason is one line of at most {MAX_REASON_CHARACTERS} characters")))
        }
        reason => Ok(reason),
    }
}
