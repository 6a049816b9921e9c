//! Events → what is shown of them, and when. Pure; knows no screen and no position.
//!
//! A recorded session is read once, into cues (what one event adds to the transcript), operations (what the list and the
//! detail show) and marks (what the timeline shows). No two cues have the same time: each is a microsecond at least
//! behind the one before, so that every one of them can be gone to.

mod grid;
mod lines;
mod operation;
mod talk;

pub(super) use lines::title;
pub(crate) use operation::{Fact, Operation};

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use hoop_gateway_core::api::types::RecordedEvent;

use super::emulator::{Step, step};
use crate::output::printable_line;

/// `mm:ss.mmm`.
pub(crate) const STAMP_WIDTH: usize = 9;

/// What a line says, for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Statement,
    Good,
    Bad,
    Waiting,
    Quiet,
}

/// One line of the replay, safe for a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScriptLine {
    pub(crate) tone: Tone,
    pub(crate) text: String,
}

/// What one event adds, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cue {
    pub(crate) at: Duration,
    /// The number of its operation.
    pub(crate) operation: Option<u64>,
    pub(crate) lines: Vec<ScriptLine>,
}

/// What can be gone to on the timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mark {
    Masked,
    Held,
    Refused,
}

/// A session as it is played.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    /// Who did this, where and as whom.
    pub(crate) title: String,
    cues: Vec<Cue>,
    operations: Vec<Operation>,
    /// For each cue, the index of the operation that it or one before it was about.
    about: Vec<Option<usize>>,
    marks: Vec<(Duration, Mark)>,
    terminal: Vec<(Duration, Step)>,
    end: Duration,
}

impl Script {
    /// Only operations whose text contains `search`, in either case, where it is given.
    pub(crate) fn new(events: &[RecordedEvent], search: Option<&str>) -> Self {
        let start = events.first().map_or(0, |event| event.at_micros);
        let wanted = search.map(|search| matching(events, search));
        let mut script = Self { title: events.first().map(title).unwrap_or_default(), ..Self::default() };
        let mut places = BTreeMap::new();
        let mut micros = None;
        for event in events.iter().filter(|event| is_wanted(event, wanted.as_ref())) {
            let earliest = micros.map_or(0, |last: u64| last + 1);
            let now = event.at_micros.saturating_sub(start).max(earliest);
            micros = Some(now);
            script.take(event, Duration::from_micros(now), &mut places);
        }
        script
    }

    fn take(&mut self, event: &RecordedEvent, at: Duration, places: &mut BTreeMap<u64, usize>) {
        if let Some(step) = step(&event.kind, &event.fields) {
            self.terminal.push((at, step));
            self.end = at;
            return;
        }
        let lines = lines::lines(event);
        if lines.is_empty() {
            return;
        }
        self.end = at;
        let operation = number(event);
        if let Some(number) = operation {
            let index = *places.entry(number).or_insert(self.operations.len());
            if index == self.operations.len() {
                self.operations.push(Operation::new(number, at));
            }
            if let Some(operation) = self.operations.get_mut(index) {
                operation.take(event, at, self.cues.len());
                self.marks.extend(operation::mark(event).map(|mark| (at, mark)));
            }
        }
        let before = self.about.last().copied().flatten();
        self.about.push(operation.and_then(|number| places.get(&number).copied()).or(before));
        self.cues.push(Cue { at, operation, lines });
    }

    pub(crate) fn cues(&self) -> &[Cue] {
        &self.cues
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.cues.is_empty() && self.terminal.is_empty()
    }

    /// The operations, in the order in which they were asked.
    pub(crate) fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// What stands on the timeline.
    pub(crate) fn marks(&self) -> &[(Duration, Mark)] {
        &self.marks
    }

    /// What a terminal showed, where one was recorded.
    pub(crate) fn terminal(&self) -> &[(Duration, Step)] {
        &self.terminal
    }

    /// The cues until then.
    pub(crate) fn until(&self, at: Duration) -> &[Cue] {
        self.cues.get(..self.cues.partition_point(|cue| cue.at <= at)).unwrap_or_default()
    }

    /// Which operation it is about at that time, by its index.
    pub(crate) fn about(&self, at: Duration) -> Option<usize> {
        let seen = self.until(at).len();
        self.about.get(seen.checked_sub(1)?).copied().flatten()
    }

    /// The index of the first cue of an operation, or of the next one that is there.
    pub(crate) fn cue_of(&self, operation: u64) -> usize {
        let found = self.cues.iter().position(|cue| cue.operation.is_some_and(|number| number >= operation));
        found.unwrap_or(self.cues.len().saturating_sub(1))
    }

    /// When the last thing happens.
    pub(crate) fn end(&self) -> Duration {
        self.end
    }

    /// When something is said that contains `text`, in either case.
    pub(crate) fn find(&self, text: &str) -> Vec<Duration> {
        let text = printable_line(text).to_lowercase();
        let says = |cue: &&Cue| cue.lines.iter().any(|line| line.text.to_lowercase().contains(&text));
        self.cues.iter().filter(says).map(|cue| cue.at).collect()
    }
}

/// A time in the session, `mm:ss.mmm`.
pub(crate) fn stamp(at: Duration) -> String {
    format!("{:02}:{:02}.{:03}", at.as_secs() / 60, at.as_secs() % 60, at.subsec_millis())
}

fn is_wanted(event: &RecordedEvent, wanted: Option<&BTreeSet<u64>>) -> bool {
    wanted.is_none_or(|wanted| number(event).is_some_and(|number| wanted.contains(&number)))
}

pub(super) fn number(event: &RecordedEvent) -> Option<u64> {
    field(event, "number")?.parse().ok()
}

fn field<'event>(event: &'event RecordedEvent, name: &str) -> Option<&'event str> {
    event.fields.get(name).map(String::as_str)
}

fn matching(events: &[RecordedEvent], search: &str) -> BTreeSet<u64> {
    let search = search.to_lowercase();
    let asked = events.iter().filter(|event| event.kind != "result");
    asked
        .filter(|event| field(event, "text").is_some_and(|text| text.to_lowercase().contains(&search)))
        .filter_map(number)
        .collect()
}

#[cfg(test)]
pub(crate) mod tests;
