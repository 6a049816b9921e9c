//! The list of sessions, narrowed by who, where, when, what was decided, and what was said.
//!
//! What may be listed is the policies' to say. What was said is searched only where the caller may replay the session,
//! and only as the recording shows it to everybody: sealed parts are placeholders there, so that nobody finds out by
//! searching what a sealed part is. A search in what others said is a look, and is recorded before it is answered.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use http::StatusCode;
use serde::Deserialize;

use super::{
    ApiState, Recordings,
    caller::Caller,
    problem::ApiError,
    recordings::RecordingsError,
    sessions::{as_it_stands, interrupted, item, on},
    types::SessionItem,
};
use crate::{
    model::{Principal, PrincipalName},
    policy::ApiAction,
    record::GatewayEvent,
    store::{SessionEntry, SessionFilter, Span, folded},
};

const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 500;
/// As many are looked through for those that the caller may see.
const MAX_LOOKED_THROUGH: usize = 2_000;
/// And as many by a search, of the newest in its span.
const MAX_SEARCHED: usize = 10_000;
/// Longer words are not sought.
const MAX_SOUGHT_BYTES: usize = 1_024;

/// What was decided in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Decided {
    /// Something was refused.
    Refused,
    /// Something was held.
    Held,
    /// Something was masked.
    Masked,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// A part of the principal's name, or of who answers for it.
    who: Option<String>,
    /// A part of the connection's name.
    connection: Option<String>,
    /// A part of what was said.
    text: Option<String>,
    decision: Option<Decided>,
    since_millis: Option<i64>,
    until_millis: Option<i64>,
    limit: Option<usize>,
}

/// What is sought, ready to be compared.
struct Sought {
    who: Option<String>,
    connection: Option<String>,
    text: Option<String>,
    decision: Option<Decided>,
    span: Span,
    limit: usize,
}

/// What a search came to.
#[derive(Default)]
struct Findings {
    items: Vec<SessionItem>,
    /// Sessions of others whose texts were searched.
    of_others: u64,
}

pub(super) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Vec<SessionItem>>, ApiError> {
    let Query(query) = query.map_err(|_malformed| ApiError::new(StatusCode::BAD_REQUEST, MALFORMED))?;
    let sought = sought(query)?;
    let sought_bytes = sought.text.as_ref().map_or(0, |text| u64::try_from(text.len()).unwrap_or(u64::MAX));
    let who = caller.principal().clone();
    let entries = entries(&state, &who, &sought).await?;
    let (asking, of_whom) = (state.clone(), who.clone());
    let work = move || search(&asking, &of_whom, &sought, entries);
    let findings = tokio::task::spawn_blocking(work).await.map_err(|ended| interrupted(&ended))??;
    if findings.of_others > 0 {
        let found = u64::try_from(findings.items.len()).unwrap_or(u64::MAX);
        let event = GatewayEvent::Searched { who, sought_bytes, sessions: findings.of_others, found };
        state.0.recordings.note(event).await?;
    }
    Ok(Json(findings.items))
}

const MALFORMED: &str =
    "`limit`, `since_millis` and `until_millis` are numbers, `decision` is `refused`, `held` or `masked`";

fn sought(query: ListQuery) -> Result<Sought, ApiError> {
    let words = [&query.who, &query.connection, &query.text];
    if words.into_iter().flatten().any(|word| word.len() > MAX_SOUGHT_BYTES) {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "a search is for 1024 bytes at most"));
    }
    let fold = |word: Option<String>| word.map(|word| folded(&word)).filter(|word| !word.is_empty());
    Ok(Sought {
        who: fold(query.who),
        connection: fold(query.connection),
        text: fold(query.text),
        decision: query.decision,
        span: Span { since_millis: query.since_millis, until_millis: query.until_millis },
        limit: query.limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT),
    })
}

/// The sessions to look through, newest first. One's own are asked for apart, so that a busy gateway does not push them
/// out.
async fn entries(state: &ApiState, who: &Principal, sought: &Sought) -> Result<Vec<SessionEntry>, ApiError> {
    let most = if sought.narrows() { MAX_SEARCHED } else { MAX_LOOKED_THROUGH };
    let mut seen = BTreeMap::new();
    for filter in [SessionFilter::Of(who.clone()), SessionFilter::All] {
        let entries = state.0.sessions.list_within(filter, sought.span, most).await?;
        seen.extend(entries.into_iter().map(|one| ((one.started_at_millis, one.id.clone()), one)));
    }
    Ok(seen.into_values().rev().collect())
}

/// Looks through them. Blocks.
fn search(
    state: &ApiState,
    who: &Principal,
    sought: &Sought,
    entries: Vec<SessionEntry>,
) -> Result<Findings, RecordingsError> {
    let mut findings = Findings::default();
    let mut rights = Rights { state, who, known: BTreeMap::new() };
    let recordings = Arc::clone(&state.0.recordings);
    if sought.text.is_some() {
        recordings.gather()?;
    }
    for entry in entries {
        if findings.items.len() >= sought.limit {
            break;
        }
        let entry = as_it_stands(state, entry);
        if !sought.takes(&entry) || !rights.permit(&entry, &ApiAction::ListSessions) {
            continue;
        }
        let Some(text) = &sought.text else {
            findings.items.push(item(entry));
            continue;
        };
        if !rights.permit(&entry, &ApiAction::ReplaySession) {
            continue;
        }
        findings.of_others += u64::from(!is_of(&entry, who));
        if let Some(partly_searched) = hit(&*recordings, &entry, text)? {
            findings.items.push(SessionItem { partly_searched, ..item(entry) });
        }
    }
    Ok(findings)
}

/// What the caller may do, asked once for all sessions of the same principal on the same connection.
struct Rights<'search> {
    state: &'search ApiState,
    who: &'search Principal,
    known: BTreeMap<(&'static str, String), bool>,
}

impl Rights<'_> {
    fn permit(&mut self, entry: &SessionEntry, action: &ApiAction) -> bool {
        // FAIL-CLOSED: what cannot be told apart from others is not shown.
        let Ok(whose) = serde_json::to_string(&(&entry.principal, &entry.connection)) else { return false };
        let (state, who) = (self.state, self.who);
        let asked = self.known.entry((action.as_str(), whose));
        *asked.or_insert_with(|| state.authorize(who, action, &on(entry)).is_ok())
    }
}

/// Whether the text was said: `Some(false)`; not as far as could be searched: `Some(true)`; not at all: `None`.
fn hit(recordings: &dyn Recordings, entry: &SessionEntry, text: &str) -> Result<Option<bool>, RecordingsError> {
    let Some(said) = recordings.said(&entry.id)? else { return Ok(None) };
    if memchr::memmem::find(said.text.as_bytes(), text.as_bytes()).is_some() {
        return Ok(Some(false));
    }
    Ok((!said.is_whole).then_some(true))
}

fn is_of(entry: &SessionEntry, who: &Principal) -> bool {
    entry.principal.kind == who.kind && entry.principal.name == who.name
}

impl Sought {
    /// Whether more is asked for than the newest.
    fn narrows(&self) -> bool {
        let words = [&self.who, &self.connection, &self.text];
        words.into_iter().any(Option::is_some) || self.decision.is_some() || self.span != Span::default()
    }

    /// Whether a session is one of those, by what the index knows.
    fn takes(&self, entry: &SessionEntry) -> bool {
        let holds = |name: &str, part: &str| folded(name).contains(part);
        let owner = entry.principal.owner.as_ref().map(PrincipalName::as_str);
        let names = [Some(entry.principal.name.as_str()), owner];
        self.who.as_ref().is_none_or(|part| names.into_iter().flatten().any(|name| holds(name, part)))
            && self.connection.as_ref().is_none_or(|part| holds(entry.connection.name.as_str(), part))
            && self.decision.is_none_or(|decided| {
                let count = match decided {
                    Decided::Refused => entry.counts.refused,
                    Decided::Held => entry.counts.held,
                    Decided::Masked => entry.counts.masked,
                };
                count > 0
            })
    }
}
