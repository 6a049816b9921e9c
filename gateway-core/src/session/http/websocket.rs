//! A WebSocket between a client and an upstream: its handshake was decided as one operation, what is said in it goes
//! under that permit, message by message, each on record before it goes on.
//!
//! Texts from the upstream are masked as an answer is. SPEC: RFC 6455. Lengths are bounded by tungstenite.

use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};

use super::{
    answer::{self, AnswerBody},
    budget::EVERY,
    conversation::{Conversation, record_sight},
    exchange::Passed,
    intake::Turn,
};
use crate::{
    protocol::http::{
        dialect::{Sight, Used},
        reframe::{self, Tally},
        refuse::Rejection,
    },
    record::{Event, SealedText, Status},
    session::outcome::Open,
    upstream::Injected,
};

/// The longest message, and the longest of its frames.
const MOST_BYTES: usize = 4 << 20;
/// The most of a message that the record keeps.
const MOST_RECORDED: usize = 64 * 1024;
/// How long the end of a socket may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// What a client is told in the end.
const OVER: &str = "the session ended, the policies changed, or a budget is used up";
/// SPEC: RFC 6455, 1.3.
const MAGIC: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Relays a WebSocket whose handshake was let through. An upstream that does not switch is answered for as any other.
pub(super) async fn relay(
    conversation: &Arc<Conversation>,
    passed: Passed,
    client: Option<OnUpgrade>,
    key: Option<HeaderValue>,
    turn: Turn,
) -> Result<Response<AnswerBody>, Rejection> {
    let accept = key.as_ref().and_then(accept).zip(client);
    let Some((accept, client)) = accept else {
        return Err(Rejection::malformed("the handshake of the WebSocket has no key", "Send Sec-WebSocket-Key."));
    };
    let Passed { recorded, asked, sight, version, mut open, mut allowance } = passed;
    let mut answer = match conversation.send(recorded, &mut open).await {
        Ok(answer) => answer,
        Err(rejection) => {
            open.end(Status::Failed { sqlstate: "no answer" });
            return Err(rejection);
        }
    };
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return answer::begin(conversation, answer, &asked, (&sight, version), open, (allowance, turn));
    }
    let upstream = hyper::upgrade::on(&mut answer);
    let mut response = Response::new(answer::full(Bytes::new()));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    switching(response.headers_mut(), accept, answer.headers());
    let injected = Injected::of(answer.extensions());
    let talk = Talk { conversation: Arc::clone(conversation), sight, injected, open, tally: Tally::new() };
    conversation.turns.switch();
    let mut policies = conversation.policies.clone();
    let ended = conversation.ended.clone();
    conversation.tasks.spawn(async move {
        let (Ok(client), Ok(upstream)) = (client.await, upstream.await) else {
            return talk.end(Status::Failed { sqlstate: "no handshake" });
        };
        let client = socket(client, Role::Server).await;
        let upstream = socket(upstream, Role::Client).await;
        let conversation = Arc::clone(&talk.conversation);
        let used_up = async {
            while conversation.still_within(&mut allowance, Used::default()).is_none() {
                tokio::time::sleep(EVERY).await;
            }
        };
        let over = async {
            tokio::select! {
                () = ended.cancelled() => {}
                Ok(_other) = policies.wait_for(|policies| *policies.version() != version) => {}
                () = used_up, if conversation.has_budget() => {}
            }
        };
        talk.run(client, upstream, over).await;
    });
    Ok(response)
}

/// What proves to the client that its key was read.
fn accept(key: &HeaderValue) -> Option<HeaderValue> {
    let fits = BASE64.decode(key.as_bytes()).is_ok_and(|nonce| nonce.len() == 16);
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(key.as_bytes());
    context.update(MAGIC);
    HeaderValue::try_from(BASE64.encode(context.finish())).ok().filter(|_| fits)
}

fn switching(headers: &mut HeaderMap, accept: HeaderValue, answered: &HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(protocol) = answered.get(header::SEC_WEBSOCKET_PROTOCOL) {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol.clone());
    }
}

async fn socket(stream: Upgraded, role: Role) -> Socket {
    let config = WebSocketConfig::default().max_message_size(Some(MOST_BYTES)).max_frame_size(Some(MOST_BYTES));
    WebSocketStream::from_raw_socket(TokioIo::new(stream), role, Some(config)).await
}

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    ToUpstream,
    ToClient,
}

/// A conversation in frames.
struct Talk {
    conversation: Arc<Conversation>,
    sight: Sight,
    injected: Injected,
    open: Open,
    tally: Tally,
}

enum Wake {
    Over,
    Said(Way, Option<Result<Message, Error>>),
}

impl Talk {
    async fn run(mut self, mut client: Socket, mut upstream: Socket, over: impl Future<Output = ()>) {
        let mut over = std::pin::pin!(over);
        let close = loop {
            let wake = tokio::select! {
                biased;
                () = &mut over => Wake::Over,
                said = client.next() => Wake::Said(Way::ToUpstream, said),
                said = upstream.next() => Wake::Said(Way::ToClient, said),
            };
            let (way, message) = match wake {
                Wake::Over => break Some(closing(CloseCode::Policy, OVER)),
                Wake::Said(_, None | Some(Err(_))) => break Some(closing(CloseCode::Away, "the other side left")),
                // A reason is free text that nobody has looked at.
                Wake::Said(_, Some(Ok(Message::Close(frame)))) => {
                    break frame.map(|frame| CloseFrame { code: frame.code, reason: "".into() });
                }
                Wake::Said(way, Some(Ok(message))) => (way, message),
            };
            // Each side answers pings by itself.
            if message.is_ping() || message.is_pong() {
                continue;
            }
            let Ok(message) = self.passed(way, message).await else {
                break Some(closing(CloseCode::Policy, "this message cannot be recorded or masked"));
            };
            let to = if way == Way::ToUpstream { &mut upstream } else { &mut client };
            let sent = tokio::select! {
                biased;
                () = &mut over => break Some(closing(CloseCode::Policy, OVER)),
                sent = to.send(message) => sent,
            };
            if sent.is_err() {
                break Some(closing(CloseCode::Away, "the other side left"));
            }
        };
        let end = async |socket: &mut Socket| {
            // What answers the other side's own close is written by a flush, which counts as an error when it is; no second
            // close is. Then the stream below has to flush it.
            if socket.close(close.clone()).await.is_err() && socket.flush().await.is_err() {
                tracing::trace!("a WebSocket was closed already");
            }
            if socket.get_mut().shutdown().await.is_err() {
                tracing::trace!("a WebSocket's stream was gone already");
            }
        };
        let both = async { tokio::join!(end(&mut client), end(&mut upstream)) };
        if tokio::time::timeout(PATIENCE, both).await.is_err() {
            tracing::debug!(session = %self.conversation.id, "a WebSocket did not close in time");
        }
        self.end(Status::Completed { tag: "HTTP 101" });
    }

    /// A message as it goes on, masked and on record.
    async fn passed(&mut self, way: Way, message: Message) -> Result<Message, Rejection> {
        let message = if way == Way::ToClient { self.covered(message) } else { message };
        let message = match (way, message) {
            (Way::ToClient, Message::Text(text)) => {
                let (masked, tally) = reframe::message(text.as_str(), &self.sight)?;
                for (class, count) in tally {
                    *self.tally.entry(class).or_default() += count;
                }
                Message::text(masked)
            }
            // FAIL-CLOSED: a value inside of bytes cannot be masked without breaking them.
            (Way::ToClient, Message::Binary(bytes)) if self.sight.detectors.class_of(&bytes).is_some() => {
                return Err(Rejection::from(reframe::unmaskable("a value stands in bytes that are no text")));
            }
            (_, message) => message,
        };
        self.record(way, &message).await?;
        if way == Way::ToClient {
            self.open.add_bytes(message.len());
        }
        Ok(message)
    }

    /// A message without the gateway's own credential.
    fn covered(&self, message: Message) -> Message {
        let is_in = self.injected.is_in(message_bytes(&message));
        let mut bytes = if is_in { message_bytes(&message).to_vec() } else { return message };
        self.injected.cover(&mut bytes);
        if message.is_text() {
            Message::text(String::from_utf8_lossy(&bytes).into_owned())
        } else {
            Message::binary(bytes)
        }
    }

    /// Puts a message on record, hidden from everybody as far as it is sensitive, before it goes on.
    async fn record(&self, way: Way, message: &Message) -> Result<(), Rejection> {
        let from = if way == Way::ToUpstream { "client" } else { "upstream" };
        let mut facts = BTreeMap::from([("from", from.to_owned()), ("bytes", message.len().to_string())]);
        let shown = match message {
            Message::Text(text) => {
                let (hidden, _tally) = match way {
                    Way::ToClient => reframe::message(text.as_str(), &record_sight(&self.sight))?,
                    Way::ToUpstream => (text.as_str().to_owned(), Tally::new()),
                };
                hidden
            }
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => {
                facts.insert("form", "binary".to_owned());
                String::new()
            }
        };
        let sealed = self.conversation.environment.sealed(&shown, &[]);
        let cut;
        let text = if sealed.shown().len() > MOST_RECORDED {
            facts.insert("truncated", "true".to_owned());
            let end = sealed.shown().floor_char_boundary(MOST_RECORDED);
            cut = sealed.shown().get(..end).unwrap_or_default().to_owned();
            SealedText::plain(&cut)
        } else {
            sealed
        };
        let (conversation, number) = (&self.conversation, self.open.number);
        let position = conversation.append(&Event::Noted { number, kind: "message", text: &text, facts: &facts })?;
        Ok(conversation.durable(conversation.environment.recorder.durable(position)).await?)
    }

    fn end(mut self, status: Status<'_>) {
        self.open.add_masked(std::mem::take(&mut self.tally));
        self.open.end(status);
    }
}

/// What a message says; nothing of what only keeps the socket.
fn message_bytes(message: &Message) -> &[u8] {
    match message {
        Message::Text(text) => text.as_bytes(),
        Message::Binary(bytes) => bytes,
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => &[],
    }
}

fn closing(code: CloseCode, reason: &'static str) -> CloseFrame {
    CloseFrame { code, reason: reason.into() }
}
