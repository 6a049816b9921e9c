//! Where a secret is, never what it is. `credential` resolves it.

use std::{fmt, path::PathBuf};

/// A reference to a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretReference {
    /// `env:NAME`: an environment variable of the gateway.
    Environment(String),
    /// `file:PATH`: the content of a file, without its last newline. Relative to the site.
    File(PathBuf),
}

impl fmt::Display for SecretReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(formatter, "env:{name}"),
            Self::File(path) => write!(formatter, "file:{}", path.display()),
        }
    }
}
