//! Plays a recorded terminal into a real terminal emulator, and draws what it would show, cell by cell.
//!
//! Two kinds of events hold a terminal's recording:
//!
//! - `terminal_resize`, fields `columns` and `rows`: digits; the first one comes before any output;
//! - `terminal_output`, field `data`: what the program wrote, as text. A character whose bytes came in two writes is in
//!   the second one; bytes that are no UTF-8 stand as U+FFFD.
//!
//! What is recorded is interpreted here and nowhere else: it reaches the watcher's terminal as cells of printable
//! characters, never as the bytes that it was. Going back uses snapshots, of which a bounded number is kept.

use std::{collections::BTreeMap, fmt, time::Duration};

use avt::Terminal;
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Modifier, Style},
};

use crate::{output::is_shown_as_it_is, paint::Theme};

/// What a terminal did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A program wrote this.
    Output(String),
    /// It became so many columns and rows.
    Resize(usize, usize),
}

/// A larger terminal is not emulated.
const MAX_COLUMNS: usize = 512;
const MAX_ROWS: usize = 256;
/// The size before anything is known.
const STANDARD: (usize, usize) = (80, 24);
/// As many snapshots are kept.
const MAX_SNAPSHOTS: usize = 64;
/// So much is played between two of them, at first.
const SNAPSHOT_BYTES: usize = 64 << 10;

/// Reads an event of a terminal; `None` for every other kind.
pub(crate) fn step(kind: &str, fields: &BTreeMap<String, String>) -> Option<Step> {
    let number = |name: &str| fields.get(name).and_then(|text| text.parse::<usize>().ok());
    match kind {
        "terminal_output" => Some(Step::Output(fields.get("data").cloned().unwrap_or_default())),
        "terminal_resize" => {
            let columns = number("columns").unwrap_or(STANDARD.0).clamp(1, MAX_COLUMNS);
            Some(Step::Resize(columns, number("rows").unwrap_or(STANDARD.1).clamp(1, MAX_ROWS)))
        }
        _ => None,
    }
}

/// The terminal after some steps, from which playing can go on.
#[derive(Debug, Clone)]
struct Snapshot {
    steps: usize,
    size: (usize, usize),
    /// What brings an empty terminal of that size there.
    dump: String,
}

/// A recorded terminal at one moment.
pub(crate) struct Emulator {
    /// Always there: a terminal is refused only without columns or rows.
    terminal: Option<Terminal>,
    /// How many steps were played.
    played: usize,
    snapshots: Vec<Snapshot>,
    bytes_since: usize,
    bytes_between: usize,
}

impl fmt::Debug for Emulator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Emulator").field("played", &self.played).finish_non_exhaustive()
    }
}

impl Clone for Emulator {
    /// The same moment, reached in another terminal.
    fn clone(&self) -> Self {
        let mut terminal = terminal(self.size());
        if let (Some(terminal), Some(own)) = (&mut terminal, &self.terminal) {
            terminal.feed(own.dump().as_str());
        }
        Self { terminal, snapshots: self.snapshots.clone(), ..*self }
    }
}

impl Emulator {
    /// A terminal on which nothing was written.
    pub(crate) fn new() -> Self {
        let (terminal, snapshots) = (terminal(STANDARD), Vec::new());
        Self { terminal, played: 0, snapshots, bytes_since: 0, bytes_between: SNAPSHOT_BYTES }
    }

    /// Goes to the moment: forward from here, or from the nearest snapshot before it.
    pub(crate) fn seek(&mut self, steps: &[(Duration, Step)], at: Duration) {
        let wanted = steps.partition_point(|(time, _)| *time <= at);
        let nearest = self.snapshots.iter().rev().find(|snapshot| snapshot.steps <= wanted);
        let ahead = nearest.filter(|snapshot| wanted < self.played || snapshot.steps > self.played).cloned();
        match ahead {
            Some(snapshot) => self.restore(&snapshot),
            None if wanted < self.played => {
                self.restore(&Snapshot { steps: 0, size: STANDARD, dump: String::new() });
            }
            None => {}
        }
        for (_, step) in steps.get(self.played..wanted).unwrap_or_default() {
            self.play(step);
        }
    }

    /// How many columns and rows it has.
    pub(crate) fn size(&self) -> (usize, usize) {
        self.terminal.as_ref().map_or(STANDARD, Terminal::size)
    }

    fn play(&mut self, step: &Step) {
        self.played += 1;
        let Some(terminal) = &mut self.terminal else { return };
        match step {
            Step::Output(data) => {
                terminal.feed(data.as_str());
                self.bytes_since += data.len();
            }
            Step::Resize(columns, rows) => terminal.resize(*columns, *rows),
        }
        let is_new = self.snapshots.last().is_none_or(|last| last.steps < self.played);
        if self.bytes_since >= self.bytes_between && is_new {
            self.keep();
        }
    }

    fn keep(&mut self) {
        if self.snapshots.len() >= MAX_SNAPSHOTS {
            // Every other one goes, and the next ones lie twice as far apart.
            let mut index = 0;
            self.snapshots.retain(|_| {
                index += 1;
                index % 2 == 0
            });
            self.bytes_between = self.bytes_between.saturating_mul(2);
        }
        let dump = self.terminal.as_ref().map(Terminal::dump).unwrap_or_default();
        self.snapshots.push(Snapshot { steps: self.played, size: self.size(), dump });
        self.bytes_since = 0;
    }

    fn restore(&mut self, snapshot: &Snapshot) {
        let mut terminal = terminal(snapshot.size);
        if let Some(terminal) = &mut terminal {
            terminal.feed(snapshot.dump.as_str());
        }
        (self.terminal, self.played, self.bytes_since) = (terminal, snapshot.steps, 0);
    }

    /// Draws the screen from its upper left corner; what does not fit is left out.
    pub(crate) fn draw(&self, theme: Theme, area: Rect, buffer: &mut Buffer) {
        let Some(terminal) = &self.terminal else { return };
        for (line, row) in terminal.screen().visible_lines().zip(area.top()..area.bottom()) {
            let mut column = area.left();
            for cell in line.cells() {
                let room = area.right().saturating_sub(column);
                let wide = u16::from(cell.width());
                if wide == 0 {
                    continue;
                }
                if wide > room {
                    break;
                }
                let style = style(cell.pen(), theme);
                if let Some(drawn) = buffer.cell_mut((column, row)) {
                    let shown = if is_shown_as_it_is(cell.char()) { cell.char() } else { '\u{fffd}' };
                    drawn.set_char(shown).set_style(style);
                }
                if wide == 2
                    && let Some(tail) = buffer.cell_mut((column + 1, row))
                {
                    tail.reset();
                    tail.set_style(style);
                }
                column += wide;
            }
        }
        draw_cursor(terminal, area, buffer);
    }
}

fn terminal((columns, rows): (usize, usize)) -> Option<Terminal> {
    Terminal::new(columns.max(1), rows.max(1)).ok()
}

fn draw_cursor(terminal: &Terminal, area: Rect, buffer: &mut Buffer) {
    let Some((column, row)) = terminal.cursor().position() else { return };
    let (Ok(column), Ok(row)) = (u16::try_from(column), u16::try_from(row)) else { return };
    if column < area.width && row < area.height {
        let place = (area.left() + column, area.top() + row);
        if let Some(cell) = buffer.cell_mut(place) {
            cell.modifier.toggle(Modifier::REVERSED);
        }
    }
}

fn style(pen: &avt::Pen, theme: Theme) -> Style {
    let has = [
        (pen.is_bold(), Modifier::BOLD),
        (pen.is_faint(), Modifier::DIM),
        (pen.is_italic(), Modifier::ITALIC),
        (pen.is_underline(), Modifier::UNDERLINED),
        (pen.is_strikethrough(), Modifier::CROSSED_OUT),
        (pen.is_inverse(), Modifier::REVERSED),
    ];
    let modifiers = has.into_iter().filter(|(has, _)| *has).map(|(_, modifier)| modifier);
    let mut style = Style::reset().add_modifier(modifiers.fold(Modifier::empty(), Modifier::union));
    let shown = |colour: avt::Color| {
        theme.foreign(match colour {
            avt::Color::Indexed(index) => Color::Indexed(index),
            avt::Color::RGB(rgb) => Color::Rgb(rgb.r, rgb.g, rgb.b),
        })
    };
    if let Some(colour) = pen.foreground().and_then(shown) {
        style = style.fg(colour);
    }
    if let Some(colour) = pen.background().and_then(shown) {
        style = style.bg(colour);
    }
    style
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::paint::{Depth, ThemeName};

    fn drawn(emulator: &Emulator) -> Buffer {
        let area = Rect::new(0, 0, 90, 30);
        let mut buffer = Buffer::empty(area);
        emulator.draw(Theme::new(ThemeName::Dark, Depth::True, false), area, &mut buffer);
        buffer
    }

    fn millis(at: u64) -> Duration {
        Duration::from_millis(at)
    }

    fn timed(steps: Vec<Step>) -> Vec<(Duration, Step)> {
        (1..).map(millis).zip(steps).collect()
    }

    fn played(steps: &[(Duration, Step)], at: Duration) -> Emulator {
        let mut emulator = Emulator::new();
        emulator.seek(steps, at);
        emulator
    }

    fn rows(emulator: &Emulator) -> Vec<String> {
        let buffer = drawn(emulator);
        let rows = buffer.content().chunks(90);
        rows.map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect::<String>().trim_end().to_owned())
            .collect()
    }

    #[test]
    fn what_a_program_drew_is_drawn_with_its_colours() {
        let steps = timed(vec![
            Step::Resize(20, 3),
            Step::Output("plain \u{1b}[1;31mred\u{1b}[0m\r\nsecond".into()),
            Step::Output("\u{1b}[2J\u{1b}[Hcleared 日".into()),
        ]);
        let before = played(&steps, millis(2));
        assert_eq!(rows(&before).get(..2).unwrap(), ["plain red", "second"]);
        let red = drawn(&before).cell((6, 0)).unwrap().clone();
        assert_eq!((red.fg, red.modifier), (Color::Indexed(1), Modifier::BOLD));
        assert_eq!(rows(&played(&steps, millis(3))).first().unwrap(), "cleared 日");
        assert_eq!(before.size(), (20, 3));
    }

    #[test]
    fn only_events_of_a_terminal_are_steps_and_sizes_are_bounded() {
        let fields = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>()
        };
        assert_eq!(step("operation", &fields(&[("data", "x")])), None);
        assert_eq!(step("terminal_output", &fields(&[("data", "x")])), Some(Step::Output("x".into())));
        let huge = fields(&[("columns", "999999999"), ("rows", "0")]);
        assert_eq!(step("terminal_resize", &huge), Some(Step::Resize(MAX_COLUMNS, 1)));
        assert_eq!(step("terminal_resize", &fields(&[])), Some(Step::Resize(80, 24)));
    }

    #[test]
    fn snapshots_are_bounded_and_going_back_is_not_playing_it_all_again() {
        let line = format!("{}\r\n", "x".repeat(1022));
        let steps = timed((0..12_000).map(|number| Step::Output(format!("{number} {line}"))).collect());
        let mut emulator = played(&steps, millis(12_000));
        assert!(emulator.snapshots.len() <= MAX_SNAPSHOTS && emulator.snapshots.len() > MAX_SNAPSHOTS / 4);
        emulator.seek(&steps, millis(9_000));
        let from = emulator.snapshots.iter().rev().find(|one| one.steps <= 9_000).expect("one before");
        assert!(9_000 - from.steps < 1_000, "{} steps were played again", 9_000 - from.steps);
        assert_eq!(drawn(&emulator), drawn(&played(&steps, millis(9_000))));
    }

    fn output() -> impl Strategy<Value = Step> {
        let known = proptest::sample::select(vec![
            "text ",
            "\r\n",
            "\u{1b}[2J",
            "\u{1b}[H",
            "\u{1b}[31;4m",
            "\u{1b}[0m",
            "\u{1b}[?1049h",
            "\u{1b}[?1049l",
            "\u{1b}[5;7H",
            "\u{1b}]0;title\u{7}",
            "\u{1b}]52;c;AAAA\u{7}",
            "日本",
            "\u{1b}[3L",
            "\u{1b}[2M",
            "\u{1b}[10;20r",
            "\u{1b}7",
            "\u{1b}8",
            "\t",
            "\u{8}",
            "\u{1b}c",
            "\u{1b}[?7l",
            "\u{1b}[4h",
            "\u{202e}",
            "\u{9b}31m",
        ]);
        prop_oneof![
            8 => known.prop_map(|text| Step::Output(text.to_owned())),
            2 => proptest::collection::vec(any::<u8>(), 0..40)
                .prop_map(|bytes| Step::Output(String::from_utf8_lossy(&bytes).into_owned())),
            1 => (1_usize..100, 1_usize..40).prop_map(|(columns, rows)| Step::Resize(columns, rows)),
        ]
    }

    proptest! {
        #[test]
        fn going_anywhere_shows_what_playing_up_to_there_shows(
            steps in proptest::collection::vec(output(), 1..60),
            places in proptest::collection::vec(0_u64..61, 1..6),
        ) {
            let steps = timed(steps);
            let mut emulator = Emulator::new();
            // So near to each other that most ways lead through one.
            emulator.bytes_between = 8;
            for place in places {
                emulator.seek(&steps, millis(place));
                prop_assert_eq!(drawn(&emulator), drawn(&played(&steps, millis(place))));
            }
        }

        #[test]
        fn whatever_was_recorded_only_printable_cells_are_drawn(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            columns in 1_usize..120,
        ) {
            let data = String::from_utf8_lossy(&bytes).into_owned();
            let steps = timed(vec![Step::Resize(columns, 10), Step::Output(data)]);
            let buffer = drawn(&played(&steps, millis(9)));
            for cell in buffer.content() {
                prop_assert!(cell.symbol().chars().all(is_shown_as_it_is), "{:?}", cell.symbol());
            }
        }
    }
}
