//! `hoop runs`: which runs there were, and the one timeline of all that happened in one.
//!
//! Everything that was said comes from somebody else and passes through `printable_line` before it meets the terminal.

use comfy_table::Table;
use hoop_gateway_core::{
    api::types::{RunDetail, RunItem, TimelineEntry},
    model::Usage,
};
use serde::Serialize;

use crate::{
    api_client::Api,
    arguments::{ListRuns, RunsArguments, RunsCommand},
    context::Context,
    failure::{ExitStatus, Failure},
    output::printable_line,
    sessions::{self, moment, took},
    whoami,
};

/// Runs one of the subcommands.
pub(crate) async fn run(arguments: RunsArguments, context: &Context) -> Result<ExitStatus, Failure> {
    match arguments.command {
        RunsCommand::Ls(which) => list(&which, context).await,
        RunsCommand::Show { run } => {
            let mut api = Api::new(context).await?;
            let detail: RunDetail = api.get(&format!("/api/v1/runs/{run}")).await?;
            let timeline = api.get_lines(&format!("/api/v1/runs/{run}/timeline")).await?;
            let widest = usize::from(context.output.width());
            context.output.value("run", &Story { detail, timeline }, |story| describe(story, widest))?;
            Ok(ExitStatus::SUCCESS)
        }
        RunsCommand::Export { run } => {
            let path = format!("/api/v1/runs/{run}/timeline");
            let mut timeline = Api::new(context).await?.lines(&path).await?;
            while let Some(entry) = timeline.next::<TimelineEntry>().await? {
                context.output.json_line(&entry)?;
            }
            Ok(ExitStatus::SUCCESS)
        }
    }
}

/// A run with all that happened in it.
#[derive(Serialize)]
struct Story {
    #[serde(flatten)]
    detail: RunDetail,
    timeline: Vec<TimelineEntry>,
}

async fn list(which: &ListRuns, context: &Context) -> Result<ExitStatus, Failure> {
    let limit = which.limit.to_string();
    let runs: Vec<RunItem> = Api::new(context).await?.get_with("/api/v1/runs", &[("limit", &limit)]).await?;
    context.output.list("runs", &runs, |runs| table(context, runs))?;
    if runs.is_empty() {
        context.output.say("No run to show.");
    }
    Ok(ExitStatus::SUCCESS)
}

fn table(context: &Context, runs: &[RunItem]) -> Table {
    let headings = ["run", "for", "connections", "command", "started", "lasted", "statements", "ended"];
    let mut table = context.output.new_table(&headings);
    for run in runs {
        table.add_row([
            run.id.to_string(),
            whoami::acting(&run.principal),
            connections(run),
            printable_line(run.command.as_deref().unwrap_or("-")),
            moment(run.started_at_millis),
            lasted(run),
            run.usage.statements.to_string(),
            end_word(run),
        ]);
    }
    table
}

fn describe(story: &Story, widest: usize) -> String {
    let RunDetail { run, sessions, counts } = &story.detail;
    let mut lines = vec![
        format!("run          {}", run.id),
        format!("for          {}", whoami::describe(&run.principal)),
        format!("connections  {}", connections(run)),
        format!(
            "command      {}{}",
            printable_line(run.command.as_deref().unwrap_or("-")),
            if run.jailed { ", in the jail" } else { ", not in the jail" }
        ),
    ];
    if !run.labels.is_empty() {
        let labels: Vec<String> = run.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        lines.push(format!("labels       {}", printable_line(&labels.join(" "))));
    }
    lines.extend([
        format!("started      {}", moment(run.started_at_millis)),
        format!("lasted       {}, {}", lasted(run), end_word(run)),
        format!(
            "operations   {} in {} sessions, {} refused, {} held, {} cells masked",
            counts.operations,
            sessions.len(),
            counts.refused,
            counts.held,
            counts.masked
        ),
        format!("used         {}", used(&run.usage)),
    ]);
    if !story.timeline.is_empty() {
        lines.push(String::new());
        lines.extend(timeline(&story.timeline, widest));
    }
    lines.join("\n")
}

/// One line for each event that a person wants to see, with the connection it happened on.
pub(crate) fn timeline(entries: &[TimelineEntry], widest: usize) -> Vec<String> {
    let place = entries.iter().map(|entry| entry.connection.as_str().chars().count()).max().unwrap_or(0).min(24);
    let line = |entry: &TimelineEntry| {
        let text = if entry.event.kind == "withheld" {
            format!("{} may not be replayed by you", entry.session)
        } else {
            sessions::event_line(&entry.event, widest.saturating_sub(place + 2))?
        };
        let connection: String = printable_line(entry.connection.as_str()).chars().take(place).collect();
        Some(format!("{connection:<place$}  {text}"))
    };
    entries.iter().filter_map(line).collect()
}

fn connections(run: &RunItem) -> String {
    let names: Vec<&str> = run.connections.iter().map(hoop_gateway_core::model::ConnectionName::as_str).collect();
    printable_line(&names.join(", "))
}

/// `12 statements, 40 rows read, 3 changed, 2 tables, 9 kB, 800 tokens`.
pub(crate) fn used(usage: &Usage) -> String {
    let Usage { statements, rows_read, rows_changed, tables, bytes, tokens, .. } = usage;
    let changed = if *rows_changed == u64::MAX { "nobody knows how many".to_owned() } else { rows_changed.to_string() };
    let tokens = if *tokens == 0 { String::new() } else { format!(", {tokens} tokens") };
    format!(
        "{statements} statements, {rows_read} rows read, {changed} changed, {tables} tables, {} kB{tokens}",
        bytes.div_ceil(1_000)
    )
}

pub(crate) fn lasted(run: &RunItem) -> String {
    let Some(ended) = run.ended_at_millis else { return "-".to_owned() };
    let millis = u64::try_from(ended.saturating_sub(run.started_at_millis)).unwrap_or(0);
    took(millis.saturating_mul(1_000))
}

pub(crate) fn end_word(run: &RunItem) -> String {
    match (run.ended_at_millis, &run.end_reason) {
        (None, _) => "under way".to_owned(),
        (Some(_), Some(reason)) => printable_line(reason),
        (Some(_), None) => "ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use hoop_gateway_core::api::types::RecordedEvent;

    use super::*;

    fn entry(connection: &str, kind: &str, fields: &[(&str, &str)]) -> TimelineEntry {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        TimelineEntry {
            session: "ses_00000001".parse().expect("an id"),
            connection: connection.parse().expect("a name"),
            event: RecordedEvent { seq: 1, at_micros: 0, kind: kind.to_owned(), fields },
        }
    }

    const LINK: &str =
        r#"{"level":"exact","answer":{"session":"ses_000000000100000000","operation":3,"model":"m"},"others":0}"#;

    #[test]
    fn a_timeline_says_where_each_thing_happened() {
        let entries = [
            entry("openai", "prompt", &[("number", "1"), ("model", "gpt-x"), ("text", "system: help\nuser: who?")]),
            entry("openai", "answer", &[("number", "1"), ("text", "I will look\nit up")]),
            entry("pg-prod", "operation", &[("number", "1"), ("text", "select 1"), ("proposed_by", LINK)]),
            entry("pg-prod", "result", &[("text", "[1]")]),
            entry("k8s", "withheld", &[]),
        ];
        insta::assert_snapshot!(timeline(&entries, 100).join("\n"), @r"
        openai   00:00:00  #1    prompt    gpt-x  user: who?
        openai   00:00:00  #1    answer    I will look it up
        pg-prod  00:00:00  #1    permit    select 1  (proposed by m in ses_000000000100000000 #3 (exact))
        k8s      ses_00000001 may not be replayed by you
        ");
    }

    #[test]
    fn a_count_that_nobody_knows_is_said_so() {
        let usage = Usage { statements: 2, rows_changed: u64::MAX, bytes: 1_001, ..Usage::default() };
        assert_eq!(used(&usage), "2 statements, 0 rows read, nobody knows how many changed, 0 tables, 2 kB");
    }
}
