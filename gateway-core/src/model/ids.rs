//! Identifiers as newtypes, so that a session's id cannot stand where an approval's is wanted.
//!
//! Time and randomness are passed in; nothing here reads a clock.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// What is wrong with a name or an id that came from outside.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Names are 1 to 128 bytes.
    #[error("a {kind} has 1 to {MAX_NAME_BYTES} bytes, this has {length}")]
    Length {
        /// Which kind of name.
        kind: &'static str,
        /// Its length in bytes.
        length: usize,
    },
    /// Names are printable and hold no control characters.
    #[error("a {kind} holds no control characters")]
    Control {
        /// Which kind of name.
        kind: &'static str,
    },
    /// Ids have a fixed prefix and alphabet.
    #[error("`{0}` is not a {1}")]
    Malformed(String, &'static str),
}

/// The longest name accepted, in bytes.
pub(super) const MAX_NAME_BYTES: usize = 128;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks a name that came from outside; refuses empty, overlong and control-bearing ones.
            pub fn new(name: impl AsRef<str>) -> Result<Self, IdError> {
                let name = name.as_ref();
                if name.is_empty() || name.len() > MAX_NAME_BYTES {
                    return Err(IdError::Length { kind: $kind, length: name.len() });
                }
                if name.chars().any(char::is_control) {
                    return Err(IdError::Control { kind: $kind });
                }
                Ok(Self(Arc::from(name)))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, formatter)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }
    };
}

name!(
    /// The name of a connection, as in `hoop connect pg-prod`.
    ConnectionName,
    "connection name"
);
name!(
    /// The name of a principal: a person's or an agent's.
    PrincipalName,
    "principal name"
);
name!(
    /// The name of a group that the identity provider or `agents.toml` puts a principal in.
    GroupName,
    "group name"
);

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $random:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Makes an id from the caller's clock (milliseconds since 1970) and randomness; ids sort by time.
            pub fn new(unix_millis: u64, random: [u8; $random]) -> Self {
                let mut text = String::with_capacity(40);
                text.push_str($prefix);
                let mut bits = BitWriter::new(&mut text);
                bits.push(unix_millis & 0xFFFF_FFFF_FFFF, 50);
                for byte in random {
                    bits.push(u64::from(byte), 8);
                }
                bits.finish();
                Self(Arc::from(text))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// When it was made, milliseconds since 1970; `None` for an id too short to say.
            pub fn unix_millis(&self) -> Option<u64> {
                let digits = self.0.strip_prefix($prefix)?.as_bytes().first_chunk::<10>()?;
                digits.iter().try_fold(0, |time, digit| {
                    let value = ALPHABET.iter().position(|letter| letter == digit)?;
                    Some((time << 5) | u64::try_from(value).ok()?)
                })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let valid = text.strip_prefix($prefix).is_some_and(|rest| {
                    !rest.is_empty() && rest.len() <= 40 && rest.bytes().all(|byte| ALPHABET.contains(&byte))
                });
                if valid {
                    Ok(Self(Arc::from(text)))
                } else {
                    Err(IdError::Malformed(text.chars().take(64).collect(), $kind))
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.as_ref().to_owned()
            }
        }
    };
}

id!(
    /// One client conversation with one connection.
    SessionId,
    "ses_",
    10,
    "session id"
);
id!(
    /// One `hoop exec`, which groups sessions.
    RunId,
    "run_",
    10,
    "run id"
);
id!(
    /// One request for approval.
    ApprovalId,
    "apr_",
    5,
    "approval id"
);

/// The position of an operation inside its session, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperationNumber(pub u64);

impl fmt::Display for OperationNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Crockford's base 32 in lower case: no i, l, o, u, so that an id survives being read aloud.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

struct BitWriter<'text> {
    text: &'text mut String,
    pending: u64,
    width: u32,
}

impl<'text> BitWriter<'text> {
    fn new(text: &'text mut String) -> Self {
        Self { text, pending: 0, width: 0 }
    }

    fn push(&mut self, value: u64, width: u32) {
        self.pending = (self.pending << width) | value;
        self.width += width;
        while self.width >= 5 {
            self.width -= 5;
            self.emit((self.pending >> self.width) & 31);
        }
        self.pending &= (1 << self.width) - 1;
    }

    fn finish(mut self) {
        if self.width > 0 {
            let last = (self.pending << (5 - self.width)) & 31;
            self.emit(last);
        }
    }

    fn emit(&mut self, digit: u64) {
        let byte = usize::try_from(digit).ok().and_then(|index| ALPHABET.get(index)).copied().unwrap_or(b'0');
        self.text.push(char::from(byte));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_survive_text() {
        let early = SessionId::new(1_000, [255; 10]);
        let late = SessionId::new(1_001, [0; 10]);
        assert!(early < late);
        assert_eq!(early.as_str().parse::<SessionId>(), Ok(early.clone()));
        assert_eq!(late.unix_millis(), Some(1_001));
        assert_eq!(ApprovalId::new(1, [7; 5]).as_str().len(), 4 + 18);
    }

    #[test]
    fn refuses_foreign_ids_and_names() {
        assert!("apr_00".parse::<SessionId>().is_err());
        assert!("ses_../../etc".parse::<SessionId>().is_err());
        assert!(ConnectionName::new("").is_err());
        assert!(ConnectionName::new("a\nb").is_err());
        assert!(PrincipalName::new("x".repeat(129)).is_err());
    }
}
