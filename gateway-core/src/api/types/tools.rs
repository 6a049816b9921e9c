//! Definitions of an MCP server's tools, as they are pinned and reviewed.

use serde::{Deserialize, Serialize};

/// Where the definition of a tool stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolState {
    /// Pinned when it was first seen.
    Pinned,
    /// Reviewed by somebody.
    Reviewed,
    /// The server lists another one, which waits for a review; the tool is hidden meanwhile.
    Changed,
}

/// `GET /api/v1/connections/{name}/tools` rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolItem {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub state: ToolState,
    /// SHA-256 of the definition in force.
    pub digest: String,
    /// That definition, as canonical JSON.
    pub definition: String,
    /// SHA-256 of the one that waits for a review.
    #[serde(default)]
    pub changed_digest: Option<String>,
    /// That definition.
    #[serde(default)]
    pub changed_definition: Option<String>,
    /// Who reviewed the one in force.
    #[serde(default)]
    pub reviewed_by: Option<String>,
}

/// Body of `POST /api/v1/connections/{name}/tools/{tool}/accept`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcceptTool {
    /// The digest of the definition that was read.
    pub digest: String,
}
