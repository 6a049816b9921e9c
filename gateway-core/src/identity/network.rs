//! Whom a limit counts as one: an address, or the whole network that one host of IPv6 has to itself; and how many of one
//! may be at something at once.
//!
//! Every limit on people who proved nothing yet counts by [`Network`]. Knows addresses, not people.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What counts as one stranger: an IPv4 address, or the /64 that a host of IPv6 chooses its addresses from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network(IpAddr);

impl Network {
    /// The network of an address. An IPv4 address that is written as IPv6 is the IPv4 address.
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::from([a, b, c, d, 0, 0, 0, 0])
            }
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

/// Places for so many at once, and so many of one network. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Places {
    taken: Arc<Mutex<Taken>>,
    most: usize,
    most_of_one: usize,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_network: BTreeMap<Network, usize>,
}

/// One that is taken; dropping it gives it back.
#[derive(Debug)]
pub struct Place {
    taken: Arc<Mutex<Taken>>,
    network: Option<Network>,
}

impl Places {
    /// That many in all, and that many of one network.
    pub fn new(most: usize, most_of_one: usize) -> Self {
        Self { taken: Arc::default(), most, most_of_one }
    }

    /// Takes one; `None` where there is none left. Who comes from nowhere known counts among all only.
    pub fn enter(&self, address: Option<IpAddr>) -> Option<Place> {
        let network = address.map(Network::of);
        let mut taken = lock(&self.taken);
        let own = network.and_then(|network| taken.by_network.get(&network).copied()).unwrap_or(0);
        if taken.all >= self.most || own >= self.most_of_one {
            return None;
        }
        taken.all += 1;
        if let Some(network) = network {
            taken.by_network.insert(network, own + 1);
        }
        drop(taken);
        Some(Place { taken: Arc::clone(&self.taken), network })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        taken.all = taken.all.saturating_sub(1);
        let Some(network) = self.network else { return };
        match taken.by_network.get_mut(&network) {
            Some(own) if *own > 1 => *own -= 1,
            Some(_) | None => drop(taken.by_network.remove(&network)),
        }
    }
}

fn lock(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str) -> Network {
        Network::of(address.parse().unwrap())
    }

    #[test]
    fn a_host_of_ipv6_is_its_whole_network_and_an_ipv4_address_is_itself_however_written() {
        assert_eq!(network("2001:db8:0:1::1"), network("2001:db8:0:1:ffff::2"));
        assert_ne!(network("2001:db8:0:1::1"), network("2001:db8:0:2::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("::ffff:192.0.2.1"), network("::ffff:192.0.2.2"));
    }

    #[test]
    fn one_network_cannot_take_every_place_and_a_place_is_given_back() {
        let places = Places::new(3, 2);
        let at = |address: &str| places.enter(Some(address.parse().unwrap()));
        let theirs = [at("2001:db8::1").unwrap(), at("2001:db8::2").unwrap()];
        assert!(at("2001:db8::3").is_none());
        let other = at("192.0.2.1").unwrap();
        assert!(places.enter(None).is_none(), "there are three in all");
        drop((theirs, other));
        assert!(lock(&places.taken).by_network.is_empty() && at("2001:db8::3").is_some());
    }
}
