//! What requests carry towards an upstream: a header, a login, a token of an authorization server, a signature.
//!
//! Secrets are asked for when a request leaves, and go out in requests only.

use std::{
    fmt,
    time::{Duration, UNIX_EPOCH},
};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{
        PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use super::injected::Injected;
use crate::{
    clock::WallClock,
    config::{HttpCredential, SecretReference, TokenExchange, TokenLogin},
    credential::{CredentialError, Secrets},
    record::{Own, Recorded},
};

/// A token is asked for anew this long before its end, or when half of its life is over.
const EARLY_SECONDS: i64 = 30;
/// How long a token lives where nobody says.
const USUAL_SECONDS: i64 = 300;
const TOKEN_TIMEOUT: Duration = Duration::from_secs(15);
const MOST_TOKEN_BYTES: usize = 64 * 1024;

/// Why a credential could not be put in. Holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum InjectorError {
    /// It cannot stand in a header.
    #[error("the credential of the connection cannot stand in a header")]
    Unwritable,
    /// The gateway has none.
    #[error("the gateway's own credential for this connection cannot be had; tell its operator")]
    Absent(#[source] CredentialError),
    /// The authorization server gave no token.
    #[error("the authorization server of the connection gives no token: {0}")]
    Token(String),
    /// The request could not be signed.
    #[error("the request could not be signed")]
    Unsigned,
}

/// An order to ask the authorization server for a token.
#[derive(Debug)]
pub struct CredentialOrder(());

impl CredentialOrder {
    /// For another token than the one that an upstream did not take.
    pub(super) const fn renewal() -> Self {
        Self(())
    }
}

/// Puts the credential of one connection into requests.
pub struct Injector {
    clock: WallClock,
    secrets: Secrets,
    kind: Kind,
}

enum Kind {
    None,
    Header { name: HeaderName, prefix: String, secret: SecretReference },
    Basic { username: String, secret: SecretReference },
    Token(Box<TokenClient>),
    Aws(Box<Signer>),
}

struct TokenClient {
    client: reqwest::Client,
    url: Url,
    grant: Grant,
    scopes: String,
    /// The gateway's client there, where it has one: its id, its secret and how it says it.
    login: Option<(String, SecretReference, TokenLogin)>,
    /// The token and when another is wanted.
    token: Mutex<Option<(HeaderValue, i64)>>,
}

/// What a token is given for.
enum Grant {
    /// The client itself.
    Client,
    /// Another token. SPEC: RFC 8693, 2.1.
    Exchange { subject: SecretReference, kind: String, audience: Option<String> },
}

struct Signer {
    access_key_id: String,
    secret: SecretReference,
    session_token: Option<SecretReference>,
    region: String,
    service: String,
}

impl fmt::Debug for Injector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Injector").finish_non_exhaustive()
    }
}

impl Injector {
    /// The injector of a connection to `host`.
    pub fn new(
        credential: &HttpCredential,
        secrets: Secrets,
        host: &str,
        clock: WallClock,
    ) -> Result<Self, InjectorError> {
        let kind = match credential {
            HttpCredential::None => Kind::None,
            HttpCredential::Header { name, prefix, secret } => {
                let name = HeaderName::try_from(name.as_str()).map_err(|_invalid| InjectorError::Unwritable)?;
                Kind::Header { name, prefix: prefix.clone(), secret: secret.clone() }
            }
            HttpCredential::Basic { username, secret } => {
                Kind::Basic { username: username.clone(), secret: secret.clone() }
            }
            HttpCredential::OAuth2Client { token_url, client_id, scopes, secret, login } => {
                let login = Some((client_id.clone(), secret.clone(), *login));
                Kind::Token(Box::new(TokenClient::new(token_url, Grant::Client, scopes, login)?))
            }
            HttpCredential::OAuth2Exchange(exchange) => {
                let TokenExchange { token_url, subject_token, subject_token_type, audience, scopes, client } =
                    &**exchange;
                let (subject, kind) = (subject_token.clone(), subject_token_type.clone());
                let grant = Grant::Exchange { subject, kind, audience: audience.clone() };
                let login = client.clone().map(|client| (client.client_id, client.secret, client.login));
                Kind::Token(Box::new(TokenClient::new(token_url, grant, scopes, login)?))
            }
            HttpCredential::AwsSigV4 { access_key_id, region, service, secret, session_token } => {
                let service =
                    service.clone().unwrap_or_else(|| crate::protocol::http::aws::service_of(host).to_owned());
                let (access_key_id, region) = (access_key_id.clone(), region.clone());
                let (secret, session_token) = (secret.clone(), session_token.clone());
                Kind::Aws(Box::new(Signer { access_key_id, secret, session_token, region, service }))
            }
        };
        Ok(Self { clock, secrets, kind })
    }

    async fn secret(&self, reference: &SecretReference) -> Result<SecretString, InjectorError> {
        self.secrets.value(reference).await.map_err(|error| {
            tracing::error!(%error, "a connection has no credential");
            InjectorError::Absent(error)
        })
    }

    /// Whether a token has to be asked for before the next request.
    pub(super) async fn needs_token(&self) -> Option<CredentialOrder> {
        let Kind::Token(client) = &self.kind else { return None };
        let now = self.clock.unix_seconds();
        let token = client.token.lock().await;
        let good = token.as_ref().is_some_and(|(_, until)| *until > now);
        (!good).then_some(CredentialOrder(()))
    }

    /// Whether what it puts in may be had anew, where an upstream does not take it.
    pub(super) fn renews(&self) -> bool {
        matches!(self.kind, Kind::Token(_))
    }

    /// Whether requests are signed as they stand.
    pub(super) fn signs(&self) -> bool {
        matches!(self.kind, Kind::Aws(_))
    }

    /// Asks for a token, and keeps it until shortly before its end.
    pub(super) async fn fetch(&self, order: Recorded<Own<CredentialOrder>>) -> Result<(), InjectorError> {
        let CredentialOrder(()) = order.into_inner().into_message();
        let Kind::Token(client) = &self.kind else { return Ok(()) };
        let mut token = client.token.lock().await;
        let secret = match &client.login {
            Some((_, secret, _)) => Some(self.secret(secret).await?),
            None => None,
        };
        let subject = match &client.grant {
            Grant::Exchange { subject, .. } => Some(self.secret(subject).await?),
            Grant::Client => None,
        };
        *token = Some(client.ask(secret.as_ref(), subject.as_ref(), self.clock.unix_seconds()).await?);
        Ok(())
    }

    /// Puts the credential into a request that is otherwise complete; gives what nobody may hear back.
    pub(super) async fn inject(&self, request: &mut Request<Bytes>) -> Result<Injected, InjectorError> {
        match &self.kind {
            Kind::None => Ok(Injected::default()),
            Kind::Header { name, prefix, secret } => {
                let secret = self.secret(secret).await?;
                let value = hidden(&format!("{prefix}{}", secret.expose_secret()))?;
                request.headers_mut().insert(name.clone(), value);
                let secret = secret.expose_secret();
                Ok(Injected::new([secret, secret.rsplit(' ').next().unwrap_or(secret)]))
            }
            Kind::Basic { username, secret } => {
                let secret = self.secret(secret).await?;
                let login = BASE64.encode(format!("{username}:{}", secret.expose_secret()));
                request.headers_mut().insert(header::AUTHORIZATION, hidden(&format!("Basic {login}"))?);
                Ok(Injected::new([login.as_str(), secret.expose_secret()]))
            }
            Kind::Token(client) => {
                let token = client.token.lock().await;
                let (value, _) = token.as_ref().ok_or_else(|| InjectorError::Token("there is none".to_owned()))?;
                request.headers_mut().insert(header::AUTHORIZATION, value.clone());
                let said = value.to_str().unwrap_or_default();
                Ok(Injected::new([said.strip_prefix("Bearer ").unwrap_or(said)]))
            }
            Kind::Aws(signer) => {
                let secret = self.secret(&signer.secret).await?;
                let session_token = match &signer.session_token {
                    Some(reference) => Some(self.secret(reference).await?.expose_secret().to_owned()),
                    None => None,
                };
                let (key, secret) = (signer.access_key_id.clone(), secret.expose_secret().to_owned());
                let injected = Injected::new([secret.as_str()].into_iter().chain(session_token.as_deref()));
                let credentials = Credentials::new(key, secret, session_token, None, "hoop");
                signer.sign(credentials, request, self.clock.unix_seconds())?;
                Ok(injected)
            }
        }
    }
}

fn hidden(text: &str) -> Result<HeaderValue, InjectorError> {
    let mut value = HeaderValue::try_from(text).map_err(|_invalid| InjectorError::Unwritable)?;
    value.set_sensitive(true);
    Ok(value)
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    #[serde(default)]
    token_type: Option<String>,
    #[serde(default)]
    expires_in: Option<i64>,
}

impl TokenClient {
    fn new(
        url: &Url,
        grant: Grant,
        scopes: &[String],
        login: Option<(String, SecretReference, TokenLogin)>,
    ) -> Result<Self, InjectorError> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TOKEN_TIMEOUT)
            .no_proxy()
            .build()
            .map_err(|error| InjectorError::Token(error.to_string()))?;
        Ok(Self { client, url: url.clone(), grant, scopes: scopes.join(" "), login, token: Mutex::new(None) })
    }

    /// What is sent besides the client's login. SPEC: RFC 6749, 4.4; RFC 8693, 2.1.
    fn form<'asked>(&'asked self, subject: Option<&'asked SecretString>) -> Vec<(&'static str, &'asked str)> {
        let mut form = match (&self.grant, subject) {
            (Grant::Exchange { kind, audience, .. }, Some(subject)) => {
                let asked = [
                    ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
                    ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
                    ("subject_token", subject.expose_secret()),
                    ("subject_token_type", kind),
                ];
                asked.into_iter().chain(audience.as_deref().map(|audience| ("audience", audience))).collect()
            }
            (Grant::Client | Grant::Exchange { .. }, _) => vec![("grant_type", "client_credentials")],
        };
        if !self.scopes.is_empty() {
            form.push(("scope", &self.scopes));
        }
        form
    }

    /// Asks for a token, with the client's login as RFC 6749, 2.3.1 has it.
    async fn ask(
        &self,
        secret: Option<&SecretString>,
        subject: Option<&SecretString>,
        now: i64,
    ) -> Result<(HeaderValue, i64), InjectorError> {
        let failed = |why: &str| InjectorError::Token(why.to_owned());
        let mut form = self.form(subject);
        let request = self.client.post(self.url.clone());
        let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let request = match (&self.login, secret) {
            (Some((id, _, TokenLogin::Basic)), Some(secret)) => {
                request.basic_auth(encoded(id), Some(encoded(secret.expose_secret())))
            }
            (Some((id, _, TokenLogin::Post)), Some(secret)) => {
                form.extend([("client_id", id.as_str()), ("client_secret", secret.expose_secret())]);
                request
            }
            (_, _) => request,
        };
        let answer = request.form(&form).send().await;
        let answer = answer.map_err(|error| failed(if error.is_timeout() { "no answer" } else { "not reachable" }))?;
        if !answer.status().is_success() {
            return Err(failed(&format!("status {}", answer.status())));
        }
        if answer.content_length().is_some_and(|length| length > MOST_TOKEN_BYTES as u64) {
            return Err(failed("the answer is too long"));
        }
        let (mut coming, mut answer) = (answer, Vec::new());
        while let Some(piece) = coming.chunk().await.map_err(|_broken| failed("the answer broke off"))? {
            if answer.len() + piece.len() > MOST_TOKEN_BYTES {
                return Err(failed("the answer is too long"));
            }
            answer.extend_from_slice(&piece);
        }
        let answer: TokenAnswer =
            serde_json::from_slice(&answer).map_err(|_unread| failed("the answer is no token"))?;
        if answer.token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
            return Err(failed("the token is of another type than bearer"));
        }
        let until = now.saturating_add(good_for(answer.expires_in));
        Ok((hidden(&format!("Bearer {}", answer.access_token))?, until))
    }
}

/// For how many seconds a token is used of which the server says that it lives so long: never beyond its life.
fn good_for(expires_in: Option<i64>) -> i64 {
    let life = expires_in.unwrap_or(USUAL_SECONDS).clamp(0, 86_400);
    life - EARLY_SECONDS.min(life - life / 2)
}

impl Signer {
    fn sign(&self, credentials: Credentials, request: &mut Request<Bytes>, now: i64) -> Result<(), InjectorError> {
        let failed = || InjectorError::Unsigned;
        let mut settings = SigningSettings::default();
        if self.service == "s3" {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = aws_sigv4::http_request::PayloadChecksumKind::XAmzSha256;
        }
        let identity = credentials.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(&self.service)
            .time(UNIX_EPOCH + Duration::from_secs(u64::try_from(now).unwrap_or(0)))
            .settings(settings)
            .build()
            .map_err(|_incomplete| failed())?
            .into();
        let headers = request
            .headers()
            .iter()
            .map(|(name, value)| Ok((name.as_str(), value.to_str().map_err(|_not_text| failed())?)))
            .collect::<Result<Vec<_>, InjectorError>>()?;
        let uri = request.uri().to_string();
        let signable = SignableRequest::new(
            request.method().as_str(),
            &uri,
            headers.into_iter(),
            SignableBody::Bytes(request.body()),
        );
        let (instructions, _signature) =
            sign(signable.map_err(|_unsignable| failed())?, &parameters).map_err(|_error| failed())?.into_parts();
        let (added, _parameters) = instructions.into_parts();
        for header in added {
            let mut value = HeaderValue::try_from(header.value()).map_err(|_invalid| failed())?;
            value.set_sensitive(header.sensitive());
            request.headers_mut().insert(header.name(), value);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(grant: Grant, scopes: &[&str]) -> TokenClient {
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        TokenClient::new(&Url::parse("https://idp.example.com/token").unwrap(), grant, &scopes, None).unwrap()
    }

    #[test]
    fn an_exchange_is_asked_for_as_the_standard_words_it() {
        let kind = "urn:ietf:params:oauth:token-type:jwt".to_owned();
        let (subject, audience) = (SecretReference::Environment("T".into()), Some("shop".to_owned()));
        let exchange = client(Grant::Exchange { subject, kind, audience }, &["read", "write"]);
        let given = SecretString::from("a.b.c".to_owned());
        let form = exchange.form(Some(&given));
        let expected = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("subject_token", "a.b.c"),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
            ("audience", "shop"),
            ("scope", "read write"),
        ];
        assert_eq!(form, expected);
        assert_eq!(client(Grant::Client, &[]).form(None), [("grant_type", "client_credentials")]);
    }

    #[test]
    fn a_token_is_never_used_beyond_its_life() {
        assert_eq!([None, Some(3_600), Some(60), Some(1_000_000)].map(good_for), [270, 3_570, 30, 86_370]);
        assert_eq!([Some(40), Some(4), Some(3), Some(1), Some(0), Some(-5)].map(good_for), [20, 2, 1, 0, 0, 0]);
    }
}
