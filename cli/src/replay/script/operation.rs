//! One operation of a session: its text, and what became of it, fact by fact, each with its time.

use std::time::Duration;

use hoop_gateway_core::api::types::RecordedEvent;

use super::{Mark, field, lines, talk};
use crate::{
    output::printable_line,
    paint::{Role, Sign},
    sessions::took,
};

/// What is known of an operation from some time on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fact {
    pub(crate) at: Duration,
    /// `refused`, `rule`, `approval`, …
    pub(crate) label: &'static str,
    pub(crate) text: String,
    pub(crate) role: Role,
    /// The sign that the operation has from here on, where this changes its state.
    pub(crate) sign: Option<Sign>,
}

/// One operation.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) number: u64,
    /// When it was asked.
    pub(crate) at: Duration,
    /// Its text, as recorded: to be painted before it is shown.
    pub(crate) text: String,
    /// `$1 = 'x'`.
    pub(crate) parameters: Vec<String>,
    pub(crate) facts: Vec<Fact>,
    /// The cues that hold its result.
    pub(crate) results: Vec<usize>,
    held_at: Option<Duration>,
}

impl Operation {
    pub(super) fn new(number: u64, at: Duration) -> Self {
        let (text, parameters) = (String::new(), Vec::new());
        Self { number, at, text, parameters, facts: Vec::new(), results: Vec::new(), held_at: None }
    }

    /// The sign that it has at that time, and its role; none before it was decided.
    pub(crate) fn state(&self, at: Duration) -> Option<(Sign, Role)> {
        let known = self.facts.iter().rev().filter(|fact| fact.at <= at);
        known.filter_map(|fact| fact.sign.map(|sign| (sign, fact.role))).find(|(sign, _)| *sign != Sign::Masked)
    }

    /// Whether anything of it was masked by then.
    pub(crate) fn is_masked(&self, at: Duration) -> bool {
        self.facts.iter().any(|fact| fact.at <= at && fact.sign == Some(Sign::Masked))
    }

    /// What is known of it by then.
    pub(crate) fn facts(&self, at: Duration) -> impl Iterator<Item = &Fact> {
        self.facts.iter().filter(move |fact| fact.at <= at)
    }

    pub(super) fn take(&mut self, event: &RecordedEvent, at: Duration, cue: usize) {
        match event.kind.as_str() {
            "operation" => self.permitted(event, at, "permitted"),
            "prepared" => self.permitted(event, at, "prepared"),
            "held" => self.held(event, at),
            "approval_decided" => self.decided(event, at),
            "refused" => self.refused(event, at),
            "result" => self.results.push(cue),
            "outcome" => self.ended(event, at),
            _ => {}
        }
    }

    fn asked(&mut self, event: &RecordedEvent, at: Duration) {
        if self.text.is_empty() {
            field(event, "text").unwrap_or_default().clone_into(&mut self.text);
            self.parameters = lines::parameters(event);
            self.meant(event, at);
            self.proposed(event, at);
        }
    }

    /// Which answer of a model proposed it.
    fn proposed(&mut self, event: &RecordedEvent, at: Duration) {
        let Some(proposed_by) = talk::proposed_by(event) else { return };
        self.say(at, "proposed", Role::Text, None, &format!("by {}", proposed_by.describe()));
    }

    /// What it does, to what, and how risky that is.
    fn meant(&mut self, event: &RecordedEvent, at: Duration) {
        let Some(kind) = field(event, "kind") else { return };
        let mut words = vec![format!("{kind}, {}", field(event, "effect").unwrap_or("unknown"))];
        words.extend(list(event, "objects").map(|objects| format!("on {objects}")));
        words.extend(field(event, "risk").map(|risk| format!("risk {risk}")));
        words.extend(field(event, "estimated_rows").map(|rows| format!("about {rows} rows")));
        self.say(at, "does", Role::Text, None, &words.join(", "));
    }

    fn permitted(&mut self, event: &RecordedEvent, at: Duration, label: &'static str) {
        self.asked(event, at);
        let approval = field(event, "approval").map(|id| format!(", under {id}")).unwrap_or_default();
        self.say(at, label, Role::Ok, Some(Sign::Permitted), &format!("by {}{approval}", lines::rules(event)));
    }

    fn held(&mut self, event: &RecordedEvent, at: Duration) {
        self.asked(event, at);
        self.held_at = Some(at);
        let approval = field(event, "approval").unwrap_or("?");
        let text = format!("by {}, waiting for {approval}", lines::rules(event));
        self.say(at, "held", Role::Held, Some(Sign::Held), &text);
    }

    fn decided(&mut self, event: &RecordedEvent, at: Duration) {
        let (label, role, sign) = match field(event, "state") {
            Some("approved") => ("approved", Role::Ok, Sign::Permitted),
            Some("denied") => ("denied", Role::Bad, Sign::Refused),
            Some("expired") => ("expired", Role::Bad, Sign::Refused),
            Some("withdrawn") => ("withdrawn", Role::Bad, Sign::Refused),
            Some("superseded") => ("superseded", Role::Bad, Sign::Refused),
            _ => ("decided", Role::Warn, Sign::Held),
        };
        let mut words = Vec::new();
        words.extend(list(event, "by").map(|by| format!("by {by}")));
        let waited = self.held_at.and_then(|held| u64::try_from(at.saturating_sub(held).as_micros()).ok());
        words.extend(waited.map(|micros| format!("after {}", took(micros))));
        words.extend(field(event, "reason").map(|reason| format!("\u{201c}{reason}\u{201d}")));
        self.say(at, label, role, Some(sign), &words.join(", "));
    }

    fn refused(&mut self, event: &RecordedEvent, at: Duration) {
        self.asked(event, at);
        self.say(at, "refused", Role::Bad, Some(Sign::Refused), field(event, "reason").unwrap_or_default());
        self.say(at, "rule", Role::Text, None, &lines::rules(event));
        if let Some(hint) = field(event, "hint") {
            self.say(at, "hint", Role::Text, None, hint);
        }
    }

    fn ended(&mut self, event: &RecordedEvent, at: Duration) {
        let took = field(event, "duration_micros").and_then(|text| text.parse().ok()).map(took);
        let took = took.map(|took| format!(" in {took}")).unwrap_or_default();
        let word = |name| field(event, name).unwrap_or("?");
        match field(event, "status") {
            Some("completed") => {
                let text = format!("{}{took}", field(event, "tag").unwrap_or("completed"));
                self.say(at, "outcome", Role::Ok, Some(Sign::Permitted), &text);
            }
            Some("failed") => {
                let text = format!("the server answered with error {}{took}", word("sqlstate"));
                self.say(at, "outcome", Role::Warn, Some(Sign::Failed), &text);
            }
            Some("skipped") => self.say(at, "outcome", Role::Dim, Some(Sign::Failed), "skipped"),
            _ => self.say(at, "outcome", Role::Warn, Some(Sign::Failed), "unknown"),
        }
        let masked = lines::masked(event);
        if !masked.is_empty() {
            let classes: Vec<String> = masked.iter().map(|(class, cells)| format!("{class} {cells}")).collect();
            self.say(at, "masked", Role::Masked, Some(Sign::Masked), &format!("{} (cells)", classes.join(", ")));
        }
    }

    fn say(&mut self, at: Duration, label: &'static str, role: Role, sign: Option<Sign>, text: &str) {
        self.facts.push(Fact { at, label, text: printable_line(text), role, sign });
    }
}

/// The mark that an event leaves on the timeline.
pub(super) fn mark(event: &RecordedEvent) -> Option<Mark> {
    match event.kind.as_str() {
        "refused" => Some(Mark::Refused),
        "approval_decided" => matches!(field(event, "state"), Some("denied" | "expired" | "withdrawn" | "superseded"))
            .then_some(Mark::Refused),
        "held" => Some(Mark::Held),
        "outcome" => (!lines::masked(event).is_empty()).then_some(Mark::Masked),
        _ => None,
    }
}

/// A list of words as JSON, joined; `None` where it is empty or absent.
fn list(event: &RecordedEvent, name: &str) -> Option<String> {
    let words: Vec<String> = serde_json::from_str(field(event, name)?).ok()?;
    (!words.is_empty()).then(|| words.join(", "))
}
