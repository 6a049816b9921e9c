//! `hoop sessions watch`: what happens in one session as it happens, or which sessions begin and end.

use hoop_gateway_core::{
    api::types::{RecordedEvent, SessionItem},
    model::SessionId,
};

use super::line;
use crate::{
    api_client::{Api, Events, Feed, Messages, pause},
    arguments::Format,
    context::Context,
    failure::{ExitStatus, Failure, FailureKind},
    output::printable_line,
};

/// What is printed into a pipe is cut here; `--output jsonl` is not.
const WIDEST: usize = 2_000;

/// Follows until the session ends, or until Ctrl-C. A gateway that is away for a while is said once and waited for.
pub(super) async fn run(session: Option<&SessionId>, context: &Context) -> Result<ExitStatus, Failure> {
    let followed = async {
        match session {
            Some(session) => follow_one(session, context).await,
            None => follow_all(context).await,
        }
    };
    tokio::select! {
        outcome = Box::pin(followed) => outcome,
        _ = tokio::signal::ctrl_c() => Err(Failure::interrupted()),
    }
}

async fn follow_one(session: &SessionId, context: &Context) -> Result<ExitStatus, Failure> {
    let mut api = Api::new(context).await?;
    let path = format!("/api/v1/sessions/{session}/events");
    let (mut next, mut failures) = (1_u64, 0_u32);
    loop {
        let outcome = match api.stream(&path, &[("from", &next.to_string())]).await {
            Ok(mut messages) => {
                if std::mem::take(&mut failures) > 1 {
                    context.output.say("The gateway answers again.");
                }
                let before = next;
                match take(&mut messages, &mut next, context).await? {
                    Taken::Over => return Ok(ExitStatus::SUCCESS),
                    // In order, as at the end of a token: it goes on at once, where anything came at all.
                    Taken::Cut if next > before => continue,
                    Taken::Cut => "the gateway ended the stream".to_owned(),
                    Taken::Broken(why) => why,
                }
            }
            Err(failure) if failure.kind() == FailureKind::Unreachable => failure.what().to_owned(),
            Err(failure) => return Err(failure),
        };
        if failures == 1 {
            context.output.warn(&format!("{}; waiting for it", printable_line(&outcome)));
        }
        failures = failures.saturating_add(1);
        tokio::time::sleep(pause(failures)).await;
    }
}

enum Taken {
    /// The session is over.
    Over,
    /// The answer ended before.
    Cut,
    /// The connection did.
    Broken(String),
}

async fn take(messages: &mut Messages, next: &mut u64, context: &Context) -> Result<Taken, Failure> {
    loop {
        let message = match messages.next().await {
            Ok(Some(message)) => message,
            Ok(None) => return Ok(Taken::Cut),
            Err(broken) => return Ok(Taken::Broken(broken.to_string())),
        };
        match message.event.as_str() {
            "end" => return Ok(Taken::Over),
            "recorded" => {
                let event: RecordedEvent = serde_json::from_str(&message.data).map_err(|error| {
                    Failure::failed("the gateway says something that this hoop does not understand").caused_by(&error)
                })?;
                *next = event.seq.saturating_add(1);
                show(&event, context)?;
            }
            _ => {}
        }
    }
}

fn show(event: &RecordedEvent, context: &Context) -> Result<(), Failure> {
    if context.output.format() != Format::Table {
        return context.output.json_line(event);
    }
    let widest = if context.output.data_is_terminal() { usize::from(context.output.width()) } else { WIDEST };
    line::event(event, widest).map_or(Ok(()), |line| context.output.text(&line))
}

async fn follow_all(context: &Context) -> Result<ExitStatus, Failure> {
    let mut api = Api::new(context).await?;
    let mut events = Events::open(Api::new(context).await?);
    let mut away = false;
    context.output.say("Watching sessions; Ctrl-C ends it.");
    loop {
        match events.next().await? {
            Feed::Connected | Feed::Lagged => {
                if std::mem::take(&mut away) {
                    context.output.say("The gateway answers again.");
                }
                live(&mut api, context).await?;
            }
            Feed::Session(item) => announce(&item, context)?,
            Feed::Lost(reason) => {
                away = true;
                context.output.warn(&format!("{}; waiting for it", printable_line(&reason)));
            }
            Feed::Approval(_) => {}
        }
    }
}

/// Those that live now. A gateway that goes away meanwhile is told by the events.
async fn live(api: &mut Api, context: &Context) -> Result<(), Failure> {
    let limit = super::MOST_LISTED.to_string();
    let listed: Result<Vec<SessionItem>, Failure> = api.get_with("/api/v1/sessions", &[("limit", &limit)]).await;
    match listed {
        Err(failure) if failure.kind() == FailureKind::Unreachable => Ok(()),
        listed => {
            let listed = listed?;
            // The oldest first, as if one had watched from the beginning.
            let live = listed.iter().rev().filter(|item| item.ended_at_millis.is_none());
            live.into_iter().try_for_each(|item| announce(item, context))
        }
    }
}

fn announce(item: &SessionItem, context: &Context) -> Result<(), Failure> {
    match context.output.format() {
        Format::Table => context.output.text(&line::session(item)),
        Format::Json | Format::Jsonl => context.output.json_line(item),
    }
}
