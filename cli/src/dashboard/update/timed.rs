//! Time: what it changes on the screen, and when the next such change is due.

use super::Outcome;
use crate::dashboard::{
    effect::Effect,
    state::{KEPT_MILLIS, Link, Overlay, State, Tab},
};

/// Health is asked for so often while its page is open.
const HEALTH_EVERY_MILLIS: i64 = 10_000;
/// Who I am is asked for again when the token has only so long left: asking renews it.
const RENEW_MILLIS: i64 = 55_000;
/// But not more often than this.
const ASK_ME_EVERY_MILLIS: i64 = 20_000;

/// What of the screen depends on the time alone.
#[derive(Debug, PartialEq, Eq)]
struct Face {
    second: Option<i64>,
    token: Option<i64>,
    waiting: usize,
    rows: (usize, usize),
}

/// It is later now.
pub(super) fn tick(state: &mut State, now_millis: i64) -> Outcome {
    let before = face(state);
    let before_millis = state.now_millis;
    let tallies = [state.approvals.tally(state.now_millis), state.sessions.tally(state.now_millis)];
    state.now_millis = now_millis;
    if tallies.iter().any(|tally| tally.has_overdue || now_millis >= tally.due_millis) {
        sweep(state);
    }
    let mut outcome = Outcome::when(face(state) != before);
    outcome.redraw |= super::replays::pass(state, before_millis);
    disarm_lapsed(state, &mut outcome);
    if state.tab == Tab::Health && now_millis >= health_due(state) {
        state.health.asked_at_millis = Some(now_millis);
        outcome.effects.push(Effect::AskHealth);
    }
    if state.tab == Tab::Runs && now_millis >= super::runs::due(state) {
        outcome.effects.extend(super::runs::again(state).effects);
    }
    if now_millis >= me_due(state) {
        state.asked_me_at_millis = now_millis;
        outcome.effects.push(Effect::AskMe);
    }
    outcome
}

/// When the screen looks different by itself, or something must be asked. Never while nothing counts.
pub(crate) fn next_change(state: &State) -> i64 {
    let now = state.now_millis;
    let mut due = me_due(state);
    if let Some(left) = state.token_left_millis().filter(|left| *left > 0) {
        due = due.min(now + left % 60_000 + 1);
    }
    if counts(state) {
        due = due.min((now.div_euclid(1000) + 1) * 1000);
    }
    if super::replays::is_playing(state) {
        due = due.min(now + super::replays::FRAME_MILLIS);
    }
    if state.tab == Tab::Health {
        due = due.min(health_due(state));
    }
    if state.tab == Tab::Runs {
        due = due.min(super::runs::due(state));
    }
    let due = due.min(state.approvals.tally(now).due_millis).min(state.sessions.tally(now).due_millis);
    due.max(now + 1)
}

/// Whether a countdown is on the screen.
fn counts(state: &State) -> bool {
    if matches!(state.link, Link::Lost { .. }) {
        return true;
    }
    if state.tab != Tab::Approvals || matches!(state.overlay, Overlay::Help { .. }) {
        return false;
    }
    let selected = state.approvals.listing.selection().is_some_and(|request| request.waits(state.now_millis));
    let hidden = state.approvals.zoomed || matches!(state.overlay, Overlay::Approve(_));
    selected || (!hidden && state.approvals.listing.window().any(|(_, request, _)| request.waits(state.now_millis)))
}

fn face(state: &State) -> Face {
    Face {
        second: counts(state).then_some(state.now_millis.div_euclid(1000)),
        token: state.token_left_millis().map(|left| left.div_euclid(60_000)),
        waiting: state.approvals.waiting(state.now_millis),
        rows: (state.approvals.listing.len(), state.sessions.listing.len()),
    }
}

/// Takes out what was settled long enough ago, unless somebody looks at it.
fn sweep(state: &mut State) {
    let now = state.now_millis;
    state.approvals.settle_lapsed(now);
    let over = |at: Option<i64>| at.is_some_and(|at| now >= at + KEPT_MILLIS);
    let reads = state.approvals.listing.selected().cloned().filter(|_| state.tab == Tab::Approvals);
    let old: Vec<_> = state
        .approvals
        .listing
        .all()
        .filter(|(id, request)| over(request.settled_at_millis) && reads.as_ref() != Some(*id))
        .map(|(id, _request)| id.clone())
        .collect();
    for id in old {
        state.approvals.remove(&id);
    }
    let watched = state.sessions.watching.as_ref().map(|watching| watching.session.clone());
    let old: Vec<_> = state
        .sessions
        .listing
        .all()
        .filter(|(id, session)| over(session.ended_seen_at_millis) && watched.as_ref() != Some(*id))
        .map(|(id, _session)| id.clone())
        .collect();
    for id in old {
        state.sessions.listing.remove(&id);
    }
}

/// What lapses while it is about to be approved can no longer be.
fn disarm_lapsed(state: &mut State, outcome: &mut Outcome) {
    let Overlay::Approve(armed) = &state.overlay else { return };
    let waits = state.approvals.listing.find(&armed.id).is_some_and(|request| request.waits(state.now_millis));
    if !waits {
        super::approvals::disarm(state, "it lapsed; there is nothing left to approve");
        outcome.redraw = true;
    }
}

fn health_due(state: &State) -> i64 {
    state.health.asked_at_millis.map_or(state.now_millis, |asked| asked + HEALTH_EVERY_MILLIS)
}

fn me_due(state: &State) -> i64 {
    let Some(left) = state.token_left_millis() else { return i64::MAX };
    (state.now_millis + left - RENEW_MILLIS).max(state.asked_me_at_millis + ASK_ME_EVERY_MILLIS)
}
