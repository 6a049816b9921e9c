//! What would become of a statement: the question and the answer of `POST /api/v1/connections/{name}/check`.

use serde::{Deserialize, Serialize};

use super::MayConnect;
use crate::model::{ConnectionName, GroupName, Quorum, RuleId};

/// What is asked about. Nothing of it is run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckRequest {
    /// The text, as a client would send it.
    pub text: String,
    /// Whether the planner is asked how many rows it would touch, where asking is safe.
    #[serde(default)]
    pub estimate: bool,
}

/// What would happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckDecision {
    /// It would run.
    Permit,
    /// It would wait for reviewers.
    Approval,
    /// It would be refused.
    Refuse,
    /// It is not PostgreSQL's grammar, so nothing would see it.
    Error,
}

impl CheckDecision {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Approval => "approval",
            Self::Refuse => "refuse",
            Self::Error => "error",
        }
    }
}

/// Why a text cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckProblem {
    /// What the grammar says.
    pub message: String,
    /// The SQLSTATE that a client would get.
    pub sqlstate: String,
    /// Where, in characters from 1.
    pub position: Option<u32>,
}

/// One statement of the text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckedOperation {
    /// What it is: `delete`, `drop_table`, …
    pub kind: String,
    /// Its worst effect.
    pub effect: String,
    /// What it touches, with names resolved: `public.orders`.
    pub objects: Vec<String>,
    /// 0 to 100.
    pub risk: u8,
    /// Why.
    pub risk_reasons: Vec<String>,
    /// What would become of it alone.
    pub decision: CheckDecision,
    /// The rules that say so.
    pub rules: Vec<RuleId>,
    /// Rows that the planner expects to be touched or read, where it was asked.
    pub estimated_rows: Option<u64>,
    /// How much of the table these are, in per cent.
    pub estimated_percent: Option<u8>,
}

/// A column of the result that would not be shown as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaskedColumn {
    /// Where the value comes from, `public.customers.email`, or which column of the result it is.
    pub column: String,
    /// The data class or tag.
    pub class: String,
    /// How it is masked: `partial`, `last4`, …; `concealed` where it is made of masked values.
    pub mask: String,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckAnswer {
    /// The connection.
    pub connection: ConnectionName,
    /// What would happen to the whole text.
    pub decision: CheckDecision,
    /// Whether connecting there would wait for reviewers first.
    pub connect: MayConnect,
    /// The rules that decide.
    pub rules: Vec<RuleId>,
    /// What they say.
    pub message: Option<String>,
    /// What would be easier to permit, or what to do.
    pub hint: Option<String>,
    /// Who would have to approve.
    pub quorums: Vec<Quorum>,
    /// Of these groups, those that the caller is in. It does not help: nobody approves their own.
    pub own_groups: Vec<GroupName>,
    /// How long a request would wait, in seconds.
    pub expires_seconds: Option<u64>,
    /// What cannot be read, where the decision is `error`.
    pub error: Option<CheckProblem>,
    /// Each statement.
    pub operations: Vec<CheckedOperation>,
    /// Columns of the result that would be masked.
    pub masked: Vec<MaskedColumn>,
    /// Classes that would be searched for in every value besides.
    pub detected: Vec<String>,
    /// Whether some name is not in the database, so that the server would say so.
    pub unresolved: bool,
    /// Why there is no estimate although one was asked for, or why one could change the decision.
    pub estimate_note: Option<String>,
}
