//! From what is asked to what may go: decide → hold → record. Whoever leaves takes a held request along.

use std::{collections::BTreeSet, sync::Arc};

use tokio::sync::mpsc::UnboundedSender;

use super::{
    conversation::Conversation,
    recording::{Open, spans},
};
use crate::{
    approval::{Asks, Binding, Facts, Request, State, Ticket},
    model::{
        ApprovalId, ApprovalNeed, Effect, Operation, OperationNumber, PrincipalName, Refusal, RefusalKind,
        flow::Inspected,
    },
    policy::{Decision, Permitted},
    protocol::ssh::message::SshRequest,
    record::{Asked, Event, Recorded, SealedText, Step},
    session::open::random,
};

/// What may go, and is on record.
pub(super) struct Passed {
    pub(super) recorded: Recorded<Permitted<SshRequest>>,
    pub(super) operations: Vec<Operation>,
    /// Reviewers let it through.
    pub(super) approved: bool,
    pub(super) open: Open,
}

/// What may not.
pub(super) struct Turned {
    pub(super) refusal: Refusal,
    pub(super) approval: Option<ApprovalId>,
}

impl From<Refusal> for Turned {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, approval: None }
    }
}

enum Waited {
    Decided(Box<Decision<SshRequest>>),
    Refused(Refusal, ApprovalId),
}

enum Wake {
    State(State),
    Policies,
    Ended,
}

/// Records the end of a request that nobody waits for any more.
struct Guard<'hold> {
    conversation: &'hold Conversation,
    number: OperationNumber,
    approval: ApprovalId,
    settled: bool,
}

impl Guard<'_> {
    fn settle(&mut self, state: &str, by: &[PrincipalName], reason: Option<&str>) -> Result<(), Refusal> {
        self.settled = true;
        let (number, approval) = (self.number, &self.approval);
        let event = Event::ApprovalDecided { number, approval, state, by, reason };
        self.conversation.append(&event).map(|_position| ())
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if !self.settled && self.settle("withdrawn", &[], Some("the client went away")).is_err() {
            tracing::warn!(session = %self.conversation.id, "a withdrawn request could not be recorded");
        }
    }
}

impl Conversation {
    /// Decides, holds, and records what may go. Dropped, a held request is withdrawn. `notices` are told while it waits.
    pub(super) async fn pass(
        self: &Arc<Self>,
        inspected: Inspected<SshRequest>,
        notices: &UnboundedSender<String>,
    ) -> Result<Passed, Turned> {
        let number = self.number()?;
        let text = inspected.operations().first().map(|one| Arc::clone(&one.text)).unwrap_or_default();
        let spans = spans(&text, &self.environment.detectors);
        let text = SealedText::new(&text, &spans, &[], &self.environment.sealer);
        let mut decision = self.decide(&self.policies.borrow().clone(), inspected);
        let permitted = loop {
            match decision {
                Decision::Permit(permitted) => break permitted,
                Decision::Refuse { refusal, inspected } => {
                    return Err(self.refused(number, inspected.operations(), &text, refusal).into());
                }
                Decision::NeedsApproval { need, inspected } => {
                    let operations = inspected.operations().to_vec();
                    match Box::pin(self.hold(number, inspected, need, &text, notices)).await {
                        Ok(Waited::Decided(again)) => decision = *again,
                        Ok(Waited::Refused(refusal, approval)) => {
                            let refusal = self.refused(number, &operations, &text, refusal);
                            return Err(Turned { refusal, approval: Some(approval) });
                        }
                        Err(refusal) => return Err(self.refused(number, &operations, &text, refusal).into()),
                    }
                }
            }
        };
        let operations = permitted.operations().to_vec();
        let approved = permitted.approval().is_some();
        let step = Asked { number, step: Step::Execute, text: &text, parameters: &[], proposed_by: None };
        let admitted = self.record(|recorder| recorder.admit(permitted, &step))?;
        let open = Open::new(Arc::clone(self), number);
        self.meter.operations(&self.served.facts.name, &operations);
        self.count(|counts| counts.operations += 1);
        let recorded = self.durable(self.environment.recorder.settle(admitted)).await?;
        Ok(Passed { recorded, operations, approved, open })
    }

    /// Puts a request before reviewers and waits.
    async fn hold(
        &self,
        number: OperationNumber,
        inspected: Inspected<SshRequest>,
        need: ApprovalNeed,
        text: &SealedText<'_>,
        notices: &UnboundedSender<String>,
    ) -> Result<Waited, Refusal> {
        let unasked = |error: String| {
            let message = format!("this needs an approval, and it cannot be asked for: {error}");
            let (rule, hint) = (need.rules.first().cloned(), Some("Try again later.".to_owned()));
            Refusal { kind: RefusalKind::Unsupported, rule, message, hint }
        };
        // FAIL-CLOSED: what cannot be put before a reviewer is refused.
        let drawn = random().map_err(|error| unasked(error.to_string()))?;
        let request = self.request(drawn, &inspected, &need, text);
        let ticket = self.environment.desk.submit(request).await.map_err(|error| unasked(error.to_string()))?;
        let id = ticket.id().clone();
        let mut guard = Guard { conversation: self, number, approval: id.clone(), settled: false };
        let position = self.append(&Event::Held {
            number,
            operations: inspected.operations(),
            text,
            approval: &id,
            rules: &need.rules,
            expires_at_millis: u64::try_from(ticket.expires_at_millis()).unwrap_or(0),
        })?;
        self.durable(self.environment.recorder.durable(position)).await?;
        self.count(|counts| counts.held += 1);
        let who: Vec<String> = need.quorums.iter().map(ToString::to_string).collect();
        let (said, minutes) =
            (need.message.as_deref().unwrap_or("this needs an approval"), need.expires_after.as_secs() / 60);
        let who = who.join(" and ");
        drop(notices.send(format!("held: {said}; approval {id} waits for {who}, for {minutes} min")));
        self.wait(inspected, &need, ticket, &mut guard, notices).await
    }

    async fn wait(
        &self,
        mut inspected: Inspected<SshRequest>,
        need: &ApprovalNeed,
        mut ticket: Ticket,
        guard: &mut Guard<'_>,
        notices: &UnboundedSender<String>,
    ) -> Result<Waited, Refusal> {
        let id = ticket.id().clone();
        let mut policies = self.policies.clone();
        let rejected = |kind, message: String, hint: &str| {
            let (rule, hint) = (need.rules.first().cloned(), Some(hint.to_owned()));
            Refusal { kind, rule, message, hint }
        };
        let (expired, denied) = (RefusalKind::Expired, RefusalKind::Denied);
        let refusal = loop {
            let wake = tokio::select! {
                biased;
                () = self.ended.cancelled() => Wake::Ended,
                Ok(()) = policies.changed() => Wake::Policies,
                state = ticket.changed() => Wake::State(state),
            };
            match wake {
                Wake::Ended => {
                    guard.settle("withdrawn", &[], Some("the session was ended"))?;
                    let message = "the session ended while this waited for its approval".to_owned();
                    break rejected(expired, message, "Ask again.");
                }
                Wake::Policies => {
                    let now = policies.borrow_and_update().clone();
                    match self.decide(&now, inspected) {
                        Decision::NeedsApproval { need: now, inspected: same } if now.asks_like(need) => {
                            inspected = same;
                        }
                        other @ (Decision::Permit(_) | Decision::Refuse { .. } | Decision::NeedsApproval { .. }) => {
                            if let Err(error) = self.environment.desk.supersede(&id).await {
                                tracing::warn!(%id, %error, "a request could not be superseded");
                            }
                            guard.settle("superseded", &[], Some("the policies changed"))?;
                            return Ok(Waited::Decided(Box::new(other)));
                        }
                    }
                }
                Wake::State(State::Pending { .. }) => {
                    drop(notices.send(format!("approval {id} has a review, and waits for more")));
                }
                Wake::State(State::Approved { by }) => {
                    guard.settle("approved", &by, None)?;
                    let grant = match ticket.into_grant() {
                        Ok(grant) => grant,
                        Err(void) => break rejected(expired, void.to_string(), "Ask again."),
                    };
                    let names: Vec<&str> = by.iter().map(PrincipalName::as_str).collect();
                    drop(notices.send(format!("approved by {}", names.join(", "))));
                    let (now, at) = (policies.borrow_and_update().clone(), self.circumstances());
                    let to = &self.served.facts;
                    let again = now.decide_approved(&self.principal, to, inspected, &at, grant);
                    return Ok(Waited::Decided(Box::new(again)));
                }
                Wake::State(State::Denied { by, reason }) => {
                    guard.settle("denied", std::slice::from_ref(&by), reason.as_deref())?;
                    let said = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
                    let message = format!("{by} denied approval {id}{said}");
                    break rejected(denied, message, "Talk to the reviewer, or ask for something else.");
                }
                Wake::State(state @ (State::Expired | State::Withdrawn | State::Superseded)) => {
                    guard.settle(state.word(), &[], None)?;
                    let message = format!("approval {id} ended without a decision: it is {}", state.word());
                    break rejected(expired, message, "Ask again.");
                }
            }
        };
        Ok(Waited::Refused(refusal, id))
    }

    fn request(
        &self,
        drawn: [u8; 5],
        inspected: &Inspected<SshRequest>,
        need: &ApprovalNeed,
        text: &SealedText<'_>,
    ) -> Request {
        let operations = inspected.operations();
        let worst = operations.iter().max_by_key(|operation| (operation.risk, operation.effect));
        let now = self.environment.clock.unix_millis();
        let life = i64::try_from(need.expires_after.as_millis()).unwrap_or(i64::MAX);
        let facts = &self.served.facts;
        let accesses = operations.iter().flat_map(|operation| &operation.accesses);
        let objects: BTreeSet<_> = accesses.filter_map(|access| access.object.clone()).collect();
        let anywhere = Binding {
            requester: &self.principal,
            session: None,
            connection: facts,
            database: &facts.database,
            role: &self.role,
            search_path: &[],
        };
        let reasons = worst.map(|one| one.risk_reasons.iter().map(|reason| (*reason).to_owned()).collect());
        Request {
            id: ApprovalId::new(u64::try_from(now).unwrap_or(0), drawn),
            requester: self.principal.clone(),
            session: Some(self.id.clone()),
            run: self.run.clone(),
            asks: Asks::Operation,
            connection: facts.clone(),
            database: facts.database.clone(),
            role: self.role.clone(),
            search_path: Vec::new(),
            objects,
            text: text.shown().to_owned(),
            parameters: Vec::new(),
            kind: worst.map(|operation| operation.kind.to_string()).unwrap_or_default(),
            effect: worst.map_or(Effect::Unknown, |operation| operation.effect),
            risk: worst.map_or(100, |operation| operation.risk),
            risk_reasons: reasons.unwrap_or_default(),
            facts: Facts::default(),
            digest: inspected.digest(),
            same: inspected.digest_within(&anywhere.circumstance()),
            retries: 0,
            shape: None,
            shape_is_open: false,
            proposed_by: None,
            need: need.clone(),
            created_at_millis: now,
            expires_at_millis: now.saturating_add(life),
        }
    }
}
