//! How many clients may stand in the door at once, and how often one address may fail to log in.
//!
//! Every count has a bound, and so has the memory of them. Knows addresses, not people.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Logins that are under way, in all and of one address.
const MOST_IN_THE_DOOR: usize = 1024;
const MOST_OF_ONE_ADDRESS: usize = 128;
/// Failed logins of one address in [`WINDOW`] after which it has to wait.
const MOST_FAILURES: u32 = 20;
const WINDOW: Duration = Duration::from_mins(1);
/// Addresses whose failures are remembered.
const MOST_REMEMBERED: usize = 4096;

/// Who stands in the door, and who failed lately.
#[derive(Debug, Clone, Default)]
pub(super) struct Crowd(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    in_the_door: usize,
    by_address: HashMap<IpAddr, usize>,
    failures: HashMap<IpAddr, Failures>,
}

#[derive(Debug)]
struct Failures {
    since: Instant,
    count: u32,
}

/// A place in the door; dropping it gives it up.
#[derive(Debug)]
pub(super) struct Place {
    crowd: Crowd,
    address: IpAddr,
}

impl Crowd {
    /// Takes a place; `None` where there is no more.
    pub(super) fn enter(&self, address: IpAddr) -> Option<Place> {
        let address = network(address);
        let mut counts = self.lock();
        let own = counts.by_address.get(&address).copied().unwrap_or(0);
        if counts.in_the_door >= MOST_IN_THE_DOOR || own >= MOST_OF_ONE_ADDRESS {
            return None;
        }
        counts.in_the_door += 1;
        counts.by_address.insert(address, own + 1);
        drop(counts);
        Some(Place { crowd: self.clone(), address })
    }

    /// Notes a failed login.
    pub(super) fn failed(&self, address: IpAddr, now: Instant) {
        let mut counts = self.lock();
        if counts.failures.len() >= MOST_REMEMBERED {
            counts.failures.retain(|_, failures| now.duration_since(failures.since) < WINDOW);
            // FAIL-CLOSED would lock everybody out; a full table of attackers only loses its oldest facts.
            if counts.failures.len() >= MOST_REMEMBERED {
                counts.failures.clear();
            }
        }
        let failures = counts.failures.entry(network(address)).or_insert(Failures { since: now, count: 0 });
        if now.duration_since(failures.since) >= WINDOW {
            *failures = Failures { since: now, count: 0 };
        }
        failures.count = failures.count.saturating_add(1);
    }

    /// Whether an address has to wait.
    pub(super) fn must_wait(&self, address: IpAddr, now: Instant) -> bool {
        self.lock()
            .failures
            .get(&network(address))
            .is_some_and(|failures| failures.count >= MOST_FAILURES && now.duration_since(failures.since) < WINDOW)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.crowd.lock();
        counts.in_the_door = counts.in_the_door.saturating_sub(1);
        let own = counts.by_address.get(&self.address).copied().unwrap_or(0);
        if own <= 1 {
            counts.by_address.remove(&self.address);
        } else {
            counts.by_address.insert(self.address, own - 1);
        }
    }
}

/// An IPv6 host owns its whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 @ IpAddr::V4(_) => v4,
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
        let places: Vec<_> = (0..MOST_OF_ONE_ADDRESS).map(|_| crowd.enter(one).unwrap()).collect();
        assert!(crowd.enter(one).is_none());
        assert!(crowd.enter(other).is_some());
        drop(places);
        assert!(crowd.enter(one).is_some());
        assert!(crowd.lock().by_address.is_empty());
    }

    #[test]
    fn the_memory_of_failures_is_bounded() {
        let (crowd, now) = (Crowd::default(), Instant::now());
        for number in 0..u32::try_from(MOST_REMEMBERED * 2).unwrap() {
            crowd.failed(IpAddr::from(number.to_be_bytes()), now);
        }
        assert!(crowd.lock().failures.len() <= MOST_REMEMBERED);
    }
}
