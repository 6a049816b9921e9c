//! Device grants (RFC 8628) as a pure state machine: time and random codes are passed in.
//!
//! Bounded, in memory, gone with the process. Knows not how a person proves who they are: `Who` is what came of it.
//! Driven by the development provider and by the gateway's own device page.

use std::{collections::BTreeMap, net::IpAddr};

use super::network::Network;

/// How long a device grant stands.
pub(super) const GRANT_SECONDS: i64 = 600;
/// How long to wait between two polls, at first.
pub(super) const INTERVAL_SECONDS: i64 = 1;
/// SPEC: RFC 8628 §3.5, each `slow_down` adds five seconds.
const SLOWER_BY_SECONDS: i64 = 5;
/// Logins under way, from everybody together and from one network.
const MAX_GRANTS: usize = 1_000;
const MAX_GRANTS_FROM_ONE: usize = 100;

/// What a program asked for when it started a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) scopes: Vec<String>,
    /// Where the program is, as the gateway sees it.
    pub(super) from: Option<IpAddr>,
    /// The person must prove themselves anew, whatever the provider remembers.
    pub(super) anew: bool,
}

/// A login that a device started.
struct Grant<Who> {
    user_code: String,
    asked: Asked,
    expires_at: i64,
    interval: i64,
    polled_at: Option<i64>,
    outcome: Outcome<Who>,
}

enum Outcome<Who> {
    Pending,
    Approved { who: Who, at: i64 },
    Denied,
}

/// Who logged in, for which scopes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Approved<Who> {
    pub(super) who: Who,
    pub(super) scopes: Vec<String>,
    /// When the person said yes.
    pub(super) at: i64,
}

/// Why a poll or a refresh gives no token; the words of RFC 6749 and RFC 8628.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmet {
    /// Nobody decided yet.
    Pending,
    /// The poll came too early.
    SlowDown,
    /// Nobody decided in time.
    Expired,
    /// Somebody said no.
    Denied,
    /// There is no such code, or it was used.
    Invalid,
}

impl Unmet {
    /// The word that goes over the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::Expired => "expired_token",
            Self::Denied => "access_denied",
            Self::Invalid => "invalid_grant",
        }
    }
}

/// Logins under way, by device code.
pub(super) struct Grants<Who>(BTreeMap<String, Grant<Who>>);

impl<Who> Default for Grants<Who> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<Who> Grants<Who> {
    /// Starts a login; `false` when too many are under way.
    pub(super) fn begin(&mut self, device_code: String, user_code: String, asked: Asked, now: i64) -> bool {
        // A moment of grace, so that a late poll hears `expired_token`.
        self.0.retain(|_code, grant| now < grant.expires_at + GRANT_SECONDS);
        let network = asked.from.map(Network::of);
        let of_one = self.0.values().filter(|grant| grant.asked.from.map(Network::of) == network);
        let of_one = if network.is_some() { of_one.count() } else { 0 };
        let taken = self.0.values().any(|grant| grant.user_code == user_code);
        if self.0.len() >= MAX_GRANTS || of_one >= MAX_GRANTS_FROM_ONE || taken {
            return false;
        }
        let expires_at = now + GRANT_SECONDS;
        let outcome = Outcome::Pending;
        let grant = Grant { user_code, asked, expires_at, interval: INTERVAL_SECONDS, polled_at: None, outcome };
        self.0.insert(device_code, grant);
        true
    }

    /// What a login asked for that still waits for its person.
    pub(super) fn waiting(&self, user_code: &str, now: i64) -> Option<&Asked> {
        let mut waiting = self.0.values().filter(|grant| grant.waits(now));
        waiting.find(|grant| grant.user_code == user_code).map(|grant| &grant.asked)
    }

    /// Decides a waiting login: `Some(who)` approves it as them. `false` when none waits under this code.
    pub(super) fn decide(&mut self, user_code: &str, who: Option<Who>, now: i64) -> bool {
        let mut waiting = self.0.values_mut().filter(|grant| grant.waits(now));
        let Some(grant) = waiting.find(|grant| grant.user_code == user_code) else { return false };
        grant.outcome = who.map_or(Outcome::Denied, |who| Outcome::Approved { who, at: now });
        true
    }

    /// Answers a poll. An approved or denied login is answered once.
    pub(super) fn poll(&mut self, device_code: &str, now: i64) -> Result<Approved<Who>, Unmet> {
        let grant = self.0.get_mut(device_code).ok_or(Unmet::Invalid)?;
        if now >= grant.expires_at {
            return Err(Unmet::Expired);
        }
        let early = grant.polled_at.is_some_and(|at| now < at + grant.interval);
        grant.polled_at = Some(now);
        if early {
            grant.interval += SLOWER_BY_SECONDS;
            return Err(Unmet::SlowDown);
        }
        if matches!(grant.outcome, Outcome::Pending) {
            return Err(Unmet::Pending);
        }
        let grant = self.0.remove(device_code).ok_or(Unmet::Invalid)?;
        match grant.outcome {
            Outcome::Approved { who, at } => Ok(Approved { who, scopes: grant.asked.scopes, at }),
            Outcome::Denied | Outcome::Pending => Err(Unmet::Denied),
        }
    }
}

impl<Who> Grant<Who> {
    fn waits(&self, now: i64) -> bool {
        matches!(self.outcome, Outcome::Pending) && now < self.expires_at
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn asked(from: Option<IpAddr>) -> Asked {
        Asked { scopes: vec!["openid".into()], from, anew: false }
    }

    fn begun() -> Grants<&'static str> {
        let mut grants = Grants::default();
        assert!(grants.begin("device".into(), "BCDFGHJK".into(), asked(None), 0));
        grants
    }

    #[test]
    fn a_poll_waits_then_gives_the_login_once() {
        let mut grants = begun();
        assert_eq!(grants.poll("device", 1), Err(Unmet::Pending));
        assert!(grants.decide("BCDFGHJK", Some("bob"), 2));
        let login = grants.poll("device", 3).unwrap();
        assert_eq!((login.who, login.at), ("bob", 2), "when the person said yes");
        assert_eq!(grants.poll("device", 9), Err(Unmet::Invalid));
    }

    #[test]
    fn an_impatient_poll_slows_down_by_five_seconds_each_time() {
        let mut grants = begun();
        assert_eq!(grants.poll("device", 1), Err(Unmet::Pending));
        assert_eq!(grants.poll("device", 1), Err(Unmet::SlowDown));
        assert_eq!(grants.poll("device", 6), Err(Unmet::SlowDown));
        assert_eq!(grants.poll("device", 16), Err(Unmet::SlowDown));
        assert_eq!(grants.poll("device", 32), Err(Unmet::Pending));
    }

    #[test]
    fn a_denied_login_says_so() {
        let mut grants = begun();
        assert!(grants.decide("BCDFGHJK", None, 1));
        assert!(!grants.decide("BCDFGHJK", Some("bob"), 1), "a decision is final");
        assert_eq!(grants.poll("device", 2), Err(Unmet::Denied));
    }

    #[test]
    fn an_expired_login_cannot_be_approved_or_polled() {
        let mut grants = begun();
        assert!(!grants.decide("BCDFGHJK", Some("bob"), GRANT_SECONDS));
        assert_eq!(grants.poll("device", GRANT_SECONDS), Err(Unmet::Expired));
    }

    #[test]
    fn logins_under_way_are_bounded_and_no_single_address_takes_them_all() {
        let mut grants = Grants::<&str>::default();
        let mallory = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        for number in 0..MAX_GRANTS_FROM_ONE {
            assert!(grants.begin(format!("m{number}"), format!("m{number}"), asked(mallory), 0));
        }
        assert!(!grants.begin("m".into(), "m".into(), asked(mallory), 0));
        let at = |host: usize| Some(IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, u16::try_from(host).unwrap()]));
        let mut others = Grants::<&str>::default();
        for host in 0..MAX_GRANTS_FROM_ONE {
            assert!(others.begin(format!("m{host}"), format!("m{host}"), asked(at(host)), 0));
        }
        let next = asked(at(MAX_GRANTS_FROM_ONE));
        assert!(!others.begin("m".into(), "m".into(), next, 0), "one host has a whole network of IPv6");
        for number in MAX_GRANTS_FROM_ONE..MAX_GRANTS {
            assert!(grants.begin(format!("d{number}"), format!("u{number}"), asked(None), 0));
        }
        assert!(!grants.begin("one more".into(), "u".into(), asked(None), 0));
        assert!(grants.begin("later".into(), "u".into(), asked(None), 2 * GRANT_SECONDS));
    }
}
