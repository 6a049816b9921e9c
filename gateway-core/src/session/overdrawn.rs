//! A budget that is reached while a statement runs: the statement is cancelled, and its error says why.
//!
//! Looked at now and then, while something runs in a run that a policy gives a budget. What was on its way by then still
//! comes; where the server is done before the cancel reaches it, the result is whole. Only a refusal cuts: what reviewers
//! approved they approved whole.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use super::{
    conversation::Expect,
    relay::{Ending, Session},
};
use crate::{
    model::{Refusal, Usage, Verdict},
    policy::Circumstances,
    protocol::postgres::refuse,
};

/// How often it is looked at.
const EVERY: Duration = Duration::from_millis(50);
/// SPEC: PostgreSQL's `query_canceled`.
const CANCELLED: &str = "57014";

/// What is known of the budget of what runs.
#[derive(Debug)]
pub(super) struct Overdraft {
    look_at: Instant,
    cut: Option<Refusal>,
}

impl Default for Overdraft {
    fn default() -> Self {
        Self { look_at: Instant::now(), cut: None }
    }
}

impl Session {
    /// What the run has used up, where a policy asks for it.
    pub(super) fn budgeted_usage(&self) -> Option<Usage> {
        self.meter.run().filter(|_| self.policies.reads_usage())?;
        self.circumstances().usage
    }

    /// When to look at the budget next, if anything runs that has one.
    pub(super) fn next_look(&mut self) -> Option<Instant> {
        if self.talk.is_settled() {
            self.overdraft.cut = None;
            return None;
        }
        let has_budget = self.meter.run().is_some() && self.policies.reads_usage();
        (has_budget && self.overdraft.cut.is_none()).then_some(self.overdraft.look_at)
    }

    /// Cancels what runs, if it would be refused by what the run has used up since it was let through.
    pub(super) async fn look_at_budget(&mut self) -> Result<(), Ending> {
        self.overdraft.look_at = Instant::now() + EVERY;
        let Some(number) = self.talk.front().and_then(Expect::number) else { return Ok(()) };
        let Some(entry) = self.ledger.entry(number) else { return Ok(()) };
        let (began, operations) = (entry.began, Arc::clone(&entry.understood.operations));
        let now = self.circumstances();
        if began.is_none() || now.usage.is_none() {
            return Ok(());
        }
        let decided = |usage: Option<Usage>| {
            let at = Circumstances { usage, ..now.clone() };
            self.policies.verdict(&self.principal, &self.facts, &operations, &at)
        };
        let Verdict::Refuse(refusal) = decided(now.usage) else { return Ok(()) };
        if matches!(decided(began), Verdict::Refuse(_)) {
            // It was let through by more than is known here: what it has used up makes no difference.
            return Ok(());
        }
        self.overdraft.cut = Some(refusal);
        self.cancel_upstream().await
    }

    /// What stands in the place of the server's error, where that is of our own cancelling.
    pub(super) fn cut_short(&mut self, sqlstate: &str) -> Option<Bytes> {
        let refusal = (sqlstate == CANCELLED).then(|| self.overdraft.cut.take()).flatten()?;
        let mut answer = BytesMut::new();
        refuse::refusal(&refusal, &self.id, &mut answer);
        Some(answer.freeze())
    }
}
