//! Whose logins were ended, and when: for whoever proved who they are before that, and is still on the way in.
//!
//! A live session is ended by its registry; who waits for an approval, or for an answer that takes long, is in none.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::Registry;
use crate::model::{Principal, PrincipalKind, PrincipalName};

/// Longer than anybody may be on the way in without having been told: the longest login.
const REMEMBERED: Duration = Duration::from_hours(24);

/// The logouts of late.
#[derive(Debug, Clone, Default)]
pub struct Logouts(HashMap<(PrincipalKind, PrincipalName), Instant>);

impl Logouts {
    /// Whether somebody who proved who they are at this moment, or who lent them their presence, logged out since.
    pub fn cover(&self, principal: &Principal, proved_at: Instant) -> bool {
        let ended = |one: &Principal| self.0.get(&(one.kind, one.name.clone())).copied();
        principal.everyone().filter_map(ended).any(|ended| proved_at <= ended)
    }

    fn note(&mut self, principal: &Principal, now: Instant) {
        self.0.retain(|_, ended| now.duration_since(*ended) < REMEMBERED);
        self.0.insert((principal.kind, principal.name.clone()), now);
    }
}

impl Registry {
    /// Changes with each logout.
    pub fn logouts(&self) -> watch::Receiver<Logouts> {
        self.0.logouts.subscribe()
    }

    /// Whether somebody logged out since they proved who they are.
    pub fn is_logged_out(&self, principal: &Principal, proved_at: Instant) -> bool {
        self.0.logouts.borrow().cover(principal, proved_at)
    }

    pub(super) fn note_logout(&self, principal: &Principal) {
        self.0.logouts.send_modify(|logouts| logouts.note(principal, Instant::now()));
    }
}

/// Waits until somebody logs out who proved who they are at this moment. Cancel-safe.
pub async fn logged_out(logouts: &mut watch::Receiver<Logouts>, principal: &Principal, proved_at: Instant) {
    if logouts.wait_for(|logouts| logouts.cover(principal, proved_at)).await.is_err() {
        // The registry is gone, and the gateway with it.
        std::future::pending::<()>().await;
    }
}
