//! The body of a request as it goes out: known whole, carried as the client carried it, and, where the client waits to
//! hear whether it is wanted, kept until the upstream says so.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use hyper::body::{Body, Frame, SizeHint};
use tokio::{
    sync::oneshot,
    time::{Sleep, sleep},
};

/// SPEC: RFC 9110, 10.1.1: who waits for 100 must not wait for ever.
const WAIT_FOR_CONTINUE: Duration = Duration::from_secs(1);

/// A body on its way to an upstream.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    bytes: Bytes,
    trailers: Option<HeaderMap>,
    is_chunked: bool,
    gate: Option<Gate>,
}

/// What a body waits for.
#[derive(Debug)]
struct Gate {
    wanted: oneshot::Receiver<()>,
    patience: Pin<Box<Sleep>>,
}

impl Outgoing {
    /// A body with what follows it.
    pub(super) fn new(bytes: Bytes, is_chunked: bool, trailers: HeaderMap) -> Self {
        let trailers = Some(trailers).filter(|trailers| !trailers.is_empty());
        Self { bytes, is_chunked: is_chunked || trailers.is_some(), trailers, gate: None }
    }

    /// Whether it waits to be wanted.
    pub(super) fn waits(&self) -> bool {
        self.gate.is_some()
    }

    /// Sends it as soon as the upstream wants it, on a stream of HTTP/1.1.
    pub(super) fn when_wanted(request: &mut Request<Self>) {
        let (sender, wanted) = oneshot::channel();
        let sender = Mutex::new(Some(sender));
        let gate = Gate { wanted, patience: Box::pin(sleep(WAIT_FOR_CONTINUE)) };
        request.body_mut().gate = Some(gate);
        hyper::ext::on_informational(request, move |said| {
            let sender = sender.lock().unwrap_or_else(PoisonError::into_inner).take();
            if said.status() == StatusCode::CONTINUE
                && let Some(sender) = sender
                && sender.send(()).is_err()
            {
                tracing::trace!("the body went without being asked for");
            }
        });
    }

    fn is_wanted(&mut self, context: &mut Context<'_>) -> bool {
        let Some(gate) = &mut self.gate else { return true };
        let is_asked_for = matches!(Pin::new(&mut gate.wanted).poll(context), Poll::Ready(Ok(())));
        let is_open = is_asked_for || gate.patience.as_mut().poll(context).is_ready();
        if is_open {
            self.gate = None;
        }
        is_open
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.get_mut();
        if !this.is_wanted(context) {
            return Poll::Pending;
        }
        if !this.bytes.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut this.bytes)))));
        }
        Poll::Ready(this.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let length = u64::try_from(self.bytes.len()).unwrap_or(u64::MAX);
        if self.is_chunked { SizeHint::default() } else { SizeHint::with_exact(length) }
    }
}
