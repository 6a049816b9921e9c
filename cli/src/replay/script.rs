//! Events → what is shown of them, and when. Pure; the only place that decides how an event reads.

mod grid;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use hoop_gateway_core::{api::types::RecordedEvent, model::Principal};

use crate::{
    output::{printable, printable_line},
    sessions::took,
    whoami,
};

/// `mm:ss.mmm`.
pub(super) const STAMP_WIDTH: usize = 9;

/// What a line says, for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Statement,
    Good,
    Bad,
    Waiting,
    Quiet,
}

/// One line of the replay, safe for a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ScriptLine {
    pub(super) tone: Tone,
    pub(super) text: String,
}

/// What one event adds, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cue {
    pub(super) at: Duration,
    pub(super) operation: Option<u64>,
    pub(super) lines: Vec<ScriptLine>,
}

/// A session as it is played.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) title: String,
    cues: Vec<Cue>,
}

impl Script {
    /// Only operations whose text contains `search`, in either case, where it is given.
    pub(super) fn new(events: &[RecordedEvent], search: Option<&str>) -> Self {
        let start = events.first().map_or(0, |event| event.at_micros);
        let wanted = search.map(|search| matching(events, search));
        let cues = events
            .iter()
            .filter(|event| match (&wanted, number(event)) {
                (Some(wanted), number) => number.is_some_and(|number| wanted.contains(&number)),
                (None, _) => true,
            })
            .map(|event| Cue {
                at: Duration::from_micros(event.at_micros.saturating_sub(start)),
                operation: number(event),
                lines: lines(event),
            })
            .filter(|cue| !cue.lines.is_empty())
            .collect();
        Self { title: events.first().map(title).unwrap_or_default(), cues }
    }

    pub(super) fn cues(&self) -> &[Cue] {
        &self.cues
    }

    pub(super) fn is_empty(&self) -> bool {
        self.cues.is_empty()
    }

    /// The index of the first cue of an operation, or of the next one that is there.
    pub(super) fn cue_of(&self, operation: u64) -> usize {
        let found = self.cues.iter().position(|cue| cue.operation.is_some_and(|number| number >= operation));
        found.unwrap_or(self.cues.len().saturating_sub(1))
    }

    /// When the last thing happens.
    pub(super) fn end(&self) -> Duration {
        self.cues.last().map_or(Duration::ZERO, |cue| cue.at)
    }
}

/// A time in the session, `mm:ss.mmm`.
pub(super) fn stamp(at: Duration) -> String {
    format!("{:02}:{:02}.{:03}", at.as_secs() / 60, at.as_secs() % 60, at.subsec_millis())
}

fn number(event: &RecordedEvent) -> Option<u64> {
    field(event, "number")?.parse().ok()
}

fn field<'event>(event: &'event RecordedEvent, name: &str) -> Option<&'event str> {
    event.fields.get(name).map(String::as_str)
}

fn matching(events: &[RecordedEvent], search: &str) -> BTreeSet<u64> {
    let search = search.to_lowercase();
    let asked = events.iter().filter(|event| event.kind != "result");
    asked
        .filter(|event| field(event, "text").is_some_and(|text| text.to_lowercase().contains(&search)))
        .filter_map(number)
        .collect()
}

fn title(event: &RecordedEvent) -> String {
    let who = field(event, "principal")
        .and_then(|text| serde_json::from_str::<Principal>(text).ok())
        .map_or_else(|| "?".to_owned(), |principal| whoami::describe(&principal));
    let named = |name| printable_line(field(event, name).unwrap_or("?"));
    format!("{who} on {}, database {} as {}", named("connection"), named("database"), named("role"))
}

fn lines(event: &RecordedEvent) -> Vec<ScriptLine> {
    match event.kind.as_str() {
        "session_started" => vec![line(Tone::Quiet, format!("-- session of {}", title(event)))],
        "operation" => asked(event, "permitted"),
        "prepared" => asked(event, "permitted to be prepared"),
        "held" => held(event),
        "approval_decided" => vec![decided(event)],
        "refused" => refused(event),
        "result" => grid::result(field(event, "text").unwrap_or_default(), field(event, "truncated").is_some()),
        "outcome" => vec![outcome(event)],
        "gateway_sent" => vec![noted(event, "-- the gateway sent", "purpose")],
        "session_ended" => vec![noted(event, "-- session ended:", "reason")],
        // The signature is for `hoop audit verify`.
        "session_head" => Vec::new(),
        other => vec![line(Tone::Quiet, format!("-- {}", printable_line(other)))],
    }
}

fn line(tone: Tone, text: String) -> ScriptLine {
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
    let parameters: Vec<Option<String>> =
        field(event, "parameters").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    for (index, value) in parameters.iter().enumerate() {
        let value = value.as_deref().map_or_else(|| "NULL".to_owned(), |value| format!("'{}'", printable_line(value)));
        shown.push(line(Tone::Statement, format!("{prompt}${} = {value}", index + 1)));
    }
    shown
}

fn rules(event: &RecordedEvent) -> String {
    let rules: Vec<String> = field(event, "rules").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    if rules.is_empty() { "no rule".to_owned() } else { printable_line(&rules.join(", ")) }
}

fn asked(event: &RecordedEvent, word: &str) -> Vec<ScriptLine> {
    let mut shown = statement(event);
    let approval = field(event, "approval").map(|id| format!(", approval {}", printable_line(id))).unwrap_or_default();
    shown.push(line(Tone::Quiet, format!("-- {word} by {}{approval}", rules(event))));
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

fn outcome(event: &RecordedEvent) -> ScriptLine {
    let took = field(event, "duration_micros").and_then(|text| text.parse().ok()).map(took).unwrap_or_default();
    let masked: BTreeMap<String, u64> =
        field(event, "masked").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
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

#[cfg(test)]
pub(super) mod tests;
