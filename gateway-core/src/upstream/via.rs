//! An upstream that only a machine reaches: the gateway logs in there itself, and dials on through it. What goes over that
//! way (TLS, where the site wants it) is between the gateway and the upstream.
//!
//! Knows no session: each dial is a login of the gateway's own, on record before it is made.

use std::{
    fmt, io,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use russh::{ChannelStream, client};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

use super::{
    LinkPurpose, LoginOrder, SshError, SshLink, SshLogin, Target,
    ssh::{log_in, way_to},
};
use crate::{
    config::SshSettings,
    model::ConnectionName,
    record::{GatewayEvent, Own, OwnPurpose, Recorded, Recorder},
};

/// The machine that an upstream is reached through.
pub struct Via {
    /// The connection whose upstream is reached so.
    pub connection: ConnectionName,
    /// The machine's own connection.
    pub machine: ConnectionName,
    /// Where the machine is.
    pub target: Target,
    /// Whom the gateway takes for it.
    pub settings: SshSettings,
    /// How it logs in there.
    pub login: Arc<SshLogin>,
    /// Where that is put on record.
    pub recorder: Recorder,
}

impl fmt::Debug for Via {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Via").field("machine", &self.machine).finish_non_exhaustive()
    }
}

/// Why a machine does not lead to an upstream.
#[derive(Debug, thiserror::Error)]
pub enum ViaError {
    /// It could not be put on record.
    #[error("the gateway cannot record its login, so it does not log in")]
    Unrecorded,
    /// The machine is not to be had.
    #[error(transparent)]
    Machine(#[from] SshError),
}

impl Via {
    /// A way to there. Boxed by its type: the machine is dialled, too.
    pub(super) fn reach<'way>(
        &'way self,
        host: &'way str,
        port: u16,
    ) -> Pin<Box<dyn Future<Output = Result<Line, ViaError>> + Send + 'way>> {
        Box::pin(async move {
            let key_id = format!("gateway for {}", self.connection);
            let order = LoginOrder { key_id, purpose: LinkPurpose::Forwarding };
            let event = GatewayEvent::Reached { connection: self.connection.clone(), through: self.machine.clone() };
            let order = self.recorder.own(&event, OwnPurpose::Authenticate, order).await.map_err(|error| {
                tracing::error!(connection = %self.connection, %error, "a login of the gateway could not be recorded");
                ViaError::Unrecorded
            })?;
            self.dial(order, host, port).await
        })
    }

    async fn dial(&self, order: Recorded<Own<LoginOrder>>, host: &str, port: u16) -> Result<Line, ViaError> {
        let (order, cut) = (order.into_inner().into_message(), CancellationToken::new());
        let link = log_in(&self.target, &self.settings, &self.login, order, cut.clone()).await?;
        let stream = way_to(&link, host, port).await?.into_stream();
        Ok(Line::Way(Box::new(Way { stream, cut, _link: link })))
    }
}

/// A way through a machine. Dropped, its link ends with it.
pub struct Way {
    stream: ChannelStream<client::Msg>,
    cut: CancellationToken,
    _link: SshLink,
}

impl fmt::Debug for Way {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Way")
    }
}

/// What a stream to an upstream runs over.
#[derive(Debug)]
pub enum Line {
    /// A socket.
    Tcp(TcpStream),
    /// A way through a machine.
    Way(Box<Way>),
}

impl Line {
    /// The socket, where it is one.
    pub(super) fn tcp(&self) -> Option<&TcpStream> {
        if let Self::Tcp(stream) = self { Some(stream) } else { None }
    }

    /// Cuts a way; a socket is its owner's to reset.
    pub(super) fn cut(&self) {
        if let Self::Way(way) = self {
            way.cut.cancel();
        }
    }
}

/// Whether a name can only be the machine that looks it up, as a development gateway wants it.
pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Way(way) => Pin::new(&mut way.stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            // A channel has no empty packets.
            Self::Way(_) if bytes.is_empty() => Poll::Ready(Ok(0)),
            Self::Way(way) => Pin::new(&mut way.stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Way(way) => Pin::new(&mut way.stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Way(way) => Pin::new(&mut way.stream).poll_shutdown(context),
        }
    }
}
