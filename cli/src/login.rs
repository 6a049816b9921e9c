//! `hoop login`: the device authorization grant at the gateway's identity provider, then the gateway's own token.
//!
//! Also home of [`Login`], through which every other command gets a token that is still good.

mod browser;
mod countdown;
mod device;
mod device_page;
mod discovery;
mod fresh;
mod issuer;
mod renewal;
mod step_up;
mod workload;

pub(crate) use countdown::spoken;
pub(crate) use fresh::{FreshLogin, Renewal, Renewing};
pub(crate) use issuer::Issuer;
pub(crate) use renewal::Login;
pub(crate) use step_up::log_in_again;
pub(crate) use workload::{Named, Workload};

use std::time::Duration;

use hoop_gateway_core::{
    api::types::{IdentityInfo, LoginWay, TokenChoice, TokenResponse},
    model::{Principal, StepUp},
};
use secrecy::SecretString;
use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    api_client::ApiClient,
    arguments::LoginArguments,
    context::Context,
    failure::{ExitStatus, Failure},
    output::printable,
    token_store::{IssuerSide, StoreKind, StoredLogin, TokenStore},
};

/// What a successful login prints.
#[derive(Serialize)]
struct LoggedIn {
    gateway: String,
    principal: Principal,
    expires_at: i64,
    store: StoreKind,
}

/// Logs in; Ctrl-C ends it with status 130 and leaves an older login as it was.
pub(crate) async fn run(arguments: LoginArguments, context: &Context) -> Result<ExitStatus, Failure> {
    tokio::select! {
        outcome = Box::pin(log_in(&arguments, context)) => outcome,
        _ = tokio::signal::ctrl_c() => Err(Failure::interrupted()),
    }
}

async fn log_in(arguments: &LoginArguments, context: &Context) -> Result<ExitStatus, Failure> {
    let client = ApiClient::new(context)?;
    let info = client.gateway_info().await?;
    if let Some(workload) = Workload::of(arguments.workload())? {
        let answer = workload.log_in(context, &client, &info.identity).await?;
        let stored = stored_login(info.identity, None, answer).by(workload);
        return keep(context, &client, stored).await;
    }
    let demand = StepUp { max_age_seconds: arguments.max_age, acr: arguments.acr.clone() };
    let wanted = device::Wanted { demand: &demand, hint: None, may_open_browser: !arguments.no_browser };
    if info.identity.way == LoginWay::DevicePage {
        let answer = device_page::log_in(context, &client, &info.identity, &wanted).await?;
        let left = answer.expires_at.saturating_sub(OffsetDateTime::now_utc().unix_timestamp());
        let left = spoken(Duration::from_secs(u64::try_from(left).unwrap_or(0)));
        context.output.say(&format!("This login lasts {left}; nothing renews it, so log in again after that."));
        return keep(context, &client, stored_login(info.identity, None, answer)).await;
    }
    let issuer = Issuer::discover(context, &info.identity.issuer, &info.identity.client_id).await?;
    let grant = device::authorize(context, &issuer, &info.identity.scopes, &wanted).await?;
    let issuer_token = grant.token(info.identity.token)?;
    let answer = client.exchange(&issuer_token).await?;
    keep(context, &client, stored_login(info.identity, grant.refresh, answer)).await
}

async fn keep(context: &Context, client: &ApiClient, stored: StoredLogin) -> Result<ExitStatus, Failure> {
    let store = TokenStore::new(context, client.gateway())?;
    let lock = store.lock().await?;
    let kind = store.keep(context, &stored).await?;
    drop(lock);
    context.directories.remember_gateway(client.gateway())?;
    let done = LoggedIn {
        gateway: client.gateway().to_string(),
        principal: stored.principal,
        expires_at: stored.expires_at,
        store: kind,
    };
    context.output.value("login", &done, |done| {
        format!("Logged in at {} as {}", done.gateway, crate::whoami::describe(&done.principal))
    })?;
    Ok(ExitStatus::SUCCESS)
}

fn stored_login(identity: IdentityInfo, refresh_token: Option<SecretString>, answer: TokenResponse) -> StoredLogin {
    let side = IssuerSide {
        issuer: identity.issuer,
        client_id: identity.client_id,
        token_choice: identity.token,
        refresh_token,
    };
    StoredLogin::new(side, answer.token.into(), answer.expires_at, answer.principal)
}

/// The tokens that an issuer gave.
#[derive(Debug)]
pub(crate) struct IssuerTokens {
    access: SecretString,
    id: Option<SecretString>,
    /// For the next time, if the issuer gave one.
    pub(crate) refresh: Option<SecretString>,
}

impl IssuerTokens {
    /// The token that the gateway takes.
    pub(crate) fn token(&self, choice: TokenChoice) -> Result<SecretString, Failure> {
        let token = match choice {
            TokenChoice::Access => Some(&self.access),
            TokenChoice::Id => self.id.as_ref(),
        };
        token.cloned().ok_or_else(|| {
            Failure::not_logged_in("the identity provider gave no ID token, and the gateway wants one")
                .next("ask the gateway's operator to request the scope `openid`")
        })
    }
}

/// Text of an identity provider, on one line and short, for errors.
fn quoted(text: &str) -> String {
    printable(text).replace('\n', " ").chars().take(300).collect()
}
