//! The help: every key that works now, from the table of keys.

use ratatui::layout::Rect;

use super::brush::{Brush, Cell, row};
use crate::{
    dashboard::{
        keys::{self, Mode},
        state::{State, Tab},
    },
    paint::Role,
};

/// Draws it over the page.
pub(super) fn draw(state: &State, scrolled: usize, area: Rect, brush: &mut Brush<'_>) {
    let bindings: Vec<_> = keys::live(beneath(state)).collect();
    let height = u16::try_from(bindings.len() + 2).unwrap_or(u16::MAX).min(area.height);
    let width = area.width.min(84);
    let place = Rect { x: area.x + (area.width - width) / 2, y: area.y, width, height };
    let inside = brush.panel(place, &format!("keys here, on {}", state.tab.name()));
    let top = scrolled.min(bindings.len().saturating_sub(usize::from(inside.height)));
    for (index, binding) in bindings.iter().skip(top).take(usize::from(inside.height)).enumerate() {
        let keys = binding.keys();
        let cells = [
            Cell { text: &keys, width: 16, role: Role::Accent },
            Cell { text: binding.says, width: usize::from(inside.width.saturating_sub(17)), role: Role::Text },
        ];
        brush.cells(row(inside, index), &cells);
    }
}

/// What the keys mean beneath the help.
fn beneath(state: &State) -> Mode {
    match state.tab {
        Tab::Approvals if state.approvals.zoomed => Mode::Reading,
        Tab::Approvals => Mode::Approvals,
        Tab::Sessions if state.sessions.watching.is_some() => Mode::Watching,
        Tab::Sessions => Mode::Sessions,
        Tab::Replays if state.replays.player.is_some() => Mode::Playing,
        Tab::Replays => Mode::Replays,
        Tab::Runs => Mode::Runs,
        Tab::Health => Mode::Health,
    }
}
