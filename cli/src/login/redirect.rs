//! The authorization code grant with PKCE (RFC 8252, RFC 7636): the browser logs in, and comes back to this machine.
//!
//! State, nonce and verifier are made anew for each login and never leave this process but for the issuer.

mod listener;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hoop_gateway_core::api::types::IdentityInfo;
use oauth2::{
    AuthUrl, AuthorizationCode, CsrfToken, PkceCodeChallenge, RedirectUrl, RequestTokenError, Scope,
    basic::BasicErrorResponse,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::Url;

use self::listener::{Expected, Listener, Outcome};
use super::{
    IssuerTokens, Wanted, browser,
    countdown::Countdown,
    discovery,
    issuer::{self, ExchangeError, Issuer},
};
use crate::{context::Context, failure::Failure};

/// Shows an address, waits until the browser comes back from it, and redeems the code that it brings.
pub(super) async fn authorize(
    context: &Context,
    issuer: &Issuer,
    identity: &IdentityInfo,
    wanted: &Wanted<'_>,
) -> Result<IssuerTokens, Failure> {
    let (Some(redirect), Some(endpoint)) = (&identity.redirect_uri, issuer.authorization_endpoint()) else {
        return Err(Failure::failed("a browser cannot log in at this gateway")
            .because("the gateway names no redirect_uri, or its identity provider no authorization endpoint")
            .next("leave --browser out, or ask the gateway's operator for redirect_uri in gateway.toml"));
    };
    let listener = Listener::bind(redirect).await?;
    let client = issuer
        .oauth()
        .set_auth_uri(AuthUrl::from_url(endpoint.clone()))
        .set_redirect_uri(RedirectUrl::from_url(listener.address().clone()));
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let nonce = CsrfToken::new_random();
    let mut question = client
        .authorize_url(CsrfToken::new_random)
        .set_pkce_challenge(challenge)
        .add_scopes(identity.scopes.iter().cloned().map(Scope::new))
        .add_extra_param("nonce", nonce.secret().clone());
    for (name, value) in wanted.parameters() {
        question = question.add_extra_param(name, value);
    }
    if issuer.name() == GOOGLE {
        question = question.add_extra_param("access_type", "offline").add_extra_param("prompt", "consent");
    }
    let (address, state) = question.url();
    show(context, &address, wanted)?;
    let countdown = Countdown::start(&context.output, LONGEST_LOGIN, "the browser");
    let expected = Expected {
        state: SecretString::from(state.into_secret()),
        issuer: issuer.name().to_owned(),
        names_itself: issuer.names_itself(),
    };
    let came_back = tokio::time::timeout(LONGEST_LOGIN, listener.wait(expected)).await;
    countdown.stop();
    let code = match came_back {
        Ok(Outcome::Code(code)) => code,
        Ok(Outcome::Refused { error, description }) => return Err(refusal(issuer, &error, description.as_deref())),
        Ok(Outcome::OtherIssuer) => {
            return Err(Failure::failed("another identity provider answered the login")
                .because(format!("the browser came back from somewhere that is not {}", issuer.name()))
                .next("run `hoop login` again; if it stays, tell the gateway's operator"));
        }
        Err(_elapsed) => {
            return Err(Failure::failed("the browser did not come back in time")
                .because(format!("the login waited for {}", super::spoken(LONGEST_LOGIN)))
                .next("run `hoop login` again, or `hoop login --no-browser` with the browser on another machine"));
        }
    };
    let code = AuthorizationCode::new(code.expose_secret().to_owned());
    let redeemed = client.exchange_code(code).set_pkce_verifier(verifier).request_async(issuer).await;
    let tokens = IssuerTokens::from(redeemed.map_err(|error| unredeemed(issuer, &error))?);
    check_nonce(tokens.id.as_ref(), nonce.secret())?;
    Ok(tokens)
}

/// Gives refresh tokens only to who asks so.
const GOOGLE: &str = "https://accounts.google.com";
/// How long a person may take.
const LONGEST_LOGIN: std::time::Duration = std::time::Duration::from_mins(10);

fn show(context: &Context, address: &Url, wanted: &Wanted<'_>) -> Result<(), Failure> {
    let address = discovery::secure(address.as_str(), "the identity provider's login page")?;
    let output = &context.output;
    if wanted.may_open_browser && !context.no_input && browser::open(&address) {
        output.say(&format!("A browser was asked to open the login page. If none opens, go to\n\n    {address}\n"));
        return Ok(());
    }
    output.say(&format!("To log in, open this address in a browser on this very machine:\n\n    {address}\n"));
    Ok(())
}

fn refusal(issuer: &Issuer, error: &str, description: Option<&str>) -> Failure {
    if error == "access_denied" {
        return Failure::failed("the login was denied").because("somebody answered no at the identity provider");
    }
    Failure::failed(format!("the identity provider {} refused the login", issuer.name()))
        .because(issuer::describe(error, description))
        .next("if it speaks of the redirect_uri, the gateway's operator registers it there (redirect_uri in gateway.toml)")
}

fn unredeemed(issuer: &Issuer, error: &RequestTokenError<ExchangeError, BasicErrorResponse>) -> Failure {
    let RequestTokenError::ServerResponse(answer) = error else { return issuer.failure(error, "finish the login") };
    Failure::failed(format!("the identity provider {} did not take its own code", issuer.name()))
        .because(issuer::describe(answer.error().as_ref(), answer.error_description().map(String::as_str)))
        .next("run `hoop login` again")
}

/// SPEC: OpenID Connect Core §3.1.3.7 (11). The token came from the issuer itself, over TLS; the gateway verifies it.
fn check_nonce(id_token: Option<&SecretString>, nonce: &str) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Claims {
        nonce: Option<String>,
    }
    let Some(token) = id_token else { return Ok(()) };
    let claims = token.expose_secret().split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claims = claims.and_then(|claims| serde_json::from_slice::<Claims>(&claims).ok());
    if claims.and_then(|claims| claims.nonce).as_deref() == Some(nonce) {
        return Ok(());
    }
    Err(Failure::failed("the identity provider answered another login")
        .because("its ID token does not carry this login's nonce")
        .next("run `hoop login` again"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_token_of_another_login_is_refused() {
        let token = |claims: &str| SecretString::from(format!("e30.{}.x", URL_SAFE_NO_PAD.encode(claims)));
        assert!(check_nonce(None, "n").is_ok());
        assert!(check_nonce(Some(&token(r#"{"nonce":"n"}"#)), "n").is_ok());
        for other in [r#"{"nonce":"m"}"#, "{}", r#"{"nonce":["n"]}"#, "no JSON"] {
            assert!(check_nonce(Some(&token(other)), "n").is_err(), "{other}");
        }
        assert!(check_nonce(Some(&SecretString::from("no token")), "n").is_err());
    }
}
