//! The one port: TLS, then the link or HTTP by application protocol.
//!
//! Every accepted connection is a tracked task with an end. A handshake that takes long, or a listener without file
//! descriptors, costs only itself.

use std::{sync::Arc, time::Duration};

use hoop_tunnel::acceptor::{Acceptor, Authenticated, Incoming, Rejection};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::certificate::LINK_PROTOCOL;
use crate::{
    clock::WallClock,
    identity::GatewayTokens,
    model::Presence,
    session::{self, Surroundings},
};

/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait when the system gives no more descriptors.
const EXHAUSTED: Duration = Duration::from_millis(100);
/// HTTP/2 limits against floods of streams and resets.
const MAX_STREAMS: u32 = 64;
const MAX_RESETS: usize = 64;
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);

/// Turns verified streams of links into sessions.
#[derive(Debug)]
pub(super) struct SessionAcceptor {
    surroundings: Surroundings,
    tokens: GatewayTokens,
    clock: WallClock,
}

impl SessionAcceptor {
    pub(super) fn new(surroundings: Surroundings, tokens: GatewayTokens) -> Self {
        let clock = surroundings.borrow().clock.clone();
        Self { surroundings, tokens, clock }
    }
}

impl Acceptor for SessionAcceptor {
    type Principal = Presence;

    async fn authenticate(&self, token: &SecretString) -> Result<Authenticated<Presence>, Rejection> {
        let verified = self.tokens.verify_stream(token.expose_secret()).map_err(|error| {
            let why = error.to_string();
            if error.is_the_tokens() { Rejection::Invalid(why) } else { Rejection::Unavailable(why) }
        })?;
        let (presence, expires_at) = verified;
        if presence.run().is_some_and(|run| !self.surroundings.borrow().registry.is_running(run)) {
            return Err(Rejection::Invalid("this run has ended; start it again with `hoop exec`".to_owned()));
        }
        let left = expires_at.saturating_sub(self.clock.unix_seconds());
        let valid_for = Duration::from_secs(u64::try_from(left).unwrap_or(0));
        Ok(Authenticated { principal: presence, valid_for })
    }

    async fn open(&self, incoming: Incoming<Presence>) {
        let environment = self.surroundings.borrow().clone();
        Box::pin(session::serve(environment, incoming)).await;
    }
}

/// Accepts until `shutdown`.
pub(super) async fn accept(
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    router: axum::Router,
    acceptor: Arc<SessionAcceptor>,
    tasks: &TaskTracker,
    shutdown: &CancellationToken,
) {
    let tls = TlsAcceptor::from(tls);
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((tcp, _peer)) => {
                let (tls, router, acceptor, shutdown) =
                    (tls.clone(), router.clone(), Arc::clone(&acceptor), shutdown.clone());
                tasks.spawn(async move { connection(tcp, tls, router, acceptor, shutdown).await });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(EXHAUSTED).await;
            }
        }
    }
}

async fn connection(
    tcp: TcpStream,
    tls: TlsAcceptor,
    router: axum::Router,
    acceptor: Arc<SessionAcceptor>,
    shutdown: CancellationToken,
) {
    if let Err(error) = tcp.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let stream = match tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(tcp)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%error, "a TLS handshake failed"),
        Err(_elapsed) => return tracing::debug!("a TLS handshake took too long"),
    };
    if stream.get_ref().1.alpn_protocol() == Some(LINK_PROTOCOL) {
        if let Err(error) = hoop_tunnel::acceptor::serve(stream, acceptor, shutdown).await {
            tracing::debug!(%error, "a link ended with an error");
        }
    } else {
        http(stream, router, shutdown).await;
    }
}

async fn http(stream: TlsStream<TcpStream>, router: axum::Router, shutdown: CancellationToken) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_RESETS)
        .max_local_error_reset_streams(MAX_RESETS)
        .keep_alive_interval(Duration::from_secs(30));
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %error, "an HTTP connection ended with an error");
    }
}
