//! Runs: the list, and the timeline of the one that is opened.

use hoop_gateway_core::{
    api::types::{RunDetail, RunItem, TimelineEntry},
    model::RunId,
};

use super::Outcome;
use crate::{
    dashboard::{
        effect::Effect,
        listing::Listing,
        message::Trouble,
        state::{OpenedRun, RunRow, State, Tab, Tone},
    },
    output::printable_line,
};

/// The page was opened, or is to be fresh: the gateway is asked.
pub(super) fn ask(state: &mut State) -> Outcome {
    state.runs.opened = None;
    again(state)
}

/// Something happened in a session: the page is brought up to date while somebody looks at it.
pub(super) fn stir(state: &mut State, run: Option<&RunId>) {
    state.runs.is_stale |= run.is_some();
}

/// When the page is asked for again: soon after something happened, and now and then in any case.
pub(super) fn due(state: &State) -> i64 {
    state.runs.asked_at_millis + if state.runs.is_stale { SOON_MILLIS } else { NOW_AND_THEN_MILLIS }
}

/// Asks for what the page shows.
pub(super) fn again(state: &mut State) -> Outcome {
    (state.runs.is_stale, state.runs.asked_at_millis) = (false, state.now_millis);
    let mut outcome = Outcome::effect(Effect::ListRuns);
    if let Some(opened) = state.runs.opened.as_ref().filter(|_| state.runs.fetching.is_none()) {
        outcome.effects.push(Effect::FetchRun(opened.id.clone()));
        state.runs.fetching = Some(opened.id.clone());
    }
    outcome
}

const SOON_MILLIS: i64 = 1_000;
const NOW_AND_THEN_MILLIS: i64 = 10_000;

/// The list is there, or is not.
pub(super) fn listed(state: &mut State, outcome: Result<Vec<RunItem>, Trouble>) -> Outcome {
    let before = state.runs.listing.selected().cloned();
    let mut listing = Listing::default();
    listing.set_height(state.runs.listing.height());
    state.runs.answer = Some(match outcome {
        Ok(items) => {
            for item in items {
                listing.put(item.id.clone(), RunRow::new(item));
            }
            Ok(())
        }
        Err(trouble) => Err(printable_line(&trouble.in_one_line())),
    });
    if let Some(id) = before {
        listing.select(&id);
    }
    state.runs.listing = listing;
    Outcome::redraw()
}

/// Fetches the timeline of the selected run.
pub(super) fn open(state: &mut State) -> Outcome {
    let Some(run) = state.runs.listing.selected().cloned() else { return Outcome::nothing() };
    state.runs.fetching = Some(run.clone());
    state.say(Tone::Plain, format!("fetching {run} …"));
    Outcome::effect(Effect::FetchRun(run))
}

/// The timeline is there, or is not. One that nobody waits for any more is not shown.
pub(super) fn fetched(
    state: &mut State,
    run: &RunId,
    outcome: Result<(RunDetail, Vec<TimelineEntry>), Trouble>,
) -> Outcome {
    if state.runs.fetching.take_if(|fetching| fetching == run).is_none() || state.tab != Tab::Runs {
        return Outcome::nothing();
    }
    state.notice = None;
    match outcome {
        Ok((detail, entries)) => {
            let new = OpenedRun::new(&detail, &entries);
            let before = state.runs.opened.take().filter(|before| before.id == new.id);
            state.runs.opened = Some(before.map_or_else(|| new.clone(), |before| before.later(new.clone())));
        }
        Err(trouble) => state.say(Tone::Bad, trouble.in_one_line()),
    }
    Outcome::redraw()
}
