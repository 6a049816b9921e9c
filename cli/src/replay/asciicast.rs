//! A recorded terminal → a file of asciicast version 2, which `asciinema` and its players read.
//!
//! Output and sizes only: what was typed is never in it, and what was sealed or masked in the recording stays so. Pure;
//! whoever plays the file lets the recorded escape sequences reach a real terminal, as with any asciicast.
//!
//! SPEC: <https://docs.asciinema.org/manual/asciicast/v2/>

use std::collections::BTreeMap;

use hoop_gateway_core::api::types::RecordedEvent;
use serde_json::json;

use super::{
    emulator::{Step, step},
    script,
};
use crate::failure::Failure;

/// The operations of a session that had a terminal, with how much each of them showed.
fn terminals(events: &[RecordedEvent]) -> BTreeMap<u64, usize> {
    let mut found = BTreeMap::new();
    for event in events {
        if let (Some(number), Some(step)) = (script::number(event), step(&event.kind, &event.fields)) {
            let shown = if let Step::Output(data) = step { data.len() } else { 0 };
            *found.entry(number).or_default() += shown;
        }
    }
    found
}

/// The asciicast of one operation; where none is said, of the only one that has a terminal.
pub(super) fn cast(events: &[RecordedEvent], operation: Option<u64>) -> Result<String, Failure> {
    let terminals = terminals(events);
    let list = || {
        let each: Vec<_> = terminals.iter().map(|(number, bytes)| format!("{number} ({bytes} bytes)")).collect();
        each.join(", ")
    };
    let only = || terminals.keys().next().copied().filter(|_| terminals.len() == 1);
    let number = match operation.or_else(only) {
        Some(number) if terminals.contains_key(&number) => number,
        Some(number) => {
            let failure = Failure::failed(format!("operation {number} of this session has no recorded terminal"));
            let next = if terminals.is_empty() { "play the session without --asciicast" } else { "see --at" };
            let failure = if terminals.is_empty() { failure } else { failure.because(format!("these do: {}", list())) };
            return Err(failure.next(next));
        }
        None if terminals.is_empty() => {
            let failure = Failure::failed("nothing in this session had a terminal");
            return Err(failure.next("play it without --asciicast"));
        }
        None => {
            let failure = Failure::usage("this session has more than one recorded terminal").because(list());
            return Err(failure.next("choose one of these operations with --at"));
        }
    };
    let own: Vec<_> = events.iter().filter(|event| script::number(event) == Some(number)).collect();
    let steps = own.iter().filter_map(|event| Some((event.at_micros, step(&event.kind, &event.fields)?)));
    let mut steps: Vec<_> = steps.collect();
    let start = steps.first().map_or(0, |(at, _)| *at);
    let (columns, rows) = match steps.first() {
        Some((_, Step::Resize(columns, rows))) => {
            let size = (*columns, *rows);
            steps.remove(0);
            size
        }
        _ => (80, 24),
    };
    let title = events.first().map(script::title).unwrap_or_default();
    let header = json!({
        "version": 2,
        "width": columns,
        "height": rows,
        "timestamp": start / 1_000_000,
        "title": format!("{title}, operation {number}"),
    });
    let mut text = format!("{header}\n");
    for (at, step) in steps {
        let micros = at.saturating_sub(start);
        let (kind, data) = match step {
            Step::Output(data) => ("o", data),
            Step::Resize(columns, rows) => ("r", format!("{columns}x{rows}")),
        };
        let (seconds, rest) = (micros / 1_000_000, micros % 1_000_000);
        let line = format!("[{seconds}.{rest:06}, \"{kind}\", {}]\n", json!(data));
        text.push_str(&line);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at_micros: u64, kind: &str, fields: &[(&str, &str)]) -> RecordedEvent {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        RecordedEvent { seq: 1, at_micros, kind: kind.to_owned(), fields }
    }

    fn session() -> Vec<RecordedEvent> {
        let two = ("number", "2");
        vec![
            event(5_000_000, "session_started", &[("connection", "bastion"), ("database", "m"), ("role", "deploy")]),
            event(6_000_000, "terminal_resize", &[two, ("columns", "100"), ("rows", "30")]),
            event(6_500_000, "terminal_output", &[two, ("data", "\u{1b}[1m$ \u{1b}[0m\r\n\"é")]),
            event(7_000_001, "terminal_resize", &[two, ("columns", "90"), ("rows", "20")]),
            event(7_100_000, "operation", &[("number", "3"), ("text", "ls")]),
        ]
    }

    #[test]
    fn a_terminal_becomes_a_header_and_events_of_output_and_size() {
        let cast = cast(&session(), None).unwrap();
        let lines: Vec<serde_json::Value> = cast.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let header = lines.first().unwrap();
        assert_eq!(
            (&header["version"], &header["width"], &header["height"], &header["timestamp"]),
            (&json!(2), &json!(100), &json!(30), &json!(6))
        );
        assert!(header["title"].as_str().unwrap().contains("bastion"), "{header}");
        assert_eq!(lines.get(1), Some(&json!([0.5, "o", "\u{1b}[1m$ \u{1b}[0m\r\n\"é"])));
        assert_eq!(lines.get(2), Some(&json!([1.000_001, "r", "90x20"])));
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn which_terminal_is_meant_is_asked_where_there_are_several_or_none() {
        let mut several = session();
        several.push(event(8_000_000, "terminal_output", &[("number", "4"), ("data", "x")]));
        let asked = cast(&several, None).unwrap_err();
        assert!(
            asked.next_step().unwrap().contains("--at") && asked.why().concat().contains("4 (1 bytes)"),
            "{asked:?}"
        );
        assert!(cast(&several, Some(4)).unwrap().ends_with("[0.000000, \"o\", \"x\"]\n"));
        assert!(cast(&several, Some(3)).unwrap_err().what().contains("operation 3"));
        assert!(cast(&several[..1], None).is_err());
    }
}
