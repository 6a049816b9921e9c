//! What the bridge must know of a JSON-RPC message, and the errors that it answers itself.
//!
//! Pure. A message goes on as it is, but for white space: a line of standard output is one message.

use serde::Deserialize;
use serde_json::{Value, json};

/// A longer message is not carried.
pub(super) const MOST_BYTES: usize = 4 << 20;

/// What a message is, as far as the way back goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sketch {
    /// The ids that wait for an answer.
    pub(super) waiting: Vec<Value>,
    /// Whether it opens a session.
    pub(super) opens: bool,
    /// Whether it says that the session is ready for both sides.
    pub(super) is_ready: bool,
}

#[derive(Deserialize)]
struct Head {
    method: Option<String>,
    id: Option<Value>,
}

/// Sketches a message or a list of messages; `None` for what is none.
pub(super) fn sketch(text: &str) -> Option<Sketch> {
    let heads: Vec<Head> = if text.trim_start().starts_with('[') {
        serde_json::from_str(text).ok()?
    } else {
        vec![serde_json::from_str(text).ok()?]
    };
    let is = |head: &Head, method: &str| head.method.as_deref() == Some(method);
    Some(Sketch {
        opens: heads.iter().any(|head| is(head, "initialize")),
        is_ready: heads.iter().any(|head| is(head, "notifications/initialized")),
        waiting: heads.into_iter().filter(|head| head.method.is_some()).filter_map(|head| head.id).collect(),
    })
}

/// The message as one line. JSON has line breaks only between its parts.
pub(super) fn line(text: &str) -> String {
    let mut line = text.trim().replace(['\n', '\r'], " ");
    line.push('\n');
    line
}

/// Whether a text is a message of JSON-RPC.
pub(super) fn is_message(text: &str) -> bool {
    let of_protocol = |value: &Value| value.get("jsonrpc").is_some_and(|version| version == "2.0");
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Array(all)) => !all.is_empty() && all.iter().all(of_protocol),
        Ok(value) => of_protocol(&value),
        Err(_) => false,
    }
}

/// The ids that a message, or a list of them, answers.
pub(super) fn answers(text: &str) -> Vec<Value> {
    let id = |value: &Value| value.get("id").filter(|_| value.get("method").is_none()).cloned();
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Array(all)) => all.iter().filter_map(id).collect(),
        Ok(value) => id(&value).into_iter().collect(),
        Err(_) => Vec::new(),
    }
}

/// What an error says.
pub(super) fn complaint(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    Some(value.get("error")?.get("message")?.as_str()?.to_owned())
}

/// An answer that opens a session says which version both speak.
pub(super) fn version(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    let version = value.get("result")?.get("protocolVersion")?.as_str()?;
    let is_plain =
        version.len() <= 32 && version.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    is_plain.then(|| version.to_owned())
}

/// The bridge's own answer to each of these ids, as one line each.
pub(super) fn failed(waiting: &[Value], what: &str) -> Vec<String> {
    let of = |id: &Value| json!({"jsonrpc": "2.0", "id": id, "error": {"code": OURS, "message": what}});
    waiting.iter().map(|id| line(&of(id).to_string())).collect()
}

/// The answer to what is no message.
pub(super) fn unreadable(what: &str) -> String {
    line(&json!({"jsonrpc": "2.0", "id": null, "error": {"code": UNREADABLE, "message": what}}).to_string())
}

/// SPEC: JSON-RPC 2.0: "Internal error" and "Parse error".
const OURS: i32 = -32603;
const UNREADABLE: i32 = -32700;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_who_waits() {
        let one = sketch(r#"{"jsonrpc":"2.0","id":"a","method":"initialize"}"#).unwrap();
        assert_eq!((one.waiting.as_slice(), one.opens), (&[json!("a")][..], true));
        let note = sketch(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).unwrap();
        assert!(note.waiting.is_empty() && note.is_ready);
        // An answer to the server waits for nothing.
        assert!(sketch(r#"{"jsonrpc":"2.0","id":3,"result":{}}"#).unwrap().waiting.is_empty());
        let list = sketch(r#"[{"id":1,"method":"ping"},{"id":2,"method":"ping"}]"#).unwrap();
        assert_eq!(list.waiting, [json!(1), json!(2)]);
        assert_eq!(sketch("nothing"), None);
    }

    #[test]
    fn a_message_over_lines_becomes_one() {
        let text = "{\n  \"jsonrpc\": \"2.0\",\r\n  \"result\": \"a\\nb\"\n}\n";
        assert_eq!(line(text), "{   \"jsonrpc\": \"2.0\",    \"result\": \"a\\nb\" }\n");
        assert!(is_message(text) && !is_message("{\"title\":\"refused\"}") && !is_message("[]"));
    }

    #[test]
    fn a_version_is_plain() {
        assert_eq!(version(r#"{"result":{"protocolVersion":"2025-06-18"}}"#).as_deref(), Some("2025-06-18"));
        assert_eq!(version(r#"{"result":{"protocolVersion":"2025\r\nx: y"}}"#), None);
    }
}
