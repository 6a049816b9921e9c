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
        let asked: Result<Vec<ApprovalItem>, Failure> = api.get("/api/v1/approvals").await;
        match asked {
            Ok(requests) => {
                if std::mem::take(&mut away) {
                    context.output.say("The gateway answers again.");
                }
                seen.changes(requests).iter().try_for_each(|request| announce(context, request))?;
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

/// What was announced already.
#[derive(Debug, Default)]
struct Seen(BTreeMap<ApprovalId, (ApprovalStatus, usize)>);

impl Seen {
    /// The requests that are new or changed; what was decided before we looked is no news.
    fn changes(&mut self, requests: Vec<ApprovalItem>) -> Vec<ApprovalItem> {
        let mut changed = Vec::new();
        for request in requests {
            let state = (request.status, request.reviews.len());
            let before = self.0.insert(request.id.clone(), state);
            let news = before.map_or(request.status == ApprovalStatus::Pending, |before| before != state);
            if news {
                changed.push(request);
            }
        }
        changed
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
