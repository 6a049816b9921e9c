//! Groups of digits with separators between them, read once and shown to every detector of numbers: cards, social
//! security numbers, telephone numbers and IPv4 addresses.
//!
//! A figure has a bounded number of groups, so looking at each group as a start is linear in the text.

use std::ops::Range;

use super::{
    DetectedClass, Hit, card, ip,
    kind::{self, is_separator, leading_digits},
    moment, phone, ssn,
};

/// As many groups as any number that is sought has, and one more to see what follows.
const MOST_GROUPS: usize = 9;
/// The most bytes between two groups: `) (`.
const SEPARATOR_BYTES: usize = 3;

/// Consecutive groups of digits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Figure<'text> {
    text: &'text [u8],
    groups: [(usize, usize); MOST_GROUPS],
    count: usize,
    digits: usize,
}

/// Which numbers are sought.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sought {
    pub(super) card: bool,
    pub(super) ssn: bool,
    pub(super) phone: bool,
    pub(super) ip: bool,
}

impl Sought {
    pub(super) const fn any(self) -> bool {
        self.card || self.ssn || self.phone || self.ip
    }
}

impl<'text> Figure<'text> {
    fn at(text: &'text [u8], start: usize) -> Self {
        let mut figure = Self { text, groups: [(start, start); MOST_GROUPS], count: 0, digits: 0 };
        let mut from = start;
        for place in &mut figure.groups {
            let rest = text.get(from..).unwrap_or_default();
            let length = leading_digits(rest);
            *place = (from, from + length);
            figure.count += 1;
            figure.digits += length;
            let after = rest.get(length..).unwrap_or_default();
            let gap = after.iter().take(SEPARATOR_BYTES).take_while(|byte| is_separator(**byte)).count();
            if gap == 0 || !after.get(gap).is_some_and(u8::is_ascii_digit) {
                break;
            }
            from += length + gap;
        }
        figure
    }

    /// The place of a group.
    pub(super) fn group(&self, index: usize) -> Option<Range<usize>> {
        self.groups.get(..self.count)?.get(index).map(|(start, end)| *start..*end)
    }

    /// The digits of a group; empty where there is none.
    pub(super) fn digits_of(&self, index: usize) -> &'text [u8] {
        self.group(index).and_then(|range| self.text.get(range)).unwrap_or_default()
    }

    /// What stands between a group and the next; empty where there is no next.
    pub(super) fn separator(&self, index: usize) -> &'text [u8] {
        let (Some(group), Some(next)) = (self.group(index), self.group(index + 1)) else { return b"" };
        self.text.get(group.end..next.start).unwrap_or_default()
    }

    pub(super) const fn count(&self) -> usize {
        self.count
    }

    pub(super) const fn text(&self) -> &'text [u8] {
        self.text
    }

    pub(super) fn start(&self) -> usize {
        self.groups.first().map_or(0, |group| group.0)
    }

    /// The byte before the figure.
    pub(super) fn before(&self) -> Option<u8> {
        self.text.get(self.start().checked_sub(1)?).copied()
    }

    /// Up to `length` bytes before the figure.
    pub(super) fn lead(&self, length: usize) -> &'text [u8] {
        self.text.get(self.start().saturating_sub(length)..self.start()).unwrap_or_default()
    }

    /// The byte at a place.
    pub(super) fn byte(&self, place: usize) -> Option<u8> {
        self.text.get(place).copied()
    }

    fn end(&self) -> usize {
        self.groups.get(self.count.saturating_sub(1)).map_or(0, |group| group.1)
    }

    fn is_whole(&self) -> bool {
        self.count < MOST_GROUPS
    }
}

/// Whether a byte is a letter, a digit or an underscore, so that a number beside it is a part of a longer word.
pub(super) fn is_word(byte: Option<u8>) -> bool {
    byte.is_some_and(kind::is_word)
}

/// Whether one of `words` stands shortly before a figure, with nothing between that starts another thing.
/// `^word` counts only where no letter stands before it.
pub(super) fn is_announced(lead: &[u8], words: &[&[u8]]) -> bool {
    let ends = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b',' | b';' | b'}' | b']' | b'\n' | b'\t');
    let from = lead.iter().rposition(ends).map_or(0, |place| place + 1);
    let near = lead.get(from..).unwrap_or_default();
    words.iter().any(|word| match word.strip_prefix(b"^") {
        None => near.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word)),
        Some(word) => near.windows(word.len()).enumerate().any(|(place, window)| {
            window.eq_ignore_ascii_case(word)
                && !place.checked_sub(1).and_then(|place| near.get(place)).is_some_and(u8::is_ascii_alphabetic)
        }),
    })
}

/// Shows every figure of a text to the detectors.
pub(super) fn find(text: &[u8], sought: Sought, hits: &mut Vec<Hit>) {
    let mut from = 0;
    while let Some(start) = text.get(from..).and_then(|rest| rest.iter().position(u8::is_ascii_digit)) {
        let start = from + start;
        if let Some(end) = moment::end_at(text, start) {
            from = end;
            continue;
        }
        let figure = Figure::at(text, start);
        if figure.digits < ssn::LEAST_DIGITS.min(phone::LEAST_DIGITS) && figure.is_whole() && !is_dotted(&figure) {
            from = figure.end();
            continue;
        }
        match classify(&figure, sought) {
            Some(hit) => {
                from = hit.range.end;
                hits.push(hit);
            }
            None => from = figure.group(0).map_or(text.len(), |group| group.end),
        }
    }
}

fn is_dotted(figure: &Figure<'_>) -> bool {
    figure.count >= 4 && figure.separator(0) == b"."
}

fn classify(figure: &Figure<'_>, sought: Sought) -> Option<Hit> {
    let start = figure.start();
    let may_be_card = sought.card && (figure.digits >= card::LEAST_DIGITS || !figure.is_whole());
    if may_be_card && let Some(end) = card::end_at(figure.text, start) {
        return Some(Hit { range: start..end, class: DetectedClass::CreditCard });
    }
    if sought.ssn
        && let Some(range) = ssn::range(figure)
    {
        return Some(Hit { range, class: DetectedClass::UsSsn });
    }
    if sought.phone
        && let Some(range) = phone::range(figure)
    {
        return Some(Hit { range, class: DetectedClass::Phone });
    }
    if sought.ip
        && let Some(range) = ip::range(figure)
    {
        return Some(Hit { range, class: DetectedClass::Ip });
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EVERYTHING: Sought = Sought { card: true, ssn: true, phone: true, ip: true };

    /// Pieces of dates, times and numbers, and what stands around them.
    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            4 => "[12][0-9]{3}-[0-9]{2}-[0-9]{2}",
            3 => "[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\\.[0-9]{1,9})?)?",
            3 => "[-+]?[0-9]{1,5}",
            2 => "[-+ ./():,TZx\"]",
            1 => "(call |phone: |ssn |version )",
            1 => "0[0-9]{3} [0-9]{3} [0-9]{4}",
            1 => "[0-9]{3}-[0-9]{2}-[0-9]{4}",
        ];
        proptest::collection::vec(piece, 1..9).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn a_skipped_moment_holds_no_number_that_is_sought(text in pieces()) {
            let text = text.as_bytes();
            for start in (0..text.len()).filter(|start| text[*start].is_ascii_digit()) {
                let begins_group = start == 0 || !text[start - 1].is_ascii_digit();
                let Some(end) = moment::end_at(text, start).filter(|_| begins_group) else { continue };
                let begins = |place: &usize| *place == start || !text[*place - 1].is_ascii_digit();
                for place in (start..end).filter(|place| text[*place].is_ascii_digit()).filter(begins) {
                    let hit = classify(&Figure::at(text, place), EVERYTHING);
                    prop_assert!(hit.is_none(), "{hit:?} in {:?}", String::from_utf8_lossy(text));
                }
            }
        }
    }

    #[test]
    fn moments_are_skipped_whole() {
        for text in ["2026-11-21", "2026-11-21 01:39", "1999-12-31T23:59:59.999999-05", "2026-11-21 01:39:34.123456"] {
            assert_eq!(moment::end_at(text.as_bytes(), 0), Some(text.len()), "{text}");
        }
        for text in ["2026-11-21 4", "0202-55-5012", "2026-11-21 01-39", "2026-11-21 01:39:34.1 4", "2026-11-214"] {
            assert_eq!(moment::end_at(text.as_bytes(), 0), None, "{text}");
        }
        assert_eq!(moment::end_at(b"+2026-11-21", 1), None);
    }
}
