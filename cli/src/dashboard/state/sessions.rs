//! The page of sessions: the list, and the one that is watched as it runs.

use std::cell::Cell;

use hoop_gateway_core::{
    api::types::{RecordedEvent, SessionItem},
    model::SessionId,
};
use ratatui::text::Line;

use super::{
    KEPT_MILLIS,
    tally::{Adds, Tally},
};
use crate::{
    dashboard::{
        layout::Areas,
        listing::{Listing, Row},
        story,
    },
    output::printable_line,
    paint::Theme,
    whoami,
};

/// The page of sessions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sessions {
    /// The sessions.
    pub(crate) listing: Listing<SessionId, Conversation>,
    /// The one that is watched.
    pub(crate) watching: Option<Watching>,
    tally: Cell<Option<Tally>>,
}

/// A row of the list of sessions.
#[derive(Debug, Clone)]
pub(crate) struct Conversation {
    /// As the gateway gave it.
    pub(crate) item: SessionItem,
    /// Whose it is, safe for a terminal.
    pub(crate) who: String,
    /// The connection, safe for a terminal.
    pub(crate) connection: String,
    /// When it was first seen ended.
    pub(crate) ended_seen_at_millis: Option<i64>,
    haystack: String,
}

/// A session that is watched.
#[derive(Debug, Clone)]
pub(crate) struct Watching {
    /// Which.
    pub(crate) session: SessionId,
    /// Whether more comes.
    pub(crate) follow: Follow,
    /// How many rows are above the screen; `None` stays at the end.
    pub(crate) scrolled: Option<usize>,
    /// The events as rows of the width.
    pub(crate) rows: Vec<Line<'static>>,
    /// How many rows fit.
    pub(crate) room: usize,
    events: Vec<RecordedEvent>,
    width: u16,
    theme: Theme,
}

/// Whether a watched session goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Follow {
    /// Nothing came yet.
    Waiting,
    /// Events come as they are recorded.
    Live,
    /// It is over.
    Over,
    /// It cannot be watched, and why.
    Failed(String),
}

/// A session about to be killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Killing {
    pub(crate) session: SessionId,
    pub(crate) reason: String,
}

/// Of a session that runs for days, only the newest events are kept here; its replay has all.
const MOST_EVENTS: usize = 5_000;

impl Sessions {
    /// How many are open.
    pub(crate) fn live(&self, now_millis: i64) -> usize {
        self.tally(now_millis).count
    }

    /// What is open, and when what is over goes from the list.
    pub(crate) fn tally(&self, now_millis: i64) -> Tally {
        let revision = self.listing.revision();
        if let Some(tally) = self.tally.get().filter(|tally| tally.holds(revision, now_millis)) {
            return tally;
        }
        let adds = |session: &Conversation| match session.ended_seen_at_millis {
            _ if session.is_live() => Adds::Counts(i64::MAX),
            Some(ended) => Adds::Kept(ended.saturating_add(KEPT_MILLIS)),
            None => Adds::Nothing,
        };
        let tally = Tally::of(self.listing.all().map(|(_id, session)| adds(session)), revision, now_millis);
        self.tally.set(Some(tally));
        tally
    }

    /// Fits the list and the watched session to the screen.
    pub(crate) fn lay_out(&mut self, areas: &Areas, theme: Theme) {
        self.listing.set_height(usize::from(areas.body.height.saturating_sub(1)));
        if let Some(watching) = &mut self.watching {
            watching.room = usize::from(areas.body.height.saturating_sub(1));
            if watching.width != areas.body.width || watching.theme != theme {
                (watching.width, watching.theme) = (areas.body.width, theme);
                watching.rows = story::rows(&watching.events, watching.width, theme);
            }
        }
    }
}

impl Conversation {
    /// Makes its words safe, once.
    pub(crate) fn new(item: SessionItem) -> Self {
        let who = whoami::describe(&item.principal);
        let connection = printable_line(item.connection.as_str());
        let haystack = format!("{} {who} {connection}", item.id).to_lowercase();
        Self { item, who, connection, ended_seen_at_millis: None, haystack }
    }

    /// Whether it is still open.
    pub(crate) const fn is_live(&self) -> bool {
        self.item.ended_at_millis.is_none()
    }
}

impl Row for Conversation {
    fn rank(&self) -> i64 {
        // The newest first.
        self.item.started_at_millis.saturating_neg()
    }

    fn matches(&self, words: &[String]) -> bool {
        words.iter().all(|word| self.haystack.contains(word))
    }
}

impl Watching {
    /// Nothing of it is known yet.
    pub(crate) fn new(session: SessionId, areas: &Areas, theme: Theme) -> Self {
        let room = usize::from(areas.body.height.saturating_sub(1));
        Self {
            session,
            follow: Follow::Waiting,
            scrolled: None,
            rows: Vec::new(),
            room,
            events: Vec::new(),
            width: areas.body.width,
            theme,
        }
    }

    /// Adds what was recorded meanwhile. What is there already is not added twice.
    pub(crate) fn add(&mut self, events: Vec<RecordedEvent>) {
        let last = self.last_seq();
        let fresh: Vec<RecordedEvent> = events.into_iter().filter(|event| event.seq > last).collect();
        self.rows.extend(story::rows(&fresh, self.width, self.theme));
        self.events.extend(fresh);
        let surplus = self.events.len().saturating_sub(MOST_EVENTS);
        if surplus > 0 {
            self.events.drain(..surplus);
            self.rows = story::rows(&self.events, self.width, self.theme);
        }
    }

    /// The newest event that is known.
    pub(crate) fn last_seq(&self) -> u64 {
        self.events.last().map_or(0, |event| event.seq)
    }

    /// The first row on the screen.
    pub(crate) fn top(&self) -> usize {
        let last = self.rows.len().saturating_sub(self.room);
        self.scrolled.map_or(last, |row| row.min(last))
    }

    /// Scrolls by so many rows; at the end it follows again.
    pub(crate) fn scroll_by(&mut self, rows: isize) {
        let last = self.rows.len().saturating_sub(self.room);
        let row = self.top().saturating_add_signed(rows);
        self.scrolled = (row < last).then_some(row);
    }
}
