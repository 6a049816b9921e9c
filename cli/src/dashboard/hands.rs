//! Does what the core asks for: calls the gateway, each kind of call in a task of its own, and brings back the answers.

use hoop_gateway_core::{
    api::types::{ApprovalItem, KillRequest, RunDetail, TimelineEntry, Whoami},
    model::{ApprovalId, RunId, SessionId},
};
use tokio::{
    sync::{Notify, mpsc},
    task::{AbortHandle, JoinSet},
};

use std::sync::Arc;

use super::{
    effect::Effect,
    feed,
    message::{Answer, Fed, HealthReport, Message, Trouble},
    request::Request,
    state::Choice,
    watch,
};
use crate::{
    api_client::{Api, ApiClient},
    context::Context,
    failure::Failure,
};

/// Calls that wait behind a slow one.
const QUEUE: usize = 64;

/// The tasks that speak with the gateway. They end when this is dropped.
pub(super) struct Hands {
    context: Context,
    inbox: mpsc::Sender<Message>,
    decisions: mpsc::Sender<Effect>,
    questions: mpsc::Sender<Effect>,
    again: Arc<Notify>,
    watching: Option<AbortHandle>,
    tasks: JoinSet<Result<(), Failure>>,
}

impl Hands {
    /// Starts to follow the gateway; news and answers go to the inbox.
    pub(super) fn new(context: &Context, inbox: mpsc::Sender<Message>) -> Self {
        let mut tasks = JoinSet::new();
        let again = Arc::new(Notify::new());
        tasks.spawn(feed::follow(context.clone(), inbox.clone(), Arc::clone(&again)));
        let mut line = |what: &'static str| {
            let (sender, effects) = mpsc::channel(QUEUE);
            tasks.spawn(work_off(what, context.clone(), effects, inbox.clone()));
            sender
        };
        // A decision never waits behind a question.
        let (decisions, questions) = (line("decisions"), line("questions"));
        Self { context: context.clone(), inbox, decisions, questions, again, watching: None, tasks }
    }

    /// Takes something to do.
    pub(super) fn take(&mut self, effect: Effect) {
        match effect {
            Effect::Approve(..) | Effect::Deny(..) | Effect::Kill(..) => self.queue(&self.decisions.clone(), effect),
            Effect::AskMe
            | Effect::AskHealth
            | Effect::Look(_)
            | Effect::Search(_)
            | Effect::Fetch(_)
            | Effect::ListRuns
            | Effect::FetchRun(_) => {
                self.queue(&self.questions.clone(), effect);
            }
            Effect::List => self.again.notify_one(),
            Effect::Watch(session, from) => {
                self.stop_watching();
                let follow = watch::follow(self.context.clone(), session, from, self.inbox.clone());
                self.watching = Some(self.tasks.spawn(follow));
            }
            Effect::StopWatching => self.stop_watching(),
            // These are the terminal's.
            Effect::Quit | Effect::Interrupt | Effect::Suspend | Effect::Ring(_) | Effect::Copy(_) => {}
        }
    }

    /// Waits until one of the tasks fails, which none should. Cancel-safe.
    pub(super) async fn fault(&mut self) -> Failure {
        loop {
            match self.tasks.join_next().await {
                Some(Err(ended)) if !ended.is_cancelled() => {
                    return Failure::internal("a part of the dashboard ended early").caused_by(&ended);
                }
                Some(Ok(Err(failure))) => return failure,
                Some(_) => {}
                None => std::future::pending().await,
            }
        }
    }

    fn queue(&self, line: &mpsc::Sender<Effect>, effect: Effect) {
        if let Err(mpsc::error::TrySendError::Full(effect)) = line.try_send(effect) {
            let trouble = Trouble {
                said: "the gateway is slow; too much waits for it already".to_owned(),
                next: Some("try again in a moment".to_owned()),
                needs_fresh_login: false,
            };
            if let Some(answer) = refused(&effect, trouble) {
                // A full inbox means that there is plenty to tell already.
                drop(self.inbox.try_send(Message::Answer(answer)));
            }
        }
    }

    fn stop_watching(&mut self) {
        if let Some(task) = self.watching.take() {
            task.abort();
        }
    }
}

/// Does one call after the other.
async fn work_off(
    _what: &'static str,
    context: Context,
    mut effects: mpsc::Receiver<Effect>,
    inbox: mpsc::Sender<Message>,
) -> Result<(), Failure> {
    let mut api = Api::new(&context).await?;
    while let Some(effect) = effects.recv().await {
        let Some(message) = call(&mut api, &context, effect).await else { continue };
        if inbox.send(message).await.is_err() {
            break;
        }
    }
    Ok(())
}

#[expect(clippy::wildcard_enum_match_arm, reason = "only what was queued comes here")]
async fn call(api: &mut Api, context: &Context, effect: Effect) -> Option<Message> {
    let answer = match effect {
        Effect::Approve(id, choice) => review(api, id, true, &choice).await,
        Effect::Deny(id, reason) => review(api, id, false, &Choice { reason: Some(reason), shape: None }).await,
        Effect::Kill(session, reason) => kill(api, session, &reason).await,
        Effect::AskMe => {
            let me = api.get::<Whoami>("/api/v1/whoami").await;
            Answer::Me(me.map_err(|failure| trouble(&failure)))
        }
        Effect::AskHealth => Answer::Health(Box::new(health(context).await)),
        Effect::Search(query) => {
            let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let found = api.get_with("/api/v1/sessions", &query).await;
            Answer::Found(found.map_err(|failure| trouble(&failure)))
        }
        Effect::Fetch(session) => {
            let events = api.get_lines(&format!("/api/v1/sessions/{session}/recording")).await;
            Answer::Fetched(session, events.map_err(|failure| trouble(&failure)))
        }
        Effect::ListRuns => {
            let runs = api.get_with("/api/v1/runs", &[("limit", "500")]).await;
            Answer::Runs(runs.map_err(|failure| trouble(&failure)))
        }
        Effect::FetchRun(run) => {
            let outcome = timeline(api, &run).await.map_err(|failure| trouble(&failure));
            Answer::Run(run, Box::new(outcome))
        }
        Effect::Look(id) => {
            // A request that may not be seen any more is swept out when it lapses.
            let item: ApprovalItem = api.get(&format!("/api/v1/approvals/{id}")).await.ok()?;
            return Some(Message::Fed(Fed::Approval(Box::new(Request::new(item)))));
        }
        _ => return None,
    };
    Some(Message::Answer(answer))
}

async fn timeline(api: &mut Api, run: &RunId) -> Result<(RunDetail, Vec<TimelineEntry>), Failure> {
    let detail = api.get(&format!("/api/v1/runs/{run}")).await?;
    Ok((detail, api.get_lines(&format!("/api/v1/runs/{run}/timeline")).await?))
}

async fn review(api: &mut Api, id: ApprovalId, approved: bool, choice: &Choice) -> Answer {
    let verb = if approved { "approve" } else { "deny" };
    let outcome = api.post::<_, ApprovalItem>(&format!("/api/v1/approvals/{id}/{verb}"), choice).await;
    Answer::Reviewed {
        id,
        approved,
        outcome: outcome.map(|item| Box::new(Request::new(item))).map_err(|failure| trouble(&failure)),
    }
}

async fn kill(api: &mut Api, session: SessionId, reason: &str) -> Answer {
    let outcome = api
        .post::<_, ()>(&format!("/api/v1/sessions/{session}/kill"), &KillRequest { reason: Some(reason.to_owned()) })
        .await;
    Answer::Killed(session, outcome.map_err(|failure| trouble(&failure)))
}

/// Without a login: health is told to anybody, so that a broken login does not hide a broken gateway.
async fn health(context: &Context) -> HealthReport {
    let client = match ApiClient::new(context) {
        Ok(client) => client,
        Err(failure) => return HealthReport { health: Err(failure.what().to_owned()), gateway: None },
    };
    let (health, gateway) = tokio::join!(client.health(), client.gateway_info());
    let health = health.map_err(|failure| crate::output::printable_line(&trouble(&failure).said));
    HealthReport { health, gateway: gateway.ok() }
}

/// A failure in the words of the dashboard.
pub(super) fn trouble(failure: &Failure) -> Trouble {
    let mut said = failure.what().to_owned();
    for why in failure.why() {
        said.push_str(": ");
        said.push_str(why);
    }
    let needs_fresh_login = failure.step_up().is_some();
    Trouble { said, next: failure.next_step().map(str::to_owned), needs_fresh_login }
}

/// The answer to something that was not even tried.
#[expect(clippy::wildcard_enum_match_arm, reason = "who asked a question sees that it is not answered")]
fn refused(effect: &Effect, trouble: Trouble) -> Option<Answer> {
    match effect {
        Effect::Approve(id, _) => Some(Answer::Reviewed { id: id.clone(), approved: true, outcome: Err(trouble) }),
        Effect::Deny(id, _) => Some(Answer::Reviewed { id: id.clone(), approved: false, outcome: Err(trouble) }),
        Effect::Kill(session, _) => Some(Answer::Killed(session.clone(), Err(trouble))),
        _ => None,
    }
}
