//! One run, one timeline: the recordings of its sessions, merged in the order of time while they are read.
//!
//! The look is on record before anything is shown. What a reader may not look into is said to be there, and no more.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, VecDeque},
};

use axum::{
    body::{Body, Bytes},
    extract::{Path, State},
    response::Response,
};
use futures_util::{StreamExt as _, stream};
use http::{HeaderValue, header};
use tokio::sync::mpsc;

use super::{
    ApiState,
    caller::Caller,
    problem::ApiError,
    recordings::{Follow, MayReveal, RecordingsError},
    run_views, sessions,
    types::{RecordedEvent, TimelineEntry},
};
use crate::{model::Principal, policy::ApiAction, record::GatewayEvent, store::SessionEntry};

/// Lines read ahead of a slow reader.
const LINES_AHEAD: usize = 64;
/// Recordings that are read at the same time; those that begin later wait, and are out of order only beyond that.
const MOST_OPEN: usize = 256;

/// `GET /runs/{id}/timeline`. An error on the way breaks the answer off, so that half of one never looks whole.
pub(super) async fn follow(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let who = caller.principal().clone();
    let (run, entries) = run_views::seen(&state, &who, &id).await?;
    state.0.recordings.note(GatewayEvent::RunLooked { who: who.clone(), run: run.id }).await?;
    let (sender, mut lines) = mpsc::channel::<Result<Bytes, RecordingsError>>(LINES_AHEAD);
    tokio::task::spawn_blocking(move || {
        let mut to = |entry: &TimelineEntry| {
            let mut line = serde_json::to_vec(entry).map_err(|failure| RecordingsError::Failed(failure.to_string()))?;
            line.push(b'\n');
            Ok(sender.blocking_send(Ok(Bytes::from(line))).is_ok())
        };
        if let Err(failure) = (Merge { state: &state, who: &who, waiting: entries.into() }).run(&mut to) {
            // A reader that went away does not want to know.
            drop(sender.blocking_send(Err(failure)));
        }
    });
    let first = match lines.recv().await {
        Some(Ok(line)) => Some(Ok(line)),
        Some(Err(failure)) => return Err(failure.into()),
        None => None,
    };
    let rest = stream::unfold(lines, async |mut lines| Some((lines.recv().await?, lines)));
    let mut response = Response::new(Body::from_stream(stream::iter(first).chain(rest)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    Ok(response)
}

/// Takes one entry; false once nobody reads on.
type Sink<'reader> = dyn FnMut(&TimelineEntry) -> Result<bool, RecordingsError> + 'reader;

struct Merge<'state> {
    state: &'state ApiState,
    who: &'state Principal,
    /// Those that were not opened yet, by when they began.
    waiting: VecDeque<SessionEntry>,
}

/// A recording that is being read, with its next event.
struct Opened {
    entry: SessionEntry,
    may_reveal: Box<MayReveal>,
    records: Option<Box<dyn Follow>>,
    next: RecordedEvent,
}

impl Merge<'_> {
    fn run(mut self, to: &mut Sink<'_>) -> Result<(), RecordingsError> {
        let mut open: BTreeMap<usize, Opened> = BTreeMap::new();
        let mut order: BinaryHeap<Reverse<(u64, usize)>> = BinaryHeap::new();
        let mut number = 0;
        loop {
            while self.is_due(order.peek().map(|Reverse((next, _))| *next), open.len()) {
                let Some(entry) = self.waiting.pop_front() else { break };
                if let Some(session) = self.open(entry)? {
                    order.push(Reverse((session.next.at_micros, number)));
                    open.insert(number, session);
                    number += 1;
                }
            }
            let Some(Reverse((_, which))) = order.pop() else { return Ok(()) };
            let Some(session) = open.get_mut(&which) else { continue };
            let (id, connection) = (session.entry.id.clone(), session.entry.connection.name.clone());
            let event = if let Some(following) = session.following()? {
                order.push(Reverse((following.at_micros, which)));
                std::mem::replace(&mut session.next, following)
            } else {
                let Some(session) = open.remove(&which) else { continue };
                session.next
            };
            if !to(&TimelineEntry { session: id, connection, event })? {
                return Ok(());
            }
        }
    }

    /// Whether the next session begins before anything else happens.
    fn is_due(&self, next_micros: Option<u64>, open: usize) -> bool {
        let Some(first) = self.waiting.front() else { return false };
        let begins = u64::try_from(first.started_at_millis).unwrap_or(0).saturating_mul(1_000);
        next_micros.is_none_or(|next| begins <= next && open < MOST_OPEN)
    }

    /// `None` for a session of which nothing is recorded yet.
    fn open(&self, entry: SessionEntry) -> Result<Option<Opened>, RecordingsError> {
        let may_reveal = sessions::may_reveal(self.state, self.who, &entry);
        if self.state.authorize(self.who, &ApiAction::ReplaySession, &sessions::on(&entry)).is_err() {
            let at_micros = u64::try_from(entry.started_at_millis).unwrap_or(0).saturating_mul(1_000);
            let next = RecordedEvent { seq: 0, at_micros, kind: "withheld".to_owned(), fields: BTreeMap::new() };
            return Ok(Some(Opened { entry, may_reveal, records: None, next }));
        }
        let mut records = self.state.0.recordings.follow(&entry.id)?;
        let next = records.next(&*may_reveal)?;
        Ok(next.map(|next| Opened { entry, may_reveal, records: Some(records), next }))
    }
}

impl Opened {
    fn following(&mut self) -> Result<Option<RecordedEvent>, RecordingsError> {
        self.records.as_mut().map_or(Ok(None), |records| records.next(&*self.may_reveal))
    }
}
