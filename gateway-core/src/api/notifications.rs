//! What was not told yet: listed, tried again, forgotten, by whom policy lets administer. Changes are recorded first.

use axum::{
    Json,
    extract::{Path, State},
};

use super::{
    ApiState,
    caller::Caller,
    problem::ApiError,
    types::{NotificationItem, NotificationState, Notifications},
};
use crate::{
    policy::{ApiAction, ApiResource},
    record::GatewayEvent,
    store::Delivery,
};

const MAX_LISTED: usize = 500;

pub(super) async fn list(State(state): State<ApiState>, caller: Caller) -> Result<Json<Notifications>, ApiError> {
    administers(&state, &caller, "list notifications").await?;
    let counts = state.0.outbox.counts().await?;
    let items = state.0.outbox.list(MAX_LISTED).await?.into_iter().map(item).collect();
    Ok(Json(Notifications { waiting: counts.waiting, dead: counts.dead, items }))
}

pub(super) async fn retry(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<()>, ApiError> {
    note(&state, &caller, format!("retry notification {}", known(&state, &caller, &id).await?)).await?;
    found(state.0.outbox.retry(&id).await?)
}

pub(super) async fn forget(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<()>, ApiError> {
    note(&state, &caller, format!("drop notification {}", known(&state, &caller, &id).await?)).await?;
    found(state.0.outbox.forget(&id).await?)
}

pub(super) async fn administers(state: &ApiState, caller: &Caller, action: &str) -> Result<(), ApiError> {
    match state.authorize(caller.principal(), &ApiAction::Administer, &ApiResource::Gateway) {
        Ok(()) => Ok(()),
        Err(refusal) => Err(state.refuse(caller.principal(), action.to_owned(), refusal).await),
    }
}

/// Ids come from outside and go to the record: only what an id can be does.
async fn known<'id>(state: &ApiState, caller: &Caller, id: &'id str) -> Result<&'id str, ApiError> {
    administers(state, caller, "change notifications").await?;
    let plain = id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if plain { Ok(id) } else { Err(ApiError::not_found("no such notification")) }
}

async fn note(state: &ApiState, caller: &Caller, action: String) -> Result<(), ApiError> {
    let event = GatewayEvent::Administered { who: caller.principal().clone(), action };
    Ok(state.0.recordings.note(event).await?)
}

fn found(found: bool) -> Result<Json<()>, ApiError> {
    if found { Ok(Json(())) } else { Err(ApiError::not_found("no such notification")) }
}

fn item(delivery: Delivery) -> NotificationItem {
    NotificationItem {
        about: delivery.notice.about(),
        event: delivery.notice.event.to_string(),
        created_at_millis: delivery.notice.at_millis,
        id: delivery.id,
        receiver: delivery.target,
        recipient: delivery.recipient,
        state: if delivery.dead { NotificationState::Dead } else { NotificationState::Waiting },
        attempts: delivery.attempts,
        due_at_millis: delivery.due_at_millis,
        error: delivery.error,
    }
}
