//! The page of runs: the list, or the timeline of the one that is open.

use ratatui::layout::Rect;

use super::brush::{Brush, Cell, row};
use crate::{
    dashboard::{
        moments,
        state::{OpenedRun, RunRow, State},
    },
    paint::{Role, Sign},
    runs::lasted,
};

/// Draws the page.
pub(super) fn draw(state: &State, area: Rect, brush: &mut Brush<'_>) {
    match &state.runs.opened {
        Some(opened) => timeline(opened, area, brush),
        None => list(state, area, brush),
    }
}

fn list(state: &State, area: Rect, brush: &mut Brush<'_>) {
    let runs = &state.runs;
    let heading = ["", "WHO", "CONNECTIONS", "COMMAND", "STARTED", "LASTED", "ASKED", "READ", "CHANGED"];
    brush.cells(row(area, 0), &cells(heading, area.width, Role::Dim, Role::Dim));
    match &runs.answer {
        None => brush.text(row(area, 2), "  Asking the gateway …", Role::Dim),
        Some(Err(why)) => brush.text(row(area, 2), &format!("  {why}"), Role::Bad),
        Some(Ok(())) if runs.listing.listed() == 0 => {
            brush.text(row(area, 2), "  No runs that you may see. `hoop exec` begins one.", Role::Dim);
        }
        Some(Ok(())) => {}
    }
    for (index, (_id, run, is_selected)) in runs.listing.window().enumerate() {
        let place = row(area, index + 1);
        run_row(run, area.width, place, brush);
        if is_selected {
            brush.tint(place, Role::Selection);
        }
    }
}

fn run_row(run: &RunRow, width: u16, place: Rect, brush: &mut Brush<'_>) {
    let item = &run.item;
    let numbers = [item.usage.statements, item.usage.rows_read, item.usage.rows_changed];
    let [asked, read, changed] =
        numbers.map(|number| if number == u64::MAX { "?".to_owned() } else { number.to_string() });
    let (sign, role) = match (item.ended_at_millis, item.status) {
        (None, _) => (brush.sign(Sign::Live), Role::Ok),
        (Some(_), Some(0)) => (brush.sign(Sign::Stopped), Role::Dim),
        (Some(_), _) => (brush.sign(Sign::Stopped), Role::Warn),
    };
    let (started, lasted) = (moments::moment(item.started_at_millis), lasted(item));
    let words = [sign, &run.who, &run.connections, &run.command, &started, &lasted, &asked, &read, &changed];
    brush.cells(place, &cells(words, width, Role::Text, role));
}

fn cells(words: [&str; 9], width: u16, role: Role, sign: Role) -> [Cell<'_>; 9] {
    let (who, connections, command) = if width >= 140 { (40, 40, 20) } else { (13, 11, 8) };
    let mut widths = [2, who, connections, command, 20, 7, 6, 6, 7].into_iter();
    let mut roles = std::iter::once(sign).chain(std::iter::repeat(role));
    words.map(|text| Cell { text, width: widths.next().unwrap_or(0), role: roles.next().unwrap_or(role) })
}

fn timeline(opened: &OpenedRun, area: Rect, brush: &mut Brush<'_>) {
    for (index, line) in opened.heading.iter().enumerate() {
        brush.text(row(area, index), &format!(" {line}"), if index == 0 { Role::Accent } else { Role::Dim });
    }
    let shown = opened.lines.iter().skip(opened.top).take(opened.room);
    for (index, line) in shown.enumerate() {
        brush.text(row(area, opened.heading.len() + index), &format!(" {line}"), Role::Text);
    }
    if opened.lines.is_empty() {
        brush.text(row(area, opened.heading.len()), " Nothing happened in it yet.", Role::Dim);
    }
}
