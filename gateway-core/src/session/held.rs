//! Has an operation of a shared session permitted: the policies decide, and where reviewers must agree it waits for them.
//! Whoever leaves takes a held request along: dropped, it is withdrawn.

use tokio::sync::mpsc::UnboundedSender;

use super::{
    asking::{Asker, unasked},
    shared::SharedSession,
};
use crate::{
    approval::{Request, State, Ticket},
    model::{
        ApprovalId, ApprovalNeed, OperationNumber, PrincipalName, Refusal, RefusalKind,
        flow::{Digestible, Inspected},
    },
    policy::{Decision, Permitted},
    record::{Asked, Event},
};

/// What may not go, and is on record.
#[derive(Debug)]
pub(super) struct Turned {
    pub(super) refusal: Refusal,
    pub(super) approval: Option<ApprovalId>,
}

impl From<Refusal> for Turned {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, approval: None }
    }
}

enum Wake {
    State(State),
    Policies,
    Ended,
}

/// Records the end of a request that nobody waits for any more.
struct Guard<'hold> {
    session: &'hold SharedSession,
    number: OperationNumber,
    approval: ApprovalId,
    settled: bool,
}

impl Guard<'_> {
    fn settle(&mut self, state: &str, by: &[PrincipalName], reason: Option<&str>) -> Result<(), Refusal> {
        self.settled = true;
        let (number, approval) = (self.number, &self.approval);
        let event = Event::ApprovalDecided { number, approval, state, by, reason };
        self.session.append(&event).map(|_position| ())
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if !self.settled && self.settle("withdrawn", &[], Some("the client went away")).is_err() {
            tracing::warn!(session = %self.session.id, "a withdrawn request could not be recorded");
        }
    }
}

/// Who is told, while it waits.
pub(super) type Notices<'told> = Option<&'told UnboundedSender<String>>;

fn tell(notices: Notices<'_>, text: String) {
    if let Some(notices) = notices {
        drop(notices.send(text));
    }
}

impl SharedSession {
    /// Decides, and waits for reviewers where they must agree. What is not permitted is on record then.
    pub(super) async fn permitted<M: Digestible>(
        &self,
        inspected: Inspected<M>,
        asked: &Asked<'_>,
        notices: Notices<'_>,
    ) -> Result<Permitted<M>, Turned> {
        let refused = |operations: &[_], Turned { refusal, approval }| {
            let refusal = self.refused(asked.number, operations, asked.text, refusal);
            Turned { refusal, approval }
        };
        let mut decision = self.decide(&self.policies.borrow().clone(), inspected);
        loop {
            decision = match decision {
                Decision::Permit(permitted) => return Ok(permitted),
                Decision::Refuse { refusal, inspected } => return Err(refused(inspected.operations(), refusal.into())),
                Decision::NeedsApproval { need, inspected } => {
                    let operations = inspected.operations().to_vec();
                    let again = Box::pin(self.hold(inspected, &need, asked, notices)).await;
                    again.map_err(|turned| refused(&operations, turned))?
                }
            }
        }
    }

    /// Puts a request before reviewers and waits until it is decided anew, or goes no further.
    async fn hold<M: Digestible>(
        &self,
        inspected: Inspected<M>,
        need: &ApprovalNeed,
        asked: &Asked<'_>,
        notices: Notices<'_>,
    ) -> Result<Decision<M>, Turned> {
        let from = Asker {
            environment: &self.environment,
            session: &self.id,
            run: self.run.as_ref(),
            anywhere: self.anywhere(),
        };
        let request =
            Request { proposed_by: asked.proposed_by.cloned(), ..from.request(&inspected, need, asked.text.shown())? };
        let ticket = self.environment.desk.submit(request).await.map_err(|error| unasked(need, &error))?;
        let id = ticket.id().clone();
        let mut guard = Guard { session: self, number: asked.number, approval: id.clone(), settled: false };
        let position = self.append(&Event::Held {
            number: asked.number,
            operations: inspected.operations(),
            text: asked.text,
            approval: &id,
            rules: &need.rules,
            expires_at_millis: u64::try_from(ticket.expires_at_millis()).unwrap_or(0),
        })?;
        self.durable(self.environment.recorder.durable(position)).await?;
        self.count(|counts| counts.held += 1);
        let who: Vec<String> = need.quorums.iter().map(ToString::to_string).collect();
        let said = need.message.as_deref().unwrap_or("this needs an approval");
        let (who, minutes) = (who.join(" and "), need.expires_after.as_secs() / 60);
        tell(notices, format!("held: {said}; approval {id} waits for {who}, for {minutes} min"));
        self.wait(inspected, need, ticket, &mut guard, notices).await
    }

    async fn wait<M: Digestible>(
        &self,
        mut inspected: Inspected<M>,
        need: &ApprovalNeed,
        mut ticket: Ticket,
        guard: &mut Guard<'_>,
        notices: Notices<'_>,
    ) -> Result<Decision<M>, Turned> {
        let id = ticket.id().clone();
        let mut policies = self.policies.clone();
        let turned = |kind, message: String, hint: &str| {
            let (rule, hint) = (need.rules.first().cloned(), Some(hint.to_owned()));
            Turned { refusal: Refusal { kind, rule, message, hint }, approval: Some(id.clone()) }
        };
        let expired = |message: String| turned(RefusalKind::Expired, message, "Send it again to ask again.");
        loop {
            let wake = tokio::select! {
                biased;
                () = self.ended.cancelled() => Wake::Ended,
                Ok(()) = policies.changed() => Wake::Policies,
                state = ticket.changed() => Wake::State(state),
            };
            match wake {
                Wake::Ended => {
                    guard.settle("withdrawn", &[], Some("the session was ended"))?;
                    return Err(expired("the session ended while this waited for its approval".to_owned()));
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
                            return Ok(other);
                        }
                    }
                }
                Wake::State(State::Pending { .. }) => {
                    tell(notices, format!("approval {id} has a review, and waits for more"));
                }
                Wake::State(State::Approved { by }) => {
                    guard.settle("approved", &by, None)?;
                    let grant = match ticket.into_grant() {
                        Ok(grant) => grant,
                        Err(void) => return Err(expired(void.to_string())),
                    };
                    let names: Vec<&str> = by.iter().map(PrincipalName::as_str).collect();
                    tell(notices, format!("approved by {}", names.join(", ")));
                    let (now, at) = (policies.borrow_and_update().clone(), self.circumstances());
                    return Ok(now.decide_approved(&self.principal, &self.served.facts, inspected, &at, grant));
                }
                Wake::State(State::Denied { by, reason }) => {
                    guard.settle("denied", std::slice::from_ref(&by), reason.as_deref())?;
                    let said = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
                    let message = format!("{by} denied approval {id}{said}");
                    let hint = "Talk to the reviewer, or ask for something else.";
                    return Err(turned(RefusalKind::Denied, message, hint));
                }
                Wake::State(state @ (State::Expired | State::Withdrawn | State::Superseded)) => {
                    guard.settle(state.word(), &[], None)?;
                    return Err(expired(format!("approval {id} ended without a decision: it is {}", state.word())));
                }
            }
        }
    }
}
