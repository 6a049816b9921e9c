//! A session whose operations overlap: requests over HTTP, channels over SSH. They share who asks, one record, the
//! policies in force, and one end. Knows no protocol: `http` and `ssh` add theirs.
//!
//! `books` keeps its record, `held` has an operation permitted, `outcome` sees to how one ended.

use std::sync::{Arc, Mutex};

use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    books::Books,
    environment::{Environment, Served},
    metering::SessionMeter,
    open::{Arrival, LONG_KEY_BYTES, Secrets},
    registry::{LiveCounts, Membership},
};
use crate::{
    approval::Binding,
    mask::Detectors,
    model::{Operation, Principal, RunId, SessionId, Verdict, flow::Inspected},
    policy::{Circumstances, Decision, PolicySet, Reveal, Source},
};

/// One such session.
#[derive(Debug)]
pub(super) struct SharedSession {
    pub(super) id: SessionId,
    pub(super) environment: Arc<Environment>,
    pub(super) served: Arc<Served>,
    pub(super) principal: Principal,
    pub(super) source: Source,
    pub(super) run: Option<RunId>,
    pub(super) meter: SessionMeter,
    pub(super) circumstance: Arc<[u8]>,
    pub(super) policies: watch::Receiver<PolicySet>,
    /// Cancelled when the session has to end.
    pub(super) ended: CancellationToken,
    /// What goes on by itself; the record stays open for as long.
    pub(super) tasks: TaskTracker,
    pub(super) books: Mutex<Books>,
    pub(super) live: Arc<LiveCounts>,
}

impl SharedSession {
    /// Puts a session on record and among the live ones, before anything is dialled.
    pub(super) async fn open(arrival: &Arrival) -> Result<(Arc<Self>, Membership), String> {
        let now = arrival.environment.clock.unix_millis();
        let Secrets { id, key, .. } = Secrets::draw(now, LONG_KEY_BYTES).map_err(|error| error.to_string())?;
        let (recorder, known) = arrival.recorded(&id, None, now).await?;
        let membership = arrival.enter(known, 0, key);
        let session = Self {
            circumstance: binding(&arrival.principal, &arrival.served, Some(&id)).circumstance(),
            id,
            environment: Arc::clone(&arrival.environment),
            served: Arc::clone(&arrival.served),
            principal: arrival.principal.clone(),
            source: arrival.source,
            run: arrival.run.clone(),
            meter: SessionMeter::of(arrival.run.as_ref(), &arrival.environment.registry),
            policies: arrival.served.policies.clone(),
            ended: CancellationToken::new(),
            tasks: TaskTracker::new(),
            books: Mutex::new(Books::new(recorder)),
            live: Arc::clone(&membership.counts),
        };
        Ok((Arc::new(session), membership))
    }

    /// What an approval binds to in every session.
    pub(super) fn anywhere(&self) -> Binding<'_> {
        binding(&self.principal, &self.served, None)
    }

    /// The moment of a decision.
    pub(super) fn circumstances(&self) -> Circumstances {
        self.environment.circumstances(self.source, self.run.as_ref())
    }

    /// Asks the policies.
    pub(super) fn decide<M>(&self, policies: &PolicySet, inspected: Inspected<M>) -> Decision<M> {
        policies.decide(&self.principal, &self.served.facts, inspected, &self.circumstances())
    }

    /// Whether what was let through, by reviewers or without, may go on by these policies (law 9).
    pub(super) fn still_permits(&self, policies: &PolicySet, operations: &[Operation], was_approved: bool) -> bool {
        let at = self.circumstances();
        let weigh = |operation| policies.weigh(&self.principal, &self.served.facts, operation, &at);
        operations.iter().all(|operation| match weigh(operation) {
            Verdict::Permit { .. } => true,
            Verdict::NeedsApproval(_) => was_approved,
            Verdict::Refuse(_) => false,
        })
    }
}

/// What hides from somebody what these policies mask, wherever it stands in a text.
pub(super) fn veil(environment: &Environment, served: &Served, who: &Principal, policies: &PolicySet) -> Detectors {
    let mut detectors = environment.detectors.idle();
    for class in environment.detectors.classes() {
        if let Reveal::Masked { function, .. } = policies.reveal(who, &served.facts, class.as_str()) {
            detectors = detectors.with(class, function);
        }
    }
    detectors
}

fn binding<'facts>(
    requester: &'facts Principal,
    served: &'facts Served,
    session: Option<&'facts SessionId>,
) -> Binding<'facts> {
    Binding {
        requester,
        session,
        connection: &served.facts,
        database: &served.facts.database,
        role: served.connection.credential.username(),
        search_path: &[],
    }
}
