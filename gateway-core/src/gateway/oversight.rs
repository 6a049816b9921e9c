//! Joins the desk of approvals to what it must not know: the policies in force, who was seen last, and the record.

use std::{collections::BTreeSet, pin::Pin};

use tokio::sync::watch;

use crate::{
    approval::{Asks, Fact, Oversight, Request, State, Unwritten},
    identity::LastSeen,
    model::{GroupName, Principal, Verdict},
    policy::{ApiAction, ApiResource, PolicySet},
    record::{GatewayEvent, Recorder},
};

/// What the desk asks, answered by the parts of a gateway.
#[derive(Debug)]
pub(super) struct GatewayOversight {
    pub(super) policies: watch::Receiver<PolicySet>,
    pub(super) last_seen: LastSeen,
    pub(super) recorder: Recorder,
}

impl Oversight for GatewayOversight {
    fn groups(&self, reviewer: &Principal, request: &Request) -> BTreeSet<GroupName> {
        let reviewer = self.last_seen.of(reviewer);
        if reviewer.is_interested_in(&request.requester) {
            return BTreeSet::new();
        }
        let policies = self.policies.borrow().clone();
        let (requester, connection) = (request.requester.clone(), request.connection.clone());
        let on = ApiResource::Request { requester, connection };
        let groups = request.need.quorums.iter().map(|quorum| &quorum.group);
        let may = |group: &&GroupName| {
            let action = ApiAction::Approve { group: (*group).clone() };
            reviewer.groups.contains(*group) && matches!(policies.may(&reviewer, &action, &on), Verdict::Permit { .. })
        };
        groups.filter(may).cloned().collect()
    }

    fn note<'note>(
        &'note self,
        fact: Fact<'note>,
    ) -> Pin<Box<dyn Future<Output = Result<(), Unwritten>> + Send + 'note>> {
        Box::pin(async move {
            let Some(event) = event(fact) else { return Ok(()) };
            let unwritten = |error: crate::record::RecordError| Unwritten(error.to_string());
            let position = self.recorder.gateway(&event).map_err(unwritten)?;
            self.recorder.durable(position).await.map_err(unwritten)
        })
    }
}

fn event(fact: Fact<'_>) -> Option<GatewayEvent> {
    Some(match fact {
        Fact::Asked(request) => {
            let Asks::Access { reason, for_millis } = &request.asks else { return None };
            GatewayEvent::AccessAsked {
                who: request.requester.clone(),
                connection: request.connection.name.clone(),
                approval: request.id.clone(),
                reason: reason.clone(),
                seconds: u64::try_from(for_millis / 1_000).unwrap_or(0),
            }
        }
        Fact::Decided(case) => {
            let (by, reason) = match case.state() {
                State::Approved { by } => (by.clone(), None),
                State::Denied { by, reason } => (vec![by.clone()], reason.clone()),
                State::Pending { .. } | State::Expired | State::Withdrawn | State::Superseded => (Vec::new(), None),
            };
            GatewayEvent::AccessDecided { approval: case.request().id.clone(), state: case.state().word(), by, reason }
        }
        Fact::Opened(lease) => GatewayEvent::LeaseOpened {
            who: lease.principal.clone(),
            connection: lease.connection.clone(),
            approval: lease.approval.clone(),
            what: lease.what(),
            by: lease.by.clone(),
            ends_at_millis: lease.ends_at_millis,
        },
        Fact::Closed(lease, why) => GatewayEvent::LeaseClosed {
            who: lease.principal.clone(),
            connection: lease.connection.clone(),
            approval: lease.approval.clone(),
            what: lease.what(),
            why,
        },
    })
}
