//! The page of runs: those there are, and the timeline of the one that was opened.

use hoop_gateway_core::{
    api::types::{RunDetail, RunItem, TimelineEntry},
    model::RunId,
};

use crate::{
    dashboard::{
        layout::Areas,
        listing::{Listing, Row},
    },
    output::printable_line,
    runs::{end_word, timeline, used},
    whoami,
};

/// The page of runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Runs {
    /// Those that I may see.
    pub(crate) listing: Listing<RunId, RunRow>,
    /// Whether the answer is there, or why not.
    pub(crate) answer: Option<Result<(), String>>,
    /// The run that is asked for.
    pub(crate) fetching: Option<RunId>,
    /// The run that is open.
    pub(crate) opened: Option<OpenedRun>,
    /// Whether something happened in a run since the gateway was asked, and when that was.
    pub(crate) is_stale: bool,
    pub(crate) asked_at_millis: i64,
}

/// One run, in words.
#[derive(Debug, Clone)]
pub(crate) struct RunRow {
    pub(crate) item: RunItem,
    pub(crate) who: String,
    pub(crate) connections: String,
    pub(crate) command: String,
}

/// The timeline of one run, line by line.
#[derive(Debug, Clone)]
pub(crate) struct OpenedRun {
    pub(crate) id: RunId,
    /// What is known of it as a whole.
    pub(crate) heading: Vec<String>,
    pub(crate) lines: Vec<String>,
    /// How many lines are above the screen, and how many fit on it.
    pub(crate) top: usize,
    pub(crate) room: usize,
}

/// Lines are made this wide once, and cut by the screen.
const WIDEST: usize = 240;

impl Runs {
    /// Fits list and timeline to the screen.
    pub(crate) fn lay_out(&mut self, areas: &Areas) {
        let rows = usize::from(areas.body.height.saturating_sub(1));
        self.listing.set_height(rows);
        if let Some(opened) = &mut self.opened {
            opened.room = rows.saturating_sub(opened.heading.len()).max(1);
            opened.scroll_by(0);
        }
    }
}

impl RunRow {
    /// A run as the gateway tells it.
    pub(crate) fn new(item: RunItem) -> Self {
        let names: Vec<&str> = item.connections.iter().map(hoop_gateway_core::model::ConnectionName::as_str).collect();
        let (who, connections) = (whoami::acting(&item.principal), printable_line(&names.join(", ")));
        let command = printable_line(item.command.as_deref().unwrap_or("-"));
        Self { item, who, connections, command }
    }
}

impl Row for RunRow {
    fn rank(&self) -> i64 {
        self.item.started_at_millis.saturating_neg()
    }

    fn matches(&self, words: &[String]) -> bool {
        let all = format!("{} {} {} {}", self.item.id, self.who, self.connections, self.command).to_lowercase();
        words.iter().all(|word| all.contains(word))
    }
}

impl OpenedRun {
    /// A run with its timeline.
    pub(crate) fn new(detail: &RunDetail, entries: &[TimelineEntry]) -> Self {
        let RunDetail { run, sessions, counts } = detail;
        let heading = vec![
            format!("{}  {}", run.id, whoami::describe(&run.principal)),
            format!("{} in {} sessions; {}", used(&run.usage), sessions.len(), end_word(run)),
            format!("{} refused, {} held, {} cells masked", counts.refused, counts.held, counts.masked),
            String::new(),
        ];
        Self { id: run.id.clone(), heading, lines: timeline(entries, WIDEST), top: 0, room: 1 }
    }

    /// The same run some time later: who read its end sees the new end, anybody else the same lines.
    pub(crate) fn later(&self, mut new: Self) -> Self {
        (new.top, new.room) = (self.top, self.room);
        let was_at_end = self.top + self.room >= self.lines.len();
        new.scroll_by(if was_at_end { isize::MAX } else { 0 });
        new
    }

    /// Scrolls, as far as there are lines.
    pub(crate) fn scroll_by(&mut self, rows: isize) {
        let last = self.lines.len().saturating_sub(self.room);
        self.top = self.top.saturating_add_signed(rows).min(last);
    }
}
