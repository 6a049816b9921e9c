//! `connections.toml`: the targets that the gateway can reach, and how.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use super::SecretReference;
use crate::model::{ConnectionFacts, ConnectionKind, ConnectionName};

/// Where the real server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamAddress {
    /// A host name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for UpstreamAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "{}:{}", self.host, self.port)
        }
    }
}

/// Whether the link to the upstream is encrypted, and whom it trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpstreamTls {
    /// No TLS.
    Disable,
    /// TLS or nothing; the certificate is not checked.
    Require,
    /// TLS, and the certificate must be the host's.
    VerifyFull {
        /// Certificates to trust; the system's where there are none.
        ca_file: Option<PathBuf>,
    },
}

/// How the gateway logs in to the upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A username and a password.
    Password {
        /// The upstream role.
        username: String,
        /// Where the password is.
        secret: SecretReference,
    },
    /// A username alone, for upstreams that trust the gateway's address.
    Trust {
        /// The upstream role.
        username: String,
    },
}

impl Credential {
    /// The upstream role.
    pub fn username(&self) -> &str {
        match self {
            Self::Password { username, .. } | Self::Trust { username } => username,
        }
    }
}

/// One `[[connection]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Its name.
    pub name: ConnectionName,
    /// Its protocol.
    pub kind: ConnectionKind,
    /// Where the server is.
    pub upstream: UpstreamAddress,
    /// The database.
    pub database: String,
    /// Labels for policies.
    pub labels: BTreeMap<String, String>,
    /// Encryption towards the upstream.
    pub tls: UpstreamTls,
    /// How the gateway logs in.
    pub credential: Credential,
    /// Whether an upstream role that is a superuser is accepted.
    pub allow_superuser: bool,
}

impl Connection {
    /// What policies see of it.
    pub fn facts(&self) -> ConnectionFacts {
        ConnectionFacts {
            name: self.name.clone(),
            kind: self.kind,
            labels: self.labels.clone(),
            database: self.database.clone(),
        }
    }
}
