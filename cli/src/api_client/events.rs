//! Follows what changes at the gateway, for as long as somebody wants to know: reconnects by itself, with a fresh token.
//!
//! Callers list what there is after [`Feed::Connected`] and [`Feed::Lagged`], and take the rest from here. Knows no
//! terminal.

use std::time::Duration;

use hoop_gateway_core::api::types::{ApprovalItem, SessionItem};
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};

use super::{
    Api,
    messages::{Message, Messages},
};
use crate::{
    connect::jitter,
    failure::{Failure, FailureKind},
};

/// What a follower learns.
#[derive(Debug)]
pub(crate) enum Feed {
    /// Every change from now on comes: list what there is.
    Connected,
    /// A request for approval is new, or changed.
    Approval(Box<ApprovalItem>),
    /// A session began, ended, or counted something.
    Session(Box<SessionItem>),
    /// Some changes were missed: list what there is again.
    Lagged,
    /// The gateway is away, for this reason; said once, until it is back.
    Lost(String),
}

/// The changes, as they come.
#[derive(Debug)]
pub(crate) struct Events {
    feed: mpsc::Receiver<Result<Feed, Failure>>,
    task: JoinHandle<()>,
}

impl Events {
    /// Follows from now on.
    pub(crate) fn open(api: Api) -> Self {
        let (to, feed) = mpsc::channel(AHEAD);
        Self { feed, task: tokio::spawn(follow(api, to)) }
    }

    /// The next change. A failure is the end: the login is over, or the gateway does not let itself be followed.
    /// Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<Feed, Failure> {
        self.feed.recv().await.unwrap_or_else(|| Err(Failure::internal("the gateway is not followed any more")))
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Changes read ahead of a slow follower; beyond, the gateway waits, and says `lagged` in the end.
const AHEAD: usize = 64;
/// A stream that ended sooner than this did not work.
const SHORTEST_STREAM: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

async fn follow(mut api: Api, to: mpsc::Sender<Result<Feed, Failure>>) {
    let mut failures = 0_u32;
    loop {
        let lost = match api.stream("/api/v1/events", &[]).await {
            Ok(messages) => {
                let since = Instant::now();
                if to.send(Ok(Feed::Connected)).await.is_err() {
                    return;
                }
                match pass_on(messages, &to).await {
                    Passed::Unwanted => return,
                    // In order, as at the end of every token: at once again, where it worked at all.
                    Passed::Ended if since.elapsed() >= SHORTEST_STREAM => {
                        failures = 0;
                        continue;
                    }
                    Passed::Ended => "it ended the stream".to_owned(),
                    Passed::Broken(reason) => {
                        failures = 0;
                        reason
                    }
                }
            }
            Err(failure) if failure.kind() == FailureKind::Unreachable => said(&failure),
            Err(failure) => {
                // Whoever listened may have gone.
                drop(to.send(Err(failure)).await);
                return;
            }
        };
        if failures == 0 && to.send(Ok(Feed::Lost(lost))).await.is_err() {
            return;
        }
        failures = failures.saturating_add(1);
        tokio::time::sleep(pause(failures)).await;
    }
}

enum Passed {
    Ended,
    Broken(String),
    Unwanted,
}

async fn pass_on(mut messages: Messages, to: &mpsc::Sender<Result<Feed, Failure>>) -> Passed {
    loop {
        let feed = match messages.next().await {
            Ok(Some(message)) => meant(&message),
            Ok(None) => return Passed::Ended,
            Err(broken) => return Passed::Broken(broken.to_string()),
        };
        let Some(feed) = feed else { continue };
        if to.send(Ok(feed)).await.is_err() {
            return Passed::Unwanted;
        }
    }
}

/// What an event means; `None` for a kind that this hoop does not know. One that cannot be read is one that was missed.
fn meant(message: &Message) -> Option<Feed> {
    match message.event.as_str() {
        "approval" => Some(serde_json::from_str(&message.data).map_or(Feed::Lagged, Feed::Approval)),
        "session" => Some(serde_json::from_str(&message.data).map_or(Feed::Lagged, Feed::Session)),
        "lagged" => Some(Feed::Lagged),
        _ => None,
    }
}

fn said(failure: &Failure) -> String {
    failure.why().last().map_or_else(|| failure.what().to_owned(), |why| format!("{}: {why}", failure.what()))
}

/// How long to wait after so many failures in a row: doubles up to a bound, at least half of what it may be.
pub(crate) fn pause(failures: u32) -> Duration {
    let most = FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LONGEST_PAUSE);
    most / 2 + jitter(most / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(event: &str, data: &str) -> Message {
        Message { event: event.to_owned(), data: data.to_owned() }
    }

    #[test]
    fn what_is_not_understood_is_listed_again_and_what_is_not_known_is_left() {
        assert!(matches!(meant(&message("approval", "{}")), Some(Feed::Lagged)));
        assert!(matches!(meant(&message("lagged", "{}")), Some(Feed::Lagged)));
        assert!(meant(&message("weather", "{}")).is_none());
    }

    #[test]
    fn pauses_grow_to_a_bound() {
        for failures in 1..100 {
            let pause = pause(failures);
            assert!(pause >= FIRST_PAUSE / 2 && pause <= LONGEST_PAUSE, "{failures}: {pause:?}");
        }
        assert!(pause(100) >= LONGEST_PAUSE / 2);
    }
}
