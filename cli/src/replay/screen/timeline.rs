//! The timeline: how much was played, and where something was refused, held or masked.

use std::time::Duration;

use ratatui::{buffer::Buffer, layout::Rect};

use crate::{
    paint::{Role, Sign, Theme},
    replay::{player::Player, script::Mark},
};

pub(super) fn draw(player: &Player, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let width = area.width.saturating_sub(2);
    let left = area.x + 1;
    let here = column(player.position, player.script.end(), width);
    for offset in 0..width {
        let (sign, role) = match offset.cmp(&here) {
            std::cmp::Ordering::Less => (Sign::Behind, Role::Accent),
            std::cmp::Ordering::Equal => (Sign::Here, Role::Accent),
            std::cmp::Ordering::Greater => (Sign::Ahead, Role::Dim),
        };
        put(sign, role, (left + offset, area.bottom().saturating_sub(1)), theme, buffer);
    }
    let mut strongest: Vec<Option<Mark>> = vec![None; usize::from(width)];
    for (at, mark) in player.script.marks() {
        let place = strongest.get_mut(usize::from(column(*at, player.script.end(), width)));
        if let Some(place) = place {
            *place = (*place).max(Some(*mark));
        }
    }
    for (mark, offset) in strongest.into_iter().zip(0..) {
        let (sign, role) = match mark {
            Some(Mark::Refused) => (Sign::Refused, Role::Bad),
            Some(Mark::Held) => (Sign::Held, Role::Held),
            Some(Mark::Masked) => (Sign::Masked, Role::Masked),
            None => continue,
        };
        put(sign, role, (left + offset, area.top()), theme, buffer);
    }
}

fn put(sign: Sign, role: Role, place: (u16, u16), theme: Theme, buffer: &mut Buffer) {
    if let Some(cell) = buffer.cell_mut(place) {
        cell.set_symbol(theme.sign(sign)).set_style(theme.style(role));
    }
}

/// Which column a time has.
fn column(at: Duration, end: Duration, width: u16) -> u16 {
    let last = u128::from(width.saturating_sub(1));
    let column = at.as_micros().min(end.as_micros()).saturating_mul(last).checked_div(end.as_micros());
    u16::try_from(column.unwrap_or(last)).unwrap_or(0)
}
