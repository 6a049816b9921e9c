//! `hoop approvals`: see what waits for a decision, decide it, follow it.
//!
//! Every text of a request comes from somebody else and passes through `printable` before it meets the terminal.

mod reviewers;
mod show;
mod watch;

pub(crate) use show::{needed, time_left};

use std::io::{BufRead as _, IsTerminal as _, Read as _};

use comfy_table::Table;
use hoop_gateway_core::{
    api::types::{ApprovalItem, ApprovalStatus, Asks, ReviewRequest, ShapeChoice},
    model::{ApprovalId, StepUp},
};
use time::OffsetDateTime;

use crate::{
    api_client::Api,
    arguments::{ApprovalsArguments, ApprovalsCommand, DecideArguments, DenyArguments, ListApprovals},
    context::Context,
    failure::{ExitStatus, Failure, FailureKind},
    login::log_in_again,
    output::printable_line,
};

/// Runs one of the subcommands.
pub(crate) async fn run(arguments: ApprovalsArguments, context: &Context) -> Result<ExitStatus, Failure> {
    match arguments.command {
        ApprovalsCommand::Ls(which) => list(&which, context).await,
        ApprovalsCommand::Show { id } => show_one(&id, context).await,
        ApprovalsCommand::Approve(decision) => approve(decision, context).await,
        ApprovalsCommand::Deny(decision) => deny(decision, context).await,
        ApprovalsCommand::Watch => watch::run(context).await,
        ApprovalsCommand::Reviewers => reviewers::run(context).await,
    }
}

async fn list(which: &ListApprovals, context: &Context) -> Result<ExitStatus, Failure> {
    let all = if which.all { "true" } else { "false" };
    let requests: Vec<ApprovalItem> = Api::new(context).await?.get_with("/api/v1/approvals", &[("all", all)]).await?;
    context.output.list("approvals", &requests, |requests| table(context, requests))?;
    if requests.is_empty() {
        context.output.say("Nothing waits for approval.");
    }
    Ok(ExitStatus::SUCCESS)
}

async fn show_one(id: &ApprovalId, context: &Context) -> Result<ExitStatus, Failure> {
    let request: ApprovalItem = Api::new(context).await?.get(&format!("/api/v1/approvals/{id}")).await?;
    context.output.value("approval", &request, |request| show::describe(request, now_millis()))?;
    Ok(ExitStatus::SUCCESS)
}

async fn approve(decision: DecideArguments, context: &Context) -> Result<ExitStatus, Failure> {
    let max_rows = decision.max_rows;
    let shape = decision.shape_for.map(|lasting| ShapeChoice { for_seconds: lasting.as_secs(), max_rows });
    review(&decision.id, "approve", ReviewRequest { reason: decision.reason, shape }, context).await
}

async fn deny(decision: DenyArguments, context: &Context) -> Result<ExitStatus, Failure> {
    let reason = match decision.reason {
        Some(reason) => reason,
        None => ask_reason(context).await?,
    };
    review(&decision.id, "deny", ReviewRequest { reason: Some(reason), shape: None }, context).await
}

/// A denial says why: whoever types is asked, a script that forgot it is told.
async fn ask_reason(context: &Context) -> Result<String, Failure> {
    let missing = || {
        Failure::usage("a denial needs a reason that the requester can act on")
            .next("add --reason 'use the archive job'")
    };
    if context.no_input || !context.output.talk_is_terminal() || !std::io::stdin().is_terminal() {
        return Err(missing());
    }
    context.output.say("Why? The requester sees it, and it is recorded.");
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().lock().take(MAX_REASON_LINE).read_line(&mut line).map(|_bytes| line)
    });
    let line = read.await.ok().and_then(Result::ok).unwrap_or_default();
    let reason = line.trim();
    if reason.is_empty() { Err(missing()) } else { Ok(reason.to_owned()) }
}

/// The longest line that is read as a reason.
const MAX_REASON_LINE: u64 = 2_000;

async fn review(id: &ApprovalId, verb: &str, body: ReviewRequest, context: &Context) -> Result<ExitStatus, Failure> {
    let path = format!("/api/v1/approvals/{id}/{verb}");
    let mut api = Api::new(context).await?;
    let mut outcome_of: Result<ApprovalItem, Failure> = api.post(&path, &body).await;
    if let Err(failure) = &outcome_of
        && let Some(demand) = failure.step_up()
    {
        step_up(failure, demand, context).await?;
        api = Api::new(context).await?;
        outcome_of = api.post(&path, &body).await;
    }
    let request = match outcome_of {
        Ok(request) => request,
        Err(failure) => return Err(too_late(&mut api, id).await.unwrap_or(failure)),
    };
    context.output.value("approval", &request, outcome)?;
    Ok(ExitStatus::SUCCESS)
}

/// Logs in anew, as the policy wants it. Where nothing may be asked, the failure says what to run.
async fn step_up(failure: &Failure, demand: &StepUp, context: &Context) -> Result<(), Failure> {
    if context.no_input {
        return Err(failure.clone());
    }
    let why = failure.why().first().map_or(failure.what(), String::as_str);
    context.output.say(&format!("A fresh login is needed: {}.", printable_line(why)));
    log_in_again(context, demand).await
}

/// A review that failed because nobody decided in time has a status of its own.
async fn too_late(api: &mut Api, id: &ApprovalId) -> Option<Failure> {
    let request: ApprovalItem = api.get(&format!("/api/v1/approvals/{id}")).await.ok()?;
    let lapsed = request.status == ApprovalStatus::Expired;
    lapsed.then(|| {
        Failure::new(FailureKind::Pending, format!("{id} lapsed before you decided"))
            .next("ask the requester to run the operation again")
    })
}

fn outcome(request: &ApprovalItem) -> String {
    if request.status == ApprovalStatus::Pending {
        return format!("{} has your approval and waits for more: {}", request.id, show::progress(request));
    }
    format!("{} is {}", request.id, status_word(request.status))
}

fn table(context: &Context, requests: &[ApprovalItem]) -> Table {
    let mut table =
        context.output.new_table(&["id", "status", "requester", "connection", "kind", "risk", "expires", "what"]);
    // On a narrow terminal a statement is cut rather than broken over many lines: `show` has the whole.
    let longest = if context.output.data_is_terminal() { usize::from(context.output.width() / 4) } else { 60 };
    for request in requests {
        table.add_row([
            request.id.to_string(),
            status_word(request.status).to_owned(),
            printable_line(request.requester.name.as_str()),
            printable_line(request.connection.as_str()),
            printable_line(&request.kind),
            request.risk.to_string(),
            time_left(request, now_millis()),
            one_line(&what(request), longest.clamp(16, 60)),
        ]);
    }
    table
}

/// What is asked for, in a few words: the statement, or why somebody wants to connect and for how long.
fn what(request: &ApprovalItem) -> String {
    let again = if request.retries > 0 { format!("{} more times: ", request.retries) } else { String::new() };
    match request.asks {
        Asks::Operation => format!("{again}{}", request.text),
        Asks::Access => format!("{again}access for {}", show::window(request)),
    }
}

pub(crate) const fn status_word(status: ApprovalStatus) -> &'static str {
    match status {
        ApprovalStatus::Pending => "pending",
        ApprovalStatus::Approved => "approved",
        ApprovalStatus::Denied => "denied",
        ApprovalStatus::Expired => "expired",
        ApprovalStatus::Withdrawn => "withdrawn",
        ApprovalStatus::Superseded => "superseded",
    }
}

/// A statement as one short line; the cut is visible.
fn one_line(text: &str, longest: usize) -> String {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let flat = printable_line(&flat);
    if flat.chars().count() <= longest {
        return flat;
    }
    flat.chars().take(longest.saturating_sub(1)).chain(['…']).collect()
}

pub(crate) fn now_millis() -> i64 {
    i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}
