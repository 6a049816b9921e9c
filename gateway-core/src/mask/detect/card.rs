//! Card numbers: 13 to 19 digits in one group, or in groups parted by single spaces or dashes, that begin as issuers'
//! numbers do and pass Luhn's check.
//!
//! Longer runs of digits, fractions, UUIDs and hashes are not cards.

pub(super) const LEAST_DIGITS: usize = 13;
const MOST_DIGITS: usize = 19;
/// A run of hexadecimal digits as long as the shortest common hash.
const HASH_BYTES: usize = 32;

/// Whether digits alone, without separators, are a card number.
pub fn is_card(digits: &[u8]) -> bool {
    (LEAST_DIGITS..=MOST_DIGITS).contains(&digits.len()) && is_card_of(digits.iter().copied(), digits.len())
}

/// The end of the longest card number that begins with the group of digits at `start`.
pub(super) fn end_at(text: &[u8], start: usize) -> Option<usize> {
    if follows_fraction_point(text, start) {
        return None;
    }
    let (mut end, mut digits, mut longest) = (start, 0, None);
    loop {
        let group = end..group_end(text, end);
        digits += group.len();
        if digits > MOST_DIGITS {
            break;
        }
        end = group.end;
        let whole = text.get(start..end).unwrap_or_default();
        if digits >= LEAST_DIGITS && is_card_of(whole.iter().copied().filter(u8::is_ascii_digit), digits) {
            longest = Some(end);
        }
        let parted = matches!(text.get(end), Some(b' ' | b'-')) && text.get(end + 1).is_some_and(u8::is_ascii_digit);
        if !parted || group.len() < 2 {
            break;
        }
        end += 1;
    }
    longest.filter(|end| !is_within_uuid_or_hash(text, start, *end))
}

/// The end of the digits at `start`: a group longer than any card is skipped whole by the caller.
fn group_end(text: &[u8], start: usize) -> usize {
    start + text.get(start..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// Whether `start` comes after a decimal point that follows a digit, as in `0.4111…`.
fn follows_fraction_point(text: &[u8], start: usize) -> bool {
    let mut before = text.get(..start).unwrap_or_default().iter().rev();
    before.next() == Some(&b'.') && before.next().is_some_and(u8::is_ascii_digit)
}

fn is_within_uuid_or_hash(text: &[u8], start: usize, end: usize) -> bool {
    let is_part = |byte: &&u8| byte.is_ascii_hexdigit() || **byte == b'-';
    let before = text.get(..start).unwrap_or_default().iter().rev().take(HASH_BYTES).take_while(is_part).count();
    let after = text.get(end..).unwrap_or_default().iter().take(HASH_BYTES).take_while(is_part).count();
    let token = text.get(start - before..end + after).unwrap_or_default();
    is_uuid(token) || longest_hexadecimal_run(token) >= HASH_BYTES
}

fn is_uuid(token: &[u8]) -> bool {
    let groups = token.split(|byte| *byte == b'-').map(<[u8]>::len);
    groups.eq([8, 4, 4, 4, 12])
}

fn longest_hexadecimal_run(token: &[u8]) -> usize {
    token.split(|byte| *byte == b'-').map(<[u8]>::len).max().unwrap_or_default()
}

fn is_card_of(digits: impl DoubleEndedIterator<Item = u8> + Clone, length: usize) -> bool {
    let prefix = digits.clone().take(4).fold(0_u32, |number, digit| number * 10 + u32::from(digit - b'0'));
    is_issued(prefix, length) && passes_luhn(digits)
}

/// Whether issuers give out numbers with these first four digits and this length.
const fn is_issued(prefix: u32, length: usize) -> bool {
    match prefix {
        4000..=4999 => matches!(length, 13 | 16 | 19),
        // Maestro has numbers of many lengths.
        5000..=5099 | 5600..=5899 | 6300..=6399 | 6700..=6799 => true,
        5000..=5999 => length == 16,
        2200..=2204 | 2221..=2720 | 6000..=6999 | 8100..=8299 => length >= 16,
        1800 | 2131 | 3400..=3499 | 3700..=3799 => length == 15,
        3500..=3599 => length >= 15,
        3000..=3999 => length >= 14,
        _ => false,
    }
}

/// Whether the digits among these bytes pass Luhn's check.
pub(super) fn passes_luhn_of(text: &[u8]) -> bool {
    let digits = || text.iter().copied().filter(u8::is_ascii_digit);
    digits().count() > 1 && passes_luhn(digits().collect::<Vec<_>>().into_iter())
}

fn passes_luhn(digits: impl DoubleEndedIterator<Item = u8>) -> bool {
    let sum: u32 = digits
        .rev()
        .enumerate()
        .map(|(index, digit)| {
            let digit = u32::from(digit - b'0');
            match (index % 2, digit * 2) {
                (0, _) => digit,
                (_, doubled) if doubled > 9 => doubled - 9,
                (_, doubled) => doubled,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}
