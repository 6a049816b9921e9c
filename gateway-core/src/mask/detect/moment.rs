//! Dates and times as PostgreSQL and ISO 8601 write them: the figures that most columns hold and no detector wants.
//!
//! Never skips what a detector would hit, which a property in `tests` shows: the date stands alone, its year begins with
//! 1 or 2, and what follows cannot continue a number.

use super::kind::{is_figure, leading_digits};

/// More digits of a second than this are no time.
const MOST_FRACTION_DIGITS: usize = 9;

/// The end of a date, with its time where it has one, that begins at `start`; `None` where anything about it is unusual.
pub(super) fn end_at(text: &[u8], start: usize) -> Option<usize> {
    if !start.checked_sub(1).and_then(|place| text.get(place)).is_none_or(|before| stands_apart(*before)) {
        return None;
    }
    let rest = text.get(start..)?;
    let (date, after) = rest.split_first_chunk::<10>()?;
    if !is_date(date) {
        return None;
    }
    let length = match after {
        [b' ' | b'T', time @ ..] => 11 + time_length(time)?,
        _ => 10,
    };
    // A zone to the west begins with what also parts the groups of a number.
    let length = match rest.get(length..)? {
        [b'-', first, second, ..] if first.is_ascii_digit() && second.is_ascii_digit() && length > 10 => length + 3,
        _ => length,
    };
    rest.get(length).is_none_or(|next| !is_figure(*next)).then_some(start + length)
}

const fn stands_apart(before: u8) -> bool {
    matches!(before, b' ' | b'"' | b',' | b'\t' | b'\'' | b'[' | b'{' | b'=' | b':')
}

fn is_date(date: &[u8; 10]) -> bool {
    matches!(date, [b'1' | b'2', _, _, _, b'-', _, _, b'-', _, _])
        && date.iter().enumerate().all(|(place, byte)| matches!(place, 4 | 7) || byte.is_ascii_digit())
}

/// The length of `12:34`, `12:34:56` or `12:34:56.789`.
fn time_length(time: &[u8]) -> Option<usize> {
    let (minutes, after) = time.split_first_chunk::<5>()?;
    let is_pair = |pair: &[u8]| pair.iter().all(u8::is_ascii_digit);
    let [first, second, b':', third, last] = minutes else { return None };
    if !is_pair(&[*first, *second]) || !is_pair(&[*third, *last]) {
        return None;
    }
    match after.split_first_chunk::<3>() {
        Some(([b':', seconds @ ..], rest)) if is_pair(seconds) => match rest {
            [b'.', fraction @ ..] => {
                let digits = leading_digits(fraction);
                (1..=MOST_FRACTION_DIGITS).contains(&digits).then_some(9 + digits)
            }
            _ => Some(8),
        },
        _ => Some(5),
    }
}
