//! What was decided, as plain values. The proof types that let a message pass are in `policy` and `record`.

use std::{fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{GroupName, StepUp};

/// The name of the policy that decided: its `@id`, or file and position.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RuleId(pub Arc<str>);

impl fmt::Display for RuleId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// How many distinct reviewers of one group are needed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Quorum {
    /// Reviewers needed, at least 1.
    pub count: u8,
    /// The group they must be in.
    pub group: GroupName,
}

impl fmt::Display for Quorum {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of {}", self.count, self.group)
    }
}

/// What must be met before a held operation may go on; every quorum must be met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalNeed {
    /// Who must approve.
    pub quorums: Vec<Quorum>,
    /// The policies that hold it.
    pub rules: Vec<RuleId>,
    /// What the policy says to the requester.
    pub message: Option<String>,
    /// How long the request stands.
    pub expires_after: Duration,
    /// How reviewers must have authenticated; every one of these must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub step_up: Vec<StepUp>,
    /// The longest that an approval may open a connection for, where a policy says so.
    #[serde(default)]
    pub window: Option<Duration>,
    /// The longest that reviewers may approve the whole shape for; `None` where not every holding policy allows it.
    #[serde(default)]
    pub shape: Option<Duration>,
}

impl ApprovalNeed {
    /// Whether the same policies ask for the same reviewers: then what these said so far stands.
    pub fn asks_like(&self, other: &Self) -> bool {
        self.quorums == other.quorums && self.rules == other.rules && self.step_up == other.step_up
    }
}

/// Why something was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// A policy forbids it, or none permits it.
    Policy,
    /// A reviewer denied it.
    Denied,
    /// The approval expired, or was withdrawn.
    Expired,
    /// It cannot be masked, so it is not shown.
    Unmaskable,
    /// The gateway has no rule for it yet.
    Unsupported,
    /// It could not be recorded.
    Unrecorded,
}

/// A refusal with everything a client-side error shows. Holds no statement text and no value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Why.
    pub kind: RefusalKind,
    /// The policy that decided, where one did.
    pub rule: Option<RuleId>,
    /// One sentence, for the person who ran it.
    pub message: String,
    /// The smallest rewrite that would pass, or how to ask.
    pub hint: Option<String>,
}

/// A decision as a value, for caches, records and `explain`. It lets nothing pass: only `policy` makes a permit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Allowed by these policies.
    Permit {
        /// The permitting policies.
        rules: Vec<RuleId>,
    },
    /// Refused.
    Refuse(Refusal),
    /// Held until enough reviewers approve.
    NeedsApproval(ApprovalNeed),
}
