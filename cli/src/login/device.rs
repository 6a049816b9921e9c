//! The device authorization grant (RFC 8628): shows the code, waits as the provider wishes, ends in tokens or a reason.

use std::{future::Future, time::Duration};

use oauth2::{
    AsyncHttpClient, DeviceCodeErrorResponse, DeviceCodeErrorResponseType, RequestTokenError, Scope,
    StandardDeviceAuthorizationResponse,
};

use super::{
    IssuerTokens, Wanted, browser,
    countdown::Countdown,
    discovery,
    issuer::{self, ExchangeError, Issuer, OAuthClient, Tokens},
};
use crate::{context::Context, failure::Failure, output::printable_line};

/// Asks for a code, shows it, and waits until the person confirmed it somewhere.
pub(super) async fn authorize(
    context: &Context,
    issuer: &Issuer,
    scopes: &[String],
    wanted: &Wanted<'_>,
) -> Result<IssuerTokens, Failure> {
    if !issuer.gives_device_codes() {
        return Err(Failure::failed(format!("the identity provider {} has no device login", issuer.name()))
            .because("its discovery document names no device_authorization_endpoint")
            .next("ask its administrator to allow the device authorization grant (RFC 8628)"));
    }
    let oauth = issuer.oauth();
    let mut question = oauth
        .exchange_device_code()
        .map_err(|error| Failure::internal("the device endpoint was lost").caused_by(&error))?
        .add_scopes(scopes.iter().cloned().map(Scope::new));
    for (name, value) in wanted.parameters() {
        question = question.add_extra_param(name, value);
    }
    let asked = question.request_async(issuer).await;
    let authorization: StandardDeviceAuthorizationResponse =
        asked.map_err(|error| issuer.failure(&error, "begin a login"))?;
    show(context, &authorization, wanted.may_open_browser)?;
    let countdown = Countdown::start(&context.output, authorization.expires_in(), "the confirmation");
    let outcome = poll(&oauth, &authorization, issuer, tokio::time::sleep).await;
    countdown.stop();
    outcome.map(IssuerTokens::from).map_err(|error| refusal(issuer, &error))
}

/// Polls for the tokens: waits `interval` before the first question too, longer after `slow_down` and after trouble.
async fn poll<'http, C, S, F>(
    oauth: &'http OAuthClient,
    authorization: &'http StandardDeviceAuthorizationResponse,
    http: &'http C,
    sleep: S,
) -> Result<Tokens, RequestTokenError<C::Error, DeviceCodeErrorResponse>>
where
    C: AsyncHttpClient<'http>,
    S: Fn(Duration) -> F + 'http,
    F: Future<Output = ()>,
{
    let patient = move |wanted: Duration| sleep(wanted.max(SHORTEST_INTERVAL));
    patient(authorization.interval()).await;
    oauth
        .exchange_device_access_token(authorization)
        .set_max_backoff_interval(authorization.interval().max(LONGEST_BACKOFF))
        .request_async(http, patient, Some(authorization.expires_in().min(LONGEST_LOGIN)))
        .await
}

/// A provider that says 0 does not get a busy loop.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);
/// A provider that says a year does not get one.
const LONGEST_LOGIN: Duration = Duration::from_hours(1);

fn show(
    context: &Context,
    authorization: &StandardDeviceAuthorizationResponse,
    may_open_browser: bool,
) -> Result<(), Failure> {
    let plain = discovery::secure(authorization.verification_uri(), "the identity provider's login page")?;
    let complete = authorization.verification_uri_complete().map(|address| address.secret().as_str());
    let complete =
        complete.map(|address| discovery::secure(address, "the identity provider's login page")).transpose()?;
    let code = printable_line(authorization.user_code().secret());
    let output = &context.output;
    output.say(&match &complete {
        Some(complete) => format!(
            "To log in, open this address in any browser and check that it shows the code {code}:\n\n    {complete}\n\n\
             or open {plain} and enter the code.\n"
        ),
        None => format!("To log in, open this address in any browser and enter the code {code}:\n\n    {plain}\n"),
    });
    if may_open_browser && !context.no_input && browser::open(complete.as_ref().unwrap_or(&plain)) {
        output.say("A browser was asked to open it.");
    }
    Ok(())
}

fn refusal(issuer: &Issuer, error: &RequestTokenError<ExchangeError, DeviceCodeErrorResponse>) -> Failure {
    let RequestTokenError::ServerResponse(answer) = error else { return issuer.failure(error, "finish the login") };
    let said = answer.error();
    if *said == DeviceCodeErrorResponseType::AccessDenied {
        return Failure::failed("the login was denied").because("somebody answered no at the identity provider");
    }
    if *said == DeviceCodeErrorResponseType::ExpiredToken {
        return Failure::failed("the code was not confirmed in time")
            .because("it expired")
            .next("run `hoop login` again");
    }
    Failure::failed(format!("the identity provider {} refused the login", issuer.name()))
        .because(issuer::describe(said.as_ref(), answer.error_description().map(String::as_str)))
}

#[cfg(test)]
mod tests;
