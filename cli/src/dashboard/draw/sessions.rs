//! The page of sessions: the list, or the one that is watched.

use ratatui::layout::Rect;

use super::brush::{Brush, Cell, row};
use crate::{
    dashboard::{
        moments,
        state::{Conversation, Follow, Link, State, Watching},
    },
    paint::{Role, Sign},
};

/// Draws the page.
pub(super) fn draw(state: &State, area: Rect, brush: &mut Brush<'_>) {
    match &state.sessions.watching {
        Some(watching) => watched(state, watching, area, brush),
        None => list(state, area, brush),
    }
}

fn list(state: &State, area: Rect, brush: &mut Brush<'_>) {
    let listing = &state.sessions.listing;
    let heading = ["", "WHO", "CONNECTION", "STARTED", "ASKED", "REFUSED", "HELD", "MASKED", "SESSION"];
    brush.cells(row(area, 0), &cells(heading, area.width, Role::Dim, Role::Dim));
    if listing.listed() == 0 {
        let text = match (listing.filter().is_empty(), &state.link) {
            (false, _) => "  Nothing matches the filter; esc drops it.",
            (true, Link::Connecting) => "  Asking the gateway …",
            (true, Link::Live | Link::Lost { .. }) => "  No session is open that you may see.",
        };
        brush.text(row(area, 2), text, Role::Dim);
    }
    for (index, (_id, session, is_selected)) in listing.window().enumerate() {
        let place = row(area, index + 1);
        session_row(session, area.width, place, brush);
        if is_selected {
            brush.tint(place, Role::Selection);
        }
    }
    if !listing.filter().is_empty() {
        let text = format!("/{} {} of {} ", listing.filter(), listing.listed(), listing.len());
        brush.text_right(row(area, 0), &crate::output::printable_line(&text), Role::Accent);
    }
}

fn session_row(session: &Conversation, width: u16, place: Rect, brush: &mut Brush<'_>) {
    let item = &session.item;
    let numbers = [item.operations, item.refused, item.held, item.masked].map(|number| number.to_string());
    let [operations, refused, held, masked] = &numbers;
    let started = moments::clock_time(item.started_at_millis);
    let sign = brush.sign(if session.is_live() { Sign::Live } else { Sign::Stopped });
    let (role, of_sign) = if session.is_live() { (Role::Text, Role::Ok) } else { (Role::Dim, Role::Dim) };
    let words =
        [sign, &session.who, &session.connection, &started, operations, refused, held, masked, item.id.as_str()];
    let mut cells = cells(words, width, role, of_sign);
    for (cell, number) in cells.iter_mut().skip(5).zip([item.refused, item.held, item.masked]) {
        if number > 0 && session.is_live() {
            cell.role = Role::Accent;
        }
    }
    brush.cells(place, &cells);
}

fn cells(words: [&str; 9], width: u16, role: Role, sign: Role) -> [Cell<'_>; 9] {
    let (who, connection) = if width >= 140 { (40, 24) } else { (17, 12) };
    let taken = 2 + who + connection + 8 + 5 + 7 + 5 + 6 + 8;
    let widths = [2, who, connection, 8, 5, 7, 5, 6, usize::from(width).saturating_sub(taken)];
    let mut widths = widths.into_iter();
    let mut roles = std::iter::once(sign).chain(std::iter::repeat(role));
    words.map(|text| Cell { text, width: widths.next().unwrap_or(0), role: roles.next().unwrap_or(role) })
}

fn watched(state: &State, watching: &Watching, area: Rect, brush: &mut Brush<'_>) {
    let who = state.sessions.listing.find(&watching.session);
    let who = who.map(|session| format!("{} on {}", session.who, session.connection)).unwrap_or_default();
    let word = match &watching.follow {
        Follow::Waiting => "asking …",
        Follow::Live if watching.scrolled.is_some() => "live, paused here; G follows",
        Follow::Live => "live",
        Follow::Over => "over",
        Follow::Failed(_) => "cannot be watched",
    };
    brush.rule(row(area, 0), &format!("{} {who}, {word}", watching.session), Role::Title);
    if let Follow::Failed(why) = &watching.follow {
        brush.text(row(area, 2), &format!("  {why}"), Role::Bad);
        return;
    }
    let shown = watching.rows.iter().skip(watching.top()).take(watching.room);
    for (index, line) in shown.enumerate() {
        brush.line(row(area, index + 1), line);
    }
}
