//! Whose session of a server is whose: an id that a server gave one principal is good for nobody else. Bounded; the
//! oldest are forgotten, and a client whose id is not known begins anew, as the protocol has it for ended sessions.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

/// Sessions of one connection that are remembered.
const MOST_SESSIONS: usize = 4_096;
/// The longest id.
const LONGEST_ID: usize = 256;

/// The sessions of one connection.
#[derive(Debug, Default)]
pub(super) struct ServerSessions(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    owners: BTreeMap<String, Arc<str>>,
    order: VecDeque<String>,
}

impl ServerSessions {
    /// A server gave this id to `who`. False where it is no id that is taken, or is somebody else's already.
    pub(super) fn opened(&self, id: &[u8], who: &Arc<str>) -> bool {
        let Some(id) = plain(id) else { return false };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(owner) = known.owners.get(id) {
            return owner == who;
        }
        known.owners.insert(id.to_owned(), Arc::clone(who));
        known.order.push_back(id.to_owned());
        if known.order.len() > MOST_SESSIONS
            && let Some(oldest) = known.order.pop_front()
        {
            known.owners.remove(&oldest);
        }
        true
    }

    /// Whether this id was given to `who`.
    pub(super) fn is_of(&self, id: &[u8], who: &str) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        plain(id).and_then(|id| known.owners.get(id)).is_some_and(|owner| **owner == *who)
    }
}

/// SPEC: MCP, transports: an id holds visible ASCII only.
fn plain(id: &[u8]) -> Option<&str> {
    let id = std::str::from_utf8(id).ok()?;
    let fits = (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_of_whom_it_was_given_to() {
        let sessions = ServerSessions::default();
        let (ada, eve): (Arc<str>, Arc<str>) = (Arc::from("user ada"), Arc::from("user eve"));
        assert!(sessions.opened(b"s-1", &ada) && sessions.opened(b"s-1", &ada));
        assert!(sessions.is_of(b"s-1", &ada) && !sessions.is_of(b"s-1", &eve) && !sessions.is_of(b"s-2", &ada));
        assert!(!sessions.opened(b"s-1", &eve) && !sessions.opened(b"a b", &eve) && !sessions.opened(b"", &eve));
        for number in 0..MOST_SESSIONS {
            assert!(sessions.opened(format!("n-{number}").as_bytes(), &eve));
        }
        assert!(!sessions.is_of(b"s-1", &ada), "the oldest is forgotten");
    }
}
