//! Arrays of texts, masked element by element, so that a client still reads an array of the same dimensions.
//!
//! What cannot be read as an array is NULL as a whole.

use bytes::{BufMut, BytesMut};

use crate::mask::{Detectors, Mask, mask_value};

/// SPEC: `MAXDIM` of the server.
const MOST_DIMENSIONS: usize = 6;

/// Appends an array literal with every element masked; `None` where `value` is no array literal.
pub(super) fn put_masked_literal(mask: Mask<'_>, delimiter: u8, value: &[u8], out: &mut BytesMut) -> Option<()> {
    let open = memchr::memchr(b'{', value)?;
    let bounds = value.get(..open)?;
    let plain = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'[' | b']' | b':' | b'-' | b'=');
    if !bounds.iter().all(plain) {
        return None;
    }
    out.put_slice(bounds);
    let mut rest = value.get(open..)?;
    let mut depth = 0_usize;
    while let Some((first, after)) = rest.split_first() {
        match *first {
            b'{' => depth += 1,
            b'}' => depth = depth.checked_sub(1)?,
            byte if byte == delimiter => {}
            b'"' => {
                let (element, after) = quoted(after)?;
                put_element(mask, &element, out);
                rest = after;
                continue;
            }
            _ => {
                let end = rest.iter().position(|byte| *byte == delimiter || matches!(byte, b'{' | b'}' | b'"'))?;
                let (element, after) = rest.split_at_checked(end)?;
                if element.eq_ignore_ascii_case(b"null") {
                    out.put_slice(b"NULL");
                } else {
                    put_element(mask, element, out);
                }
                rest = after;
                continue;
            }
        }
        if depth > MOST_DIMENSIONS {
            return None;
        }
        out.put_u8(*first);
        rest = after;
    }
    (depth == 0).then_some(())
}

/// The text of a quoted element without its escapes, and what follows its closing quote.
fn quoted(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (mut element, mut bytes) = (Vec::new(), text.iter().enumerate());
    while let Some((place, byte)) = bytes.next() {
        match byte {
            b'"' => return Some((element, text.get(place + 1..)?)),
            b'\\' => element.push(*bytes.next()?.1),
            _ => element.push(*byte),
        }
    }
    None
}

fn put_element(mask: Mask<'_>, element: &[u8], out: &mut BytesMut) {
    let at = out.len();
    out.put_u8(b'"');
    // INVARIANT: masks hold no quote and no backslash.
    if mask_value(mask, element, out) {
        out.put_u8(b'"');
    } else {
        out.truncate(at);
        out.put_slice(b"NULL");
    }
}

/// Appends a binary array with every element masked; `None` where `value` is no array.
pub(super) fn put_masked_binary(mask: Mask<'_>, value: &[u8], out: &mut BytesMut) -> Option<()> {
    each_element(value, out, |element, out| mask_value(mask, element, out))
}

/// Appends a binary array with what the detectors find in its elements masked; `None` where `value` is no array.
pub(super) fn put_hits_binary(detectors: &Detectors, value: &[u8], out: &mut BytesMut) -> Option<()> {
    let mut hits = Vec::new();
    each_element(value, out, |element, out| {
        detectors.find(element, &mut hits);
        super::cell::put_in_place(detectors, element, &hits, false, out);
        true
    })
}

/// SPEC: `array_send`: dimensions, a flag for NULLs, the element type, length and lower bound of each dimension; then
/// each element with its length.
fn each_element(value: &[u8], out: &mut BytesMut, mut write: impl FnMut(&[u8], &mut BytesMut) -> bool) -> Option<()> {
    let dimensions = usize::try_from(u32::from_be_bytes(*value.first_chunk::<4>()?)).ok()?;
    if dimensions > MOST_DIMENSIONS {
        return None;
    }
    let (head, mut rest) = value.split_at_checked(12 + dimensions * 8)?;
    let start = out.len();
    out.put_slice(head);
    let mut has_nulls = false;
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
            has_nulls = true;
            out.put_i32(-1);
            rest = after;
            continue;
        };
        let (element, after) = after.split_at_checked(length)?;
        let at = out.len();
        out.put_i32(0);
        if write(element, out) {
            super::patch_element(out, at);
        } else {
            has_nulls = true;
            out.truncate(at);
            out.put_i32(-1);
        }
        rest = after;
    }
    if has_nulls && let Some(flags) = out.get_mut(start + 4..start + 8) {
        flags.copy_from_slice(&1_u32.to_be_bytes());
    }
    Some(())
}
