//! A whole site: every file of the folder, read, checked and joined.

use std::path::{Path, PathBuf};

use super::{AgentRule, Connection, GatewayConfig, Masking, Problem};
use crate::policy::{PolicySet, PolicySource};

/// A validated site.
#[derive(Debug, Clone)]
pub struct Site {
    /// The folder; paths inside files are relative to it. `None` for the built-in development site.
    pub root: Option<PathBuf>,
    /// `gateway.toml`.
    pub gateway: GatewayConfig,
    /// `connections.toml`, in the order of the file.
    pub connections: Vec<Connection>,
    /// `masking.toml`.
    pub masking: Masking,
    /// `agents.toml`.
    pub agents: Vec<AgentRule>,
    /// `policies/*.cedar`, as text.
    pub sources: Vec<PolicySource>,
    /// The same, loaded.
    pub policies: PolicySet,
}

impl Site {
    /// Reads a site folder; on failure every problem with its place.
    pub fn load(directory: &Path) -> Result<Self, Vec<Problem>> {
        Err(vec![Problem {
            file: directory.to_owned(),
            line: 0,
            column: 0,
            message: "reading a site is not built yet".into(),
            fix: "wait for it".into(),
        }])
    }
}
