//! The proof that enough reviewers approved exactly one message; spent by `policy::PolicySet::decide_approved`.
//!
//! Made only by an approved ticket, once, or by a lease of a shape, for one message each. Holds no text and no value.

use crate::model::{ApprovalId, PrincipalName, Quorum, RuleId, StepUp};

/// Why an approval serves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Void {
    /// It is not approved.
    #[error("it is not approved")]
    Undecided,
    /// Its time was over before it was used.
    #[error("the approval lapsed before the statement could run")]
    Lapsed,
    /// Who approved may not approve any more.
    #[error("not enough of those who approved may still approve")]
    RightsEnded,
}

/// An approval that was met. Not cloneable: it serves one decision.
#[derive(Debug)]
#[must_use = "an approval that is not spent lets nothing through"]
pub struct Grant {
    /// The request that was approved.
    pub(crate) id: ApprovalId,
    /// The rules that held it.
    pub(crate) rules: Vec<RuleId>,
    /// The quorums that were met. A rule that asks for more by now holds again.
    pub(crate) quorums: Vec<Quorum>,
    /// What the reviewers' authentication was held to. A rule that demands more by now holds again.
    pub(crate) step_up: Vec<StepUp>,
    /// What was shown to the reviewers.
    pub(crate) digest: [u8; 32],
    /// Who approved.
    pub(crate) by: Vec<PrincipalName>,
    /// Keeps other modules from making one.
    _seal: Seal,
}

#[derive(Debug)]
struct Seal;

impl Grant {
    pub(super) fn new(
        id: ApprovalId,
        rules: Vec<RuleId>,
        quorums: Vec<Quorum>,
        digest: [u8; 32],
        by: Vec<PrincipalName>,
    ) -> Self {
        Self { id, rules, quorums, step_up: Vec::new(), digest, by, _seal: Seal }
    }

    /// The same, given under these demands on the reviewers' authentication.
    pub(crate) fn held_to(self, step_up: Vec<StepUp>) -> Self {
        Self { step_up, ..self }
    }

    /// The approved request.
    pub fn id(&self) -> &ApprovalId {
        &self.id
    }

    /// The holding policies that the approval lifts.
    pub fn rules(&self) -> &[RuleId] {
        &self.rules
    }

    /// What the approval binds to; good for a message of this digest only.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Who approved.
    pub fn by(&self) -> &[PrincipalName] {
        &self.by
    }

    /// A grant out of thin air, for the tests of `policy`.
    #[cfg(test)]
    pub(crate) fn forged(
        id: ApprovalId,
        rules: Vec<RuleId>,
        quorums: Vec<Quorum>,
        digest: [u8; 32],
        by: Vec<PrincipalName>,
    ) -> Self {
        Self::new(id, rules, quorums, digest, by)
    }
}
