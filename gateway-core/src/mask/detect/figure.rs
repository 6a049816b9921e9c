//! Groups of digits with separators between them, read once and shown to every detector of numbers: cards, social
//! security numbers, telephone numbers and IPv4 addresses.
//!
//! A figure has a bounded number of groups, so looking at each group as a start is linear in the text.

use std::ops::Range;

use super::{DetectedClass, Hit, card, ip, phone, ssn};

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

impl<'text> Figure<'text> {
    fn at(text: &'text [u8], start: usize) -> Self {
        let mut figure = Self { text, groups: [(start, start); MOST_GROUPS], count: 0, digits: 0 };
        let mut from = start;
        for place in &mut figure.groups {
            let rest = text.get(from..).unwrap_or_default();
            let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
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
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
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
        let figure = Figure::at(text, from + start);
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

const fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'-' | b'.' | b'/' | b'(' | b')')
}
