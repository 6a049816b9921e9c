//! Turns an issuer's token into a verified principal, whichever issuer is configured.
//!
//! Owns the choice between a discovered issuer and the development provider. Called by the token exchange only.

use crate::model::Principal;

/// A principal whose token was validated, and until when that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Who.
    pub principal: Principal,
    /// When the token ends, seconds since 1970.
    pub expires_at: i64,
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
    /// The issuer's keys cannot be had.
    #[error("the identity provider cannot be reached: {0}")]
    Unreachable(String),
}

/// Validates issuer tokens; cheap to clone.
#[derive(Debug, Clone)]
pub struct Verifier(());

impl Verifier {
    /// Validates a token and names its principal. Refuses whatever it cannot prove.
    pub async fn verify(&self, _token: &str) -> Result<Verified, IdentityError> {
        Err(IdentityError::Unreachable("no identity provider is configured".to_owned()))
    }
}
