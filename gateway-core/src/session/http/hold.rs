//! A held request: it waits on its stream until reviewers decide. Whoever leaves takes the request along.

use std::collections::BTreeSet;

use super::conversation::Conversation;
use crate::{
    approval::{Asks, Binding, Facts, Request, State, Ticket},
    model::{
        ApprovalId, ApprovalNeed, Effect, OperationNumber, PrincipalName, ProposedBy, Refusal, RefusalKind,
        flow::Inspected,
    },
    policy::{Decision, PolicySet},
    protocol::http::{message::HttpRequest, refuse::Rejection},
    record::{Event, SealedText},
    session::open::random,
};

/// What a wait came to.
pub(super) enum Waited {
    /// It was decided anew.
    Decided(Decision<HttpRequest>),
    /// It goes no further.
    Refused(Rejection, ApprovalId, Inspected<HttpRequest>),
}

/// Records the end of a request that nobody waits for any more.
struct Guard<'hold> {
    conversation: &'hold Conversation,
    number: OperationNumber,
    approval: ApprovalId,
    settled: bool,
}

impl Guard<'_> {
    fn settle(&mut self, state: &str, by: &[PrincipalName], reason: Option<&str>) -> Result<(), Rejection> {
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

enum Wake {
    State(State),
    Policies,
    Ended,
    Left,
}

impl Conversation {
    /// Puts a request before reviewers and waits. Dropped, it is withdrawn.
    pub(super) async fn hold(
        &self,
        number: OperationNumber,
        inspected: Inspected<HttpRequest>,
        need: ApprovalNeed,
        text: &SealedText<'_>,
        proposed_by: Option<&ProposedBy>,
    ) -> Result<Waited, Rejection> {
        let unasked = |error: String| {
            let message = format!("this needs an approval, and it cannot be asked for: {error}");
            let (rule, hint) = (need.rules.first().cloned(), Some("Try again later.".to_owned()));
            Rejection::from(Refusal { kind: RefusalKind::Unsupported, rule, message, hint })
        };
        // FAIL-CLOSED: what cannot be put before a reviewer is refused.
        let drawn = random().map_err(|error| unasked(error.to_string()))?;
        let request = self.request(drawn, &inspected, &need, text, proposed_by);
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
        self.wait(inspected, &need, ticket, &mut guard).await
    }

    async fn wait(
        &self,
        mut inspected: Inspected<HttpRequest>,
        need: &ApprovalNeed,
        mut ticket: Ticket,
        guard: &mut Guard<'_>,
    ) -> Result<Waited, Rejection> {
        let id = ticket.id().clone();
        let mut policies = self.policies.clone();
        let rejected = |kind, message: String, hint: &str| {
            let (rule, hint) = (need.rules.first().cloned(), Some(hint.to_owned()));
            Rejection::from(Refusal { kind, rule, message, hint })
        };
        let (expired, denied) = (RefusalKind::Expired, RefusalKind::Denied);
        let rejection = loop {
            let wake = tokio::select! {
                biased;
                () = self.ended.cancelled() => Wake::Ended,
                () = self.turns.left.cancelled() => Wake::Left,
                Ok(()) = policies.changed() => Wake::Policies,
                state = ticket.changed() => Wake::State(state),
            };
            match wake {
                Wake::Ended => {
                    guard.settle("withdrawn", &[], Some("the session was ended"))?;
                    let message = "the session ended while this waited for its approval".to_owned();
                    break rejected(expired, message, "Send it again.");
                }
                Wake::Left => {
                    guard.settle("withdrawn", &[], Some("the client went away"))?;
                    break rejected(expired, "the client went away while this waited".to_owned(), "Send it again.");
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
                            return Ok(Waited::Decided(other));
                        }
                    }
                }
                Wake::State(State::Pending { .. }) => {}
                Wake::State(State::Approved { by }) => {
                    guard.settle("approved", &by, None)?;
                    let grant = match ticket.into_grant() {
                        Ok(grant) => grant,
                        Err(void) => break rejected(expired, void.to_string(), "Send it again to ask again."),
                    };
                    let (now, at) = (policies.borrow_and_update().clone(), self.circumstances());
                    let to = &self.served.facts;
                    return Ok(Waited::Decided(now.decide_approved(&self.principal, to, inspected, &at, grant)));
                }
                Wake::State(State::Denied { by, reason }) => {
                    guard.settle("denied", std::slice::from_ref(&by), reason.as_deref())?;
                    let said = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
                    let message = format!("{by} denied approval {id}{said}");
                    break rejected(denied, message, "Talk to the reviewer, or change the request.");
                }
                Wake::State(state @ (State::Expired | State::Withdrawn | State::Superseded)) => {
                    guard.settle(state.word(), &[], None)?;
                    let message = format!("approval {id} ended without a decision: it is {}", state.word());
                    break rejected(expired, message, "Send it again to ask again.");
                }
            }
        };
        Ok(Waited::Refused(rejection, id, inspected))
    }

    /// Asks the policies.
    pub(super) fn decide(&self, policies: &PolicySet, inspected: Inspected<HttpRequest>) -> Decision<HttpRequest> {
        policies.decide(&self.principal, &self.served.facts, inspected, &self.circumstances())
    }

    fn request(
        &self,
        drawn: [u8; 5],
        inspected: &Inspected<HttpRequest>,
        need: &ApprovalNeed,
        text: &SealedText<'_>,
        proposed_by: Option<&ProposedBy>,
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
            proposed_by: proposed_by.cloned(),
            need: need.clone(),
            created_at_millis: now,
            expires_at_millis: now.saturating_add(life),
        }
    }
}
