//! The operations, with the one that it is about in sight: what happened of each, when, and how it begins.

use std::time::Duration;

use ratatui::{buffer::Buffer, layout::Rect};

use super::framed;
use crate::{
    output::printable_line,
    paint::{Role, Sign, Theme, cut},
    replay::{
        player::Player,
        script::{Operation, stamp},
    },
};

/// From this width on, times have milliseconds.
const EXACT: u16 = 44;

pub(super) fn draw(player: &Player, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let operations = player.script.operations();
    let current = player.current().map(|(index, _)| index);
    let asked = operations.partition_point(|one| one.at <= player.position);
    let inner = framed(&format!("operations {asked}/{}", operations.len()), Role::Title, theme, area, buffer);
    let height = usize::from(inner.height);
    // The current one in the middle, but no empty rows where there is more to show.
    let middle = current.unwrap_or(0).saturating_sub(height / 2);
    let first = middle.min(operations.len().saturating_sub(height));
    let digits = operations.last().map_or(1, |last| last.number.to_string().len());
    let shown = operations.iter().enumerate().skip(first).take(height);
    for ((index, one), row) in shown.zip(inner.top()..) {
        let is_current = current == Some(index);
        draw_row(one, is_current, digits, player, theme, Rect { y: row, height: 1, ..inner }, buffer);
    }
}

fn draw_row(
    one: &Operation,
    is_current: bool,
    digits: usize,
    player: &Player,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
) {
    let at = player.position;
    let is_ahead = one.at > at;
    let role = match (is_current, is_ahead) {
        (true, _) => Role::Selection,
        (false, true) => Role::Dim,
        (false, false) => Role::Text,
    };
    buffer.set_style(area, theme.style(role));
    let (sign, sign_role) = one.state(at).map_or((" ", role), |(sign, role)| (theme.sign(sign), role));
    let masked = if one.is_masked(at) { theme.sign(Sign::Masked) } else { " " };
    let pointer = if is_current { theme.sign(Sign::Pointer) } else { " " };
    let facts = format!(" {:>digits$} {} ", one.number, time(one.at, area.width));
    let room = usize::from(area.width);
    let mut column = area.x;
    let mut put = |text: &str, role: Role| {
        let left = room.saturating_sub(usize::from(column - area.x));
        (column, _) = buffer.set_stringn(column, area.y, text, left, theme.style(role));
    };
    put(pointer, role);
    put(sign, if is_current { role } else { sign_role });
    put(masked, if is_current { role } else { Role::Masked });
    put(&facts, if is_current || is_ahead { role } else { Role::Dim });
    let left = room.saturating_sub(3 + facts.len());
    put(&cut(&beginning(&one.text, left), left, theme), role);
}

fn time(at: Duration, width: u16) -> String {
    let exact = stamp(at);
    if width >= EXACT { exact } else { exact.split('.').next().unwrap_or_default().to_owned() }
}

/// As much of a text, on one line, as could fit.
fn beginning(text: &str, room: usize) -> String {
    let start: String = text.chars().take(room.saturating_mul(4)).collect();
    printable_line(&start.split_whitespace().collect::<Vec<_>>().join(" "))
}
