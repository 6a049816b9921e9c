//! `hoop logout`: revokes the refresh token where the provider can, and forgets every token of the gateway.

use std::time::Duration;

use serde::Serialize;

use crate::{
    api_client::Api,
    arguments::LogoutArguments,
    context::Context,
    failure::{ExitStatus, Failure},
    login::Issuer,
    token_store::{StoredLogin, TokenStore},
};

/// What a logout prints.
#[derive(Serialize)]
struct LoggedOut {
    gateway: String,
    was_logged_in: bool,
    revoked: bool,
}

/// Forgets first what can be forgotten: a provider that is down keeps nobody logged in here.
pub(crate) async fn run(_arguments: LogoutArguments, context: &Context) -> Result<ExitStatus, Failure> {
    let gateway = context.gateway()?;
    end_native_sessions(context).await;
    let store = TokenStore::new(context, &gateway)?;
    let lock = store.lock().await?;
    // Damaged or foreign tokens are reported, and forgotten all the same.
    let stored = store.load().await.unwrap_or_else(|failure| {
        context.output.warn(failure.what());
        None
    });
    let was_logged_in = store.kind()?.is_some();
    store.forget().await?;
    drop(lock);
    if context.directories.remembered_gateway()?.as_ref() == Some(&gateway) {
        context.directories.forget_gateway()?;
    }
    let revoked = match &stored {
        Some(stored) => revoke(context, stored).await,
        None => false,
    };
    let done = LoggedOut { gateway: gateway.to_string(), was_logged_in, revoked };
    context.output.value("logout", &done, |done| match (done.was_logged_in, done.revoked) {
        (false, _) => format!("You were not logged in at {}", done.gateway),
        (true, true) => format!("Logged out of {}; the identity provider revoked the login", done.gateway),
        (true, false) => format!("Logged out of {}", done.gateway),
    })?;
    Ok(ExitStatus::SUCCESS)
}

/// Nobody renews the login of a native session, so the gateway ends it now. A gateway that does not answer ends it when
/// the login would have.
async fn end_native_sessions(context: &Context) {
    let attempt = async { Api::new(context).await?.post::<_, ()>("/api/v1/logout", &()).await };
    match tokio::time::timeout(GATEWAY_PATIENCE, attempt).await {
        Ok(Ok(())) => {}
        Ok(Err(failure)) => tracing::debug!(why = failure.what(), "the gateway was not told of the logout"),
        Err(_elapsed) => tracing::debug!("the gateway did not answer in time"),
    }
}

/// How long a logout waits for the gateway.
const GATEWAY_PATIENCE: Duration = Duration::from_secs(5);

async fn revoke(context: &Context, stored: &StoredLogin) -> bool {
    let Some(refresh_token) = &stored.refresh_token else { return false };
    let attempt =
        async { Issuer::discover(context, &stored.issuer, &stored.client_id).await?.revoke(refresh_token).await };
    attempt.await.unwrap_or_else(|failure| {
        context.output.warn(&format!(
            "the tokens are gone from this machine, but the identity provider may still know the login: {}",
            failure.what()
        ));
        false
    })
}
