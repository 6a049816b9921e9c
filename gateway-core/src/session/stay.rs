//! How long somebody may stay whose login nobody renews: a native client, which has no CLI behind it.

use std::{convert::Infallible, time::Duration};

use hoop_tunnel::acceptor::LinkIdentity;
use tokio::{sync::watch, time::Instant};

use crate::model::{Presence, Principal};

/// A login that lasts until a moment. Dropped, it is over.
#[derive(Debug)]
pub struct Stay {
    identity: watch::Sender<LinkIdentity<Presence>>,
    expires_at: Instant,
}

impl Stay {
    /// Of this principal for so long, and what their session watches.
    pub fn of(principal: &Principal, lasts: Duration) -> (Self, watch::Receiver<LinkIdentity<Presence>>) {
        let expires_at = Instant::now() + lasts;
        let valid = LinkIdentity::Valid { principal: Presence::outside(principal.clone()), expires_at };
        let (identity, watched) = watch::channel(valid);
        (Self { identity, expires_at }, watched)
    }

    /// Says when the time is over; the session that watches ends by itself.
    pub async fn end(&self) -> Infallible {
        tokio::time::sleep_until(self.expires_at).await;
        self.identity.send_replace(LinkIdentity::Expired);
        std::future::pending().await
    }
}
