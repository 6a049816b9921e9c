//! How many clients may stand in the door at once, and how often one network may fail to log in.
//!
//! Every count has a bound, and so has the memory of them. Knows addresses, not people.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::identity::{Network, Place, Places};

/// Logins that are under way, in all and of one network.
const MOST_IN_THE_DOOR: usize = 1024;
const MOST_OF_ONE: usize = 128;
/// Failed logins of one network in [`WINDOW`] after which it has to wait.
const MOST_FAILURES: u32 = 20;
const WINDOW: Duration = Duration::from_mins(1);
/// Networks whose failures are remembered.
const MOST_REMEMBERED: usize = 4096;

/// Who stands in the door, and who failed lately.
#[derive(Debug, Clone)]
pub(super) struct Crowd {
    door: Places,
    failures: Arc<Mutex<HashMap<Network, Failures>>>,
}

#[derive(Debug)]
struct Failures {
    since: Instant,
    count: u32,
}

impl Default for Crowd {
    fn default() -> Self {
        Self { door: Places::new(MOST_IN_THE_DOOR, MOST_OF_ONE), failures: Arc::default() }
    }
}

impl Crowd {
    /// Takes a place; `None` where there is no more.
    pub(super) fn enter(&self, address: IpAddr) -> Option<Place> {
        self.door.enter(Some(address))
    }

    /// Notes a failed login.
    pub(super) fn failed(&self, address: IpAddr, now: Instant) {
        let mut all = self.lock();
        if all.len() >= MOST_REMEMBERED {
            all.retain(|_, failures| now.duration_since(failures.since) < WINDOW);
            // FAIL-CLOSED would lock everybody out; a full table of attackers only loses its oldest facts.
            if all.len() >= MOST_REMEMBERED {
                all.clear();
            }
        }
        let failures = all.entry(Network::of(address)).or_insert(Failures { since: now, count: 0 });
        if now.duration_since(failures.since) >= WINDOW {
            *failures = Failures { since: now, count: 0 };
        }
        failures.count = failures.count.saturating_add(1);
    }

    /// Whether an address has to wait.
    pub(super) fn must_wait(&self, address: IpAddr, now: Instant) -> bool {
        self.lock()
            .get(&Network::of(address))
            .is_some_and(|failures| failures.count >= MOST_FAILURES && now.duration_since(failures.since) < WINDOW)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Network, Failures>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_fails_often_waits_and_others_do_not() {
        let (crowd, now) = (Crowd::default(), Instant::now());
        let (guesser, neighbour, other) =
            ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap(), "192.0.2.1".parse().unwrap());
        for _ in 0..MOST_FAILURES {
            assert!(!crowd.must_wait(guesser, now));
            crowd.failed(guesser, now);
        }
        assert!(crowd.must_wait(guesser, now) && crowd.must_wait(neighbour, now) && !crowd.must_wait(other, now));
        assert!(!crowd.must_wait(guesser, now + WINDOW));
        crowd.failed(guesser, now + WINDOW);
        assert!(!crowd.must_wait(guesser, now + WINDOW));
    }

    #[test]
    fn one_address_cannot_fill_the_door_and_a_place_is_given_back() {
        let crowd = Crowd::default();
        let (one, other) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let places: Vec<_> = (0..MOST_OF_ONE).map(|_| crowd.enter(one).unwrap()).collect();
        assert!(crowd.enter(one).is_none());
        assert!(crowd.enter(other).is_some());
        drop(places);
        assert!(crowd.enter(one).is_some());
    }

    #[test]
    fn the_memory_of_failures_is_bounded() {
        let (crowd, now) = (Crowd::default(), Instant::now());
        for number in 0..u32::try_from(MOST_REMEMBERED * 2).unwrap() {
            crowd.failed(IpAddr::from(number.to_be_bytes()), now);
        }
        assert!(crowd.lock().len() <= MOST_REMEMBERED);
    }
}
