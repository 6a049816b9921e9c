//! E-mail addresses: around each `@`, a local part and a domain of up to 255 bytes each (RFC 5321 allows 64 and 255).
//!
//! Bytes beyond ASCII count as letters, so that internationalised addresses are found.

use std::ops::Range;

const LOCAL_BYTES: usize = 255;
const DOMAIN_BYTES: usize = 255;
/// The shortest address: `a@b.cd`.
pub(super) const LEAST_BYTES: usize = 6;

pub(super) fn find(text: &[u8], mut hit: impl FnMut(Range<usize>)) {
    let mut pending: Option<Range<usize>> = None;
    for at in memchr::memchr_iter(b'@', text) {
        let from = pending.as_ref().map_or(0, |range| range.end);
        let (Some(before), Some(after)) = (text.get(from..at), text.get(at + 1..)) else { continue };
        let (local, domain) = (local_length(before), domain_length(after));
        if domain == 0 {
            continue;
        }
        // In `a@b.comc@d.com` the second local part was taken for the end of the first domain: one hit over both.
        let is_chained = local == 0 && before.len() <= LOCAL_BYTES && before.iter().all(|byte| is_local(*byte));
        if let Some(range) = pending.as_mut().filter(|_| is_chained) {
            range.end = at + 1 + domain;
        } else if local > 0
            && let Some(whole) = pending.replace(at - local..at + 1 + domain)
        {
            hit(whole);
        }
    }
    if let Some(whole) = pending {
        hit(whole);
    }
}

/// How many bytes before the `@` belong to the address.
fn local_length(before: &[u8]) -> usize {
    let near = before.iter().rev().take(LOCAL_BYTES);
    let longest = near.take_while(|byte| is_local(**byte)).count();
    let start = before.len() - longest;
    let leading = before.get(start..).unwrap_or_default().iter().take_while(|byte| !is_start(**byte)).count();
    longest - leading
}

/// How many bytes after the `@` belong to the address: two labels or more, the last of them not a number.
fn domain_length(after: &[u8]) -> usize {
    let is_part = |byte: u8| is_word(byte) || matches!(byte, b'.' | b'-');
    let span = after.iter().enumerate().take_while(|(index, byte)| match index {
        0..DOMAIN_BYTES => is_part(**byte),
        _ => is_continuation(**byte),
    });
    let span = span.count();
    let mut length = 0;
    let mut end = 0;
    for (index, label) in after.get(..span).unwrap_or_default().split(|byte| *byte == b'.').enumerate() {
        let dashes = label.iter().rev().take_while(|byte| **byte == b'-').count();
        let name = label.get(..label.len() - dashes).unwrap_or_default();
        if name.is_empty() || name.starts_with(b"-") {
            break;
        }
        end += label.len() + usize::from(index > 0);
        if index > 0 && name.len() > 1 && name.iter().any(|byte| is_letter(*byte)) {
            length = end - dashes;
        }
        if dashes > 0 {
            break;
        }
    }
    length
}

/// Whether a local part may begin here: not in the middle of a character.
fn is_start(byte: u8) -> bool {
    is_word(byte) && !is_continuation(byte)
}

fn is_continuation(byte: u8) -> bool {
    (0x80..0xC0).contains(&byte)
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || !byte.is_ascii()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii() || byte == b'_'
}

fn is_local(byte: u8) -> bool {
    is_word(byte) || matches!(byte, b'.' | b'-' | b'+' | b'%' | b'&' | b'*' | b'~' | b'^' | b'!' | b'#' | b'$' | b'\'')
}
