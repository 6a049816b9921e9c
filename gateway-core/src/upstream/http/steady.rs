//! A stream whose other side may answer and close before it has read everything: what it said is read all the same.
//!
//! A server that refuses a body early (413, 417) resets the stream while the rest is written. What cannot be written any
//! more is dropped, and the stream is read to its end; nothing else is sent on it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream that outlives its writing half.
#[derive(Debug)]
pub(super) struct Steady<S> {
    stream: S,
    is_deaf: bool,
}

impl<S> Steady<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, is_deaf: false }
    }

    /// What a write came to, where the other side takes nothing any more.
    fn written(&mut self, result: Poll<io::Result<usize>>, all: usize) -> Poll<io::Result<usize>> {
        match &result {
            Poll::Ready(Err(error)) if is_gone(error) => {
                self.is_deaf = true;
                Poll::Ready(Ok(all))
            }
            Poll::Ready(_) | Poll::Pending => result,
        }
    }
}

fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    matches!(error.kind(), BrokenPipe | ConnectionReset | ConnectionAborted)
}

impl<S: AsyncRead + Unpin> AsyncRead for Steady<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_read(context, room) {
            // Nothing more can come from a side that is gone: this is the end.
            Poll::Pending if self.is_deaf => Poll::Ready(Ok(())),
            read @ (Poll::Ready(_) | Poll::Pending) => read,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Steady<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_deaf {
            return Poll::Ready(Ok(bytes.len()));
        }
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(result, bytes.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all = slices.iter().map(|slice| slice.len()).sum();
        if self.is_deaf {
            return Poll::Ready(Ok(all));
        }
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.written(result, all)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_deaf {
            return Poll::Ready(Ok(()));
        }
        match Pin::new(&mut self.stream).poll_flush(context) {
            Poll::Ready(Err(error)) if is_gone(&error) => {
                self.is_deaf = true;
                Poll::Ready(Ok(()))
            }
            flushed @ (Poll::Ready(_) | Poll::Pending) => flushed,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_deaf {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
