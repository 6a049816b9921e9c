//! The proof that policy allowed a message. Only [`super::PolicySet`] makes one, and it is the only way to `record`.
//!
//! Neither type can be cloned or defaulted: a permit is spent once, on the message it was given for.

use std::sync::Arc;

use crate::model::{ApprovalId, ApprovalNeed, Operation, Refusal, RuleId, flow::Inspected};

/// A message that policy allowed, with the rules and the approval that did.
#[derive(Debug)]
#[must_use = "a permit that is not recorded lets nothing through"]
pub struct Permitted<M> {
    message: M,
    operations: Arc<[Operation]>,
    rules: Vec<RuleId>,
    approval: Option<ApprovalId>,
}

impl<M> Permitted<M> {
    /// Only `policy` calls this, after every operation of the message was allowed.
    pub(super) fn new(inspected: Inspected<M>, rules: Vec<RuleId>, approval: Option<ApprovalId>) -> Self {
        let (message, operations) = inspected.into_parts();
        Self { message, operations, rules, approval }
    }

    /// The message that may pass.
    pub fn message(&self) -> &M {
        &self.message
    }

    /// What it does.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The policies that permitted it, ordered by name.
    pub fn rules(&self) -> &[RuleId] {
        &self.rules
    }

    /// The approval it runs under, where one was needed.
    pub fn approval(&self) -> Option<&ApprovalId> {
        self.approval.as_ref()
    }

    /// Takes the message; only `record` and `upstream` need it.
    pub(crate) fn into_message(self) -> M {
        self.message
    }
}

/// What policy says to a message. There is no default: each arm is handled by name.
#[derive(Debug)]
#[must_use = "a decision that is ignored is a bypass"]
pub enum Decision<M> {
    /// It may pass.
    Permit(Permitted<M>),
    /// It may not, and this is what the client is told.
    Refuse {
        /// Why, and what to do.
        refusal: Refusal,
        /// The message, for the record.
        inspected: Inspected<M>,
    },
    /// It waits for reviewers.
    NeedsApproval {
        /// Who must approve.
        need: ApprovalNeed,
        /// The message, to be decided again.
        inspected: Inspected<M>,
    },
}
