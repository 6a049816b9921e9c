//! A held operation: the live connection waits at the risky statement until reviewers decide, then goes on.
//!
//! The client is told by NOTICE at once and on each change. Its cancel or disappearance withdraws the request.

use std::sync::Arc;

use super::{
    access::clock_time,
    asking::{Asker, unasked},
    relay::{Ending, Session},
    sealing,
    shape::is_open,
};
use crate::{
    approval::{Binding, Facts, Request, State, Ticket},
    model::{
        ApprovalNeed, Effect, Operation, OperationNumber, PrincipalName, Refusal, RefusalKind, SessionId,
        flow::Inspected,
    },
    policy::{Decision, PolicySet},
    protocol::postgres::{inspect::Understood, message::Frontend, refuse},
    record::Event,
};

/// Which kind of message is held: a refusal is answered in its protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeldMessage {
    Query,
    Bind,
    Call,
}

impl HeldMessage {
    /// Whether it is answered with a ReadyForQuery of its own.
    pub(super) fn is_query(self) -> bool {
        self != Self::Bind
    }
}

/// An operation that waits for reviewers.
#[derive(Debug)]
pub(super) struct Held {
    number: OperationNumber,
    inspected: Inspected<Frontend>,
    kind: HeldMessage,
    understood: Arc<Understood>,
    need: ApprovalNeed,
    ticket: Ticket,
}

impl Held {
    /// Waits for the next change of the request. Cancel-safe.
    pub(super) async fn changed(&mut self) -> State {
        self.ticket.changed().await
    }
}

impl Session {
    /// Holds an operation: what was queued before it goes out, the request is recorded and submitted, the client told.
    pub(super) async fn hold(
        &mut self,
        number: OperationNumber,
        inspected: Inspected<Frontend>,
        need: ApprovalNeed,
        kind: HeldMessage,
        understood: Arc<Understood>,
    ) -> Result<(), Ending> {
        self.forward().await?;
        let request = match self.request(&inspected, &need, &understood) {
            Ok(request) => request,
            Err(refusal) => return self.refuse(number, &refusal, &understood, kind.is_query()),
        };
        let ticket = match self.environment.desk.submit(request).await {
            Ok(ticket) => ticket,
            Err(error) => return self.refuse(number, &unasked(&need, &error), &understood, kind.is_query()),
        };
        // A request that is the same as one that waits has that one's id. Nothing is resumed before this is on record:
        // if it cannot be, the ticket goes, and the request with it.
        let (id, expires_at) = (ticket.id().clone(), ticket.expires_at_millis());
        let text = sealing::text(&understood, &self.environment.sealer);
        let position = self.recorder.append(&Event::Held {
            number,
            operations: inspected.operations(),
            text: &text,
            approval: &id,
            rules: &need.rules,
            expires_at_millis: u64::try_from(expires_at).unwrap_or(0),
        })?;
        self.recorder.durable(position).await?;
        self.counts.held += 1;
        let expected = expected(inspected.operations());
        refuse::hold_notice(&id, &need, expected, &clock_time(expires_at), &mut self.to_client);
        self.held = Some(Held { number, inspected, kind, understood, need, ticket });
        Ok(())
    }

    fn request(
        &self,
        inspected: &Inspected<Frontend>,
        need: &ApprovalNeed,
        understood: &Understood,
    ) -> Result<Request, Refusal> {
        let operations = inspected.operations();
        let worst = operations.iter().max_by_key(|operation| (operation.risk, operation.effect));
        let (message, types) = (inspected.message(), self.parameter_types(inspected.message()));
        let parameters = sealing::parameters(message, understood, &types, &self.environment);
        let shape = self.shape(inspected, understood);
        let asker = Asker {
            environment: &self.environment,
            session: &self.id,
            run: self.meter.run(),
            anywhere: self.binding(None),
        };
        let text = sealing::text(understood, &self.environment.sealer);
        Ok(Request {
            parameters: parameters.into_iter().map(|value| value.map(|value| value.shown().to_owned())).collect(),
            facts: worst.map(shown_facts).unwrap_or_default(),
            shape_is_open: shape.is_some() && is_open(operations, understood),
            shape,
            proposed_by: self.proposed_by(understood),
            ..asker.request(inspected, need, text.shown())?
        })
    }

    /// What an approval binds to; without the session, for what is the same in every one.
    pub(super) fn binding<'facts>(&'facts self, session: Option<&'facts SessionId>) -> Binding<'facts> {
        Binding {
            requester: &self.principal,
            session,
            connection: &self.facts,
            database: &self.facts.database,
            role: &self.role,
            search_path: &self.sight.search_path,
        }
    }

    /// Takes a change of the held request: resumes, refuses, or tells the client and goes on waiting.
    pub(super) async fn held_changed(&mut self, state: State) -> Result<(), Ending> {
        let Some(held) = self.held.take() else { return Ok(()) };
        match state {
            State::Pending { approvals } => {
                let change = so_far(&approvals);
                refuse::change_notice(held.ticket.id(), &change, &mut self.to_client);
                self.held = Some(held);
                return Ok(());
            }
            State::Approved { by } => {
                let change = format!("approved by {}; running", names(&by));
                refuse::change_notice(held.ticket.id(), &change, &mut self.to_client);
                self.record_end(&held, "approved", &by, None)?;
                self.resume(held).await?;
            }
            State::Denied { by, reason } => {
                self.record_end(&held, "denied", std::slice::from_ref(&by), reason.as_deref())?;
                let said = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
                self.refuse_held(
                    &held,
                    RefusalKind::Denied,
                    format!("{by} denied approval {}{said}", held.ticket.id()),
                )?;
            }
            State::Expired => {
                self.record_end(&held, "expired", &[], None)?;
                let message = format!("approval {} expired before enough reviewers decided", held.ticket.id());
                self.refuse_held(&held, RefusalKind::Expired, message)?;
            }
            State::Withdrawn | State::Superseded => {
                self.record_end(&held, state.word(), &[], None)?;
                let message = format!("approval {} waits no more, or served a later attempt", held.ticket.id());
                self.refuse_held(&held, RefusalKind::Expired, message)?;
            }
        }
        self.take_client_messages().await
    }

    /// The client cancels what is held.
    pub(super) async fn withdraw_held(&mut self) -> Result<(), Ending> {
        let Some(held) = self.held.take() else { return Ok(()) };
        self.record_end(&held, "withdrawn", &[], Some("cancelled by the client"))?;
        self.refuse_held(&held, RefusalKind::Expired, "canceling statement due to user request".to_owned())?;
        drop(held);
        self.take_client_messages().await
    }

    /// The session ends: the request goes with it.
    pub(super) fn abandon_held(&mut self, why: &str) -> Result<(), Ending> {
        match self.held.take() {
            Some(held) => self.record_end(&held, "withdrawn", &[], Some(why)),
            None => Ok(()),
        }
    }

    /// The policies changed: decide again; a request that other reviewers must see now is made anew.
    pub(super) async fn redecide_held(&mut self, policies: &PolicySet) -> Result<(), Ending> {
        let Some(held) = self.held.take() else { return Ok(()) };
        let Held { number, inspected, kind, understood, need, ticket } = held;
        match policies.decide(&self.principal, &self.facts, inspected, &self.circumstances()) {
            Decision::Permit(permitted) => {
                drop(ticket);
                self.run(number, permitted, &understood)?;
            }
            Decision::Refuse { refusal, .. } => {
                drop(ticket);
                self.refuse(number, &refusal, &understood, kind.is_query())?;
            }
            Decision::NeedsApproval { need: now, inspected } if now.asks_like(&need) => {
                self.held = Some(Held { number, inspected, kind, understood, need, ticket });
                return Ok(());
            }
            Decision::NeedsApproval { need: now, inspected } => {
                let id = ticket.id().clone();
                if let Err(error) = self.environment.desk.supersede(&id).await {
                    tracing::warn!(%id, %error, "a request could not be superseded");
                }
                refuse::change_notice(&id, "superseded by a policy change", &mut self.to_client);
                let superseded = Event::ApprovalDecided {
                    number,
                    approval: &id,
                    state: "superseded",
                    by: &[],
                    reason: Some("the policies changed"),
                };
                self.recorder.append(&superseded)?;
                drop(ticket);
                return self.hold(number, inspected, now, kind, understood).await;
            }
        }
        self.take_client_messages().await
    }

    async fn resume(&mut self, held: Held) -> Result<(), Ending> {
        let Held { number, inspected, kind, understood, need, ticket } = held;
        let grant = match ticket.into_grant() {
            Ok(grant) => grant,
            Err(void) => {
                let refusal = Refusal {
                    kind: RefusalKind::Expired,
                    rule: need.rules.first().cloned(),
                    message: void.to_string(),
                    hint: Some("Run it again to ask again.".to_owned()),
                };
                return self.refuse(number, &refusal, &understood, kind.is_query());
            }
        };
        match self.policies.decide_approved(&self.principal, &self.facts, inspected, &self.circumstances(), grant) {
            Decision::Permit(permitted) => self.run(number, permitted, &understood),
            Decision::Refuse { refusal, .. } => self.refuse(number, &refusal, &understood, kind.is_query()),
            Decision::NeedsApproval { need, inspected } => self.hold(number, inspected, need, kind, understood).await,
        }
    }

    fn refuse_held(&mut self, held: &Held, kind: RefusalKind, message: String) -> Result<(), Ending> {
        let hint = if kind == RefusalKind::Denied {
            "Talk to the reviewer, or change the statement."
        } else {
            "Run it again to ask again."
        };
        let refusal = Refusal { kind, rule: held.need.rules.first().cloned(), message, hint: Some(hint.to_owned()) };
        self.refuse(held.number, &refusal, &held.understood, held.kind.is_query())
    }

    fn record_end(
        &mut self,
        held: &Held,
        state: &str,
        by: &[PrincipalName],
        reason: Option<&str>,
    ) -> Result<(), Ending> {
        let (number, approval) = (held.number, held.ticket.id());
        self.recorder.append(&Event::ApprovalDecided { number, approval, state, by, reason })?;
        Ok(())
    }
}

/// What the client is told of its rows. How many rows a predicate on tagged columns keeps would tell what they hold.
fn expected(operations: &[Operation]) -> Option<refuse::Expected> {
    let tells = operations.iter().all(|operation| operation.filters_on.is_empty());
    let most = operations.iter().filter(|_| tells).max_by_key(|operation| operation.estimated_rows)?;
    let changes = most.effect != Effect::Read;
    most.estimated_rows.map(|rows| refuse::Expected { rows, percent: most.estimated_percent, changes })
}

fn shown_facts(operation: &Operation) -> Facts {
    Facts {
        estimated_rows: operation.estimated_rows,
        estimated_percent: operation.estimated_percent,
        export: operation.export,
        filters_on: operation.filters_on.iter().map(ToString::to_string).collect(),
    }
}

/// Where a request stands that waits still, in words for the client.
pub(super) fn so_far(approvals: &[PrincipalName]) -> String {
    match approvals {
        [] => "it waits; an approval serves the latest attempt".to_owned(),
        some => format!("approved by {}; more are needed", names(some)),
    }
}

fn names(names: &[PrincipalName]) -> String {
    names.iter().map(PrincipalName::as_str).collect::<Vec<_>>().join(", ")
}
