//! Follows requests as they come and are decided: one line, or one JSON object, for each change.

use std::collections::BTreeMap;

use hoop_gateway_core::{
    api::types::{ApprovalItem, ApprovalStatus},
    model::ApprovalId,
};

use super::{now_millis, one_line, show, status_word};
use crate::{
    api_client::{Api, Events, Feed},
    arguments::Format,
    context::Context,
    failure::{ExitStatus, Failure, FailureKind},
    output::printable_line,
};

/// Follows until Ctrl-C. A gateway that is away for a while is said once and waited for.
pub(super) async fn run(context: &Context) -> Result<ExitStatus, Failure> {
    tokio::select! {
        outcome = Box::pin(follow(context)) => outcome,
        _ = tokio::signal::ctrl_c() => Err(Failure::interrupted()),
    }
}

async fn follow(context: &Context) -> Result<ExitStatus, Failure> {
    let mut api = Api::new(context).await?;
    let mut events = Events::open(Api::new(context).await?);
    let mut seen = Seen::default();
    let mut away = false;
    context.output.say("Watching for requests; Ctrl-C ends it.");
    loop {
        match events.next().await? {
            Feed::Connected => {
                if std::mem::take(&mut away) {
                    context.output.say("The gateway answers again.");
                }
                catch_up(context, &mut api, &mut seen).await?;
            }
            Feed::Lagged => catch_up(context, &mut api, &mut seen).await?,
            Feed::Approval(request) => tell(context, &mut seen, &request)?,
            Feed::Lost(reason) => {
                away = true;
                context.output.warn(&format!("{}; waiting for it", printable_line(&reason)));
            }
            Feed::Session(_) => {}
        }
    }
}

/// What changed while nobody listened: requests that wait, and how those that wait no more ended. A gateway that goes
/// away meanwhile is told by the events.
async fn catch_up(context: &Context, api: &mut Api, seen: &mut Seen) -> Result<(), Failure> {
    let requests = match missed(api, seen).await {
        Err(failure) if failure.kind() == FailureKind::Unreachable => return Ok(()),
        requests => requests?,
    };
    requests.iter().try_for_each(|request| tell(context, seen, request))
}

async fn missed(api: &mut Api, seen: &Seen) -> Result<Vec<ApprovalItem>, Failure> {
    let mut requests: Vec<ApprovalItem> = api.get("/api/v1/approvals").await?;
    for id in seen.gone(&requests) {
        requests.push(api.get(&format!("/api/v1/approvals/{id}")).await?);
    }
    Ok(requests)
}

fn tell(context: &Context, seen: &mut Seen, request: &ApprovalItem) -> Result<(), Failure> {
    if seen.is_news(request) { announce(context, request) } else { Ok(()) }
}

/// The requests that wait, with the number of their reviews and retries.
#[derive(Debug, Default)]
struct Seen(BTreeMap<ApprovalId, (usize, u32)>);

impl Seen {
    /// Those that waited and are not among these.
    fn gone(&self, waiting: &[ApprovalItem]) -> Vec<ApprovalId> {
        let waits = |id: &ApprovalId| waiting.iter().any(|request| request.id == *id);
        self.0.keys().filter(|id| !waits(id)).cloned().collect()
    }

    /// Whether it is new, has another review or attempt, or waits no more. One that was settled before anybody saw it
    /// wait is news too: the event comes once.
    fn is_news(&mut self, request: &ApprovalItem) -> bool {
        if request.status != ApprovalStatus::Pending {
            self.0.remove(&request.id);
            return true;
        }
        let known = (request.reviews.len(), request.retries);
        self.0.insert(request.id.clone(), known) != Some(known)
    }
}

fn announce(context: &Context, request: &ApprovalItem) -> Result<(), Failure> {
    match context.output.format() {
        Format::Table => context.output.text(&line(request)),
        Format::Json | Format::Jsonl => context.output.json_line(request),
    }
}

fn line(request: &ApprovalItem) -> String {
    let detail = if request.status == ApprovalStatus::Pending {
        let left = show::time_left(request, now_millis());
        format!("risk {}, expires {left}, {}", request.risk, show::progress(request))
    } else {
        let last = request.reviews.last();
        last.map_or_else(|| "by nobody".to_owned(), |review| format!("by {}", printable_line(review.by.as_str())))
    };
    format!(
        "{}  {:<10}  {} on {}: {}  ({detail})",
        request.id,
        status_word(request.status),
        printable_line(request.requester.name.as_str()),
        printable_line(request.connection.as_str()),
        one_line(&super::what(request), 80),
    )
}
