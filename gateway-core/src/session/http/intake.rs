//! The bytes of a client before hyper reads them: one request at a time, framed strictly, and the end noticed at once.
//!
//! hyper stops reading while a request that was sent ahead waits in its buffer, so it would not see that the client of a
//! held one left. Here requests sent ahead wait outside of it, and reading goes on.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::{Buf as _, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::protocol::http::codec::framing::Framing;

/// As much as a client may send ahead of its turn; more waits in the sockets.
const MOST_AHEAD: usize = 64 * 1024;
/// How much is read at once.
const PIECE: usize = 16 * 1024;

/// Whose turn it is on one stream: a request is read when the one before it was answered.
#[derive(Debug, Default)]
pub(super) struct Turns {
    state: Mutex<State>,
    /// The client has left: it sends nothing any more.
    pub(super) left: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    open: usize,
    switched: bool,
    waker: Option<Waker>,
}

impl Turns {
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What follows on the stream is no HTTP any more, once this exchange is answered.
    pub(super) fn switch(&self) {
        self.change(|state| state.switched = true);
    }

    /// An exchange that is over when this is dropped.
    pub(super) fn exchange(self: &Arc<Self>) -> Turn {
        Turn(Arc::clone(self))
    }
}

/// One exchange. Dropped, the next request is read.
#[derive(Debug)]
pub(super) struct Turn(Arc<Turns>);

impl Drop for Turn {
    fn drop(&mut self) {
        let waker = self.0.change(|state| {
            state.open = state.open.saturating_sub(1);
            state.waker.take()
        });
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// A client's stream, read strictly.
#[derive(Debug)]
pub(super) struct Intake<S> {
    stream: S,
    framing: Framing,
    /// Read, and not looked at yet.
    ahead: BytesMut,
    /// What hyper may have.
    ready: BytesMut,
    has_ended: bool,
    turns: Arc<Turns>,
    /// How long a head may take, and how long nothing may come before it.
    patience: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncRead + Unpin> Intake<S> {
    pub(super) fn new(stream: S, turns: Arc<Turns>, patience: Duration) -> Self {
        let (framing, has_ended, deadline) = (Framing::default(), false, None);
        let (ahead, ready) = (BytesMut::new(), BytesMut::new());
        Self { stream, framing, ahead, ready, has_ended, turns, patience, deadline }
    }

    /// Whether a client that may send a head has taken too long for it.
    fn is_too_slow(&mut self, context: &mut Context<'_>) -> bool {
        let is_asked = self.framing.awaits_head() && self.turns.change(|state| state.open == 0 && !state.switched);
        if !is_asked {
            self.deadline = None;
            return false;
        }
        let patience = self.patience;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(patience)));
        deadline.as_mut().poll(context).is_ready()
    }

    /// Whether what was read may be looked at; wakes the reader when it may.
    fn is_its_turn(&mut self, context: &Context<'_>) -> bool {
        if !self.framing.is_between() {
            return true;
        }
        let (is_free, switched) = self.turns.change(|state| {
            if state.open > 0 {
                state.waker = Some(context.waker().clone());
            }
            (state.open == 0, state.switched)
        });
        if is_free && switched {
            self.framing.switch();
        }
        is_free
    }

    fn look(&mut self) -> io::Result<()> {
        let mut out = Vec::new();
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        let taken = self.framing.take(&self.ahead, &mut out).map_err(invalid)?;
        if taken.began {
            self.turns.change(|state| state.open += 1);
        }
        self.ahead.advance(taken.bytes);
        self.ready.extend_from_slice(&out);
        Ok(())
    }

    /// Reads on; gives whether anything came.
    fn read_on(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut piece = [0; PIECE];
        let mut room = ReadBuf::new(&mut piece);
        let result = ready!(Pin::new(&mut self.stream).poll_read(context, &mut room));
        if result.is_err() || room.filled().is_empty() {
            self.has_ended = true;
            self.turns.left.cancel();
        }
        result?;
        self.ahead.extend_from_slice(room.filled());
        Poll::Ready(Ok(!room.filled().is_empty()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Intake<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if !this.ready.is_empty() {
                let most = this.ready.len().min(room.remaining());
                room.put_slice(&this.ready.split_to(most));
                return Poll::Ready(Ok(()));
            }
            let waits = !this.ahead.is_empty() && !this.is_its_turn(context);
            if !this.ahead.is_empty() && !waits {
                this.look()?;
                continue;
            }
            if this.has_ended {
                return if waits { Poll::Pending } else { Poll::Ready(Ok(())) };
            }
            if this.ahead.len() >= MOST_AHEAD {
                return Poll::Pending;
            }
            match this.read_on(context) {
                Poll::Ready(came) => {
                    if !came? && this.ahead.is_empty() {
                        return Poll::Ready(Ok(()));
                    }
                }
                // As if it had left: what it began is no request.
                Poll::Pending if this.is_too_slow(context) => {
                    this.has_ended = true;
                    return Poll::Ready(Ok(()));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Intake<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const REQUEST: &[u8] = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

    #[tokio::test]
    async fn a_request_sent_ahead_waits_and_the_end_is_noticed() {
        let (mut client, server) = tokio::io::duplex(1024);
        let turns = Arc::new(Turns::default());
        let mut intake = Intake::new(server, Arc::clone(&turns), Duration::from_mins(5));
        client.write_all(&[REQUEST, REQUEST].concat()).await.unwrap();
        let mut first = [0; REQUEST.len()];
        intake.read_exact(&mut first).await.unwrap();
        let turn = turns.exchange();
        let mut second = [0; REQUEST.len()];
        let early = std::future::poll_fn(|context| {
            let mut room = ReadBuf::new(&mut second);
            Poll::Ready(Pin::new(&mut intake).poll_read(context, &mut room).is_pending())
        });
        assert!(early.await, "the second waits for the first");
        drop(client);
        let early = std::future::poll_fn(|context| {
            let mut room = ReadBuf::new(&mut second);
            Poll::Ready(Pin::new(&mut intake).poll_read(context, &mut room).is_pending())
        });
        assert!(early.await && turns.left.is_cancelled(), "it waits still, and its client is known to have left");
        drop(turn);
        intake.read_exact(&mut second).await.unwrap();
        assert_eq!(second, *REQUEST);
        drop(turns.exchange());
        assert_eq!(intake.read(&mut first).await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn half_a_head_is_not_waited_for() {
        let (mut client, server) = tokio::io::duplex(1024);
        let turns = Arc::new(Turns::default());
        let mut intake = Intake::new(server, Arc::clone(&turns), Duration::from_secs(5));
        client.write_all(&REQUEST[..9]).await.unwrap();
        let mut room = [0; 64];
        assert_eq!(intake.read(&mut room).await.unwrap(), 0, "it ends as if the client had left");
    }

    #[tokio::test]
    async fn what_was_switched_is_read_as_it_is() {
        let (mut client, server) = tokio::io::duplex(1024);
        let turns = Arc::new(Turns::default());
        let mut intake = Intake::new(server, Arc::clone(&turns), Duration::from_mins(5));
        client.write_all(&[REQUEST, b"\x81\x00\n"].concat()).await.unwrap();
        let mut first = [0; REQUEST.len()];
        intake.read_exact(&mut first).await.unwrap();
        let turn = turns.exchange();
        turns.switch();
        drop(turn);
        let mut frame = [0; 3];
        intake.read_exact(&mut frame).await.unwrap();
        assert_eq!(&frame, b"\x81\x00\n");
    }
}
