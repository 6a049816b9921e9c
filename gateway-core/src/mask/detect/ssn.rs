//! Social security numbers of the United States: `123-45-6789`, and with spaces or without separators where a word
//! before them says what they are.

use std::ops::Range;

use super::figure::{Figure, is_announced, is_word};

pub(super) const LEAST_DIGITS: usize = 9;
const LEAD_BYTES: usize = 40;
const WORDS: &[&[u8]] = &[b"ssn", b"social sec", b"social_sec", b"socialsec", b"soc sec", b"social-sec"];

/// The number that a figure begins with.
pub(super) fn range(figure: &Figure<'_>) -> Option<Range<usize>> {
    let before = figure.before();
    if is_word(before) || matches!(before, Some(b'-' | b'.' | b'/' | b'+' | b'#' | b'$')) {
        return None;
    }
    let announced = || is_announced(figure.lead(LEAD_BYTES), WORDS);
    let first = figure.digits_of(0);
    if let Some((area, rest)) = first.split_at_checked(3).filter(|_| first.len() == LEAST_DIGITS) {
        let (group, serial) = rest.split_at_checked(2)?;
        let end = figure.group(0)?.end;
        let fits = is_issued(area, group, serial) && !is_word(figure.byte(end)) && announced();
        return fits.then(|| figure.start()..end);
    }
    let (area, group, serial) = (first, figure.digits_of(1), figure.digits_of(2));
    if (area.len(), group.len(), serial.len()) != (3, 2, 4) || !is_issued(area, group, serial) {
        return None;
    }
    let fits = match (figure.separator(0), figure.separator(1)) {
        (b"-", b"-") => true,
        (b" ", b" ") => announced(),
        _ => false,
    };
    let end = figure.group(2)?.end;
    let goes_on =
        is_word(figure.byte(end)) || (figure.count() > 3 && matches!(figure.separator(2), b"-" | b"." | b"/"));
    (fits && !goes_on).then(|| figure.start()..end)
}

/// SPEC: no area 000, 666 or from 900 on, no group 00, no serial 0000 (Social Security Administration, since 2011).
fn is_issued(area: &[u8], group: &[u8], serial: &[u8]) -> bool {
    area != b"000" && area != b"666" && !area.starts_with(b"9") && group != b"00" && serial != b"0000"
}
