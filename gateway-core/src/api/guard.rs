//! What every request passes before a route: the right authority, no foreign page, and a time limit. And after it: what it
//! did not read of the body is read away.
//!
//! There is no CORS here: no page of any site may call this API from a browser.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    extract::{Request, State, rejection::BytesRejection},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, StatusCode, Version, header};
use serde::de::DeserializeOwned;

use super::{ApiState, leftover::SharedBody, problem::ApiError};

/// The longest that a call may take until its answer begins.
const TIMEOUT: Duration = Duration::from_secs(30);

pub(super) async fn guard(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let version = request.version();
    let (head, body) = request.into_parts();
    let body = SharedBody::new(body);
    let mut response = answer(&state, Request::from_parts(head, Body::new(body.clone())), next).await;
    if !body.drain().await && version < Version::HTTP_2 {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn answer(state: &ApiState, request: Request, next: Next) -> Response {
    let origin = &state.0.origin;
    if !origin.is_addressed_by(request.uri(), request.headers()) {
        return ApiError::new(StatusCode::MISDIRECTED_REQUEST, "wrong address")
            .detail("the request does not name the gateway's public address")
            .hint(format!("use {}", origin.as_str()))
            .into_response();
    }
    if !origin.is_not_cross_site(request.headers()) {
        return ApiError::new(StatusCode::FORBIDDEN, "another site sent this request").into_response();
    }
    let mut response = match tokio::time::timeout(TIMEOUT, next.run(request)).await {
        Ok(response) => told(response),
        Err(_elapsed) => ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "the gateway is too slow right now")
            .hint("try again")
            .into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// What the framework itself refuses (a path that is no text, say) is told as every other problem is.
fn told(response: Response) -> Response {
    let status = response.status();
    let is_text =
        response.headers().get(header::CONTENT_TYPE).is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if is_text && (status.is_client_error() || status.is_server_error()) {
        return ApiError::new(status, "the request cannot be read").into_response();
    }
    response
}

pub(super) async fn unknown() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "no such route").hint("this gateway may be older than your hoop")
}

pub(super) async fn wrong_method() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "this route takes another method")
}

/// Reads a JSON body that the limit let through. Unknown keys are refused where the type says so.
pub(super) fn json<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, ApiError> {
    let body = body.map_err(|rejection| {
        let status = rejection.status();
        ApiError::new(status, "the request's body cannot be read").detail(rejection.body_text())
    })?;
    serde_json::from_slice(&body).map_err(|malformed| {
        // The message of the parser could repeat a token; its place cannot.
        let place = format!("line {}, column {}", malformed.line(), malformed.column());
        ApiError::new(StatusCode::BAD_REQUEST, "the request's body is malformed").detail(place)
    })
}
