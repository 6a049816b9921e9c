//! How talk with a model, and what a tool gave, reads in a transcript: prompts, answers, results. Pure.

use hoop_gateway_core::{api::types::RecordedEvent, model::ProposedBy};

use super::{ScriptLine, Tone, field, lines::line};
use crate::output::{printable, printable_line};

/// What is new in a prompt.
pub(super) fn prompt(event: &RecordedEvent) -> Vec<ScriptLine> {
    let tools = list(event, "tools").map(|tools| format!(", tools {tools}")).unwrap_or_default();
    let count = field(event, "messages").unwrap_or("?");
    let title = format!("-- prompt to {}, {count} messages{tools}", field(event, "model").unwrap_or("?"));
    said(&title, event)
}

/// What a model said, and which tools it calls.
pub(super) fn answer(event: &RecordedEvent) -> Vec<ScriptLine> {
    let number = |name| field(event, name).unwrap_or("?");
    let mut title = format!("-- answer of {}", number("model"));
    title.extend([", ", number("input_tokens"), " + ", number("output_tokens"), " tokens"]);
    let spend = field(event, "spend_microdollars").and_then(|text| text.parse::<u64>().ok());
    title.push_str(&spend.map(dollars).unwrap_or_default());
    title.push_str(&field(event, "finish").map(|finish| format!(", {finish}")).unwrap_or_default());
    said(&title, event)
}

/// What a server of tools gave, and what of it was kept from the client.
pub(super) fn tool_result(event: &RecordedEvent) -> Vec<ScriptLine> {
    let kept = [("hidden", "hidden"), ("changed", "changed since pinned"), ("held_back", "not passed on")];
    let kept = kept.map(|(name, word)| list(event, name).map(|tools| format!("; {word}: {tools}")).unwrap_or_default());
    said(&format!("-- the server said{}", kept.concat()), event)
}

/// Which answer of a model proposed an operation.
pub(super) fn proposed_by(event: &RecordedEvent) -> Option<ProposedBy> {
    serde_json::from_str(field(event, "proposed_by")?).ok()
}

fn said(title: &str, event: &RecordedEvent) -> Vec<ScriptLine> {
    let text = printable(field(event, "text").unwrap_or_default()).replace('\t', "    ");
    let lines = text.lines().map(|text| line(Tone::Plain, format!("   {text}")));
    std::iter::once(line(Tone::Quiet, printable_line(title))).chain(lines).collect()
}

fn dollars(microdollars: u64) -> String {
    format!(", ${}.{:06}", microdollars / 1_000_000, microdollars % 1_000_000)
}

fn list(event: &RecordedEvent, name: &str) -> Option<String> {
    let words: Vec<String> = serde_json::from_str(field(event, name)?).ok()?;
    (!words.is_empty()).then(|| words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, fields: &serde_json::Value) -> RecordedEvent {
        let event = serde_json::json!({"seq": 1, "at_micros": 1, "kind": kind, "fields": fields});
        serde_json::from_value(event).unwrap()
    }

    fn text(lines: &[ScriptLine]) -> String {
        lines.iter().fold(String::new(), |all, line| all + &line.text + "\n")
    }

    #[test]
    fn talk_with_a_model_reads_as_talk() {
        let asked = event(
            "prompt",
            &serde_json::json!({"number": "1", "model": "gpt-4o-mini", "messages": "3", "tools": "[\"run_sql\"]",
                "text": "tool: [[1]]\nuser: \u{1b}[2Jgo on"}),
        );
        let shown = text(&prompt(&asked));
        assert!(shown.starts_with("-- prompt to gpt-4o-mini, 3 messages, tools run_sql\n   tool: [[1]]\n"), "{shown}");
        assert!(!shown.contains('\u{1b}'), "{shown}");
        let given = event(
            "answer",
            &serde_json::json!({"number": "1", "model": "gpt-4o-mini", "input_tokens": "100", "output_tokens": "10",
                "spend_microdollars": "21", "finish": "tool_calls", "text": "calls run_sql {}"}),
        );
        let expected = "-- answer of gpt-4o-mini, 100 + 10 tokens, $0.000021, tool_calls\n   calls run_sql {}\n";
        assert_eq!(text(&answer(&given)), expected);
        let heard = event("tool_result", &serde_json::json!({"text": "", "changed": "[\"read\"]"}));
        assert_eq!(text(&tool_result(&heard)), "-- the server said; changed since pinned: read\n");
    }

    #[test]
    fn a_link_is_read_from_the_record() {
        let link =
            r#"{"level":"exact","answer":{"session":"ses_000000000100000000","operation":3,"model":"m"},"others":1}"#;
        let found = proposed_by(&event("operation", &serde_json::json!({"proposed_by": link}))).unwrap();
        let expected = "m in ses_000000000100000000 #3 (exact); ambiguous: another answer says the same";
        assert_eq!(found.describe(), expected);
    }
}
