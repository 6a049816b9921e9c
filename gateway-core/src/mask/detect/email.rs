//! E-mail addresses: around each `@`, a local part and a domain of up to 255 bytes each (RFC 5321 allows 64 and 255).
//!
//! Bytes beyond ASCII count as letters, so that internationalised addresses are found.

use std::ops::Range;

use super::kind::{is_domain, is_local, is_wide_word};

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
    let near = before.get(before.len().saturating_sub(LOCAL_BYTES)..).unwrap_or_default();
    let start = near.iter().rposition(|byte| !is_local(*byte)).map_or(0, |place| place + 1);
    let local = near.get(start..).unwrap_or_default();
    local.iter().position(|byte| is_start(*byte)).map_or(0, |leading| local.len() - leading)
}

/// How many bytes after the `@` belong to the address: two labels or more, the last of them not a number.
fn domain_length(after: &[u8]) -> usize {
    let near = after.get(..after.len().min(DOMAIN_BYTES)).unwrap_or_default();
    let span = near.iter().position(|byte| !is_domain(*byte)).unwrap_or_else(|| {
        let rest = after.get(near.len()..).unwrap_or_default();
        near.len() + rest.iter().take_while(|byte| is_continuation(**byte)).count()
    });
    let mut length = 0;
    let mut end = 0;
    for (index, label) in after.get(..span).unwrap_or_default().split(|byte| *byte == b'.').enumerate() {
        let name = label.iter().rposition(|byte| *byte != b'-').map_or(0, |last| last + 1);
        let (name, dashes) = label.split_at(name);
        if name.is_empty() || name.starts_with(b"-") {
            break;
        }
        end += label.len() + usize::from(index > 0);
        if index > 0 && name.len() > 1 && name.iter().any(|byte| is_letter(*byte)) {
            length = end - dashes.len();
        }
        if !dashes.is_empty() {
            break;
        }
    }
    length
}

/// Whether a local part may begin here: not in the middle of a character.
fn is_start(byte: u8) -> bool {
    is_wide_word(byte) && !is_continuation(byte)
}

fn is_continuation(byte: u8) -> bool {
    (0x80..0xC0).contains(&byte)
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || !byte.is_ascii()
}
