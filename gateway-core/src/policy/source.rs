//! The text of policies before it is understood, and the version that names a loaded set.

use std::{collections::BTreeSet, fmt, path::PathBuf};

/// One `*.cedar` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySource {
    /// Its path relative to the site, as shown in problems and rule names.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

/// The tags that `masking.toml` puts on columns; policies may name these besides the built-in data classes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagNames(pub BTreeSet<String>);

/// Which policies decide: the SHA-256 of all sources, in hex.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyVersion(pub(super) String);

impl PolicyVersion {
    /// The version as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PolicyVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
