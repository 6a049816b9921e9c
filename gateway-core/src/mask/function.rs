//! The masking functions that a policy may name in `@mask("…")`.

use std::{fmt, str::FromStr};

/// How a value is hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MaskFunction {
    /// Replaced whole.
    Redact,
    /// Keeps the shape: an e-mail's first letter and domain, a number's groups.
    Partial,
    /// Keeps the last four characters.
    Last4,
    /// NULL.
    Null,
}

impl MaskFunction {
    /// Every function.
    pub const ALL: [Self; 4] = [Self::Redact, Self::Partial, Self::Last4, Self::Null];

    /// The word used in policies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Redact => "redact",
            Self::Partial => "partial",
            Self::Last4 => "last4",
            Self::Null => "null",
        }
    }
}

impl fmt::Display for MaskFunction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The word names no masking function.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no masking function; use redact, partial, last4 or null")]
pub struct UnknownMaskFunction(String);

impl FromStr for MaskFunction {
    type Err = UnknownMaskFunction;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|function| function.as_str() == text)
            .ok_or_else(|| UnknownMaskFunction(text.chars().take(64).collect()))
    }
}
