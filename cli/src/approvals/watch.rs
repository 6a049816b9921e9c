//! Follows requests as they come and are decided: one line, or one JSON object, for each change.

use std::{collections::BTreeMap, time::Duration};

use hoop_gateway_core::{
    api::types::{ApprovalItem, ApprovalStatus},
    model::ApprovalId,
};

use super::{now_millis, one_line, show, status_word};
use crate::{
    api_client::Api,
    arguments::Format,
    context::Context,
    failure::{ExitStatus, Failure, FailureKind},
    output::printable_line,
};

/// Asks again and again until Ctrl-C. A gateway that is away for a while is said once and waited for.
pub(super) async fn run(context: &Context) -> Result<ExitStatus, Failure> {
    tokio::select! {
        outcome = Box::pin(follow(context)) => outcome,
        _ = tokio::signal::ctrl_c() => Err(Failure::interrupted()),
    }
}

async fn follow(context: &Context) -> Result<ExitStatus, Failure> {
    let mut api = Api::new(context).await?;
    let mut seen = Seen::default();
    let mut away = false;
    context.output.say("Watching for requests; Ctrl-C ends it.");
    loop {
        match news(&mut api, &mut seen).await {
            Ok(requests) => {
                if std::mem::take(&mut away) {
                    context.output.say("The gateway answers again.");
                }
                requests.iter().try_for_each(|request| announce(context, request))?;
            }
            Err(failure) if failure.kind() == FailureKind::Unreachable => {
                if !std::mem::replace(&mut away, true) {
                    context.output.warn(&format!("{}; waiting for it", printable_line(failure.what())));
                }
            }
            Err(failure) => return Err(failure),
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

const INTERVAL: Duration = Duration::from_secs(1);

/// What is new since the last time: requests that wait, reviews of them, and how those that wait no more ended.
async fn news(api: &mut Api, seen: &mut Seen) -> Result<Vec<ApprovalItem>, Failure> {
    let waiting: Vec<ApprovalItem> = api.get("/api/v1/approvals").await?;
    let mut news = Vec::new();
    for id in seen.gone(&waiting) {
        news.push(api.get(&format!("/api/v1/approvals/{id}")).await?);
        seen.0.remove(&id);
    }
    news.extend(seen.changed(waiting));
    Ok(news)
}

/// The requests that wait, with the number of their reviews.
#[derive(Debug, Default)]
struct Seen(BTreeMap<ApprovalId, usize>);

impl Seen {
    fn gone(&self, waiting: &[ApprovalItem]) -> Vec<ApprovalId> {
        let waits = |id: &ApprovalId| waiting.iter().any(|request| request.id == *id);
        self.0.keys().filter(|id| !waits(id)).cloned().collect()
    }

    fn changed(&mut self, waiting: Vec<ApprovalItem>) -> Vec<ApprovalItem> {
        let mut is_news = |request: &ApprovalItem| {
            let reviews = request.reviews.len();
            self.0.insert(request.id.clone(), reviews) != Some(reviews)
        };
        waiting.into_iter().filter(|request| is_news(request)).collect()
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
        one_line(&request.text, 80),
    )
}
