//! One stream of a link as bytes: `LinkStream`, and its halves that need no lock between them.
//!
//! Owns flow control (a byte is released to the peer once the reader took it), half-close (`shutdown` sends `END_STREAM`) and reset on drop.
//! Knows no requests; `client` and `acceptor` make these, `forward` and the gateway's sessions use them.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::{Reason, RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;

use super::settings::FRAME_BYTES;

/// Chunks that `poll_closed` may read ahead; their bytes are bounded by the stream's window already.
const READ_AHEAD_CHUNKS: usize = 1024;

/// What a stream keeps until both halves are gone: its place on the link.
#[derive(Debug, Default)]
pub(crate) struct StreamGuard(pub(crate) Option<std::sync::Arc<OwnedSemaphorePermit>>);

impl StreamGuard {
    fn share(&self) -> Self {
        Self(self.0.clone())
    }
}

/// How the peer left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// It will send nothing more, but still reads.
    Finished,
    /// It gave the stream up: it neither sends nor reads.
    Reset,
    /// The link itself is gone.
    Lost,
}

/// One stream, both directions. Dropping it before [`shutdown`](tokio::io::AsyncWriteExt::shutdown) resets the stream.
#[derive(Debug)]
pub struct LinkStream {
    read: ReadHalf,
    write: WriteHalf,
}

impl LinkStream {
    pub(crate) fn new(receive: RecvStream, send: SendStream<Bytes>, guard: StreamGuard) -> Self {
        let shared = guard.share();
        Self {
            read: ReadHalf { receive, chunks: VecDeque::new(), unreleased: 0, end: None, _guard: shared },
            write: WriteHalf { send, finished: false, _guard: guard },
        }
    }

    /// Both halves, to be owned by different tasks. Neither takes a lock of ours.
    pub fn into_split(self) -> (ReadHalf, WriteHalf) {
        (self.read, self.write)
    }

    /// The two halves, borrowed.
    pub fn split(&mut self) -> (&mut ReadHalf, &mut WriteHalf) {
        (&mut self.read, &mut self.write)
    }

    /// [`closed`](Self::closed), as a poll.
    pub fn poll_closed(&mut self, context: &mut Context<'_>) -> Poll<Closed> {
        match self.read.poll_closed(context) {
            Poll::Ready(closed) => Poll::Ready(closed),
            Poll::Pending => self.write.poll_reset(context),
        }
    }

    /// Waits until the peer finished, reset or lost the stream, without consuming a byte; see [`ReadHalf::closed`]. Cancel safe.
    pub async fn closed(&mut self) -> Closed {
        std::future::poll_fn(|context| self.poll_closed(context)).await
    }
}

/// The receiving half. Dropping it discards what still comes; the sending half goes on.
#[derive(Debug)]
pub struct ReadHalf {
    receive: RecvStream,
    /// Read ahead while somebody watched for the end; their capacity is not released yet.
    chunks: VecDeque<Bytes>,
    /// Bytes handed out by `poll_chunk` whose capacity the next call releases.
    unreleased: usize,
    end: Option<Closed>,
    _guard: StreamGuard,
}

impl ReadHalf {
    /// The next bytes as they came, without a copy; `None` at the end. Their window is given back at the next call, so a caller that
    /// holds on to one chunk at a time is slowed down together with its own reader.
    ///
    /// Cancel safe. A reset or a lost link is an error, never an end.
    pub async fn chunk(&mut self) -> io::Result<Option<Bytes>> {
        std::future::poll_fn(|context| self.poll_chunk(context)).await
    }

    /// [`chunk`](Self::chunk), as a poll.
    pub fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        self.release();
        if self.chunks.is_empty() {
            ready!(self.poll_fill(context));
        }
        let Some(chunk) = self.chunks.pop_front() else { return Poll::Ready(self.at_end()) };
        self.unreleased = chunk.len();
        Poll::Ready(Ok(Some(chunk)))
    }

    /// Waits until the peer finished, reset or lost the stream, without consuming a byte: what arrives meanwhile is kept (bounded by the
    /// stream's window) and read later. For a holder that must notice a vanished client while it does not read.
    ///
    /// Cancel safe.
    pub async fn closed(&mut self) -> Closed {
        std::future::poll_fn(|context| self.poll_closed(context)).await
    }

    /// [`closed`](Self::closed), as a poll.
    pub fn poll_closed(&mut self, context: &mut Context<'_>) -> Poll<Closed> {
        loop {
            if let Some(end) = self.end {
                return Poll::Ready(end);
            }
            if self.chunks.len() >= READ_AHEAD_CHUNKS {
                return Poll::Pending;
            }
            ready!(self.poll_fill(context));
        }
    }

    /// Brings one more chunk, or the end.
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.end.is_some() {
            return Poll::Ready(());
        }
        loop {
            match ready!(self.receive.poll_data(context)) {
                Some(Ok(chunk)) if chunk.is_empty() => {}
                Some(Ok(chunk)) => self.chunks.push_back(chunk),
                // SPEC: RFC 9113 §8.1, a complete answer may be followed by a reset with NO_ERROR; the gateway sends it only then.
                Some(Err(error)) if error.is_reset() && error.reason() == Some(Reason::NO_ERROR) => {
                    self.end = Some(Closed::Finished);
                }
                Some(Err(error)) if error.is_reset() => self.end = Some(Closed::Reset),
                Some(Err(_)) => self.end = Some(Closed::Lost),
                None => self.end = Some(Closed::Finished),
            }
            if self.end.is_some() || !self.chunks.is_empty() {
                return Poll::Ready(());
            }
        }
    }

    fn at_end(&self) -> io::Result<Option<Bytes>> {
        match self.end {
            Some(Closed::Finished) => Ok(None),
            Some(Closed::Reset) => Err(io::Error::new(io::ErrorKind::ConnectionReset, "the peer reset the stream")),
            Some(Closed::Lost) | None => Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the link was lost")),
        }
    }

    fn release(&mut self) {
        let taken = std::mem::take(&mut self.unreleased);
        // A stream that is gone has no window to give back; the next poll reports that.
        if taken > 0 && self.receive.flow_control().release_capacity(taken).is_err() {
            tracing::trace!("window of a closed stream");
        }
    }
}

impl AsyncRead for ReadHalf {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let Some(mut chunk) = ready!(self.poll_chunk(context))? else { return Poll::Ready(Ok(())) };
        let taken = chunk.len().min(buffer.remaining());
        buffer.put_slice(&chunk.split_to(taken));
        if !chunk.is_empty() {
            self.unreleased = taken;
            self.chunks.push_front(chunk);
        }
        Poll::Ready(Ok(()))
    }
}

/// The sending half. Dropping it before it was shut down resets the stream, both directions.
#[derive(Debug)]
pub struct WriteHalf {
    send: SendStream<Bytes>,
    finished: bool,
    _guard: StreamGuard,
}

impl WriteHalf {
    /// Sends all of `bytes` without copying them, as the peer's window allows.
    ///
    /// Cancel safe: what was not sent yet stays in `bytes`.
    pub async fn send(&mut self, bytes: &mut Bytes) -> io::Result<()> {
        std::future::poll_fn(|context| self.poll_send(context, bytes)).await
    }

    /// [`send`](Self::send), as a poll.
    pub fn poll_send(&mut self, context: &mut Context<'_>, bytes: &mut Bytes) -> Poll<io::Result<()>> {
        while bytes.has_remaining() {
            let room = ready!(self.poll_room(context, bytes.len()))?;
            self.send_now(bytes.split_to(room))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Ready when the peer reset the stream or the link is gone, while the sender has nothing to send.
    pub fn poll_reset(&mut self, context: &mut Context<'_>) -> Poll<Closed> {
        match ready!(self.send.poll_reset(context)) {
            Ok(_) => Poll::Ready(Closed::Reset),
            Err(_) => Poll::Ready(Closed::Lost),
        }
    }

    /// Says that nothing more comes from here; the peer may go on sending. At once and idempotent.
    pub fn finish(&mut self) -> io::Result<()> {
        if !self.finished {
            self.send.send_data(Bytes::new(), true).map_err(lost)?;
            self.finished = true;
        }
        Ok(())
    }

    /// Gives the stream up, both directions.
    pub fn reset(&mut self) {
        self.finished = true;
        self.send.send_reset(Reason::CANCEL);
    }

    /// How much of `wanted` may be sent at once: at least one byte, at most one frame.
    fn poll_room(&mut self, context: &mut Context<'_>, wanted: usize) -> Poll<io::Result<usize>> {
        let wanted = wanted.min(FRAME_BYTES as usize);
        self.send.reserve_capacity(wanted);
        let mut room = self.send.capacity();
        while room == 0 {
            room = match ready!(self.send.poll_capacity(context)) {
                Some(capacity) => capacity.map_err(lost)?,
                None => return Poll::Ready(Err(io::Error::new(io::ErrorKind::BrokenPipe, "the stream is closed"))),
            };
        }
        Poll::Ready(Ok(room.min(wanted)))
    }

    fn send_now(&mut self, bytes: Bytes) -> io::Result<()> {
        self.send.send_data(bytes, false).map_err(lost)
    }
}

impl AsyncWrite for WriteHalf {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let room = ready!(self.poll_room(context, buffer.len()))?;
        let (now, _) = buffer.split_at(room.min(buffer.len()));
        self.send_now(Bytes::copy_from_slice(now))?;
        Poll::Ready(Ok(now.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.finish())
    }
}

impl Drop for WriteHalf {
    fn drop(&mut self) {
        if !self.finished {
            self.reset();
        }
    }
}

impl AsyncRead for LinkStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.read).poll_read(context, buffer)
    }
}

impl AsyncWrite for LinkStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.write).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.write).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.write).poll_shutdown(context)
    }
}

fn lost(error: h2::Error) -> io::Error {
    let kind = if error.is_reset() { io::ErrorKind::ConnectionReset } else { io::ErrorKind::BrokenPipe };
    io::Error::new(kind, error)
}
