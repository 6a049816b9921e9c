//! Where a secret is, never what it is. `credential` resolves it at start; nothing here reads one.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// A reference to a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretReference {
    /// `env:NAME`: an environment variable of the gateway.
    Environment(String),
    /// `file:PATH`: the content of a file, without its last newline. A relative path was joined to the site.
    File(PathBuf),
}

/// Why a text is no reference. Never shows the text, which may be the secret itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretReferenceError {
    /// It has no known scheme.
    #[error("a literal secret stands in the file")]
    Literal,
    /// The scheme is planned.
    #[error("`{0}:` references are not built yet")]
    NotBuilt(&'static str),
    /// `env:` with something that names no variable.
    #[error("`env:` is not followed by the name of a variable")]
    Variable,
    /// `file:` with nothing.
    #[error("`file:` is not followed by a path")]
    Path,
}

impl SecretReference {
    /// Reads `env:NAME` or `file:PATH`; a relative path is relative to `root`.
    pub fn parse(text: &str, root: &Path) -> Result<Self, SecretReferenceError> {
        match text.split_once(':') {
            Some(("env", name)) if is_variable(name) => Ok(Self::Environment(name.to_owned())),
            Some(("env", _)) => Err(SecretReferenceError::Variable),
            Some(("file", "")) => Err(SecretReferenceError::Path),
            Some(("file", path)) => Ok(Self::File(root.join(path))),
            Some(("vault", _)) => Err(SecretReferenceError::NotBuilt("vault")),
            Some(("store", _)) => Err(SecretReferenceError::NotBuilt("store")),
            _ => Err(SecretReferenceError::Literal),
        }
    }
}

fn is_variable(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl fmt::Display for SecretReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(formatter, "env:{name}"),
            Self::File(path) => write!(formatter, "file:{}", path.display()),
        }
    }
}
