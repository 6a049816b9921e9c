//! Who asks a model, as a program says of itself in a `baggage` header: crew, agent and task.
//!
//! Labels for people, bounded and plain. Nothing is decided by them. Pure.

use std::collections::BTreeMap;

use http::HeaderMap;

use crate::mask::Detectors;

/// The words that are kept.
const WORDS: [&str; 3] = ["crew", "agent", "task"];
/// As long as a name may be.
const MOST_LETTERS: usize = 64;

/// The names in a header; what the detectors find something in is left out.
pub(super) fn names(headers: &HeaderMap, detectors: &Detectors) -> BTreeMap<&'static str, String> {
    let mut found = BTreeMap::new();
    // SPEC: W3C Baggage 3.3: `key=value;property,key=value`, values percent-encoded.
    let members = headers.get_all("baggage").iter().filter_map(|value| value.to_str().ok());
    for member in members.flat_map(|value| value.split(',')) {
        let Some((key, value)) = member.split(';').next().and_then(|member| member.split_once('=')) else { continue };
        let Some(word) = WORDS.into_iter().find(|word| *word == key.trim()) else { continue };
        let name: String =
            decoded(value.trim()).chars().filter(|letter| is_plain(*letter)).take(MOST_LETTERS).collect();
        if !name.is_empty() && detectors.class_of(name.as_bytes()).is_none() {
            found.entry(word).or_insert(name);
        }
    }
    found
}

fn is_plain(letter: char) -> bool {
    letter.is_alphanumeric() || " ._-/()&+".contains(letter)
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digits = (byte == b'%').then(|| {
            let mut ahead = rest.clone();
            Some((ahead.next()?, ahead.next()?))
        });
        let value = digits.flatten().and_then(|(high, low)| {
            let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            Some(digit(high)? << 4 | digit(low)?)
        });
        if value.is_some() {
            rest.next();
            rest.next();
        }
        bytes.push(value.unwrap_or(byte));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(header: &'static str) -> BTreeMap<&'static str, String> {
        let headers =
            HeaderMap::from_iter([(http::HeaderName::from_static("baggage"), HeaderValue::from_static(header))]);
        names(&headers, &Detectors::builtin())
    }

    #[test]
    fn names_are_decoded_bounded_and_plain() {
        let found = of("crew=support,agent=Support%20data%20agent;p=1, task=clean%0a%1b[31mup,user=eve,crew=second");
        assert_eq!(found["crew"], "support");
        assert_eq!(found["agent"], "Support data agent");
        assert_eq!(found["task"], "clean31mup");
        assert_eq!(found.len(), 3);
        assert_eq!(of("crew=a%zz%4")["crew"], "azz4");
    }

    #[test]
    fn a_name_that_holds_a_value_is_none() {
        assert!(of("crew=ada%40example.com").is_empty());
    }
}
