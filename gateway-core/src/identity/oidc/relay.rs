//! Speaks with the issuer for the CLI where the client has a secret: the CLI's request, with the secret added here.
//!
//! Only the three grants of a person's login pass, with the parameters that they have and no other. What the issuer
//! answers goes back as it is; the secret goes nowhere but to the issuer.

use std::{collections::BTreeMap, net::IpAddr};

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::remote::{Answer, Discovered, Endpoints};
use crate::{
    config::SecretReference,
    credential::Secrets,
    identity::{IdentityError, network::Places},
};

/// Requests to the issuer at once, in all and from one network: anybody may ask, so that nobody can have us flood it or
/// keep others from it.
const MOST_AT_ONCE: usize = 32;
const MOST_OF_ONE: usize = 12;
const MAX_PARAMETERS: usize = 16;

/// What the CLI wants of the issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssuerCall {
    /// A code for a device (RFC 8628).
    Device,
    /// Tokens, for a code or a refresh token.
    Token,
    /// The end of a refresh token (RFC 7009).
    Revoke,
}

/// The issuer's answer, as it is.
#[derive(Debug)]
pub struct IssuerAnswer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Vec<u8>,
}

/// Why the issuer was not asked.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The CLI speaks with the issuer itself.
    #[error("this gateway's client has no secret: the CLI speaks with the identity provider itself")]
    NotNeeded,
    /// The request is none that a login has.
    #[error("{0}")]
    Malformed(&'static str),
    /// Too many ask at once.
    #[error("too many logins at once")]
    Busy,
    /// The issuer, or the secret, cannot be had.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// Asks the issuer as the confidential client.
pub(super) struct Relay {
    issuer: Discovered,
    client_id: String,
    secret: SecretReference,
    secrets: Secrets,
    places: Places,
}

impl Relay {
    pub(super) fn new(issuer: Discovered, client_id: String, secret: SecretReference, secrets: Secrets) -> Self {
        Self { issuer, client_id, secret, secrets, places: Places::new(MOST_AT_ONCE, MOST_OF_ONE) }
    }

    /// Adds the client and its secret to a form of the CLI's, and asks.
    pub(super) async fn ask(
        &self,
        call: IssuerCall,
        form: &[u8],
        from: Option<IpAddr>,
    ) -> Result<IssuerAnswer, RelayError> {
        let form = admitted(call, form).map_err(RelayError::Malformed)?;
        let _place = self.places.enter(from).ok_or(RelayError::Busy)?;
        // Read anew each time, so that a rotated secret is used at once.
        let secret = self.secrets.value(&self.secret).await;
        let secret = secret.map_err(|error| IdentityError::Settings(error.to_string()))?;
        let endpoints = self.issuer.endpoints().await?;
        let address = match call {
            IssuerCall::Device => endpoints.device_authorization_endpoint.as_deref(),
            IssuerCall::Token => endpoints.token_endpoint.as_deref(),
            IssuerCall::Revoke => endpoints.revocation_endpoint.as_deref(),
        };
        let address = address.ok_or(RelayError::Malformed("the identity provider has no endpoint for this"))?;
        let Answer { status, body } = self.post(address, &form, &secret, &endpoints).await?;
        Ok(IssuerAnswer { status: status.as_u16(), body })
    }

    async fn post(
        &self,
        address: &str,
        form: &BTreeMap<String, String>,
        secret: &SecretString,
        endpoints: &Endpoints,
    ) -> Result<Answer, IdentityError> {
        let mut all: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        all.push(("client_id", &self.client_id));
        // SPEC: OpenID Connect Discovery 1.0 §3: client_secret_basic where the issuer does not say.
        let methods = endpoints.token_endpoint_auth_methods_supported.as_deref();
        let by_post = methods.is_some_and(|methods| {
            methods.iter().any(|one| one == "client_secret_post")
                && !methods.iter().any(|one| one == "client_secret_basic")
        });
        if by_post {
            all.push(("client_secret", secret.expose_secret()));
            return self.issuer.remote.post(address, &all, None).await;
        }
        self.issuer.remote.post(address, &all, Some((&self.client_id, secret))).await
    }
}

/// The parameters of a login, each at most once; `client_id` is ours and left out.
fn admitted(call: IssuerCall, form: &[u8]) -> Result<BTreeMap<String, String>, &'static str> {
    let mut given = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(form).into_owned() {
        if given.len() >= MAX_PARAMETERS || given.insert(name, value).is_some() {
            return Err("a parameter stands twice, or there are too many");
        }
    }
    given.remove("client_id");
    let grant = given.get("grant_type").map(String::as_str);
    let allowed: &[&str] = match (call, grant) {
        (IssuerCall::Device, None) => &["scope", "max_age", "acr_values", "login_hint"],
        (IssuerCall::Revoke, None) => &["token", "token_type_hint"],
        (IssuerCall::Token, Some("urn:ietf:params:oauth:grant-type:device_code")) => &["grant_type", "device_code"],
        (IssuerCall::Token, Some("refresh_token")) => &["grant_type", "refresh_token", "scope"],
        (IssuerCall::Token, Some("authorization_code")) => {
            // FAIL-CLOSED: with the secret added here, only the verifier tells who began the login.
            if given.get("code_verifier").is_none_or(|verifier| verifier.len() < 43) {
                return Err("an authorization code is redeemed with its PKCE verifier only");
            }
            if !given.get("redirect_uri").is_some_and(|address| is_loopback(address)) {
                return Err("an authorization code is redeemed for a loopback redirect_uri only");
            }
            &["grant_type", "code", "redirect_uri", "code_verifier"]
        }
        _ => return Err("this grant is none of a person's login"),
    };
    if given.keys().any(|name| !allowed.contains(&name.as_str())) {
        return Err("a parameter is none of this request's");
    }
    Ok(given)
}

fn is_loopback(address: &str) -> bool {
    let url = Url::parse(address);
    url.is_ok_and(|url| url.scheme() == "http" && matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(call: IssuerCall, form: &str) -> bool {
        admitted(call, form.as_bytes()).is_ok()
    }

    #[test]
    fn a_persons_grants_pass_with_their_parameters_and_nothing_else() {
        let verifier = "v".repeat(43);
        let code =
            format!("grant_type=authorization_code&code=c&redirect_uri=http://127.0.0.1:1/x&code_verifier={verifier}");
        assert!(passes(IssuerCall::Token, &code));
        assert!(passes(IssuerCall::Token, "grant_type=refresh_token&refresh_token=r&client_id=other"));
        assert!(passes(IssuerCall::Device, "scope=openid+groups&client_id=hoop-cli"));
        assert!(passes(IssuerCall::Revoke, "token=r&token_type_hint=refresh_token"));
        for refused in [
            "grant_type=client_credentials",
            "grant_type=password&username=a&password=b",
            "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token=t",
            "grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=t",
            "grant_type=refresh_token&refresh_token=r&resource=urn:other",
            "grant_type=refresh_token&grant_type=client_credentials&refresh_token=r",
            "grant_type=refresh_token&refresh_token=r&client_secret=s",
            "grant_type=authorization_code&code=c&redirect_uri=http://127.0.0.1:1/x",
            &code.replace("127.0.0.1", "evil.example"),
            "",
        ] {
            assert!(!passes(IssuerCall::Token, refused), "{refused}");
        }
        assert!(!passes(IssuerCall::Device, "grant_type=refresh_token&refresh_token=r"));
    }

    #[test]
    fn the_clients_name_is_the_gateways() {
        let form = admitted(IssuerCall::Device, b"scope=openid&client_id=other").unwrap();
        assert_eq!(form.keys().collect::<Vec<_>>(), ["scope"]);
    }
}
