//! Who calls: the principal of the bearer token, verified on every request.
//!
//! A route that takes a [`Caller`] cannot be reached without one.

use std::time::Instant;

use axum::extract::FromRequestParts;
use http::{header, request::Parts};

use super::{ApiState, problem::ApiError};
use crate::{identity::Verified, model::Principal};

/// A verified caller, when the login behind the bearer ends, and when the request came.
pub(super) struct Caller(pub(super) Verified, pub(super) i64, pub(super) Instant);

impl Caller {
    pub(super) fn principal(&self) -> &Principal {
        &self.0.principal
    }

    /// Whether they are still logged in: what ends a login did not find what is made meanwhile.
    pub(super) fn still_in(&self, state: &ApiState) -> Result<(), ApiError> {
        if state.0.registry.is_logged_out(self.principal(), self.2) {
            return Err(ApiError::unauthenticated(&"this login was ended meanwhile (`hoop logout`)"));
        }
        Ok(())
    }
}

impl FromRequestParts<ApiState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let came_at = Instant::now();
        let mut values = parts.headers.get_all(header::AUTHORIZATION).iter();
        let value = values.next().and_then(|value| value.to_str().ok()).filter(|_value| values.next().is_none());
        let token = value.and_then(|value| value.split_once(' '));
        let token =
            token.filter(|(scheme, _token)| scheme.eq_ignore_ascii_case("bearer")).map(|(_scheme, token)| token);
        let token = token.ok_or_else(|| ApiError::unauthenticated(&"this needs one bearer token"))?;
        let (verified, login) = state.0.tokens.verify_with_login(token.trim())?;
        Ok(Self(verified, login, came_at))
    }
}
