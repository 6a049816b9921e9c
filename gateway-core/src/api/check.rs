//! `POST /connections/NAME/check`: what would become of a statement. Nothing of it is run, held or asked of anybody.
//!
//! Asked by whoever may connect there, and on record like a look. What knows statements is behind a trait, so that the
//! API knows no protocol.

use std::{future::Future, pin::Pin};

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State, rejection::BytesRejection},
};
use http::StatusCode;

use super::{
    ApiState,
    caller::Caller,
    guard::json,
    problem::ApiError,
    types::{CheckAnswer, CheckRequest},
};
use crate::{
    model::{ConnectionName, Principal, Verdict},
    policy::{Circumstances, Source},
};

/// Why a statement could not be checked: a sentence without any value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CheckError(pub String);

/// An answer, when it comes.
pub type Checking<'checker> = Pin<Box<dyn Future<Output = Result<CheckAnswer, CheckError>> + Send + 'checker>>;

/// Says what would become of a statement.
pub trait Checker: Send + Sync + 'static {
    /// Decides as a fresh session of `who` would, and records that it was asked, before it answers.
    fn check<'checker>(
        &'checker self,
        who: &'checker Principal,
        connection: &'checker ConnectionName,
        request: &'checker CheckRequest,
    ) -> Checking<'checker>;
}

pub(super) async fn check(
    State(state): State<ApiState>,
    caller: Caller,
    Path(name): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<CheckAnswer>, ApiError> {
    let request: CheckRequest = json(body)?;
    let found = state.0.connections.borrow().iter().find(|one| one.facts.name.as_str() == name).cloned();
    let facts = found.ok_or_else(|| ApiError::not_found("no such connection"))?.facts;
    let who = caller.principal();
    let circumstances = Circumstances::at(state.0.clock.unix_seconds(), Source::Tunnel);
    // What a database holds is nobody's to learn who may not connect there.
    if let Verdict::Refuse(refusal) = state.policies().connect(who, &facts, &circumstances) {
        return Err(state.refuse(who, format!("check on {}", facts.name), refusal).await);
    }
    let answer = state.0.checker.check(who, &facts.name, &request).await.map_err(|error| {
        ApiError::new(StatusCode::BAD_GATEWAY, "the statement cannot be checked").detail(error.to_string())
    })?;
    Ok(Json(answer))
}
