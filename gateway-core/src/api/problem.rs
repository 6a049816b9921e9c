//! Errors as RFC 9457 problems: what happened, why, what to do next, and the rule where one refused.
//!
//! Holds no secret and no other principal's facts. Every handler fails through this type.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

use super::{
    recordings::RecordingsError,
    types::{Problem, STEP_UP_REQUIRED, SiteProblem},
};
use crate::{
    approval::{DeskError, ReviewError},
    identity::IdentityError,
    model::{Refusal, RuleId, StepUp},
    store::StoreError,
};

/// A failed call.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    title: &'static str,
    detail: Option<String>,
    hint: Option<String>,
    rule: Option<RuleId>,
    step_up: Option<Box<StepUp>>,
    problems: Vec<SiteProblem>,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, title: &'static str) -> Self {
        Self { status, title, detail: None, hint: None, rule: None, step_up: None, problems: Vec::new() }
    }

    pub(super) fn detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    pub(super) fn problems(self, problems: Vec<SiteProblem>) -> Self {
        Self { problems, ..self }
    }

    /// Nothing of that id that the caller may know of.
    pub(super) fn not_found(what: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, what).detail("it does not exist, or you may not see it")
    }

    /// A policy refused.
    pub(super) fn refused(refusal: Refusal) -> Self {
        Self {
            detail: Some(refusal.message),
            hint: refusal.hint,
            rule: refusal.rule,
            ..Self::new(StatusCode::FORBIDDEN, "refused by policy")
        }
    }

    /// The caller must authenticate anew before this counts.
    pub(super) fn step_up(demand: StepUp) -> Self {
        Self { step_up: Some(Box::new(demand)), ..Self::new(StatusCode::FORBIDDEN, "a fresh login is needed") }
    }

    /// Something below does not work, so nothing is shown or changed. The log says what; the caller need not know.
    pub(super) fn unavailable(title: &'static str, failure: &impl std::fmt::Display) -> Self {
        tracing::error!(%failure, "{title}");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, title)
            .hint("try again; whoever runs the gateway finds why in its log")
    }

    /// The caller is not logged in.
    pub(super) fn unauthenticated(why: &impl std::fmt::Display) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "not logged in").detail(why.to_string()).hint("run `hoop login`")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let problem = Problem {
            kind: self.step_up.is_some().then(|| STEP_UP_REQUIRED.to_owned()),
            title: self.title.to_owned(),
            status: self.status.as_u16(),
            detail: self.detail,
            hint: self.hint,
            rule: self.rule,
            max_age_seconds: self.step_up.as_ref().and_then(|demand| demand.max_age_seconds),
            acr: self.step_up.and_then(|demand| demand.acr),
            problems: self.problems,
        };
        let mut response = (self.status, axum::Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<IdentityError> for ApiError {
    fn from(failure: IdentityError) -> Self {
        if failure.is_the_tokens() {
            return Self::unauthenticated(&failure);
        }
        Self::unavailable("the identity provider does not work", &failure).detail(failure.to_string())
    }
}

impl From<StoreError> for ApiError {
    fn from(failure: StoreError) -> Self {
        Self::unavailable("the store does not work", &failure)
    }
}

impl From<RecordingsError> for ApiError {
    fn from(failure: RecordingsError) -> Self {
        match &failure {
            RecordingsError::NotFound => Self::not_found("no such recording"),
            RecordingsError::Failed(_) => Self::unavailable("the recorder does not work", &failure),
        }
    }
}

impl From<DeskError> for ApiError {
    fn from(failure: DeskError) -> Self {
        match failure {
            DeskError::NotFound(_) => Self::not_found("no such request"),
            DeskError::Review(refused) => refused.into(),
            DeskError::Storage(failure) => Self::unavailable("the store does not work", &failure),
            DeskError::Closed => Self::unavailable("the gateway is ending", &failure),
        }
    }
}

impl From<ReviewError> for ApiError {
    fn from(refused: ReviewError) -> Self {
        let (status, title) = match &refused {
            ReviewError::Settled(_) | ReviewError::Repeated => (StatusCode::CONFLICT, "nothing left to decide"),
            ReviewError::Interested | ReviewError::Agent | ReviewError::NotReviewer(_) => {
                (StatusCode::FORBIDDEN, "you cannot review this request")
            }
            ReviewError::ReasonMissing | ReviewError::ReasonOverlong(_) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "the reason does not do")
            }
        };
        Self::new(status, title).detail(refused.to_string())
    }
}
