//! The laptop's end: keeps links to one gateway alive and opens streams on them.
//!
//! Owns reconnecting, how many links there are, and presenting refreshed tokens. Knows neither local sockets nor what the bytes mean.
//! Called by the CLI's tunnels.

mod backoff;
mod dial;
mod keeper;
mod open;
mod pool;

pub use backoff::Jitter;
pub use dial::{DialError, Endpoint, EndpointError};
pub use open::{OpenError, StreamRequest};

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use secrecy::SecretString;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::link::LinkStream;
use keeper::Keeper;
use pool::Pool;

/// A future that a [`TokenSource`] returns.
pub type TokenFuture<'a> = Pin<Box<dyn Future<Output = Result<SecretString, TokenError>> + Send + 'a>>;

/// Where the gateway's token comes from. It keeps the token fresh; the link asks each time it needs one.
pub trait TokenSource: Send + Sync + 'static {
    /// A token that is good now.
    fn token(&self) -> TokenFuture<'_>;

    /// Changes whenever there is a new token; every live link is then presented it, and no stream notices.
    fn refreshed(&self) -> watch::Receiver<u64>;
}

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Nobody is logged in, or the login can no longer be renewed.
    #[error("not logged in: {0}")]
    LoggedOut(String),
    /// It could not be renewed now.
    #[error("the token cannot be renewed now: {0}")]
    Unavailable(String),
}

/// How the links are, for a person to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkState {
    /// At least one link is up.
    Connected,
    /// None is up; the next attempt is made at `next`.
    Reconnecting {
        /// How many attempts failed since the last link was lost.
        attempt: u32,
        /// When the next one is made.
        next: Instant,
        /// Why the last one failed.
        reason: String,
    },
    /// The gateway does not take the token; a new login ends this.
    Unauthenticated(String),
    /// It was closed.
    Closed,
}

/// What a client needs to reach a gateway.
#[derive(Clone)]
pub struct LinkConfig {
    /// Where it listens.
    pub endpoint: Endpoint,
    /// Whom to trust; made with [`crate::link::client_tls`] or [`crate::link::client_tls_with_roots`].
    pub tls: Arc<ClientConfig>,
    /// Where tokens come from.
    pub tokens: Arc<dyn TokenSource>,
    /// Randomness for the pauses between attempts.
    pub jitter: Jitter,
}

impl fmt::Debug for LinkConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LinkConfig").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// The links to one gateway. Dropping it ends them once their streams have ended.
#[derive(Debug)]
pub struct LinkClient {
    tokens: Tokens,
    pool: Arc<Pool>,
    state: watch::Receiver<LinkState>,
    tasks: TaskTracker,
    closing: CancellationToken,
    cut: CancellationToken,
    _on_drop: DropGuard,
}

impl LinkClient {
    /// Makes the first link, and keeps links up from then on. Fails when the gateway cannot be reached, is not one, or does not take the token.
    pub async fn connect(config: LinkConfig) -> Result<Self, DialError> {
        let tasks = TaskTracker::new();
        let (closing, cut) = (CancellationToken::new(), CancellationToken::new());
        let dialler = dial::Dialler::new(config.clone(), tasks.clone(), cut.clone());
        let pool = Arc::new(Pool::default());
        pool.add(dialler.dial().await?);
        let (publish, state) = watch::channel(LinkState::Connected);
        let keeper = Keeper::new(dialler, Arc::clone(&pool), publish, closing.clone());
        tasks.spawn(keeper.run());
        let on_drop = closing.clone().drop_guard();
        Ok(Self { tokens: Tokens(config.tokens), pool, state, tasks, closing, cut, _on_drop: on_drop })
    }

    /// Opens a stream to a connection. Waits a while for a link where none is up; waits as long as the gateway takes to decide.
    ///
    /// Cancel safe: dropping the future takes the request back.
    pub async fn open(&self, request: &StreamRequest) -> Result<LinkStream, OpenError> {
        open::open(&self.pool, self.tokens.0.as_ref(), self.state.clone(), request).await
    }

    /// How the links are, and every change of it.
    pub fn state(&self) -> watch::Receiver<LinkState> {
        self.state.clone()
    }

    /// Opens nothing more, waits for open streams at most until `deadline`, then ends the links.
    pub async fn close(self, deadline: Duration) {
        self.closing.cancel();
        // A link's task ends by itself once nobody can open a stream on it and the last one has ended.
        self.pool.clear();
        self.tasks.close();
        if timeout(deadline, self.tasks.wait()).await.is_err() {
            tracing::debug!("streams were still open at the deadline");
            self.cut.cancel();
            self.tasks.wait().await;
        }
    }
}

/// A token source that can stand in a `Debug` struct without showing anything.
struct Tokens(Arc<dyn TokenSource>);

impl fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Tokens")
    }
}
