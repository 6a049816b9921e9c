//! Card numbers: 13 to 19 digits in one group, or in groups parted by single spaces or dashes, that begin as issuers'
//! numbers do and pass Luhn's check.
//!
//! Longer runs of digits, fractions, UUIDs and hashes are not cards.

use super::kind::leading_digits;

pub(super) const LEAST_DIGITS: usize = 13;
const MOST_DIGITS: usize = 19;
/// A run of hexadecimal digits as long as the shortest common hash.
const HASH_BYTES: usize = 32;

/// Whether digits alone, without separators, are a card number.
pub fn is_card(digits: &[u8]) -> bool {
    (LEAST_DIGITS..=MOST_DIGITS).contains(&digits.len()) && is_card_of(digits)
}

/// The end of the longest card number that begins with the group of digits at `start`.
pub(super) fn end_at(text: &[u8], start: usize) -> Option<usize> {
    if follows_fraction_point(text, start) {
        return None;
    }
    let (mut digits, mut count) = ([0_u8; MOST_DIGITS], 0_usize);
    let (mut end, mut longest) = (start, None);
    loop {
        let group = text.get(end..).unwrap_or_default();
        let length = leading_digits(group);
        // A group longer than any card is skipped whole by the caller.
        let Some(places) = digits.get_mut(count..).and_then(|places| places.get_mut(..length)) else { break };
        places.iter_mut().zip(group).for_each(|(place, digit)| *place = *digit);
        (count, end) = (count + length, end + length);
        if count >= LEAST_DIGITS && is_card_of(digits.get(..count).unwrap_or_default()) {
            longest = Some(end);
        }
        let parted = matches!(group.get(length..), Some([b' ' | b'-', next, ..]) if next.is_ascii_digit());
        if !parted || length < 2 {
            break;
        }
        end += 1;
    }
    longest.filter(|end| !is_within_uuid_or_hash(text, start, *end))
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

fn is_card_of(digits: &[u8]) -> bool {
    let Some(first) = digits.first_chunk::<4>() else { return false };
    let prefix = first.iter().fold(0_u32, |number, digit| number * 10 + u32::from(digit.wrapping_sub(b'0')));
    is_issued(prefix, digits.len()) && passes_luhn(digits)
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
    let digits: Vec<u8> = text.iter().copied().filter(u8::is_ascii_digit).collect();
    digits.len() > 1 && passes_luhn(&digits)
}

/// SPEC: ISO/IEC 7812-1 annex B. From the right, every other digit counts double, less 9 where that has two digits.
fn passes_luhn(digits: &[u8]) -> bool {
    const DOUBLED: [u8; 10] = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9];
    let single = |digit: u8| u32::from(digit.wrapping_sub(b'0'));
    let double = |digit: u8| u32::from(DOUBLED.get(usize::from(digit.wrapping_sub(b'0'))).copied().unwrap_or_default());
    let (rest, pairs) = digits.as_rchunks::<2>();
    let pairs =
        pairs.iter().fold(0_u32, |sum, [left, right]| sum.wrapping_add(double(*left)).wrapping_add(single(*right)));
    let sum = rest.iter().fold(pairs, |sum, digit| sum.wrapping_add(single(*digit)));
    sum.is_multiple_of(10)
}
