//! Refusals as answers of JSON-RPC, so that an agent reads them as the error of its own request.

use super::super::json::Json;
use crate::model::{Refusal, RefusalKind};

/// JSON-RPC's room for errors of servers.
const REFUSED: i64 = -32001;

/// A refusal for what is not understood.
pub fn unsupported(message: impl Into<String>, hint: &str) -> Refusal {
    Refusal { kind: RefusalKind::Unsupported, rule: None, message: message.into(), hint: Some(hint.to_owned()) }
}

/// SPEC: JSON-RPC 2.0, 5.1: what the other side has no method for.
const NO_METHOD: i64 = -32601;

/// What a server is told that asks something of a client which is not asked.
pub fn declined(id: &Json) -> Json {
    let text = |text: &str| Json::text(text);
    let error = Json::Object(vec![
        ("code".to_owned(), Json::Number(NO_METHOD.into())),
        ("message".to_owned(), text("a gateway stands between, and no policy lets a server ask this of its client")),
    ]);
    Json::Object(vec![("jsonrpc".to_owned(), text("2.0")), ("id".to_owned(), id.clone()), ("error".to_owned(), error)])
}

/// The error that answers a request with this id.
pub fn answer(id: &Json, refusal: &Refusal, session: &str) -> Json {
    let text = |text: &str| Json::text(text);
    let mut facts = vec![("session".to_owned(), text(session))];
    facts.extend(refusal.rule.as_ref().map(|rule| ("rule".to_owned(), text(&rule.0))));
    facts.extend(refusal.hint.as_ref().map(|hint| ("next".to_owned(), text(hint))));
    let mut message = refusal.message.clone();
    if let Some(rule) = &refusal.rule {
        message = format!("{message} (rule {rule})");
    }
    let error = Json::Object(vec![
        ("code".to_owned(), Json::Number(REFUSED.into())),
        ("message".to_owned(), Json::Text(message)),
        ("data".to_owned(), Json::Object(facts)),
    ]);
    Json::Object(vec![("jsonrpc".to_owned(), text("2.0")), ("id".to_owned(), id.clone()), ("error".to_owned(), error)])
}
