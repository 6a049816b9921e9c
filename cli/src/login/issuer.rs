//! Speaks to one identity provider: discovery, device codes, refresh, revocation. The grants are the `oauth2` crate's.

use std::{fmt, pin::Pin};

use oauth2::{
    AsyncHttpClient, Client, ClientId, ClientSecret, DeviceAuthorizationUrl, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, HttpRequest, HttpResponse, RefreshToken, RequestTokenError, Scope, StandardRevocableToken,
    StandardTokenResponse, TokenResponse as _, TokenUrl,
    basic::{BasicErrorResponse, BasicErrorResponseType, BasicTokenIntrospectionResponse, BasicTokenType},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    IssuerTokens,
    discovery::{self, Metadata},
};
use crate::{
    context::{Context, GatewayUrl},
    failure::Failure,
    http_client::{self, BodyError},
    token_store::StoredLogin,
    trust,
};

/// What OpenID Connect adds to a token answer.
#[derive(Serialize, Deserialize)]
pub(crate) struct OpenIdFields {
    id_token: Option<String>,
}

impl fmt::Debug for OpenIdFields {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OpenIdFields").finish_non_exhaustive()
    }
}

impl oauth2::ExtraTokenFields for OpenIdFields {}

/// A token answer with OpenID Connect's fields.
pub(crate) type Tokens = StandardTokenResponse<OpenIdFields, BasicTokenType>;

/// The `oauth2` client with the endpoints we use.
pub(crate) type OAuthClient = Client<
    BasicErrorResponse,
    Tokens,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    oauth2::basic::BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// Why one exchange with the issuer did not happen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExchangeError {
    /// The request could not be formed.
    #[error("the request could not be formed")]
    Request(#[source] reqwest::Error),
    /// The issuer was not reached.
    #[error("the identity provider was not reached")]
    Unreached(#[source] reqwest::Error),
    /// Its answer did not arrive whole.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// It is overloaded or broken for now.
    #[error("the identity provider answered with status {0}")]
    Busy(u16),
}

/// One identity provider.
#[derive(Debug)]
pub(crate) struct Issuer {
    name: String,
    http: reqwest::Client,
    client_id: String,
    metadata: Metadata,
}

impl Issuer {
    /// Finds the endpoints of `issuer`.
    pub(crate) async fn discover(context: &Context, issuer: &str, client_id: &str) -> Result<Self, Failure> {
        let address = discovery::address(issuer)?;
        let (host, port) = (address.host_str().unwrap_or_default(), address.port_or_known_default().unwrap_or(443));
        let http = http_client::new(trust::issuer_config(&context.directories, host, port)?, host)?;
        let who = format!("the identity provider {issuer}");
        let response = http.get(address).send().await.map_err(|error| http_client::unreachable(&who, error))?;
        if !response.status().is_success() {
            return Err(Failure::unreachable(format!("{who} does not describe itself"))
                .because(format!("its discovery document was answered with status {}", response.status().as_u16()))
                .next("ask the gateway's operator to check [identity] in gateway.toml"));
        }
        let document = http_client::body(response, MAX_ANSWER_BYTES)
            .await
            .map_err(|error| Failure::unreachable(format!("{who} did not finish its answer")).caused_by(&error))?;
        let metadata = discovery::read(issuer, &document)?;
        Ok(Self { name: issuer.to_owned(), http, client_id: client_id.to_owned(), metadata })
    }

    /// The gateway itself, whose device page gives the gateway's own token.
    pub(crate) fn of_gateway(context: &Context, gateway: &GatewayUrl, client_id: &str) -> Result<Self, Failure> {
        let http = http_client::new(trust::client_config(&context.directories, gateway)?, gateway.host())?;
        let endpoint = |path| discovery::secure(&gateway.endpoint(path), "the gateway");
        let metadata = Metadata {
            authorization: None,
            names_itself: false,
            token: endpoint("/api/v1/device/token")?,
            device_authorization: Some(endpoint("/api/v1/device")?),
            revocation: None,
        };
        Ok(Self { name: gateway.to_string(), http, client_id: client_id.to_owned(), metadata })
    }

    /// The issuer of a kept login, spoken with as it was then.
    pub(crate) async fn of_login(
        context: &Context,
        gateway: &GatewayUrl,
        login: &StoredLogin,
    ) -> Result<Self, Failure> {
        let issuer = Self::discover(context, &login.issuer, &login.client_id).await?;
        if login.via_gateway { issuer.through(context, gateway) } else { Ok(issuer) }
    }

    /// The same, asked by the gateway, which adds the client's secret; only its login page is still its own.
    pub(crate) fn through(mut self, context: &Context, gateway: &GatewayUrl) -> Result<Self, Failure> {
        self.http = http_client::new(trust::client_config(&context.directories, gateway)?, gateway.host())?;
        let at = |name: &str| {
            Url::parse(&gateway.endpoint(&format!("/api/v1/issuer/{name}")))
                .map_err(|error| Failure::internal("the gateway's address was lost").caused_by(&error))
        };
        self.metadata.token = at("token")?;
        self.metadata.device_authorization =
            self.metadata.device_authorization.map(|_theirs| at("device")).transpose()?;
        self.metadata.revocation = self.metadata.revocation.map(|_theirs| at("revoke")).transpose()?;
        Ok(self)
    }

    /// Where a person's browser logs in.
    pub(crate) const fn authorization_endpoint(&self) -> Option<&Url> {
        self.metadata.authorization.as_ref()
    }

    /// Whether it says who it is when a browser comes back.
    pub(crate) const fn names_itself(&self) -> bool {
        self.metadata.names_itself
    }

    /// Its name, which is its address.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it can give codes to devices.
    pub(crate) const fn gives_device_codes(&self) -> bool {
        self.metadata.device_authorization.is_some()
    }

    /// The `oauth2` client for it.
    pub(crate) fn oauth(&self) -> OAuthClient {
        let device = self.metadata.device_authorization.clone().map(DeviceAuthorizationUrl::from_url);
        Client::new(ClientId::new(self.client_id.clone()))
            .set_auth_type(oauth2::AuthType::RequestBody)
            .set_token_uri(TokenUrl::from_url(self.metadata.token.clone()))
            .set_device_authorization_url_option(device)
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, ExchangeError> {
        let request = reqwest::Request::try_from(request).map_err(ExchangeError::Request)?;
        let response =
            self.http.execute(request).await.map_err(|error| ExchangeError::Unreached(error.without_url()))?;
        let status = response.status();
        let headers = response.headers().clone();
        let body = http_client::body(response, MAX_ANSWER_BYTES).await?;
        // Some providers say `slow_down` with status 429; that one is an answer.
        if status.is_server_error() || (status.as_u16() == 429 && !body.starts_with(b"{")) {
            return Err(ExchangeError::Busy(status.as_u16()));
        }
        let mut answer = HttpResponse::new(body);
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        Ok(answer)
    }

    /// New tokens for a refresh token. A refusal is a login that ended; the network is not.
    pub(crate) async fn refresh(&self, refresh_token: &SecretString) -> Result<IssuerTokens, Failure> {
        let refresh_token = RefreshToken::new(refresh_token.expose_secret().to_owned());
        let outcome = self.oauth().exchange_refresh_token(&refresh_token).request_async(self).await;
        outcome.map(IssuerTokens::from).map_err(|error| self.refresh_failure(&error))
    }

    /// A token for the client itself, by its secret.
    pub(crate) async fn client_token(
        &self,
        secret: &SecretString,
        scope: Option<&str>,
    ) -> Result<SecretString, Failure> {
        let client = self.oauth().set_client_secret(ClientSecret::new(secret.expose_secret().to_owned()));
        let asked = client.exchange_client_credentials();
        let asked = scope.into_iter().fold(asked, |asked, scope| asked.add_scope(Scope::new(scope.to_owned())));
        let tokens = asked.request_async(self).await.map_err(|error| {
            let RequestTokenError::ServerResponse(answer) = &error else {
                return self.failure(&error, "log the client in");
            };
            Failure::not_logged_in(format!("the identity provider gives the client {} no token", self.client_id))
                .because(describe(answer.error().as_ref(), answer.error_description().map(String::as_str)))
                .next("check the client's id, its secret, and that it may use client credentials")
        })?;
        Ok(IssuerTokens::from(tokens).access)
    }

    /// Revokes a refresh token. `false` where the issuer has no way to.
    pub(crate) async fn revoke(&self, refresh_token: &SecretString) -> Result<bool, Failure> {
        let Some(endpoint) = self.metadata.revocation.clone() else { return Ok(false) };
        let form = [
            ("token", refresh_token.expose_secret()),
            ("token_type_hint", "refresh_token"),
            ("client_id", &self.client_id),
        ];
        let who = format!("the identity provider {}", self.name);
        let sent = self.http.post(endpoint).form(&form).send().await;
        let status = sent.map_err(|error| http_client::unreachable(&who, error))?.status();
        if status.is_success() {
            return Ok(true);
        }
        Err(Failure::failed(format!("{who} did not revoke the login"))
            .because(format!("it answered with status {}", status.as_u16())))
    }

    fn refresh_failure(&self, error: &RequestTokenError<ExchangeError, BasicErrorResponse>) -> Failure {
        let RequestTokenError::ServerResponse(answer) = error else { return self.failure(error, "renew the login") };
        let failure = if matches!(answer.error(), BasicErrorResponseType::InvalidGrant) {
            Failure::not_logged_in("the login has ended")
        } else {
            Failure::not_logged_in("the identity provider does not renew the login")
        };
        failure.because(describe(answer.error().as_ref(), answer.error_description().map(String::as_str)))
    }

    /// Any other trouble with the issuer, in our words.
    pub(crate) fn failure<E: oauth2::ErrorResponse + 'static>(
        &self,
        error: &RequestTokenError<ExchangeError, E>,
        purpose: &str,
    ) -> Failure {
        match error {
            RequestTokenError::Request(cause) => {
                Failure::unreachable(format!("the identity provider {} could not be asked to {purpose}", self.name))
                    .caused_by(cause)
                    .next("check the network, then try again")
            }
            // Neither may be quoted: an answer that does not parse can hold tokens.
            RequestTokenError::Parse(..) => self.nonsense("its answer is not what OAuth 2.0 says"),
            RequestTokenError::Other(_) => self.nonsense("its answer is empty or has another content type"),
            RequestTokenError::ServerResponse(_) => self.nonsense("it refused the request"),
        }
    }

    fn nonsense(&self, why: &str) -> Failure {
        Failure::failed(format!("the identity provider {} gave no usable answer", self.name))
            .because(why)
            .next("ask the gateway's operator to check [identity] in gateway.toml")
    }
}

/// Sends requests for the `oauth2` crate. Overload is an error here, so that polling backs off.
impl<'issuer> AsyncHttpClient<'issuer> for Issuer {
    type Error = ExchangeError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, ExchangeError>> + Send + 'issuer>>;

    fn call(&'issuer self, request: HttpRequest) -> Self::Future {
        Box::pin(self.exchange(request))
    }
}

impl From<Tokens> for IssuerTokens {
    fn from(tokens: Tokens) -> Self {
        let id = tokens.extra_fields().id_token.clone().map(SecretString::from);
        Self {
            access: tokens.access_token().secret().clone().into(),
            id,
            refresh: tokens.refresh_token().map(|token| token.secret().clone().into()),
        }
    }
}

/// An OAuth error and its description, safe to print.
pub(crate) fn describe(error: &str, description: Option<&str>) -> String {
    match description {
        Some(description) => format!("{}: {}", super::quoted(error), super::quoted(description)),
        None => super::quoted(error),
    }
}

/// Far above any discovery document or token answer.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;
