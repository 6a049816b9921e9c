//! `hoop sessions`: which sessions there are, what happened or happens in one, and its end.
//!
//! Statements come from somebody else and pass through `printable` before they meet the terminal.

mod kill;
mod line;
mod watch;

use comfy_table::Table;
use hoop_gateway_core::api::types::{OperationItem, SessionDetail, SessionItem};
use time::{Date, OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

use crate::{
    api_client::Api,
    arguments::{ListSessions, SessionsArguments, SessionsCommand},
    context::Context,
    failure::{ExitStatus, Failure},
    output::printable_line,
    whoami,
};

/// As many the gateway gives at once.
const MOST_LISTED: u32 = 500;
/// A statement is cut to this many characters in a table.
const STATEMENT_WIDTH: usize = 60;

/// Runs one of the subcommands.
pub(crate) async fn run(arguments: SessionsArguments, context: &Context) -> Result<ExitStatus, Failure> {
    match arguments.command {
        SessionsCommand::Ls(which) => list(&which, context).await,
        SessionsCommand::Show { session } => {
            let path = format!("/api/v1/sessions/{session}");
            let detail: SessionDetail = Api::new(context).await?.get(&path).await?;
            context.output.value("session", &detail, |detail| describe(detail, context))?;
            Ok(ExitStatus::SUCCESS)
        }
        SessionsCommand::Watch { session } => watch::run(session.as_ref(), context).await,
        SessionsCommand::Kill(which) => kill::run(which, context).await,
    }
}

async fn list(which: &ListSessions, context: &Context) -> Result<ExitStatus, Failure> {
    let query = query(which, OffsetDateTime::now_utc());
    let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let all: Vec<SessionItem> = Api::new(context).await?.get_with("/api/v1/sessions", &query).await?;
    let sessions: Vec<SessionItem> =
        all.into_iter().filter(|item| is_meant(item, which)).take(usize::try_from(which.limit).unwrap_or(0)).collect();
    context.output.list("sessions", &sessions, |sessions| table(context, sessions))?;
    if sessions.is_empty() {
        context.output.say("No session to show.");
    }
    let partly: Vec<&str> = sessions.iter().filter(|item| item.partly_searched).map(|item| item.id.as_str()).collect();
    if !partly.is_empty() {
        let text = "These sessions said too much to be searched whole, and may not hold it:";
        context.output.say(&format!("{text} {}", partly.join(", ")));
    }
    Ok(ExitStatus::SUCCESS)
}

/// What the gateway is asked for.
fn query(which: &ListSessions, now: OffsetDateTime) -> Vec<(&'static str, String)> {
    let narrowed = which.live || which.principal.is_some() || which.connection.is_some();
    let limit = if narrowed { MOST_LISTED } else { which.limit.min(MOST_LISTED) };
    let mut query = vec![("limit", limit.to_string())];
    let who = which.who.clone().or_else(|| which.principal.as_ref().map(ToString::to_string));
    query.extend(who.map(|who| ("who", who)));
    query.extend(which.connection.as_ref().map(|name| ("connection", name.to_string())));
    query.extend(which.text.clone().map(|text| ("text", text)));
    query.extend(which.decision.map(|decision| ("decision", decision.as_str().to_owned())));
    query.extend(which.since.map(|since| ("since_millis", since.unix_millis(now).to_string())));
    query.extend(which.until.map(|until| ("until_millis", until.unix_millis(now).to_string())));
    query
}

fn is_meant(item: &SessionItem, which: &ListSessions) -> bool {
    (!which.live || item.ended_at_millis.is_none())
        && which.connection.as_ref().is_none_or(|name| *name == item.connection)
        && which.principal.as_ref().is_none_or(|name| *name == item.principal.name)
}

fn table(context: &Context, sessions: &[SessionItem]) -> Table {
    let mut table =
        context.output.new_table(&["session", "principal", "connection", "started", "lasted", "ops", "notes"]);
    // A person's line is short, and says the day only where it is another; a script's says everything.
    let person = context.output.data_is_terminal();
    let today = OffsetDateTime::now_utc().date();
    for session in sessions {
        let started = session.started_at_millis;
        table.add_row([
            session.id.to_string(),
            whoami::acting(&session.principal),
            printable_line(session.connection.as_str()),
            if person { short_moment(started, today) } else { moment(started) },
            lasted(session),
            session.operations.to_string(),
            line::notes(session),
        ]);
    }
    table
}

fn describe(detail: &SessionDetail, context: &Context) -> String {
    let session = &detail.session;
    let mut lines = vec![
        format!("session     {}", session.id),
        format!("principal   {}", whoami::describe(&session.principal)),
        format!("connection  {}", printable_line(session.connection.as_str())),
        format!("started     {}", moment(session.started_at_millis)),
        format!("lasted      {}, {}", lasted(session), end_word(session)),
        format!(
            "operations  {}, {} refused, {} held, {} cells masked",
            session.operations, session.refused, session.held, session.masked
        ),
    ];
    lines.extend(session.run.as_ref().map(|run| format!("run         {run}")));
    if !detail.operations.is_empty() {
        lines.push(String::new());
        lines.extend(operations(context, &detail.operations).lines().map(|line| line.trim_end().to_owned()));
        lines.push(String::new());
        lines.push(format!("hoop replay {}", session.id));
    }
    lines.join("\n")
}

fn operations(context: &Context, operations: &[OperationItem]) -> Table {
    let mut table =
        context.output.new_table(&["#", "time", "decision", "rule", "outcome", "rows", "masked", "took", "statement"]);
    for operation in operations {
        let rules: Vec<String> = operation.rules.iter().map(ToString::to_string).collect();
        let masked: Vec<String> = operation.masked.iter().map(|(class, count)| format!("{class} {count}")).collect();
        table.add_row([
            operation.number.to_string(),
            clock_time(operation.at_millis),
            decision(operation),
            printable_line(&rules.join(", ")),
            printable_line(operation.outcome.as_deref().unwrap_or("running")),
            operation.rows.map_or_else(|| "-".to_owned(), |rows| rows.to_string()),
            printable_line(&masked.join(", ")),
            operation.duration_micros.map_or_else(|| "-".to_owned(), took),
            shortened(&operation.text),
        ]);
    }
    table
}

fn decision(operation: &OperationItem) -> String {
    match &operation.approval {
        Some(approval) => printable_line(&format!("{} {approval}", operation.decision)),
        None => printable_line(&operation.decision),
    }
}

fn shortened(text: &str) -> String {
    let flat = printable_line(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    if flat.chars().count() <= STATEMENT_WIDTH {
        return flat;
    }
    flat.chars().take(STATEMENT_WIDTH - 1).chain(['…']).collect()
}

fn end_word(session: &SessionItem) -> String {
    match (session.ended_at_millis, &session.end_reason) {
        (None, _) => "live".to_owned(),
        (Some(_), Some(reason)) => printable_line(reason),
        (Some(_), None) => "ended".to_owned(),
    }
}

pub(crate) use line::event as event_line;

pub(crate) fn lasted(session: &SessionItem) -> String {
    let Some(ended) = session.ended_at_millis else { return "-".to_owned() };
    let millis = u64::try_from(ended.saturating_sub(session.started_at_millis)).unwrap_or(0);
    took(millis.saturating_mul(1000))
}

/// `730 µs`, `12 ms`, `3.4 s`, `2 min 5 s`.
pub(crate) fn took(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{} ms", micros / 1_000),
        1_000_000..60_000_000 => format!("{}.{} s", micros / 1_000_000, micros % 1_000_000 / 100_000),
        _ => format!("{} min {} s", micros / 60_000_000, micros % 60_000_000 / 1_000_000),
    }
}

pub(crate) fn moment(millis: i64) -> String {
    OffsetDateTime::from_unix_timestamp(millis / 1000)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| millis.to_string())
}

/// `14:02:11` today, `Nov 20 14:02` before.
fn short_moment(millis: i64, today: Date) -> String {
    let Ok(time) = OffsetDateTime::from_unix_timestamp(millis / 1000) else { return millis.to_string() };
    let earlier = format_description!("[month repr:short] [day padding:space] [hour]:[minute]");
    let now = format_description!("[hour]:[minute]:[second]");
    let said = if time.date() == today { time.format(now) } else { time.format(earlier) };
    said.unwrap_or_else(|_unformatted| millis.to_string())
}

fn clock_time(millis: i64) -> String {
    OffsetDateTime::from_unix_timestamp(millis / 1000)
        .ok()
        .and_then(|time| time.format(format_description!("[hour]:[minute]:[second]")).ok())
        .unwrap_or_else(|| millis.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_said_in_the_unit_that_fits() {
        let said: Vec<String> = [730, 12_000, 3_450_000, 125_000_000].into_iter().map(took).collect();
        assert_eq!(said, ["730 µs", "12 ms", "3.4 s", "2 min 5 s"]);
    }

    #[test]
    fn a_statement_is_one_safe_line() {
        assert_eq!(shortened("select\n  '\u{1b}[2J'"), "select '␛[2J'");
        assert_eq!(shortened(&"x".repeat(99)).chars().count(), STATEMENT_WIDTH);
    }
}
