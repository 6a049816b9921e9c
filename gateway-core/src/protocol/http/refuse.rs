//! A denial in HTTP's own words: `application/problem+json` (RFC 9457) with rule, reason, next step and session.
//!
//! Texts may come from policies and from requests, so control characters are replaced and lengths bounded. Knows no
//! policy: it shows what [`Refusal`] says.

use http::StatusCode;
use serde::Serialize;

use crate::model::{Refusal, RefusalKind, SessionId};

/// The media type of a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";
/// The longest text in one, in characters.
const MOST_CHARACTERS: usize = 500;

/// Why a request goes no further, and with which status that is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The status.
    pub status: StatusCode,
    /// Why, and what to do.
    pub refusal: Refusal,
}

impl Rejection {
    /// A request that cannot be taken as it is.
    pub fn unreadable(status: StatusCode, message: impl Into<String>, hint: &str) -> Self {
        let (message, hint) = (message.into(), Some(hint.to_owned()));
        Self { status, refusal: Refusal { kind: RefusalKind::Unsupported, rule: None, message, hint } }
    }

    /// 400: it can be read in more than one way, or in none.
    pub fn malformed(message: impl Into<String>, hint: &str) -> Self {
        Self::unreadable(StatusCode::BAD_REQUEST, message, hint)
    }

    /// 413: it is longer than what is inspected.
    pub fn too_large(most: usize) -> Self {
        let message =
            format!("the body is longer than the {most} bytes that are inspected here, so it is not passed on");
        let hint = "Send less at a time, or ask for a higher limits.body_bytes of this connection.";
        Self::unreadable(StatusCode::PAYLOAD_TOO_LARGE, message, hint)
    }
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal.kind {
            RefusalKind::Policy | RefusalKind::Denied | RefusalKind::Expired | RefusalKind::Unmaskable => {
                StatusCode::FORBIDDEN
            }
            RefusalKind::Unsupported => StatusCode::NOT_IMPLEMENTED,
            RefusalKind::Unrecorded => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self { status, refusal }
    }
}

#[derive(Serialize)]
struct Problem<'text> {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'text str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approval: Option<&'text str>,
    session: &'text str,
}

/// The body of a problem.
pub fn problem(rejection: &Rejection, approval: Option<&str>, session: &SessionId) -> String {
    let Rejection { status, refusal } = rejection;
    let problem = Problem {
        kind: format!("urn:hoop:{}", word(refusal.kind)),
        title: title(refusal.kind),
        status: status.as_u16(),
        detail: clean(&refusal.message),
        rule: refusal.rule.as_ref().map(|rule| &*rule.0),
        next: refusal.hint.as_deref().map(clean),
        approval,
        session: session.as_str(),
    };
    // INVARIANT: it holds texts and a number.
    serde_json::to_string(&problem).unwrap_or_else(|_unwritten| "{}".to_owned())
}

const fn word(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::Policy => "policy",
        RefusalKind::Denied => "denied",
        RefusalKind::Expired => "expired",
        RefusalKind::Unmaskable => "unmaskable",
        RefusalKind::Unsupported => "unsupported",
        RefusalKind::Unrecorded => "unrecorded",
    }
}

const fn title(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::Policy => "refused by policy",
        RefusalKind::Denied => "denied by a reviewer",
        RefusalKind::Expired => "the approval expired or was withdrawn",
        RefusalKind::Unmaskable => "it cannot be masked, so it is not shown",
        RefusalKind::Unsupported => "not taken by this gateway",
        RefusalKind::Unrecorded => "it could not be recorded",
    }
}

fn clean(text: &str) -> String {
    text.chars()
        .take(MOST_CHARACTERS)
        .map(|letter| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_what_why_and_what_next() {
        let rejection = Rejection::malformed("a\u{7}b", "Send it again.");
        let text = problem(&rejection, Some("apr_1"), &SessionId::new(1, [7; 10]));
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["status"], 400);
        assert_eq!(read["detail"], "a\u{fffd}b");
        assert_eq!(read["next"], "Send it again.");
        assert_eq!(read["approval"], "apr_1");
        assert!(read["session"].as_str().is_some_and(|id| !id.is_empty()));
    }
}
