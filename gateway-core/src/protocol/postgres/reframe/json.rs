//! Masks inside JSON text so that it stays JSON: a value in a string is masked there, a number becomes a string.

use bytes::{BufMut, BytesMut};

use super::cell::escaped_bytes;
use crate::mask::{Detectors, Hit, Mask, mask_value};

/// Appends a JSON string that holds the mask of the whole value; false where the result is NULL.
pub(super) fn put_masked_string(mask: Mask<'_>, value: &[u8], out: &mut BytesMut) -> bool {
    let inner = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
    let at = out.len();
    out.put_u8(b'"');
    // INVARIANT: masks hold no quote and no backslash.
    let written = mask_value(mask, inner, out);
    out.put_u8(b'"');
    if !written {
        out.truncate(at);
    }
    written
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
