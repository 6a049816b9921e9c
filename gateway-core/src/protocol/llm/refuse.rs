//! Refusals that clients of these APIs can read: their own `error` beside the facts of a problem document.
//!
//! `OpenAI`'s clients look for `error.message`, `error.type` and `error.code`; Anthropic's for `type: error` and
//! `error.type`. Holds no prompt and no value.

use super::{super::json::Json, message::Endpoint};
use crate::model::{Refusal, RefusalKind};

/// A refusal for what is not understood.
pub fn unsupported(message: impl Into<String>, hint: &str) -> Refusal {
    Refusal { kind: RefusalKind::Unsupported, rule: None, message: message.into(), hint: Some(hint.to_owned()) }
}

/// The `error` member, as clients of the endpoint read it.
pub fn error_member(endpoint: Option<Endpoint>, refusal: &Refusal) -> Json {
    let text = |text: &str| Json::text(text);
    let mut message = refusal.message.clone();
    if let Some(hint) = &refusal.hint {
        message.push_str(". ");
        message.push_str(hint);
    }
    let rule = refusal.rule.as_ref().map_or(Json::Null, |rule| text(&rule.to_string()));
    let kind = if endpoint.is_some_and(Endpoint::is_anthropic) { "permission_error" } else { "hoop_refused" };
    Json::Object(vec![
        ("message".to_owned(), Json::Text(message)),
        ("type".to_owned(), text(kind)),
        ("code".to_owned(), text("refused_by_policy")),
        ("param".to_owned(), Json::Null),
        ("rule".to_owned(), rule),
    ])
}

/// The last event of a stream that cannot go on.
pub fn last_event(endpoint: Endpoint, refusal: &Refusal) -> Vec<u8> {
    let error = error_member(Some(endpoint), refusal);
    let body = Json::Object(vec![("type".to_owned(), Json::text("error")), ("error".to_owned(), error)]);
    format!("event: error\ndata: {}\n\n", body.write()).into_bytes()
}
