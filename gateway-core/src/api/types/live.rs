//! What is asked of live sessions.

use serde::{Deserialize, Serialize};

/// Body of `POST /api/v1/sessions/{id}/kill`; none at all is one without a reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KillRequest {
    /// Why: recorded, and told to whose session it is.
    #[serde(default)]
    pub reason: Option<String>,
}
