//! Where the links of notifications lead: a page that says what to type. It shows nothing of the request.
//!
//! There is no login here, so nothing is looked up: the page is the same whether the request exists or not.

use axum::{
    Router,
    extract::{Path, State},
    middleware,
    response::{Html, IntoResponse as _, Response},
    routing::get,
};
use http::{HeaderValue, header};

use super::{ApiState, guard, problem::ApiError};
use crate::model::{ApprovalId, SessionId};

pub(super) fn routes(state: ApiState) -> Router {
    Router::new()
        .route("/approvals/{id}", get(approval))
        .route("/sessions/{id}", get(session))
        .layer(middleware::from_fn_with_state(state.clone(), guard::guard))
        .with_state(state)
}

async fn approval(State(state): State<ApiState>, Path(id): Path<String>) -> Result<Response, ApiError> {
    let id: ApprovalId = id.parse().map_err(|_malformed| ApiError::not_found("no such request"))?;
    let commands =
        format!("hoop approvals show {id}\nhoop approvals approve {id}\nhoop approvals deny {id} --reason '…'");
    Ok(page(&state, "A request for approval", &commands))
}

async fn session(State(state): State<ApiState>, Path(id): Path<String>) -> Result<Response, ApiError> {
    let id: SessionId = id.parse().map_err(|_malformed| ApiError::not_found("no such session"))?;
    Ok(page(&state, "A session", &format!("hoop sessions show {id}\nhoop replay {id}")))
}

/// What stands in it is ours: an id of letters and digits, and the gateway's own address.
fn page(state: &ApiState, title: &str, commands: &str) -> Response {
    let login = format!("hoop login --gateway {}", state.0.origin.as_str());
    let body = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>{title}</title><h1>{title}</h1><p>Look at it and decide in a terminal:<pre>{commands}</pre>\
         <p>Not logged in yet?<pre>{login}</pre></html>"
    );
    let mut response = Html(body).into_response();
    let headers = response.headers_mut();
    let policy = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; base-uri 'none'");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
