//! `hoop policy backtest`: what recorded operations would come to by other policies.
//!
//! Reads recordings over the gateway's API, as whoever may replay them; decides here, with what the record holds.

use std::collections::BTreeMap;

use hoop_gateway_core::{
    api::types::{RecordedEvent, SessionItem},
    session::cases::{self, Questions, Recorded},
};
use serde::Serialize;
use time::OffsetDateTime;

use super::load;
use crate::{
    api_client::Api,
    arguments::PolicyBacktest,
    context::Context,
    failure::{ExitStatus, Failure},
    output::printable_line,
};

/// What came of it, as programs read it.
#[derive(Debug, Default, Serialize)]
struct Report {
    sessions: u64,
    operations: u64,
    same: u64,
    changed: Vec<Changed>,
    undecided: Vec<Undecided>,
}

/// An operation that would come out otherwise.
#[derive(Debug, Serialize)]
struct Changed {
    session: String,
    number: String,
    principal: String,
    connection: String,
    operation: String,
    was: String,
    was_rules: String,
    would_be: &'static str,
    would_be_rules: Vec<String>,
}

/// What could not be decided again, and why.
#[derive(Debug, Serialize)]
struct Undecided {
    session: String,
    number: String,
    operation: String,
    why: String,
}

/// Decides again and tells.
pub(super) async fn run(asked: &PolicyBacktest, context: &Context) -> Result<ExitStatus, Failure> {
    let site = load(&asked.site, &context.output)?;
    let since = asked.since.unix_millis(OffsetDateTime::now_utc()).to_string();
    let mut api = Api::new(context).await?;
    let limit = asked.limit.to_string();
    let query = [("since_millis", since.as_str()), ("limit", limit.as_str())];
    let sessions: Vec<SessionItem> = api.get_with("/api/v1/sessions", &query).await?;
    let mut report = Report::default();
    for (index, session) in sessions.iter().enumerate() {
        context.output.say(&format!("session {} of {}: {}", index + 1, sessions.len(), session.id));
        let path = format!("/api/v1/sessions/{}/recording", session.id);
        match api.get_lines::<RecordedEvent>(&path).await {
            Ok(events) => {
                report.sessions += 1;
                decide(&mut report, session, &events, &site);
            }
            Err(failure) => report.undecided.push(Undecided {
                session: session.id.to_string(),
                number: String::new(),
                operation: String::new(),
                why: format!("its recording is not shown: {}", failure.what()),
            }),
        }
    }
    context.output.value("backtest", &report, in_words)?;
    Ok(ExitStatus::SUCCESS)
}

fn decide(
    report: &mut Report,
    session: &SessionItem,
    events: &[RecordedEvent],
    site: &hoop_gateway_core::config::Site,
) {
    // Of each operation its first record: a held one stands there again once it was let through.
    let mut seen: BTreeMap<&str, &RecordedEvent> = BTreeMap::new();
    for event in events.iter().filter(|event| matches!(event.kind.as_str(), "operation" | "held" | "refused")) {
        let number = event.fields.get("number").map_or("", String::as_str);
        seen.entry(number).or_insert(event);
    }
    for (number, event) in seen {
        report.operations += 1;
        let field = |name: &str| event.fields.get(name).map_or("", String::as_str);
        let moment = i64::try_from(event.at_micros / 1_000_000).unwrap_or(0);
        let questions = Questions { unix_seconds: moment, ..Questions::to(site, moment) };
        let text = filled(field("text"));
        let asked = questions.ask_again(&session.principal, &session.connection, &text, &recorded(event));
        let sealed = text != field("text");
        let operation = field("text").to_owned();
        let (session_id, number) = (session.id.to_string(), number.to_owned());
        match asked {
            Err(why) => {
                let why = if sealed { format!("parts of it are sealed: {why}") } else { why };
                report.undecided.push(Undecided { session: session_id, number, operation, why });
            }
            Ok(answer) => {
                let was = match field("decision") {
                    "permit" if event.fields.contains_key("approval") => "approval",
                    decision => decision,
                };
                let (would_be, rules) = cases::word(&answer.verdict);
                if was == would_be {
                    report.same += 1;
                    continue;
                }
                report.changed.push(Changed {
                    session: session_id,
                    number,
                    principal: session.principal.name.to_string(),
                    connection: session.connection.to_string(),
                    operation,
                    was: was.to_owned(),
                    was_rules: field("rules").to_owned(),
                    would_be,
                    would_be_rules: rules.iter().map(ToString::to_string).collect(),
                });
            }
        }
    }
}

/// What the record says besides the text.
fn recorded(event: &RecordedEvent) -> Recorded {
    let is = |name: &str, value: &str| event.fields.get(name).is_some_and(|found| found == value);
    let objects: Vec<String> =
        event.fields.get("objects").and_then(|objects| serde_json::from_str(objects).ok()).unwrap_or_default();
    let schemas = objects.iter().filter_map(|object| object.split_once('.'));
    Recorded {
        schemas: schemas.map(|(schema, name)| (name.to_owned(), schema.to_owned())).collect(),
        without_where: is("has_where", "false"),
        export: is("export", "true"),
        estimated_rows: event.fields.get("estimated_rows").and_then(|rows| rows.parse().ok()),
    }
}

/// The text with something in the place of each value that is sealed: what is decided does not depend on which.
fn filled(text: &str) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('⟦') {
        filled.push_str(before);
        let Some((_, after)) = behind.split_once('⟧') else {
            filled.push('⟦');
            rest = behind;
            break;
        };
        let is_quoted = filled.matches('\'').count() % 2 == 1;
        filled.push_str(if is_quoted { "sealed" } else { "'sealed'" });
        rest = after;
    }
    filled.push_str(rest);
    filled
}

fn in_words(report: &Report) -> String {
    let Report { sessions, operations, same, changed, undecided } = report;
    let mut lines = Vec::new();
    for one in changed {
        let rules = one.would_be_rules.join(", ");
        lines.push(format!(
            "{} {} on {}: {}",
            one.session,
            printable_line(&one.principal),
            one.connection,
            printable_line(&one.operation)
        ));
        lines.push(format!("  was {} {}, would be {} {rules}", one.was, printable_line(&one.was_rules), one.would_be));
    }
    for one in undecided {
        let (operation, why) = (printable_line(&one.operation), printable_line(&one.why));
        lines.push(format!("{} {} cannot be decided again: {operation}\n  {why}", one.session, one.number));
    }
    lines.push(format!(
        "{operations} operations of {sessions} sessions: {same} come out as they did, {} otherwise, {} cannot be decided again",
        changed.len(),
        undecided.len()
    ));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_is_some_value() {
        let sealed = "select 1 from c where email = ⟦email 17 bytes #1⟧ and note = 'to ⟦email 3 bytes #2⟧'";
        assert_eq!(filled(sealed), "select 1 from c where email = 'sealed' and note = 'to sealed'");
        assert_eq!(filled("select '⟦'"), "select '⟦'");
    }
}
