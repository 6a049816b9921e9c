//! `hoop logout`: revokes the refresh token where the provider can, and forgets every token of the gateway.

use std::time::Duration;

use serde::Serialize;

use crate::{
    api_client::Api,
    arguments::LogoutArguments,
    cert,
    context::{Context, GatewayUrl},
    failure::{ExitStatus, Failure, FailureKind},
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
    end_at_the_gateway(context).await;
    let store = TokenStore::new(context, &gateway)?;
    let lock = store.lock().await?;
    // Damaged or foreign tokens are reported, and forgotten all the same.
    let stored = store.load().await.unwrap_or_else(|failure| {
        context.output.warn(failure.what());
        None
    });
    let was_logged_in = store.kind()?.is_some();
    store.forget().await?;
    cert::forget(&context.directories, &gateway)?;
    drop(lock);
    if context.directories.remembered_gateway()?.as_ref() == Some(&gateway) {
        context.directories.forget_gateway()?;
    }
    let revoked = match &stored {
        Some(stored) => revoke(context, &gateway, stored).await,
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

/// The gateway ends tokens, certificates and live sessions now. One that does not answer ends them when the login would
/// have.
async fn end_at_the_gateway(context: &Context) {
    let attempt = async { Api::new(context).await?.post::<_, ()>("/api/v1/logout", &()).await };
    match tokio::time::timeout(GATEWAY_PATIENCE, attempt).await {
        Ok(Ok(())) => {}
        Ok(Err(failure)) if failure.kind() == FailureKind::NotLoggedIn => {}
        Ok(Err(failure)) => context.output.warn(&format!("{LASTING}: {}", failure.what())),
        Err(_elapsed) => context.output.warn(&format!("{LASTING}: it did not answer in time")),
    }
}

const LASTING: &str = "the gateway was not told, so that open sessions last until their tokens end";

/// How long a logout waits for the gateway.
const GATEWAY_PATIENCE: Duration = Duration::from_secs(5);

async fn revoke(context: &Context, gateway: &GatewayUrl, stored: &StoredLogin) -> bool {
    let Some(refresh_token) = &stored.refresh_token else { return false };
    let attempt = async { Issuer::of_login(context, gateway, stored).await?.revoke(refresh_token).await };
    attempt.await.unwrap_or_else(|failure| {
        context.output.warn(&format!(
            "the tokens are gone from this machine, but the identity provider may still know the login: {}",
            failure.what()
        ));
        false
    })
}
