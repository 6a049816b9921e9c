//! Requests, sessions and states for the tests of the dashboard.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use hoop_gateway_core::{
    api::types::{ApprovalItem, ApprovalStatus, RecordedEvent, RunDetail, RunItem, SessionItem, TimelineEntry, Whoami},
    model::{ApprovalId, RunId, SessionId},
};
use ratatui::{Terminal, backend::TestBackend};
use serde_json::json;

use super::{
    draw::{Shown, draw},
    effect::Effect,
    message::{Fed, Message},
    request::Request,
    state::State,
    update::update,
};
use crate::paint::{Depth, Theme, ThemeName};

/// When the tests begin: 2026-11-21T14:00:00Z.
pub(super) const START: i64 = 1_795_269_600_000;

/// The id of the request with this number.
pub(super) fn request_id(number: u64) -> ApprovalId {
    ApprovalId::new(START.unsigned_abs() + number, [0; 5])
}

/// The id of the session with this number.
pub(super) fn session_id(number: u64) -> SessionId {
    SessionId::new(START.unsigned_abs() + number, [0; 10])
}

/// A request that waits for another five minutes.
pub(super) fn request(number: u64, text: &str) -> ApprovalItem {
    let created = START + i64::try_from(number).expect("small") - 20_000;
    serde_json::from_value(json!({
        "id": request_id(number), "status": "pending", "session": session_id(number),
        "requester": {"kind": "user", "name": "alice", "groups": ["engineers"], "claims": {}, "owner": null},
        "connection": "pg-prod", "database": "shop", "role": "app", "text": text, "parameters": [],
        "kind": "delete", "effect": "write", "objects": ["public.orders"], "risk": 60,
        "risk_reasons": ["deletes rows"], "estimated_rows": 1200, "estimated_percent": 96,
        "rules": ["deletes-are-held"], "message": "a dba looks at every DELETE",
        "quorums": [{"count": 1, "group": "dba"}], "reviews": [], "may_review": true,
        "created_at_millis": created, "expires_at_millis": created + 320_000
    }))
    .expect("a request")
}

/// A session that is open.
pub(super) fn session(number: u64, who: &str) -> SessionItem {
    serde_json::from_value(json!({
        "id": session_id(number), "connection": "pg-prod",
        "principal": {"kind": "user", "name": who, "groups": ["engineers"], "claims": {}, "owner": null},
        "started_at_millis": START - 60_000 + i64::try_from(number).expect("small"),
        "ended_at_millis": null, "end_reason": null, "operations": 12, "refused": 1, "held": number % 2, "masked": 40
    }))
    .expect("a session")
}

/// A run of an agent with alice's presence.
pub(super) fn run(number: u64, is_live: bool) -> RunItem {
    let alice = json!({"kind": "user", "name": "alice", "groups": ["engineers"], "claims": {}, "owner": null});
    let started = START - 60_000 + i64::try_from(number).expect("small");
    let ended = (!is_live).then_some(started + 42_000);
    serde_json::from_value(json!({
        "id": RunId::new(START.unsigned_abs() + number, [0; 10]),
        "principal": {"kind": "agent", "name": "crew", "groups": ["agents"], "claims": {}, "owner": "carol", "lent_by": alice},
        "connections": ["pg-prod", "openai"], "labels": {"team": "x"}, "command": "python", "jailed": true,
        "started_at_millis": started, "ended_at_millis": ended,
        "end_reason": ended.map(|_| "its program exited with status 1"), "status": ended.map(|_| 1), "signal": null,
        "usage": {"statements": 12, "rows_read": 340, "rows_changed": 3, "tables": 2, "bytes": 90_000, "tokens": 800,
                  "wall_seconds": 42}
    }))
    .expect("a run")
}

/// The same with its counts.
pub(super) fn run_detail(number: u64) -> RunDetail {
    let counts = json!({"operations": 12, "refused": 1, "held": 1, "masked": 40});
    serde_json::from_value(json!({"run": run(number, true), "sessions": [session(1, "crew")], "counts": counts}))
        .expect("a run")
}

/// What happened in it.
pub(super) fn timeline() -> Vec<TimelineEntry> {
    let entry = |event| TimelineEntry { session: session_id(1), connection: "pg-prod".parse().expect("a name"), event };
    events().into_iter().map(entry).collect()
}

/// What was recorded: started, asked, held, approved, done.
pub(super) fn events() -> Vec<RecordedEvent> {
    let event = |seq: u64, kind: &str, fields: serde_json::Value| {
        let at_micros = START.unsigned_abs() * 1000 + seq * 1_000_000;
        serde_json::from_value(json!({"seq": seq, "at_micros": at_micros, "kind": kind, "fields": fields}))
            .expect("an event")
    };
    vec![
        event(1, "session_started", json!({"connection": "pg-prod"})),
        event(2, "operation", json!({"number": "1", "text": "select 1", "rules": "[\"staff-work\"]"})),
        event(
            3,
            "outcome",
            json!({"number": "1", "status": "completed", "tag": "SELECT 1", "duration_micros": "730",
                   "masked": "{\"email\":2}"}),
        ),
        event(
            4,
            "held",
            json!({"number": "2", "text": "delete from orders\nwhere id = 7", "rules": "[\"deletes-are-held\"]",
                   "approval": request_id(1)}),
        ),
        event(5, "approval_decided", json!({"state": "approved", "by": "[\"bob\"]", "reason": "agreed"})),
        event(
            6,
            "refused",
            json!({"number": "3", "text": "drop table orders", "rules": "[\"nothing-is-dropped\"]",
                   "reason": "tables are neither dropped nor emptied here"}),
        ),
    ]
}

/// What the gateway lists.
pub(super) fn listed<R: Into<Request>>(items: Vec<R>, are_all: bool) -> Fed {
    Fed::Approvals { items: items.into_iter().map(Into::into).collect(), are_all }
}

impl From<ApprovalItem> for Request {
    fn from(item: ApprovalItem) -> Self {
        Self::new(item)
    }
}

/// A dashboard in somebody's hands: what was pressed, told and drawn, with what came of it.
pub(super) struct Desk {
    pub(super) state: State,
    pub(super) effects: Vec<Effect>,
}

impl Desk {
    /// Bob's, on a screen of this size, with nothing heard yet.
    pub(super) fn new(size: (u16, u16)) -> Self {
        let theme = Theme::new(ThemeName::Dark, Depth::Mono, false);
        let mut state = State::new("gw.example.com:8443".to_owned(), theme, true, size, START);
        state.me = Some(bob());
        Self { state, effects: Vec::new() }
    }

    /// With a gateway that listed these requests.
    pub(super) fn with<R: Into<Request>>(size: (u16, u16), items: Vec<R>) -> Self {
        let mut desk = Self::new(size);
        desk.tell(Fed::Connected);
        desk.tell(listed(items, true));
        desk.see();
        desk
    }

    /// One message; gives whether the screen changed.
    pub(super) fn take(&mut self, message: Message) -> bool {
        let outcome = update(&mut self.state, message);
        self.effects.extend(outcome.effects);
        outcome.redraw
    }

    pub(super) fn tell(&mut self, fed: Fed) -> bool {
        self.take(Message::Fed(fed))
    }

    /// A request changed.
    pub(super) fn change(&mut self, item: impl Into<Request>) -> bool {
        self.tell(Fed::Approval(Box::new(item.into())))
    }

    /// It ended so.
    pub(super) fn settle(&mut self, number: u64, status: ApprovalStatus) -> bool {
        let known = self.state.approvals.listing.find(&request_id(number)).expect("known");
        let item = ApprovalItem { status, ..known.item.clone() };
        self.change(item)
    }

    /// So many milliseconds after the start.
    pub(super) fn at(&mut self, millis: i64) -> bool {
        self.take(Message::Time(START + millis))
    }

    /// Types letters, and keys by name: `<enter>`, `<esc>`, `<tab>`, `<c-d>`, `<down>`. What is drawn meanwhile is seen.
    pub(super) fn press(&mut self, keys: &str) {
        for key in split(keys) {
            self.take(Message::Key(named(key)));
            self.see();
        }
    }

    /// The same, without drawing.
    pub(super) fn press_unseen(&mut self, keys: &str) {
        for key in split(keys) {
            self.take(Message::Key(named(key)));
        }
    }

    /// Draws, and lets the state know what was to be read.
    pub(super) fn see(&mut self) -> Shown {
        let mut terminal = self.terminal();
        let mut shown = Shown::default();
        terminal.draw(|frame| shown = draw(&self.state, frame.buffer_mut())).expect("draws");
        self.take(Message::Shown(shown.clone()));
        shown
    }

    /// The screen as it is now.
    pub(super) fn screen(&self) -> TestBackend {
        let mut terminal = self.terminal();
        let mut shown = Shown::default();
        terminal.draw(|frame| shown = draw(&self.state, frame.buffer_mut())).expect("draws");
        assert!(shown.request_rows.is_none() || self.state.tab == super::state::Tab::Approvals);
        terminal.backend().clone()
    }

    /// The last thing that was said.
    pub(super) fn said(&self) -> &str {
        self.state.notice.as_ref().map_or("", |notice| &notice.text)
    }

    fn terminal(&self) -> Terminal<TestBackend> {
        let (columns, rows) = self.state.size;
        Terminal::new(TestBackend::new(columns, rows)).expect("a terminal")
    }
}

fn bob() -> Whoami {
    serde_json::from_value(json!({
        "principal": {"kind": "user", "name": "bob", "groups": ["dba"], "claims": {}, "owner": null},
        "expires_at": START / 1000 + 43 * 60 + 30
    }))
    .expect("bob")
}

/// Letters, and what stands in angle brackets.
fn split(keys: &str) -> Vec<&str> {
    let mut rest = keys;
    let mut found = Vec::new();
    while let Some(first) = rest.chars().next() {
        let (name, after) = match rest.strip_prefix('<').and_then(|named| named.split_once('>')) {
            Some((name, after)) => (name, after),
            None => rest.split_at(first.len_utf8()),
        };
        found.push(name);
        rest = after;
    }
    found
}

fn named(name: &str) -> KeyEvent {
    let plain = |code| KeyEvent::new(code, KeyModifiers::NONE);
    match name {
        "enter" => plain(KeyCode::Enter),
        "esc" => plain(KeyCode::Esc),
        "tab" => plain(KeyCode::Tab),
        "down" => plain(KeyCode::Down),
        "up" => plain(KeyCode::Up),
        name => match name.strip_prefix("c-").and_then(|letter| letter.chars().next()) {
            Some(letter) => KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL),
            None => plain(KeyCode::Char(name.chars().next().expect("a letter"))),
        },
    }
}
