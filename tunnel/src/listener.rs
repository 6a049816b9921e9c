//! The local end of a tunnel: a TCP port on the loopback addresses, or a Unix socket that only its user can open.
//!
//! Never binds anything but loopback. Says what it got. Knows neither links nor what is tunnelled; called by the CLI's tunnels.

#[cfg(unix)]
mod unix;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::net::{TcpListener, TcpStream};

use crate::peer::{self, PeerError};

/// Which port is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// This one or none; zero is any.
    Exactly(u16),
    /// This one, else one of the next, else any.
    From(u16),
}

/// Why there is no listener.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody else has the port.
    #[error("port {0} on 127.0.0.1 is taken")]
    Taken(u16),
    /// The port cannot be had.
    #[error("cannot listen on 127.0.0.1:{0}")]
    Port(u16, #[source] io::Error),
    /// The socket's place is not private, or cannot be made.
    #[error("cannot make a private socket at {}", .0.display())]
    Socket(PathBuf, #[source] io::Error),
    /// A tunnel that lives already listens there.
    #[error("another tunnel listens at {}", .0.display())]
    Alive(PathBuf),
}

/// Where a tunnel listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// On 127.0.0.1, and on `::1` too where `both`.
    Tcp {
        /// The port.
        port: u16,
        /// Whether `::1` is held as well, so that `localhost` is ours whatever it resolves to.
        both: bool,
    },
    /// On a Unix socket.
    Unix(PathBuf),
}

/// A bound local end.
#[derive(Debug)]
pub struct LocalListener {
    inner: Inner,
}

#[derive(Debug)]
enum Inner {
    Tcp {
        v4: TcpListener,
        v6: Option<TcpListener>,
        port: u16,
    },
    #[cfg(unix)]
    Unix(unix::PrivateSocket),
}

impl LocalListener {
    /// Binds 127.0.0.1, and `::1` on the same port where it can be had. Fails when the port is taken, as wanted.
    pub async fn tcp(wanted: Port) -> Result<Self, ListenError> {
        let v4 = match wanted {
            Port::Exactly(port) => bind(port).await?,
            Port::From(port) => bind_near(port).await?,
        };
        let port = v4.local_addr().map_err(|error| ListenError::Port(0, error))?.port();
        let v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await.ok();
        Ok(Self { inner: Inner::Tcp { v4, v6, port } })
    }

    /// Binds a Unix socket, mode 0600, in a directory that is made (0700) or must be ours alone. A dead socket there is replaced.
    /// Dropping the listener removes it.
    #[cfg(unix)]
    pub async fn unix(path: PathBuf) -> Result<Self, ListenError> {
        Ok(Self { inner: Inner::Unix(unix::PrivateSocket::bind(path).await?) })
    }

    /// Takes over listeners that somebody else bound, such as in another network namespace: one port, on one or both loopback addresses.
    pub fn adopt(v4: std::net::TcpListener, v6: Option<std::net::TcpListener>) -> io::Result<Self> {
        let port = v4.local_addr()?.port();
        let listener = |listener: std::net::TcpListener| {
            listener.set_nonblocking(true)?;
            TcpListener::from_std(listener)
        };
        Ok(Self { inner: Inner::Tcp { v4: listener(v4)?, v6: v6.map(listener).transpose()?, port } })
    }

    /// Where it listens.
    pub fn bound(&self) -> Bound {
        match &self.inner {
            Inner::Tcp { v6, port, .. } => Bound::Tcp { port: *port, both: v6.is_some() },
            #[cfg(unix)]
            Inner::Unix(socket) => Bound::Unix(socket.path().to_owned()),
        }
    }

    /// The next local connection, with `TCP_NODELAY`. Cancel safe.
    pub async fn accept(&self) -> io::Result<LocalStream> {
        match &self.inner {
            Inner::Tcp { v4, v6, .. } => {
                let (stream, _) = match v6 {
                    Some(v6) => tokio::select! {
                        accepted = v4.accept() => accepted?,
                        accepted = v6.accept() => accepted?,
                    },
                    None => v4.accept().await?,
                };
                stream.set_nodelay(true)?;
                Ok(LocalStream { inner: LocalInner::Tcp(stream) })
            }
            #[cfg(unix)]
            Inner::Unix(socket) => Ok(LocalStream { inner: LocalInner::Unix(socket.accept().await?) }),
        }
    }
}

async fn bind(port: u16) -> Result<TcpListener, ListenError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| {
        let taken = error.kind() == io::ErrorKind::AddrInUse;
        if taken { ListenError::Taken(port) } else { ListenError::Port(port, error) }
    })
}

async fn bind_near(first: u16) -> Result<TcpListener, ListenError> {
    for port in first..=first.saturating_add(NEAR) {
        // A port may also be refused to us (below 1024); the next one is tried all the same.
        if let Ok(listener) = bind(port).await {
            return Ok(listener);
        }
    }
    bind(0).await
}

/// One accepted local connection.
#[derive(Debug)]
pub struct LocalStream {
    inner: LocalInner,
}

#[derive(Debug)]
enum LocalInner {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl LocalStream {
    /// Where the client is, in words, for a person or a log.
    pub fn client(&self) -> String {
        match &self.inner {
            LocalInner::Tcp(stream) => {
                stream.peer_addr().map_or_else(|_| "a closed socket".into(), |address| address.to_string())
            }
            #[cfg(unix)]
            LocalInner::Unix(_) => "unix socket".into(),
        }
    }

    /// Passes only when the client runs as our own user; see [`peer::same_user`].
    pub fn check_same_user(&self) -> Result<(), PeerError> {
        match &self.inner {
            LocalInner::Tcp(stream) => {
                let (peer, local) = (address(stream.peer_addr())?, address(stream.local_addr())?);
                peer::same_user(peer, local)
            }
            #[cfg(unix)]
            LocalInner::Unix(stream) => peer::same_user_unix(stream),
        }
    }

    /// Passes only when the client runs as our own user and has this descent; see [`peer::of_descent`].
    pub fn check_descent(&self, descent: peer::Descent) -> Result<(), PeerError> {
        match &self.inner {
            LocalInner::Tcp(stream) => {
                let (peer, local) = (address(stream.peer_addr())?, address(stream.local_addr())?);
                peer::of_descent(peer, local, descent)
            }
            #[cfg(unix)]
            LocalInner::Unix(stream) => peer::of_descent_unix(stream, descent),
        }
    }

    /// Makes the coming drop a reset, so that the client cannot take a broken end for an orderly one.
    pub fn abort(&self) {
        if let LocalInner::Tcp(stream) = &self.inner
            && stream.set_zero_linger().is_err()
        {
            tracing::trace!("the local socket was gone already");
        }
    }
}

fn address(address: io::Result<SocketAddr>) -> Result<SocketAddr, PeerError> {
    address.map_err(|_closed| PeerError::Gone)
}

impl AsyncRead for LocalStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.inner {
            LocalInner::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            #[cfg(unix)]
            LocalInner::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for LocalStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.inner {
            LocalInner::Tcp(stream) => Pin::new(stream).poll_write(context, buffer),
            #[cfg(unix)]
            LocalInner::Unix(stream) => Pin::new(stream).poll_write(context, buffer),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.inner {
            LocalInner::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            #[cfg(unix)]
            LocalInner::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

/// How many ports after the wanted one are tried.
const NEAR: u16 = 20;

#[cfg(test)]
mod tests;
