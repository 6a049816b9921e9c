//! Follows one session: what was recorded, and then what is recorded, until it ends or nobody watches any more.

use futures_util::FutureExt as _;
use hoop_gateway_core::{api::types::RecordedEvent, model::SessionId};
use tokio::sync::mpsc;

use super::{
    hands::trouble,
    message::{Answer, Message, Watched},
};
use crate::{
    api_client::{Api, Messages, pause},
    context::Context,
    failure::{Failure, FailureKind},
};

/// So many events are told at once.
const BATCH: usize = 500;

/// Why a stream gave no more.
enum Ended {
    Over,
    Cut,
    Unwanted,
}

/// Tells one session's events from one on. An interrupted stream is taken up where it was.
pub(super) async fn follow(
    context: Context,
    session: SessionId,
    mut from: u64,
    inbox: mpsc::Sender<Message>,
) -> Result<(), Failure> {
    let mut api = Api::new(&context).await?;
    let path = format!("/api/v1/sessions/{session}/events");
    let mut failures = 0;
    loop {
        match api.stream(&path, &[("from", &from.to_string())]).await {
            Ok(messages) => {
                let before = from;
                let mut line = Line { session: &session, inbox: &inbox, from: &mut from };
                match line.pass_on(messages).await {
                    Ended::Over | Ended::Unwanted => return Ok(()),
                    Ended::Cut if from > before => {
                        failures = 0;
                        continue;
                    }
                    Ended::Cut => {}
                }
            }
            // That the gateway is away is told on every page already.
            Err(failure) if failure.kind() == FailureKind::Unreachable => {}
            Err(failure) => {
                let news = Watched::Failed(trouble(&failure).said);
                // Nobody listens any more when the dashboard ends.
                drop(inbox.send(told(&session, news)).await);
                return Ok(());
            }
        }
        failures += 1;
        tokio::time::sleep(pause(failures)).await;
    }
}

struct Line<'watch> {
    session: &'watch SessionId,
    inbox: &'watch mpsc::Sender<Message>,
    from: &'watch mut u64,
}

impl Line<'_> {
    async fn pass_on(&mut self, mut messages: Messages) -> Ended {
        loop {
            let mut events = Vec::new();
            let mut ended = match messages.next().await {
                Ok(Some(message)) => self.take(&message.event, &message.data, &mut events),
                Ok(None) | Err(_) => Some(Ended::Cut),
            };
            while ended.is_none() && events.len() < BATCH {
                // What has come already is told with it.
                ended = match messages.next().now_or_never() {
                    Some(Ok(Some(message))) => self.take(&message.event, &message.data, &mut events),
                    Some(Ok(None) | Err(_)) => Some(Ended::Cut),
                    None => break,
                };
            }
            if !events.is_empty() && !self.tell(Watched::Events(events)).await {
                return Ended::Unwanted;
            }
            match ended {
                Some(Ended::Over) => {
                    self.tell(Watched::Over).await;
                    return Ended::Over;
                }
                Some(ended) => return ended,
                None => {}
            }
        }
    }

    fn take(&mut self, kind: &str, text: &str, events: &mut Vec<RecordedEvent>) -> Option<Ended> {
        match kind {
            "end" => Some(Ended::Over),
            "recorded" => {
                let Ok(event) = serde_json::from_str::<RecordedEvent>(text) else { return Some(Ended::Cut) };
                *self.from = event.seq.saturating_add(1);
                events.push(event);
                None
            }
            _ => None,
        }
    }

    async fn tell(&self, news: Watched) -> bool {
        self.inbox.send(told(self.session, news)).await.is_ok()
    }
}

fn told(session: &SessionId, news: Watched) -> Message {
    Message::Answer(Answer::Watched(session.clone(), news))
}
