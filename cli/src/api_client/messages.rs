//! One answer that goes on: server-sent events with bounds, until either side ends it. Knows no meaning of an event.

use std::{pin::Pin, time::Duration};

use eventsource_stream::{EventStreamError, Eventsource as _};
use futures_util::{Stream, StreamExt as _, stream};
use reqwest::Response;

/// One event: its name, and its data as one JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// Which kind.
    pub(crate) event: String,
    /// What it says.
    pub(crate) data: String,
}

/// Why nothing more comes, although nobody ended it: a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Broken(pub(crate) String);

type Events = dyn Stream<Item = Result<Message, Broken>> + Send;

/// The events of one answer.
pub(crate) struct Messages(Pin<Box<Events>>);

impl Messages {
    /// Reads them from the body of an answer. The gateway says something at least every ten seconds, if only that it is
    /// there; a longer silence is its absence.
    pub(super) fn of(response: Response) -> Self {
        let body = Box::pin(response.bytes_stream());
        Self::read(stream::unfold(body, async |mut body| {
            let chunk = match tokio::time::timeout(SILENCE, body.next()).await {
                Ok(chunk) => chunk?.map_err(|error| Broken(error.without_url().to_string())),
                Err(_elapsed) => Err(Broken(format!("nothing came for {} s", SILENCE.as_secs()))),
            };
            Some((chunk, body))
        }))
    }

    /// The same of a server that may be silent for as long as it likes.
    pub(crate) fn patient(response: Response) -> Self {
        Self::read(response.bytes_stream().map(|chunk| chunk.map_err(|error| Broken(error.without_url().to_string()))))
    }

    fn read<B: AsRef<[u8]> + Send + 'static>(chunks: impl Stream<Item = Result<B, Broken>> + Send + 'static) -> Self {
        let mut unbroken = 0_usize;
        let bounded = chunks.map(move |chunk| {
            let chunk = chunk?;
            let bytes = chunk.as_ref();
            // An event ends with an empty line; what has none for long would be kept without bound.
            unbroken = match bytes.windows(2).rposition(|pair| pair == b"\n\n") {
                Some(at) => bytes.len() - at,
                None => unbroken.saturating_add(bytes.len()),
            };
            if unbroken > MAX_EVENT_BYTES {
                return Err(Broken(format!("an event has more than {MAX_EVENT_BYTES} bytes")));
            }
            Ok(chunk)
        });
        let events = bounded.eventsource().map(|event| match event {
            Ok(event) => Ok(Message { event: event.event, data: event.data }),
            Err(EventStreamError::Transport(broken)) => Err(broken),
            Err(EventStreamError::Utf8(_) | EventStreamError::Parser(_)) => {
                Err(Broken("it sent something that is no event".to_owned()))
            }
        });
        Self(Box::pin(events))
    }

    /// The next one; `None` when the gateway ended the answer in order. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<Option<Message>, Broken> {
        self.0.next().await.transpose()
    }
}

/// The longest event taken: a request for approval holds at most 64 KiB of text.
const MAX_EVENT_BYTES: usize = 4 << 20;

/// Longer than several heartbeats.
const SILENCE: Duration = Duration::from_secs(45);

/// How long an answer may go on before it is asked for anew; longer than any token lives.
pub(super) const LONGEST: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(chunks: &[&str]) -> Messages {
        let chunks: Vec<Result<Vec<u8>, Broken>> = chunks.iter().map(|chunk| Ok(chunk.as_bytes().to_vec())).collect();
        Messages::read(stream::iter(chunks))
    }

    #[tokio::test]
    async fn an_event_in_pieces_among_comments_is_one_event() {
        let mut messages =
            messages(&[":\n\nevent: app", "roval\ndata: {\"a\":1}\n", "\n:\n\nevent: lagged\ndata: {}\n\n"]);
        let first = messages.next().await.unwrap().unwrap();
        assert_eq!((first.event.as_str(), first.data.as_str()), ("approval", "{\"a\":1}"));
        assert_eq!(messages.next().await.unwrap().unwrap().event, "lagged");
        assert_eq!(messages.next().await, Ok(None));
    }

    #[tokio::test]
    async fn an_endless_event_is_not_kept() {
        let endless = stream::repeat_with(|| Ok(vec![b'x'; 64 * 1024]));
        let outcome = Messages::read(endless).next().await;
        assert!(outcome.unwrap_err().0.contains("more than"), "it is refused while it comes");
    }
}
