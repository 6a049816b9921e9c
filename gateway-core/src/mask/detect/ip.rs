//! IPv4 and IPv6 addresses. Versions, section numbers and addresses that name no host (loopback, netmasks) are not hits.

use std::{net::Ipv6Addr, ops::Range};

use super::figure::{Figure, is_announced, is_word};

const LEAD_BYTES: usize = 20;
/// `ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255`
const MOST_BYTES: usize = 45;
const OTHER_THINGS: &[&[u8]] = &[
    b"version",
    b"ver.",
    b"ver ",
    b"release",
    b"build",
    b"firmware",
    b"section",
    b"chapter",
    b"clause",
    b"article",
    b"oid",
    b"upgrade",
    b"update to",
    b"package",
    b"==",
];

/// The IPv4 address that a figure is.
pub(super) fn range(figure: &Figure<'_>) -> Option<Range<usize>> {
    let mut octets = [0_u8; 4];
    for (index, octet) in octets.iter_mut().enumerate() {
        let digits = figure.digits_of(index);
        if !(1..=3).contains(&digits.len()) || (digits.len() > 1 && digits.starts_with(b"0")) {
            return None;
        }
        if index < 3 && figure.separator(index) != b"." {
            return None;
        }
        *octet = std::str::from_utf8(digits).ok()?.parse().ok()?;
    }
    let end = figure.group(3)?.end;
    if is_word(figure.byte(end)) || goes_on(figure, end) || !begins(figure) {
        return None;
    }
    let names_a_host = !matches!(octets, [0 | 127, ..] | [255, 255, ..]);
    (names_a_host && !is_announced(figure.lead(LEAD_BYTES), OTHER_THINGS)).then(|| figure.start()..end)
}

/// Whether the fourth group is not the last of a dotted number, or a suffix of a version follows.
fn goes_on(figure: &Figure<'_>, end: usize) -> bool {
    match (figure.byte(end), figure.byte(end + 1)) {
        (Some(b'.'), Some(next)) => next.is_ascii_alphanumeric(),
        (Some(b'-' | b'+'), Some(next)) if next.is_ascii_digit() => figure.separator(4) != b".",
        (Some(b'-' | b'+'), next) => is_word(next),
        _ => false,
    }
}

fn begins(figure: &Figure<'_>) -> bool {
    match figure.lead(2) {
        [before, b'/'] => !before.is_ascii_alphabetic(),
        [.., b'.' | b'-' | b'_' | b'#'] => false,
        [.., before] => !is_word(Some(*before)),
        [] => true,
    }
}

/// IPv6 addresses, found around their colons.
pub(super) fn find_v6(text: &[u8], mut hit: impl FnMut(Range<usize>)) {
    if !may_be_v6(text) {
        return;
    }
    let is_part = |byte: &&u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    let mut done = 0;
    for colon in memchr::memchr_iter(b':', text) {
        if colon < done {
            continue;
        }
        let before = text.get(done..colon).unwrap_or_default().iter().rev().take(5).take_while(is_part).count();
        let start = colon - before;
        let length = text.get(start..).unwrap_or_default().iter().take(MOST_BYTES + 1).take_while(is_part).count();
        let whole = text.get(start..start + length).unwrap_or_default();
        let trimmed = whole.strip_suffix(b".").unwrap_or(whole);
        let trimmed = if trimmed.ends_with(b"::") { trimmed } else { trimmed.strip_suffix(b":").unwrap_or(trimmed) };
        let end = start + trimmed.len();
        done = start + length.max(1);
        let joined = is_word(start.checked_sub(1).and_then(|place| text.get(place)).copied());
        if !joined && !is_word(text.get(end).copied()) && is_v6(trimmed) {
            hit(start..end);
        }
    }
}

/// Times have colons too, but neither two together nor seven.
fn may_be_v6(text: &[u8]) -> bool {
    let (mut colons, mut rest) = (0, text);
    while let Some((_, after)) = memchr::memchr(b':', rest).and_then(|place| rest.split_at_checked(place + 1)) {
        colons += 1;
        if colons >= 7 || after.starts_with(b":") {
            return true;
        }
        rest = after;
    }
    false
}

fn is_v6(token: &[u8]) -> bool {
    if !(6..=MOST_BYTES).contains(&token.len()) {
        return false;
    }
    let Some(address) = std::str::from_utf8(token).ok().and_then(|token| token.parse::<Ipv6Addr>().ok()) else {
        return false;
    };
    let groups = token.split(|byte| *byte == b':').filter(|group| !group.is_empty()).count();
    let first = token.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    !address.is_loopback() && !address.is_unspecified() && (groups >= 3 || first == 4)
}
