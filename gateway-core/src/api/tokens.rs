//! Passwords for native clients, and the end of a login.

use axum::{
    Json,
    extract::{Path, State},
};
use http::StatusCode;
use secrecy::ExposeSecret as _;

use super::{ApiState, caller::Caller, problem::ApiError, types::ConnectionToken};
use crate::{
    identity::{ConnectionTokenError, Verified},
    model::{Refusal, RefusalKind, Verdict},
    policy::{Circumstances, Source},
    record::GatewayEvent,
};

/// Makes a password for one connection. The policies are asked now, and again when it is used.
pub(super) async fn issue(
    State(state): State<ApiState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<ConnectionToken>, ApiError> {
    let found = state.0.connections.borrow().iter().find(|one| one.facts.name.as_str() == name).cloned();
    let connection = found.ok_or_else(|| ApiError::not_found("no such connection"))?;
    let unix_seconds = state.0.clock.unix_seconds();
    let circumstances = Circumstances::at(unix_seconds, Source::Native);
    let who = caller.principal().clone();
    let refusal = match state.policies().connect(&who, &connection.facts, &circumstances) {
        Verdict::Permit { .. } => None,
        Verdict::Refuse(refusal) => Some(refusal),
        // FAIL-CLOSED: nothing waits for an approval of a connection yet.
        Verdict::NeedsApproval(need) => Some(Refusal {
            kind: RefusalKind::Policy,
            rule: need.rules.into_iter().next(),
            message: "connecting here needs an approval, which is not built yet".to_owned(),
            hint: None,
        }),
    };
    if let Some(refusal) = refusal {
        return Err(state.refuse(&who, format!("connect {}", connection.facts.name), refusal).await);
    }
    let native = connection.native.ok_or_else(|| {
        ApiError::new(StatusCode::CONFLICT, "this connection has no native listener")
            .detail("its site sets no `listen` for it")
            .hint(format!("use `hoop connect {}`, or ask the gateway's operator for `listen`", connection.facts.name))
    })?;
    let login = Verified { expires_at: caller.1, ..caller.0.clone() };
    let issued = state.0.connection_tokens.issue(&login, &connection.facts.name).map_err(|error| match error {
        ConnectionTokenError::Expired => ApiError::unauthenticated(&error),
        ConnectionTokenError::TooMany => {
            ApiError::new(StatusCode::TOO_MANY_REQUESTS, "no more passwords now").detail(error.to_string())
        }
        ConnectionTokenError::NoRandomness => ApiError::unavailable("no password can be made", &error),
    })?;
    let event = GatewayEvent::TokenIssued {
        who: who.clone(),
        connection: connection.facts.name.clone(),
        token: issued.id.clone(),
        expires_at: issued.expires_at,
    };
    state.0.recordings.note(event).await?;
    Ok(Json(ConnectionToken {
        id: issued.id,
        host: native.host,
        port: native.port,
        user: who.name.to_string(),
        database: connection.facts.name,
        password: issued.password.expose_secret().to_owned(),
        expires_at: issued.expires_at,
        login_expires_at: login.expires_at,
    }))
}

/// Voids the caller's unused passwords and ends the native sessions: nobody renews those, so they end here.
pub(super) async fn log_out(State(state): State<ApiState>, caller: Caller) -> Json<()> {
    state.0.connection_tokens.forget(caller.principal());
    state.0.registry.log_out(caller.principal());
    Json(())
}
