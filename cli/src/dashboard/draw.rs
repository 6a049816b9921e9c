//! The state on the screen, and what of it could be read there. Pure: the same state draws the same cells.

mod approvals;
mod brush;
mod chrome;
mod help;
mod pages;
mod prompt;
mod replays;
mod runs;
mod sessions;

pub(crate) use chrome::tab_at;

use std::ops::Range;

use ratatui::{buffer::Buffer, layout::Rect};

use super::{
    layout::SMALLEST,
    state::{Overlay, State, Tab},
};
use crate::paint::Role;
use brush::Brush;

/// What was drawn that matters for what may be decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    /// The rows of the selected request that nothing lay over.
    pub(crate) request_rows: Option<Range<usize>>,
}

/// Draws everything.
pub(crate) fn draw(state: &State, buffer: &mut Buffer) -> Shown {
    let screen = buffer.area;
    let mut brush = Brush::new(buffer, state.theme);
    brush.fill(screen, Role::Text);
    let is_as_told = (screen.width, screen.height) == state.size;
    let shown = match page(state, &mut brush) {
        Some(shown) if is_as_told => shown,
        // The screen just changed; the next frame knows its size.
        Some(_elsewhere) => Shown::default(),
        None => too_small(screen, &mut brush),
    };
    state.theme.settle(screen, buffer);
    shown
}

fn page(state: &State, brush: &mut Brush<'_>) -> Option<Shown> {
    let areas = state.areas()?;
    chrome::title(state, areas.title, brush);
    chrome::tabs(state, areas.tabs, brush);
    chrome::banner(state, areas.banner, brush);
    let mut shown = Shown::default();
    match state.tab {
        Tab::Approvals => shown = approvals::draw(state, &areas, brush),
        Tab::Sessions => sessions::draw(state, areas.body, brush),
        Tab::Replays => replays::draw(state, areas.body, brush),
        Tab::Runs => runs::draw(state, areas.body, brush),
        Tab::Health => pages::health(state, areas.body, brush),
    }
    chrome::notice(state, areas.notice, brush);
    chrome::hints(state, areas.hints, brush);
    match &state.overlay {
        Overlay::Help { scrolled } => help::draw(state, *scrolled, areas.body, brush),
        Overlay::Prompt(prompt) => prompt::draw(prompt, areas.body, brush),
        Overlay::Nothing | Overlay::Approve(_) | Overlay::Kill(_) => return Some(shown),
    }
    // Something lies over the page: what is beneath was not seen.
    Some(Shown::default())
}

fn too_small(screen: Rect, brush: &mut Brush<'_>) -> Shown {
    let lines = [
        format!("This screen has {} columns and {} rows;", screen.width, screen.height),
        format!("the dashboard needs {} and {}.", SMALLEST.0, SMALLEST.1),
        "Make it larger, or press ctrl-c.".to_owned(),
    ];
    for (y, line) in (screen.y..screen.bottom()).zip(&lines) {
        brush.text(Rect::new(screen.x, y, screen.width, 1), line, Role::Accent);
    }
    Shown::default()
}

#[cfg(test)]
mod tests;
