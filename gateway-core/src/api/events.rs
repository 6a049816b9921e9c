//! `GET /events`: what changes, as it changes: requests for approval and sessions, those that the caller may see.
//!
//! A stream shows what the lists show, by the same functions and the policies of the moment each event is sent. It ends
//! with the caller's token. What a slow reader misses is said, not kept. Nobody who listens, nothing to do: the desk, the
//! index and the relays look whether somebody does before they tell.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    extract::State,
    response::{
        IntoResponse,
        sse::{Event, Sse},
    },
};
use futures_util::stream;
use serde::Serialize;
use tokio::{
    sync::{
        broadcast::{Receiver, error::RecvError},
        watch,
    },
    time::{Interval, MissedTickBehavior},
};

use super::{
    ApiState, approvals,
    caller::Caller,
    problem::ApiError,
    sessions,
    streams::{Place, heartbeat, stopping},
};
use crate::{
    approval::Case,
    identity::Verified,
    model::SessionId,
    session::registry::{Logouts, logged_out},
    store::{SessionCounts, SessionEntry},
};

/// How often the counts of live sessions are looked at: no session is told of more often.
const COUNTS: Duration = Duration::from_secs(1);

pub(super) async fn follow(State(state): State<ApiState>, caller: Caller) -> Result<impl IntoResponse, ApiError> {
    let place = state.0.streams.enter(caller.principal())?;
    let feed = Feed::open(state, caller, place);
    let events = stream::unfold(feed, async |mut feed| Some((Ok::<_, Infallible>(feed.next().await?), feed)));
    Ok(Sse::new(events).keep_alive(heartbeat()))
}

/// What one caller follows.
struct Feed {
    state: ApiState,
    caller: Verified,
    came_at: Instant,
    approvals: Receiver<Arc<Case>>,
    sessions: Receiver<Arc<SessionEntry>>,
    counted: HashMap<SessionId, SessionCounts>,
    /// Sessions whose counts changed and that were not told of yet.
    due: VecDeque<(Arc<SessionEntry>, SessionCounts)>,
    counts: Interval,
    stopped: watch::Receiver<bool>,
    logouts: watch::Receiver<Logouts>,
    _place: Place,
}

impl Feed {
    /// Listens from now on: what the caller lists after the answer began misses nothing.
    fn open(state: ApiState, Caller(caller, _login, came_at): Caller, place: Place) -> Self {
        let mut counted = HashMap::new();
        state.0.registry.changed_since(&mut counted);
        let mut counts = tokio::time::interval(COUNTS);
        counts.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            approvals: state.0.desk.changes(),
            sessions: state.0.sessions.changes(),
            stopped: state.0.registry.stopped(),
            logouts: state.0.registry.logouts(),
            counted,
            due: VecDeque::new(),
            counts,
            state,
            caller,
            came_at,
            _place: place,
        }
    }

    /// The next event; `None` when the stream is over. Cancel-safe.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.is_over() {
                return None;
            }
            if let Some((entry, counts)) = self.due.pop_front() {
                if let Some(event) = self.session(&entry, counts) {
                    return Some(event);
                }
                continue;
            }
            let news = tokio::select! {
                biased;
                () = stopping(&mut self.stopped) => return None,
                () = logged_out(&mut self.logouts, &self.caller.principal, self.came_at) => return None,
                case = self.approvals.recv() => case.map(News::Approval),
                entry = self.sessions.recv() => entry.map(News::Session),
                _ = self.counts.tick() => Ok(News::Counts),
            };
            let told = match news {
                Ok(News::Approval(case)) => Ok(self.approval(&case)),
                Ok(News::Session(entry)) => {
                    let counts = self.state.0.registry.counts(&entry.id).unwrap_or(entry.counts);
                    Ok(self.session(&entry, counts))
                }
                Ok(News::Counts) => {
                    self.due.extend(self.state.0.registry.changed_since(&mut self.counted));
                    Ok(None)
                }
                Err(error) => Err(error),
            };
            match told {
                Ok(Some(event)) => return Some(event),
                Ok(None) => {}
                // What was missed is missed; the caller lists again. With data, because an event without any is none.
                Err(RecvError::Lagged(_)) => return Some(Event::default().event("lagged").data("{}")),
                Err(RecvError::Closed) => return None,
            }
        }
    }

    fn is_over(&self) -> bool {
        *self.stopped.borrow()
            || self.logouts.borrow().cover(&self.caller.principal, self.came_at)
            || self.state.0.clock.unix_seconds() >= self.caller.expires_at
    }

    fn approval(&self, case: &Case) -> Option<Event> {
        let visible = approvals::is_visible(&self.state, &self.caller.principal, case);
        visible.then(|| event("approval", &approvals::item(&self.state, &self.caller.principal, case))).flatten()
    }

    fn session(&self, entry: &SessionEntry, counts: SessionCounts) -> Option<Event> {
        let visible = sessions::is_visible(&self.state, &self.caller.principal, entry);
        visible.then(|| event("session", &sessions::item_with(entry.clone(), counts))).flatten()
    }
}

/// Something to look at.
enum News {
    Approval(Arc<Case>),
    Session(Arc<SessionEntry>),
    Counts,
}

pub(super) fn event<T: Serialize>(name: &'static str, value: &T) -> Option<Event> {
    let event = Event::default().event(name).json_data(value);
    event.map_err(|failure| tracing::error!(%failure, name, "an event does not serialise")).ok()
}
