//! `hoop login`: a browser that comes back to this machine, or a code that is confirmed elsewhere, at the gateway's
//! identity provider; then the gateway's own token.
//!
//! Also home of [`Login`], through which every other command gets a token that is still good.

mod browser;
mod countdown;
mod device;
mod device_page;
mod discovery;
mod fresh;
mod issuer;
mod redirect;
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
    api::types::{IdentityInfo, LoginWay, TokenChoice, TokenRequest, TokenResponse},
    model::{Principal, StepUp},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    api_client::ApiClient,
    arguments::LoginArguments,
    context::{Context, GatewayUrl},
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
    let wanted = Wanted { demand: &demand, hint: None, may_open_browser: !arguments.no_browser };
    if info.identity.way == LoginWay::DevicePage {
        let answer = device_page::log_in(context, &client, &info.identity, &wanted).await?;
        let left = answer.expires_at.saturating_sub(OffsetDateTime::now_utc().unix_timestamp());
        let left = spoken(Duration::from_secs(u64::try_from(left).unwrap_or(0)));
        context.output.say(&format!("This login lasts {left}; nothing renews it, so log in again after that."));
        return keep(context, &client, stored_login(info.identity, None, answer)).await;
    }
    let grant = obtain(context, client.gateway(), &info.identity, &wanted, arguments.browser()).await?;
    let answer = client.exchange(&grant.proof(info.identity.token, info.identity.wants_access_token)?).await?;
    keep(context, &client, stored_login(info.identity, grant.refresh, answer)).await
}

/// What kind of login is wanted.
struct Wanted<'login> {
    /// How recent and how strong it must be.
    demand: &'login StepUp,
    /// Who is expected to log in.
    hint: Option<&'login str>,
    /// Whether a browser may be opened.
    may_open_browser: bool,
}

impl Wanted<'_> {
    /// SPEC: OpenID Connect Core §3.1.2.1; a provider that does not know them ignores them, and the gateway looks at what
    /// it says of the login afterwards.
    fn parameters(&self) -> impl Iterator<Item = (&'static str, String)> {
        let age = self.demand.max_age_seconds.map(|seconds| ("max_age", seconds.to_string()));
        let acr = self.demand.acr.clone().map(|acr| ("acr_values", acr));
        let hint = self.hint.map(|hint| ("login_hint", hint.to_owned()));
        [age, acr, hint].into_iter().flatten()
    }
}

/// Whose browser logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Browser {
    /// This machine's where there is one and somebody to use it; else any, by a code.
    WhereThereIsOne,
    /// This machine's, even if the person has to open it.
    OfThisMachine,
    /// Any, on any machine: by a code.
    Elsewhere,
}

/// Logs a person in at the issuer, by a browser of this machine or by a code.
async fn obtain(
    context: &Context,
    gateway: &GatewayUrl,
    identity: &IdentityInfo,
    wanted: &Wanted<'_>,
    browser: Browser,
) -> Result<IssuerTokens, Failure> {
    let issuer = Issuer::discover(context, &identity.issuer, &identity.client_id).await?;
    let issuer = if identity.via_gateway { issuer.through(context, gateway)? } else { issuer };
    let able = identity.redirect_uri.is_some() && issuer.authorization_endpoint().is_some();
    let watched = !context.no_input && context.output.talk_is_terminal() && browser::has_desktop();
    let comes_back = match browser {
        Browser::OfThisMachine => true,
        Browser::WhereThereIsOne => able && (watched || !issuer.gives_device_codes()),
        Browser::Elsewhere => false,
    };
    if comes_back {
        return Box::pin(redirect::authorize(context, &issuer, identity, wanted)).await;
    }
    Box::pin(device::authorize(context, &issuer, &identity.scopes, wanted)).await
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
        via_gateway: identity.via_gateway,
        wants_access_token: identity.wants_access_token,
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
    /// What the gateway takes as proof.
    pub(crate) fn proof(&self, choice: TokenChoice, wants_access: bool) -> Result<TokenRequest, Failure> {
        let access_token = wants_access.then(|| self.access.expose_secret().to_owned());
        Ok(TokenRequest { token: self.token(choice)?.expose_secret().to_owned(), access_token })
    }

    fn token(&self, choice: TokenChoice) -> Result<SecretString, Failure> {
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
