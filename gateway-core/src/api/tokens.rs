//! Passwords for native clients, and the end of a login.

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
    guard::json,
    problem::ApiError,
    types::{CertificateRequest, ConnectionCertificate, ConnectionToken, NativeAddress},
};
use crate::{
    identity::{ClientCertificateError, ConnectionTokenError, Verified},
    model::{Refusal, RefusalKind, Verdict},
    policy::{Circumstances, Source},
    record::GatewayEvent,
};

/// A connection that its caller may reach natively by the policies of now, and where. They are asked again when it is used.
async fn reachable(state: &ApiState, caller: &Caller, name: &str) -> Result<(ApiConnection, NativeAddress), ApiError> {
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
    let native = connection.native.clone().ok_or_else(|| {
        ApiError::new(StatusCode::CONFLICT, "this connection has no native listener")
            .detail("its site sets no `listen` for it")
            .hint(format!("use `hoop connect {}`, or ask the gateway's operator for `listen`", connection.facts.name))
    })?;
    Ok((connection, native))
}

/// Makes a password for one connection.
pub(super) async fn issue(
    State(state): State<ApiState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<ConnectionToken>, ApiError> {
    let (connection, native) = reachable(&state, &caller, &name).await?;
    let who = caller.principal().clone();
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
    caller.still_in(&state).inspect_err(|_ended| state.0.connection_tokens.forget(&who))?;
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

/// Makes a client certificate for one connection.
pub(super) async fn certify(
    State(state): State<ApiState>,
    caller: Caller,
    Path(name): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<ConnectionCertificate>, ApiError> {
    let CertificateRequest { request } = json(body)?;
    let (connection, native) = reachable(&state, &caller, &name).await?;
    let (who, connection) = (caller.principal().clone(), connection.facts.name);
    let login = Verified { expires_at: caller.1, ..caller.0.clone() };
    let issued = state.0.client_certificates.issue(&login, &connection, &request).map_err(|error| match error {
        ClientCertificateError::Expired => ApiError::unauthenticated(&error),
        ClientCertificateError::TooMany => {
            ApiError::new(StatusCode::TOO_MANY_REQUESTS, "no more certificates now").detail(error.to_string())
        }
        ClientCertificateError::Request => {
            ApiError::new(StatusCode::BAD_REQUEST, "the certificate request does not do").detail(error.to_string())
        }
        ClientCertificateError::Unmade => ApiError::unavailable("no certificate can be made", &error),
    })?;
    let (token, expires_at) = (issued.id.clone(), issued.expires_at);
    let event = GatewayEvent::TokenIssued { who: who.clone(), connection: connection.clone(), token, expires_at };
    state.0.recordings.note(event).await?;
    caller.still_in(&state).inspect_err(|_ended| state.0.client_certificates.forget(&who))?;
    Ok(Json(ConnectionCertificate {
        id: issued.id,
        host: native.host,
        port: native.port,
        user: who.name.to_string(),
        database: connection,
        certificate: issued.certificate,
        expires_at: issued.expires_at,
        login_expires_at: login.expires_at,
    }))
}

/// Ends everything that the caller's login gave: tokens, live sessions, who is on the way in, passwords, certificates,
/// and what they asked reviewers for. In this order nothing new is given once the last is forgotten.
pub(super) async fn log_out(State(state): State<ApiState>, caller: Caller) -> Result<Json<()>, ApiError> {
    let who = caller.principal();
    let ended = state.0.tokens.end(who);
    state.0.registry.log_out(who);
    state.0.connection_tokens.forget(who);
    state.0.client_certificates.forget(who);
    let taken_back = state.0.desk.log_out(who).await;
    // FAIL-CLOSED: what a restart would forget is not said to be ended.
    ended.map_err(|failure| ApiError::unavailable("the logout could not be kept", &failure))?;
    taken_back?;
    Ok(Json(()))
}
