//! What a connection is to a policy: its name, kind and labels.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ConnectionName;

/// The protocol that a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionKind {
    /// PostgreSQL's frontend/backend protocol, version 3.
    Postgres,
    /// HTTP, as any API speaks it.
    Http,
    /// A model's API over HTTP: OpenAI-compatible or Anthropic-shaped.
    Llm,
    /// The Model Context Protocol over HTTP.
    Mcp,
    /// SSH: commands, shells and files.
    Ssh,
}

impl ConnectionKind {
    /// The word used in site files, policies and output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Http => "http",
            Self::Llm => "llm",
            Self::Mcp => "mcp",
            Self::Ssh => "ssh",
        }
    }

    /// Whether HTTP carries it.
    pub const fn is_http(self) -> bool {
        match self {
            Self::Postgres | Self::Ssh => false,
            Self::Http | Self::Llm | Self::Mcp => true,
        }
    }
}

/// The facts about a connection that policies see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionFacts {
    /// Its name.
    pub name: ConnectionName,
    /// Its protocol.
    pub kind: ConnectionKind,
    /// Labels from the site, such as `env = "prod"`.
    pub labels: BTreeMap<String, String>,
    /// The database behind it, part of every object's identity; of what HTTP carries, the host.
    pub database: String,
}
