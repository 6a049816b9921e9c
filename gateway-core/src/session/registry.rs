//! Live sessions, so that they can be watched, cancelled and ended. Keys of cancel requests are looked up by who asks.
//!
//! An end is a state of its own beside the queue of signals: nothing that waits there can keep it out.

mod counts;
mod logouts;
mod runs;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use aws_lc_rs::constant_time;
use tokio::sync::{mpsc, watch};

pub(super) use self::counts::LiveCounts;
pub use self::{
    logouts::{Logouts, logged_out},
    runs::{OpenRun, RunError},
};
use super::provenance::Provenance;
use crate::{
    model::{ConnectionName, Principal, PrincipalName, RunId, SessionId},
    policy::Source,
    protocol::postgres::message::CancelKey,
    store::{SessionCounts, SessionEntry},
};

/// What a live session is told from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// The client asked, on another stream, to cancel what runs.
    Cancel,
}

/// Why a live session has to end now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Somebody who may ended it.
    Killed {
        /// Who.
        by: PrincipalName,
        /// Why, where it was said.
        reason: Option<String>,
    },
    /// The login behind it was ended.
    LoggedOut,
    /// The run that it belongs to ended.
    RunEnded,
    /// The site changed, and with it what this session rests on.
    SiteChanged {
        /// What changed.
        why: String,
    },
    /// The session that it came through ended, or may not lead there any more.
    Outer {
        /// Why.
        why: String,
    },
    /// The gateway stops.
    Stopped,
}

#[derive(Debug)]
struct Live {
    entry: Arc<SessionEntry>,
    source: Source,
    process_id: u32,
    key: CancelKey,
    counts: Arc<LiveCounts>,
    signals: mpsc::Sender<Signal>,
    end: watch::Sender<Option<End>>,
    retired: watch::Receiver<Option<End>>,
}

impl Live {
    fn has(&self, process_id: u32, key: &CancelKey) -> bool {
        self.process_id == process_id
            && constant_time::verify_slices_are_equal(self.key.as_bytes(), key.as_bytes()).is_ok()
    }

    fn is_of(&self, principal: &Principal) -> bool {
        self.entry.principal.is(principal)
    }

    fn connection(&self) -> &ConnectionName {
        &self.entry.connection.name
    }

    /// The first reason stands.
    fn end(&self, end: End) {
        self.end.send_if_modified(|reason| {
            let first = reason.is_none();
            reason.get_or_insert(end);
            first
        });
    }
}

/// What a session is entered with: what the index knows of it, and the key that cancels what it runs.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) known: Arc<SessionEntry>,
    pub(super) source: Source,
    pub(super) process_id: u32,
    pub(super) key: CancelKey,
    /// When its principal proved who they are, at the latest.
    pub(super) proved_at: Instant,
    /// Turns to a reason when its connection is taken out of service.
    pub(super) retired: watch::Receiver<Option<End>>,
    /// Turns to a reason when the session that it came through may not go on.
    pub(super) outer: Option<watch::Receiver<Option<End>>>,
}

/// The live sessions of a gateway.
#[derive(Debug, Clone, Default)]
pub struct Registry(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    live: Mutex<HashMap<SessionId, Live>>,
    runs: Mutex<HashMap<RunId, runs::LiveRun>>,
    provenance: Provenance,
    stopped: watch::Sender<bool>,
    logouts: watch::Sender<Logouts>,
}

/// A session's place in the registry; dropping it takes the session out.
#[derive(Debug)]
pub struct Membership {
    registry: Registry,
    id: SessionId,
    /// What the session is told.
    pub signals: mpsc::Receiver<Signal>,
    /// Why it has to end, once it has to.
    pub end: watch::Receiver<Option<End>>,
    /// Where it says what it counted.
    pub(super) counts: Arc<LiveCounts>,
}

impl Registry {
    /// What models answered in the runs that are live.
    pub(super) fn provenance(&self) -> &Provenance {
        &self.0.provenance
    }

    /// Enters a session.
    pub(super) fn enter(&self, entry: Entry) -> Membership {
        let (sender, signals) = mpsc::channel(4);
        let (ender, end) = watch::channel(self.has_stopped().then_some(End::Stopped));
        let Entry { known, source, process_id, key, proved_at, retired, outer } = entry;
        let (id, counts) = (known.id.clone(), Arc::<LiveCounts>::default());
        let live = Live {
            entry: known,
            source,
            process_id,
            key,
            counts: Arc::clone(&counts),
            signals: sender,
            end: ender,
            retired,
        };
        let gone = live.retired.clone();
        let (run, principal) = (live.entry.run.clone(), live.entry.principal.clone());
        self.lock().insert(id.clone(), live);
        // A run that ended while this session was on its way in found it not yet here.
        if let Some(run) = run.filter(|run| !self.is_running(run)) {
            self.end_sessions_of(&run);
        }
        // So does a logout, and a connection that was taken out of service.
        let logged_out = self.is_logged_out(&principal, proved_at).then_some(End::LoggedOut);
        let outside = || outer.and_then(|outer| outer.borrow().clone());
        let closed = logged_out.or_else(|| gone.borrow().clone()).or_else(outside);
        if let (Some(closed), Some(live)) = (closed, self.lock().get(&id)) {
            live.end(closed);
        }
        Membership { registry: self.clone(), id, signals, end, counts }
    }

    /// Passes a cancel request on, where the same principal holds a session of this connection with this key.
    /// Answers nothing either way, as the protocol demands.
    pub(super) fn cancel(&self, principal: &Principal, connection: &ConnectionName, process_id: u32, key: &CancelKey) {
        let live = self.lock();
        let found = live
            .values()
            .find(|live| live.has(process_id, key) && live.connection() == connection && live.is_of(principal));
        if let Some(found) = found {
            // A full queue means that a signal is on its way already.
            found.signals.try_send(Signal::Cancel).ok();
        }
    }

    /// Passes on a cancel request that came to a native listener, where nobody says who asks: the key alone must do, and
    /// only for a native session of a connection of that listener.
    pub fn cancel_native(&self, connections: &[ConnectionName], process_id: u32, key: &CancelKey) {
        let live = self.lock();
        let found = live.values().find(|live| {
            live.source == Source::Native && live.has(process_id, key) && connections.contains(live.connection())
        });
        if let Some(found) = found {
            // A full queue means that a signal is on its way already.
            found.signals.try_send(Signal::Cancel).ok();
        }
    }

    /// Ends the sessions of a principal who logged out, and of agents to whom they lent their presence; whoever is still
    /// on the way in learns it by [`Registry::logouts`], or finds no way in.
    pub fn log_out(&self, principal: &Principal) {
        // First, so that who enters behind the loop below sees it.
        self.note_logout(principal);
        let live = self.lock();
        let theirs = |live: &&Live| live.entry.principal.everyone().any(|one| one.is(principal));
        for live in live.values().filter(theirs) {
            live.end(End::LoggedOut);
        }
    }

    /// Ends a live session; false when there is none.
    pub fn kill(&self, id: &SessionId, by: &PrincipalName, reason: Option<String>) -> bool {
        let live = self.lock();
        let Some(live) = live.get(id) else { return false };
        live.end(End::Killed { by: by.clone(), reason });
        true
    }

    /// Ends a live session, where there is one.
    pub(super) fn end(&self, id: &SessionId, end: End) {
        if let Some(live) = self.lock().get(id) {
            live.end(end);
        }
    }

    /// Ends the sessions of connections that were taken out of service, and says how many.
    pub fn end_retired(&self) -> usize {
        let live = self.lock();
        let gone = live.values().filter_map(|live| Some((live, live.retired.borrow().clone()?)));
        gone.map(|(live, end)| live.end(end)).count()
    }

    /// Ends every live session, and every one that comes: the gateway stops.
    pub fn stop(&self) {
        self.0.stopped.send_replace(true);
        for live in self.lock().values() {
            live.end(End::Stopped);
        }
    }

    /// Turns true once, when the gateway stops.
    pub fn stopped(&self) -> watch::Receiver<bool> {
        self.0.stopped.subscribe()
    }

    /// Whether a session is live.
    pub fn is_live(&self, id: &SessionId) -> bool {
        self.lock().contains_key(id)
    }

    /// What a live session counted so far; the index learns it when it ends.
    pub fn counts(&self, id: &SessionId) -> Option<SessionCounts> {
        self.lock().get(id).map(|live| live.counts.read())
    }

    /// The live sessions whose counts changed since `seen`, which is brought up to date.
    pub fn changed_since(
        &self,
        seen: &mut HashMap<SessionId, SessionCounts>,
    ) -> Vec<(Arc<SessionEntry>, SessionCounts)> {
        let live = self.lock();
        seen.retain(|id, _| live.contains_key(id));
        let mut changed = Vec::new();
        for (id, live) in &*live {
            let counts = live.counts.read();
            let before = seen.get(id).copied().unwrap_or_default();
            if before != counts {
                seen.insert(id.clone(), counts);
                changed.push((Arc::clone(&live.entry), counts));
            }
        }
        changed
    }

    /// How many sessions are live.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether no session is live.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn has_stopped(&self) -> bool {
        *self.0.stopped.borrow()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<SessionId, Live>> {
        self.0.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Membership {
    /// Takes the number that the client is told, once it is known: cancel requests name it.
    pub(super) fn announce(&self, process_id: u32) {
        if let Some(live) = self.registry.lock().get_mut(&self.id) {
            live.process_id = process_id;
        }
    }
}

#[cfg(test)]
impl Membership {
    /// Counts, as a relay does.
    pub(crate) fn count(&self, counts: SessionCounts) {
        self.counts.set(counts);
    }
}

/// Waits until a session has to end. Cancel-safe.
pub(super) async fn told(end: &mut watch::Receiver<Option<End>>) -> End {
    match end.wait_for(Option::is_some).await.map(|end| end.clone()) {
        Ok(Some(end)) => end,
        // Out of the registry: the relay has ended by itself, and says so.
        Ok(None) | Err(_) => std::future::pending().await,
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.registry.lock().remove(&self.id);
    }
}

#[cfg(test)]
impl Registry {
    /// A session that lives without a relay, for tests of those who watch and end it.
    pub(crate) fn pretend(&self, entry: SessionEntry) -> Membership {
        let key = CancelKey::new(bytes::Bytes::from_static(&[7; 32])).unwrap();
        let retired = watch::Sender::new(None).subscribe();
        let (source, proved_at) = (Source::Tunnel, Instant::now());
        self.enter(Entry { known: Arc::new(entry), source, process_id: 7, key, proved_at, retired, outer: None })
    }
}

#[cfg(test)]
mod tests;
