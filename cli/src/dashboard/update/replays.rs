//! Replays: a search, its answer, and a player that takes the keys and the time while it is open.

use std::time::Duration;

use crossterm::event::KeyEvent;
use hoop_gateway_core::{
    api::types::{RecordedEvent, SessionItem},
    model::SessionId,
};

use super::Outcome;
use crate::{
    dashboard::{
        effect::Effect,
        message::Trouble,
        state::{Conversation, Overlay, State, Tab, Tone, replay_query},
    },
    output::printable_line,
    replay,
};

/// How often a frame is drawn while a session is played.
pub(super) const FRAME_MILLIS: i64 = 33;

/// Searches, with these words.
pub(super) fn search(state: &mut State, text: &str) -> Outcome {
    match replay_query(text, state.now_millis) {
        Ok(query) => {
            text.clone_into(&mut state.replays.search);
            state.replays.answer = None;
            state.overlay = Overlay::Nothing;
            Outcome::effect(Effect::Search(query))
        }
        Err(why) => {
            state.say(Tone::Bad, why);
            Outcome::redraw()
        }
    }
}

/// The page was opened: what is newest is listed until something is searched.
pub(super) fn opened(state: &mut State) -> Outcome {
    if state.replays.answer.is_some() || !state.replays.search.is_empty() {
        return Outcome::redraw();
    }
    search(state, "")
}

/// What was found.
pub(super) fn found(state: &mut State, outcome: Result<Vec<SessionItem>, Trouble>) -> Outcome {
    let before = state.replays.listing.selected().cloned();
    let mut listing = crate::dashboard::listing::Listing::default();
    listing.set_height(state.replays.listing.height());
    state.replays.answer = Some(match outcome {
        Ok(items) => {
            for item in items {
                listing.put(item.id.clone(), Conversation::new(item));
            }
            Ok(())
        }
        Err(trouble) => Err(printable_line(&trouble.in_one_line())),
    });
    if let Some(id) = before {
        listing.select(&id);
    }
    state.replays.listing = listing;
    Outcome::redraw()
}

/// Fetches the recording of the selected session.
pub(super) fn open(state: &mut State) -> Outcome {
    let Some(session) = state.replays.listing.selected().cloned() else { return Outcome::nothing() };
    state.replays.fetching = Some(session.clone());
    state.say(Tone::Plain, format!("fetching {session} …"));
    Outcome::effect(Effect::Fetch(session))
}

/// The recording is there, or is not. One that nobody waits for any more is not played.
pub(super) fn fetched(state: &mut State, session: &SessionId, outcome: Result<Vec<RecordedEvent>, Trouble>) -> Outcome {
    if state.replays.fetching.take_if(|fetching| fetching == session).is_none() || state.tab != Tab::Replays {
        return Outcome::nothing();
    }
    state.notice = None;
    match outcome {
        Ok(events) if state.replays.play(&events) => {}
        Ok(_nothing) => state.say(Tone::Bad, format!("nothing was recorded of {session}")),
        Err(trouble) => state.say(Tone::Bad, trouble.in_one_line()),
    }
    Outcome::redraw()
}

/// A key of the player's.
pub(super) fn press(state: &mut State, key: KeyEvent) -> Outcome {
    let Some(player) = &mut state.replays.player else { return Outcome::nothing() };
    match player.update(replay::PlayerMessage::Key(key)) {
        replay::Wish::Stay => Outcome::redraw(),
        replay::Wish::Quit => {
            state.replays.player = None;
            Outcome::redraw()
        }
        replay::Wish::Interrupt => Outcome::effect(Effect::Interrupt),
        replay::Wish::Copy(text) => Outcome::effect(Effect::Copy(text)),
        replay::Wish::Suspend => Outcome::effect(Effect::Suspend),
    }
}

/// Time passed for what is played and seen. Time while another page was open is not played.
pub(super) fn pass(state: &mut State, before_millis: i64) -> bool {
    let shown = state.tab == Tab::Replays;
    let Some(player) = state.replays.player.as_mut().filter(|player| shown && player.is_moving()) else { return false };
    let passed = u64::try_from(state.now_millis.saturating_sub(before_millis)).unwrap_or(0);
    // A machine that slept does not play what it slept through.
    player.update(replay::PlayerMessage::Passed(Duration::from_millis(passed.min(LONGEST_STEP_MILLIS))));
    true
}

const LONGEST_STEP_MILLIS: u64 = 1_000;

/// Whether frames follow each other.
pub(super) fn is_playing(state: &State) -> bool {
    state.tab == Tab::Replays && state.replays.player.as_ref().is_some_and(|player| player.is_moving())
}
