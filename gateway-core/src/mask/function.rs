//! How a value is hidden. Policies name a function with `@mask("last4")`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A way to hide a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaskFunction {
    /// A fixed word, whatever the value was.
    Redact,
    /// The shape stays, most characters go: `j****@*****.com`.
    Partial,
    /// Only the last four characters stay, where at least as many are hidden.
    Last4,
    /// NULL.
    Null,
    /// A keyed hash, equal for equal values of a class at one site, so that joins still work: `hash_…`.
    Hash,
    /// A keyed token that this site can turn back: `pseu_email_…`.
    Pseudonym,
}

/// The name of no masking function.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a masking function, use one of redact, partial, last4, null, hash, pseudonym")]
pub struct UnknownMaskFunction(String);

impl MaskFunction {
    /// Every function.
    pub const ALL: [Self; 6] = [Self::Redact, Self::Partial, Self::Last4, Self::Null, Self::Hash, Self::Pseudonym];

    /// The name used in policies and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Redact => "redact",
            Self::Partial => "partial",
            Self::Last4 => "last4",
            Self::Null => "null",
            Self::Hash => "hash",
            Self::Pseudonym => "pseudonym",
        }
    }
}

impl fmt::Display for MaskFunction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for MaskFunction {
    type Err = UnknownMaskFunction;

    fn from_str(name: &str) -> Result<Self, UnknownMaskFunction> {
        let found = Self::ALL.into_iter().find(|function| function.as_str() == name);
        found.ok_or_else(|| UnknownMaskFunction(name.chars().take(64).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_text_and_unknown_ones_are_refused() {
        for function in MaskFunction::ALL {
            assert_eq!(function.to_string().parse(), Ok(function));
        }
        assert!("last5".parse::<MaskFunction>().is_err());
        assert!("Redact".parse::<MaskFunction>().is_err());
    }
}
