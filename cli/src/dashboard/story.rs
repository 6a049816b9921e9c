//! What happened in a session, as rows of a width: statements, decisions, outcomes. Pure; every text is made safe.

use std::collections::BTreeMap;

use hoop_gateway_core::api::types::RecordedEvent;
use ratatui::text::{Line, Span};

use super::moments;
use crate::{
    output::printable_line,
    paint::{Painted, Role, Sign, Theme},
    sessions::took,
};

/// `14:03:22` and two spaces.
const CLOCK: u16 = 10;

/// The rows of some events, in their order.
pub(crate) fn rows(events: &[RecordedEvent], width: u16, theme: Theme) -> Vec<Line<'static>> {
    events.iter().flat_map(|event| Telling { event, width, theme }.rows()).collect()
}

struct Telling<'event> {
    event: &'event RecordedEvent,
    width: u16,
    theme: Theme,
}

impl Telling<'_> {
    fn rows(&self) -> Vec<Line<'static>> {
        match self.event.kind.as_str() {
            "session_started" => self.said(Sign::Live, Role::Dim, "session started"),
            "operation" | "prepared" => self.asked(Sign::Permitted, Role::Ok, "permitted"),
            "held" => self.asked(Sign::Held, Role::Held, "held"),
            "refused" => self.asked(Sign::Refused, Role::Bad, "refused"),
            "approval_decided" => self.decided(),
            "outcome" => self.outcome(),
            "session_ended" => {
                let why = self.field("reason").unwrap_or("no reason was recorded");
                self.said(Sign::Stopped, Role::Accent, &format!("session ended: {why}"))
            }
            // Results are for the replay; what the gateway sends for itself and signatures are for an audit.
            "result" | "gateway_sent" | "session_head" => Vec::new(),
            other => self.said(Sign::Dot, Role::Dim, other),
        }
    }

    /// A statement, whole, and what became of it.
    fn asked(&self, sign: Sign, role: Role, word: &str) -> Vec<Line<'static>> {
        let number = self.field("number").unwrap_or("?");
        let mut rows = self.said(sign, role, &format!("#{number} {word} by {}", self.listed("rules", "no rule")));
        let statement = Painted::sql(self.field("text").unwrap_or_default());
        rows.extend(self.inset(&statement));
        for name in ["reason", "hint"] {
            if let Some(text) = self.field(name) {
                rows.extend(self.inset(&Painted::text(role, &printable_line(text))));
            }
        }
        rows
    }

    fn decided(&self) -> Vec<Line<'static>> {
        let state = self.field("state").unwrap_or("decided");
        let reason = self.field("reason").map(|reason| format!(": {reason}")).unwrap_or_default();
        let (sign, role) = if state == "approved" { (Sign::Permitted, Role::Ok) } else { (Sign::Refused, Role::Bad) };
        self.said(sign, role, &format!("{state} by {}{reason}", self.listed("by", "nobody")))
    }

    fn outcome(&self) -> Vec<Line<'static>> {
        let number = self.field("number").unwrap_or("?");
        let time = self.field("duration_micros").and_then(|text| text.parse().ok()).map(took).unwrap_or_default();
        let masked: BTreeMap<String, u64> =
            self.field("masked").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let masked: Vec<String> = masked.iter().map(|(class, count)| format!(", {count} {class} masked")).collect();
        let masked = masked.concat();
        let (role, word) = match self.field("status") {
            Some("completed") => (Role::Ok, self.field("tag").unwrap_or("completed").to_owned()),
            Some("failed") => (Role::Bad, format!("ERROR {}", self.field("sqlstate").unwrap_or("?"))),
            Some("skipped") => (Role::Dim, "skipped".to_owned()),
            _ => (Role::Bad, "outcome unknown".to_owned()),
        };
        self.said(Sign::Right, role, &format!("#{number} {word} ({time}{masked})"))
    }

    /// The time, a sign and words.
    fn said(&self, sign: Sign, role: Role, text: &str) -> Vec<Line<'static>> {
        let millis = i64::try_from(self.event.at_micros / 1000).unwrap_or(i64::MAX);
        let mut lines = self.inset(&Painted::text(role, &printable_line(text)));
        if let Some(first) = lines.first_mut() {
            let clock = Span::styled(moments::clock_time(millis), self.theme.style(Role::Dim));
            let sign = Span::styled(format!(" {} ", self.theme.sign(sign)), self.theme.style(role));
            first.spans.splice(..1, [clock, sign]);
        }
        lines
    }

    /// Beneath the words.
    fn inset(&self, painted: &Painted) -> Vec<Line<'static>> {
        let indent = CLOCK + 1;
        let mut lines = painted.lines(self.width.saturating_sub(indent), self.theme);
        for line in &mut lines {
            line.spans.insert(0, Span::raw(" ".repeat(usize::from(indent))));
        }
        lines
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.event.fields.get(name).map(String::as_str)
    }

    /// A list that is kept as JSON.
    fn listed(&self, name: &str, nothing: &str) -> String {
        let words: Vec<String> = self.field(name).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        if words.is_empty() { nothing.to_owned() } else { words.join(", ") }
    }
}
