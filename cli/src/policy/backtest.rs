//! `hoop policy backtest`: what recorded operations would come to by other policies.
//!
//! Reads recordings over the gateway's API, as whoever may replay them, or files that were exported from it; decides here,
//! with what the record holds.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead as _, BufReader},
    path::Path,
};

use hoop_gateway_core::{
    api::types::{RecordedEvent, SessionItem},
    config::Site,
    model::{ConnectionName, Principal},
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

/// A session as far as its operations are decided again.
struct Past {
    /// Its id; of an exported one, which does not say it, where it stands.
    name: String,
    principal: Principal,
    connection: ConnectionName,
    events: Vec<RecordedEvent>,
}

/// Decides again and tells.
pub(super) async fn run(asked: &PolicyBacktest, context: &Context) -> Result<ExitStatus, Failure> {
    let site = load(&asked.site, &context.output)?;
    let mut report = Report::default();
    if asked.records.is_empty() {
        of_gateway(&mut report, asked, &site, context).await?;
    } else {
        for file in &asked.records {
            for past in exported(file)? {
                report.sessions += 1;
                decide(&mut report, &past, &site);
            }
        }
    }
    context.output.value("backtest", &report, in_words)?;
    Ok(ExitStatus::SUCCESS)
}

async fn of_gateway(
    report: &mut Report,
    asked: &PolicyBacktest,
    site: &Site,
    context: &Context,
) -> Result<(), Failure> {
    let since = asked.since.unix_millis(OffsetDateTime::now_utc()).to_string();
    let mut api = Api::new(context).await?;
    let limit = asked.limit.to_string();
    let query = [("since_millis", since.as_str()), ("limit", limit.as_str())];
    let sessions: Vec<SessionItem> = api.get_with("/api/v1/sessions", &query).await?;
    let count = sessions.len();
    for (index, session) in sessions.into_iter().enumerate() {
        context.output.say(&format!("session {} of {count}: {}", index + 1, session.id));
        let path = format!("/api/v1/sessions/{}/recording", session.id);
        let SessionItem { id, principal, connection, .. } = session;
        match api.get_lines::<RecordedEvent>(&path).await {
            Ok(events) => {
                report.sessions += 1;
                decide(report, &Past { name: id.to_string(), principal, connection, events }, site);
            }
            Err(failure) => report.undecided.push(Undecided {
                session: id.to_string(),
                number: String::new(),
                operation: String::new(),
                why: format!("its recording is not shown: {}", failure.what()),
            }),
        }
    }
    Ok(())
}

/// The sessions in a file of recorded events, one a line: each begins with the record of its start.
fn exported(file: &Path) -> Result<Vec<Past>, Failure> {
    let unread =
        |error: std::io::Error| Failure::failed(format!("{} cannot be read", file.display())).caused_by(&error);
    let mut sessions: Vec<Past> = Vec::new();
    for (index, line) in BufReader::new(File::open(file).map_err(unread)?).lines().enumerate() {
        let line = line.map_err(unread)?;
        if line.trim().is_empty() {
            continue;
        }
        let number = index + 1;
        let wrong = |what: &str| {
            Failure::failed(format!("{}:{number}: {what}", file.display()))
                .next("export it with `hoop replay SESSION --output jsonl`, from its first line on")
        };
        let event: RecordedEvent = serde_json::from_str(&line).map_err(|_other| wrong("this is no recorded event"))?;
        if event.kind == "session_started" {
            let (principal, connection) =
                begun(&event).ok_or_else(|| wrong("the start of a session does not say whose"))?;
            let name = format!("{}:{number}", file.display());
            sessions.push(Past { name, principal, connection, events: Vec::new() });
        }
        let session = sessions.last_mut().ok_or_else(|| wrong("the record does not begin with a session's start"))?;
        session.events.push(event);
    }
    Ok(sessions)
}

fn begun(event: &RecordedEvent) -> Option<(Principal, ConnectionName)> {
    let principal = serde_json::from_str(event.fields.get("principal")?).ok()?;
    Some((principal, event.fields.get("connection")?.parse().ok()?))
}

fn decide(report: &mut Report, session: &Past, site: &Site) {
    // Of each operation its first record: a held one stands there again once it was let through.
    let mut seen: BTreeMap<&str, &RecordedEvent> = BTreeMap::new();
    for event in session.events.iter().filter(|event| matches!(event.kind.as_str(), "operation" | "held" | "refused")) {
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
        let (session_id, number) = (session.name.clone(), number.to_owned());
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
    fn an_exported_record_is_the_sessions_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("record.jsonl");
        let start = r#"{"seq":1,"at_micros":7,"kind":"session_started","fields":{"connection":"pg","principal":"{\"kind\":\"user\",\"name\":\"alice\",\"groups\":[],\"claims\":{},\"owner\":null}"}}"#;
        let other = r#"{"seq":2,"at_micros":8,"kind":"operation","fields":{"number":"1"}}"#;
        std::fs::write(&file, format!("{start}\n{other}\n\n{start}\n")).unwrap();
        let sessions = exported(&file).ok().unwrap();
        let found: Vec<_> = sessions.iter().map(|one| (one.principal.name.as_str(), one.events.len())).collect();
        assert_eq!(found, [("alice", 2), ("alice", 1)]);
        for wrong in [other, "not json", &start.replace("alice", "")] {
            std::fs::write(&file, wrong).unwrap();
            assert!(exported(&file).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_sealed_value_is_some_value() {
        let sealed = "select 1 from c where email = ⟦email 17 bytes #1⟧ and note = 'to ⟦email 3 bytes #2⟧'";
        assert_eq!(filled(sealed), "select 1 from c where email = 'sealed' and note = 'to sealed'");
        assert_eq!(filled("select '⟦'"), "select '⟦'");
    }
}
