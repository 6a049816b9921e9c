//! The texts of an answer that somebody could run: arguments of tool calls, and spans of code.
//!
//! Pure. A sentence around a statement is no proposal of it; only whole spans count.

use crate::protocol::json::Json;

/// How many texts of one document are looked at.
const MOST_LEAVES: usize = 256;

/// The arguments of a tool call: as they stand, in their canonical spelling, and every text in them.
pub(super) fn of_arguments(arguments: &str, take: &mut impl FnMut(&str)) {
    take(arguments.trim());
    let Ok(json) = Json::parse(arguments.as_bytes()) else { return };
    take(&json.canonical());
    for (_, leaf) in json.leaves(MOST_LEAVES) {
        take(leaf.trim());
        // Some tools wrap their arguments once more.
        if leaf.starts_with('{')
            && let Ok(inner) = Json::parse(leaf.as_bytes())
        {
            inner.leaves(MOST_LEAVES).iter().for_each(|(_, text)| take(text.trim()));
        }
    }
}

/// The spans of code in a text: fenced blocks, `inline` ones, and what agents write behind `Action Input:`.
pub(super) fn of_text(text: &str, take: &mut impl FnMut(&str)) {
    take(text.trim());
    fenced(text, take);
    for (index, span) in text.split('`').enumerate() {
        if index % 2 == 1 && !span.is_empty() && !span.contains('\n') {
            take(span.trim());
        }
    }
    for (_, input) in text.match_indices("Action Input:").filter_map(|(place, word)| {
        let rest = text.get(place + word.len()..)?;
        let end = rest.find("\nObservation:").unwrap_or(rest.len());
        Some((place, rest.get(..end)?.trim()))
    }) {
        of_arguments(input, take);
    }
}

/// Blocks between lines of three backticks, without the name of the language.
fn fenced(text: &str, take: &mut impl FnMut(&str)) {
    let mut block: Option<String> = None;
    for line in text.lines() {
        let is_fence = line.trim_start().starts_with("```");
        match (&mut block, is_fence) {
            (None, true) => block = Some(String::new()),
            (Some(lines), true) => {
                take(lines.trim());
                block = None;
            }
            (Some(lines), false) => {
                lines.push_str(line);
                lines.push('\n');
            }
            (None, false) => {}
        }
    }
}
