//! What the requests of one session share: who asks, the record, the way to the upstream, how values are seen.

use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, HeaderValue};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    approval::Binding,
    mask::MaskFunction,
    model::{Operation, Principal, RunId, SessionId, Verdict},
    policy::{Circumstances, PolicySet, Reveal, Source},
    protocol::http::dialect::{Dialect, MaskedPlace, Sight},
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
    live: Arc<LiveCounts>,
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
        let outlet = HttpOutlet::new(served.target.clone(), settings, Arc::clone(&side.injector));
        let dialect = Arc::clone(&side.dialect);
        let marks = marks(&arrival.principal, &id, arrival.run.as_ref());
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
            policies: arrival.environment.policies.clone(),
            ended: CancellationToken::new(),
            relays: TaskTracker::new(),
            books,
            live,
            served,
        })
    }

    /// The moment of a decision.
    pub(super) fn circumstances(&self) -> Circumstances {
        self.environment.circumstances(self.source, self.run.as_ref())
    }

    /// How the principal sees values by these policies.
    pub(super) fn sight(&self, policies: &PolicySet) -> Sight {
        let (environment, to) = (&self.environment, &self.served.facts);
        let mut detectors = environment.detectors.idle();
        for class in environment.detectors.classes() {
            if let Reveal::Masked { function, .. } = policies.reveal(&self.principal, to, class.as_str()) {
                detectors = detectors.with(class, function);
            }
        }
        let veil = |tag: &str| match policies.reveal(&self.principal, to, tag) {
            Reveal::Masked { function, .. } => Some(function),
            Reveal::Clear => None,
        };
        let (deciding, who, on, at) = (policies.clone(), self.principal.clone(), to.clone(), self.circumstances());
        let permits = move |operation: &Operation| match deciding.weigh(&who, &on, operation, &at) {
            Verdict::Permit { .. } | Verdict::NeedsApproval(_) => true,
            Verdict::Refuse(_) => false,
        };
        Sight {
            detectors: Arc::new(detectors),
            sensitive: Arc::new(environment.detectors.clone()),
            places: self.places(veil),
            tagged: self.places(|_| Some(MaskFunction::Redact)),
            permits: Arc::new(permits),
        }
    }

    /// The places in bodies that `masking.toml` tags, as far as `veil` hides them.
    fn places(&self, veil: impl Fn(&str) -> Option<MaskFunction>) -> Arc<[MaskedPlace]> {
        let rules = self.environment.masking.columns.iter().filter(|rule| rule.connection.selects(&self.served.facts));
        let mut places = Vec::new();
        for rule in rules {
            let Some(function) = veil(&rule.tag) else { continue };
            let paths = rule.columns.iter().filter_map(crate::config::ColumnPattern::body_path);
            places.extend(paths.map(|path| MaskedPlace { path, class: Arc::from(rule.tag.as_str()), function }));
        }
        places.into()
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
