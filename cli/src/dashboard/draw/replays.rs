//! The page of replays: what a search found, or the player.

use ratatui::layout::Rect;

use super::brush::{Brush, Cell, row};
use crate::{
    dashboard::{
        moments,
        state::{Conversation, State},
    },
    output::printable_line,
    paint::{Role, Sign},
    sessions::took,
};

/// Draws the page.
pub(super) fn draw(state: &State, area: Rect, brush: &mut Brush<'_>) {
    match &state.replays.player {
        Some(player) => brush.player(player, area),
        None => list(state, area, brush),
    }
}

fn list(state: &State, area: Rect, brush: &mut Brush<'_>) {
    let replays = &state.replays;
    let heading = ["", "WHO", "CONNECTION", "STARTED", "LASTED", "ASKED", "REFUSED", "HELD", "MASKED"];
    brush.cells(row(area, 0), &cells(heading, area.width, Role::Dim, Role::Dim));
    match &replays.answer {
        None => brush.text(row(area, 2), "  Asking the gateway …", Role::Dim),
        Some(Err(why)) => brush.text(row(area, 2), &format!("  {why}"), Role::Bad),
        Some(Ok(())) if replays.listing.listed() == 0 => {
            brush.text(row(area, 2), "  No session that you may see matches; / searches others.", Role::Dim);
        }
        Some(Ok(())) => {}
    }
    for (index, (_id, session, is_selected)) in replays.listing.window().enumerate() {
        let place = row(area, index + 1);
        session_row(session, area.width, place, brush);
        if is_selected {
            brush.tint(place, Role::Selection);
        }
    }
    if !replays.search.is_empty() {
        let partly = replays.listing.all().any(|(_id, session)| session.item.partly_searched);
        let partly = if partly { "? said too much to be searched whole  " } else { "" };
        let text = format!("{partly}/{} ", printable_line(&replays.search));
        brush.text_right(row(area, 0), &text, Role::Accent);
    }
}

fn session_row(session: &Conversation, width: u16, place: Rect, brush: &mut Brush<'_>) {
    let item = &session.item;
    let numbers = [item.operations, item.refused, item.held, item.masked].map(|number| number.to_string());
    let [operations, refused, held, masked] = &numbers;
    let (started, lasted) = (moments::moment(item.started_at_millis), lasted(session));
    let (sign, of_sign) = match (item.partly_searched, session.is_live()) {
        (true, _) => ("?", Role::Warn),
        (false, true) => (brush.sign(Sign::Live), Role::Ok),
        (false, false) => (brush.sign(Sign::Stopped), Role::Dim),
    };
    let words = [sign, &session.who, &session.connection, &started, &lasted, operations, refused, held, masked];
    brush.cells(place, &cells(words, width, Role::Text, of_sign));
}

fn cells(words: [&str; 9], width: u16, role: Role, sign: Role) -> [Cell<'_>; 9] {
    let (who, connection) = if width >= 140 { (40, 24) } else { (13, 9) };
    let mut widths = [2, who, connection, 20, 6, 5, 7, 4, 6].into_iter();
    let mut roles = std::iter::once(sign).chain(std::iter::repeat(role));
    words.map(|text| Cell { text, width: widths.next().unwrap_or(0), role: roles.next().unwrap_or(role) })
}

fn lasted(session: &Conversation) -> String {
    let Some(ended) = session.item.ended_at_millis else { return "live".to_owned() };
    let millis = u64::try_from(ended.saturating_sub(session.item.started_at_millis)).unwrap_or(0);
    took(millis.saturating_mul(1000))
}
