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
    /// It ended by this gateway's clock.
    #[error(
        "the token ended {ago_seconds} s ago by this gateway's clock; log in again (if you just did, the clocks of the \
         gateway and of the identity provider differ by that much or more)"
    )]
    Ended {
        /// How long ago.
        ago_seconds: i64,
    },
    /// The issuer's clock is ahead of ours by more than the site allows.
    #[error(
        "the token was made {seconds} s in the future: the clocks of the identity provider and of this gateway differ by \
         that much, and {allowed_seconds} s are allowed; set the one that is wrong, or raise clock_skew_seconds"
    )]
    Ahead {
        /// By how much the clocks differ.
        seconds: i64,
        /// By how much they may.
        allowed_seconds: i64,
    },
    /// The issuer's keys cannot be had, so nothing can be proved.
    #[error("the identity provider cannot be used: {0}")]
    Unreachable(String),
    /// The settings do not make a verifier.
    #[error("the identity settings cannot be used: {0}")]
    Settings(String),
}

impl IdentityError {
    /// Whether the token is at fault; otherwise nothing can be proved now.
    pub fn is_the_tokens(&self) -> bool {
        match self {
            Self::Invalid(_) | Self::Expired | Self::Ended { .. } | Self::Ahead { .. } => true,
            Self::Unreachable(_) | Self::Settings(_) => false,
        }
    }
}
