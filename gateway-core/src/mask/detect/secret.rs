//! Passwords and tokens that a keyword announces (`password=…`, `"api_key": "…"`), and passwords in URLs.
//!
//! The value must look random: long enough, of several kinds of characters, and not a word that stands for a secret.

use std::{ops::Range, sync::LazyLock};

use aho_corasick::AhoCorasick;
use memchr::memmem::Finder;

pub(super) const LEAST_BYTES: usize = 12;
const LEAST_VALUE_BYTES: usize = 8;
const MOST_VALUE_BYTES: usize = 512;
/// How far the sign may be from the keyword: `password_for_staging =`.
const NAME_BYTES: usize = 24;
/// Bits a character.
const LEAST_ENTROPY: f64 = 2.5;

const KEYWORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passwort",
    "pwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "api-key",
    "access_key",
    "accesskey",
    "access-key",
    "auth_key",
    "authkey",
    "private_key",
    "signing_key",
    "encryption_key",
    "client_key",
    "credential",
    "bearer",
];

const PLACEHOLDERS: &[&[u8]] =
    &[b"example", b"changeme", b"placeholder", b"redacted", b"xxxx", b"****", b"your_", b"your-", b"undefined"];

/// INVARIANT: without an automaton nothing is found; a test finds every keyword.
static ANNOUNCED: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::builder().ascii_case_insensitive(true).build(KEYWORDS).ok());

static SCHEME_END: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"://"));

/// The values of announced secrets, without keyword and quotes.
pub(super) fn find(text: &[u8], mut hit: impl FnMut(Range<usize>)) {
    let mut done = 0;
    if let Some(announced) = ANNOUNCED.as_ref() {
        for keyword in announced.find_iter(text) {
            if keyword.start() >= done
                && let Some(range) = value_after(text, keyword.end())
            {
                done = range.end;
                hit(range);
            }
        }
    }
    for scheme in SCHEME_END.find_iter(text) {
        if let Some(range) = password_in_url(text, scheme + 3).filter(|range| range.start >= done) {
            done = range.end;
            hit(range);
        }
    }
}

fn value_after(text: &[u8], end: usize) -> Option<Range<usize>> {
    let rest = text.get(end..)?;
    let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let bearer = text.get(end.saturating_sub(6)..end).is_some_and(|word| word.eq_ignore_ascii_case(b"bearer"));
    let mut place = rest.iter().take(NAME_BYTES).take_while(is_name).count();
    let mut signs = 0;
    while let Some(byte) = rest.get(place) {
        match byte {
            b':' | b'=' | b'>' if signs < 3 => signs += 1,
            b' ' | b'"' | b'\'' | b'`' | b'\\' if place < NAME_BYTES + 12 => {}
            _ => break,
        }
        place += 1;
    }
    if signs == 0 && !(bearer && place > 0) {
        return None;
    }
    let ends = |byte: &u8| {
        byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`' | b',' | b';' | b'<' | b'>' | b'}' | b'\\')
    };
    let value = rest.get(place..)?;
    let length = value.iter().take(MOST_VALUE_BYTES + 1).position(ends).unwrap_or(value.len());
    let value = value.get(..length)?;
    let value = value.strip_suffix(b".").or_else(|| value.strip_suffix(b")")).unwrap_or(value);
    is_random(value).then(|| end + place..end + place + value.len())
}

/// `postgres://user:secret@host`: what stands between the colon and the `@`.
fn password_in_url(text: &[u8], start: usize) -> Option<Range<usize>> {
    let authority = text.get(start..)?;
    let length = authority
        .iter()
        .take(MOST_VALUE_BYTES)
        .position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'"' | b'\'' | b'<' | b'>' | b'?'));
    let authority = authority.get(..length.unwrap_or(authority.len().min(MOST_VALUE_BYTES)))?;
    let at = memchr::memrchr(b'@', authority)?;
    let colon = memchr::memchr(b':', authority.get(..at)?)?;
    let password = authority.get(colon + 1..at)?;
    let is_shown = password.len() >= 3 && !password.starts_with(b"$") && !password.starts_with(b"*");
    is_shown.then(|| start + colon + 1..start + at)
}

fn is_random(value: &[u8]) -> bool {
    if !(LEAST_VALUE_BYTES..=MOST_VALUE_BYTES).contains(&value.len())
        || matches!(value.first(), Some(b'$' | b'{' | b'[' | b'(' | b'%'))
    {
        return false;
    }
    let stands_for_one = |word: &&[u8]| value.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word));
    if PLACEHOLDERS.iter().any(stands_for_one) {
        return false;
    }
    let has = |kind: fn(&u8) -> bool| usize::from(value.iter().any(kind));
    let special = |byte: &u8| !byte.is_ascii_alphanumeric() && !matches!(byte, b'_' | b'-' | b'.' | b':' | b'/');
    let kinds = has(u8::is_ascii_lowercase) + has(u8::is_ascii_uppercase) + has(u8::is_ascii_digit) + has(special);
    let mixed = has(u8::is_ascii_digit) == 1 && kinds >= 2 || kinds >= 3 || (kinds == 2 && has(special) == 1);
    mixed && !is_time(value) && entropy(value) >= LEAST_ENTROPY
}

/// `2026-11-21T10:00:00Z`, which keywords such as `token_expires` announce.
fn is_time(value: &[u8]) -> bool {
    let digits = |range| value.get(range).is_some_and(|part: &[u8]| part.iter().all(u8::is_ascii_digit));
    digits(0..4) && digits(5..7) && value.get(4) == Some(&b'-') && value.get(7) == Some(&b'-')
}

/// Shannon's entropy in bits a byte.
fn entropy(value: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in value {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let total = f64::from(u32::try_from(value.len()).unwrap_or(u32::MAX));
    let part = |count: &u32| {
        let share = f64::from(*count) / total;
        -share * share.log2()
    };
    counts.iter().filter(|count| **count > 0).map(part).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let mut found = Vec::new();
        find(text.as_bytes(), |range| found.push(text.get(range).unwrap()));
        found
    }

    #[test]
    fn every_keyword_announces_a_value() {
        for keyword in KEYWORDS {
            for text in [format!("{keyword}=Tr0ub4dor&3x"), format!("{{\"{keyword}\": \"Tr0ub4dor&3x\"}}")] {
                assert_eq!(found(&text), ["Tr0ub4dor&3x"], "{text}");
            }
        }
        assert_eq!(found("Authorization: Bearer a8Kd92hfQzL1p0Xw"), ["a8Kd92hfQzL1p0Xw"]);
        assert_eq!(found("postgres://app:hunter2@db/x"), ["hunter2"]);
    }

    #[test]
    fn words_that_stand_for_a_secret_are_none() {
        for text in [
            "password: required",
            "token_expires=2026-11-21T10:00:00Z",
            "secret=${DB_SECRET_1}",
            "password=changeme123",
            "token_count: 12345678",
            "the password is wrong",
            "https://example.com/a:b@c",
            "pwd=/home/jane",
        ] {
            assert!(found(text).is_empty(), "{text}");
        }
    }
}
