//! Where a request's body holds values that the site tags by their place, so that the record can seal them. Pure.
//!
//! Reads JSON without enforcing its grammar, as the masking of answers does, and forms. Knows no policy.

use std::sync::Arc;

use super::{codec::decoded, dialect::MaskedPlace};
use crate::model::SealSpan;

/// The spans of tagged values in a body that stands in a text from `offset` on.
pub(super) fn tagged(body: &str, offset: usize, places: &[MaskedPlace]) -> Vec<SealSpan> {
    if places.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    if body.trim_start().starts_with(['{', '[']) {
        json(body, places, &mut found);
    } else {
        form(body, places, &mut found);
    }
    for span in &mut found {
        span.range = span.range.start + offset..span.range.end + offset;
    }
    found
}

/// What is open around a place.
struct Level {
    name: Option<String>,
    names_next: bool,
}

fn json(body: &str, places: &[MaskedPlace], found: &mut Vec<SealSpan>) {
    let bytes = body.as_bytes();
    let mut levels: Vec<Level> = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let start = at;
        at += 1;
        match byte {
            b'{' => levels.push(Level { name: None, names_next: true }),
            b'[' => levels.push(Level { name: None, names_next: false }),
            b'}' | b']' => drop(levels.pop()),
            b',' | b':' => {
                if let Some(level) = levels.last_mut() {
                    level.names_next = *byte == b',';
                }
            }
            b'"' => {
                at = end_of_string(bytes, at);
                let literal = body.get(start..at).unwrap_or_default();
                match levels.last_mut().filter(|level| level.names_next) {
                    Some(level) => level.name = serde_json::from_str(literal).ok(),
                    None => seal(&levels, start..at, places, found),
                }
            }
            byte if byte.is_ascii_whitespace() => {}
            _ => {
                let ends = |byte: &u8| b",:{}[]\"".contains(byte) || byte.is_ascii_whitespace();
                at = bytes.iter().skip(at).position(ends).map_or(bytes.len(), |length| at + length);
                seal(&levels, start..at, places, found);
            }
        }
    }
}

/// The place behind the quote that ends a string, or the end of everything.
fn end_of_string(bytes: &[u8], from: usize) -> usize {
    let mut escaped = false;
    for (place, byte) in bytes.iter().enumerate().skip(from) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return place + 1,
            _ => {}
        }
    }
    bytes.len()
}

fn seal(levels: &[Level], range: std::ops::Range<usize>, places: &[MaskedPlace], found: &mut Vec<SealSpan>) {
    let names: Vec<&str> = levels.iter().filter_map(|level| level.name.as_deref()).collect();
    if let Some(place) = places.iter().find(|place| place.holds(&names)) {
        found.push(SealSpan { range, class: Arc::clone(&place.class) });
    }
}

fn form(body: &str, places: &[MaskedPlace], found: &mut Vec<SealSpan>) {
    let mut start = 0;
    for field in body.split('&') {
        let end = start + field.len();
        if let Some((name, value)) = field.split_once('=')
            && let Some(name) = decoded(&name.replace('+', " "))
            && let Some(place) = places.iter().find(|place| place.holds(&[&name]))
        {
            found.push(SealSpan { range: end - value.len()..end, class: Arc::clone(&place.class) });
        }
        start = end + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MaskFunction;

    fn sealed<'body>(body: &'body str, path: &[&str]) -> Vec<&'body str> {
        let path = path.iter().map(|name| (*name).to_owned()).collect();
        let place = MaskedPlace { path, class: Arc::from("person"), function: MaskFunction::Redact };
        let spans = tagged(body, 7, &[place]);
        let part = |span: SealSpan| body.get(span.range.start - 7..span.range.end - 7).unwrap();
        spans.into_iter().map(part).collect()
    }

    #[test]
    fn values_at_a_place_and_below_it_are_found() {
        let body =
            r#"{"name": "shop", "owner": {"name": "Zo\u00eb \"O\"", "age": 41, "tags": ["a", {"x": true}]}, "n": 1}"#;
        assert_eq!(sealed(body, &["owner", "name"]), [r#""Zo\u00eb \"O\"""#]);
        assert_eq!(sealed(body, &["owner"]), [r#""Zo\u00eb \"O\"""#, "41", "\"a\"", "true"]);
        assert_eq!(sealed(body, &["*", "age"]), ["41"]);
        assert_eq!(sealed(body, &["name"]), ["\"shop\""]);
        assert!(sealed(body, &["nothing"]).is_empty());
    }

    #[test]
    fn lists_names_with_escapes_and_broken_json_are_read() {
        assert_eq!(sealed(r#"[{"na\u006de":"x"},{"name":2}]"#, &["name"]), ["\"x\"", "2"]);
        assert_eq!(sealed(r#"{"name":"never ends"#, &["name"]), ["\"never ends"]);
        assert_eq!(sealed("a=1&na%6De=Zo%C3%AB&name=", &["name"]), ["Zo%C3%AB", ""]);
    }
}
