//! Keeps links up: makes another when none is left or all are full, with growing pauses; presents each new token to all of them.
//!
//! The only one who dials after the first link, so that a hundred waiting streams make one attempt, not a hundred.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::dial::{DialError, Dialler, present};
use super::pool::{Link, Pool};
use super::{LinkState, TokenError, backoff};

pub(super) struct Keeper {
    dialler: Dialler,
    pool: Arc<Pool>,
    state: watch::Sender<LinkState>,
    closing: CancellationToken,
    refreshed: watch::Receiver<u64>,
    attempt: u32,
}

impl Keeper {
    pub(super) fn new(
        dialler: Dialler,
        pool: Arc<Pool>,
        state: watch::Sender<LinkState>,
        closing: CancellationToken,
    ) -> Self {
        let refreshed = dialler.config.tokens.refreshed();
        Self { dialler, pool, state, closing, refreshed, attempt: 0 }
    }

    pub(super) async fn run(mut self) {
        let closing = self.closing.clone();
        tokio::select! {
            () = closing.cancelled() => {}
            () = self.keep() => {}
        }
        self.state.send_replace(LinkState::Closed);
    }

    async fn keep(&mut self) {
        loop {
            if self.pool.hungry() {
                self.feed().await;
                continue;
            }
            self.publish(LinkState::Connected);
            tokio::select! {
                () = self.pool.wants_attention() => {}
                () = changed(&mut self.refreshed) => self.present().await,
            }
        }
    }

    async fn feed(&mut self) {
        match self.dialler.dial().await {
            Ok(link) => {
                self.attempt = 0;
                self.pool.add(link);
            }
            Err(error) => self.pause(&error).await,
        }
    }

    async fn pause(&mut self, error: &DialError) {
        self.attempt = self.attempt.saturating_add(1);
        let next = Instant::now() + backoff::pause(self.attempt, &self.dialler.config.jitter);
        let links_left = !self.pool.live().is_empty();
        if !links_left {
            self.publish(match error {
                DialError::Unauthenticated(why) | DialError::Token(TokenError::LoggedOut(why)) => {
                    LinkState::Unauthenticated(why.clone())
                }
                DialError::Unreachable(_)
                | DialError::Tls(_)
                | DialError::NotAGateway
                | DialError::Broken(_)
                | DialError::Slow
                | DialError::Token(TokenError::Unavailable(_))
                | DialError::Unavailable(_) => {
                    LinkState::Reconnecting { attempt: self.attempt, next, reason: chain(error) }
                }
            });
        }
        tokio::select! {
            () = sleep_until(next) => {}
            () = changed(&mut self.refreshed) => if links_left { self.present().await },
        }
    }

    /// Presents the current token to every link. One that does not take it is retired: its streams end when their identity does.
    async fn present(&self) {
        let token = match self.dialler.config.tokens.token().await {
            Ok(token) => token,
            Err(error) => return tracing::warn!(%error, "there is a new token, but it cannot be read"),
        };
        join_all(self.pool.live().iter().map(|link| self.present_to(link, &token))).await;
    }

    async fn present_to(&self, link: &Link, token: &secrecy::SecretString) {
        let presented = timeout(PATIENCE, present(link.sender.clone(), token)).await;
        match presented {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "a link did not take the new token");
                self.pool.retire(link);
            }
            Err(_) => {
                tracing::warn!("a link did not answer to the new token in time");
                self.pool.retire(link);
            }
        }
    }

    fn publish(&self, state: LinkState) {
        self.state.send_if_modified(|current| {
            let modified = *current != state;
            *current = state;
            modified
        });
    }
}

/// Waits for a change; for ever when there can be none any more.
async fn changed(watch: &mut watch::Receiver<u64>) {
    if watch.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// An error and its causes in one line, for a state that outlives the error.
fn chain(error: &DialError) -> String {
    let mut line = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        line.push_str(": ");
        line.push_str(&source.to_string());
        cause = source.source();
    }
    line
}

const PATIENCE: Duration = Duration::from_secs(10);
