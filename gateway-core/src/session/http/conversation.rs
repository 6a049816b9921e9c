//! What the requests of one session share: who asks, the record, the way to the upstream, how values are seen.

use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, HeaderValue};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    decline::Declining,
    intake::Turns,
    sight::{permits, sight},
};
use crate::{
    approval::Binding,
    model::{Principal, RunId, SessionId},
    policy::{Circumstances, PolicySet, Source},
    protocol::http::dialect::{Dialect, Sight},
    record::SessionRecorder,
    session::{
        ending::Ending,
        environment::{Environment, Served},
        metering::SessionMeter,
        open::Arrival,
        registry::LiveCounts,
    },
    store::SessionCounts,
    upstream::{HttpOutlet, Marks},
};

/// One session.
#[derive(Debug)]
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
    pub(super) dialect: Arc<dyn Dialect>,
    pub(super) outlet: HttpOutlet,
    pub(super) marks: Marks,
    pub(super) policies: watch::Receiver<PolicySet>,
    /// Cancelled when the session has to end.
    pub(super) ended: CancellationToken,
    /// What goes on after a request was answered: relays of `WebSocket` connections.
    pub(super) relays: TaskTracker,
    pub(super) books: Mutex<Books>,
    /// Room for what the gateway itself says to the upstream.
    pub(super) declining: Declining,
    /// Whose turn it is on the client's stream.
    pub(super) turns: Arc<Turns>,
    live: Arc<LiveCounts>,
    /// How values are seen by the policies that were in force last: the same for every request.
    seen: Mutex<Option<(PolicySet, Sight)>>,
}

/// The record and what was counted; no record once the session is over.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) recorder: Option<SessionRecorder>,
    pub(super) counts: SessionCounts,
}

impl Conversation {
    /// `None` where nobody knows how to serve this kind yet.
    pub(super) fn new(
        arrival: &Arrival,
        id: SessionId,
        recorder: SessionRecorder,
        live: Arc<LiveCounts>,
    ) -> Option<Self> {
        let served = Arc::clone(&arrival.served);
        let side = served.http.as_ref()?;
        let settings = served.connection.http.clone()?;
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
        let marks = if settings.names_principal {
            marks(&arrival.principal, &id, arrival.run.as_ref())
        } else {
            Marks::default()
        };
        let outlet = HttpOutlet::new(served.target.clone(), settings, Arc::clone(&side.injector));
        let dialect = Arc::clone(&side.dialect);
        let books = Mutex::new(Books { recorder: Some(recorder), counts: SessionCounts::default() });
        Some(Self {
            id,
            environment: Arc::clone(&arrival.environment),
            principal: arrival.principal.clone(),
            source: arrival.source,
            meter: SessionMeter::of(arrival.run.as_ref(), &arrival.environment.registry),
            run: arrival.run.clone(),
            role,
            circumstance,
            dialect,
            outlet,
            marks,
            policies: arrival.served.policies.clone(),
            ended: CancellationToken::new(),
            relays: TaskTracker::new(),
            books,
            declining: Declining::default(),
            turns: Arc::default(),
            live,
            seen: Mutex::default(),
            served,
        })
    }

    /// The moment of a decision.
    pub(super) fn circumstances(&self) -> Circumstances {
        self.environment.circumstances(self.source, self.run.as_ref())
    }

    /// How the principal sees values by these policies.
    pub(super) fn sight(&self, policies: &PolicySet) -> Sight {
        let at = self.circumstances();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((by, sight)) = &*seen
            && by.is(policies)
        {
            // What would pass depends on the moment too.
            return Sight { permits: permits(&self.served, &self.principal, policies, at), ..sight.clone() };
        }
        let fresh = sight(&self.environment, &self.served, &self.principal, policies, at);
        *seen = Some((policies.clone(), fresh.clone()));
        fresh
    }

    /// Changes the counts, for whoever watches.
    pub(super) fn count(&self, change: impl FnOnce(&mut SessionCounts)) {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut books.counts);
        self.live.set(books.counts);
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

/// How the record keeps values: hidden from everybody.
pub(super) fn record_sight(sight: &Sight) -> Sight {
    Sight { detectors: Arc::clone(&sight.sensitive), places: Arc::clone(&sight.tagged), ..sight.clone() }
}

/// What the upstream is told for its own logs.
fn marks(principal: &Principal, id: &SessionId, run: Option<&RunId>) -> Marks {
    let mut headers = HeaderMap::new();
    let run = run.map(|run| ("hoop-run", run.as_str()));
    for (name, text) in
        [("hoop-session", id.as_str()), ("hoop-principal", principal.name.as_str())].into_iter().chain(run)
    {
        let plain: String = text.chars().map(|letter| if letter.is_ascii_graphic() { letter } else { '_' }).collect();
        if let Ok(value) = HeaderValue::try_from(plain) {
            headers.insert(name, value);
        }
    }
    Marks { headers }
}
