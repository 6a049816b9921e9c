//! Accounts for every byte of a text: what no word, assignment or redirection covers must be an operator, a reserved
//! word, a blank or a comment. So nothing runs that the grammar passed over.

use std::ops::Range;

/// The parts of a text that were understood.
#[derive(Debug, Default)]
pub(super) struct Cover(Vec<Range<usize>>);

const RESERVED: [&str; 16] =
    ["!", "{", "}", "if", "then", "elif", "else", "fi", "for", "in", "do", "done", "while", "until", "time", "-p"];
const OPERATORS: [&str; 8] = ["&&", "||", ";", "&", "|", "(", ")", "\n"];

impl Cover {
    /// These bytes were understood.
    pub(super) fn add(&mut self, range: Range<usize>) {
        self.0.push(range);
    }

    /// Whether the rest of the text is only what may stand between words.
    pub(super) fn covers(mut self, text: &str) -> bool {
        self.0.sort_by_key(|range| (range.start, range.end));
        let mut at = 0;
        for range in self.0 {
            if range.start < at {
                // What lies within another part was read with it.
                if range.end > at {
                    return false;
                }
                continue;
            }
            if !text.get(at..range.start).is_some_and(is_between) {
                return false;
            }
            at = range.end;
        }
        text.get(at..).is_some_and(is_between)
    }
}

/// Whether a word ends where it is said to: something that separates words stands on both sides of it.
pub(super) fn stands_alone(text: &str, range: &Range<usize>) -> bool {
    let mut before = text.get(..range.start).unwrap_or_default();
    while let Some(shorter) = before.strip_suffix("\\\n") {
        before = shorter;
    }
    let mut after = text.get(range.end..).unwrap_or_default();
    while let Some(shorter) = after.strip_prefix("\\\n") {
        after = shorter;
    }
    let separates = |one: char| matches!(one, ' ' | '\t' | '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>');
    let begins = before.chars().next_back().is_none_or(|one| separates(one) || one == '=');
    begins && after.chars().next().is_none_or(separates)
}

fn is_between(gap: &str) -> bool {
    let mut rest = gap;
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        if rest.is_empty() {
            return true;
        }
        if let Some(comment) = rest.strip_prefix('#') {
            rest = comment.find('\n').and_then(|end| comment.get(end..)).unwrap_or_default();
            continue;
        }
        if let Some(joined) = rest.strip_prefix("\\\n") {
            rest = joined;
            continue;
        }
        if let Some(after) = OPERATORS.iter().find_map(|operator| rest.strip_prefix(operator)) {
            rest = after;
            continue;
        }
        let end = rest.find([' ', '\t', '\n', ';', '&', '|', '(', ')']).unwrap_or(rest.len());
        let (word, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if !RESERVED.contains(&word) {
            return false;
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_cut_is_noticed() {
        assert!(stands_alone("a b;c", &(2..3)) && stands_alone("a\\\n b", &(0..1)) && stands_alone("x=a", &(2..3)));
        assert!(!stands_alone("]a", &(0..1)) && !stands_alone("]a", &(1..2)) && !stands_alone("a\\\nb", &(0..1)));
    }

    #[test]
    fn a_byte_that_nobody_read_is_noticed() {
        let whole = |text: &str, ranges: &[Range<usize>]| {
            let mut cover = Cover::default();
            for range in ranges {
                cover.add(range.clone());
            }
            cover.covers(text)
        };
        assert!(whole("ls  -l # why\n", &[0..2, 4..6]));
        assert!(whole("if ls; then ls; fi &", &[3..5, 12..14]));
        assert!(!whole("ls rm", &[0..2, 2..2]));
        assert!(!whole("ls $x", &[0..2, 2..2]));
        assert!(!whole("ls", &[0..1, 1..1]));
        assert!(!whole("ls", &[0..9, 9..9]));
    }
}
