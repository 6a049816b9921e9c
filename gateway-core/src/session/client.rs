//! The client's end of a session, whichever way it came: a stream of a link, TLS on a native listener, or a way through a
//! machine.
//!
//! Owns reading, bounded writing and half-close for each. Knows no messages. Used by the opening and the relay.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes};
use hoop_tunnel::link;
use tokio::{
    io::DuplexStream,
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

/// A native client's stream. Boxed: it is larger than a link's stream by far.
type Native = Box<TlsStream<TcpStream>>;

/// A client's stream, both directions.
#[derive(Debug)]
pub enum ClientStream {
    /// Through a tunnel.
    Link(link::LinkStream),
    /// Straight to a listener of the gateway.
    Native(Native),
    /// A way through a machine, of a session of its own.
    Way(DuplexStream),
}

impl ClientStream {
    /// Both halves.
    pub(super) fn into_split(self) -> (ClientRead, ClientWrite) {
        match self {
            Self::Link(stream) => {
                let (read, write) = stream.into_split();
                (ClientRead::Link(read), ClientWrite::Link(write))
            }
            Self::Native(stream) => {
                let (read, write) = tokio::io::split(stream);
                (ClientRead::Native(read), ClientWrite::Native { write, unflushed: false })
            }
            Self::Way(stream) => {
                let (read, write) = tokio::io::split(stream);
                (ClientRead::Way(read), ClientWrite::Way(write))
            }
        }
    }

    /// Writes all of it, and sees that it goes out.
    pub async fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes).await?;
        self.flush().await
    }
}

/// The receiving half.
#[derive(Debug)]
pub(super) enum ClientRead {
    Link(link::ReadHalf),
    Native(tokio::io::ReadHalf<Native>),
    Way(tokio::io::ReadHalf<DuplexStream>),
}

/// The sending half.
#[derive(Debug)]
pub(super) enum ClientWrite {
    Link(link::WriteHalf),
    Native {
        write: tokio::io::WriteHalf<Native>,
        /// TLS took bytes that the socket has not taken yet.
        unflushed: bool,
    },
    Way(tokio::io::WriteHalf<DuplexStream>),
}

impl ClientWrite {
    /// Sends all of `bytes`. Cancel safe: what was not taken yet stays in `bytes`, and [`Self::is_pending`] says whether
    /// something taken has to be flushed by another call.
    pub(super) async fn send(&mut self, bytes: &mut Bytes) -> io::Result<()> {
        match self {
            Self::Link(write) => write.send(bytes).await,
            Self::Native { write, unflushed } => {
                std::future::poll_fn(|context| poll_send(write, unflushed, bytes, context)).await
            }
            Self::Way(write) => write.write_all_buf(bytes).await,
        }
    }

    /// Whether bytes wait inside for the socket.
    pub(super) const fn is_pending(&self) -> bool {
        matches!(self, Self::Native { unflushed: true, .. })
    }

    /// Waits until there is nobody to write to any more. Cancel safe.
    pub(super) async fn gone(&mut self) {
        match self {
            Self::Link(write) => {
                std::future::poll_fn(|context| write.poll_reset(context)).await;
            }
            // The end of these shows where they are read.
            Self::Native { .. } | Self::Way(_) => std::future::pending().await,
        }
    }

    /// Says that nothing more comes.
    pub(super) async fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Link(write) => write.finish(),
            Self::Native { write, .. } => write.shutdown().await,
            Self::Way(write) => write.shutdown().await,
        }
    }
}

fn poll_send(
    write: &mut (impl AsyncWrite + Unpin),
    unflushed: &mut bool,
    bytes: &mut Bytes,
    context: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    while !bytes.is_empty() {
        let taken = ready!(Pin::new(&mut *write).poll_write(context, bytes))?;
        if taken == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        bytes.advance(taken);
        *unflushed = true;
    }
    ready!(Pin::new(write).poll_flush(context))?;
    *unflushed = false;
    Poll::Ready(Ok(()))
}

impl AsyncRead for ClientRead {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Link(read) => Pin::new(read).poll_read(context, buffer),
            Self::Native(read) => end_is_an_end(Pin::new(read).poll_read(context, buffer)),
            Self::Way(read) => Pin::new(read).poll_read(context, buffer),
        }
    }
}

/// A native client that closes its socket without TLS's goodbye has left, as psql may; it is no failure.
fn end_is_an_end(read: Poll<io::Result<()>>) -> Poll<io::Result<()>> {
    read.map(|done| match done {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
        Ok(()) | Err(_) => done,
    })
}

impl AsyncRead for ClientStream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Link(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Native(stream) => end_is_an_end(Pin::new(stream).poll_read(context, buffer)),
            Self::Way(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Link(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Native(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Way(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Link(stream) => Pin::new(stream).poll_flush(context),
            Self::Native(stream) => Pin::new(stream).poll_flush(context),
            Self::Way(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Link(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Native(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Way(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
