//! What can happen to the dashboard: time, keys, what the gateway tells, and answers to what was asked.

use crossterm::event::{KeyEvent, MouseEvent};
use hoop_gateway_core::{
    api::types::{GatewayInfo, Health, RecordedEvent, RunDetail, RunItem, SessionItem, TimelineEntry, Whoami},
    model::{ApprovalId, RunId, SessionId},
};

use super::{draw::Shown, request::Request};

/// One thing that happened.
#[derive(Debug, Clone)]
pub(crate) enum Message {
    /// The time, in milliseconds since 1970.
    Time(i64),
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted. It is never taken for keys.
    Paste(String),
    /// The mouse did something.
    Mouse(MouseEvent),
    /// The screen has so many columns and rows now.
    Resized(u16, u16),
    /// This was drawn.
    Shown(Shown),
    /// What changed at the gateway.
    Fed(Fed),
    /// An answer.
    Answer(Answer),
}

/// What the gateway tells by itself.
#[derive(Debug, Clone)]
pub(crate) enum Fed {
    /// It is there.
    Connected,
    /// It went away, and why.
    Lost(String),
    /// All requests that wait. Where there were too many to list, those that are missing may wait too.
    Approvals { items: Vec<Request>, are_all: bool },
    /// A request that is new or changed.
    Approval(Box<Request>),
    /// The newest sessions.
    Sessions(Vec<SessionItem>),
    /// A session that began, changed or ended.
    Session(Box<SessionItem>),
}

/// An answer to an effect.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Me(Result<Whoami, Trouble>),
    Health(Box<HealthReport>),
    Reviewed { id: ApprovalId, approved: bool, outcome: Result<Box<Request>, Trouble> },
    Watched(SessionId, Watched),
    Found(Result<Vec<SessionItem>, Trouble>),
    Fetched(SessionId, Result<Vec<RecordedEvent>, Trouble>),
    Runs(Result<Vec<RunItem>, Trouble>),
    Run(RunId, Box<Result<(RunDetail, Vec<TimelineEntry>), Trouble>>),
    Killed(SessionId, Result<(), Trouble>),
    Copied(Result<(), String>),
}

/// What the gateway said of itself.
#[derive(Debug, Clone)]
pub(crate) struct HealthReport {
    pub(crate) health: Result<Health, String>,
    pub(crate) gateway: Option<GatewayInfo>,
}

/// News of a watched session.
#[derive(Debug, Clone)]
pub(crate) enum Watched {
    Events(Vec<RecordedEvent>),
    Over,
    Failed(String),
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// What happened and why.
    pub(crate) said: String,
    /// What to do next.
    pub(crate) next: Option<String>,
    /// Whether the reviewer must log in afresh first.
    pub(crate) needs_fresh_login: bool,
}
