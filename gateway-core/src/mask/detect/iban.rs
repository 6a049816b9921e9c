//! International bank account numbers: a known country with its length, and the check of ISO 7064 (mod 97).

use std::ops::Range;

use super::figure::is_word;

pub(super) const LEAST_BYTES: usize = 15;
/// The fewest digits of any country's number that is worth looking at.
pub(super) const LEAST_DIGITS: usize = 8;

/// SPEC: SWIFT's IBAN registry: countries and lengths.
const LENGTHS: &[(&[u8; 2], usize)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

pub(super) fn find(text: &[u8], mut hit: impl FnMut(Range<usize>)) {
    let mut from = 0;
    while let Some(place) = text.get(from..).and_then(|rest| rest.windows(4).position(is_start)) {
        let start = from + place;
        let joined = is_word(start.checked_sub(1).and_then(|place| text.get(place)).copied());
        match end_at(text, start).filter(|_| !joined) {
            Some(end) => {
                hit(start..end);
                from = end;
            }
            None => from = start + 2,
        }
    }
}

fn is_start(window: &[u8]) -> bool {
    matches!(window, [a, b, c, d] if c.is_ascii_digit() && d.is_ascii_digit() && a.is_ascii_alphabetic() && b.is_ascii_alphabetic())
}

/// The end of the number that starts here: letters and digits, with single spaces or dashes between groups.
fn end_at(text: &[u8], start: usize) -> Option<usize> {
    let country: [u8; 2] = text.get(start..start + 2)?.to_ascii_uppercase().try_into().ok()?;
    let length = LENGTHS.iter().find(|(code, _)| **code == country).map(|(_, length)| *length)?;
    let (mut kept, mut parted) = (0, false);
    let mut check = Check::default();
    let mut head = [0_u8; 4];
    for (offset, byte) in text.get(start..)?.iter().take(length * 2).enumerate() {
        match byte {
            b' ' | b'-' if !parted && kept % 4 == 0 => parted = true,
            byte if byte.is_ascii_alphanumeric() => {
                match head.get_mut(kept) {
                    Some(place) => *place = *byte,
                    None => check.add(*byte),
                }
                (kept, parted) = (kept + 1, false);
            }
            _ => return None,
        }
        if kept == length {
            for byte in head {
                check.add(byte);
            }
            let end = start + offset + 1;
            return (check.0 == 1 && !is_word(text.get(end).copied())).then_some(end);
        }
    }
    None
}

/// Whether letters and digits among these bytes, the first four moved to the end, leave 1.
pub(super) fn passes_mod97(text: &[u8]) -> bool {
    let kept: Vec<u8> = text.iter().copied().filter(u8::is_ascii_alphanumeric).collect();
    let Some((head, rest)) = kept.split_at_checked(4) else { return false };
    let mut check = Check::default();
    for byte in rest.iter().chain(head) {
        check.add(*byte);
    }
    check.0 == 1
}

/// The remainder by 97, with A as 10 and Z as 35.
#[derive(Default)]
struct Check(u32);

impl Check {
    fn add(&mut self, byte: u8) {
        self.0 = match byte.to_ascii_uppercase() {
            digit @ b'0'..=b'9' => (self.0 * 10 + u32::from(digit - b'0')) % 97,
            letter => (self.0 * 100 + u32::from(letter.saturating_sub(b'A')) + 10) % 97,
        };
    }
}
