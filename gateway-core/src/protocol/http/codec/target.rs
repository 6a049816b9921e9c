//! Paths and queries in one form: what an upstream could read otherwise than the gateway does is refused.
//!
//! SPEC: RFC 3986, sections 3.3, 3.4 and 6.2.2. Percent-encodings of plain characters are undone, others are written in
//! capitals; nothing is resolved, merged or guessed.

use super::super::refuse::Rejection;

/// The longest path and the longest query.
const MOST_BYTES: usize = 16 * 1024;
const HINT: &str = "Send the path in its plain form: no dot segments, no empty ones, no encoded slashes.";

/// The canonical form of a path.
pub fn canonical_path(path: &str) -> Result<String, Rejection> {
    let refused = |why: &'static str| Rejection::malformed(why, HINT);
    if path.len() > MOST_BYTES {
        return Err(Rejection::unreadable(http::StatusCode::URI_TOO_LONG, "the path is too long", HINT));
    }
    let rest = path.strip_prefix('/').ok_or_else(|| refused("the path does not begin with a slash"))?;
    let mut canonical = String::with_capacity(path.len());
    let segments: Vec<&str> = rest.split('/').collect();
    for (place, segment) in segments.iter().enumerate() {
        canonical.push('/');
        let start = canonical.len();
        segment_into(segment, &mut canonical).map_err(refused)?;
        let written = canonical.get(start..).unwrap_or_default();
        if matches!(written, "." | "..") {
            return Err(refused("a dot segment stands in the path"));
        }
        if written.is_empty() && place + 1 < segments.len() {
            return Err(refused("an empty segment stands in the path"));
        }
    }
    Ok(canonical)
}

fn segment_into(segment: &str, canonical: &mut String) -> Result<(), &'static str> {
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let decoded = encoded_byte(&mut bytes).ok_or("a percent sign in the path encodes nothing")?;
                match decoded {
                    b'/' | b'\\' => return Err("an encoded slash stands in the path"),
                    0..=0x1f | 0x7f => return Err("an encoded control character stands in the path"),
                    b'%' => return Err("an encoded percent sign stands in the path"),
                    plain if is_unreserved(plain) => canonical.push(char::from(plain)),
                    other => push_encoded(other, canonical),
                }
            }
            plain if is_unreserved(plain) || b"!$&'()*+,=:@".contains(&plain) => canonical.push(char::from(plain)),
            b';' => return Err("a semicolon stands in the path, which some servers cut there"),
            _ => return Err("a character stands in the path that has to be encoded"),
        }
    }
    Ok(())
}

/// Takes the two digits behind a percent sign.
fn encoded_byte(bytes: &mut impl Iterator<Item = u8>) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let high = digit(bytes.next()?)?;
    let low = digit(bytes.next()?)?;
    Some(high << 4 | low)
}

fn push_encoded(byte: u8, to: &mut String) {
    to.push('%');
    for digit in [byte >> 4, byte & 15] {
        to.push(char::from_digit(u32::from(digit), 16).unwrap_or('0').to_ascii_uppercase());
    }
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Checks a query, which goes on as it came.
pub fn canonical_query(query: &str) -> Result<String, Rejection> {
    const HINT: &str = "Write the query as name=value&name=value, everything else percent-encoded.";
    if query.len() > MOST_BYTES {
        return Err(Rejection::unreadable(http::StatusCode::URI_TOO_LONG, "the query is too long", HINT));
    }
    let plain = |byte: u8| byte.is_ascii_graphic() && !b";#<>\"`^{}|\\".contains(&byte);
    if !query.bytes().all(plain) {
        let why = "a character stands in the query that has to be encoded, or that some servers read as `&`";
        return Err(Rejection::malformed(why, HINT));
    }
    pairs(query).ok_or_else(|| Rejection::malformed("the query cannot be decoded", HINT))?;
    Ok(query.to_owned())
}

/// The pairs of a query or a form; `None` where something in it cannot be decoded as text.
pub fn pairs(query: &str) -> Option<Vec<(String, String)>> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decoded(name)?, decoded(value)?))
        })
        .collect()
}

/// Undoes percent-encoding, and `+` for a space; `None` where that gives no text.
pub fn decoded(text: &str) -> Option<String> {
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'%' => encoded_byte(&mut bytes)?,
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(plain).ok()
}
