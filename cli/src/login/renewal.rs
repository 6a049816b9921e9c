//! A stored login that stays good: hands out the gateway's token and renews it with the refresh token shortly before it
//! ends. Rotation-safe: only one process uses a refresh token, and a new one is kept before anything else is tried.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use time::OffsetDateTime;

use super::{IssuerTokens, Workload, issuer::Issuer};
use crate::{
    api_client::ApiClient,
    context::{Context, GatewayUrl},
    failure::Failure,
    token_store::{StoredLogin, TokenStore},
};

/// A login at one gateway, for as long as a command runs.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    context: Context,
    gateway: GatewayUrl,
    store: TokenStore,
    stored: StoredLogin,
    /// Of a service account that the environment names: nothing is kept of it.
    is_kept: bool,
}

impl Login {
    /// The login kept for `gateway`; fails with status 4 where there is none.
    pub(crate) async fn load(context: &Context, gateway: &GatewayUrl) -> Result<Self, Failure> {
        let store = TokenStore::new(context, gateway)?;
        if let Some(workload) = Workload::of_environment()? {
            let client = ApiClient::for_gateway(context, gateway)?;
            let identity = client.gateway_info().await?.identity;
            let answer = workload.log_in(context, &client, &identity).await?;
            let stored = super::stored_login(identity, None, answer).by(workload);
            return Ok(Self { context: context.clone(), gateway: gateway.clone(), store, stored, is_kept: false });
        }
        let Some(stored) = store.load().await? else { return Err(nobody(gateway)) };
        Ok(Self { context: context.clone(), gateway: gateway.clone(), store, stored, is_kept: true })
    }

    /// What is kept, as last read.
    pub(crate) const fn stored(&self) -> &StoredLogin {
        &self.stored
    }

    /// How long the kept token still lasts.
    pub(crate) fn remaining(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.stored.expires_at.saturating_sub(now())).unwrap_or(0))
    }

    /// A token of the gateway that lasts at least another minute.
    pub(crate) async fn token(&mut self) -> Result<SecretString, Failure> {
        if !self.stored.lasts(now(), MARGIN_SECONDS) {
            self.renew().await?;
        }
        Ok(self.stored.token.clone())
    }

    /// Another token: the gateway did not take the last one although it should last.
    pub(crate) async fn renewed_token(&mut self) -> Result<SecretString, Failure> {
        self.renew().await?;
        Ok(self.stored.token.clone())
    }

    /// Cancel-safe: the renewal runs as a task of its own, so that a caller who goes away cannot make it spend the
    /// refresh token and then forget its successor.
    async fn renew(&mut self) -> Result<(), Failure> {
        let mut renewed = self.clone();
        let task = tokio::spawn(async move { renewed.renew_now().await.map(|()| renewed.stored) });
        let stored = task.await.map_err(|error| Failure::internal("the renewal failed").caused_by(&error))?;
        self.stored = stored?;
        Ok(())
    }

    async fn renew_now(&mut self) -> Result<(), Failure> {
        if !self.is_kept {
            return self.prove_again().await;
        }
        let _lock = self.store.lock().await?;
        // Another process may have renewed, or logged out, while we waited.
        let kept = self.store.load().await?.ok_or_else(|| nobody(&self.gateway))?;
        let before = std::mem::replace(&mut self.stored, kept);
        let is_new = self.stored.expires_at > before.expires_at
            || self.stored.token.expose_secret() != before.token.expose_secret();
        if is_new && self.stored.lasts(now(), FRESH_SECONDS) {
            return Ok(());
        }
        if self.stored.workload.is_some() {
            self.prove_again().await?;
            return self.store.replace(&self.stored).await;
        }
        let Some(refresh_token) = self.stored.refresh_token.clone() else {
            return Err(Failure::not_logged_in("the login has ended")
                .because("the identity provider gave no refresh token, so it cannot be renewed")
                .next(format!("run `hoop login --gateway {}`", self.gateway)));
        };
        let issuer = Issuer::of_login(&self.context, &self.gateway, &self.stored).await?;
        let tokens = issuer.refresh(&refresh_token).await?;
        self.exchange(tokens).await
    }

    /// A service account shows what proves it by now.
    async fn prove_again(&mut self) -> Result<(), Failure> {
        let Some(workload) = self.stored.workload.clone() else { return Err(nobody(&self.gateway)) };
        let client = ApiClient::for_gateway(&self.context, &self.gateway)?;
        let identity = client.gateway_info().await?.identity;
        let answer = workload.log_in(&self.context, &client, &identity).await?;
        self.stored.token = answer.token.into();
        self.stored.expires_at = answer.expires_at;
        self.stored.principal = answer.principal;
        Ok(())
    }

    async fn exchange(&mut self, tokens: IssuerTokens) -> Result<(), Failure> {
        if let Some(rotated) = &tokens.refresh {
            // The old one is spent: the new one is kept before anything can fail.
            self.stored.refresh_token = Some(rotated.clone());
            self.store.replace(&self.stored).await?;
        }
        let proof = tokens.proof(self.stored.token_choice, self.stored.wants_access_token)?;
        let answer = ApiClient::for_gateway(&self.context, &self.gateway)?.exchange(&proof).await?;
        self.stored.token = answer.token.into();
        self.stored.expires_at = answer.expires_at;
        self.stored.principal = answer.principal;
        self.store.replace(&self.stored).await
    }
}

/// What another process has just renewed is taken even where tokens last less than the margin.
const FRESH_SECONDS: i64 = 5;
/// Renew a token this long before it ends.
const MARGIN_SECONDS: i64 = 60;

fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}

fn nobody(gateway: &GatewayUrl) -> Failure {
    Failure::not_logged_in(format!("you are not logged in at {gateway}"))
        .next(format!("run `hoop login --gateway {gateway}`"))
}
