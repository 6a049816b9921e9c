//! What a request tells beyond the plainest: each fact may be missing, and then it is not shown. Pure.

use hoop_gateway_core::api::types::{ApprovalItem, ApprovalStatus};
use serde::{Deserialize, Serialize};

/// What a request asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Asks {
    /// One operation, held on the wire.
    #[default]
    Operation,
    /// To connect, for a time.
    Access,
}

/// The further facts of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Extra {
    pub(crate) asks: Asks,
    /// The agent, the run and its task that act for the person.
    pub(crate) agent: Option<String>,
    pub(crate) run: Option<String>,
    pub(crate) task: Option<String>,
    /// Why access is asked for, and for how long.
    pub(crate) reason: Option<String>,
    pub(crate) window_seconds: Option<u64>,
    /// What statements have in common that differ in constants only, and for how long that may be approved.
    pub(crate) shape: Option<String>,
    pub(crate) shape_for_seconds: Option<u64>,
    /// How earlier requests of the same shape ended.
    pub(crate) history: Vec<Earlier>,
    /// How often the same was asked again meanwhile.
    pub(crate) retries: u32,
    /// Whether I may review it; the gateway has the last word in any case.
    pub(crate) may_review: Option<bool>,
    /// How a reviewer must have logged in.
    pub(crate) step_up: Option<Login>,
    /// Where unqualified names are looked up.
    pub(crate) search_path: Vec<String>,
    pub(crate) session: Option<String>,
}

/// An earlier request of the same shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Earlier {
    pub(crate) id: String,
    pub(crate) status: ApprovalStatus,
    #[serde(default)]
    pub(crate) by: Vec<String>,
    pub(crate) at_millis: i64,
}

/// A login that is fresh and strong enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Login {
    #[serde(default)]
    pub(crate) max_age_seconds: Option<u64>,
    #[serde(default)]
    pub(crate) acr: Option<String>,
}

impl Extra {
    /// What a request tells of these.
    pub(crate) fn of(item: &ApprovalItem) -> Self {
        serde_json::to_value(item).and_then(serde_json::from_value).unwrap_or_default()
    }
}
