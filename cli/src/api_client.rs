//! Speaks the gateway's HTTP API: bearer, bounds, and problems turned into failures with the right exit status.
//!
//! [`Api`] is what commands use: it is logged in, and renews its token once when the gateway does not take it any more.

mod events;
mod lines;
mod messages;

pub(crate) use self::{
    events::{Events, Feed, pause},
    lines::Lines,
    messages::Messages,
};

use hoop_gateway_core::{
    api::types::{GatewayInfo, Health, Problem, STEP_UP_REQUIRED, TokenRequest, TokenResponse, Whoami},
    model::StepUp,
};
use reqwest::{Method, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    context::{Context, GatewayUrl},
    failure::{Failure, FailureKind},
    http_client,
    login::Login,
    trust,
};

/// A client without a login: what anybody may ask a gateway.
#[derive(Debug, Clone)]
pub(crate) struct ApiClient {
    http: reqwest::Client,
    gateway: GatewayUrl,
}

/// A client with a login.
#[derive(Debug)]
pub(crate) struct Api {
    client: ApiClient,
    login: Login,
}

/// A request that can be sent again: after a renewal the same one goes out.
struct Call<'call, B> {
    method: Method,
    path: &'call str,
    query: &'call [(&'call str, &'call str)],
    body: Option<&'call B>,
}

impl ApiClient {
    /// A client for the gateway that the context means.
    pub(crate) fn new(context: &Context) -> Result<Self, Failure> {
        Self::for_gateway(context, &context.gateway()?)
    }

    /// A client for `gateway`.
    pub(crate) fn for_gateway(context: &Context, gateway: &GatewayUrl) -> Result<Self, Failure> {
        let http = http_client::new(trust::client_config(&context.directories, gateway)?, gateway.host())?;
        Ok(Self { http, gateway: gateway.clone() })
    }

    /// The gateway spoken to.
    pub(crate) const fn gateway(&self) -> &GatewayUrl {
        &self.gateway
    }

    /// `GET /api/v1/gateway`: how to log in there.
    pub(crate) async fn gateway_info(&self) -> Result<GatewayInfo, Failure> {
        self.send(self.http.get(self.gateway.endpoint("/api/v1/gateway"))).await
    }

    /// `GET /api/v1/health`. A gateway of which something does not work says so with another status, and still answers.
    pub(crate) async fn health(&self) -> Result<Health, Failure> {
        let who = self.name();
        let request = self.http.get(self.gateway.endpoint("/api/v1/health"));
        let response = request.send().await.map_err(|error| http_client::unreachable(&who, error))?;
        let body = http_client::body(response, MAX_ANSWER_BYTES)
            .await
            .map_err(|error| Failure::unreachable(format!("{who} did not finish its answer")).caused_by(&error))?;
        self.read(&body)
    }

    /// `POST /api/v1/token`: the gateway's own token for the issuer's.
    pub(crate) async fn exchange(&self, proof: &TokenRequest) -> Result<TokenResponse, Failure> {
        self.send(self.http.post(self.gateway.endpoint("/api/v1/token")).json(proof)).await
    }

    /// A token of the gateway's with whose it is, and until when.
    pub(crate) async fn with_principal(&self, token: SecretString) -> Result<TokenResponse, Failure> {
        let request = self.http.get(self.gateway.endpoint("/api/v1/whoami")).bearer_auth(token.expose_secret());
        let Whoami { principal, expires_at } = self.send(request).await?;
        Ok(TokenResponse { token: token.expose_secret().to_owned(), expires_at, principal })
    }

    async fn call<B: Serialize>(&self, call: &Call<'_, B>, token: &SecretString) -> Result<Vec<u8>, Failure> {
        let mut request = self
            .http
            .request(call.method.clone(), self.gateway.endpoint(call.path))
            .query(call.query)
            .bearer_auth(token.expose_secret());
        if let Some(body) = call.body {
            request = request.json(body);
        }
        self.exchange_bytes(request).await
    }

    /// An answer that goes on; a refusal of it is read whole.
    async fn open_stream(
        &self,
        path: &str,
        query: &[(&str, &str)],
        accept: &'static str,
        token: &SecretString,
    ) -> Result<reqwest::Response, Failure> {
        let who = self.name();
        let request = self
            .http
            .get(self.gateway.endpoint(path))
            .query(query)
            .bearer_auth(token.expose_secret())
            .header(reqwest::header::ACCEPT, accept)
            .timeout(messages::LONGEST);
        let sent = tokio::time::timeout(STREAM_PATIENCE, request.send()).await;
        let response = sent
            .map_err(|_elapsed| Failure::unreachable(format!("{who} did not answer in time")))?
            .map_err(|error| http_client::unreachable(&who, error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = http_client::body(response, MAX_ANSWER_BYTES).await.unwrap_or_default();
        Err(problem(status, &body, &who))
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Failure> {
        let body = self.exchange_bytes(request).await?;
        self.read(&body)
    }

    async fn exchange_bytes(&self, request: RequestBuilder) -> Result<Vec<u8>, Failure> {
        let who = self.name();
        let response = request.send().await.map_err(|error| http_client::unreachable(&who, error))?;
        let status = response.status();
        let body = http_client::body(response, MAX_ANSWER_BYTES)
            .await
            .map_err(|error| Failure::unreachable(format!("{who} did not finish its answer")).caused_by(&error))?;
        if status.is_success() { Ok(body) } else { Err(problem(status, &body, &who)) }
    }

    fn read<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, Failure> {
        // An empty answer reads as null, for calls that return nothing.
        read(if body.is_empty() { b"null".as_slice() } else { body }, &self.name())
    }

    fn name(&self) -> String {
        format!("the gateway {}", self.gateway)
    }
}

impl Api {
    /// A client with the stored login; fails with status 4 where there is none.
    pub(crate) async fn new(context: &Context) -> Result<Self, Failure> {
        let client = ApiClient::new(context)?;
        let login = Login::load(context, client.gateway()).await?;
        Ok(Self { client, login })
    }

    /// `GET path`; `path` is ours and starts with a slash.
    pub(crate) async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, Failure> {
        self.get_with(path, &[]).await
    }

    /// `GET path?query`.
    pub(crate) async fn get_with<T: DeserializeOwned>(
        &mut self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, Failure> {
        let body = self.call(&Call::<()> { method: Method::GET, path, query, body: None }).await?;
        self.client.read(&body)
    }

    /// `GET path`, answered with one JSON value a line, all of them.
    pub(crate) async fn get_lines<T: DeserializeOwned>(&mut self, path: &str) -> Result<Vec<T>, Failure> {
        let (mut lines, mut all) = (self.lines(path).await?, Vec::new());
        while let Some(one) = lines.next().await? {
            all.push(one);
        }
        Ok(all)
    }

    /// The same, one after the other.
    pub(crate) async fn lines(&mut self, path: &str) -> Result<Lines, Failure> {
        let response = self.open(path, &[], "application/x-ndjson").await?;
        Ok(Lines::of(response, self.client.name()))
    }

    /// `POST path` with a JSON body.
    pub(crate) async fn post<B: Serialize, T: DeserializeOwned>(&mut self, path: &str, body: &B) -> Result<T, Failure> {
        let body = self.call(&Call { method: Method::POST, path, query: &[], body: Some(body) }).await?;
        self.client.read(&body)
    }

    /// `GET path?query`, answered with events until either side ends it.
    pub(crate) async fn stream(&mut self, path: &str, query: &[(&str, &str)]) -> Result<Messages, Failure> {
        self.open(path, query, "text/event-stream").await.map(Messages::of)
    }

    async fn open(
        &mut self,
        path: &str,
        query: &[(&str, &str)],
        accept: &'static str,
    ) -> Result<reqwest::Response, Failure> {
        let token = self.login.token().await?;
        match self.client.open_stream(path, query, accept, &token).await {
            Err(failure) if failure.kind() == FailureKind::NotLoggedIn => {
                let token = self.login.renewed_token().await?;
                self.client.open_stream(path, query, accept, &token).await
            }
            outcome => outcome,
        }
    }

    async fn call<B: Serialize>(&mut self, call: &Call<'_, B>) -> Result<Vec<u8>, Failure> {
        let token = self.login.token().await?;
        match self.client.call(call, &token).await {
            Err(failure) if failure.kind() == FailureKind::NotLoggedIn => {
                let token = self.login.renewed_token().await?;
                self.client.call(call, &token).await
            }
            outcome => outcome,
        }
    }
}

/// How long the beginning of an answer that goes on may take.
const STREAM_PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// Sessions with many operations are the longest answers.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// One JSON value of the gateway's.
fn read<T: DeserializeOwned>(body: &[u8], who: &str) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| {
        Failure::failed(format!("{who} gave an answer that this hoop does not understand"))
            .because(format!("{:?} at column {}", error.classify(), error.column()))
            .next("compare `hoop --version` with the gateway's, in `hoop status`")
    })
}

fn problem(status: StatusCode, body: &[u8], who: &str) -> Failure {
    let problem = serde_json::from_slice::<Problem>(body).ok();
    let kind = match status {
        StatusCode::UNAUTHORIZED => FailureKind::NotLoggedIn,
        StatusCode::FORBIDDEN => FailureKind::Refused,
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            FailureKind::Unreachable
        }
        _ => FailureKind::Failed,
    };
    let Some(problem) = problem else {
        let failure = Failure::new(kind, format!("{who} answered with status {}", status.as_u16()));
        return if kind == FailureKind::NotLoggedIn { failure.next(LOG_IN) } else { failure };
    };
    let mut failure = Failure::new(kind, lower_first(&problem.title));
    if problem.kind.as_deref() == Some(STEP_UP_REQUIRED) {
        failure = failure.wanting(StepUp { max_age_seconds: problem.max_age_seconds, acr: problem.acr });
    }
    if let Some(detail) = problem.detail {
        failure = failure.because(detail);
    }
    if let Some(rule) = problem.rule {
        failure = failure.because(format!("rule {rule}"));
    }
    for one in &problem.problems {
        failure = failure.because(crate::site::problem(one));
    }
    match problem.hint {
        Some(hint) => failure.next(hint),
        None if kind == FailureKind::NotLoggedIn => failure.next(LOG_IN),
        None => failure,
    }
}

const LOG_IN: &str = "run `hoop login`";

/// Our failures begin in lower case; a title such as `API …` keeps its capitals.
fn lower_first(title: &str) -> String {
    let mut characters = title.chars();
    match (characters.next(), characters.next()) {
        (Some(first), Some(second)) if second.is_lowercase() || second.is_whitespace() => {
            first.to_lowercase().chain([second]).chain(characters).collect()
        }
        _ => title.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_becomes_a_failure_with_rule_and_next_step() {
        let body =
            br#"{"title":"Not yours to review","status":403,"detail":"you asked for it yourself","rule":"four-eyes"}"#;
        let failure = problem(StatusCode::FORBIDDEN, body, "the gateway");
        assert_eq!(failure.kind(), FailureKind::Refused);
        assert_eq!(failure.what(), "not yours to review");
        assert_eq!(failure.why(), ["you asked for it yourself", "rule four-eyes"]);
    }

    #[test]
    fn a_step_up_that_is_wanted_is_told_apart_from_other_refusals() {
        let body = br#"{"type":"/problems/step-up-required","title":"x","status":403,"max_age_seconds":900}"#;
        let failure = problem(StatusCode::FORBIDDEN, body, "the gateway");
        assert_eq!(failure.step_up(), Some(&StepUp { max_age_seconds: Some(900), acr: None }));
        let body = br#"{"title":"x","status":403,"max_age_seconds":900}"#;
        assert_eq!(problem(StatusCode::FORBIDDEN, body, "the gateway").step_up(), None);
    }

    #[test]
    fn an_answer_without_a_problem_is_still_understood() {
        let failure = problem(StatusCode::UNAUTHORIZED, b"<html>", "the gateway");
        assert_eq!((failure.kind(), failure.next_step()), (FailureKind::NotLoggedIn, Some(LOG_IN)));
        let failure = problem(StatusCode::BAD_GATEWAY, b"", "the gateway");
        assert_eq!(failure.kind(), FailureKind::Unreachable);
    }
}
