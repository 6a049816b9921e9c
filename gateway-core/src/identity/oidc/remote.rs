//! One issuer over HTTP: its discovery document, what is downloaded from it, and forms that are posted to it.
//!
//! Every answer is bounded, nothing is redirected, and an address of the document is never weaker than its issuer's.

use std::time::Duration;

use reqwest::{RequestBuilder, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use crate::{clock::WallClock, identity::IdentityError};

const MAX_DOCUMENT_BYTES: usize = 256 * 1024;
/// Endpoints older than this are discovered again.
const FRESH_MILLIS: i64 = 10 * 60 * 1_000;
const TIMEOUT: Duration = Duration::from_secs(10);

/// Speaks to one issuer; cheap to clone.
#[derive(Clone)]
pub(super) struct Remote {
    issuer: String,
    client: reqwest::Client,
}

/// What its discovery document says, as far as it is used here. Every address was checked.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Endpoints {
    issuer: String,
    pub(super) jwks_uri: String,
    pub(super) token_endpoint: Option<String>,
    pub(super) device_authorization_endpoint: Option<String>,
    pub(super) revocation_endpoint: Option<String>,
    pub(super) userinfo_endpoint: Option<String>,
    pub(super) token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// What the issuer answered to a form.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
}

impl Remote {
    /// Prepares the client; asks nobody yet. `authorities` are PEM certificates to trust besides the system's.
    pub(super) fn new(issuer: &str, authorities: Option<&[u8]>) -> Result<Self, IdentityError> {
        let settings = IdentityError::Settings;
        check_url(issuer, None).map_err(|why| settings(format!("issuer `{issuer}` {why}")))?;
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .user_agent(concat!("hoop/", env!("CARGO_PKG_VERSION")));
        if let Some(pem) = authorities {
            let certificates = reqwest::Certificate::from_pem_bundle(pem)
                .map_err(|_malformed| settings("ca_file holds no PEM certificates".to_owned()))?;
            builder = builder.tls_certs_merge(certificates);
        }
        let client = builder.build().map_err(|failure| settings(failure.to_string()))?;
        Ok(Self { issuer: issuer.to_owned(), client })
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// SPEC: OpenID Connect Discovery 1.0 §4.
    pub(super) async fn discover(&self) -> Result<Endpoints, IdentityError> {
        let address = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let document = self.download(&address).await?;
        let endpoints: Endpoints = serde_json::from_slice(&document)
            .map_err(|_malformed| unusable("its discovery document is malformed".to_owned()))?;
        if endpoints.issuer != self.issuer {
            return Err(unusable("its discovery document names another issuer".to_owned()));
        }
        let named = [
            ("jwks_uri", Some(&endpoints.jwks_uri)),
            ("token_endpoint", endpoints.token_endpoint.as_ref()),
            ("device_authorization_endpoint", endpoints.device_authorization_endpoint.as_ref()),
            ("revocation_endpoint", endpoints.revocation_endpoint.as_ref()),
            ("userinfo_endpoint", endpoints.userinfo_endpoint.as_ref()),
        ];
        for (name, address) in named {
            let checked = address.map_or(Ok(()), |address| check_url(address, Some(&self.issuer)));
            checked.map_err(|why| unusable(format!("its {name} {why}")))?;
        }
        Ok(endpoints)
    }

    pub(super) async fn download(&self, address: &str) -> Result<Vec<u8>, IdentityError> {
        self.send(self.client.get(address)).await?.said_yes()
    }

    /// Asks with a bearer; whatever comes back is the answer.
    pub(super) async fn ask(
        &self,
        address: &str,
        query: &[(&str, &str)],
        bearer: &SecretString,
    ) -> Result<Answer, IdentityError> {
        self.send(self.client.get(address).query(query).bearer_auth(bearer.expose_secret())).await
    }

    /// Posts a form; whatever the issuer answers is the answer. `client` is an id and secret for HTTP's basic scheme.
    pub(super) async fn post(
        &self,
        address: &str,
        form: &[(&str, &str)],
        client: Option<(&str, &SecretString)>,
    ) -> Result<Answer, IdentityError> {
        let request = self.client.post(address).header(http::header::ACCEPT, "application/json").form(form);
        let request = match client {
            // SPEC: RFC 6749 §2.3.1: both are form-encoded first.
            Some((id, secret)) => request.basic_auth(encoded(id), Some(encoded(secret.expose_secret()))),
            None => request,
        };
        self.send(request).await
    }

    async fn send(&self, request: RequestBuilder) -> Result<Answer, IdentityError> {
        let failed = |failure: reqwest::Error| unusable(reasons(&failure.without_url()));
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_DOCUMENT_BYTES {
                return Err(unusable("its answer is too large".to_owned()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, body })
    }
}

impl Answer {
    /// The body of an answer with status 200.
    pub(super) fn said_yes(self) -> Result<Vec<u8>, IdentityError> {
        if self.status == StatusCode::OK {
            return Ok(self.body);
        }
        Err(unusable(format!("it answered with status {}", self.status.as_u16())))
    }
}

/// An issuer's endpoints, discovered when first needed and again after a while.
pub(super) struct Discovered {
    pub(super) remote: Remote,
    clock: WallClock,
    known: Mutex<Option<(Endpoints, i64)>>,
}

impl Discovered {
    pub(super) fn new(remote: Remote, clock: WallClock) -> Self {
        Self { remote, clock, known: Mutex::new(None) }
    }

    /// The endpoints as they were said within the last ten minutes.
    pub(super) async fn endpoints(&self) -> Result<Endpoints, IdentityError> {
        let now = self.clock.unix_millis();
        let mut known = self.known.lock().await;
        if let Some((endpoints, _at)) = known.as_ref().filter(|(_endpoints, at)| now - at < FRESH_MILLIS) {
            return Ok(endpoints.clone());
        }
        let endpoints = self.remote.discover().await?;
        *known = Some((endpoints.clone(), now));
        Ok(endpoints)
    }
}

fn unusable(why: String) -> IdentityError {
    IdentityError::Unreachable(why)
}

/// The whole chain: that a connection was refused stands at its end.
fn reasons(failure: &reqwest::Error) -> String {
    let chain = std::iter::successors(Some(failure as &dyn std::error::Error), |one| one.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// https, or http on the very machine; an address of the document may not be weaker than its issuer.
pub(super) fn check_url(text: &str, issuer: Option<&str>) -> Result<(), &'static str> {
    let url = Url::parse(text).map_err(|_malformed| "is not a URL")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds credentials");
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(&url) && issuer.is_none_or(|issuer| issuer.starts_with("http:")) => Ok(()),
        _ => Err("must be https; http is for an issuer on this machine only"),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
