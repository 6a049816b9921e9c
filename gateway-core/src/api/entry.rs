//! How a client comes in: what the gateway is, the token exchange, who I am, its audit key.

use std::net::SocketAddr;

use axum::{
    Json,
    body::Bytes,
    extract::{ConnectInfo, State, rejection::BytesRejection},
    response::{IntoResponse as _, Response},
};
use http::{Extensions, HeaderValue, header};
use secrecy::{ExposeSecret as _, SecretString};

use super::{
    ApiState,
    caller::Caller,
    guard::json,
    problem::ApiError,
    types::{GatewayInfo, TokenRequest, TokenResponse, Whoami},
};
use crate::{identity::TOKEN_LIFE_SECONDS, record::GatewayEvent};

pub(super) async fn gateway(State(state): State<ApiState>) -> Json<GatewayInfo> {
    Json(GatewayInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        dev: state.0.dev,
        identity: state.0.verifier.info(),
    })
}

/// Exchanges the issuer's token for the gateway's own. A login that cannot be recorded gives none.
pub(super) async fn token(
    State(state): State<ApiState>,
    extensions: Extensions,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<TokenResponse>, ApiError> {
    let request: TokenRequest = json(body)?;
    let access = request.access_token.map(SecretString::from);
    let verified = state.0.verifier.verify_with(&request.token, access.as_ref()).await?;
    let issued = state.0.tokens.issue(&verified)?;
    state.0.last_seen.note(&verified.principal);
    let from = extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    state.0.recordings.note(GatewayEvent::LoggedIn { who: verified.principal.clone(), from }).await?;
    Ok(Json(TokenResponse {
        token: issued.token.expose_secret().to_owned(),
        expires_at: issued.expires_at,
        principal: verified.principal,
    }))
}

pub(super) async fn whoami(State(state): State<ApiState>, caller: Caller) -> Json<Whoami> {
    let believed_for_seconds = state.0.verifier.login_seconds();
    Json(Whoami {
        principal: caller.0.principal,
        expires_at: caller.0.expires_at,
        renewed_every_seconds: TOKEN_LIFE_SECONDS.min(believed_for_seconds),
        believed_for_seconds,
    })
}

/// The public key that recordings are verified with, as PEM.
pub(super) async fn audit_key(State(state): State<ApiState>, _caller: Caller) -> Response {
    let mut response = state.0.recordings.audit_key().into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-pem-file"));
    response
}
