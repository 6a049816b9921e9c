//! Opens one stream: takes a place on a link, asks with CONNECT, and turns the answer into a stream or a typed error.
//!
//! Where a link breaks before the answer, another is tried: nothing of the local client's was sent yet.

use std::time::Duration;

use http::uri::Authority;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::pool::{Pool, Slot};
use super::{LinkState, TokenError, TokenSource};
use crate::link::{CLIENT_ADDRESS_HEADER, LOCAL_PASSWORD_HEADER, LinkStream, StreamGuard, bearer, problem_text};

/// What a stream is asked for.
#[derive(Debug, Clone)]
pub struct StreamRequest {
    /// The connection's name.
    pub connection: String,
    /// Where the local client came from; informational.
    pub client_address: Option<String>,
    /// What the gateway must ask the local client for, where its user was not looked up.
    pub local_password: Option<SecretString>,
}

/// Why a stream was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The gateway does not take the token (401).
    #[error("the gateway does not take the token: {0}")]
    Unauthenticated(String),
    /// There is no token.
    #[error(transparent)]
    Token(TokenError),
    /// Policy refuses (403).
    #[error("refused: {0}")]
    Refused(String),
    /// There is no such connection for this principal (404).
    #[error("no such connection: {0}")]
    NotFound(String),
    /// The gateway or the upstream is not available (503).
    #[error("not available: {0}")]
    Unavailable(String),
    /// No link was up, and none came up in time.
    #[error("the gateway cannot be reached: {0}")]
    Unreachable(String),
    /// The request cannot be written.
    #[error("`{0}` cannot be a connection name")]
    Malformed(String),
    /// The stream broke before it was answered.
    #[error("the link broke before the gateway answered")]
    Broken(#[source] h2::Error),
    /// An answer that is not one of a gateway.
    #[error("the gateway answered {0}, which has no meaning here")]
    Unexpected(StatusCode),
}

pub(super) async fn open(
    pool: &Pool,
    tokens: &dyn TokenSource,
    state: watch::Receiver<LinkState>,
    request: &StreamRequest,
) -> Result<LinkStream, OpenError> {
    let deadline = Instant::now() + PATIENCE;
    let mut broken = 0;
    loop {
        let waited = timeout_at(deadline, place(pool, state.clone())).await;
        let Ok(slot) = waited else { return Err(OpenError::Unreachable(why_not(&state))) };
        let token = tokens.token().await.map_err(OpenError::Token)?;
        let head = head(request, &token)?;
        let slot = slot?;
        let link = slot.link.clone();
        match ask(slot, head).await {
            Err(OpenError::Broken(error)) if broken < RETRIES && may_retry(&error) => {
                broken += 1;
                pool.retire(&link);
            }
            answered => return answered,
        }
    }
}

/// Waits for a place on a link; fails at once where waiting cannot help.
async fn place(pool: &Pool, mut state: watch::Receiver<LinkState>) -> Result<Slot, OpenError> {
    let mut added = pool.added();
    loop {
        added.borrow_and_update();
        if let Some(slot) = pool.take() {
            return Ok(slot);
        }
        match &*state.borrow_and_update() {
            LinkState::Unauthenticated(why) => return Err(OpenError::Unauthenticated(why.clone())),
            LinkState::Closed => return Err(OpenError::Unreachable("the tunnel is closing".into())),
            LinkState::Connected | LinkState::Reconnecting { .. } => {}
        }
        let left = tokio::select! {
            changed = added.changed() => changed,
            changed = state.changed() => changed,
        };
        if left.is_err() {
            return Err(OpenError::Unreachable("the tunnel is closing".into()));
        }
    }
}

async fn ask(slot: Slot, head: Request<()>) -> Result<LinkStream, OpenError> {
    let Slot { link, permit } = slot;
    let mut sender = link.sender.ready().await.map_err(OpenError::Broken)?;
    let (response, send) = sender.send_request(head, false).map_err(OpenError::Broken)?;
    let response = response.await.map_err(OpenError::Broken)?;
    if response.status() == StatusCode::OK {
        return Ok(LinkStream::new(response.into_body(), send, StreamGuard(Some(permit.into()))));
    }
    Err(refusal(&response))
}

fn refusal<T>(response: &Response<T>) -> OpenError {
    let problem = problem_text(response.headers()).unwrap_or_else(|| "the gateway gave no reason".into());
    match response.status() {
        StatusCode::UNAUTHORIZED => OpenError::Unauthenticated(problem),
        StatusCode::FORBIDDEN => OpenError::Refused(problem),
        StatusCode::NOT_FOUND => OpenError::NotFound(problem),
        StatusCode::SERVICE_UNAVAILABLE => OpenError::Unavailable(problem),
        other => OpenError::Unexpected(other),
    }
}

fn head(request: &StreamRequest, token: &SecretString) -> Result<Request<()>, OpenError> {
    let malformed = || OpenError::Malformed(request.connection.clone());
    let authority = Authority::try_from(request.connection.as_str()).map_err(|_invalid| malformed())?;
    let mut head = Request::new(());
    *head.method_mut() = Method::CONNECT;
    *head.uri_mut() = Uri::from(authority);
    let headers = head.headers_mut();
    let value =
        bearer(token).map_err(|_invalid| OpenError::Unauthenticated("the token has characters no token has".into()))?;
    headers.insert(http::header::AUTHORIZATION, value);
    if let Some(address) = &request.client_address {
        headers.insert(CLIENT_ADDRESS_HEADER, HeaderValue::try_from(address).map_err(|_invalid| malformed())?);
    }
    if let Some(password) = &request.local_password {
        let mut value = HeaderValue::try_from(password.expose_secret()).map_err(|_invalid| malformed())?;
        value.set_sensitive(true);
        headers.insert(LOCAL_PASSWORD_HEADER, value);
    }
    Ok(head)
}

/// Whether the link was at fault. Asking again is harmless: not a byte of the local client's was sent yet.
fn may_retry(error: &h2::Error) -> bool {
    !error.is_reset() || error.reason() == Some(h2::Reason::REFUSED_STREAM)
}

fn why_not(state: &watch::Receiver<LinkState>) -> String {
    match &*state.borrow() {
        LinkState::Reconnecting { reason, .. } | LinkState::Unauthenticated(reason) => reason.clone(),
        LinkState::Connected => "every link is full".into(),
        LinkState::Closed => "the tunnel is closing".into(),
    }
}

/// How long a stream waits for a link.
const PATIENCE: Duration = Duration::from_secs(15);
/// Links that may break under one request before it fails.
const RETRIES: u32 = 2;
