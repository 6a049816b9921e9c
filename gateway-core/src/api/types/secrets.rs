//! What the API says of secrets and of connections that are put to the proof. No value of a secret is ever answered.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::{ConnectionKind, ConnectionName};

/// A secret of the gateway's own store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretItem {
    /// Its name: what `store:` is followed by.
    pub name: String,
    /// How often it was set.
    pub version: u64,
    /// When it was set last, milliseconds since 1970.
    pub changed_at_millis: i64,
    /// By whom.
    pub changed_by: String,
}

/// A value to keep.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetSecret {
    /// The value.
    pub value: String,
    /// Whether there must be an older version.
    #[serde(default)]
    pub rotate: bool,
}

impl fmt::Debug for SetSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SetSecret").field("rotate", &self.rotate).finish_non_exhaustive()
    }
}

/// A secret that was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretVersion {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u64,
}

/// A connection as an administrator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfiguredConnection {
    /// Its name.
    pub name: ConnectionName,
    /// Its kind.
    pub kind: ConnectionKind,
    /// Where the real server is.
    pub upstream: String,
    /// The database, where it has one.
    pub database: String,
    /// As what sessions work there.
    pub role: String,
    /// How the gateway comes by its login: `password`, `ephemeral-role`, …
    pub credential: String,
}

/// What became of one proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofOutcome {
    /// It holds.
    Good,
    /// It holds, and somebody should look at it.
    Warning,
    /// It does not hold.
    Failed,
    /// It could not be tried, because an earlier one does not hold.
    Skipped,
}

/// One thing that was put to the proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// What: `reach`, `tls`, `credential`, `privileges`.
    pub check: String,
    /// What became of it.
    pub outcome: ProofOutcome,
    /// What was found.
    pub detail: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A connection that was put to the proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionProof {
    /// Which.
    pub connection: ConnectionName,
    /// Everything that was tried, in its order.
    pub proofs: Vec<Proof>,
}
