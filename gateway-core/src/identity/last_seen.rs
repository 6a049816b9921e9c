//! What the identity provider last said of each principal: groups change, and what was said earlier counts no more.
//!
//! Kept in memory, bounded; noted at each exchange of a token. Somebody who is forgotten counts as they came.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::model::{Principal, PrincipalKind, PrincipalName};

/// The most principals that are kept; who was seen least lately goes first.
const MOST: usize = 10_000;

/// The principals that logged in, as they were then. Cheap to clone.
#[derive(Clone, Default)]
pub struct LastSeen(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    moment: u64,
    people: BTreeMap<(bool, PrincipalName), (u64, Principal)>,
}

impl fmt::Debug for LastSeen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LastSeen")
    }
}

impl LastSeen {
    /// Notes what was said of somebody now.
    pub fn note(&self, principal: &Principal) {
        let mut seen = self.lock();
        seen.moment += 1;
        let moment = seen.moment;
        seen.people.insert(key(principal), (moment, principal.clone()));
        if seen.people.len() > MOST
            && let Some(oldest) = seen.people.iter().min_by_key(|(_, (moment, _))| *moment).map(|(key, _)| key.clone())
        {
            seen.people.remove(&oldest);
        }
    }

    /// Somebody as they were last seen; as given where they were not.
    pub fn of(&self, principal: &Principal) -> Principal {
        self.lock().people.get(&key(principal)).map_or_else(|| principal.clone(), |(_, seen)| seen.clone())
    }

    /// Everybody, as they were last seen.
    pub fn everybody(&self) -> Vec<Principal> {
        self.lock().people.values().map(|(_, seen)| seen.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(principal: &Principal) -> (bool, PrincipalName) {
    (principal.kind == PrincipalKind::Agent, principal.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::testing::{agent, person};

    #[test]
    fn the_last_word_counts_and_an_agent_is_nobody_else() {
        let seen = LastSeen::default();
        let bob = person("bob", &["dba"]);
        assert_eq!(seen.of(&bob), bob);
        seen.note(&bob);
        seen.note(&person("bob", &[]));
        assert!(seen.of(&bob).groups.is_empty());
        assert_eq!(seen.of(&agent("bob", "alice", &["dba"])).groups.len(), 1);
        assert_eq!(seen.everybody().len(), 1);
    }

    #[test]
    fn who_was_seen_least_lately_is_forgotten() {
        let seen = LastSeen::default();
        for number in 0..=MOST {
            seen.note(&person(&format!("person-{number}"), &[]));
        }
        assert_eq!(seen.everybody().len(), MOST);
        assert!(!seen.of(&person("person-0", &["dba"])).groups.is_empty(), "as given");
        assert!(seen.of(&person("person-1", &["dba"])).groups.is_empty(), "as seen");
    }
}
