//! A denial in PostgreSQL's own words: ErrorResponse with SQLSTATE, DETAIL and HINT, and the notices of a held
//! statement. Texts may come from policies and from SQL, so control characters are replaced and lengths bounded.
//!
//! Called by the relay and the handshake. Knows no policy: it shows what [`Refusal`] says.

use std::fmt::Write as _;

use bytes::BytesMut;

use super::{
    codec::{self, CodecError},
    message::backend::ErrorFields,
};
use crate::{
    model::{ApprovalId, ApprovalNeed, Refusal, RefusalKind, SessionId},
    sql::SyntaxError,
};

/// Limits of what is shown, in characters.
const MESSAGE_CHARACTERS: usize = 500;
const DETAIL_CHARACTERS: usize = 1_000;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The statement failed; the session goes on.
    Error,
    /// The session ends.
    Fatal,
    /// Something to know.
    Notice,
    /// Something to worry about.
    Warning,
}

impl Severity {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
            Self::Notice => "NOTICE",
            Self::Warning => "WARNING",
        }
    }
}

/// One error or notice, before it is cleaned and written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report<'text> {
    /// How bad it is.
    pub severity: Severity,
    /// The five characters that programs read.
    pub sqlstate: &'static str,
    /// One sentence, in lower case and without a full stop.
    pub message: &'text str,
    /// More facts, as sentences.
    pub detail: Option<&'text str>,
    /// What to do, as sentences.
    pub hint: Option<&'text str>,
    /// Where in the statement, in characters from 1.
    pub position: Option<u32>,
}

impl<'text> Report<'text> {
    /// An error of one sentence.
    pub const fn error(sqlstate: &'static str, message: &'text str) -> Self {
        Self { severity: Severity::Error, sqlstate, message, detail: None, hint: None, position: None }
    }

    /// An error that ends the session.
    pub const fn fatal(sqlstate: &'static str, message: &'text str) -> Self {
        Self { severity: Severity::Fatal, sqlstate, message, detail: None, hint: None, position: None }
    }

    /// A notice.
    pub const fn notice(message: &'text str) -> Self {
        Self { severity: Severity::Notice, sqlstate: "00000", message, detail: None, hint: None, position: None }
    }

    /// Adds facts.
    #[must_use]
    pub const fn detail(mut self, detail: &'text str) -> Self {
        self.detail = Some(detail);
        self
    }

    /// Adds advice.
    #[must_use]
    pub const fn hint(mut self, hint: &'text str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// Appends the message to `out`, as ErrorResponse or NoticeResponse by severity.
    pub fn write(&self, out: &mut BytesMut) {
        let fields = self.fields();
        match self.severity {
            Severity::Error | Severity::Fatal => codec::error_fields(&fields, out),
            Severity::Notice | Severity::Warning => codec::notice_fields(&fields, out),
        }
    }

    fn fields(&self) -> ErrorFields {
        let severity = self.severity.as_str().to_owned();
        let mut fields = vec![
            (b'S', severity.clone()),
            (b'V', severity),
            (b'C', self.sqlstate.to_owned()),
            (b'M', clean(self.message, MESSAGE_CHARACTERS)),
        ];
        let texts = [(b'D', self.detail), (b'H', self.hint)];
        fields.extend(texts.into_iter().filter_map(|(code, text)| Some((code, clean(text?, DETAIL_CHARACTERS)))));
        fields.extend(self.position.map(|position| (b'P', position.to_string())));
        ErrorFields(fields)
    }
}

/// Answers a refused statement; the session goes on.
pub fn refusal(refusal: &Refusal, session: &SessionId, out: &mut BytesMut) {
    write_refusal(Severity::Error, refusal, session, out);
}

/// Answers a refusal that ends the session, such as a refused connection or a lease that ran out.
pub fn fatal_refusal(refusal: &Refusal, session: &SessionId, out: &mut BytesMut) {
    write_refusal(Severity::Fatal, refusal, session, out);
}

/// The SQLSTATE of a refusal.
pub const fn sqlstate(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::Policy | RefusalKind::Denied | RefusalKind::Unmaskable => "42501",
        RefusalKind::Expired => "57014",
        RefusalKind::Unsupported => "0A000",
        RefusalKind::Unrecorded => "58030",
    }
}

fn write_refusal(severity: Severity, refusal: &Refusal, session: &SessionId, out: &mut BytesMut) {
    let message = primary(&refusal.message, "the gateway refused this statement");
    let detail = match &refusal.rule {
        Some(rule) => format!("Rule {rule} · session {session}."),
        None => format!("{} · session {session}.", reason(refusal.kind)),
    };
    let hint = refusal.hint.as_deref().map(sentence);
    let report = Report {
        severity,
        sqlstate: sqlstate(refusal.kind),
        message: &message,
        detail: Some(&detail),
        hint: hint.as_deref(),
        position: None,
    };
    report.write(out);
}

const fn reason(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::Policy => "No policy permits it",
        RefusalKind::Denied => "A reviewer denied it",
        RefusalKind::Expired => "The approval expired or was withdrawn",
        RefusalKind::Unmaskable => "It could show a masked value",
        RefusalKind::Unsupported => "The gateway has no rule for it",
        RefusalKind::Unrecorded => "It could not be recorded",
    }
}

/// Answers text that the grammar rejects, as the server would: 42601 and the place. `position` is in characters from 1.
pub fn syntax_error(error: &SyntaxError, out: &mut BytesMut) {
    let message = primary(&error.message, "syntax error");
    let SyntaxError { position, detail, hint, sqlstate, .. } = *error;
    Report { detail, hint, position, ..Report::error(sqlstate, &message) }.write(out);
}

/// Answers bytes that the codec could not read: FATAL where the stream is broken, else ERROR.
pub fn protocol_error(error: &CodecError, session: &SessionId, out: &mut BytesMut) {
    let severity = if error.breaks_framing() { Severity::Fatal } else { Severity::Error };
    let (message, detail) = (error.to_string(), format!("Session {session}."));
    Report { severity, ..Report::error(error.sqlstate(), &message) }.detail(&detail).write(out);
}

/// Answers a message beyond the limit of its type; the session goes on.
pub fn oversize(length: usize, limit: usize, session: &SessionId, out: &mut BytesMut) {
    let message = format!("the message has {length} bytes, and the gateway takes at most {limit}");
    let detail = format!("Session {session}.");
    let report = Report::error("54000", &message).detail(&detail);
    report.hint("Split it into smaller statements, or load the rows with COPY.").write(out);
}

/// What is expected of a statement that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// How many rows.
    pub rows: u64,
    /// How much of the table they are, in per cent.
    pub percent: Option<u8>,
    /// Whether it changes them; otherwise it returns them.
    pub changes: bool,
}

/// Tells the client that its statement waits: which request, who can approve, what it would touch, until when, and how.
/// `expires` is the moment as text, which the caller's clock made.
pub fn hold_notice(
    request: &ApprovalId,
    need: &ApprovalNeed,
    expected: Option<Expected>,
    expires: &str,
    out: &mut BytesMut,
) {
    let message = format!("waiting for approval {request} by {}", who(need));
    let mut detail = need.message.as_deref().map(|text| sentence(text) + " ").unwrap_or_default();
    detail.extend(expected.map(|expected| expectation(&expected)));
    // A `String` takes every write.
    let _written: Result<(), _> =
        write!(detail, "The request expires {expires}; cancelling the statement withdraws it.");
    let hint = format!("A reviewer runs: hoop approvals approve {request}");
    Report::notice(&message).detail(&detail).hint(&hint).write(out);
}

fn expectation(Expected { rows, percent, changes }: &Expected) -> String {
    let verb = if *changes { "touches" } else { "returns" };
    let noun = if *rows == 1 { "row" } else { "rows" };
    let share = percent.map(|percent| format!(", {percent} % of the table")).unwrap_or_default();
    format!("It {verb} about {} {noun}{share}, as the planner estimates. ", grouped(*rows))
}

/// A number with a comma before every third digit from the end.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Tells the client that connecting waits: which request, who can approve, until when, and how.
pub fn access_notice(request: &ApprovalId, need: &ApprovalNeed, expires: &str, out: &mut BytesMut) {
    let message = format!("connecting here waits for approval {request} by {}", who(need));
    let mut detail = need.message.as_deref().map(|text| sentence(text) + " ").unwrap_or_default();
    // A `String` takes every write.
    let _written: Result<(), _> = write!(detail, "The request expires {expires}; disconnecting withdraws it.");
    let hint = format!("A reviewer runs: hoop approvals approve {request}");
    Report::notice(&message).detail(&detail).hint(&hint).write(out);
}

/// Tells the client that it is let in, and until when.
pub fn window_notice(request: &ApprovalId, ends: &str, out: &mut BytesMut) {
    let message = format!("approval {request}: approved; this session ends {ends}");
    Report::notice(&message).write(out);
}

/// Answers a client for whom no session is opened.
pub fn unopened(refusal: &Refusal, out: &mut BytesMut) {
    let message = primary(&refusal.message, "the gateway refused this connection");
    let detail = match &refusal.rule {
        Some(rule) => format!("Rule {rule}."),
        None => format!("{}.", reason(refusal.kind)),
    };
    let hint = refusal.hint.as_deref().map(sentence);
    let report = Report { hint: hint.as_deref(), ..Report::fatal(sqlstate(refusal.kind), &message) };
    report.detail(&detail).write(out);
}

/// Tells the client that something about its request changed, such as `1 of 2 approved, by bob`.
pub fn change_notice(request: &ApprovalId, change: &str, out: &mut BytesMut) {
    let message = format!("approval {request}: {change}");
    Report::notice(&message).write(out);
}

fn who(need: &ApprovalNeed) -> String {
    let quorums: Vec<String> = need.quorums.iter().map(ToString::to_string).collect();
    if quorums.is_empty() { "a reviewer".to_owned() } else { quorums.join(" and ") }
}

/// A primary message in PostgreSQL's style: lower-case first letter (not of a keyword), no full stop.
fn primary(text: &str, otherwise: &str) -> String {
    let text = text.trim().trim_end_matches('.');
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (None, _) => otherwise.to_owned(),
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            first.to_lowercase().chain(text.chars().skip(1)).collect()
        }
        _ => text.to_owned(),
    }
}

/// A DETAIL or HINT in PostgreSQL's style: a capital and a full stop.
fn sentence(text: &str) -> String {
    let text = text.trim();
    let mut sentence: String = text.chars().take(1).flat_map(char::to_uppercase).chain(text.chars().skip(1)).collect();
    if !sentence.ends_with(['.', '!', '?', ';']) {
        sentence.push('.');
    }
    sentence
}

/// Replaces what could drive a terminal or end a field early, and cuts what is too long.
fn clean(text: &str, characters: usize) -> String {
    let is_unsafe = |character: char| {
        character.is_control()
            || matches!(character, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
    };
    let mut cleaned: String =
        text.chars().take(characters).map(|found| if is_unsafe(found) { ' ' } else { found }).collect();
    if text.chars().nth(characters).is_some() {
        cleaned.push('…');
    }
    cleaned
}

#[cfg(test)]
mod tests;
