//! Decisions: a first key shows the request, a second one approves it; a denial says why.
//!
//! The second key counts only when the whole statement was on the screen and the request is still what it was.

use hoop_gateway_core::model::ApprovalId;

use super::Outcome;
use crate::dashboard::{
    draw::Shown,
    effect::Effect,
    message::Trouble,
    moments,
    request::{Request, Standing},
    state::{Armed, Asking, Choice, Link, Overlay, Prompt, ShapeChoice, State, Tone},
};

/// These rows of the selected request were drawn.
pub(super) fn shown(state: &mut State, shown: &Shown) -> Outcome {
    let Some(rows) = &shown.request_rows else { return Outcome::nothing() };
    let before = (state.approvals.seen_rows(), state.approvals.is_seen_whole());
    state.approvals.saw(rows);
    // How much was seen is told on the screen.
    Outcome::when((state.approvals.seen_rows(), state.approvals.is_seen_whole()) != before)
}

/// The first key: the request gets the whole screen, and waits for the second.
pub(super) fn arm(state: &mut State, choice: Choice) -> Outcome {
    let request = match decidable(state) {
        Ok(request) => request,
        Err(why) => return refused(state, &why),
    };
    let armed = Armed { id: request.item.id.clone(), face: request.face(), choice };
    state.notice = None;
    state.overlay = Overlay::Approve(Box::new(armed));
    Outcome::redraw()
}

/// The second key.
pub(super) fn confirm(state: &mut State) -> Outcome {
    let Overlay::Approve(armed) = &state.overlay else { return Outcome::nothing() };
    let armed = armed.clone();
    let request = match decidable(state) {
        Ok(request) => request,
        Err(why) => {
            disarm(state, &why);
            return Outcome::redraw();
        }
    };
    if request.item.id != armed.id || request.face() != armed.face {
        disarm(state, "the request changed; look at it again");
        return Outcome::redraw();
    }
    if !state.approvals.is_seen_whole() {
        return refused(state, "the whole statement was not on the screen yet: read on to its end, then press y");
    }
    state.overlay = Overlay::Nothing;
    state.say(Tone::Plain, format!("approving {} …", armed.id));
    Outcome::effect(Effect::Approve(armed.id, armed.choice))
}

/// Puts the second key away, and says why.
pub(super) fn disarm(state: &mut State, why: &str) {
    state.overlay = Overlay::Nothing;
    state.say(Tone::Bad, why);
}

/// Asks why the selected request is denied.
pub(super) fn ask_denial(state: &mut State) -> Outcome {
    match decidable(state).map(|request| request.item.id.clone()) {
        Ok(id) => ask(state, Asking::Deny(id), ""),
        Err(why) => refused(state, &why),
    }
}

/// Asks for how long the shape of the selected request is approved.
pub(super) fn ask_shape(state: &mut State) -> Outcome {
    let request = match decidable(state) {
        Ok(request) => request,
        Err(why) => return refused(state, &why),
    };
    match (&request.extra.shape, request.extra.shape_for_seconds) {
        (Some(_shape), Some(longest)) => {
            let begin = format!("{}s", longest.min(3_600));
            let begin = if longest >= 3_600 { "1h".to_owned() } else { begin };
            let id = request.item.id.clone();
            ask(state, Asking::Shape(id), &begin)
        }
        _ => refused(state, "policy lets nobody approve this shape as a whole; `a` approves this one"),
    }
}

/// Goes back to the second key with a reason.
pub(super) fn ask_reason(state: &mut State) -> Outcome {
    let Overlay::Approve(armed) = &state.overlay else { return Outcome::nothing() };
    let (armed, reason) = (armed.clone(), armed.choice.reason.clone().unwrap_or_default());
    ask(state, Asking::Reason(armed), &reason)
}

/// The reason for a denial was typed.
pub(super) fn deny(state: &mut State, id: ApprovalId, reason: String) -> Outcome {
    if reason.is_empty() {
        state.say(Tone::Bad, "a denial says why: type a reason, or leave with esc");
        return Outcome::redraw();
    }
    let waits = state.approvals.listing.find(&id).is_some_and(|request| request.waits(state.now_millis));
    state.overlay = Overlay::Nothing;
    if !waits {
        return refused(state, "it waits no more; there is nothing left to deny");
    }
    state.say(Tone::Plain, format!("denying {id} …"));
    Outcome::effect(Effect::Deny(id, reason))
}

/// A reason for the approval was typed. The request must still be what it was.
pub(super) fn reasoned(state: &mut State, mut armed: Armed, reason: String) -> Outcome {
    armed.choice.reason = Some(reason).filter(|reason| !reason.is_empty());
    let is_current = state.approvals.listing.find(&armed.id).is_some_and(|request| request.face() == armed.face);
    if !is_current {
        disarm(state, "the request changed; look at it again");
        return Outcome::redraw();
    }
    state.overlay = Overlay::Approve(Box::new(armed));
    Outcome::redraw()
}

/// `1h`, or `1h 200` for at most so many rows.
pub(super) fn shaped(state: &mut State, id: &ApprovalId, text: &str) -> Outcome {
    if state.approvals.listing.selected() != Some(id) {
        state.overlay = Overlay::Nothing;
        return refused(state, "the request is gone");
    }
    let Some(shape) = read_shape(text) else {
        return refused(state, "say for how long, and for at most how many rows if you like: `1h`, `30m 200`");
    };
    let longest = state.approvals.listing.find(id).and_then(|request| request.extra.shape_for_seconds).unwrap_or(0);
    if shape.for_seconds > longest {
        return refused(state, &format!("policy allows {} at most", moments::span(longest)));
    }
    state.overlay = Overlay::Nothing;
    arm(state, Choice { reason: None, shape: Some(shape) })
}

/// The gateway took the review, or did not.
pub(super) fn reviewed(
    state: &mut State,
    id: &ApprovalId,
    approved: bool,
    outcome: Result<Box<Request>, Trouble>,
) -> Outcome {
    match outcome {
        Ok(request) => {
            let word = if approved { "approved" } else { "denied" };
            let more = request.waits(state.now_millis);
            let rest = if more { "; it waits for more reviewers" } else { "" };
            state.say(Tone::Good, format!("you {word} {id}{rest}"));
            let mut told = super::fed::approval(state, *request, false);
            told.redraw = true;
            told
        }
        Err(trouble) if trouble.needs_fresh_login => {
            let verb = if approved { "approve" } else { "deny" };
            let said = format!("{id} wants a fresh login of yours first: hoop approvals {verb} {id}");
            state.say(Tone::Bad, said);
            Outcome::redraw()
        }
        Err(trouble) => {
            state.say(Tone::Bad, trouble.in_one_line());
            Outcome { effects: vec![Effect::Look(id.clone())], redraw: true }
        }
    }
}

fn read_shape(text: &str) -> Option<ShapeChoice> {
    let mut words = text.split_whitespace();
    let for_seconds = moments::read_span(words.next()?)?;
    let max_rows = words.next().map(str::parse).transpose().ok()?;
    words.next().is_none().then_some(ShapeChoice { for_seconds, max_rows })
}

/// The selected request, if I can decide it now; otherwise why not.
fn decidable(state: &State) -> Result<&Request, String> {
    let Some(request) = state.approvals.listing.selection() else { return Err("nothing is selected".to_owned()) };
    match request.standing(state.now_millis) {
        Standing::Waiting(_) => {}
        Standing::Lapsed => return Err("it lapsed before anybody decided".to_owned()),
        settled @ Standing::Settled(_) => return Err(format!("it is {} already", settled.word())),
    }
    if request.extra.may_review == Some(false) {
        let why = "you may not review this one: it is your own, you reviewed it, or it asks for another group";
        return Err(why.to_owned());
    }
    if state.link != Link::Live {
        return Err("the gateway is lost; nothing can be decided now".to_owned());
    }
    Ok(request)
}

fn ask(state: &mut State, asking: Asking, text: &str) -> Outcome {
    state.notice = None;
    state.overlay = Overlay::Prompt(Box::new(Prompt::new(asking, text)));
    Outcome::redraw()
}

fn refused(state: &mut State, why: &str) -> Outcome {
    state.say(Tone::Bad, why);
    Outcome::redraw()
}

impl crate::dashboard::state::Approvals {
    /// Notes when a request lapsed that the gateway said nothing about yet.
    pub(super) fn settle_lapsed(&mut self, now_millis: i64) {
        let lapsed: Vec<_> = self
            .listing
            .all()
            .filter(|(_id, request)| request.settled_at_millis.is_none() && !request.waits(now_millis))
            .map(|(id, request)| (id.clone(), request.clone()))
            .collect();
        for (id, mut request) in lapsed {
            request.settled_at_millis = Some(now_millis);
            self.listing.put(id, request);
        }
    }
}
