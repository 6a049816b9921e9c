//! What travels: one request in its canonical form, and the head of its answer.
//!
//! A [`HttpRequest`] is what is decided, recorded and forwarded; what a client sent that is not in it goes nowhere.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use crate::model::flow::Digestible;

/// The head of a request as the client sent it, in canonical form.
#[derive(Debug, Clone)]
pub struct RequestHead {
    /// The method.
    pub method: Method,
    /// The canonical path, beginning with `/`.
    pub path: String,
    /// The query without its `?`.
    pub query: Option<String>,
    /// What goes on to the upstream: no framing, no hop-by-hop header, no identity, no credential.
    pub headers: HeaderMap,
    /// Whether it asks for a WebSocket.
    pub upgrades: bool,
    /// How its body was carried.
    pub carriage: Carriage,
}

/// How a client carries a body, as far as an upstream may see it too. Only plain HTTP keeps it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Carriage {
    /// In chunks, so without a length.
    pub is_chunked: bool,
    /// The client waits to hear whether the body is wanted.
    pub expects: bool,
    /// The client takes trailers.
    pub takes_trailers: bool,
    /// What followed the body.
    pub trailers: HeaderMap,
}

impl RequestHead {
    /// Path and query.
    pub fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }
}

/// A request as it is decided and sent on.
#[derive(Clone)]
pub struct HttpRequest {
    /// Its head.
    pub head: RequestHead,
    /// Its whole body.
    pub body: Bytes,
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (method, path) = (&self.head.method, &self.head.path);
        formatter.debug_struct("HttpRequest").field("method", method).field("path", path).finish_non_exhaustive()
    }
}

impl Digestible for HttpRequest {
    fn parts(&self, sink: &mut dyn FnMut(&[u8])) {
        sink(self.head.method.as_str().as_bytes());
        sink(self.head.path.as_bytes());
        sink(self.head.query.as_deref().map_or(&b"\0none"[..], str::as_bytes));
        sink(if self.head.upgrades { b"upgrade" } else { b"request" });
        fields(&self.head.headers, sink);
        sink(b"body");
        sink(&self.body);
        sink(b"trailers");
        fields(&self.head.carriage.trailers, sink);
    }
}

fn fields(headers: &HeaderMap, sink: &mut dyn FnMut(&[u8])) {
    let mut headers: Vec<(&str, &[u8])> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    // Values of one name keep their order.
    headers.sort_by_key(|(name, _)| *name);
    for (name, value) in headers {
        sink(name.as_bytes());
        sink(value);
    }
}

/// The head of an answer.
#[derive(Debug, Clone)]
pub struct ResponseHead {
    /// The status.
    pub status: StatusCode,
    /// What goes on to the client.
    pub headers: HeaderMap,
}

impl ResponseHead {
    /// The media type in small letters, without its parameters; empty where none is said.
    pub fn media_type(&self) -> String {
        media_type(&self.headers)
    }
}

/// The media type in small letters, without its parameters; empty where none is said.
pub fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether a media type is JSON: `application/json`, `application/problem+json`.
pub fn is_json(media_type: &str) -> bool {
    media_type == "application/json" || media_type == "text/json" || media_type.ends_with("+json")
}
