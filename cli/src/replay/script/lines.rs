//! How an event reads: the lines of a transcript. Pure; every text passes through `printable`.

use std::collections::BTreeMap;

use hoop_gateway_core::{api::types::RecordedEvent, model::Principal};

use super::{ScriptLine, Tone, field, grid, number, talk};
use crate::{
    output::{printable, printable_line},
    sessions::took,
    whoami,
};

/// Who did this, where and as whom.
pub(in crate::replay) fn title(event: &RecordedEvent) -> String {
    let who = field(event, "principal")
        .and_then(|text| serde_json::from_str::<Principal>(text).ok())
        .map_or_else(|| "?".to_owned(), |principal| whoami::describe(&principal));
    let named = |name| printable_line(field(event, name).unwrap_or("?"));
    let place = match field(event, "connection_kind") {
        Some("ssh") => "machine",
        Some("http" | "llm" | "mcp") => "service",
        _ => "database",
    };
    format!("{who} on {}, {place} {} as {}", named("connection"), named("database"), named("role"))
}

/// The lines of one event.
pub(super) fn lines(event: &RecordedEvent) -> Vec<ScriptLine> {
    match event.kind.as_str() {
        "session_started" => vec![line(Tone::Quiet, format!("-- session of {}", title(event)))],
        "operation" => asked(event, "permitted"),
        "prepared" => asked(event, "permitted to be prepared"),
        "held" => held(event),
        "approval_decided" => vec![decided(event)],
        "refused" => refused(event),
        "prompt" => talk::prompt(event),
        "answer" => talk::answer(event),
        "tool_result" => talk::tool_result(event),
        "result" => grid::result(field(event, "text").unwrap_or_default(), field(event, "truncated").is_some()),
        "outcome" => vec![outcome(event)],
        "gateway_sent" => vec![noted(event, "-- the gateway sent", "purpose")],
        "line" => vec![noted(event, "-- a line of a shell;", "check")],
        "session_ended" => vec![noted(event, "-- session ended:", "reason")],
        // The signature is for `hoop audit verify`; what a terminal showed is played by an emulator.
        "session_head" | "terminal_output" | "terminal_resize" => Vec::new(),
        other => vec![line(Tone::Quiet, format!("-- {}", printable_line(other)))],
    }
}

pub(super) fn line(tone: Tone, text: String) -> ScriptLine {
    ScriptLine { tone, text }
}

fn noted(event: &RecordedEvent, before: &str, name: &str) -> ScriptLine {
    line(Tone::Quiet, format!("{before} {}", printable_line(field(event, name).unwrap_or("?"))))
}

fn statement(event: &RecordedEvent) -> Vec<ScriptLine> {
    let text = printable(field(event, "text").unwrap_or_default()).replace('\t', "    ");
    let mut prompt = format!("#{}> ", number(event).unwrap_or_default());
    let mut shown = Vec::new();
    for one in text.lines() {
        shown.push(line(Tone::Statement, format!("{prompt}{one}")));
        prompt = " ".repeat(prompt.len());
    }
    shown.extend(parameters(event).into_iter().map(|one| line(Tone::Statement, format!("{prompt}{one}"))));
    shown
}

/// `$1 = 'x'`, for each parameter.
pub(super) fn parameters(event: &RecordedEvent) -> Vec<String> {
    let values: Vec<Option<String>> =
        field(event, "parameters").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let spelt = |value: Option<String>| match value {
        Some(value) => format!("'{}'", printable_line(&value)),
        None => "NULL".to_owned(),
    };
    values.into_iter().enumerate().map(|(index, value)| format!("${} = {}", index + 1, spelt(value))).collect()
}

/// The rules that decided.
pub(super) fn rules(event: &RecordedEvent) -> String {
    let rules: Vec<String> = field(event, "rules").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    if rules.is_empty() { "no rule".to_owned() } else { printable_line(&rules.join(", ")) }
}

fn asked(event: &RecordedEvent, word: &str) -> Vec<ScriptLine> {
    let mut shown = statement(event);
    let approval = field(event, "approval").map(|id| format!(", approval {}", printable_line(id))).unwrap_or_default();
    shown.push(line(Tone::Quiet, format!("-- {word} by {}{approval}", rules(event))));
    let proposed_by = talk::proposed_by(event).map(|found| printable_line(&found.describe()));
    shown.extend(proposed_by.map(|found| line(Tone::Quiet, format!("-- proposed by {found}"))));
    shown
}

fn held(event: &RecordedEvent) -> Vec<ScriptLine> {
    let mut shown = statement(event);
    let approval = printable_line(field(event, "approval").unwrap_or("?"));
    shown.push(line(Tone::Waiting, format!("-- held by {}, waiting for approval {approval}", rules(event))));
    shown
}

fn decided(event: &RecordedEvent) -> ScriptLine {
    let state = field(event, "state").unwrap_or("?");
    let by: Vec<String> = field(event, "by").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let by = if by.is_empty() { String::new() } else { format!(" by {}", by.join(", ")) };
    let reason = field(event, "reason").map(|reason| format!(": {reason}")).unwrap_or_default();
    let tone = if state == "approved" { Tone::Good } else { Tone::Bad };
    line(tone, printable_line(&format!("-- {state}{by}{reason}")))
}

fn refused(event: &RecordedEvent) -> Vec<ScriptLine> {
    let mut shown = statement(event);
    let said = |name| printable_line(field(event, name).unwrap_or_default());
    shown.push(line(Tone::Bad, format!("ERROR:  {}", said("reason"))));
    shown.push(line(Tone::Bad, format!("DETAIL:  rule {}", rules(event))));
    if field(event, "hint").is_some() {
        shown.push(line(Tone::Bad, format!("HINT:  {}", said("hint"))));
    }
    shown
}

/// Masked cells by class.
pub(super) fn masked(event: &RecordedEvent) -> BTreeMap<String, u64> {
    field(event, "masked").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

fn outcome(event: &RecordedEvent) -> ScriptLine {
    let took = field(event, "duration_micros").and_then(|text| text.parse().ok()).map(took).unwrap_or_default();
    let masked = masked(event);
    let masked: Vec<String> = masked.iter().map(|(class, count)| format!(", {count} {class} masked")).collect();
    let masked = masked.concat();
    let (tone, word) = match field(event, "status") {
        Some("completed") => (Tone::Good, field(event, "tag").unwrap_or("completed").to_owned()),
        Some("failed") => (Tone::Bad, format!("ERROR {}", field(event, "sqlstate").unwrap_or("?"))),
        Some("skipped") => (Tone::Quiet, "skipped".to_owned()),
        _ => return line(Tone::Bad, "outcome unknown".to_owned()),
    };
    line(tone, printable_line(&format!("{word}  ({took}{masked})")))
}
