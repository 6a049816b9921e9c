//! `GET /sessions/{id}/events`: what a session records, as it records it, from any place on, to its end.
//!
//! Shown to whom the recording is shown, each event by the policies of its moment. Ends with the caller's token, with
//! the right to look, or with the session, which is said by an event of its own.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    extract::{Path, Query, State, rejection::QueryRejection},
    response::{
        IntoResponse,
        sse::{Event, Sse},
    },
};
use futures_util::stream;
use http::StatusCode;
use serde::Deserialize;
use tokio::sync::watch;

use super::{
    ApiState,
    caller::Caller,
    events::event,
    problem::ApiError,
    recordings::{Follow, RecordingsError},
    sessions,
    streams::{Place, heartbeat, stopping},
    types::RecordedEvent,
};
use crate::{
    identity::Verified,
    policy::{ApiAction, PolicyVersion},
    store::SessionEntry,
};

/// Events read at once.
const BATCH: usize = 128;
/// How long after something was recorded it is looked for: a burst is read as one.
const GATHERING: Duration = Duration::from_millis(20);
/// How often a stream without news looks whether it may go on.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FollowQuery {
    #[serde(default)]
    from: u64,
}

pub(super) async fn follow(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    query: Result<Query<FollowQuery>, QueryRejection>,
) -> Result<impl IntoResponse, ApiError> {
    let Query(query) = query.map_err(|_malformed| ApiError::new(StatusCode::BAD_REQUEST, "`from` is a number"))?;
    let place = state.0.streams.enter(caller.principal())?;
    let entry = sessions::looked_at(&state, caller.principal(), &id).await?;
    // Before the file is read, so that nothing falls between.
    let news = state.0.recordings.news();
    let (recordings, session) = (Arc::clone(&state.0.recordings), entry.id.clone());
    let open = move || recordings.follow(&session);
    let recording = tokio::task::spawn_blocking(open).await.map_err(|ended| sessions::interrupted(&ended))??;
    let stopped = state.0.registry.stopped();
    let Caller(caller, _login, came_at) = caller;
    let watching = Watching {
        caller,
        came_at,
        entry,
        from: query.from,
        recording: Some(recording),
        ready: VecDeque::new(),
        read_under: state.policies().version().clone(),
        news,
        stopped,
        state,
        _place: place,
    };
    let events = stream::unfold(watching, async |mut watching| Some((watching.next().await?, watching)));
    Ok(Sse::new(events).keep_alive(heartbeat()))
}

struct Watching {
    state: ApiState,
    caller: Verified,
    came_at: Instant,
    entry: SessionEntry,
    from: u64,
    /// None once its end was told.
    recording: Option<Box<dyn Follow>>,
    ready: VecDeque<RecordedEvent>,
    /// The policies that said what of `ready` is shown in clear.
    read_under: PolicyVersion,
    news: watch::Receiver<u64>,
    stopped: watch::Receiver<bool>,
    _place: Place,
}

impl Watching {
    async fn next(&mut self) -> Option<Result<Event, Infallible>> {
        loop {
            if !self.may_go_on() {
                return None;
            }
            if let Some(recorded) = self.ready.pop_front() {
                return event("recorded", &recorded).map(|event| Ok(event.id(recorded.seq.to_string())));
            }
            let recording = self.recording.take()?;
            if recording.is_over() {
                return Some(Ok(Event::default().event("end").data("{}")));
            }
            self.news.mark_unchanged();
            let read = self.read(recording).await;
            let recording = read.map_err(|failure| tracing::warn!(%failure, "a recording cannot be followed")).ok()?;
            let is_over = recording.is_over();
            self.recording = Some(recording);
            if self.ready.is_empty() && !is_over {
                self.wait().await;
            }
        }
    }

    /// Law 10: what let the caller look is asked again for each event.
    fn may_go_on(&self) -> bool {
        let may =
            || self.state.authorize(&self.caller.principal, &ApiAction::ReplaySession, &sessions::on(&self.entry));
        // What was read under other policies is not shown any more: the caller asks anew, from there.
        let is_current = self.ready.is_empty() || *self.state.policies().version() == self.read_under;
        let is_live = !*self.stopped.borrow()
            && !self.state.0.registry.is_logged_out(&self.caller.principal, self.came_at)
            && self.state.0.clock.unix_seconds() < self.caller.expires_at;
        is_current && is_live && may().is_ok()
    }

    /// Takes what is there by now.
    async fn read(&mut self, mut recording: Box<dyn Follow>) -> Result<Box<dyn Follow>, RecordingsError> {
        self.read_under = self.state.policies().version().clone();
        let may_reveal = sessions::may_reveal(&self.state, &self.caller.principal, &self.entry);
        let from = self.from;
        let work = move || {
            let mut batch = VecDeque::new();
            while batch.len() < BATCH
                && let Some(recorded) = recording.next(&*may_reveal)?
            {
                if recorded.seq >= from {
                    batch.push_back(recorded);
                }
            }
            Ok::<_, RecordingsError>((recording, batch))
        };
        let outcome = tokio::task::spawn_blocking(work).await;
        let (recording, batch) = outcome.map_err(|ended| RecordingsError::Failed(ended.to_string()))??;
        self.ready = batch;
        Ok(recording)
    }

    /// Waits until something may be there. Other sessions wake it too.
    async fn wait(&mut self) {
        tokio::select! {
            () = stopping(&mut self.stopped) => {}
            changed = self.news.changed() => match changed {
                Ok(()) => tokio::time::sleep(GATHERING).await,
                Err(_closed) => tokio::time::sleep(LOOK).await,
            },
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}
