//! Dialling an upstream: TCP, or a way through a machine; then TLS as the connection demands.
//!
//! Fails closed: a server that refuses TLS where the site demands it is not spoken to, and a byte that arrives before
//! the TLS switch ends the attempt (buffered-bytes injection, CVE-2021-23222).

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::via::{Line, Via, ViaError, is_loopback};

/// How long a dial may take, TLS included.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// What stands between may forget a connection that says nothing while a statement is held: it is asked this often.
const KEEPALIVE_IDLE: Duration = Duration::from_mins(1);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// SPEC: PostgreSQL 55.2.10 "SSL Session Encryption": `SSLRequest`, length 8, code 80877103.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// Where an upstream is and how it must be reached.
#[derive(Debug, Clone)]
pub struct Target {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Whether and how TLS is used.
    pub tls: TlsMode,
    /// Refuse every address that is not loopback (`--dev`).
    pub loopback_only: bool,
    /// The machine that it is reached through, where the gateway does not reach it itself.
    pub via: Option<Arc<Via>>,
}

/// TLS towards an upstream.
#[derive(Debug, Clone)]
pub enum TlsMode {
    /// Plain TCP.
    Disable,
    /// TLS with this configuration, which also says what is verified.
    Use(Arc<rustls::ClientConfig>),
}

/// Why an upstream could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// TCP failed.
    #[error("cannot reach the upstream at {host}:{port}")]
    Connect {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// The machine before it does not lead there.
    #[error("cannot reach the upstream at {host}:{port} through the machine `{machine}`")]
    Via {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// The machine's connection.
        machine: String,
        /// Why.
        source: Box<ViaError>,
    },
    /// The dial took longer than ten seconds.
    #[error("the upstream at {host}:{port} did not answer in {} s", DIAL_TIMEOUT.as_secs())]
    Timeout {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
    /// A development gateway reaches loopback only.
    #[error("a development gateway reaches loopback addresses only, and {0} is not one")]
    NotLoopback(String),
    /// The server refused TLS.
    #[error("the upstream refuses TLS, which the site demands; set `tls.mode` or enable TLS on the server")]
    TlsRefused,
    /// The server sent bytes ahead of the TLS switch.
    #[error("the upstream sent bytes before the TLS switch; the connection is not trusted")]
    EarlyBytes,
    /// The TLS handshake failed.
    #[error("the TLS handshake with the upstream failed")]
    Tls(#[source] io::Error),
    /// The host is not a name that TLS can verify.
    #[error("`{0}` is not a valid server name for TLS")]
    ServerName(String),
}

/// A byte stream to an upstream.
#[derive(Debug)]
pub enum Wire {
    /// No TLS.
    Plain(Line),
    /// TLS.
    Tls(Box<TlsStream<Line>>),
}

impl Wire {
    /// What it runs over.
    pub(super) fn line(&self) -> &Line {
        match self {
            Self::Plain(line) => line,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }

    /// Gives the stream up at once: the server's next write fails, and so does its next read, whatever was sent ahead.
    pub fn abort(self) {
        let line = self.line();
        line.cut();
        if let Some(Err(error)) = line.tcp().map(|tcp| SockRef::from(tcp).set_linger(Some(Duration::ZERO))) {
            tracing::debug!(%error, "a stream is closed instead of reset");
        }
    }
}

/// Dials `target`, within ten seconds.
pub async fn dial(target: &Target) -> Result<Wire, DialError> {
    let attempt = async {
        let tcp = connect(target).await?;
        match &target.tls {
            TlsMode::Disable => Ok(Wire::Plain(tcp)),
            TlsMode::Use(config) => secure(target, tcp, Arc::clone(config)).await,
        }
    };
    tokio::time::timeout(DIAL_TIMEOUT, attempt)
        .await
        .map_err(|_elapsed| DialError::Timeout { host: target.host.clone(), port: target.port })?
}

/// Dials `target` within ten seconds, TLS from the first byte where it wants TLS, offering these protocols (ALPN).
pub(crate) async fn dial_secured(target: &Target, protocols: &[&[u8]]) -> Result<Wire, DialError> {
    let attempt = async {
        let tcp = connect(target).await?;
        let TlsMode::Use(config) = &target.tls else { return Ok(Wire::Plain(tcp)) };
        let mut config = rustls::ClientConfig::clone(config);
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        let name =
            ServerName::try_from(target.host.clone()).map_err(|_invalid| DialError::ServerName(target.host.clone()))?;
        let stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.map_err(DialError::Tls)?;
        Ok(Wire::Tls(Box::new(stream)))
    };
    tokio::time::timeout(DIAL_TIMEOUT, attempt)
        .await
        .map_err(|_elapsed| DialError::Timeout { host: target.host.clone(), port: target.port })?
}

async fn connect(target: &Target) -> Result<Line, DialError> {
    let Some(via) = &target.via else { return straight(target).await.map(Line::Tcp) };
    if target.loopback_only && !is_loopback(&target.host) {
        return Err(DialError::NotLoopback(target.host.clone()));
    }
    via.reach(&target.host, target.port).await.map_err(|source| DialError::Via {
        host: target.host.clone(),
        port: target.port,
        machine: via.machine.to_string(),
        source: Box::new(source),
    })
}

async fn straight(target: &Target) -> Result<TcpStream, DialError> {
    let failed = |source| DialError::Connect { host: target.host.clone(), port: target.port, source };
    let addresses = tokio::net::lookup_host((target.host.as_str(), target.port)).await.map_err(failed)?;
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        if target.loopback_only && !address.ip().is_loopback() {
            return Err(DialError::NotLoopback(address.to_string()));
        }
        match TcpStream::connect(address).await {
            Ok(stream) => {
                let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL);
                stream.set_nodelay(true).map_err(failed)?;
                SockRef::from(&stream).set_tcp_keepalive(&keepalive).map_err(failed)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(failed(last))
}

async fn secure(target: &Target, mut tcp: Line, config: Arc<rustls::ClientConfig>) -> Result<Wire, DialError> {
    let failed = |source| DialError::Connect { host: target.host.clone(), port: target.port, source };
    let name =
        ServerName::try_from(target.host.clone()).map_err(|_invalid| DialError::ServerName(target.host.clone()))?;
    tcp.write_all(&SSL_REQUEST).await.map_err(failed)?;
    let mut answer = [0; 2];
    let length = tcp.read(&mut answer).await.map_err(failed)?;
    match answer.get(..length) {
        Some([b'S']) => {}
        Some([b'S', _]) => return Err(DialError::EarlyBytes),
        _ => return Err(DialError::TlsRefused),
    }
    let stream = TlsConnector::from(config).connect(name, tcp).await.map_err(DialError::Tls)?;
    Ok(Wire::Tls(Box::new(stream)))
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn dialled() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let host = "127.0.0.1".into();
        let target = Target { host, port, tls: TlsMode::Disable, loopback_only: true, via: None };
        let (wire, accepted) = tokio::join!(dial(&target), listener.accept());
        let Wire::Plain(Line::Tcp(wire)) = wire.unwrap() else { panic!("plain TCP was asked for") };
        (wire, accepted.unwrap().0)
    }

    #[tokio::test]
    async fn a_quiet_upstream_is_kept_alive() {
        let (wire, _server) = dialled().await;
        assert!(SockRef::from(&wire).keepalive().unwrap());
    }

    #[tokio::test]
    async fn an_aborted_stream_is_reset_and_not_merely_closed() {
        let (wire, mut server) = dialled().await;
        Wire::Plain(Line::Tcp(wire)).abort();
        let error = server.read(&mut [0; 1]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
}
