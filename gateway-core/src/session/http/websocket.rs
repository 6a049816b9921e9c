//! A WebSocket between a client and an upstream.

use std::sync::Arc;

use http::{HeaderValue, Response, StatusCode};
use hyper::upgrade::OnUpgrade;

use super::{answer::AnswerBody, conversation::Conversation, exchange::Passed};
use crate::protocol::http::refuse::Rejection;

/// Relays a WebSocket whose handshake was let through.
pub(super) async fn relay(
    _conversation: &Arc<Conversation>,
    passed: Passed,
    _client: Option<OnUpgrade>,
    _key: Option<HeaderValue>,
) -> Result<Response<AnswerBody>, Rejection> {
    drop(passed);
    std::future::ready(()).await;
    let message = "WebSockets are not relayed by this version of the gateway";
    Err(Rejection::unreadable(StatusCode::NOT_IMPLEMENTED, message, "Use requests."))
}
