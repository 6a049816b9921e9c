//! The site's masking key: what makes `hash` and `pseudonym` stable here and worthless elsewhere.
//!
//! A hash is HMAC-SHA-256 over class and value. A pseudonym is AES-SIV (RFC 5297) under a key of its class, so that
//! equal values have equal tokens, and only this site can turn one back. Knows no file: the key is handed in.

use std::fmt;

use aes_siv::{KeyInit as _, siv::Aes256Siv};
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

/// Before every pseudonym: `pseu_email_…`.
const PREFIX: &str = "pseu_";
/// A longer value gets no pseudonym: it would be no key of anything.
pub const MOST_PSEUDONYM_BYTES: usize = 1024;
/// Shown of a hash.
const HASH_BYTES: usize = 16;
/// RFC 4648's base 32, small letters: survives URLs, file names and case-insensitive columns.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The masking key of a site. Shows nothing of itself.
pub struct MaskKeys {
    hash: hmac::Key,
    pseudonym: hmac::Key,
}

impl fmt::Debug for MaskKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MaskKeys").finish_non_exhaustive()
    }
}

impl MaskKeys {
    /// The length of a site's secret.
    pub const SECRET_BYTES: usize = 32;

    /// Keys from a site's secret; `None` where it is not 32 bytes long.
    pub fn new(secret: &[u8]) -> Option<Self> {
        if secret.len() != Self::SECRET_BYTES {
            return None;
        }
        let root = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let derive = |purpose: &[u8]| hmac::Key::new(hmac::HMAC_SHA512, hmac::sign(&root, purpose).as_ref());
        Some(Self { hash: derive(b"hoop mask hash"), pseudonym: derive(b"hoop mask pseudonym") })
    }

    /// 128 bits that stand for a value of a class.
    pub fn hash(&self, class: &str, value: &[u8]) -> [u8; HASH_BYTES] {
        let mut context = hmac::Context::with_key(&self.hash);
        // A class has at most 64 bytes and no NUL.
        context.update(class.as_bytes());
        context.update(&[0]);
        context.update(value);
        let mut short = [0; HASH_BYTES];
        short.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
        short
    }

    fn cipher(&self, class: &str) -> Option<Aes256Siv> {
        let key = hmac::sign(&self.pseudonym, class.as_bytes());
        Aes256Siv::new_from_slice(Zeroizing::new(key.as_ref().to_vec()).as_slice()).ok()
    }

    /// The pseudonym of a value; `None` where it is too long for one.
    pub fn pseudonym(&self, class: &str, value: &[u8]) -> Option<String> {
        if value.len() > MOST_PSEUDONYM_BYTES {
            return None;
        }
        let sealed = self.cipher(class)?.encrypt([class.as_bytes()], value).ok()?;
        Some(format!("{PREFIX}{class}_{}", encode(&sealed)))
    }

    /// The value behind a pseudonym of this class; `None` for everything else.
    pub fn value_of(&self, class: &str, token: &str) -> Option<Zeroizing<Vec<u8>>> {
        let sealed = decode(token.strip_prefix(PREFIX)?.strip_prefix(class)?.strip_prefix('_')?)?;
        self.cipher(class)?.decrypt([class.as_bytes()], &sealed).ok().map(Zeroizing::new)
    }
}

/// Whether a text claims to be a pseudonym of some class.
pub fn is_pseudonym(text: &str) -> bool {
    let body = text.strip_prefix(PREFIX).and_then(|rest| rest.rsplit_once('_'));
    body.is_some_and(|(class, body)| {
        !class.is_empty() && body.len() >= 26 && body.bytes().all(|b| ALPHABET.contains(&b))
    })
}

fn encode(bytes: &[u8]) -> String {
    let (mut text, mut pending, mut width) = (String::with_capacity(bytes.len() * 8 / 5 + 1), 0_u32, 0_u32);
    let mut emit = |digit: u32| {
        let place = usize::try_from(digit & 31).unwrap_or_default();
        text.push(char::from(ALPHABET.get(place).copied().unwrap_or(b'a')));
    };
    for byte in bytes {
        pending = (pending << 8 | u32::from(*byte)) & 0xFFFF;
        width += 8;
        while width >= 5 {
            width -= 5;
            emit(pending >> width);
        }
    }
    if width > 0 {
        emit(pending << (5 - width));
    }
    text
}

fn decode(text: &str) -> Option<Vec<u8>> {
    if text.len() > MOST_PSEUDONYM_BYTES * 2 {
        return None;
    }
    let (mut bytes, mut pending, mut width) = (Vec::with_capacity(text.len() * 5 / 8), 0_u32, 0_u32);
    for letter in text.bytes() {
        let digit = u32::try_from(ALPHABET.iter().position(|known| *known == letter)?).ok()?;
        pending = (pending << 5 | digit) & 0xFFFF;
        width += 5;
        if width >= 8 {
            width -= 8;
            bytes.push(u8::try_from(pending >> width & 0xFF).ok()?);
        }
    }
    // One spelling a token: what is left over must be nothing.
    (width < 5 && pending & ((1 << width) - 1) == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys() -> MaskKeys {
        MaskKeys::new(&[7; 32]).expect("32 bytes")
    }

    #[test]
    fn hashes_and_pseudonyms_are_stable_and_differ_by_class_and_site() {
        let other = MaskKeys::new(&[8; 32]).expect("32 bytes");
        assert_eq!(keys().hash("email", b"a"), keys().hash("email", b"a"));
        assert_ne!(keys().hash("email", b"a"), keys().hash("phone", b"a"));
        assert_ne!(keys().hash("email", b"a"), other.hash("email", b"a"));
        let token = keys().pseudonym("email", b"jane@example.com").expect("short");
        assert!(token.starts_with("pseu_email_") && is_pseudonym(&token), "{token}");
        assert_eq!(keys().pseudonym("email", b"jane@example.com"), Some(token.clone()));
        assert_eq!(keys().value_of("email", &token).expect("ours").as_slice(), b"jane@example.com");
        assert_eq!(keys().value_of("phone", &token), None);
        assert_eq!(other.value_of("email", &token), None);
        assert!(MaskKeys::new(b"short").is_none());
        assert!(!is_pseudonym("pseu_email_") && !is_pseudonym("pseudonym") && !is_pseudonym("pseu_email_x"));
    }

    proptest! {
        #[test]
        fn a_pseudonym_goes_there_and_back_and_no_other_text_does(value in prop::collection::vec(any::<u8>(), 0..100), place in 0..60_usize) {
            let token = keys().pseudonym("us_ssn", &value).expect("short");
            let back = keys().value_of("us_ssn", &token).expect("ours");
            prop_assert_eq!(back.as_slice(), &value[..]);
            let mut forged = token.into_bytes();
            let place = 12 + place % (forged.len() - 12);
            forged[place] = if forged[place] == b'a' { b'b' } else { b'a' };
            prop_assert_eq!(keys().value_of("us_ssn", std::str::from_utf8(&forged).expect("ascii")), None);
        }
    }
}
