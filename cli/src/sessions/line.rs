//! One line for each thing that happens in a session, or to it. Pure; nothing of it can leave its line.

use hoop_gateway_core::{
    api::types::{RecordedEvent, SessionItem},
    model::ProposedBy,
};

use super::{clock_time, end_word, took};
use crate::output::printable_line;

/// A session in one line.
pub(super) fn session(item: &SessionItem) -> String {
    let who = printable_line(item.principal.name.as_str());
    let place = printable_line(item.connection.as_str());
    let started = clock_time(item.started_at_millis);
    format!("{}  {who} on {place} since {started}: {} operations, {}", item.id, item.operations, notes(item))
}

/// What is remarkable of it, then how it stands: `1 refused, 8 masked; live`.
pub(super) fn notes(item: &SessionItem) -> String {
    let counted = [(item.refused, "refused"), (item.held, "held"), (item.masked, "masked")];
    let counted: Vec<String> =
        counted.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    let run = item.run.as_ref().map(|run| format!("; {run}")).unwrap_or_default();
    let counted = if counted.is_empty() { String::new() } else { format!("{}; ", counted.join(", ")) };
    format!("{counted}{}{run}", end_word(item))
}

/// An event in one line of at most so many characters; `None` for what only a replay needs.
pub(crate) fn event(event: &RecordedEvent, widest: usize) -> Option<String> {
    let at = clock_time(i64::try_from(event.at_micros / 1_000).unwrap_or(i64::MAX));
    let said = |name: &str| event.fields.get(name).map(String::as_str);
    let (word, rest) = match event.kind.as_str() {
        "session_started" => ("started", started(&said)),
        "operation" => ("permit", asked(&said)),
        "prepared" => ("prepare", asked(&said)),
        "held" => ("held", format!("{}  (waits for {})", asked(&said), said("approval").unwrap_or("an approval"))),
        "refused" => {
            let why = said("reason").unwrap_or_default();
            ("refused", format!("{}  ({why}{})", asked(&said), rules(&said)))
        }
        "approval_decided" => (said("state").unwrap_or("decided"), decided(&said)),
        "outcome" => outcome(&said),
        "prompt" => ("prompt", prompted(&said)),
        "answer" => ("answer", one_line(said("text").unwrap_or_default())),
        "session_ended" => ("ended", said("reason").unwrap_or_default().to_owned()),
        _ => return None,
    };
    let number = said("number").map(|number| format!("#{number}")).unwrap_or_default();
    let line = format!("{at}  {number:<5} {word:<9} {rest}");
    Some(cut(&printable_line(line.trim_end()), widest))
}

type Said<'event> = dyn Fn(&str) -> Option<&'event str> + 'event;

fn started(said: &Said<'_>) -> String {
    let who = said("principal").and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
    let name = who.as_ref().and_then(|who| who.get("name")).and_then(|name| name.as_str()).unwrap_or("somebody");
    let place = said("connection").unwrap_or_default();
    let from = said("client_address").map(|from| format!(", from {from}")).unwrap_or_default();
    let client = said("application_name").map(|client| format!(" ({client})")).unwrap_or_default();
    format!("{name} on {place} as {}{from}{client}", said("role").unwrap_or_default())
}

/// The statement on one line, with its parameters.
fn asked(said: &Said<'_>) -> String {
    let text = one_line(said("text").unwrap_or_default());
    let parameters = said("parameters").map(|parameters| format!("  {parameters}")).unwrap_or_default();
    let proposed = said("proposed_by").and_then(|by| serde_json::from_str::<ProposedBy>(by).ok());
    let proposed = proposed.map(|by| format!("  (proposed by {})", by.describe())).unwrap_or_default();
    format!("{text}{parameters}{proposed}")
}

/// The model, and the last that was said to it.
fn prompted(said: &Said<'_>) -> String {
    let last = said("text").and_then(|text| text.lines().last()).map(one_line).unwrap_or_default();
    format!("{}  {last}", said("model").unwrap_or_default()).trim_end().to_owned()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn rules(said: &Said<'_>) -> String {
    let rules: Vec<String> = said("rules").and_then(|rules| serde_json::from_str(rules).ok()).unwrap_or_default();
    if rules.is_empty() { String::new() } else { format!("; rule {}", rules.join(", ")) }
}

fn decided(said: &Said<'_>) -> String {
    let by: Vec<String> = said("by").and_then(|by| serde_json::from_str(by).ok()).unwrap_or_default();
    let by = if by.is_empty() { String::new() } else { format!("by {}", by.join(", ")) };
    match said("reason") {
        Some(reason) if by.is_empty() => reason.to_owned(),
        Some(reason) => format!("{by}: {reason}"),
        None => by,
    }
}

fn outcome(said: &Said<'_>) -> (&'static str, String) {
    let number = |name: &str| said(name).and_then(|text| text.parse::<u64>().ok());
    let (word, mut rest) = match said("status") {
        Some("completed") => ("done", said("tag").unwrap_or_default().to_owned()),
        Some("failed") => ("failed", format!("SQLSTATE {}", said("sqlstate").unwrap_or("?"))),
        Some("skipped") => return ("skipped", String::new()),
        _ => ("unknown", "nobody knows how it ended".to_owned()),
    };
    if let Some(micros) = number("duration_micros") {
        rest = format!("{rest}, {}", took(micros));
    }
    if let Some(masked) = said("masked") {
        let classes: std::collections::BTreeMap<String, u64> = serde_json::from_str(masked).unwrap_or_default();
        let classes: Vec<String> = classes.iter().map(|(class, cells)| format!("{class} {cells}")).collect();
        rest = format!("{rest}, masked {}", classes.join(", "));
    }
    (word, rest)
}

/// At most so many characters; the cut is visible.
fn cut(line: &str, widest: usize) -> String {
    if line.chars().count() <= widest {
        return line.to_owned();
    }
    line.chars().take(widest.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(kind: &str, fields: &[(&str, &str)]) -> RecordedEvent {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        RecordedEvent { seq: 1, at_micros: 0, kind: kind.to_owned(), fields }
    }

    #[test]
    fn each_event_is_one_line() {
        let events = [
            recorded(
                "session_started",
                &[("principal", "{\"name\":\"alice\"}"), ("connection", "pg-prod"), ("role", "hoop_app")],
            ),
            recorded("operation", &[("number", "1"), ("text", "select *\n  from t"), ("parameters", "[\"7\"]")]),
            recorded(
                "outcome",
                &[
                    ("number", "1"),
                    ("status", "completed"),
                    ("tag", "SELECT 5"),
                    ("duration_micros", "3200"),
                    ("masked", "{\"email\":5}"),
                ],
            ),
            recorded("held", &[("number", "2"), ("text", "delete from t"), ("approval", "apr_1")]),
            recorded(
                "approval_decided",
                &[("number", "2"), ("state", "denied"), ("by", "[\"bob\"]"), ("reason", "not today")],
            ),
            recorded(
                "refused",
                &[("number", "3"), ("text", "drop table t"), ("reason", "tables stay"), ("rules", "[\"no-drop\"]")],
            ),
            recorded("session_ended", &[("reason", "ended by bob: runaway")]),
        ];
        let lines: Vec<String> = events.iter().filter_map(|one| event(one, 200)).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        00:00:00        started   alice on pg-prod as hoop_app
        00:00:00  #1    permit    select * from t  ["7"]
        00:00:00  #1    done      SELECT 5, 3 ms, masked email 5
        00:00:00  #2    held      delete from t  (waits for apr_1)
        00:00:00  #2    denied    by bob: not today
        00:00:00  #3    refused   drop table t  (tables stay; rule no-drop)
        00:00:00        ended     ended by bob: runaway
        "#);
    }

    #[test]
    fn no_escape_reaches_the_terminal_and_no_line_is_wider_than_asked() {
        let text = format!("select '\u{1b}]0;x\u{7}\u{202e}' -- {}", "y".repeat(500));
        let line = event(&recorded("operation", &[("number", "1"), ("text", &text)]), 80).unwrap();
        assert!(!line.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{line}");
        assert_eq!((line.chars().count(), line.ends_with('…')), (80, true));
    }

    #[test]
    fn what_only_a_replay_needs_is_left_out() {
        assert_eq!(event(&recorded("result", &[("text", "[\"a\"]")]), 80), None);
        assert_eq!(event(&recorded("gateway_sent", &[("purpose", "catalogue")]), 80), None);
    }
}
