//! Makes one link: TCP, TLS 1.3 with the link's ALPN name, HTTP/2, and the first token presented.
//!
//! Owns the task that drives a link, and its heartbeat. Called by `keeper` and for the first link by `LinkClient::connect`.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use http::uri::PathAndQuery;
use http::{Method, Request, StatusCode};
use rustls::pki_types::ServerName;
use secrecy::SecretString;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::pool::Link;
use super::{LinkConfig, TokenError};
use crate::link::{ALPN, STREAMS_PER_LINK, TOKEN_PATH, bearer, client_builder, heartbeat, problem_text};

/// Where a gateway listens, and what its certificate must say.
#[derive(Debug, Clone)]
pub struct Endpoint {
    host: String,
    port: u16,
    name: ServerName<'static>,
}

impl Endpoint {
    /// A host name or address (IPv6 with or without brackets) and a port. Fails when no certificate could be for it.
    pub fn new(host: &str, port: u16) -> Result<Self, EndpointError> {
        let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        let name = ServerName::try_from(host.to_owned()).map_err(|_invalid| EndpointError(host.to_owned()))?;
        Ok(Self { host: host.to_owned(), port, name })
    }
}

/// A gateway address that cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither a host name nor an address")]
pub struct EndpointError(String);

/// Why a link could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Nothing answers there.
    #[error("cannot reach the gateway")]
    Unreachable(#[source] io::Error),
    /// TLS failed; most often a certificate that is not trusted.
    #[error("the gateway's TLS is not trusted or failed")]
    Tls(#[source] io::Error),
    /// It speaks TLS, but not links.
    #[error("the server there is not a hoop gateway: it does not offer `hoop-link/1`")]
    NotAGateway,
    /// HTTP/2 failed.
    #[error("the link broke while it was being made")]
    Broken(#[source] h2::Error),
    /// It took too long.
    #[error("the gateway did not answer in time")]
    Slow,
    /// There is no token to present.
    #[error(transparent)]
    Token(TokenError),
    /// The gateway does not take the token.
    #[error("the gateway does not take the token: {0}")]
    Unauthenticated(String),
    /// The gateway cannot take links now.
    #[error("the gateway is not available: {0}")]
    Unavailable(String),
}

#[derive(Debug)]
pub(super) struct Dialler {
    pub(super) config: LinkConfig,
    tasks: TaskTracker,
    cut: CancellationToken,
}

impl Dialler {
    pub(super) fn new(config: LinkConfig, tasks: TaskTracker, cut: CancellationToken) -> Self {
        Self { config, tasks, cut }
    }

    pub(super) async fn dial(&self) -> Result<Link, DialError> {
        timeout(PATIENCE, self.dial_patiently()).await.unwrap_or(Err(DialError::Slow))
    }

    async fn dial_patiently(&self) -> Result<Link, DialError> {
        let token = self.config.tokens.token().await.map_err(DialError::Token)?;
        let stream = self.secure_stream().await?;
        let (sender, mut connection) =
            client_builder().handshake::<_, Bytes>(stream).await.map_err(DialError::Broken)?;
        let gone = CancellationToken::new();
        let (cut, over) = (self.cut.clone(), gone.clone().drop_guard());
        let ping_pong = connection.ping_pong();
        self.tasks.spawn(async move {
            let _over = over;
            let heart = async {
                match ping_pong {
                    Some(ping_pong) => heartbeat(ping_pong).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                ended = connection => if let Err(error) = ended { tracing::debug!(%error, "a link broke") },
                () = heart => tracing::debug!("the gateway vanished"),
                () = cut.cancelled() => {}
            }
        });
        let link = Link { sender, slots: Arc::new(Semaphore::new(STREAMS_PER_LINK as usize)), gone };
        present(link.sender.clone(), &token).await?;
        Ok(link)
    }

    async fn secure_stream(&self) -> Result<TlsStream<TcpStream>, DialError> {
        let Endpoint { host, port, name } = &self.config.endpoint;
        let socket = TcpStream::connect((host.as_str(), *port)).await.map_err(DialError::Unreachable)?;
        socket.set_nodelay(true).map_err(DialError::Unreachable)?;
        let connector = TlsConnector::from(Arc::clone(&self.config.tls));
        let stream = connector.connect(name.clone(), socket).await.map_err(DialError::Tls)?;
        if stream.get_ref().1.alpn_protocol() != Some(ALPN) {
            return Err(DialError::NotAGateway);
        }
        Ok(stream)
    }
}

/// Presents a token to a link, so that its streams go on in its name.
pub(super) async fn present(sender: SendRequest<Bytes>, token: &SecretString) -> Result<(), DialError> {
    let mut sender = sender.ready().await.map_err(DialError::Broken)?;
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = token_uri();
    let value =
        bearer(token).map_err(|_invalid| DialError::Unauthenticated("the token has characters no token has".into()))?;
    request.headers_mut().insert(http::header::AUTHORIZATION, value);
    let (response, _send) = sender.send_request(request, true).map_err(DialError::Broken)?;
    let response = response.await.map_err(DialError::Broken)?;
    let problem = || problem_text(response.headers()).unwrap_or_else(|| response.status().to_string());
    match response.status() {
        StatusCode::NO_CONTENT => Ok(()),
        StatusCode::UNAUTHORIZED => Err(DialError::Unauthenticated(problem())),
        _ => Err(DialError::Unavailable(problem())),
    }
}

fn token_uri() -> http::Uri {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(http::uri::Scheme::HTTPS);
    parts.authority = Some(http::uri::Authority::from_static("link"));
    parts.path_and_query = Some(PathAndQuery::from_static(TOKEN_PATH));
    http::Uri::from_parts(parts).unwrap_or_default()
}

const PATIENCE: Duration = Duration::from_secs(10);
