//! What the channels of one session share: who asks, the record, the way to the machine, how values are seen.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use russh::{ChannelId, server::Handle};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    approval::Binding,
    mask::Detectors,
    model::{Principal, RunId, SessionId, flow::Inspected},
    policy::{Circumstances, Decision, PolicySet, Reveal, Source},
    protocol::ssh::message::SshRequest,
    record::SessionRecorder,
    session::{
        ending::Ending,
        environment::{Environment, Served},
        metering::SessionMeter,
        onward::Onward,
        open::Arrival,
        registry::LiveCounts,
    },
    store::SessionCounts,
    upstream::{SshKeys, SshOutlet},
};

/// One session.
pub(super) struct Conversation {
    pub(super) id: SessionId,
    pub(super) environment: Arc<Environment>,
    pub(super) served: Arc<Served>,
    pub(super) principal: Principal,
    pub(super) source: Source,
    pub(super) run: Option<RunId>,
    pub(super) meter: SessionMeter,
    pub(super) role: String,
    pub(super) circumstance: Arc<[u8]>,
    pub(super) keys: SshKeys,
    pub(super) outlet: SshOutlet,
    pub(super) policies: watch::Receiver<PolicySet>,
    /// What goes on to sessions that come through this one.
    pub(super) onward: Onward,
    /// Cancelled when the session has to end: channels end what they run, and say why.
    pub(super) ended: CancellationToken,
    /// Cancelled when nothing may be on its way any more.
    pub(super) cut: CancellationToken,
    /// Its channels.
    pub(super) tasks: TaskTracker,
    pub(super) books: Mutex<Books>,
    /// One login at a time, so that channels share it.
    pub(super) dialling: tokio::sync::Mutex<()>,
    /// When something was last said on a channel.
    pub(super) active: Mutex<tokio::time::Instant>,
    /// The way to the client, and its channels that have a standard error.
    pub(super) told: Mutex<Option<Listeners>>,
    why: OnceLock<String>,
    live: Arc<LiveCounts>,
}

/// Who hears what concerns a whole session.
pub(super) type Listeners = (Handle, BTreeSet<ChannelId>);

/// The record and what was counted; no record once the session is over.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) recorder: Option<SessionRecorder>,
    pub(super) counts: SessionCounts,
}

impl Conversation {
    /// `None` where this connection has nothing to serve SSH with.
    pub(super) fn new(
        arrival: &Arrival,
        id: SessionId,
        recorder: SessionRecorder,
        live: Arc<LiveCounts>,
    ) -> Option<Self> {
        let served = Arc::clone(&arrival.served);
        let side = served.ssh.clone()?;
        let settings = served.connection.ssh.clone()?;
        let role = served.connection.credential.username().to_owned();
        let binding = Binding {
            requester: &arrival.principal,
            session: Some(&id),
            connection: &served.facts,
            database: &served.facts.database,
            role: &role,
            search_path: &[],
        };
        let circumstance = binding.circumstance();
        let cut = CancellationToken::new();
        let outlet = SshOutlet::new(served.target.clone(), settings, side.login, cut.clone());
        Some(Self {
            id,
            environment: Arc::clone(&arrival.environment),
            principal: arrival.principal.clone(),
            source: arrival.source,
            meter: SessionMeter::of(arrival.run.as_ref(), &arrival.environment.registry),
            run: arrival.run.clone(),
            role,
            circumstance,
            keys: side.keys,
            outlet,
            policies: arrival.served.policies.clone(),
            onward: Onward::of(arrival),
            ended: CancellationToken::new(),
            cut,
            tasks: TaskTracker::new(),
            books: Mutex::new(Books { recorder: Some(recorder), counts: SessionCounts::default() }),
            dialling: tokio::sync::Mutex::default(),
            active: Mutex::new(tokio::time::Instant::now()),
            told: Mutex::default(),
            why: OnceLock::new(),
            live,
            served,
        })
    }

    /// The moment of a decision.
    pub(super) fn circumstances(&self) -> Circumstances {
        self.environment.circumstances(self.source, self.run.as_ref())
    }

    /// Asks the policies.
    pub(super) fn decide(&self, policies: &PolicySet, inspected: Inspected<SshRequest>) -> Decision<SshRequest> {
        policies.decide(&self.principal, &self.served.facts, inspected, &self.circumstances())
    }

    /// What is masked for the principal by these policies.
    pub(super) fn sight(&self, policies: &PolicySet) -> Arc<Detectors> {
        let environment = &self.environment;
        let mut detectors = environment.detectors.idle();
        for class in environment.detectors.classes() {
            let reveal = policies.reveal(&self.principal, &self.served.facts, class.as_str());
            if let Reveal::Masked { function, .. } = reveal {
                detectors = detectors.with(class, function);
            }
        }
        Arc::new(detectors)
    }

    /// Changes the counts, for whoever watches.
    pub(super) fn count(&self, change: impl FnOnce(&mut SessionCounts)) {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut books.counts);
        self.live.set(books.counts);
    }

    /// Tells every channel that it is over, and why.
    pub(super) fn stop(&self, ending: &Ending) {
        // The first reason stays.
        drop(self.why.set(ending.reason()));
        self.ended.cancel();
    }

    /// Why it is over.
    pub(super) fn why(&self) -> &str {
        self.why.get().map_or("the session ended", String::as_str)
    }

    /// Ends the record and the index.
    pub(super) async fn end(&self, ending: &Ending) {
        let (recorder, counts) = {
            let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
            (books.recorder.take(), books.counts)
        };
        let (reason, now) = (ending.reason(), self.environment.clock.unix_millis());
        if let Some(Err(error)) = recorder.map(|recorder| recorder.end(&reason)) {
            tracing::error!(session = %self.id, %error, "the end of a session could not be recorded");
        }
        if let Err(error) = self.environment.index.ended(&self.id, now, reason, counts).await {
            tracing::error!(session = %self.id, %error, "the end of a session could not be indexed");
        }
    }
}
