//! Device grants (RFC 8628) and refresh tokens as a pure state machine: time and random codes are passed in.
//!
//! Bounded, in memory, gone with the process. Driven by `routes`.

use std::collections::BTreeMap;

/// How long a device grant stands.
pub(super) const GRANT_SECONDS: i64 = 600;
/// How long to wait between two polls, at first.
pub(super) const INTERVAL_SECONDS: i64 = 1;
/// SPEC: RFC 8628 §3.5, each `slow_down` adds five seconds.
const SLOWER_BY_SECONDS: i64 = 5;
const MAX_GRANTS: usize = 100;
const MAX_REFRESHES: usize = 1_000;
const REFRESH_SECONDS: i64 = 8 * 3_600;

/// Consonants only: nothing to misread, no words by accident.
pub(super) const USER_CODE_ALPHABET: &[u8] = b"BCDFGHJKLMNPQRSTVWXZ";
pub(super) const USER_CODE_LENGTH: usize = 8;

/// A login that a device started.
struct Grant {
    user_code: String,
    scopes: Vec<String>,
    expires_at: i64,
    interval: i64,
    polled_at: Option<i64>,
    outcome: Outcome,
}

#[derive(Clone, PartialEq, Eq)]
enum Outcome {
    Pending,
    Approved { user: String, at: i64 },
    Denied,
}

/// Of one login: replaced at every use; using an old one ends the whole family.
struct Refresh {
    family: u64,
    user: String,
    scopes: Vec<String>,
    authenticated_at: i64,
    expires_at: i64,
    used: bool,
}

/// Who logged in, for which scopes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) scopes: Vec<String>,
    /// When the person showed the secret; a refresh does not change it.
    pub(super) authenticated_at: i64,
    pub(super) family: u64,
}

/// Why a poll or a refresh gives no token; the words of RFC 6749 and RFC 8628.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unmet {
    Pending,
    SlowDown,
    Expired,
    Denied,
    Invalid,
}

impl Unmet {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Pending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::Expired => "expired_token",
            Self::Denied => "access_denied",
            Self::Invalid => "invalid_grant",
        }
    }
}

#[derive(Default)]
pub(super) struct Grants {
    /// Logins under way, by device code.
    pending: BTreeMap<String, Grant>,
    /// By refresh token.
    refreshes: BTreeMap<String, Refresh>,
    families: u64,
}

impl Grants {
    /// Starts a login; `false` when too many are under way.
    pub(super) fn begin(&mut self, device_code: String, user_code: String, scopes: Vec<String>, now: i64) -> bool {
        // A moment of grace, so that a late poll hears `expired_token`.
        self.pending.retain(|_code, grant| now < grant.expires_at + GRANT_SECONDS);
        if self.pending.len() >= MAX_GRANTS || self.pending.values().any(|grant| grant.user_code == user_code) {
            return false;
        }
        let expires_at = now + GRANT_SECONDS;
        let outcome = Outcome::Pending;
        let grant = Grant { user_code, scopes, expires_at, interval: INTERVAL_SECONDS, polled_at: None, outcome };
        self.pending.insert(device_code, grant);
        true
    }

    /// The scopes of a login that still waits for its user.
    pub(super) fn waiting(&self, user_code: &str, now: i64) -> Option<&[String]> {
        let mut waiting = self.pending.values().filter(|grant| grant.waits(now));
        waiting.find(|grant| grant.user_code == user_code).map(|grant| grant.scopes.as_slice())
    }

    /// Decides a waiting login: `Some(user)` approves it as that user. `false` when none waits under this code.
    pub(super) fn decide(&mut self, user_code: &str, user: Option<&str>, now: i64) -> bool {
        let mut waiting = self.pending.values_mut().filter(|grant| grant.waits(now));
        let Some(grant) = waiting.find(|grant| grant.user_code == user_code) else { return false };
        grant.outcome = user.map_or(Outcome::Denied, |user| Outcome::Approved { user: user.to_owned(), at: now });
        true
    }

    /// Answers a poll. An approved or denied login is answered once.
    pub(super) fn poll(&mut self, device_code: &str, now: i64) -> Result<Login, Unmet> {
        let grant = self.pending.get_mut(device_code).ok_or(Unmet::Invalid)?;
        if now >= grant.expires_at {
            return Err(Unmet::Expired);
        }
        let early = grant.polled_at.is_some_and(|at| now < at + grant.interval);
        grant.polled_at = Some(now);
        if early {
            grant.interval += SLOWER_BY_SECONDS;
            return Err(Unmet::SlowDown);
        }
        if grant.outcome == Outcome::Pending {
            return Err(Unmet::Pending);
        }
        let grant = self.pending.remove(device_code).ok_or(Unmet::Invalid)?;
        match grant.outcome {
            Outcome::Approved { user, at } => {
                self.families += 1;
                Ok(Login { user, scopes: grant.scopes, authenticated_at: at, family: self.families })
            }
            Outcome::Denied | Outcome::Pending => Err(Unmet::Denied),
        }
    }

    /// Remembers a refresh token of a login.
    pub(super) fn remember(&mut self, token: String, login: &Login, now: i64) {
        self.refreshes.retain(|_token, refresh| now < refresh.expires_at);
        if self.refreshes.len() >= MAX_REFRESHES {
            let oldest = self.refreshes.iter().min_by_key(|(_token, refresh)| refresh.expires_at);
            if let Some(token) = oldest.map(|(token, _refresh)| token.clone()) {
                self.refreshes.remove(&token);
            }
        }
        let Login { user, scopes, authenticated_at, family } = login.clone();
        let expires_at = now + REFRESH_SECONDS;
        self.refreshes.insert(token, Refresh { family, user, scopes, authenticated_at, expires_at, used: false });
    }

    /// Spends a refresh token. One that was spent before ends every token of its login.
    pub(super) fn refresh(&mut self, token: &str, now: i64) -> Result<Login, Unmet> {
        let refresh = self.refreshes.get_mut(token).filter(|refresh| now < refresh.expires_at).ok_or(Unmet::Invalid)?;
        let family = refresh.family;
        if refresh.used {
            self.refreshes.retain(|_token, refresh| refresh.family != family);
            return Err(Unmet::Invalid);
        }
        refresh.used = true;
        let Refresh { user, scopes, authenticated_at, .. } = refresh;
        Ok(Login { user: user.clone(), scopes: scopes.clone(), authenticated_at: *authenticated_at, family })
    }
}

impl Grants {
    /// Ends every refresh token of the login that this one belongs to; an unknown one is none.
    pub(super) fn revoke(&mut self, token: &str) {
        let Some(family) = self.refreshes.get(token).map(|refresh| refresh.family) else { return };
        self.refreshes.retain(|_token, refresh| refresh.family != family);
    }
}

impl Grant {
    fn waits(&self, now: i64) -> bool {
        self.outcome == Outcome::Pending && now < self.expires_at
    }
}

/// The canonical form of a typed user code, `None` if it cannot be one.
pub(super) fn canonical_user_code(typed: &str) -> Option<String> {
    if typed.len() > 32 {
        return None;
    }
    let code: String =
        typed.chars().filter(|one| !matches!(one, '-' | ' ')).map(|one| one.to_ascii_uppercase()).collect();
    let valid = code.len() == USER_CODE_LENGTH && code.bytes().all(|byte| USER_CODE_ALPHABET.contains(&byte));
    valid.then_some(code)
}

/// `ABCD-EFGH`, as it is shown.
pub(super) fn spaced_user_code(code: &str) -> String {
    code.split_at_checked(USER_CODE_LENGTH / 2)
        .map_or_else(|| code.to_owned(), |(left, right)| format!("{left}-{right}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun() -> Grants {
        let mut grants = Grants::default();
        assert!(grants.begin("device".into(), "BCDFGHJK".into(), vec!["openid".into()], 0));
        grants
    }

    #[test]
    fn a_poll_waits_then_gives_the_login_once() {
        let mut grants = begun();
        assert_eq!(grants.poll("device", 1), Err(Unmet::Pending));
        assert!(grants.decide("BCDFGHJK", Some("bob"), 2));
        let login = grants.poll("device", 3).unwrap();
        assert_eq!((login.user.as_str(), login.authenticated_at), ("bob", 2), "when the person said yes");
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
    fn logins_under_way_are_bounded() {
        let mut grants = Grants::default();
        for number in 0..MAX_GRANTS {
            assert!(grants.begin(format!("d{number}"), format!("u{number}"), Vec::new(), 0));
        }
        assert!(!grants.begin("one more".into(), "u".into(), Vec::new(), 0));
        assert!(grants.begin("later".into(), "u".into(), Vec::new(), 2 * GRANT_SECONDS));
    }

    #[test]
    fn refresh_tokens_rotate_and_a_stolen_one_ends_the_login() {
        let mut grants = Grants::default();
        let login = Login { user: "bob".into(), scopes: Vec::new(), authenticated_at: 0, family: 1 };
        grants.remember("first".into(), &login, 0);
        assert_eq!(grants.refresh("first", 1), Ok(login.clone()));
        grants.remember("second".into(), &login, 1);
        assert_eq!(grants.refresh("first", 2), Err(Unmet::Invalid));
        assert_eq!(grants.refresh("second", 3), Err(Unmet::Invalid));
    }

    #[test]
    fn user_codes_are_read_leniently_and_nothing_else_is() {
        assert_eq!(canonical_user_code("bcdf-ghjk").as_deref(), Some("BCDFGHJK"));
        assert_eq!(canonical_user_code("BCDFGHJ"), None);
        assert_eq!(canonical_user_code("BCDFGHJA"), None);
        assert_eq!(canonical_user_code("<script>"), None);
        assert_eq!(spaced_user_code("BCDFGHJK"), "BCDF-GHJK");
    }
}
