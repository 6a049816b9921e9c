//! The only way requests reach an upstream over HTTP: those that are permitted and recorded, with the credential of the
//! connection put in at the last moment.
//!
//! Law 1 is carried by the types: [`HttpOutlet::send`] takes only `Recorded<Permitted<HttpRequest>>`.
//!
//! ```compile_fail
//! # use hoop_gateway_core::{upstream::HttpOutlet, protocol::http::message::HttpRequest, upstream::Marks};
//! async fn forward(outlet: &HttpOutlet, request: HttpRequest, marks: &Marks) {
//!     outlet.send(request, marks).await; // neither decided nor recorded
//! }
//! ```
//! ```compile_fail
//! # use hoop_gateway_core::{upstream::HttpOutlet, policy::Permitted, protocol::http::message::HttpRequest, upstream::Marks};
//! async fn forward(outlet: &HttpOutlet, request: Permitted<HttpRequest>, marks: &Marks) {
//!     outlet.send(request, marks).await; // decided, not recorded
//! }
//! ```
//! ```
//! # use hoop_gateway_core::{upstream::HttpOutlet, policy::Permitted, record::Recorded, upstream::Marks};
//! # use hoop_gateway_core::protocol::http::message::HttpRequest;
//! async fn forward(outlet: &HttpOutlet, request: Recorded<Permitted<HttpRequest>>, marks: &Marks) {
//!     drop(outlet.send(request, marks).await);
//! }
//! ```

mod channel;
mod credential;
mod injected;
mod outgoing;
mod steady;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;

use self::{channel::Channels, outgoing::Outgoing};
pub use self::{
    credential::{CredentialOrder, Injector, InjectorError},
    injected::{Cover, Injected},
};
use super::{DialError, Target};
use crate::{
    config::HttpSettings,
    policy::Permitted,
    protocol::http::message::{Carriage, HttpRequest},
    record::{Own, Recorded},
};

/// What an upstream is told of who asks, for its own logs.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    /// Headers that only the gateway writes.
    pub headers: HeaderMap,
}

/// Why a request brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The upstream cannot be reached.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// It broke off.
    #[error("the upstream broke the exchange off")]
    Broken(#[source] hyper::Error),
    /// It took too long.
    #[error("the upstream did not begin its answer in {} s", .0.as_secs())]
    Slow(Duration),
    /// Its credential could not be put in.
    #[error(transparent)]
    Credential(#[from] InjectorError),
    /// The request cannot be written.
    #[error("the request cannot be written for the upstream")]
    Unwritable,
}

/// What came back.
#[derive(Debug)]
pub enum Answered {
    /// An answer.
    Answer(Response<Incoming>),
    /// The upstream says that the token is not good (any more): the request, to be sent once more with another.
    Unauthorized(Unauthorized),
}

/// What the gateway itself says to an upstream, in the place of a client that is not asked.
#[derive(Debug)]
pub struct OwnRequest(HttpRequest);

impl OwnRequest {
    /// This request, once it is on record.
    pub fn new(request: HttpRequest) -> Self {
        Self(request)
    }
}

impl Unauthorized {
    /// The order to ask for another token.
    pub const fn renewal() -> CredentialOrder {
        CredentialOrder::renewal()
    }
}

/// A request whose token was not taken. Goes nowhere but through [`HttpOutlet::send_anew`], once.
#[derive(Debug)]
pub struct Unauthorized(Box<HttpRequest>);

/// Sends the requests of one session.
#[derive(Debug)]
pub struct HttpOutlet {
    settings: HttpSettings,
    injector: Arc<Injector>,
    channels: Channels,
}

impl HttpOutlet {
    /// An outlet that has not dialled yet.
    pub fn new(target: Target, settings: HttpSettings, injector: Arc<Injector>) -> Self {
        let channels = Channels::new(target);
        Self { settings, injector, channels }
    }

    /// Whether the gateway has to ask for a credential of its own first, with [`Self::authenticate`].
    pub async fn needs_credential(&self) -> Option<CredentialOrder> {
        self.injector.needs_token().await
    }

    /// Asks for it. What is asked is on record.
    pub async fn authenticate(&self, order: Recorded<Own<CredentialOrder>>) -> Result<(), InjectorError> {
        self.injector.fetch(order).await
    }

    /// Sends a request that was permitted and durably recorded; returns the head of the answer, with its body to come.
    /// Cancelled, the stream that it went out on is closed.
    pub async fn send(&self, message: Recorded<Permitted<HttpRequest>>, marks: &Marks) -> Result<Answered, SendError> {
        let message = message.into_inner().into_message();
        let answer = self.exchange(message.clone(), marks).await?;
        if answer.status() == StatusCode::UNAUTHORIZED && self.injector.renews() {
            return Ok(Answered::Unauthorized(Unauthorized(Box::new(message))));
        }
        Ok(Answered::Answer(answer))
    }

    /// Sends a request that its upstream did not take the token of once more, with another: the same request, under the
    /// same permit and record, since nothing of it was done.
    pub async fn send_anew(
        &self,
        refused: Unauthorized,
        order: Recorded<Own<CredentialOrder>>,
        marks: &Marks,
    ) -> Result<Response<Incoming>, SendError> {
        self.injector.fetch(order).await?;
        self.exchange(*refused.0, marks).await
    }

    /// Says something of the gateway's own, which is on record; what comes back to it is nobody's.
    pub async fn say(&self, own: Recorded<Own<OwnRequest>>, marks: &Marks) -> Result<(), SendError> {
        let OwnRequest(message) = own.into_inner().into_message();
        self.exchange(message, marks).await.map(drop)
    }

    async fn exchange(&self, message: HttpRequest, marks: &Marks) -> Result<Response<Incoming>, SendError> {
        let upgrades = message.head.upgrades;
        let (request, injected) = self.request(message, marks).await?;
        let answer = self.channels.exchange(request, upgrades);
        match tokio::time::timeout(self.settings.answer_within, answer).await {
            Ok(answer) => {
                let mut answer = answer?;
                answer.extensions_mut().insert(injected);
                Ok(answer)
            }
            Err(_elapsed) => Err(SendError::Slow(self.settings.answer_within)),
        }
    }

    /// Asks for nothing but whether the credential is taken: `HEAD` of the connection's own path. What it sends is on record.
    pub async fn probe(&self, order: Recorded<Own<()>>) -> Result<StatusCode, SendError> {
        drop(order);
        let scheme = if self.settings.secure { "https" } else { "http" };
        let uri = format!("{scheme}://{}{}/", self.settings.authority, self.settings.base);
        let request = Request::builder().method(http::Method::HEAD).uri(uri);
        let request = request.header(header::HOST, &self.settings.authority).header(header::USER_AGENT, "hoop gateway");
        let mut request = request.body(Bytes::new()).map_err(|_unwritable| SendError::Unwritable)?;
        self.injector.inject(&mut request).await?;
        let answer = self.channels.exchange(request.map(|_none| Outgoing::default()), false);
        match tokio::time::timeout(self.settings.answer_within, answer).await {
            Ok(answer) => Ok(answer?.status()),
            Err(_elapsed) => Err(SendError::Slow(self.settings.answer_within)),
        }
    }

    /// The request as it goes out: the canonical one, the gateway's own marks, the credential.
    async fn request(&self, message: HttpRequest, marks: &Marks) -> Result<(Request<Outgoing>, Injected), SendError> {
        let HttpRequest { head, body } = message;
        let scheme = if self.settings.secure { "https" } else { "http" };
        let uri = format!("{scheme}://{}{}{}", self.settings.authority, self.settings.base, head.target());
        let mut request = Request::builder().method(head.method.clone()).uri(uri);
        let headers = request.headers_mut().ok_or(SendError::Unwritable)?;
        *headers = head.headers;
        for (name, value) in &marks.headers {
            headers.insert(name.clone(), value.clone());
        }
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let host = HeaderValue::try_from(self.settings.authority.as_str()).map_err(|_invalid| SendError::Unwritable)?;
        headers.insert(header::HOST, host);
        if head.upgrades {
            channel::ask_for_websocket(headers)?;
        }
        let mut request = request.body(body).map_err(|_unwritable| SendError::Unwritable)?;
        let injected = self.injector.inject(&mut request).await?;
        // What is signed has a length, and nothing behind it that is not.
        let carriage = if self.injector.signs() { Carriage::default() } else { head.carriage };
        Ok((carry(request, carriage)?, injected))
    }
}

/// The body as the client carried it, with what follows it.
fn carry(request: Request<Bytes>, carriage: Carriage) -> Result<Request<Outgoing>, SendError> {
    let Carriage { is_chunked, expects, takes_trailers, trailers } = carriage;
    let names: Vec<&str> = trailers.keys().map(http::HeaderName::as_str).collect();
    let names = (!names.is_empty()).then(|| HeaderValue::try_from(names.join(", ")));
    let has_body = !request.body().is_empty();
    let mut request = request.map(|body| Outgoing::new(body, is_chunked, trailers));
    let headers = request.headers_mut();
    if let Some(names) = names {
        headers.insert(header::TRAILER, names.map_err(|_unwritable| SendError::Unwritable)?);
    }
    if takes_trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    if expects && has_body {
        headers.insert(header::EXPECT, HeaderValue::from_static("100-continue"));
    }
    Ok(request)
}
