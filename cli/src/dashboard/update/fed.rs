//! What the gateway tells: requests and sessions come, change and end; it goes away and comes back.

use hoop_gateway_core::{api::types::SessionItem, model::ApprovalId};

use super::{Outcome, approvals::disarm};
use crate::dashboard::{
    effect::Effect,
    message::Fed,
    request::{Request, Standing},
    state::{Conversation, Follow, Link, Overlay, State},
};

/// No more rows are kept than this; a gateway that has more waiting is told of in the list.
const MOST_ROWS: usize = 20_000;
/// So many requests that went missing from the list are asked for at once.
const MOST_LOOKS: usize = 50;

/// One thing that the gateway told.
pub(super) fn fed(state: &mut State, fed: Fed) -> Outcome {
    match fed {
        Fed::Connected => connected(state),
        Fed::Lost(why) => lost(state, &why),
        Fed::Approvals { items, are_all } => approvals(state, items, are_all),
        Fed::Approval(item) => approval(state, *item, true),
        Fed::Sessions(items) => sessions(state, items),
        Fed::Session(item) => {
            super::runs::stir(state, item.run.as_ref());
            Outcome::when(session(state, *item, true))
        }
    }
}

/// What was watched when the gateway went away is followed on from where it was.
fn connected(state: &mut State) -> Outcome {
    let before = std::mem::replace(&mut state.link, Link::Live);
    let mut outcome = Outcome::when(before != Link::Live);
    let was_lost = matches!(before, Link::Lost { .. });
    if let Some(watching) = state.sessions.watching.as_ref().filter(|watching| watching.follow != Follow::Over)
        && was_lost
    {
        outcome.effects.push(Effect::Watch(watching.session.clone(), watching.last_seq() + 1));
    }
    outcome
}

/// The place is kept; only the banner says that what is shown may be old.
fn lost(state: &mut State, why: &str) -> Outcome {
    let since_millis = match &state.link {
        Link::Lost { since_millis, .. } => *since_millis,
        Link::Connecting | Link::Live => state.now_millis,
    };
    let link = Link::Lost { why: crate::output::printable_line(why), since_millis };
    let changed = state.link != link;
    state.link = link;
    if matches!(state.overlay, Overlay::Approve(_)) {
        disarm(state, "the gateway is lost; nothing can be approved now");
    }
    Outcome::when(changed)
}

/// The whole list. What waited and is not in it any more has ended somehow: that is asked for.
fn approvals(state: &mut State, items: Vec<Request>, are_all: bool) -> Outcome {
    let mut outcome = Outcome::nothing();
    if are_all {
        let listed: std::collections::BTreeSet<&ApprovalId> = items.iter().map(|request| &request.item.id).collect();
        let waited = state.approvals.listing.all().filter(|(_id, request)| request.settled_at_millis.is_none());
        let gone = waited.filter(|(id, _request)| !listed.contains(id)).map(|(id, _request)| Effect::Look(id.clone()));
        outcome.effects.extend(gone.take(MOST_LOOKS));
    }
    let rings = state.approvals.is_listed;
    for item in items {
        let told = approval(state, item, rings);
        outcome.redraw |= told.redraw;
        outcome.effects.extend(told.effects);
    }
    outcome.redraw |= !state.approvals.is_listed;
    state.approvals.is_listed = true;
    outcome
}

/// One request. A new one that waits rings, if that is wanted.
pub(super) fn approval(state: &mut State, mut request: Request, rings: bool) -> Outcome {
    let id = request.item.id.clone();
    let known = state.approvals.listing.find(&id);
    let (is_new, is_same) = (known.is_none(), known.is_some_and(|known| known.face() == request.face()));
    if let Some(known) = known {
        request.settled_at_millis = known.settled_at_millis;
        if request.extra.history.is_empty() {
            request.extra.history.clone_from(&known.extra.history);
        }
        if is_same && known.extra.history == request.extra.history {
            return Outcome::nothing();
        }
    }
    let waits = request.waits(state.now_millis);
    if is_new && (!waits || state.approvals.listing.len() >= MOST_ROWS) {
        return Outcome::nothing();
    }
    let settled = matches!(request.standing(state.now_millis), Standing::Settled(_) | Standing::Lapsed);
    request.settled_at_millis = request.settled_at_millis.filter(|_| settled).or(settled.then_some(state.now_millis));
    let mut outcome = Outcome::redraw();
    if is_new && rings && state.ring {
        let words = &request.words;
        outcome.effects.push(Effect::Ring(format!("{} asks: {} on {}", words.who, words.kind, words.connection)));
    }
    state.approvals.listing.put(id.clone(), request);
    state.approvals.forget_layout(&id);
    if !is_same {
        disarm_changed(state, &id);
    }
    outcome
}

/// What changed since the first key was pressed is not what was agreed to.
fn disarm_changed(state: &mut State, id: &ApprovalId) {
    let Overlay::Approve(armed) = &state.overlay else { return };
    if armed.id == *id {
        disarm(state, "the request changed; look at it again");
    }
}

fn sessions(state: &mut State, items: Vec<SessionItem>) -> Outcome {
    let mut changed = false;
    for item in items {
        changed |= session(state, item, false);
    }
    Outcome::when(changed)
}

/// One session. One that was over before anybody saw it live is for the replays.
fn session(state: &mut State, item: SessionItem, _is_event: bool) -> bool {
    let id = item.id.clone();
    let mut new = Conversation::new(item);
    let known = state.sessions.listing.find(&id);
    if known.is_none() && (!new.is_live() || state.sessions.listing.len() >= MOST_ROWS) {
        return false;
    }
    if known.is_some_and(|known| is_same(&known.item, &new.item)) {
        return false;
    }
    new.ended_seen_at_millis = known.and_then(|known| known.ended_seen_at_millis);
    if !new.is_live() {
        new.ended_seen_at_millis = new.ended_seen_at_millis.or(Some(state.now_millis));
    }
    state.sessions.listing.put(id, new);
    true
}

fn is_same(one: &SessionItem, other: &SessionItem) -> bool {
    let face = |item: &SessionItem| (item.operations, item.refused, item.held, item.masked, item.ended_at_millis);
    face(one) == face(other)
}
