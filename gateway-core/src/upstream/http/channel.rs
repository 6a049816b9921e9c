//! Streams to an upstream that speak HTTP: dialled when needed, kept while they are good, HTTP/2 where TLS agrees on it.
//!
//! A stream belongs to one session. Its driver is a task that ends with the stream, and with the session.

use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::rand;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use http::{HeaderMap, HeaderValue, Request, Response, Uri, Version, header};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::task::JoinSet;

use super::{SendError, outgoing::Outgoing, steady::Steady};
use crate::upstream::{
    Target,
    dial::{self, Wire},
};

type Body = Outgoing;

/// No answer has more.
const MOST_HEADERS: usize = 128;
const HEADER_BYTES: usize = 64 * 1024;
/// Idle streams that are kept.
const MOST_IDLE: usize = 8;

/// The streams of one session.
#[derive(Debug)]
pub(super) struct Channels {
    target: Target,
    idle: Arc<Mutex<Vec<http1::SendRequest<Body>>>>,
    shared: Mutex<Option<http2::SendRequest<Body>>>,
    drivers: Mutex<JoinSet<()>>,
}

enum Channel {
    One(http1::SendRequest<Body>),
    Two(http2::SendRequest<Body>),
}

impl Channels {
    pub(super) fn new(target: Target) -> Self {
        let (idle, shared, drivers) = (Arc::default(), Mutex::default(), Mutex::new(JoinSet::new()));
        Self { target, idle, shared, drivers }
    }

    /// Sends a request on a stream that is good, or on a new one.
    pub(super) async fn exchange(
        &self,
        request: Request<Body>,
        upgrades: bool,
    ) -> Result<Response<Incoming>, SendError> {
        let mut request = request;
        if !upgrades {
            while let Some(channel) = self.kept().await {
                match self.on(channel, request).await? {
                    Tried::Answer(answer) => return Ok(answer),
                    // The stream was closed before the request left: nothing of it was seen.
                    Tried::Unsent(back) => request = *back,
                }
            }
        }
        let channel = self.dialled(upgrades).await?;
        match self.on(channel, request).await? {
            Tried::Answer(answer) => Ok(answer),
            Tried::Unsent(_request) => Err(SendError::Unwritable),
        }
    }

    async fn kept(&self) -> Option<Channel> {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(mut sender) = shared
            && sender.ready().await.is_ok()
        {
            return Some(Channel::Two(sender));
        }
        // A stream whose answer is still on its way is nobody else's yet: nobody waits for it.
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|sender| !sender.is_closed());
        let place = idle.iter().position(http1::SendRequest::is_ready)?;
        Some(Channel::One(idle.swap_remove(place)))
    }

    async fn dialled(&self, upgrades: bool) -> Result<Channel, SendError> {
        let protocols: &[&[u8]] = if upgrades { &[b"http/1.1"] } else { &[b"h2", b"http/1.1"] };
        let wire = dial::dial_secured(&self.target, protocols).await?;
        let is_two = match &wire {
            Wire::Plain(_) => false,
            Wire::Tls(stream) => stream.get_ref().1.alpn_protocol() == Some(b"h2"),
        };
        let io = TokioIo::new(Steady::new(wire));
        let drivers = || self.drivers.lock().unwrap_or_else(PoisonError::into_inner);
        if is_two {
            let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .max_header_list_size(u32::try_from(HEADER_BYTES).unwrap_or(u32::MAX))
                .handshake(io)
                .await
                .map_err(SendError::Broken)?;
            drivers().spawn(async move { ended(connection.await) });
            *self.shared.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender.clone());
            return Ok(Channel::Two(sender));
        }
        let (sender, connection) = http1::Builder::new()
            .max_headers(MOST_HEADERS)
            .max_buf_size(HEADER_BYTES)
            .handshake(io)
            .await
            .map_err(SendError::Broken)?;
        drivers().spawn(async move { ended(connection.with_upgrades().await) });
        Ok(Channel::One(sender))
    }

    async fn on(&self, channel: Channel, request: Request<Body>) -> Result<Tried, SendError> {
        let tried = match channel {
            Channel::Two(mut sender) => sender.try_send_request(for_http2(request)).await,
            Channel::One(mut sender) => {
                let request = for_http1(request);
                let waits = request.body().waits();
                let tried = sender.try_send_request(request).await;
                // A body that was not wanted is never sent, so nothing follows on its stream.
                if tried.is_ok() && !waits {
                    let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                    if idle.len() < MOST_IDLE {
                        idle.push(sender);
                    }
                }
                tried
            }
        };
        match tried {
            Ok(answer) => Ok(Tried::Answer(answer)),
            Err(mut error) => match error.take_message() {
                Some(request) => Ok(Tried::Unsent(Box::new(request))),
                None => Err(SendError::Broken(error.into_error())),
            },
        }
    }
}

enum Tried {
    Answer(Response<Incoming>),
    Unsent(Box<Request<Body>>),
}

fn ended(connection: Result<(), hyper::Error>) {
    if let Err(error) = connection {
        tracing::debug!(%error, "a stream to an upstream ended with an error");
    }
}

/// SPEC: RFC 9112, 3.2.1: the target of a request to an origin server is its path and query.
fn for_http1(mut request: Request<Body>) -> Request<Body> {
    if let Some(target) = request.uri().path_and_query().cloned() {
        *request.uri_mut() = Uri::from(target);
    }
    *request.version_mut() = Version::HTTP_11;
    if request.headers().contains_key(header::EXPECT) && !request.body().waits() {
        Outgoing::when_wanted(&mut request);
    }
    request
}

/// SPEC: RFC 9113, 8.3.1: `:authority` stands for Host.
fn for_http2(mut request: Request<Body>) -> Request<Body> {
    request.headers_mut().remove(header::HOST);
    request.headers_mut().remove(header::EXPECT);
    *request.version_mut() = Version::HTTP_2;
    request
}

/// The handshake of the gateway's own WebSocket.
pub(super) fn ask_for_websocket(headers: &mut HeaderMap) -> Result<(), SendError> {
    let mut key = [0; 16];
    rand::fill(&mut key).map_err(|_unspecified| SendError::Unwritable)?;
    let key = HeaderValue::try_from(BASE64.encode(key)).map_err(|_invalid| SendError::Unwritable)?;
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    headers.insert(header::SEC_WEBSOCKET_KEY, key);
    Ok(())
}
