//! Draws the player: a title, the conversation so far, and a line of state and keys. Knows no terminal.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{
    player::Player,
    script::{ScriptLine, Tone, stamp},
};

/// Draws one frame.
pub(super) fn draw(player: &Player, colour: bool, frame: &mut Frame<'_>) {
    let [title, body, state, keys] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(1), Constraint::Length(1), Constraint::Length(1)])
            .areas(frame.area());
    let bar = Style::new().add_modifier(Modifier::REVERSED);
    frame.render_widget(Paragraph::new(format!(" {}", player.script.title)).style(bar), title);
    frame.render_widget(Paragraph::new(visible(player, colour, body)), body);
    frame.render_widget(Paragraph::new(state_line(player, state.width)), state);
    let help = " space pause  ←→ 5 s  n/p operation  +/- speed  ↑↓ scroll  q quit";
    frame.render_widget(Paragraph::new(help).style(Style::new().add_modifier(Modifier::DIM)), keys);
}

/// The newest lines that fit, built from the end, so that a long session draws as fast as a short one.
fn visible(player: &Player, colour: bool, area: Rect) -> Vec<Line<'static>> {
    let height = usize::from(area.height);
    let wanted = height.saturating_add(player.scrolled);
    let mut newest_first = Vec::new();
    for cue in player.seen().iter().rev() {
        for line in cue.lines.iter().rev() {
            newest_first.extend(wrapped(line, usize::from(area.width), colour).into_iter().rev());
        }
        if newest_first.len() >= wanted {
            break;
        }
    }
    let skipped = player.scrolled.min(newest_first.len().saturating_sub(height));
    let mut shown: Vec<Line<'static>> = newest_first.into_iter().skip(skipped).take(height).collect();
    shown.reverse();
    shown
}

/// One line as many as the width needs.
fn wrapped(line: &ScriptLine, width: usize, colour: bool) -> Vec<Line<'static>> {
    let style = style(line.tone, colour);
    let mut rows = Vec::new();
    let mut row = String::new();
    let mut used = 0;
    for letter in line.text.chars() {
        let wide = Span::raw(letter.to_string()).width();
        if used + wide > width && !row.is_empty() {
            rows.push(Line::styled(std::mem::take(&mut row), style));
            used = 0;
        }
        row.push(letter);
        used += wide;
    }
    rows.push(Line::styled(row, style));
    rows
}

fn state_line(player: &Player, width: u16) -> Line<'static> {
    let sign = if player.is_over() {
        "■"
    } else if player.paused {
        "‖"
    } else {
        "▶"
    };
    let operation = player.operation().map(|number| format!("  #{number}")).unwrap_or_default();
    let text = format!(" {sign} {} / {}  ×{}{operation} ", stamp(player.at), stamp(player.script.end()), player.speed);
    let room = usize::from(width).saturating_sub(Span::raw(text.as_str()).width() + 1);
    let end = player.script.end().as_secs_f64();
    let share = if end > 0.0 { player.at.as_secs_f64() / end } else { 1.0 };
    let filled = (0..room).filter(|cell| cell_is_played(*cell, room, share)).count();
    Line::from(vec![
        Span::raw(text),
        Span::raw("━".repeat(filled)),
        Span::styled("─".repeat(room - filled), Style::new().add_modifier(Modifier::DIM)),
    ])
}

fn cell_is_played(cell: usize, room: usize, share: f64) -> bool {
    let cell = u32::try_from(cell).unwrap_or(u32::MAX);
    let room = u32::try_from(room).unwrap_or(u32::MAX);
    (f64::from(cell) + 1.0) / f64::from(room) <= share
}

fn style(tone: Tone, colour: bool) -> Style {
    let style = Style::new();
    match tone {
        Tone::Statement => style.add_modifier(Modifier::BOLD),
        Tone::Quiet => style.add_modifier(Modifier::DIM),
        Tone::Good if colour => style.fg(Color::Green),
        Tone::Bad if colour => style.fg(Color::Red),
        Tone::Waiting if colour => style.fg(Color::Yellow),
        Tone::Plain | Tone::Good | Tone::Bad | Tone::Waiting => style,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ratatui::{Terminal, backend::TestBackend};

    use super::*;
    use crate::replay::script::{Script, tests::session};

    fn drawn(seconds: u64, scrolled: usize, width: u16, height: u16) -> TestBackend {
        let mut player = Player::new(Script::new(&session(), None), 2.0, None);
        player.at = Duration::from_secs(seconds).min(player.script.end());
        player.scrolled = scrolled;
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
        terminal.draw(|frame| draw(&player, true, frame)).expect("draws");
        terminal.backend().clone()
    }

    #[test]
    fn shows_what_happened_so_far() {
        insta::assert_snapshot!(drawn(10, 0, 70, 24));
    }

    #[test]
    fn keeps_the_newest_lines_on_a_small_screen() {
        insta::assert_snapshot!(drawn(66, 0, 44, 10));
    }

    #[test]
    fn scrolls_back_and_not_beyond_the_beginning() {
        assert_eq!(drawn(66, 1000, 60, 12).to_string(), drawn(66, 999, 60, 12).to_string());
        assert!(drawn(66, 1000, 60, 12).to_string().contains("session of"));
    }
}
