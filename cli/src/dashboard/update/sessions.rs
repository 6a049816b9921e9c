//! Sessions: one is watched as it runs; killing one takes a reason and a second key.

use hoop_gateway_core::model::SessionId;

use super::Outcome;
use crate::dashboard::{
    effect::Effect,
    message::Watched,
    state::{Asking, Follow, Killing, Link, Overlay, Prompt, State, Tone, Watching},
};

/// Opens the selected session.
pub(super) fn watch(state: &mut State) -> Outcome {
    let (Some(areas), Some(session)) = (state.areas(), state.sessions.listing.selected().cloned()) else {
        return Outcome::nothing();
    };
    state.sessions.watching = Some(Watching::new(session.clone(), &areas, state.theme));
    Outcome::effect(Effect::Watch(session, 1))
}

/// News of the watched session; of another one they come too late.
pub(super) fn watched(state: &mut State, session: &SessionId, news: Watched) -> Outcome {
    let Some(watching) = state.sessions.watching.as_mut().filter(|watching| watching.session == *session) else {
        return Outcome::nothing();
    };
    match news {
        Watched::Events(events) => {
            watching.add(events);
            watching.follow = Follow::Live;
        }
        Watched::Over => watching.follow = Follow::Over,
        Watched::Failed(why) => watching.follow = Follow::Failed(crate::output::printable_line(&why)),
    }
    Outcome::redraw()
}

/// Asks why the selected or watched session is killed.
pub(super) fn ask_kill(state: &mut State) -> Outcome {
    let watched = state.sessions.watching.as_ref().map(|watching| watching.session.clone());
    let Some(session) = watched.or_else(|| state.sessions.listing.selected().cloned()) else {
        return Outcome::nothing();
    };
    if let Err(why) = killable(state, &session) {
        state.say(Tone::Bad, why);
        return Outcome::redraw();
    }
    state.overlay = Overlay::Prompt(Box::new(Prompt::new(Asking::Kill(session), "")));
    Outcome::redraw()
}

/// The reason was typed; now the second key is waited for.
pub(super) fn reasoned(state: &mut State, session: SessionId, reason: String) -> Outcome {
    if reason.is_empty() {
        state.say(Tone::Bad, "whose session is killed is told why: type a reason, or leave with esc");
        return Outcome::redraw();
    }
    state.overlay = Overlay::Kill(Killing { session, reason });
    Outcome::redraw()
}

/// The second key.
pub(super) fn kill(state: &mut State) -> Outcome {
    let Overlay::Kill(killing) = std::mem::replace(&mut state.overlay, Overlay::Nothing) else {
        return Outcome::nothing();
    };
    if let Err(why) = killable(state, &killing.session) {
        state.say(Tone::Bad, why);
        return Outcome::redraw();
    }
    state.say(Tone::Plain, format!("killing {} …", killing.session));
    Outcome::effect(Effect::Kill(killing.session, killing.reason))
}

fn killable(state: &State, session: &SessionId) -> Result<(), &'static str> {
    if state.link != Link::Live {
        return Err("the gateway is lost; nothing can be killed now");
    }
    match state.sessions.listing.find(session) {
        Some(found) if found.is_live() => Ok(()),
        Some(_) | None => Err("that session is over already"),
    }
}
