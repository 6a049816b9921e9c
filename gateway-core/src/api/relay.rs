//! The issuer, asked by the gateway for a CLI whose client has a secret: shaped as OAuth's own endpoints are.
//!
//! Nobody is logged in here yet. What may be asked, and how much at once, `identity` says.

use std::net::SocketAddr;

use axum::{
    body::Bytes,
    extract::{ConnectInfo, Path, State, rejection::BytesRejection},
    response::{IntoResponse as _, Response},
};
use http::{Extensions, HeaderValue, StatusCode, header};
use serde_json::json;

use super::{ApiState, problem::ApiError};
use crate::identity::{IssuerCall, RelayError};

/// Passes a login's request to the issuer and its answer back.
pub(super) async fn ask(
    State(state): State<ApiState>,
    Path(endpoint): Path<String>,
    extensions: Extensions,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let call = match endpoint.as_str() {
        "device" => IssuerCall::Device,
        "token" => IssuerCall::Token,
        "revoke" => IssuerCall::Revoke,
        _ => return Err(super::guard::unknown().await),
    };
    let body = body.map_err(|rejection| {
        ApiError::new(rejection.status(), "the request's body cannot be read").detail(rejection.body_text())
    })?;
    let from = extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let answer = match state.0.verifier.relay(call, &body, from).await {
        Ok(answer) => answer,
        Err(error @ RelayError::NotNeeded) => {
            return Err(ApiError::not_found("no such route").detail(error.to_string()));
        }
        // SPEC: RFC 6749 §5.2, so that the CLI's library understands it.
        Err(RelayError::Malformed(why)) => {
            let told = json!({ "error": "invalid_request", "error_description": why });
            return Ok((StatusCode::BAD_REQUEST, axum::Json(told)).into_response());
        }
        Err(error @ RelayError::Busy) => {
            return Err(
                ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "try again in a moment").detail(error.to_string())
            );
        }
        Err(RelayError::Identity(error)) => return Err(error.into()),
    };
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = (status, answer.body).into_response();
    // Whatever the issuer calls it, no browser takes it for a page.
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}
