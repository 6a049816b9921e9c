//! `[connection.limits]` of the kinds that HTTP carries. Knows no request. Called by `config::http`.

use std::time::Duration;

use crate::config::reader::Table;

/// The inspection cap where the site says none.
const BODY_BYTES: u64 = 1 << 20;
/// The largest that it may say.
const MOST_BODY_BYTES: u64 = 64 << 20;
/// How long an upstream may take where the site does not say.
const PATIENCE_SECONDS: u64 = 300;
const MOST_SECONDS: u64 = 24 * 3600;

/// How much of a request is inspected, and how long either side may take.
pub(super) struct Limits {
    pub(super) body_bytes: usize,
    pub(super) answer_within: Duration,
    pub(super) quiet_for: Duration,
    pub(super) client_within: Duration,
}

/// Reads `[connection.limits]`.
pub(super) fn limits(table: &mut Table<'_>) -> Limits {
    let mut limits = table.table("limits");
    let mut number = |key: &'static str, usual: u64, most: u64| {
        let Some(table) = &mut limits else { return usual };
        let Some(given) = table.number(key) else { return usual };
        if (1..=most).contains(given.get_ref()) {
            return *given.get_ref();
        }
        table.problem(&given.span(), format!("connection.limits.{key} is out of range"), format!("1 to {most}"));
        usual
    };
    let body_bytes = number("body_bytes", BODY_BYTES, MOST_BODY_BYTES);
    let answer = number("answer_seconds", PATIENCE_SECONDS, MOST_SECONDS);
    let quiet = number("quiet_seconds", PATIENCE_SECONDS, MOST_SECONDS);
    let client = number("client_seconds", PATIENCE_SECONDS, MOST_SECONDS);
    if let Some(table) = limits {
        table.finish();
    }
    Limits {
        body_bytes: usize::try_from(body_bytes).unwrap_or(usize::MAX),
        answer_within: Duration::from_secs(answer),
        quiet_for: Duration::from_secs(quiet),
        client_within: Duration::from_secs(client),
    }
}
