//! A login that stays fresh for as long as a tunnel is open: the link's source of tokens.
//!
//! Renews ahead of time on its own, so that a link presents the new token while the old one still counts.

use std::{fmt, future::Future, pin::Pin, time::Duration};

use hoop_tunnel::client::{TokenError, TokenFuture, TokenSource};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{Mutex, watch};

use super::Login;
use crate::failure::{Failure, FailureKind};

/// A future of a [`Renewal`].
pub(crate) type Renewing<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A source of tokens that keeps them good: a login, or a run's own.
pub(crate) trait Renewal: TokenSource + fmt::Debug {
    /// Another token than the one the gateway did not take although it should last.
    fn replace(&self) -> Renewing<'_, Result<(), Failure>>;

    /// Renews ahead of every end, for ever; returns only when that has ended for good. Cancel-safe.
    fn keep(&self) -> Renewing<'_, Failure>;
}

/// The source of tokens; share it in an `Arc`.
#[derive(Debug)]
pub(crate) struct FreshLogin {
    login: Mutex<Login>,
    renewals: watch::Sender<u64>,
}

impl FreshLogin {
    /// Keeps `login` from now on.
    pub(crate) fn new(login: Login) -> Self {
        Self { login: Mutex::new(login), renewals: watch::Sender::new(0) }
    }

    /// A token that is good now; renewed first where it has to be.
    async fn current(&self) -> Result<SecretString, Failure> {
        let mut login = self.login.lock().await;
        let before = login.stored().token.clone();
        let token = login.token().await?;
        drop(login);
        if token.expose_secret() != before.expose_secret() {
            self.renewals.send_modify(|count| *count = count.wrapping_add(1));
        }
        Ok(token)
    }
}

impl Renewal for FreshLogin {
    fn replace(&self) -> Renewing<'_, Result<(), Failure>> {
        Box::pin(async {
            let mut login = self.login.lock().await;
            login.renewed_token().await?;
            drop(login);
            self.renewals.send_modify(|count| *count = count.wrapping_add(1));
            Ok(())
        })
    }

    fn keep(&self) -> Renewing<'_, Failure> {
        Box::pin(async {
            loop {
                match self.current().await {
                    Err(failure) if failure.kind() == FailureKind::NotLoggedIn => return failure,
                    // The link says itself that the gateway is away; until then the old token may still do.
                    Err(failure) => tracing::info!(what = failure.what(), "the login could not be renewed yet"),
                    Ok(_token) => {}
                }
                let left = self.login.lock().await.remaining();
                tokio::time::sleep((left / 2).clamp(SHORTEST_INTERVAL, LOOK_INTERVAL)).await;
            }
        })
    }
}

impl TokenSource for FreshLogin {
    fn token(&self) -> TokenFuture<'_> {
        Box::pin(async {
            self.current().await.map_err(|failure| {
                let what = failure.what().to_owned();
                let logged_out = failure.kind() == FailureKind::NotLoggedIn;
                if logged_out { TokenError::LoggedOut(what) } else { TokenError::Unavailable(what) }
            })
        })
    }

    fn refreshed(&self) -> watch::Receiver<u64> {
        self.renewals.subscribe()
    }
}

/// Short, because a laptop that slept must notice by the clock on the wall, and shorter than a token's last minute.
const LOOK_INTERVAL: Duration = Duration::from_secs(15);
/// Where tokens last seconds, and while one that has ended cannot be renewed.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
