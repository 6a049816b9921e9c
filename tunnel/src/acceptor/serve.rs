//! Serves one link: the h2 connection, its warden (shutdown, heartbeat, identity), and a task per request.
//!
//! Bounds what an unauthenticated peer can do: time to a first token, rejected tokens, header sizes, streams, resets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::server::{Connection, SendResponse};
use h2::{PingPong, Reason, RecvStream};
use http::{HeaderMap, Method, Request, StatusCode};
use secrecy::SecretString;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::identity::Identity;
use super::{Acceptor, Authenticated, Incoming, RejectStatus, Rejection, Responder};
use crate::link::{
    CLIENT_ADDRESS_HEADER, LOCAL_PASSWORD_HEADER, MAX_CONNECTION_NAME_BYTES, TOKEN_PATH, heartbeat, server_builder,
    token_of,
};

/// Why a link ended otherwise than by both sides agreeing.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The peer did not speak first, or not HTTP/2.
    #[error("the link's handshake failed")]
    Handshake(#[source] h2::Error),
    /// The peer took too long over the handshake.
    #[error("the link's handshake took too long")]
    Slow,
    /// The connection broke, or the peer broke the protocol.
    #[error("the link broke")]
    Broken(#[source] h2::Error),
}

/// Serves one link until the peer leaves, or `shutdown` was asked for and the last stream ended.
///
/// Returns after every [`Acceptor::open`] returned. The caller sets the deadline of a shutdown: dropping the future cuts the link, which
/// every open stream sees as lost. Fails when the peer breaks the protocol or vanishes; streams then see the same.
pub async fn serve<S, A>(io: S, acceptor: Arc<A>, shutdown: CancellationToken) -> Result<(), ServeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    A: Acceptor,
{
    let handshake = server_builder().handshake::<_, Bytes>(io);
    let mut connection =
        timeout(HANDSHAKE, handshake).await.map_err(|_elapsed| ServeError::Slow)?.map_err(ServeError::Handshake)?;
    let link = Arc::new(Link { acceptor, identity: Identity::unknown(), abused: Notify::new() });
    let requests = TaskTracker::new();
    let mut wardens = JoinSet::new();
    wardens.spawn(stand_by(shutdown));
    wardens.spawn(watch_over(Arc::clone(&link), connection.ping_pong()));
    let ended = accept(&mut connection, &link, &requests, &mut wardens).await;
    drop(connection);
    requests.close();
    requests.wait().await;
    ended
}

async fn accept<S, A>(
    connection: &mut Connection<S, Bytes>,
    link: &Arc<Link<A>>,
    requests: &TaskTracker,
    wardens: &mut JoinSet<Verdict>,
) -> Result<(), ServeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    A: Acceptor,
{
    loop {
        tokio::select! {
            request = connection.accept() => match request {
                Some(Ok((request, respond))) => drop(requests.spawn(Arc::clone(link).answer(request, respond))),
                Some(Err(error)) => return Err(ServeError::Broken(error)),
                None => return Ok(()),
            },
            Some(verdict) = wardens.join_next() => match verdict {
                Ok(Verdict::Drain) => connection.graceful_shutdown(),
                Ok(Verdict::Vanished) => connection.abrupt_shutdown(Reason::CANCEL),
                Ok(Verdict::Abused) | Err(_) => connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM),
            },
        }
    }
}

/// What a warden found.
enum Verdict {
    Drain,
    Vanished,
    Abused,
}

async fn stand_by(shutdown: CancellationToken) -> Verdict {
    shutdown.cancelled().await;
    Verdict::Drain
}

async fn watch_over<A: Acceptor>(link: Arc<Link<A>>, ping_pong: Option<PingPong>) -> Verdict {
    let heart = async {
        match ping_pong {
            Some(ping_pong) => heartbeat(ping_pong).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = heart => Verdict::Vanished,
        () = link.identity.expire() => Verdict::Abused,
        () = link.abused.notified() => Verdict::Abused,
    }
}

struct Link<A: Acceptor> {
    acceptor: Arc<A>,
    identity: Identity<A::Principal>,
    abused: Notify,
}

impl<A: Acceptor> Link<A> {
    async fn answer(self: Arc<Self>, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
        let (head, receive) = request.into_parts();
        let responder = Responder::new(respond, receive);
        match (&head.method, head.uri.path()) {
            (&Method::CONNECT, _) => self.connect(&head, responder).await,
            (&Method::POST, TOKEN_PATH) => self.token(&head.headers, responder).await,
            _ => responder.reject(RejectStatus::NotFound, "a link has no such resource"),
        }
    }

    async fn connect(&self, head: &http::request::Parts, responder: Responder) {
        let Some(connection) = connection_name(head) else {
            return responder.reject(RejectStatus::Malformed, "the request names no connection");
        };
        let asked_at = Instant::now();
        match self.authenticate(&head.headers).await {
            Ok(authenticated) => {
                let incoming = Incoming {
                    connection,
                    principal: authenticated.principal,
                    asked_at,
                    identity: self.identity.watch(),
                    client_address: text(&head.headers, CLIENT_ADDRESS_HEADER),
                    local_password: text(&head.headers, LOCAL_PASSWORD_HEADER).map(SecretString::from),
                    responder,
                };
                self.acceptor.open(incoming).await;
            }
            Err(rejection) => answer_rejection(responder, &rejection),
        }
    }

    async fn token(&self, headers: &HeaderMap, responder: Responder) {
        match self.authenticate(headers).await {
            Ok(_) => responder.end(StatusCode::NO_CONTENT, None),
            Err(rejection) => answer_rejection(responder, &rejection),
        }
    }

    /// Verifies the bearer of a request and presents it to the link.
    async fn authenticate(&self, headers: &HeaderMap) -> Result<Authenticated<A::Principal>, Rejection> {
        let checked = match token_of(headers) {
            None => Err(Rejection::Invalid("the request carries no bearer token".into())),
            Some(token) => match timeout(AUTHENTICATION, self.acceptor.authenticate(&token)).await {
                Ok(Ok(spent)) if spent.valid_for.is_zero() => Err(Rejection::Invalid("the token has expired".into())),
                Ok(checked) => checked,
                Err(_) => Err(Rejection::Unavailable("verifying the token took too long".into())),
            },
        };
        match &checked {
            Ok(authenticated) => self.identity.present(authenticated),
            Err(Rejection::Invalid(_)) if self.identity.reject() => self.abused.notify_one(),
            Err(Rejection::Invalid(_) | Rejection::Unavailable(_)) => {}
        }
        checked
    }
}

fn answer_rejection(responder: Responder, rejection: &Rejection) {
    match rejection {
        Rejection::Invalid(why) => responder.reject(RejectStatus::Unauthenticated, why),
        Rejection::Unavailable(why) => responder.reject(RejectStatus::Unavailable, why),
    }
}

fn connection_name(head: &http::request::Parts) -> Option<String> {
    let name = head.uri.authority()?.as_str();
    (!name.is_empty() && name.len() <= MAX_CONNECTION_NAME_BYTES).then(|| name.to_owned())
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    (value.len() <= MAX_TEXT_BYTES).then(|| value.to_owned())
}

const HANDSHAKE: Duration = Duration::from_secs(10);
const AUTHENTICATION: Duration = Duration::from_secs(10);
const MAX_TEXT_BYTES: usize = 256;
