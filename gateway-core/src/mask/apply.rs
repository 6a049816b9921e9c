//! The masking functions at work: on a value found inside a text, and on a value that is masked whole.
//!
//! Output is text that needs no escape in text, JSON, COPY or an array: letters and digits, `*@._-+[]`, and inside of
//! numbers the spaces and brackets that were there.

use bytes::BufMut;

use super::{DetectedClass, MaskFunction, MaskKeys};

const REDACTED: &[u8] = b"[redacted]";
const STARS: &[u8] = b"*****";
/// What `last4` keeps.
const KEPT_CHARACTERS: usize = 4;
/// How many stars stand for any number of hidden characters.
const MOST_STARS: usize = 12;
/// A top-level domain longer than this is hidden too.
const MOST_TOP_LEVEL_BYTES: usize = 12;

/// How a value is masked: the function, the class that it is of, and the site's keys.
#[derive(Debug, Clone, Copy)]
pub struct Mask<'keys> {
    /// How.
    pub function: MaskFunction,
    /// The tag or data class.
    pub class: &'keys str,
    /// What hashes and pseudonyms are made with; without, they redact.
    pub keys: Option<&'keys MaskKeys>,
}

/// Writes the mask of a value that a detector found. NULL cannot stand inside a text, so there `null` redacts.
pub fn mask_hit(
    class: DetectedClass,
    function: MaskFunction,
    keys: Option<&MaskKeys>,
    value: &[u8],
    out: &mut impl BufMut,
) {
    match (function, class) {
        (MaskFunction::Hash | MaskFunction::Pseudonym, _) if keys.is_some() => {
            mask_value(Mask { function, class: class.as_str(), keys }, value, out);
        }
        (MaskFunction::Partial, DetectedClass::Email) => partial_email(value, out),
        (
            MaskFunction::Partial | MaskFunction::Last4,
            DetectedClass::CreditCard | DetectedClass::UsSsn | DetectedClass::Phone,
        ) => {
            last_four_digits(value, out);
        }
        (MaskFunction::Last4, DetectedClass::Email | DetectedClass::Iban | DetectedClass::Custom(_)) => {
            last_four(value, out);
        }
        (MaskFunction::Partial, DetectedClass::Iban) => last_four(value, out),
        (MaskFunction::Partial, DetectedClass::Custom(_)) => partial_text(value, out),
        // What is left of an address or a secret says too much of it.
        _ => {
            out.put_u8(b'[');
            out.put_slice(class.as_str().as_bytes());
            out.put_u8(b']');
        }
    }
}

/// Writes the mask of a whole text value; false where the result is NULL and nothing was written.
pub fn mask_value(mask: Mask<'_>, value: &[u8], out: &mut impl BufMut) -> bool {
    match (mask.function, mask.keys) {
        (MaskFunction::Null, _) => return false,
        (MaskFunction::Partial, _) if memchr::memchr(b'@', value).is_some() => partial_email(value, out),
        (MaskFunction::Partial, _) => partial_text(value, out),
        (MaskFunction::Last4, _) => last_four(value, out),
        (MaskFunction::Hash, Some(keys)) => {
            out.put_slice(b"hash_");
            keys.hash(mask.class, value).iter().for_each(|byte| put_hexadecimal(*byte, out));
        }
        (MaskFunction::Pseudonym, Some(keys)) => match keys.pseudonym(mask.class, value) {
            Some(token) => out.put_slice(token.as_bytes()),
            None => out.put_slice(REDACTED),
        },
        (MaskFunction::Redact | MaskFunction::Hash | MaskFunction::Pseudonym, _) => out.put_slice(REDACTED),
    }
    true
}

pub(super) fn put_hexadecimal(byte: u8, out: &mut impl BufMut) {
    for digit in [byte >> 4, byte & 15] {
        out.put_u8(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 });
    }
}

/// `j****@*****.com`: lengths are hidden, and a local part of one letter is too.
fn partial_email(value: &[u8], out: &mut impl BufMut) {
    let (local, domain) = value.split_at(memchr::memrchr(b'@', value).unwrap_or(value.len()));
    match local {
        [first, _, ..] if is_plain(*first) => out.put_u8(*first),
        _ => out.put_u8(b'*'),
    }
    out.put_slice(b"****@");
    out.put_slice(STARS);
    let Some(dot) = memchr::memrchr(b'.', domain) else { return };
    let top = domain.get(dot..).unwrap_or_default();
    if top.len() <= MOST_TOP_LEVEL_BYTES && top.iter().skip(1).all(u8::is_ascii_alphabetic) {
        out.put_slice(top);
    }
}

fn partial_text(value: &[u8], out: &mut impl BufMut) {
    match value {
        [first, _, _, ..] if is_plain(*first) => out.put_u8(*first),
        _ => {}
    }
    out.put_slice(STARS);
}

/// The last four characters, where at least as many are hidden; they are hidden too where one needs an escape.
fn last_four(value: &[u8], out: &mut impl BufMut) {
    let hidden = value.len().saturating_sub(KEPT_CHARACTERS);
    let kept = value.get(hidden..).unwrap_or_default();
    for _ in 0..hidden.clamp(STARS.len(), MOST_STARS) {
        out.put_u8(b'*');
    }
    if hidden >= KEPT_CHARACTERS && kept.iter().all(|byte| is_plain(*byte) || *byte == b'.') {
        out.put_slice(kept);
    }
}

/// `**** **** **** 1111`: separators stay.
fn last_four_digits(value: &[u8], out: &mut impl BufMut) {
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let mut left = digits;
    for byte in value {
        match byte {
            b'0'..=b'9' => {
                let shown = left <= KEPT_CHARACTERS && digits >= 2 * KEPT_CHARACTERS;
                out.put_u8(if shown { *byte } else { b'*' });
                left -= 1;
            }
            b' ' | b'-' | b'+' | b'.' | b'(' | b')' => out.put_u8(*byte),
            _ => out.put_u8(b'*'),
        }
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(function: MaskFunction, value: &str) -> Option<String> {
        let mut out = Vec::new();
        let keys = MaskKeys::new(&[7; 32]);
        let mask = Mask { function, class: "email", keys: keys.as_ref() };
        mask_value(mask, value.as_bytes(), &mut out).then(|| String::from_utf8(out).unwrap())
    }

    fn hit(class: DetectedClass, function: MaskFunction, value: &str) -> String {
        let mut out = Vec::new();
        mask_hit(class, function, None, value.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_function_has_its_shape() {
        assert_eq!(whole(MaskFunction::Redact, "secret").as_deref(), Some("[redacted]"));
        assert_eq!(whole(MaskFunction::Null, "secret"), None);
        assert_eq!(whole(MaskFunction::Partial, "jane@example.com").as_deref(), Some("j****@*****.com"));
        assert_eq!(whole(MaskFunction::Partial, "Jane Doe").as_deref(), Some("J*****"));
        assert_eq!(whole(MaskFunction::Last4, "DE89370400440532013000").as_deref(), Some("************3000"));
        assert_eq!(hit(DetectedClass::CreditCard, MaskFunction::Last4, "4111 1111-1111 1234"), "**** ****-**** 1234");
        assert_eq!(hit(DetectedClass::Email, MaskFunction::Null, "a@b.cd"), "[email]");
        assert_eq!(hit(DetectedClass::UsSsn, MaskFunction::Last4, "123-45-6789"), "***-**-6789");
        assert_eq!(hit(DetectedClass::Phone, MaskFunction::Last4, "+1 (201) 555-0123"), "+* (***) ***-0123");
        assert_eq!(hit(DetectedClass::Iban, MaskFunction::Last4, "DE89370400440532013000"), "************3000");
        assert_eq!(hit(DetectedClass::Jwt, MaskFunction::Last4, "eyJhbGciOi.eyJzdWIi.x"), "[jwt]");
        assert_eq!(hit(DetectedClass::Email, MaskFunction::Hash, "a@b.cd"), "[email]");
    }

    #[test]
    fn keyed_functions_are_stable_and_differ_by_value() {
        for function in [MaskFunction::Hash, MaskFunction::Pseudonym] {
            assert_eq!(whole(function, "jane@example.com"), whole(function, "jane@example.com"));
            assert_ne!(whole(function, "jane@example.com"), whole(function, "jane@example.org"));
        }
        assert!(whole(MaskFunction::Hash, "x").is_some_and(|text| text.len() == 37 && text.starts_with("hash_")));
        assert_eq!(whole(MaskFunction::Pseudonym, &"x".repeat(2000)).as_deref(), Some("[redacted]"));
    }

    #[test]
    fn short_values_show_nothing() {
        for value in ["", "a", "ab", "abcd", "abcdefg"] {
            assert_eq!(whole(MaskFunction::Last4, value).as_deref(), Some("*****"), "{value}");
        }
        assert_eq!(whole(MaskFunction::Partial, "ab").as_deref(), Some("*****"));
        assert_eq!(whole(MaskFunction::Partial, "a@b.cd").as_deref(), Some("*****@*****.cd"));
        assert_eq!(whole(MaskFunction::Partial, "élan vital").as_deref(), Some("*****"));
    }
}
