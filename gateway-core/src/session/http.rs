//! A session over HTTP: the client's stream is served by hyper, each request is decided, held, recorded, forwarded and
//! answered through the dialect's reader; the session ends as any other does.
//!
//! One session for each stream of a client. Requests of one stream may overlap (HTTP/2); the record is one chain.

mod answer;
mod budget;
mod conversation;
mod decline;
mod exchange;
mod intake;
mod provenance;
mod sight;
mod websocket;

pub(super) use self::sight::sight;

use std::{convert::Infallible, pin::Pin, sync::Arc, time::Duration};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};

use self::{conversation::Conversation, intake::Intake};
use super::{client::ClientStream, ending::Ending, open::Arrival, registry::Membership, wake::wake};
use crate::{
    model::SessionId,
    protocol::http::refuse::{PROBLEM_JSON, Rejection, problem},
};

/// HTTP/2 limits against floods of streams and resets.
const MOST_STREAMS: u32 = 64;
const MOST_RESETS: usize = 32;
const MOST_HEADERS: usize = 128;
const HEADER_BYTES: u32 = 64 * 1024;
/// How long what is on its way may take once the session has to end.
const PATIENCE: Duration = Duration::from_secs(2);

/// Serves a client to its end. Returns when the session is over and on record.
pub(super) async fn serve(arrival: Arrival, mut client: ClientStream) {
    match Box::pin(Conversation::open(&arrival)).await {
        Ok((conversation, membership)) => Box::pin(run(arrival, conversation, membership, client)).await,
        Err(refusal) => {
            let id = SessionId::new(0, [0; 10]);
            let rejection = Rejection::from(*refusal);
            let body = problem(&rejection, None, &id);
            let (status, length) = (rejection.status, body.len());
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Type: {PROBLEM_JSON}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            if client.say(&[head.as_bytes(), body.as_bytes()].concat()).await.is_err() {
                tracing::debug!("the client left before it was told that there is no session");
            }
            super::open::finish(client).await;
        }
    }
}

async fn run(arrival: Arrival, conversation: Arc<Conversation>, mut membership: Membership, client: ClientStream) {
    let exchanging = Arc::clone(&conversation);
    let service = service_fn(move |request| {
        let conversation = Arc::clone(&exchanging);
        async move { Ok::<_, Infallible>(Box::pin(conversation.exchange(request)).await) }
    });
    let client_within = conversation.served.connection.http.as_ref().map_or(PATIENCE, |http| http.client_within);
    let builder = builder(client_within);
    let intake = Intake::new(client, Arc::clone(&conversation.turns), client_within);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(intake), service);
    let mut connection = Some(Box::pin(connection));
    let wake = wake(&arrival, &mut membership);
    let mut wake = std::pin::pin!(wake);
    let ending = loop {
        tokio::select! {
            biased;
            ending = &mut wake => break ending,
            () = conversation.ended.cancelled() => break Ending::Unrecorded,
            result = over(&mut connection), if connection.is_some() => {
                if let Err(error) = result {
                    tracing::debug!(session = %conversation.id, %error, "a client broke off");
                }
                // What was on its way goes with it, and has its outcome recorded while there is a record.
                connection = None;
                conversation.tasks.close();
            }
            () = conversation.tasks.wait(), if connection.is_none() => break Ending::ClientLeft,
        }
    };
    conversation.ended.cancel();
    conversation.tasks.close();
    if let Some(mut connection) = connection {
        connection.as_mut().graceful_shutdown();
        if tokio::time::timeout(PATIENCE, connection).await.is_err() {
            tracing::debug!(session = %conversation.id, "what was on its way is cut");
        }
    }
    if tokio::time::timeout(PATIENCE, conversation.tasks.wait()).await.is_err() {
        tracing::debug!(session = %conversation.id, "a relay did not end in time");
    }
    conversation.end(&ending).await;
}

/// Waits for the end of what is there; for ever where nothing is.
async fn over<C: Future>(connection: &mut Option<Pin<Box<C>>>) -> C::Output {
    match connection {
        Some(connection) => connection.as_mut().await,
        None => std::future::pending().await,
    }
}

/// `client_within`: how long a client may take to send the head of a request, and stay idle between two.
fn builder(client_within: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(client_within)
        .max_headers(MOST_HEADERS)
        .max_buf_size(usize::try_from(HEADER_BYTES).unwrap_or(usize::MAX));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MOST_STREAMS)
        .max_pending_accept_reset_streams(MOST_RESETS)
        .max_local_error_reset_streams(MOST_RESETS)
        .max_header_list_size(HEADER_BYTES)
        .keep_alive_interval(Duration::from_secs(30));
    builder
}
