//! What an answer uses up while it streams, and whether the policies still let it: asked again with the tokens, bytes and
//! time that the run has used by then, everything else as it was when it was let through. Outside of runs nothing is counted.

use std::time::Duration;

use super::conversation::Conversation;
use crate::{
    model::{Operation, Refusal, RefusalKind, Usage, Verdict},
    policy::Circumstances,
    protocol::http::dialect::Used,
};

/// An answer that goes on is decided again when it has used so many tokens more, or so many bytes, or a second.
const STEP_TOKENS: u64 = 16;
const STEP_BYTES: u64 = 16 * 1024;
/// How often it is looked at where nothing comes.
pub(super) const EVERY: Duration = Duration::from_millis(250);

/// What was let through, and what its answer has been counted for so far.
#[derive(Debug)]
pub(super) struct Allowance {
    operations: Vec<Operation>,
    /// Reviewers let it through: what they may lift does not cut it.
    was_approved: bool,
    /// When it was let through.
    at: Circumstances,
    counted: Used,
    /// What the run had used up when this was looked at last.
    seen: Usage,
}

impl Allowance {
    /// What these operations may use up, decided in these circumstances.
    pub(super) fn new(operations: Vec<Operation>, was_approved: bool, at: Circumstances) -> Self {
        let seen = at.usage.unwrap_or_default();
        Self { operations, was_approved, at, counted: Used::default(), seen }
    }

    /// What of this is not counted yet.
    pub(super) fn rest(&self, used: Used) -> Used {
        Used {
            tokens: used.tokens.saturating_sub(self.counted.tokens),
            spend_microdollars: used.spend_microdollars.saturating_sub(self.counted.spend_microdollars),
        }
    }

    /// Whether enough was used up since the last look for another one.
    fn is_due(&mut self, now: &Usage) -> bool {
        let seen = &self.seen;
        let is_due = now.tokens >= seen.tokens.saturating_add(STEP_TOKENS)
            || now.spend_microdollars > seen.spend_microdollars
            || now.bytes >= seen.bytes.saturating_add(STEP_BYTES)
            || now.wall_seconds > seen.wall_seconds;
        if is_due {
            self.seen = *now;
        }
        is_due
    }
}

impl Conversation {
    /// Whether what an answer uses up may end it.
    pub(super) fn has_budget(&self) -> bool {
        self.run.is_some() && self.policies.borrow().reads_usage()
    }

    /// Counts what an answer has used up by now; a refusal where what is used up by now forbids it.
    pub(super) fn still_within(&self, allowance: &mut Allowance, used: Used) -> Option<Refusal> {
        let meter = self.run.as_ref().and_then(|run| self.environment.registry.meter(run))?;
        let rest = allowance.rest(used);
        if rest.tokens >= STEP_TOKENS || rest.spend_microdollars > 0 {
            meter.tokens(rest.tokens);
            meter.spend(rest.spend_microdollars);
            allowance.counted = Used {
                tokens: allowance.counted.tokens.saturating_add(rest.tokens),
                spend_microdollars: allowance.counted.spend_microdollars.saturating_add(rest.spend_microdollars),
            };
        }
        let policies = self.policies.borrow().clone();
        if !policies.reads_usage() {
            return None;
        }
        let now = self.circumstances().usage?;
        if !allowance.is_due(&now) {
            return None;
        }
        let mut at = allowance.at.clone();
        let usage = at.usage.as_mut()?;
        (usage.tokens, usage.spend_microdollars) = (now.tokens, now.spend_microdollars);
        (usage.bytes, usage.wall_seconds) = (now.bytes, now.wall_seconds);
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
                    return Some(Refusal { kind: RefusalKind::Policy, rule, message, hint });
                }
            }
        }
        None
    }
}
