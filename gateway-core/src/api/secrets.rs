//! Secrets of the gateway's own store: set, listed and taken away by whom policy lets administer. Recorded first, without
//! the value; no value is ever answered.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State, rejection::BytesRejection},
};
use http::StatusCode;
use secrecy::SecretString;

use super::{
    ApiState,
    caller::Caller,
    guard::json,
    notifications::administers,
    problem::ApiError,
    types::{SecretItem, SecretVersion, SetSecret},
};
use crate::{
    config::SecretName,
    credential::{
        MAX_SECRET_BYTES,
        shelf::{Before, SecretShelf, ShelfError},
    },
    record::GatewayEvent,
};

pub(super) async fn list(State(state): State<ApiState>, caller: Caller) -> Result<Json<Vec<SecretItem>>, ApiError> {
    administers(&state, &caller, "list secrets").await?;
    let listed = shelf(&state)?.list().await.map_err(|error| failed(&error))?;
    let item = |one: crate::credential::shelf::ListedSecret| SecretItem {
        name: one.name,
        version: one.version,
        changed_at_millis: one.changed_at_millis,
        changed_by: one.changed_by,
    };
    Ok(Json(listed.into_iter().map(item).collect()))
}

pub(super) async fn set(
    State(state): State<ApiState>,
    caller: Caller,
    Path(name): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<SecretVersion>, ApiError> {
    administers(&state, &caller, "set a secret").await?;
    let name = named(&name)?;
    let SetSecret { value, rotate } = json(body)?;
    if value.is_empty() || value.len() as u64 > MAX_SECRET_BYTES {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "a secret has 1 to 49152 bytes"));
    }
    let value = SecretString::from(value);
    let (verb, before) = if rotate { ("rotate", Before::Something) } else { ("set", Before::Anything) };
    let (who, action) = (caller.principal().clone(), format!("{verb} the secret {name}"));
    let by = who.name.clone();
    state.0.recordings.note(GatewayEvent::Administered { who, action }).await?;
    let now = state.0.clock.unix_millis();
    let version = shelf(&state)?.set(&name, &value, before, &by, now).await.map_err(|error| failed(&error))?;
    Ok(Json(SecretVersion { name: name.to_string(), version }))
}

pub(super) async fn remove(
    State(state): State<ApiState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<()>, ApiError> {
    administers(&state, &caller, "remove a secret").await?;
    let name = named(&name)?;
    let (who, action) = (caller.principal().clone(), format!("remove the secret {name}"));
    state.0.recordings.note(GatewayEvent::Administered { who, action }).await?;
    let removed = shelf(&state)?.remove(&name).await.map_err(|error| failed(&error))?;
    if removed { Ok(Json(())) } else { Err(failed(&ShelfError::Absent(name.to_string()))) }
}

fn shelf(state: &ApiState) -> Result<&SecretShelf, ApiError> {
    let absent = || ApiError::new(StatusCode::NOT_FOUND, "this gateway keeps no secrets");
    state.0.secrets.shelf().ok_or_else(absent)
}

/// Names go to the record: only what can be one does.
fn named(name: &str) -> Result<SecretName, ApiError> {
    SecretName::parse(name).map_err(|_invalid| {
        ApiError::new(StatusCode::BAD_REQUEST, "this is no name of a secret")
            .hint("use letters, digits and `-_./`, as in `pg/prod`")
    })
}

fn failed(error: &ShelfError) -> ApiError {
    match error {
        ShelfError::Absent(name) => {
            ApiError::not_found("no such secret").hint(format!("list them with `hoop secrets ls`, or set `{name}`"))
        }
        ShelfError::Contended(_) => {
            ApiError::new(StatusCode::CONFLICT, "somebody else sets it too").detail(error.to_string())
        }
        ShelfError::Randomness | ShelfError::Store(_) | ShelfError::ForeignKey { .. } => {
            ApiError::unavailable("the store failed", error)
        }
    }
}
