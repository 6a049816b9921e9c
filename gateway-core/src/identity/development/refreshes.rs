//! Refresh tokens of the development provider as a pure state machine: time and random tokens are passed in.
//!
//! Bounded, in memory, gone with the process. Driven by `routes`.

use std::collections::BTreeMap;

use super::super::grants::{Approved, Unmet};

const MAX_REFRESHES: usize = 1_000;
const REFRESH_SECONDS: i64 = 8 * 3_600;

/// Of one login: replaced at every use; using an old one ends the whole family.
struct Refresh {
    login: Login,
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
    family: u64,
}

#[derive(Default)]
pub(super) struct Refreshes {
    /// By refresh token.
    tokens: BTreeMap<String, Refresh>,
    families: u64,
}

impl Refreshes {
    /// A login that a device grant became, with a family of its own.
    pub(super) fn login(&mut self, approved: Approved<String>) -> Login {
        self.families += 1;
        let Approved { who: user, scopes, at } = approved;
        Login { user, scopes, authenticated_at: at, family: self.families }
    }

    /// Remembers a refresh token of a login.
    pub(super) fn remember(&mut self, token: String, login: &Login, now: i64) {
        self.tokens.retain(|_token, refresh| now < refresh.expires_at);
        if self.tokens.len() >= MAX_REFRESHES {
            let oldest = self.tokens.iter().min_by_key(|(_token, refresh)| refresh.expires_at);
            if let Some(token) = oldest.map(|(token, _refresh)| token.clone()) {
                self.tokens.remove(&token);
            }
        }
        let expires_at = now + REFRESH_SECONDS;
        self.tokens.insert(token, Refresh { login: login.clone(), expires_at, used: false });
    }

    /// Spends a refresh token. One that was spent before ends every token of its login.
    pub(super) fn refresh(&mut self, token: &str, now: i64) -> Result<Login, Unmet> {
        let refresh = self.tokens.get_mut(token).filter(|refresh| now < refresh.expires_at).ok_or(Unmet::Invalid)?;
        if refresh.used {
            self.revoke(token);
            return Err(Unmet::Invalid);
        }
        refresh.used = true;
        Ok(refresh.login.clone())
    }

    /// Ends every refresh token of the login that this one belongs to; an unknown one is none.
    pub(super) fn revoke(&mut self, token: &str) {
        let Some(family) = self.tokens.get(token).map(|refresh| refresh.login.family) else { return };
        self.tokens.retain(|_token, refresh| refresh.login.family != family);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refresh_tokens_rotate_and_a_stolen_one_ends_the_login() {
        let mut refreshes = Refreshes::default();
        let login = refreshes.login(Approved { who: "bob".into(), scopes: Vec::new(), at: 0 });
        refreshes.remember("first".into(), &login, 0);
        assert_eq!(refreshes.refresh("first", 1), Ok(login.clone()));
        refreshes.remember("second".into(), &login, 1);
        assert_eq!(refreshes.refresh("first", 2), Err(Unmet::Invalid));
        assert_eq!(refreshes.refresh("second", 3), Err(Unmet::Invalid));
    }
}
