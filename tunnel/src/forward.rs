//! The two-way copy between a local connection and a stream of a link, with correct half-close and byte counters.
//!
//! Owns its buffers and nothing else; knows neither who is there nor what the bytes mean. Called by the CLI's tunnels.

use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use crate::link::{LinkStream, ReadHalf, WriteHalf};

/// Bytes that went through, counted while they go. Shared by as many copies as one likes.
#[derive(Debug, Default)]
pub struct Counters {
    sent: AtomicU64,
    received: AtomicU64,
}

impl Counters {
    /// Bytes from the local side to the gateway.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Bytes from the gateway to the local side.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}

/// Which side ended a copy early.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// The local connection broke.
    #[error("the local connection broke")]
    Local(#[source] io::Error),
    /// The gateway reset the stream, or the link was lost.
    #[error("the stream to the gateway broke")]
    Remote(#[source] io::Error),
}

/// Copies both ways until both sides finished. When one side finishes, the other is told and may go on sending.
///
/// An error means that the end was not an orderly one: bytes may be missing, and the caller should reset what is left of either side (the
/// stream resets itself). Not cancel safe: dropping the future gives up both directions.
pub async fn forward<L>(local: &mut L, remote: LinkStream, counters: &Counters) -> Result<(), ForwardError>
where
    L: AsyncRead + AsyncWrite + Unpin,
{
    let (read, write) = remote.into_split();
    let up = Up { write, buffer: BytesMut::new(), much: false, pending: Bytes::new(), state: Direction::Copying };
    let down = Down { read, pending: Bytes::new(), state: Direction::Copying };
    Forward { local, counters, up, down }.await
}

/// Both directions in one future: they share the local side without a lock.
struct Forward<'a, L> {
    local: &'a mut L,
    counters: &'a Counters,
    up: Up,
    down: Down,
}

impl<L: AsyncRead + AsyncWrite + Unpin> Future for Forward<'_, L> {
    type Output = Result<(), ForwardError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { local, counters, up, down } = self.get_mut();
        let received = down.poll(*local, counters, context)?;
        let sent = match up.poll(*local, counters, context) {
            // The gateway finished and reads no more: what the local side still says has no reader, and nothing is missing.
            Poll::Ready(Err(ForwardError::Remote(_))) if received.is_ready() => Poll::Ready(()),
            Poll::Ready(ended) => Poll::Ready(ended?),
            Poll::Pending => Poll::Pending,
        };
        if sent.is_ready() && received.is_ready() { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

#[derive(PartialEq, Eq)]
enum Direction {
    Copying,
    Ending,
    Done,
}

/// Local to remote.
struct Up {
    write: WriteHalf,
    buffer: BytesMut,
    /// The last read filled the room that it was given: more is coming.
    much: bool,
    pending: Bytes,
    state: Direction,
}

impl Up {
    fn poll<L>(
        &mut self,
        local: &mut L,
        counters: &Counters,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), ForwardError>>
    where
        L: AsyncRead + Unpin,
    {
        loop {
            if self.pending.has_remaining() {
                ready!(self.write.poll_send(context, &mut self.pending)).map_err(ForwardError::Remote)?;
            }
            match self.state {
                Direction::Copying => {
                    let count = ready!(self.poll_read(local, context)).map_err(ForwardError::Local)?;
                    counters.sent.fetch_add(count as u64, Ordering::Relaxed);
                    if count == 0 {
                        self.state = Direction::Ending;
                    }
                }
                Direction::Ending => {
                    self.write.finish().map_err(ForwardError::Remote)?;
                    self.state = Direction::Done;
                }
                Direction::Done => return Poll::Ready(Ok(())),
            }
        }
    }

    fn poll_read<L: AsyncRead + Unpin>(&mut self, local: &mut L, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let (least, room) =
            if self.much { (LEAST_ROOM, BUFFER_BYTES) } else { (LEAST_ROOM_AT_REST, BUFFER_BYTES_AT_REST) };
        if self.buffer.capacity() < least {
            self.buffer.reserve(room);
        }
        let given = self.buffer.capacity();
        // `read_buf` keeps no state between polls, so a fresh future each time loses nothing.
        let count = ready!(pin!(local.read_buf(&mut self.buffer)).as_mut().poll(context))?;
        let had_much = std::mem::replace(&mut self.much, count >= given.min(LEAST_ROOM));
        self.pending = self.buffer.split().freeze();
        if had_much && !self.much {
            // A connection that rests holds no buffer of a busy one.
            self.buffer = BytesMut::new();
        }
        Poll::Ready(Ok(count))
    }
}

/// Remote to local.
struct Down {
    read: ReadHalf,
    pending: Bytes,
    state: Direction,
}

impl Down {
    fn poll<L>(
        &mut self,
        local: &mut L,
        counters: &Counters,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), ForwardError>>
    where
        L: AsyncWrite + Unpin,
    {
        loop {
            while self.pending.has_remaining() {
                let count =
                    ready!(Pin::new(&mut *local).poll_write(context, &self.pending)).map_err(ForwardError::Local)?;
                if count == 0 {
                    return Poll::Ready(Err(ForwardError::Local(io::ErrorKind::WriteZero.into())));
                }
                self.pending.advance(count);
                counters.received.fetch_add(count as u64, Ordering::Relaxed);
            }
            match self.state {
                Direction::Copying => match ready!(self.read.poll_chunk(context)).map_err(ForwardError::Remote)? {
                    Some(chunk) => self.pending = chunk,
                    None => self.state = Direction::Ending,
                },
                Direction::Ending => {
                    match ready!(Pin::new(&mut *local).poll_shutdown(context)) {
                        // The local side closed entirely before we could: the same end.
                        Err(error) if error.kind() != io::ErrorKind::NotConnected => {
                            return Poll::Ready(Err(ForwardError::Local(error)));
                        }
                        Ok(()) | Err(_) => self.state = Direction::Done,
                    }
                }
                Direction::Done => return Poll::Ready(Ok(())),
            }
        }
    }
}

const BUFFER_BYTES: usize = 64 << 10;
/// Below this much room, a read would be small for no reason.
const LEAST_ROOM: usize = 16 << 10;
/// The same for a connection that is idle or sends short messages.
const BUFFER_BYTES_AT_REST: usize = 2 << 10;
const LEAST_ROOM_AT_REST: usize = 512;
