//! Live sessions, so that they can be cancelled and ended. Keys of cancel requests are looked up by who asks.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::constant_time;
use tokio::sync::mpsc;

use crate::{
    model::{ConnectionName, Principal, SessionId},
    policy::Source,
    protocol::postgres::message::CancelKey,
};

/// What a live session is told from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// The client asked, on another stream, to cancel what runs.
    Cancel,
    /// End now.
    Kill,
    /// The login behind it was ended.
    LoggedOut,
}

#[derive(Debug)]
struct Live {
    principal: Principal,
    connection: ConnectionName,
    source: Source,
    process_id: u32,
    key: CancelKey,
    signals: mpsc::Sender<Signal>,
}

impl Live {
    fn has(&self, process_id: u32, key: &CancelKey) -> bool {
        self.process_id == process_id
            && constant_time::verify_slices_are_equal(self.key.as_bytes(), key.as_bytes()).is_ok()
    }
}

/// What a session is entered with: whose it is, and the key that cancels what it runs.
#[derive(Debug)]
pub(super) struct Entry<'session> {
    pub(super) principal: &'session Principal,
    pub(super) connection: &'session ConnectionName,
    pub(super) source: Source,
    pub(super) process_id: u32,
    pub(super) key: CancelKey,
}

/// The live sessions of a gateway.
#[derive(Debug, Clone, Default)]
pub struct Registry(Arc<Mutex<HashMap<SessionId, Live>>>);

/// A session's place in the registry; dropping it takes the session out.
#[derive(Debug)]
pub struct Membership {
    registry: Registry,
    id: SessionId,
    /// What the session is told.
    pub signals: mpsc::Receiver<Signal>,
}

impl Registry {
    /// Enters a session.
    pub(super) fn enter(&self, id: &SessionId, entry: Entry<'_>) -> Membership {
        let (sender, signals) = mpsc::channel(4);
        let Entry { principal, connection, source, process_id, key } = entry;
        let (principal, connection) = (principal.clone(), connection.clone());
        let live = Live { principal, connection, source, process_id, key, signals: sender };
        self.lock().insert(id.clone(), live);
        Membership { registry: self.clone(), id: id.clone(), signals }
    }

    /// Passes a cancel request on, where the same principal holds a session of this connection with this key.
    /// Answers nothing either way, as the protocol demands.
    pub(super) fn cancel(&self, principal: &Principal, connection: &ConnectionName, process_id: u32, key: &CancelKey) {
        let live = self.lock();
        let found = live.values().find(|live| {
            live.has(process_id, key)
                && live.connection == *connection
                && live.principal.kind == principal.kind
                && live.principal.name == principal.name
        });
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
            live.source == Source::Native && live.has(process_id, key) && connections.contains(&live.connection)
        });
        if let Some(found) = found {
            // A full queue means that a signal is on its way already.
            found.signals.try_send(Signal::Cancel).ok();
        }
    }

    /// Ends the native sessions of a principal who logged out. Those of tunnels end with their link.
    pub fn log_out(&self, principal: &Principal) {
        let live = self.lock();
        let same = |live: &&Live| {
            live.source == Source::Native
                && live.principal.kind == principal.kind
                && live.principal.name == principal.name
        };
        for live in live.values().filter(same) {
            // A full queue means that a signal is on its way already.
            live.signals.try_send(Signal::LoggedOut).ok();
        }
    }

    /// Ends a live session; false when there is none.
    pub fn kill(&self, id: &SessionId) -> bool {
        self.lock().get(id).is_some_and(|live| live.signals.try_send(Signal::Kill).is_ok())
    }

    /// Ends every live session: the gateway stops.
    pub fn kill_all(&self) {
        for live in self.lock().values() {
            // A full queue means that a signal is on its way already.
            live.signals.try_send(Signal::Kill).ok();
        }
    }

    /// How many sessions are live.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether no session is live.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<SessionId, Live>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.registry.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::model::{PrincipalKind, PrincipalName};

    fn person(name: &str) -> Principal {
        Principal {
            kind: PrincipalKind::User,
            name: PrincipalName::new(name).unwrap(),
            groups: BTreeSet::new(),
            claims: BTreeMap::new(),
            owner: None,
        }
    }

    fn key(byte: u8) -> CancelKey {
        CancelKey::new(bytes::Bytes::from(vec![byte; 32])).unwrap()
    }

    fn entry<'session>(who: &'session Principal, to: &'session ConnectionName, source: Source) -> Entry<'session> {
        Entry { principal: who, connection: to, source, process_id: 7, key: key(9) }
    }

    #[test]
    fn a_native_cancel_needs_the_key_and_a_connection_of_that_listener() {
        let registry = Registry::default();
        let id = SessionId::new(1, [1; 10]);
        let (prod, other) = (ConnectionName::new("pg-prod").unwrap(), ConnectionName::new("pg-dev").unwrap());
        let mut member = registry.enter(&id, entry(&person("alice"), &prod, Source::Native));
        registry.cancel_native(&[other], 7, &key(9));
        registry.cancel_native(std::slice::from_ref(&prod), 8, &key(9));
        registry.cancel_native(std::slice::from_ref(&prod), 7, &key(8));
        assert!(member.signals.try_recv().is_err());
        registry.cancel_native(std::slice::from_ref(&prod), 7, &key(9));
        assert_eq!(member.signals.try_recv(), Ok(Signal::Cancel));
    }

    #[test]
    fn only_the_same_principal_on_the_same_connection_cancels() {
        let registry = Registry::default();
        let id = SessionId::new(1, [1; 10]);
        let (prod, other) = (ConnectionName::new("pg-prod").unwrap(), ConnectionName::new("pg-dev").unwrap());
        let mut member = registry.enter(&id, entry(&person("alice"), &prod, Source::Tunnel));
        registry.cancel(&person("bob"), &prod, 7, &key(9));
        registry.cancel(&person("alice"), &other, 7, &key(9));
        registry.cancel(&person("alice"), &prod, 7, &key(8));
        registry.cancel_native(&[prod.clone(), other], 7, &key(9));
        assert!(member.signals.try_recv().is_err());
        registry.cancel(&person("alice"), &prod, 7, &key(9));
        assert_eq!(member.signals.try_recv(), Ok(Signal::Cancel));
        drop(member);
        assert!(registry.is_empty());
    }
}
