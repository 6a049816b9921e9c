//! Telephone numbers: international ones (`+49 30 1234567`, `001-201-555-0123`), North American ones with separators,
//! national ones that begin with 0, and plain digits where a word before them says what they are.
//!
//! Numbers without any of these marks look like every other number and are not taken for telephone numbers.

use std::ops::Range;

use super::figure::{Figure, is_announced, is_word};

pub(super) const LEAST_DIGITS: usize = 8;
/// SPEC: E.164 numbers have at most 15 digits.
const MOST_DIGITS: usize = 15;
const LEAD_BYTES: usize = 28;
const MOST_EXTENSION_DIGITS: usize = 6;
/// Words that announce a number; those that begin many other words count only at the beginning of one.
const WORDS: &[&[u8]] = &[
    b"phone",
    b"mobil",
    b"whatsapp",
    b"fax",
    b"^tel",
    b"^cell",
    b"^call",
    b"^dial",
    b"^sms",
    b"^handy",
    b"^reach",
    b"^contact",
];

/// The number that a figure begins with.
pub(super) fn range(figure: &Figure<'_>) -> Option<Range<usize>> {
    let (start, plus, bracket) = beginning(figure)?;
    let end = if plus {
        international(figure, 0)
    } else if figure.digits_of(0).starts_with(b"00") {
        international(figure, 2)
    } else {
        north_american(figure, 0, bracket).or_else(|| national(figure, bracket)).or_else(|| announced(figure))
    }?;
    let end = with_extension(figure.text(), end);
    (!is_word(figure.byte(end))).then_some(start..end)
}

/// Where the number begins, whether with a plus, and whether with a bracket; `None` inside a longer word.
fn beginning(figure: &Figure<'_>) -> Option<(usize, bool, bool)> {
    let start = figure.start();
    let lead = figure.lead(3);
    let (start, plus, bracket) = match lead {
        [.., b'+', b'('] => (start - 2, true, false),
        [.., b'+'] => (start - 1, true, false),
        [.., b'('] => (start - 1, false, true),
        _ => (start, false, false),
    };
    let before = start.checked_sub(1).and_then(|place| figure.byte(place));
    let joined = is_word(before) || matches!(before, Some(b'-' | b'.' | b'/' | b'#' | b'$' | b'+' | b'*'));
    (!joined).then_some((start, plus, bracket))
}

/// `+` or 00 and the country's code: as many groups as fit. `skipped` digits are the international prefix.
fn international(figure: &Figure<'_>, skipped: usize) -> Option<usize> {
    let first = figure.digits_of(0).get(skipped..)?;
    let code = if first.is_empty() { figure.digits_of(1) } else { first };
    if !is_country(code) {
        return None;
    }
    let american = code.starts_with(b"1");
    let (mut digits, mut end) = (0, None);
    for index in 0..figure.count() {
        digits += figure.digits_of(index).len() - if index == 0 { skipped } else { 0 };
        if digits > MOST_DIGITS || (american && digits > 11) {
            break;
        }
        end = (digits >= LEAST_DIGITS).then(|| figure.group(index).map(|group| group.end)).flatten();
        if (american && digits == 11) || !joins(figure.separator(index)) {
            break;
        }
    }
    let is_complete = !american || digits == 11;
    // A run of digits after 00 is a number with leading zeros unless it is parted.
    (is_complete && (skipped == 0 || figure.count() > 2)).then_some(end).flatten()
}

/// Whether digits begin with the code of a country, or are one where they stand alone.
/// SPEC: ITU-T E.164, list of assigned codes.
fn is_country(digits: &[u8]) -> bool {
    match digits {
        [b'1' | b'7', ..] => true,
        [a, b] | [a, b, _, _, ..] => is_short(*a, *b) || (digits.len() > 3 && is_long(*a, *b)),
        [a, b, _] => is_long(*a, *b),
        _ => false,
    }
}

const fn is_short(first: u8, second: u8) -> bool {
    matches!(
        (first, second),
        (b'2', b'0' | b'7')
            | (b'3', b'0'..=b'4' | b'6' | b'9')
            | (b'4', b'0' | b'1' | b'3'..=b'9')
            | (b'5', b'1'..=b'8')
            | (b'6', b'0'..=b'6')
            | (b'8', b'1' | b'2' | b'4' | b'6')
            | (b'9', b'0'..=b'5' | b'8')
    )
}

const fn is_long(first: u8, second: u8) -> bool {
    matches!(
        (first, second),
        (b'2', b'1'..=b'6' | b'9')
            | (b'3', b'5' | b'7' | b'8')
            | (b'4', b'2')
            | (b'5', b'0' | b'9')
            | (b'6', b'7'..=b'9')
            | (b'8', b'0' | b'5' | b'7' | b'8')
            | (b'9', b'6' | b'7' | b'9')
    )
}

/// `201-555-0123`, `(201) 555-0123`, `201.555.0123`, with or without `1-` before.
fn north_american(figure: &Figure<'_>, at: usize, bracket: bool) -> Option<usize> {
    if at == 0 && figure.digits_of(0) == b"1" && !bracket && matches!(figure.separator(0), b"-" | b" " | b"." | b" (") {
        return north_american(figure, 1, figure.separator(0) == b" (");
    }
    let (area, exchange, line) = (figure.digits_of(at), figure.digits_of(at + 1), figure.digits_of(at + 2));
    let is_dialled = |part: &[u8]| part.len() == 3 && matches!(part.first(), Some(b'2'..=b'9'));
    if !is_dialled(area) || !is_dialled(exchange) || line.len() != 4 {
        return None;
    }
    let fits = match (figure.separator(at), figure.separator(at + 1)) {
        (b")" | b") " | b")-", b"-" | b"." | b" ") => bracket,
        (b" ", b"-" | b" ") | (b"-", b"-") | (b".", b".") => !bracket,
        _ => false,
    };
    let goes_on = figure.count() > at + 3 && matches!(figure.separator(at + 2), b"-" | b"." | b"/");
    (fits && !goes_on).then(|| figure.group(at + 2).map(|group| group.end)).flatten()
}

/// `0161 496 0000`, `(0161) 496 0000`, `030/1234567`; with dashes and dots only where it is announced.
fn national(figure: &Figure<'_>, bracket: bool) -> Option<usize> {
    let first = figure.digits_of(0);
    if !first.starts_with(b"0") || !(2..=6).contains(&first.len()) {
        return None;
    }
    let opening = figure.separator(0);
    let usual = if bracket { b" " } else { opening };
    let fits = match (bracket, opening) {
        (true, b")" | b") ") | (false, b" " | b"/") => true,
        (false, b"-" | b".") => is_announced(figure.lead(LEAD_BYTES), WORDS),
        _ => false,
    };
    let (mut digits, mut last) = (first.len(), 0);
    for index in 1..figure.count() {
        let separator = figure.separator(index - 1);
        let group = figure.digits_of(index);
        let parts = index == 1 || separator == usual || (usual == b"/" && separator == b" ");
        if !parts || group.len() < 2 || digits + group.len() > 12 {
            break;
        }
        digits += group.len();
        last = index;
    }
    let end = figure.group(last)?.end;
    // In `4696 0471 8145 2641 4875` every group could begin or end a number.
    let longer = |separator: &[u8], next: usize| separator == b" " && next >= 3;
    let goes_on = longer(figure.separator(last), figure.digits_of(last + 1).len());
    let went_before = matches!(figure.lead(2), [digit, b' '] if digit.is_ascii_digit()) && !bracket;
    let fits = fits && !goes_on && !went_before;
    (fits && last > 0 && digits >= 9 && figure.byte(end) != Some(b':')).then_some(end)
}

/// Ten digits or so that a word before them announces.
fn announced(figure: &Figure<'_>) -> Option<usize> {
    let lengths = [0, 1, 2, 3].map(|index| figure.digits_of(index).len());
    let is_address = figure.separator(0) == b"." && lengths.iter().all(|length| (1..=3).contains(length));
    if matches!(lengths, [4, 2, 2, _]) || is_address {
        return None;
    }
    let mut digits = 0;
    let mut end = None;
    for index in 0..figure.count() {
        digits += figure.digits_of(index).len();
        if digits > 12 {
            break;
        }
        end = (digits >= 9).then(|| figure.group(index).map(|group| group.end)).flatten();
        if !joins(figure.separator(index)) {
            break;
        }
    }
    let end = end?;
    (figure.byte(end) != Some(b':') && is_announced(figure.lead(LEAD_BYTES), WORDS)).then_some(end)
}

fn joins(separator: &[u8]) -> bool {
    matches!(separator, b" " | b"-" | b"." | b"/" | b"(" | b" (" | b")" | b") " | b")-")
}

/// `x123`, ` x123`, ` ext. 123`.
fn with_extension(text: &[u8], end: usize) -> usize {
    let rest = text.get(end..).unwrap_or_default();
    let marks: [&[u8]; 5] = [b"x", b" x", b" ext. ", b" ext ", b" ext."];
    let Some(mark) = marks.into_iter().find(|mark| rest.starts_with(mark)) else { return end };
    let digits = rest.get(mark.len()..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count();
    if (1..=MOST_EXTENSION_DIGITS).contains(&digits) { end + mark.len() + digits } else { end }
}
