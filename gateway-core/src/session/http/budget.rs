//! What an answer uses up while it streams, and whether the policies still let it: asked again with the tokens that it
//! has used by then, everything else as it was when it was let through. Outside of runs nothing is counted.

use super::conversation::Conversation;
use crate::{
    model::{Operation, Refusal, Verdict},
    policy::Circumstances,
    protocol::http::dialect::Used,
};

/// An answer that goes on is decided again when it has used so many tokens more.
const STEP_TOKENS: u64 = 16;

/// What was let through, and what its answer has been counted for so far.
#[derive(Debug)]
pub(super) struct Allowance {
    operations: Vec<Operation>,
    /// Reviewers let it through: what they may lift does not cut it.
    was_approved: bool,
    /// When it was let through.
    at: Circumstances,
    counted: Used,
}

impl Allowance {
    /// What these operations may use up, decided in these circumstances.
    pub(super) fn new(operations: Vec<Operation>, was_approved: bool, at: Circumstances) -> Self {
        Self { operations, was_approved, at, counted: Used::default() }
    }

    /// What of this is not counted yet.
    pub(super) fn rest(&self, used: Used) -> Used {
        Used {
            tokens: used.tokens.saturating_sub(self.counted.tokens),
            spend_microdollars: used.spend_microdollars.saturating_sub(self.counted.spend_microdollars),
        }
    }
}

impl Conversation {
    /// Counts what an answer has used up by now; a refusal where what is used up by now forbids it.
    pub(super) fn still_within(&self, allowance: &mut Allowance, used: Used) -> Option<Refusal> {
        let rest = allowance.rest(used);
        if rest.tokens < STEP_TOKENS && rest.spend_microdollars == 0 {
            return None;
        }
        let meter = self.run.as_ref().and_then(|run| self.environment.registry.meter(run))?;
        meter.tokens(rest.tokens);
        meter.spend(rest.spend_microdollars);
        allowance.counted = Used {
            tokens: allowance.counted.tokens.saturating_add(rest.tokens),
            spend_microdollars: allowance.counted.spend_microdollars.saturating_add(rest.spend_microdollars),
        };
        let now = self.circumstances().usage?;
        let mut at = allowance.at.clone();
        let usage = at.usage.as_mut()?;
        (usage.tokens, usage.spend_microdollars) = (now.tokens, now.spend_microdollars);
        let policies = self.policies.borrow().clone();
        let weighed = allowance
            .operations
            .iter()
            .map(|operation| policies.weigh(&self.principal, &self.served.facts, operation, &at));
        for verdict in weighed {
            match verdict {
                Verdict::Permit { .. } => {}
                Verdict::Refuse(refusal) => return Some(refusal),
                Verdict::NeedsApproval(_) if allowance.was_approved => {}
                Verdict::NeedsApproval(need) => {
                    let message = "what this run has used up by now needs an approval".to_owned();
                    let (rule, hint) = (need.rules.first().cloned(), Some("Send it again to ask for it.".to_owned()));
                    return Some(Refusal { kind: crate::model::RefusalKind::Policy, rule, message, hint });
                }
            }
        }
        None
    }
}
