//! A run at the gateway: opened, kept alive with the person's login, ended; and the source of the token that its tunnels carry.
//!
//! The run's token opens streams and nothing else; the login never leaves this process.

use std::time::Duration;

use hoop_gateway_core::{
    api::types::{NewRun, RunEnding, RunOpened, RunToken},
    model::RunId,
};
use hoop_tunnel::client::{TokenError, TokenFuture, TokenSource};
use secrecy::SecretString;
use time::OffsetDateTime;
use tokio::sync::{Mutex, watch};

use crate::{
    api_client::Api,
    context::Context,
    failure::{Failure, FailureKind},
    login::{Renewal, Renewing},
};

/// An open run; share it in an `Arc`.
#[derive(Debug)]
pub(super) struct Run {
    id: RunId,
    state: Mutex<State>,
    renewals: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    api: Api,
    token: SecretString,
    expires_at: i64,
}

impl Run {
    /// Asks the gateway for a run.
    pub(super) async fn open(context: &Context, wanted: &NewRun) -> Result<(Self, RunOpened), Failure> {
        let mut api = Api::new(context).await?;
        let mut opened: RunOpened = api.post("/api/v1/runs", wanted).await?;
        let token = SecretString::from(std::mem::take(&mut opened.token));
        let state = State { api, token, expires_at: opened.expires_at };
        Ok((Self { id: opened.id.clone(), state: Mutex::new(state), renewals: watch::Sender::new(0) }, opened))
    }

    /// Tells the gateway that it is over, and how. A gateway that does not hear it notices when the token ends.
    pub(super) async fn end(&self, ending: &RunEnding) {
        let mut state = self.state.lock().await;
        let path = format!("/api/v1/runs/{}/end", self.id);
        let told = tokio::time::timeout(FAREWELL, state.api.post::<_, ()>(&path, ending)).await;
        if !matches!(told, Ok(Ok(()))) {
            tracing::info!(run = %self.id, "the gateway was not told that the run is over");
        }
    }

    async fn current(&self) -> Result<SecretString, Failure> {
        let mut state = self.state.lock().await;
        if state.remaining() < MARGIN {
            self.renew(&mut state).await?;
        }
        Ok(state.token.clone())
    }

    async fn renew(&self, state: &mut State) -> Result<(), Failure> {
        let next: RunToken = state.api.post(&format!("/api/v1/runs/{}/token", self.id), &()).await?;
        state.token = next.token.into();
        state.expires_at = next.expires_at;
        self.renewals.send_modify(|count| *count = count.wrapping_add(1));
        Ok(())
    }
}

impl State {
    fn remaining(&self) -> Duration {
        let left = self.expires_at.saturating_sub(OffsetDateTime::now_utc().unix_timestamp());
        Duration::from_secs(u64::try_from(left).unwrap_or(0))
    }
}

impl TokenSource for Run {
    fn token(&self) -> TokenFuture<'_> {
        Box::pin(async {
            self.current().await.map_err(|failure| {
                let what = failure.what().to_owned();
                if is_over(&failure) { TokenError::LoggedOut(what) } else { TokenError::Unavailable(what) }
            })
        })
    }

    fn refreshed(&self) -> watch::Receiver<u64> {
        self.renewals.subscribe()
    }
}

impl Renewal for Run {
    fn replace(&self) -> Renewing<'_, Result<(), Failure>> {
        Box::pin(async {
            let mut state = self.state.lock().await;
            self.renew(&mut state).await
        })
    }

    fn keep(&self) -> Renewing<'_, Failure> {
        Box::pin(async {
            loop {
                match self.current().await {
                    Err(failure) if is_over(&failure) => return failure,
                    Err(failure) => tracing::info!(what = failure.what(), "the run's token could not be renewed yet"),
                    Ok(_token) => {}
                }
                let left = self.state.lock().await.remaining();
                tokio::time::sleep((left / 2).clamp(SHORTEST_INTERVAL, LOOK_INTERVAL)).await;
            }
        })
    }
}

/// Whether no later attempt can help: the login is over, or the gateway does not know the run any more.
fn is_over(failure: &Failure) -> bool {
    matches!(failure.kind(), FailureKind::NotLoggedIn | FailureKind::Refused | FailureKind::Failed)
}

/// Renewed this long before it ends.
const MARGIN: Duration = Duration::from_mins(1);
const FAREWELL: Duration = Duration::from_secs(3);
/// As a login's: a laptop that slept notices by the clock on the wall.
const LOOK_INTERVAL: Duration = Duration::from_secs(15);
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
