//! Everything the dashboard knows at a moment. Pure: no terminal, no socket, no clock; `update` changes it, `draw` shows it.

mod approvals;
mod prompt;
mod replays;
mod runs;
mod sessions;
mod tally;

pub(crate) use approvals::{Approvals, Armed, Choice, ShapeChoice};
pub(crate) use prompt::{Asking, Prompt};
pub(crate) use replays::{Query, Replays, query as replay_query};
pub(crate) use runs::{OpenedRun, RunRow, Runs};
pub(crate) use sessions::{Conversation, Follow, Killing, Sessions, Watching};

use hoop_gateway_core::api::types::{GatewayInfo, Health, Whoami};

use super::{
    keys::Mode,
    layout::{self, Areas},
};
use crate::paint::Theme;

/// What is decided or over stays in its list for so long, in grey.
pub(crate) const KEPT_MILLIS: i64 = 60_000;

/// The whole state.
#[derive(Debug, Clone)]
pub(crate) struct State {
    /// The gateway's address, as it is shown.
    pub(crate) gateway: String,
    /// Who the gateway says I am.
    pub(crate) me: Option<Whoami>,
    /// The time, as it was last told.
    pub(crate) now_millis: i64,
    /// Columns and rows of the screen.
    pub(crate) size: (u16, u16),
    /// How it looks.
    pub(crate) theme: Theme,
    /// Whether new requests ring.
    pub(crate) ring: bool,
    /// Whether the gateway is there.
    pub(crate) link: Link,
    /// Which page is open.
    pub(crate) tab: Tab,
    /// What lies over the page.
    pub(crate) overlay: Overlay,
    /// The last thing there was to say.
    pub(crate) notice: Option<Notice>,
    /// The approvals.
    pub(crate) approvals: Approvals,
    /// The sessions.
    pub(crate) sessions: Sessions,
    /// The replays.
    pub(crate) replays: Replays,
    /// The runs.
    pub(crate) runs: Runs,
    /// What is known of the gateway's health.
    pub(crate) health: HealthPage,
    /// When who I am was last asked.
    pub(crate) asked_me_at_millis: i64,
}

/// The pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tab {
    Approvals,
    Sessions,
    Replays,
    Runs,
    Health,
}

/// Whether the gateway is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Link {
    /// The first answer is not there yet.
    Connecting,
    /// Changes come as they happen.
    Live,
    /// It went away; tried again by itself.
    Lost { why: String, since_millis: i64 },
}

/// What lies over the page and takes the keys.
#[derive(Debug, Clone)]
pub(crate) enum Overlay {
    Nothing,
    Help { scrolled: usize },
    Prompt(Box<Prompt>),
    Approve(Box<Armed>),
    Kill(Killing),
}

/// A line for the person, until the next key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) tone: Tone,
    pub(crate) text: String,
}

/// How a notice is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Bad,
}

/// What the gateway said of itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct HealthPage {
    /// What works, or why nobody knows.
    pub(crate) health: Option<Result<Health, String>>,
    /// What it is.
    pub(crate) gateway: Option<GatewayInfo>,
    /// When it was last asked.
    pub(crate) asked_at_millis: Option<i64>,
}

impl Tab {
    /// All, in order.
    pub(crate) const ALL: [Self; 5] = [Self::Approvals, Self::Sessions, Self::Replays, Self::Runs, Self::Health];

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Approvals => "Approvals",
            Self::Sessions => "Sessions",
            Self::Replays => "Replays",
            Self::Runs => "Runs",
            Self::Health => "Health",
        }
    }

    /// The one so many further on, around the end.
    pub(crate) fn step(self, by: usize) -> Self {
        let here = Self::ALL.iter().position(|tab| *tab == self).unwrap_or(0);
        Self::ALL.get((here + by) % Self::ALL.len()).copied().unwrap_or(self)
    }
}

impl State {
    /// The state before anything was heard.
    pub(crate) fn new(gateway: String, theme: Theme, ring: bool, size: (u16, u16), now_millis: i64) -> Self {
        let mut state = Self {
            gateway,
            me: None,
            now_millis,
            size,
            theme,
            ring,
            link: Link::Connecting,
            tab: Tab::Approvals,
            overlay: Overlay::Nothing,
            notice: None,
            approvals: Approvals::default(),
            sessions: Sessions::default(),
            replays: Replays::default(),
            runs: Runs::default(),
            health: HealthPage::default(),
            asked_me_at_millis: now_millis,
        };
        state.lay_out();
        state
    }

    /// What keys mean now.
    pub(crate) fn mode(&self) -> Mode {
        match (&self.overlay, self.tab) {
            (Overlay::Help { .. }, _) => Mode::Helping,
            (Overlay::Prompt(_), _) => Mode::Typing,
            (Overlay::Approve(_), _) => Mode::Approving,
            (Overlay::Kill(_), _) => Mode::Killing,
            (Overlay::Nothing, Tab::Approvals) if self.approvals.zoomed => Mode::Reading,
            (Overlay::Nothing, Tab::Approvals) => Mode::Approvals,
            (Overlay::Nothing, Tab::Sessions) if self.sessions.watching.is_some() => Mode::Watching,
            (Overlay::Nothing, Tab::Sessions) => Mode::Sessions,
            (Overlay::Nothing, Tab::Replays) if self.replays.player.is_some() => Mode::Playing,
            (Overlay::Nothing, Tab::Replays) => Mode::Replays,
            (Overlay::Nothing, Tab::Runs) if self.runs.opened.is_some() => Mode::Timeline,
            (Overlay::Nothing, Tab::Runs) => Mode::Runs,
            (Overlay::Nothing, Tab::Health) => Mode::Health,
        }
    }

    /// Where things are on the screen; `None` where it is too small.
    pub(crate) fn areas(&self) -> Option<Areas> {
        let zoomed = self.approvals.zoomed || matches!(self.overlay, Overlay::Approve(_));
        layout::areas(self.size, matches!(self.link, Link::Lost { .. }), zoomed)
    }

    /// Fits lists and texts to the screen; after every change.
    pub(crate) fn lay_out(&mut self) {
        let Some(areas) = self.areas() else { return };
        self.approvals.lay_out(&areas, self.theme);
        self.sessions.lay_out(&areas, self.theme);
        self.replays.lay_out(&areas);
        self.runs.lay_out(&areas);
    }

    /// Says something.
    pub(crate) fn say(&mut self, tone: Tone, text: impl Into<String>) {
        self.notice = Some(Notice { tone, text: crate::output::printable_line(&text.into()) });
    }

    /// How long my token still lasts.
    pub(crate) fn token_left_millis(&self) -> Option<i64> {
        let me = self.me.as_ref()?;
        Some(me.expires_at.saturating_mul(1000).saturating_sub(self.now_millis))
    }
}
