//! The box in which a line is typed.

use ratatui::layout::Rect;

use super::brush::Brush;
use crate::dashboard::state::{Asking, Prompt};

/// Draws it at the bottom of the page.
pub(super) fn draw(prompt: &Prompt, area: Rect, brush: &mut Brush<'_>) {
    let (title, rows) = match &prompt.asking {
        Asking::Filter => ("filter: rows with all of these words".to_owned(), 1),
        Asking::Search => ("search: who:ann on:pg-prod refused held masked since:7d, and what was said".to_owned(), 1),
        Asking::Command => ("command".to_owned(), 1),
        Asking::Deny(id) => (format!("why is {id} denied? the requester is told"), 4),
        Asking::Reason(armed) => (format!("why is {} approved? recorded, and shown to who asked", armed.id), 4),
        Asking::Shape(id) => (format!("approve the shape of {id} for how long, up to how many rows?"), 1),
        Asking::Kill(session) => (format!("why is {session} killed? whose it is, is told"), 4),
    };
    let height = (rows + 2).min(area.height);
    let inside = brush.panel(Rect { y: area.bottom() - height, height, ..area }, &title);
    brush.widget(&prompt.area, inside);
}
