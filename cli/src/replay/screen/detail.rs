//! The operation that it is about: its whole text, highlighted, its parameters, what was decided and by whom, and its
//! result, as far as they were known at the position.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
};

use super::framed;
use crate::{
    paint::{Painted, Role, Sign, Theme},
    replay::{
        player::Player,
        script::{Fact, Operation, ScriptLine, Tone, stamp},
    },
};

/// Labels stand in a column of this width.
const LABEL_WIDTH: usize = 10;
/// From this width on, facts have times.
const TIMED: u16 = 60;

pub(super) fn draw(player: &Player, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let current = player.current().map(|(_, one)| one);
    let title = current.map_or_else(|| "session".to_owned(), |one| title(one, player, theme));
    let role = current.and_then(|one| one.state(player.position)).map_or(Role::Title, |(_, role)| role);
    let inner = framed(&title, role, theme, area, buffer);
    let below = match current {
        Some(one) => rest(one, player, theme, inner.width),
        None => around(player, theme, inner.width),
    };
    player.with_statement(inner.width, theme, |statement| {
        let height = usize::from(inner.height);
        let deepest = (statement.len() + below.len()).saturating_sub(height);
        player.deepest.set(deepest);
        let top = player.scrolled.min(deepest);
        for (line, row) in statement.iter().chain(&below).skip(top).take(height).zip(inner.top()..) {
            buffer.set_line(inner.x, row, line, inner.width);
        }
        let edge = area.right().saturating_sub(1);
        let mut more = |is_more: bool, sign: Sign, row: u16| {
            if is_more && let Some(cell) = buffer.cell_mut((edge, row)) {
                cell.set_symbol(theme.sign(sign)).set_style(theme.style(Role::Accent));
            }
        };
        more(top > 0, Sign::Up, area.top());
        more(top < deepest, Sign::Down, area.bottom().saturating_sub(1));
    });
}

fn title(one: &Operation, player: &Player, theme: Theme) -> String {
    let word = one.facts(player.position).filter(|fact| fact.sign.is_some_and(|sign| sign != Sign::Masked)).last();
    match word {
        Some(fact) if fact.label == "outcome" => format!("#{} {}", one.number, fact.text),
        Some(fact) => format!("#{} {} {}", one.number, fact.sign.map_or(" ", |sign| theme.sign(sign)), fact.label),
        None => format!("#{}", one.number),
    }
}

/// Everything below the statement.
fn rest(one: &Operation, player: &Player, theme: Theme, width: u16) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for parameter in &one.parameters {
        lines.extend(Painted::text(Role::Parameter, parameter).lines(width, theme));
    }
    lines.push(Line::default());
    for fact in one.facts(player.position) {
        lines.extend(fact_lines(fact, theme, width));
    }
    let seen = player.seen().len();
    let results = one.results.iter().filter(|index| **index < seen);
    for cue in results.filter_map(|index| player.script.cues().get(*index)) {
        lines.push(Line::default());
        lines.extend(cue.lines.iter().flat_map(|line| transcript(line, theme, width)));
    }
    lines
}

fn fact_lines(fact: &Fact, theme: Theme, width: u16) -> Vec<Line<'static>> {
    let sign = fact.sign.map_or(" ", |sign| theme.sign(sign));
    let time = if width >= TIMED { format!("{} ", stamp(fact.at)) } else { String::new() };
    let indent = time.len() + 2 + LABEL_WIDTH + 1;
    let room = width.saturating_sub(u16::try_from(indent).unwrap_or(u16::MAX));
    let rows = Painted::text(Role::Text, &fact.text).lines(room, theme);
    let mut rows = rows.into_iter();
    let mut first = rows.next().unwrap_or_default();
    let label = format!("{sign} {:<LABEL_WIDTH$} ", fact.label);
    first.spans.insert(0, Span::styled(label, theme.style(fact.role)));
    first.spans.insert(0, Span::styled(time, theme.style(Role::Dim)));
    let others = rows.map(|mut row| {
        row.spans.insert(0, Span::raw(" ".repeat(indent)));
        row
    });
    std::iter::once(first).chain(others).collect()
}

/// What is said before any operation: who began it.
fn around(player: &Player, theme: Theme, width: u16) -> Vec<Line<'static>> {
    let lines = player.seen().iter().flat_map(|cue| &cue.lines);
    lines.flat_map(|line| transcript(line, theme, width)).collect()
}

fn transcript(line: &ScriptLine, theme: Theme, width: u16) -> Vec<Line<'static>> {
    let role = match line.tone {
        Tone::Plain | Tone::Statement => Role::Text,
        Tone::Good => Role::Ok,
        Tone::Bad => Role::Bad,
        Tone::Waiting => Role::Held,
        Tone::Quiet => Role::Dim,
    };
    Painted::text(role, &line.text).lines(width, theme)
}
