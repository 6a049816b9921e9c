//! Kinds of bytes, by one look-up each: what the detectors ask of every byte that they look at.

/// `0` to `9`.
const DIGIT: u8 = 1;
/// A letter of ASCII, a digit or `_`.
const WORD: u8 = 2;
/// A byte beyond ASCII.
const BEYOND: u8 = 4;
/// What stands between two groups of digits of one number.
const SEPARATOR: u8 = 8;
/// What the local part of an address may hold besides words.
const LOCAL: u8 = 16;
/// What a domain may hold besides words: `.` and `-`.
const DOMAIN: u8 = 32;

static KINDS: [u8; 256] = kinds();

const fn kinds() -> [u8; 256] {
    let mut table = [0_u8; 256];
    let mut rest = table.as_mut_slice();
    let mut byte = 0_u8;
    while let Some((place, after)) = rest.split_first_mut() {
        *place = match byte {
            b'0'..=b'9' => DIGIT | WORD,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => WORD,
            b'-' | b'.' => SEPARATOR | LOCAL | DOMAIN,
            b' ' | b'/' | b'(' | b')' => SEPARATOR,
            b'+' | b'%' | b'&' | b'*' | b'~' | b'^' | b'!' | b'#' | b'$' | b'\'' => LOCAL,
            128.. => BEYOND,
            _ => 0,
        };
        rest = after;
        byte = byte.wrapping_add(1);
    }
    table
}

fn has(byte: u8, kinds: u8) -> bool {
    // INVARIANT: a byte is a place in a table of 256.
    KINDS.get(usize::from(byte)).is_some_and(|found| found & kinds != 0)
}

/// Whether a byte is a letter or digit of ASCII, or an underscore.
pub(super) fn is_word(byte: u8) -> bool {
    has(byte, WORD)
}

/// The same, or a part of a letter beyond ASCII.
pub(super) fn is_wide_word(byte: u8) -> bool {
    has(byte, WORD | BEYOND)
}

/// Whether a byte may stand between two groups of digits of one number.
pub(super) fn is_separator(byte: u8) -> bool {
    has(byte, SEPARATOR)
}

/// Whether a byte may continue a number: a digit or a separator.
pub(super) fn is_figure(byte: u8) -> bool {
    has(byte, DIGIT | SEPARATOR)
}

/// Whether the local part of an address may hold a byte.
pub(super) fn is_local(byte: u8) -> bool {
    has(byte, WORD | BEYOND | LOCAL)
}

/// Whether the domain of an address may hold a byte.
pub(super) fn is_domain(byte: u8) -> bool {
    has(byte, WORD | BEYOND | DOMAIN)
}

/// How many digits a text begins with.
pub(super) fn leading_digits(text: &[u8]) -> usize {
    text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len())
}
