//! The mouse, where it is wanted: the wheel scrolls, a click selects. It decides nothing.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::{Outcome, keyed};
use crate::dashboard::{
    draw::tab_at,
    keys::Mode,
    state::{Overlay, State},
};

/// One turn of the wheel.
const WHEEL_ROWS: isize = 3;

/// What the mouse did.
#[expect(clippy::wildcard_enum_match_arm, reason = "most of what a mouse does means nothing here")]
pub(super) fn mouse(state: &mut State, mouse: MouseEvent) -> Outcome {
    match mouse.kind {
        MouseEventKind::ScrollDown => wheel(state, mouse, WHEEL_ROWS),
        MouseEventKind::ScrollUp => wheel(state, mouse, -WHEEL_ROWS),
        MouseEventKind::Down(MouseButton::Left) => click(state, mouse),
        _ => Outcome::nothing(),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "most of what a mouse does means nothing here")]
fn wheel(state: &mut State, mouse: MouseEvent, rows: isize) -> Outcome {
    let Some(areas) = state.areas() else { return Outcome::nothing() };
    let over_detail = areas.detail.contains(Position::new(mouse.column, mouse.row));
    match state.mode() {
        Mode::Approvals if !over_detail => state.approvals.listing.move_by(rows),
        Mode::Approvals | Mode::Reading | Mode::Approving => state.approvals.scroll_by(rows),
        Mode::Sessions => state.sessions.listing.move_by(rows),
        Mode::Watching => {
            if let Some(watching) = &mut state.sessions.watching {
                watching.scroll_by(rows);
            }
        }
        _ => return Outcome::nothing(),
    }
    Outcome::redraw()
}

#[expect(clippy::wildcard_enum_match_arm, reason = "most of what a mouse does means nothing here")]
fn click(state: &mut State, mouse: MouseEvent) -> Outcome {
    let Some(areas) = state.areas() else { return Outcome::nothing() };
    if !matches!(state.overlay, Overlay::Nothing) {
        return Outcome::nothing();
    }
    let place = Position::new(mouse.column, mouse.row);
    if areas.tabs.contains(place) {
        return tab_at(mouse.column).map_or_else(Outcome::nothing, |tab| keyed::go_to(state, tab));
    }
    let row = |top: u16| usize::from(mouse.row.saturating_sub(top + 1));
    match state.mode() {
        Mode::Approvals if areas.list.contains(place) && mouse.row > areas.list.y => {
            let place = state.approvals.listing.visible().start + row(areas.list.y);
            state.approvals.listing.go_to(place);
        }
        Mode::Sessions if areas.body.contains(place) && mouse.row > areas.body.y => {
            let place = state.sessions.listing.visible().start + row(areas.body.y);
            state.sessions.listing.go_to(place);
        }
        _ => return Outcome::nothing(),
    }
    Outcome::redraw()
}
