//! The proof that enough reviewers approved exactly one message; spent by `policy::PolicySet::decide_approved`.

use crate::model::{ApprovalId, PrincipalName, RuleId};

/// An approval that was met. Not cloneable: it serves one decision.
#[derive(Debug)]
#[must_use = "an approval that is not spent lets nothing through"]
pub struct Grant {
    pub(crate) id: ApprovalId,
    pub(crate) rules: Vec<RuleId>,
    pub(crate) digest: [u8; 32],
    pub(crate) by: Vec<PrincipalName>,
}
