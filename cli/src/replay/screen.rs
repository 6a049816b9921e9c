//! Draws the player into any rectangle: who it was, the operations, the one that it is about, the timeline, the keys.
//!
//! Pure: the player and a theme in, cells out. Called by `hoop replay` and by the dashboard.

mod detail;
mod list;
mod timeline;

use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Layout, Rect},
    text::{Line, Span},
    widgets::{Block, Clear, Paragraph, Widget as _},
};

use super::{
    emulator::Emulator,
    player::{HELP, Player},
    script::stamp,
};
use crate::paint::{Role, Sign, Theme, cut, width};

/// Below this there is nothing to be seen.
const LEAST: (u16, u16) = (24, 8);
/// From this width on, list and detail stand side by side.
const SIDE_BY_SIDE: u16 = 70;

/// Draws one frame.
pub(crate) fn draw(player: &Player, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let area = area.intersection(buffer.area);
    if area.is_empty() {
        return;
    }
    Clear.render(area, buffer);
    buffer.set_style(area, theme.style(Role::Text));
    if area.width < LEAST.0 || area.height < LEAST.1 {
        buffer.set_stringn(area.x, area.y, "too small", usize::from(area.width), theme.style(Role::Dim));
        return;
    }
    let [title, body, line, status] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(1), Constraint::Length(2), Constraint::Length(1)])
            .areas(area);
    bar(&format!(" {}", player.script.title), theme, title, buffer);
    draw_body(player, theme, body, buffer);
    timeline::draw(player, theme, line, buffer);
    draw_status(player, theme, status, buffer);
    if player.help {
        draw_help(theme, body, buffer);
    }
    theme.settle(area, buffer);
}

fn draw_body(player: &Player, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let main = if player.script.operations().is_empty() {
        area
    } else {
        let (list, main) = if area.width >= SIDE_BY_SIDE {
            let [list, main] = Layout::horizontal([Constraint::Percentage(38), Constraint::Min(1)]).areas(area);
            (list, main)
        } else {
            let [list, main] = Layout::vertical([Constraint::Percentage(35), Constraint::Min(1)]).areas(area);
            (list, main)
        };
        list::draw(player, theme, list, buffer);
        main
    };
    match &player.emulator {
        Some(emulator) => draw_terminal(emulator, theme, main, buffer),
        None => detail::draw(player, theme, main, buffer),
    }
}

fn draw_terminal(emulator: &Emulator, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let (columns, rows) = emulator.size();
    let fits =
        columns <= usize::from(area.width.saturating_sub(2)) && rows <= usize::from(area.height.saturating_sub(2));
    let title = format!("terminal {columns}x{rows}{}", if fits { "" } else { ", larger than this window" });
    let inner = framed(&title, Role::Title, theme, area, buffer);
    emulator.draw(theme, inner, buffer);
}

/// Draws a box with a title, and gives the room inside.
fn framed(title: &str, role: Role, theme: Theme, area: Rect, buffer: &mut Buffer) -> Rect {
    let title = cut(title, usize::from(area.width.saturating_sub(4)), theme);
    let block = Block::bordered()
        .border_set(theme.borders())
        .border_style(theme.style(Role::Border))
        .title(Span::styled(format!(" {title} "), theme.style(role)));
    let inner = block.inner(area);
    block.render(area, buffer);
    inner
}

fn bar(text: &str, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let text = cut(text, usize::from(area.width), theme);
    Paragraph::new(text).style(theme.style(Role::Bar)).render(area, buffer);
}

/// Where it stands, and what was asked or said last.
fn draw_status(player: &Player, theme: Theme, area: Rect, buffer: &mut Buffer) {
    if let Some(prompt) = &player.prompt {
        let text = format!(" {}{}{}", prompt.sign(), prompt.text, "_");
        return bar(&text, theme, area, buffer);
    }
    let sign = match (player.is_over(), player.playing) {
        (true, _) => Sign::Stopped,
        (false, true) => Sign::Playing,
        (false, false) => Sign::Paused,
    };
    let mut left =
        format!(" {} {} / {}  x{}", theme.sign(sign), stamp(player.position), stamp(player.script.end()), player.speed);
    left.extend(player.current().map(|(_, one)| format!("  #{}", one.number)));
    if let Some(search) = &player.search {
        let passed = search.found.partition_point(|at| *at <= player.position);
        let text = cut(&search.text, 16, theme);
        left.extend(["  /", &text, &format!(" {passed} of {}", search.found.len())]);
    }
    let keys = if player.note.is_some() { "" } else { "space play  r/h/m next  / find  ? keys " };
    let right = player.note.as_deref().unwrap_or(keys);
    let room = usize::from(area.width).saturating_sub(width(&left) + 2);
    let right = if width(right) > room && player.note.is_none() { "? keys " } else { right };
    let right = cut(right, room, theme);
    let gap = usize::from(area.width).saturating_sub(width(&left) + width(&right));
    bar(&format!("{left}{}{right}", " ".repeat(gap)), theme, area, buffer);
}

fn draw_help(theme: Theme, body: Rect, buffer: &mut Buffer) {
    let rows = u16::try_from(HELP.len()).unwrap_or(u16::MAX).saturating_add(2);
    let area = body.centered(Constraint::Length(60), Constraint::Length(rows));
    Clear.render(area, buffer);
    buffer.set_style(area, theme.style(Role::Text));
    let inner = framed("keys", Role::Title, theme, area, buffer);
    for ((keys, meaning), row) in HELP.iter().zip(inner.top()..inner.bottom()) {
        let line = Line::from(vec![
            Span::styled(format!(" {keys:<18}"), theme.style(Role::Accent)),
            Span::styled(*meaning, theme.style(Role::Text)),
        ]);
        buffer.set_line(inner.x, row, &line, inner.width);
    }
}

#[cfg(test)]
mod tests;
