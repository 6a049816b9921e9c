//! Who a link stands for, over time: a token makes it valid, the clock makes it expire, another token extends or changes it.
//!
//! Holders of streams watch it; it never says "valid" after the token's end by more than the runtime's timer (well under a second).

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

/// A token that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticated<P> {
    /// Who it stands for.
    pub principal: P,
    /// How long from now it is good for.
    pub valid_for: Duration,
}

/// Why a token was not taken. The text is shown to the client: one sentence, no secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// Forged, expired, revoked or otherwise no good (401).
    Invalid(String),
    /// It could not be verified now (503).
    Unavailable(String),
}

/// Who a link stands for at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkIdentity<P> {
    /// A verified principal.
    Valid {
        /// Who.
        principal: P,
        /// Until when, unless another token extends it.
        expires_at: Instant,
    },
    /// The last token ran out: nothing may go on in its name.
    Expired,
}

impl<P> LinkIdentity<P> {
    /// The principal, while valid.
    pub fn principal(&self) -> Option<&P> {
        match self {
            Self::Valid { principal, .. } => Some(principal),
            Self::Expired => None,
        }
    }

    fn expires_at(&self) -> Option<Instant> {
        match self {
            Self::Valid { expires_at, .. } => Some(*expires_at),
            Self::Expired => None,
        }
    }
}

/// The identity of one link, and how often it was presented something bad.
#[derive(Debug)]
pub(super) struct Identity<P> {
    current: watch::Sender<LinkIdentity<P>>,
    rejected: AtomicU32,
}

impl<P: Clone + PartialEq> Identity<P> {
    pub(super) fn unknown() -> Self {
        Self { current: watch::Sender::new(LinkIdentity::Expired), rejected: AtomicU32::new(0) }
    }

    pub(super) fn watch(&self) -> watch::Receiver<LinkIdentity<P>> {
        self.current.subscribe()
    }

    /// Takes a verified token: extends the same principal, publishes another.
    pub(super) fn present(&self, authenticated: &Authenticated<P>) {
        let until = Instant::now() + authenticated.valid_for.min(LONGEST);
        self.current.send_if_modified(|current| {
            let expires_at = match current {
                LinkIdentity::Valid { principal, expires_at } if *principal == authenticated.principal => {
                    until.max(*expires_at)
                }
                LinkIdentity::Valid { .. } | LinkIdentity::Expired => until,
            };
            let next = LinkIdentity::Valid { principal: authenticated.principal.clone(), expires_at };
            let changed = *current != next;
            *current = next;
            changed
        });
    }

    /// Counts one rejected token; true when it was one too many for this link.
    pub(super) fn reject(&self) -> bool {
        self.rejected.fetch_add(1, Ordering::Relaxed) + 1 >= REJECTIONS
    }

    /// Flips the identity when its token runs out. Returns when the link had no valid token for too long.
    pub(super) async fn expire(&self) {
        let mut watch = self.watch();
        loop {
            let expires_at = watch.borrow_and_update().expires_at();
            if let Some(at) = expires_at {
                tokio::select! {
                    () = sleep_until(at) => self.flip(at),
                    _ = watch.changed() => {}
                }
            } else {
                tokio::select! {
                    () = sleep(PATIENCE) => return,
                    _ = watch.changed() => {}
                }
            }
        }
    }

    fn flip(&self, at: Instant) {
        self.current.send_if_modified(|current| {
            let over = current.expires_at().is_some_and(|expires_at| expires_at <= at);
            if over {
                *current = LinkIdentity::Expired;
            }
            over
        });
    }
}

/// How long a link may live without a valid token.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest a token is believed without being presented again.
const LONGEST: Duration = Duration::from_hours(24);
/// Rejected tokens after which a link is closed.
const REJECTIONS: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn token(principal: &'static str, seconds: u64) -> Authenticated<&'static str> {
        Authenticated { principal, valid_for: Duration::from_secs(seconds) }
    }

    #[tokio::test(start_paused = true)]
    async fn expires_when_its_token_does() {
        let identity = Identity::unknown();
        identity.present(&token("alice", 10));
        let mut watch = identity.watch();
        let began = Instant::now();
        tokio::select! {
            () = identity.expire() => panic!("gave up"),
            changed = watch.wait_for(|now| *now == LinkIdentity::Expired) => { changed.unwrap(); }
        }
        let waited = began.elapsed();
        assert!(waited >= Duration::from_secs(10) && waited < Duration::from_secs(11), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_of_the_same_principal_extends_and_never_shortens() {
        let identity = Identity::unknown();
        identity.present(&token("alice", 10));
        identity.present(&token("alice", 60));
        identity.present(&token("alice", 5));
        let mut watch = identity.watch();
        let began = Instant::now();
        tokio::select! {
            () = identity.expire() => panic!("gave up"),
            changed = watch.wait_for(|now| *now == LinkIdentity::Expired) => { changed.unwrap(); }
        }
        assert!(began.elapsed() >= Duration::from_mins(1));
    }

    #[tokio::test]
    async fn a_token_of_another_principal_is_published() {
        let identity = Identity::unknown();
        identity.present(&token("alice", 10));
        let mut watch = identity.watch();
        identity.present(&token("bob", 5));
        assert!(watch.has_changed().unwrap());
        assert_eq!(watch.borrow_and_update().principal(), Some(&"bob"));
    }

    #[tokio::test(start_paused = true)]
    async fn gives_up_on_a_link_without_a_valid_token() {
        let identity: Identity<&str> = Identity::unknown();
        let began = Instant::now();
        identity.expire().await;
        assert_eq!(began.elapsed(), PATIENCE);
    }

    #[test]
    fn too_many_bad_tokens_end_a_link() {
        let identity: Identity<&str> = Identity::unknown();
        assert!((1..REJECTIONS).all(|_| !identity.reject()));
        assert!(identity.reject());
    }
}
