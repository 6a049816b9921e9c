//! Bytes ↔ messages of JSON-RPC. Strict: a member that has no meaning here might have one for the server.

use super::{
    super::json::{Json, JsonError},
    message::{Message, MessageKind},
};

/// How many messages one body may have.
pub const MOST_MESSAGES: usize = 64;
/// The longest id.
const LONGEST_ID: usize = 256;
/// The longest name of a method or a tool.
pub const LONGEST_NAME: usize = 128;

/// Why a body holds no messages that are taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// It is no JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// It is JSON, and no message.
    #[error("a message is no JSON-RPC 2.0: {0}")]
    Message(&'static str),
    /// There are none, or too many.
    #[error("a body holds 1 to {MOST_MESSAGES} messages")]
    Count,
}

/// The messages of a body, and whether they came as a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// The messages.
    pub messages: Vec<Message>,
    /// Whether they stand in a list.
    pub is_list: bool,
}

impl Batch {
    /// Parses a body.
    pub fn parse(body: &[u8]) -> Result<Self, CodecError> {
        Self::of(Json::parse(body)?)
    }

    /// The messages of a document.
    pub fn of(json: Json) -> Result<Self, CodecError> {
        let is_list = matches!(json, Json::List(_));
        let all = match json {
            Json::List(items) => items,
            one @ (Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) | Json::Object(_)) => vec![one],
        };
        if all.is_empty() || all.len() > MOST_MESSAGES {
            return Err(CodecError::Count);
        }
        let messages = all.into_iter().map(message).collect::<Result<_, _>>()?;
        Ok(Self { messages, is_list })
    }

    /// The body that holds these messages; empty where there is none.
    pub fn write(&self) -> String {
        match self.messages.as_slice() {
            [] if self.is_list => "[]".to_owned(),
            [] => String::new(),
            [one] if !self.is_list => one.json.write(),
            several => Json::List(several.iter().map(|message| message.json.clone()).collect()).write(),
        }
    }
}

/// Reads one message.
pub fn message(json: Json) -> Result<Message, CodecError> {
    let wrong = CodecError::Message;
    if json.text_of("jsonrpc") != Some("2.0") {
        return Err(wrong("it does not say so"));
    }
    let id = match json.get("id") {
        None => None,
        Some(Json::Text(id)) if id.len() <= LONGEST_ID => json.get("id").cloned(),
        Some(Json::Number(number)) if number.is_i64() || number.is_u64() => json.get("id").cloned(),
        Some(Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) | Json::List(_) | Json::Object(_)) => {
            return Err(wrong("its id is neither a text nor a whole number"));
        }
    };
    let has = |name: &str| json.get(name).is_some();
    let allowed: &[&str] =
        if has("method") { &["jsonrpc", "id", "method", "params"] } else { &["jsonrpc", "id", "result", "error"] };
    if json.members().iter().any(|(name, _)| !allowed.contains(&name.as_str())) {
        return Err(wrong("it has a member that none has"));
    }
    let kind = match (json.get("method"), id) {
        (Some(method), id) => {
            let method = method.as_text().filter(|method| is_name(method)).ok_or(wrong("its method is no name"))?;
            if !matches!(json.get("params"), None | Some(Json::Object(_))) {
                return Err(wrong("its params are no object"));
            }
            let method = method.to_owned();
            id.map_or(MessageKind::Notification { method: method.clone() }, |id| MessageKind::Request { id, method })
        }
        (None, Some(id)) if has("result") != has("error") => MessageKind::Response { id },
        (None, _) => return Err(wrong("it neither asks nor answers")),
    };
    Ok(Message { kind, json })
}

/// Whether a text is a name: what policies compare must be plain.
pub fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/' | b':');
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_notifications_and_answers_are_told_apart() {
        let kind = |text: &str| Batch::parse(text.as_bytes()).unwrap().messages.remove(0).kind;
        assert!(matches!(kind(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#), MessageKind::Request { .. }));
        assert!(matches!(kind(r#"{"jsonrpc":"2.0","method":"notifications/x"}"#), MessageKind::Notification { .. }));
        assert!(matches!(kind(r#"{"jsonrpc":"2.0","id":"a","result":{}}"#), MessageKind::Response { .. }));
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for text in [
            "[]",
            "{}",
            r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"pi ng"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":["ping"]}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#,
            r#"{"jsonrpc":"2.0","id":1}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#,
            r#"[[{"jsonrpc":"2.0","id":1,"method":"ping"}]]"#,
        ] {
            assert!(Batch::parse(text.as_bytes()).is_err(), "{text}");
        }
        let many = vec![r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#; MOST_MESSAGES + 1].join(",");
        assert_eq!(Batch::parse(format!("[{many}]").as_bytes()), Err(CodecError::Count));
    }

    #[test]
    fn what_is_written_is_what_was_parsed() {
        for text in [r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#] {
            assert_eq!(Batch::parse(text.as_bytes()).unwrap().write(), text);
        }
    }
}
