//! The program's side of a login through the gateway's own device page (RFC 8628): a code, then a token.
//!
//! The person's side is `identity::saml`'s pages. A login that cannot be recorded gives no token.

use std::net::SocketAddr;

use axum::{
    Form, Json,
    extract::{ConnectInfo, State, rejection::FormRejection},
    response::{IntoResponse as _, Response},
};
use http::{Extensions, StatusCode};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::json;

use super::{ApiState, problem::ApiError, types::DeviceToken};
use crate::{
    identity::{DeviceWish, SamlLogin, Unmet},
    record::GatewayEvent,
};

const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

#[derive(Deserialize)]
pub(super) struct Wish {
    client_id: String,
    #[serde(default)]
    scope: String,
    /// SPEC: OpenID Connect Core §3.1.2.1; here any age means a login made now.
    max_age: Option<String>,
}

/// Starts a login.
pub(super) async fn begin(
    State(state): State<ApiState>,
    extensions: Extensions,
    wish: Result<Form<Wish>, FormRejection>,
) -> Result<Response, ApiError> {
    let saml = page(&state)?;
    let Ok(Form(wish)) = wish else { return Ok(refused("invalid_request")) };
    let from = extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let anew = wish.max_age.is_some();
    let wish = DeviceWish { client_id: &wish.client_id, scope: &wish.scope, anew, from };
    Ok(saml.begin(&wish).map_or_else(refused, |given| Json(given).into_response()))
}

#[derive(Deserialize)]
pub(super) struct Poll {
    grant_type: String,
    client_id: String,
    #[serde(default)]
    device_code: String,
}

/// Gives the gateway's token once somebody logged in.
pub(super) async fn token(
    State(state): State<ApiState>,
    extensions: Extensions,
    poll: Result<Form<Poll>, FormRejection>,
) -> Result<Response, ApiError> {
    let saml = page(&state)?;
    let Ok(Form(poll)) = poll else { return Ok(refused("invalid_request")) };
    if poll.grant_type != DEVICE_GRANT {
        return Ok(refused("unsupported_grant_type"));
    }
    let verified = match saml.poll(&poll.client_id, &poll.device_code) {
        Ok(verified) => verified,
        Err(unmet) => return Ok(refused(Unmet::word(unmet))),
    };
    let issued = state.0.tokens.issue_whole_login(&verified)?;
    state.0.last_seen.note(&verified.principal);
    let from = extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    state.0.recordings.note(GatewayEvent::LoggedIn { who: verified.principal, from }).await?;
    Ok(Json(DeviceToken {
        access_token: issued.token.expose_secret().to_owned(),
        token_type: "Bearer".to_owned(),
        expires_in: issued.expires_at.saturating_sub(state.0.clock.unix_seconds()),
    })
    .into_response())
}

fn page(state: &ApiState) -> Result<&SamlLogin, ApiError> {
    let hint = "people log in at the identity provider that `GET /api/v1/gateway` names";
    state.0.saml.as_ref().ok_or_else(|| ApiError::not_found("this gateway has no device page").hint(hint))
}

/// SPEC: RFC 6749 §5.2.
fn refused(word: &'static str) -> Response {
    let status = match word {
        "invalid_client" => StatusCode::UNAUTHORIZED,
        "temporarily_unavailable" => StatusCode::SERVICE_UNAVAILABLE,
        "server_error" => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    };
    (status, Json(json!({ "error": word }))).into_response()
}
