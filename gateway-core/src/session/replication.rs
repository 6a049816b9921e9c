//! Sessions of replication: a policy permits them at all, each command is decided and recorded, and a stream goes both
//! ways under the permit of the command that began it.
//!
//! Which commands there are is `inspect::replication`'s to say. A stream cannot be masked: it ends where a policy begins
//! to hide something from its reader.

use std::sync::Arc;

use super::{
    conversation::{CopyIn, Expect},
    hold::HeldMessage,
    open::Arrival,
    relay::{Ending, Session},
};
use crate::{
    model::{ConnectionFacts, Principal, Refusal, RefusalKind, Verb, Verdict},
    policy::{Circumstances, PolicySet},
    protocol::postgres::{
        handshake::Replication,
        inspect::{
            self,
            replication::{self, Command, CommandError},
        },
        message::{Frame, Frontend, Query},
        refuse::Report,
    },
    record::{Event, SealedText},
};

impl Arrival {
    /// Why the start-up's replication is not opened; `None` where it is, or where it asks for none.
    pub(super) fn refused_replication(&self, replication: Replication) -> Option<Refusal> {
        if replication == Replication::No {
            return None;
        }
        if self.served.connection.pool.is_some() {
            let message = "a pool cannot be replicated from".to_owned();
            let hint = Some("Use a connection that reaches the server itself.".to_owned());
            return Some(Refusal { kind: RefusalKind::Unsupported, rule: None, message, hint });
        }
        let now = self.environment.circumstances(self.source, self.run.as_ref());
        refused(&self.policies, &self.principal, &self.served.facts, &now)
    }
}

/// Whether a policy keeps a principal from replicating. What reviewers may lift is asked of each command.
fn refused(
    policies: &PolicySet,
    principal: &Principal,
    facts: &ConnectionFacts,
    now: &Circumstances,
) -> Option<Refusal> {
    match policies.weigh(principal, facts, &replication::opening(), now) {
        Verdict::Permit { .. } | Verdict::NeedsApproval(_) => None,
        Verdict::Refuse(refusal) => {
            let message = format!("replication connections are not allowed here: {}", refusal.message);
            let hint =
                "Use a connection without `replication`, or ask for a policy that permits the action `replicate`.";
            Some(Refusal { message, hint: Some(hint.to_owned()), ..refusal })
        }
    }
}

impl Session {
    /// Whether this is a message that a replication connection does not take.
    pub(super) fn is_out_of_place(&self, message: &Frontend) -> bool {
        self.replication != Replication::No
            && matches!(
                message,
                Frontend::Parse(_)
                    | Frontend::Bind(_)
                    | Frontend::Describe(_)
                    | Frontend::Execute(_)
                    | Frontend::Close(_)
                    | Frontend::FunctionCall(_)
            )
    }

    /// SPEC: postgres.c `forbidden_in_wal_sender`, with its words.
    pub(super) fn refuse_out_of_place(&mut self, message: &Frontend) -> Result<(), Ending> {
        let is_call = matches!(message, Frontend::FunctionCall(_));
        let what = if is_call { "fastpath function calls" } else { "extended query protocol" };
        let words = format!("{what} not supported in a replication connection");
        self.fail_with(&Report::error("08P01", &words).hint("Use simple queries."), is_call)
    }

    /// Takes a query of a replication connection; gives it back where it is SQL, to be decided as any other.
    pub(super) async fn replication_query(&mut self, query: Query) -> Result<Option<Query>, Ending> {
        let parsed = match replication::command(query.text.as_str()) {
            Ok(Command::Sql) if self.replication == Replication::Database => return Ok(Some(query)),
            Ok(Command::Sql) => {
                let words = "cannot execute SQL commands in WAL sender for physical replication";
                let report = Report::error("0A000", words).hint("Connect with `replication=database`, or without.");
                return self.fail_with(&report, true).map(|()| None);
            }
            Ok(Command::Replication(parsed)) => parsed,
            Err(error) => return self.refuse_command(&error).map(|()| None),
        };
        let understood = Arc::new(replication::understood(query.text.as_str(), parsed, &self.sight));
        let inspected = inspect::query(query, &understood, &self.circumstance);
        self.decide(inspected, HeldMessage::Query, understood).await.map(|()| None)
    }

    fn refuse_command(&mut self, error: &CommandError) -> Result<(), Ending> {
        let (number, message) = (self.recorder.number(), error.to_string());
        let refusal = Refusal { kind: RefusalKind::Unsupported, rule: None, message, hint: None };
        let text = SealedText::plain("a replication command");
        self.counts.refused += 1;
        self.recorder.append(&Event::Refused { number, operations: &[], text: &text, refusal: &refusal })?;
        let detail = format!("The gateway has no rule for it · session {}.", self.id);
        self.fail_with(&Report::error("0A000", &refusal.message).detail(&detail), true)
    }

    /// A stream begins: data goes both ways until either side ends it.
    pub(super) fn copy_both(&mut self, frame: &Frame) -> Result<(), Ending> {
        let Some(Expect::Query { number, .. }) = self.talk.front() else { return Err(Ending::Unexpected("upstream")) };
        let number = *number;
        let streams = self.ledger.entry(number).is_some_and(|entry| {
            entry.capture.cut();
            entry.understood.copies_in && replicates(&entry.understood)
        });
        if !streams {
            return Err(Ending::Unexpected("upstream"));
        }
        self.talk.copy_in = CopyIn::Both(number);
        self.pass(frame);
        Ok(())
    }

    /// Law 9: a change of policies ends what it does not permit any more, and what it would have masked.
    pub(super) fn replicates_still(&mut self) -> Result<(), Ending> {
        if self.replication == Replication::No {
            return Ok(());
        }
        if let Some(refusal) = refused(&self.policies, &self.principal, &self.facts, &self.circumstances()) {
            return Err(Ending::Policy(refusal));
        }
        let hides = self.sight.hides_columns() || self.sight.detects();
        let number = self.talk.front().and_then(Expect::number);
        let streams =
            number.and_then(|number| self.ledger.entry(number)).is_some_and(|one| replicates(&one.understood));
        if hides && streams { Err(Ending::Unmaskable("a replication stream cannot be masked")) } else { Ok(()) }
    }
}

fn replicates(understood: &inspect::Understood) -> bool {
    let mut accesses = understood.operations.iter().flat_map(|operation| &operation.accesses);
    accesses.any(|access| access.verb == Verb::Replicate)
}
