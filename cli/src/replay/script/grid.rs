//! A masked result as psql would show it. Pure; every cell is one safe line of bounded width.

use hoop_gateway_core::record::{ResultLine, result_lines};
use ratatui::text::Span;

use super::{ScriptLine, Tone, lines::line};
use crate::output::printable_line;

/// No column of a result is shown wider.
const MAX_CELL_WIDTH: usize = 40;
/// The columns of what a command wrote.
const WRITTEN: [&str; 2] = ["stream", "line"];

/// A recorded result, piece by piece.
pub(super) fn result(text: &str, truncated: bool) -> Vec<ScriptLine> {
    let mut columns: Vec<String> = Vec::new();
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut shown = Vec::new();
    for one in result_lines(text) {
        match one {
            ResultLine::Columns(names) => {
                shown.extend(table(&columns, &rows));
                columns = names.iter().map(|name| cell(Some(name))).collect();
                rows.clear();
            }
            // What a command wrote is no table.
            ResultLine::Row(values) if columns == WRITTEN => shown.extend(written(&values)),
            ResultLine::Row(values) => rows.push(values.iter().map(|value| cell(value.as_deref())).collect()),
        }
    }
    shown.extend(table(&columns, &rows));
    if truncated {
        shown.push(line(Tone::Quiet, "-- more rows were returned than are recorded".to_owned()));
    }
    shown
}

/// A line of a command's output; what went to the standard error says so.
fn written(values: &[Option<String>]) -> Option<ScriptLine> {
    let [stream, text] = values else { return None };
    let text = printable_line(text.as_deref().unwrap_or_default());
    let mark = if stream.as_deref() == Some("stderr") { "stderr: " } else { "" };
    Some(line(Tone::Plain, format!("{mark}{text}")))
}

fn table(columns: &[String], rows: &[Vec<String>]) -> Vec<ScriptLine> {
    if columns == WRITTEN { Vec::new() } else { grid(columns, rows) }
}

fn cell(value: Option<&str>) -> String {
    let text = printable_line(value.unwrap_or("∅"));
    if width(&text) <= MAX_CELL_WIDTH {
        return text;
    }
    let mut kept = String::new();
    for letter in text.chars() {
        if width(&kept) + 2 > MAX_CELL_WIDTH {
            break;
        }
        kept.push(letter);
    }
    kept + "…"
}

fn width(text: &str) -> usize {
    Span::raw(text).width()
}

fn grid(columns: &[String], rows: &[Vec<String>]) -> Vec<ScriptLine> {
    let count = rows.iter().map(Vec::len).chain([columns.len()]).max().unwrap_or(0);
    let at = |row: &[String], index: usize| row.get(index).map_or("", String::as_str).to_owned();
    let widths: Vec<usize> = (0..count)
        .map(|index| {
            rows.iter().map(Vec::as_slice).chain([columns]).map(|row| width(&at(row, index))).max().unwrap_or(0)
        })
        .collect();
    let spelt = |row: &[String]| {
        let cells: Vec<String> = widths
            .iter()
            .enumerate()
            .map(|(index, wide)| {
                let text = at(row, index);
                let missing = wide.saturating_sub(width(&text));
                format!(" {text}{} ", " ".repeat(missing))
            })
            .collect();
        line(Tone::Plain, cells.join("|").trim_end().to_owned())
    };
    let mut shown = Vec::new();
    if !columns.is_empty() {
        shown.push(spelt(columns));
        let rules: Vec<String> = widths.iter().map(|wide| "-".repeat(wide + 2)).collect();
        shown.push(line(Tone::Plain, rules.join("+")));
    }
    shown.extend(rows.iter().map(|row| spelt(row)));
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_command_wrote_reads_as_it_was_written() {
        let wide = "w".repeat(60);
        let text = format!(
            "{{\"columns\":[\"stream\",\"line\"]}}\n[\"stdout\",\"{wide}\"]\n[\"stderr\",\"no \\u001b[31m\"]\n"
        );
        let shown: Vec<String> = result(&text, false).iter().map(|line| line.text.clone()).collect();
        assert_eq!(shown.len(), 2, "{shown:?}");
        assert_eq!(shown[0], wide);
        assert!(shown[1].starts_with("stderr: no ") && !shown[1].contains('\u{1b}'), "{shown:?}");
    }
}
