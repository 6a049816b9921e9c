//! The masking functions at work: on a value found inside a text, and on a value that is masked whole.
//!
//! Output is text that needs no escape anywhere: letters and digits of the value, `*`, `@`, `.`, `[`, `]` and `_`.

use bytes::BufMut;

use super::{DetectedClass, MaskFunction};

const REDACTED: &[u8] = b"[redacted]";
const STARS: &[u8] = b"*****";
/// What `last4` keeps.
const KEPT_CHARACTERS: usize = 4;
/// How many stars stand for any number of hidden characters.
const MOST_STARS: usize = 12;
/// A top-level domain longer than this is hidden too.
const MOST_TOP_LEVEL_BYTES: usize = 12;

/// Writes the mask of a value that a detector found. NULL cannot stand inside a text, so there `null` redacts.
pub fn mask_hit(class: DetectedClass, function: MaskFunction, value: &[u8], out: &mut impl BufMut) {
    match (function, class) {
        (MaskFunction::Redact | MaskFunction::Null, _) => {
            out.put_u8(b'[');
            out.put_slice(class.as_str().as_bytes());
            out.put_u8(b']');
        }
        (MaskFunction::Partial, DetectedClass::Email) => partial_email(value, out),
        (MaskFunction::Last4, DetectedClass::Email) => last_four(value, out),
        (MaskFunction::Partial | MaskFunction::Last4, DetectedClass::CreditCard) => last_four_digits(value, out),
    }
}

/// Writes the mask of a whole text value; false where the result is NULL and nothing was written.
pub fn mask_value(function: MaskFunction, value: &[u8], out: &mut impl BufMut) -> bool {
    match function {
        MaskFunction::Null => return false,
        MaskFunction::Redact => out.put_slice(REDACTED),
        MaskFunction::Partial if memchr::memchr(b'@', value).is_some() => partial_email(value, out),
        MaskFunction::Partial => partial_text(value, out),
        MaskFunction::Last4 => last_four(value, out),
    }
    true
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
            b' ' | b'-' => out.put_u8(*byte),
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
        mask_value(function, value.as_bytes(), &mut out).then(|| String::from_utf8(out).unwrap())
    }

    fn hit(class: DetectedClass, function: MaskFunction, value: &str) -> String {
        let mut out = Vec::new();
        mask_hit(class, function, value.as_bytes(), &mut out);
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
