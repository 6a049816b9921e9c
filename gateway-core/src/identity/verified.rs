//! What validation of a token yields, and why it fails.
//!
//! Shared by every way of proving an identity. Holds no token.

use crate::model::{Authentication, Principal};

/// A principal whose token was validated, and until when that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Who.
    pub principal: Principal,
    /// When the token ends, seconds since 1970.
    pub expires_at: i64,
    /// When and how they proved who they are.
    pub authentication: Authentication,
}

/// Why a token was not accepted. Never holds the token or a claim's value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Not a token, or one with a bad signature, algorithm, issuer, audience or shape.
    #[error("the token is not valid: {0}")]
    Invalid(&'static str),
    /// Expired or not yet valid.
    #[error("the token has expired or is not valid yet; log in again")]
    Expired,
    /// The issuer's keys cannot be had, so nothing can be proved.
    #[error("the identity provider cannot be used: {0}")]
    Unreachable(String),
    /// The settings do not make a verifier.
    #[error("the identity settings cannot be used: {0}")]
    Settings(String),
}
