//! Secrets that tell themselves by how they begin: JSON web tokens, keys of clouds and hosted services, private keys.
//!
//! Prefixes and shapes follow the issuers' documents and the rules of gitleaks (MIT, © Zachary Rice).

use std::{ops::Range, sync::LazyLock};

use aho_corasick::AhoCorasick;
use memchr::memmem::Finder;

use super::figure::is_word;

/// What a key is made of after its prefix.
#[derive(Clone, Copy)]
enum Alphabet {
    /// Capital letters and digits.
    Capitals,
    /// Letters and digits.
    Plain,
    /// Letters, digits, `-` and `_`.
    Url,
    /// Letters, digits and `-_.`.
    Dotted,
    /// Base 64.
    Base64,
}

struct Key {
    prefix: &'static str,
    alphabet: Alphabet,
    least: usize,
    most: usize,
}

const fn key(prefix: &'static str, alphabet: Alphabet, least: usize, most: usize) -> Key {
    Key { prefix, alphabet, least, most }
}

static KEYS: &[Key] = &[
    // Amazon
    key("AKIA", Alphabet::Capitals, 16, 16),
    key("ASIA", Alphabet::Capitals, 16, 16),
    key("ABIA", Alphabet::Capitals, 16, 16),
    key("ACCA", Alphabet::Capitals, 16, 16),
    key("A3T", Alphabet::Capitals, 17, 17),
    // Google
    key("AIza", Alphabet::Url, 35, 35),
    key("ya29.", Alphabet::Dotted, 20, 2048),
    key("GOCSPX-", Alphabet::Url, 28, 28),
    // Microsoft
    key("AccountKey=", Alphabet::Base64, 86, 88),
    key("SharedAccessKey=", Alphabet::Base64, 43, 44),
    // Hosted services
    key("ghp_", Alphabet::Plain, 36, 255),
    key("gho_", Alphabet::Plain, 36, 255),
    key("ghu_", Alphabet::Plain, 36, 255),
    key("ghs_", Alphabet::Plain, 36, 255),
    key("ghr_", Alphabet::Plain, 36, 255),
    key("github_pat_", Alphabet::Url, 60, 255),
    key("glpat-", Alphabet::Url, 20, 64),
    key("xoxb-", Alphabet::Url, 20, 255),
    key("xoxp-", Alphabet::Url, 20, 255),
    key("xoxa-", Alphabet::Url, 20, 255),
    key("xoxs-", Alphabet::Url, 20, 255),
    key("xoxr-", Alphabet::Url, 20, 255),
    key("sk_live_", Alphabet::Plain, 16, 255),
    key("sk_test_", Alphabet::Plain, 16, 255),
    key("rk_live_", Alphabet::Plain, 16, 255),
    key("rk_test_", Alphabet::Plain, 16, 255),
    key("SG.", Alphabet::Dotted, 64, 70),
    key("sk-ant-", Alphabet::Url, 32, 255),
    key("sk-proj-", Alphabet::Url, 32, 255),
    key("npm_", Alphabet::Plain, 36, 36),
    key("pypi-", Alphabet::Url, 60, 255),
    key("dop_v1_", Alphabet::Plain, 64, 64),
    key("shpat_", Alphabet::Plain, 32, 32),
    key("hvs.", Alphabet::Url, 24, 255),
    key("hf_", Alphabet::Plain, 34, 40),
];

/// INVARIANT: without an automaton nothing is found; a test finds every prefix.
static PREFIXES: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::new(KEYS.iter().map(|key| key.prefix)).ok());

/// The shortest key.
pub(super) const LEAST_KEY_BYTES: usize = 20;

/// Keys of clouds and services.
pub(super) fn find_keys(text: &[u8], mut hit: impl FnMut(Range<usize>)) {
    let Some(prefixes) = PREFIXES.as_ref() else { return };
    let mut done = 0;
    for found in prefixes.find_iter(text) {
        let Some(key) = KEYS.get(found.pattern().as_usize()) else { continue };
        if found.start() < done || is_word(found.start().checked_sub(1).and_then(|place| text.get(place)).copied()) {
            continue;
        }
        let rest = text.get(found.end()..).unwrap_or_default();
        let length = rest.iter().take(key.most + 1).take_while(|byte| key.alphabet.holds(**byte)).count();
        let body = rest.get(..length).unwrap_or_default();
        let trimmed = body.strip_suffix(b".").map_or(length, <[u8]>::len);
        if (key.least..=key.most).contains(&trimmed) {
            done = found.end() + trimmed;
            hit(found.start()..done);
        }
    }
}

impl Alphabet {
    const fn holds(self, byte: u8) -> bool {
        match self {
            Self::Capitals => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Plain => byte.is_ascii_alphanumeric() || byte == b'_',
            Self::Url => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'),
            Self::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'),
            Self::Base64 => byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='),
        }
    }
}

pub(super) const LEAST_JWT_BYTES: usize = 24;

/// `{"`, as base64 writes it. A searcher is dear to make, so each is made once.
static BRACE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"eyJ"));

/// JSON web tokens: parts in base64url, the first of which begins as `{"` does.
pub(super) fn find_jwt(text: &[u8], mut hit: impl FnMut(Range<usize>)) {
    let mut done = 0;
    for start in BRACE.find_iter(text) {
        if start < done {
            continue;
        }
        let token = text.get(start..).unwrap_or_default();
        let length = token.iter().take_while(|byte| Alphabet::Dotted.holds(**byte)).count();
        let mut parts = token.get(..length).unwrap_or_default().split(|byte| *byte == b'.');
        let (Some(header), Some(second)) = (parts.next(), parts.next()) else { continue };
        let (third, more) = (parts.next(), parts.next());
        let signed = second.starts_with(b"ey") && second.len() >= 8 && third.is_some();
        let encrypted = third.is_some_and(|part| part.len() >= 8) && more.is_some();
        if header.len() >= 10 && (signed || encrypted) {
            done = start + length;
            hit(start..done);
        }
    }
}

pub(super) const LEAST_PEM_DASHES: usize = 10;
const BEGIN: &[u8] = b"-----BEGIN ";
static BEGINNING: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(BEGIN));
const KIND: &[u8] = b"PRIVATE KEY";

/// Private keys in PEM: from `-----BEGIN … PRIVATE KEY` to the end line; to the end of the text where there is none.
pub(super) fn find_pem(text: &[u8], mut hit: impl FnMut(Range<usize>)) {
    let mut done = 0;
    for start in BEGINNING.find_iter(text) {
        if start < done {
            continue;
        }
        let rest = text.get(start + BEGIN.len()..).unwrap_or_default();
        let label = rest.get(..rest.len().min(48)).unwrap_or_default();
        let label = label.split(|byte| *byte == b'-').next().unwrap_or_default();
        if memchr::memmem::find(label, KIND).is_none() {
            continue;
        }
        let end = memchr::memmem::find(rest, b"-----END ").map(|end| start + BEGIN.len() + end + 9);
        let last = end.and_then(|end| {
            let after = text.get(end..)?;
            memchr::memmem::find(after.get(..after.len().min(64))?, b"-----").map(|dashes| end + dashes + 5)
        });
        done = last.or(end).unwrap_or(text.len());
        hit(start..done);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prefix_is_found_with_a_key_behind_it() {
        for key in KEYS {
            let whole = format!("{}{}", key.prefix, "A".repeat(key.least));
            let mut found = Vec::new();
            find_keys(format!("x={whole} y").as_bytes(), |range| found.push(range));
            assert_eq!((found.len(), found.first()), (1, Some(&(2..2 + whole.len()))), "{whole}");
            assert!(whole.len() >= LEAST_KEY_BYTES);
        }
    }
}
