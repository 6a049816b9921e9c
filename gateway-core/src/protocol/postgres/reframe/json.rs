//! Masks inside JSON text so that it stays JSON: a value in a string is masked there, a number becomes a string.

use bytes::{BufMut, BytesMut};

use super::cell::escaped_bytes;
use crate::mask::{Detectors, Hit, Mask, MaskFunction, mask_value};

/// Appends the same structure with every leaf masked: texts as the function says, numbers and booleans as null. Of the
/// names of members those that look like names stay, where `names` says so. False where the result is NULL.
pub(super) fn put_masked_leaves(mask: Mask<'_>, names: bool, value: &[u8], out: &mut BytesMut) -> bool {
    if mask.function == MaskFunction::Null {
        return false;
    }
    let at = out.len();
    if put_leaves(mask, names, value, out).is_none() {
        // FAIL-CLOSED: what is not JSON is not shown.
        out.truncate(at);
        out.put_slice(b"\"[redacted]\"");
    }
    true
}

/// Walks over tokens; `None` where there is something that no JSON text has.
fn put_leaves(mask: Mask<'_>, names: bool, value: &[u8], out: &mut BytesMut) -> Option<()> {
    let mut rest = value;
    let (mut open, mut is_empty) = (0_usize, true);
    while let Some((first, after)) = rest.split_first() {
        is_empty &= first.is_ascii_whitespace();
        match first {
            b'{' | b'[' => open += 1,
            b'}' | b']' => open = open.checked_sub(1)?,
            _ => {}
        }
        match first {
            b'"' => {
                let token = rest.get(..string_end(rest)?)?;
                rest = rest.get(token.len()..)?;
                let is_name = rest.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':');
                if is_name && names && is_identifier(token) {
                    out.put_slice(token);
                } else {
                    let text: String = serde_json::from_slice(token).ok()?;
                    out.put_u8(b'"');
                    // INVARIANT: masks hold no quote and no backslash.
                    mask_value(mask, text.as_bytes(), out);
                    out.put_u8(b'"');
                }
            }
            b'{' | b'}' | b'[' | b']' | b',' | b':' | b' ' | b'\n' | b'\r' | b'\t' => {
                out.put_u8(*first);
                rest = after;
            }
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                let length = rest.iter().take_while(|byte| is_scalar(**byte)).count();
                out.put_slice(b"null");
                rest = rest.get(length..)?;
            }
            _ => return None,
        }
    }
    (open == 0 && !is_empty).then_some(())
}

/// `"first_name"`: what a person may have called a member, and no value with an `@` or a space.
fn is_identifier(token: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-');
    token.len() <= MOST_NAME_BYTES && token.iter().all(|byte| plain(byte) || *byte == b'"')
}

/// Quotes included.
const MOST_NAME_BYTES: usize = 40;

const fn is_scalar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

/// The length of the string that `text` begins with, quotes included.
fn string_end(text: &[u8]) -> Option<usize> {
    let mut place = 1;
    loop {
        let found = place + memchr::memchr2(b'"', b'\\', text.get(place..)?)?;
        match text.get(found)? {
            b'"' => return Some(found + 1),
            _ => place = found + 2,
        }
    }
}

/// Appends the text with every hit masked.
pub(super) fn put_in_place(detectors: &Detectors, value: &[u8], hits: &[Hit], out: &mut BytesMut) {
    let (mut copied, mut quotes) = (0, Quotes::default());
    for hit in hits {
        let inside = quotes.inside_at(value, hit.range.start);
        if inside {
            let start = (hit.range.start + escaped_bytes(value, hit.range.start)).min(hit.range.end);
            out.put_slice(value.get(copied..start).unwrap_or_default());
            mask(detectors, hit, value.get(start..hit.range.end), out);
            copied = hit.range.end;
        } else {
            let (start, end) = number_around(value, hit, copied);
            out.put_slice(value.get(copied..start).unwrap_or_default());
            out.put_u8(b'"');
            mask(detectors, hit, value.get(hit.range.clone()), out);
            out.put_u8(b'"');
            copied = end;
        }
    }
    out.put_slice(value.get(copied..).unwrap_or_default());
}

fn mask(detectors: &Detectors, hit: &Hit, value: Option<&[u8]>, out: &mut BytesMut) {
    detectors.put_hit(hit.class, value.unwrap_or_default(), out);
}

/// The whole number token around a hit, not reaching back before `copied`.
fn number_around(value: &[u8], hit: &Hit, copied: usize) -> (usize, usize) {
    let is_part = |byte: &&u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    let before = value.get(copied..hit.range.start).unwrap_or_default().iter().rev().take_while(is_part).count();
    let after = value.get(hit.range.end..).unwrap_or_default().iter().take_while(is_part).count();
    (hit.range.start - before, hit.range.end + after)
}

/// Whether a place is inside a string, told by reading forward once over all hits.
#[derive(Default)]
struct Quotes {
    read: usize,
    inside: bool,
    escaped: bool,
}

impl Quotes {
    fn inside_at(&mut self, value: &[u8], place: usize) -> bool {
        for byte in value.get(self.read..place).unwrap_or_default() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.inside => self.escaped = true,
                b'"' => self.inside = !self.inside,
                _ => {}
            }
        }
        self.read = self.read.max(place);
        self.inside
    }
}
