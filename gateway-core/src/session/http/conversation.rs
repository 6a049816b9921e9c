//! What the requests of one session share beside the session itself: the way to the upstream, how values are seen.

use std::{
    ops::Deref,
    sync::{Arc, Mutex, PoisonError},
};

use http::{HeaderMap, HeaderValue};

use super::{
    decline::Declining,
    intake::Turns,
    sight::{permits, sight},
};
use crate::{
    model::{OperationNumber, Principal, Refusal, RefusalKind, RunId, SessionId},
    policy::PolicySet,
    protocol::http::dialect::{Dialect, Note, Sight},
    record::Event,
    session::{open::Arrival, registry::Membership, shared::SharedSession},
    upstream::{HttpOutlet, Marks},
};

/// One session.
#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) session: Arc<SharedSession>,
    pub(super) dialect: Arc<dyn Dialect>,
    pub(super) outlet: HttpOutlet,
    pub(super) marks: Marks,
    /// Room for what the gateway itself says to the upstream.
    pub(super) declining: Declining,
    /// Whose turn it is on the client's stream.
    pub(super) turns: Arc<Turns>,
    /// How values are seen by the policies that were in force last: the same for every request.
    seen: Mutex<Option<(PolicySet, Sight)>>,
}

impl Deref for Conversation {
    type Target = SharedSession;

    fn deref(&self) -> &SharedSession {
        &self.session
    }
}

impl Conversation {
    /// Opens a session, before anything is dialled.
    pub(super) async fn open(arrival: &Arrival) -> Result<(Arc<Self>, Membership), Box<Refusal>> {
        let refusal = |kind, message, hint| Box::new(Refusal { kind, rule: None, message, hint });
        let served = &arrival.served;
        let (Some(side), Some(settings)) = (&served.http, &served.connection.http) else {
            let message = format!("kind {} is not served by this version of the gateway", served.facts.kind.as_str());
            return Err(refusal(RefusalKind::Unsupported, message, None));
        };
        let (session, membership) = SharedSession::open(arrival).await.map_err(|message| {
            let hint = Some("Tell the gateway's operator.".to_owned());
            refusal(RefusalKind::Unrecorded, message, hint)
        })?;
        let marks = if settings.names_principal {
            marks(&arrival.principal, &session.id, arrival.run.as_ref())
        } else {
            Marks::default()
        };
        let conversation = Self {
            session,
            dialect: Arc::clone(&side.dialect),
            outlet: HttpOutlet::new(served.target.clone(), settings.clone(), Arc::clone(&side.injector)),
            marks,
            declining: Declining::default(),
            turns: Arc::default(),
            seen: Mutex::default(),
        };
        Ok((Arc::new(conversation), membership))
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

    /// Records what was said around an operation.
    pub(super) fn note(&self, number: OperationNumber, notes: &[Note]) -> Result<(), Refusal> {
        for note in notes {
            let text = self.environment.sealed(&note.text, &note.seals);
            self.append(&Event::Noted { number, kind: note.kind, text: &text, facts: &note.facts })?;
        }
        Ok(())
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
