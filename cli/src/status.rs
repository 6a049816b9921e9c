//! `hoop status`: does the gateway answer, who is logged in, for how long, and where are the tokens.

use std::time::Duration;

use hoop_gateway_core::{api::types::Whoami, model::Principal};
use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    api_client::{Api, ApiClient},
    arguments::StatusArguments,
    context::{Context, GatewayUrl},
    failure::{ExitStatus, Failure, FailureKind},
    output::printable_line,
    token_store::{StoreKind, TokenStore},
    whoami,
};

/// What is printed.
#[derive(Serialize)]
struct Status {
    gateway: String,
    reachable: bool,
    gateway_version: Option<String>,
    dev: Option<bool>,
    issuer: Option<String>,
    logged_in: bool,
    principal: Option<Principal>,
    token_seconds_left: Option<i64>,
    store: Option<StoreKind>,
}

/// Prints what is known, then leaves with the status of what is wrong, if anything is.
pub(crate) async fn run(_arguments: StatusArguments, context: &Context) -> Result<ExitStatus, Failure> {
    let gateway = context.gateway()?;
    let mut trouble = None;
    let info = ApiClient::for_gateway(context, &gateway)?.gateway_info().await;
    let info = info.map_err(|failure| trouble = Some(failure)).ok();
    let whoami = match info {
        // Without a gateway nobody can say whether the login is still good.
        None => None,
        Some(_) => ask_who(context).await.map_err(|failure| trouble = Some(failure)).ok(),
    };
    let status = Status {
        gateway: gateway.to_string(),
        reachable: info.is_some(),
        gateway_version: info.as_ref().map(|info| info.version.clone()),
        dev: info.as_ref().map(|info| info.dev),
        issuer: info.map(|info| info.identity.issuer),
        logged_in: whoami.is_some(),
        token_seconds_left: whoami.as_ref().map(|whoami| seconds_left(whoami.expires_at)),
        principal: whoami.map(|whoami| whoami.principal),
        store: kept_in(context, &gateway)?,
    };
    context.output.value("status", &status, describe)?;
    match trouble {
        None => Ok(ExitStatus::SUCCESS),
        // Said in the table already; only the exit status is left to say.
        Some(failure) if failure.kind() == FailureKind::NotLoggedIn => Ok(failure.kind().exit_status()),
        Some(failure) => Err(failure),
    }
}

async fn ask_who(context: &Context) -> Result<Whoami, Failure> {
    Api::new(context).await?.get("/api/v1/whoami").await
}

fn kept_in(context: &Context, gateway: &GatewayUrl) -> Result<Option<StoreKind>, Failure> {
    TokenStore::new(context, gateway)?.kind()
}

fn seconds_left(expires_at: i64) -> i64 {
    expires_at.saturating_sub(OffsetDateTime::now_utc().unix_timestamp()).max(0)
}

fn describe(status: &Status) -> String {
    let gateway = match (&status.gateway_version, status.dev) {
        (Some(version), Some(true)) => format!("answers, version {}, development", printable_line(version)),
        (Some(version), _) => format!("answers, version {}", printable_line(version)),
        (None, _) => "does not answer".to_owned(),
    };
    let login = match &status.principal {
        Some(principal) => whoami::describe(principal),
        None if status.reachable => "nobody; run `hoop login`".to_owned(),
        None => "unknown while the gateway does not answer".to_owned(),
    };
    let mut lines = vec![format!("gateway    {} ({gateway})", status.gateway), format!("logged in  {login}")];
    if let Some(left) = status.token_seconds_left {
        let left = Duration::from_secs(u64::try_from(left).unwrap_or(0));
        lines.push(format!("token      {} left, renewed by itself", crate::login::spoken(left)));
    }
    if let Some(issuer) = &status.issuer {
        lines.push(format!("issuer     {}", printable_line(issuer)));
    }
    if let Some(store) = status.store {
        lines.push(format!("tokens in  {store}"));
    }
    lines.join("\n")
}
