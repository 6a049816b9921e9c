//! What policies may ask of a request, as flat names and texts: parts of path and query, headers, members of the body.
//!
//! A part that stands there more than once gives a set of attributes for each of its values, and each set is decided:
//! whichever value the upstream takes, it was permitted. JSON with a member twice is refused. Pure.

use std::{collections::BTreeMap, collections::BTreeSet, fmt};

use bytes::Bytes;
use http::StatusCode;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::{
    codec::pairs,
    message::{RequestHead, is_json, media_type},
    refuse::Rejection,
};

/// The most attributes of one request, the most sets of them, and the deepest that a body is read.
const MOST_ATTRIBUTES: usize = 4_096;
const MOST_SETS: usize = 64;
const MOST_DEPTH: usize = 64;

/// Every value of every attribute.
type Values = BTreeMap<String, BTreeSet<String>>;

/// The sets of attributes of a request; `parameters` are those of its path. Never empty.
pub fn attributes(
    head: &RequestHead,
    body: &Bytes,
    parameters: &BTreeMap<String, String>,
) -> Result<Vec<BTreeMap<String, String>>, Rejection> {
    let mut values = Values::new();
    let mut put = |name: String, value: String| {
        values.entry(name).or_default().insert(value);
    };
    for (name, value) in parameters {
        put(format!("path.{name}"), value.clone());
    }
    for (name, value) in head.query.as_deref().and_then(pairs).unwrap_or_default() {
        put(format!("query.{name}"), value);
    }
    for (name, value) in &head.headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        // Some servers take `_` for `-`: whatever a policy asks for, it sees.
        if name.as_str().contains('_') {
            put(format!("header.{}", name.as_str().replace('_', "-")), value.clone());
        }
        put(format!("header.{name}"), value);
    }
    for (name, value) in &head.carriage.trailers {
        put(format!("trailer.{name}"), String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    of_body(head, body, &mut put)?;
    same_method(head, body, &values)?;
    if values.len() > MOST_ATTRIBUTES {
        let message = format!("the request has more than {MOST_ATTRIBUTES} parts, more than are inspected");
        return Err(Rejection::unreadable(StatusCode::PAYLOAD_TOO_LARGE, message, "Send less at a time."));
    }
    sets(values)
}

/// Frameworks run another method than the one that is decided where a part of the request names it.
fn same_method(head: &RequestHead, body: &Bytes, values: &Values) -> Result<(), Rejection> {
    const NAMES: [&str; 4] = ["_method", "x-http-method-override", "x-http-method", "x-method-override"];
    let names_another = |(name, said): (&String, &BTreeSet<String>)| {
        let name = name.strip_prefix("query.").or_else(|| name.strip_prefix("body.")).unwrap_or_default();
        NAMES.iter().any(|one| name.eq_ignore_ascii_case(one))
            && said.iter().any(|method| !method.eq_ignore_ascii_case(head.method.as_str()))
    };
    // What is not taken apart may not hold it at all.
    let is_parted = media_type(&head.headers).starts_with("multipart/");
    if values.iter().any(names_another) || (is_parted && memchr::memmem::find(body, b"_method").is_some()) {
        let message = "a part of the request would have the upstream run another method than the one that is decided";
        return Err(Rejection::malformed(message, "Send the method that is meant."));
    }
    Ok(())
}

/// One set for each choice among values that stand there more than once.
fn sets(values: Values) -> Result<Vec<BTreeMap<String, String>>, Rejection> {
    let mut sets = vec![BTreeMap::new()];
    for (name, choices) in values {
        if sets.len().saturating_mul(choices.len()) > MOST_SETS {
            let message = "too many parts of the request stand there more than once to decide every reading of them";
            return Err(Rejection::malformed(message, "Name each part once."));
        }
        let mut more = Vec::with_capacity(sets.len() * choices.len());
        for choice in choices {
            more.extend(sets.iter().cloned().map(|mut set: BTreeMap<String, String>| {
                set.insert(name.clone(), choice.clone());
                set
            }));
        }
        sets = more;
    }
    Ok(sets)
}

fn of_body(head: &RequestHead, body: &Bytes, put: &mut impl FnMut(String, String)) -> Result<(), Rejection> {
    if body.is_empty() {
        put("form".to_owned(), "none".to_owned());
        return Ok(());
    }
    let media_type = media_type(&head.headers);
    let is_form = media_type == "application/x-www-form-urlencoded";
    if is_form {
        let hint = "Send name=value&name=value, or say what it is: Content-Type: application/octet-stream.";
        let form = std::str::from_utf8(body).ok().and_then(pairs);
        let form = form.ok_or_else(|| Rejection::malformed("the body is no form, though it says so", hint))?;
        for (name, value) in form {
            put(format!("body.{name}"), value);
        }
        put("form".to_owned(), "form".to_owned());
    }
    // Many servers read JSON whatever the type says, and of several documents the first: policies see what they read.
    let mut members = Vec::new();
    let text = if is_json(&media_type) { body } else { body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body) };
    match members_of(text, &mut members) {
        Ok(()) => put("form".to_owned(), "json".to_owned()),
        Err(error) if is_json(&media_type) || error.is_data() => {
            let message = format!("the body is no JSON that has one meaning: {error}");
            return Err(Rejection::malformed(message, "Send plain JSON in UTF-8, each member once."));
        }
        // What says that it is no JSON may be none: policies that ask for a part of the body can ask for its form too.
        Err(_other) if is_form => {}
        Err(_other) => put("form".to_owned(), "other".to_owned()),
    }
    for (name, value) in members {
        put(name, value);
    }
    Ok(())
}

/// The members of a JSON document by their place: `body.customer.email`, `body.items.0.name`.
pub fn members_of(body: &[u8], members: &mut Vec<(String, String)>) -> Result<(), serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    Place { path: "body".to_owned(), depth: 0, members }.deserialize(&mut reader)?;
    reader.end()
}

/// One value of a document, at its place.
struct Place<'members> {
    path: String,
    depth: usize,
    members: &'members mut Vec<(String, String)>,
}

impl Place<'_> {
    fn leaf<E: serde::de::Error>(self, value: impl fmt::Display) -> Result<(), E> {
        if self.members.len() >= MOST_ATTRIBUTES {
            return Err(E::custom("it has too many members"));
        }
        self.members.push((self.path, value.to_string()));
        Ok(())
    }

    fn deeper<E: serde::de::Error>(&mut self, name: impl fmt::Display) -> Result<Place<'_>, E> {
        if self.depth >= MOST_DEPTH {
            return Err(E::custom("it is nested too deep"));
        }
        Ok(Place { path: format!("{}.{name}", self.path), depth: self.depth + 1, members: self.members })
    }
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.leaf(value)
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.leaf(value)
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.leaf(value)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.leaf(value)
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        self.leaf(value)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.leaf("null")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        let mut place = 0_usize;
        loop {
            let item = self.deeper(place)?;
            if items.next_element_seed(item)?.is_none() {
                return Ok(());
            }
            place += 1;
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        let mut seen = BTreeSet::new();
        while let Some(name) = members.next_key::<String>()? {
            members.next_value_seed(self.deeper(&name)?)?;
            if !seen.insert(name) {
                return Err(A::Error::custom("a member stands in it twice"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(body: &str) -> Result<BTreeMap<String, String>, String> {
        let mut found = Vec::new();
        members_of(body.as_bytes(), &mut found).map_err(|error| error.to_string())?;
        Ok(found.into_iter().collect())
    }

    #[test]
    fn members_are_named_by_their_place() {
        let found = members(r#"{"customer":{"email":"a\u0040b.cd","tags":["x",null]},"n":1.5,"ok":true}"#).unwrap();
        let expected = [
            ("body.customer.email", "a@b.cd"),
            ("body.customer.tags.0", "x"),
            ("body.customer.tags.1", "null"),
            ("body.n", "1.5"),
            ("body.ok", "true"),
        ];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    }

    #[test]
    fn no_part_of_a_request_changes_its_method() {
        let refused = |method: &'static str, query: &str, kind: &'static str, body: &'static str| {
            let mut headers = http::HeaderMap::new();
            headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
            let method = http::Method::from_bytes(method.as_bytes()).unwrap();
            let (path, carriage) = ("/".to_owned(), super::super::message::Carriage::default());
            let query = Some(query.to_owned());
            let head = RequestHead { method, path, query, headers, upgrades: false, carriage };
            attributes(&head, &Bytes::from_static(body.as_bytes()), &BTreeMap::new()).is_err()
        };
        let form = "application/x-www-form-urlencoded";
        let parts = "multipart/form-data; boundary=x";
        assert!(refused("POST", "", form, "a=1&_method=DELETE"));
        assert!(refused("POST", "", form, "a=1&%5Fmethod=delete"));
        assert!(refused("POST", "_METHOD=delete", form, ""));
        assert!(refused("POST", "x-http-method-override=PUT", form, ""));
        assert!(refused("POST", "", "application/json", r#"{"\u005fmethod":"DELETE"}"#));
        assert!(refused(
            "POST",
            "",
            parts,
            "--x\r\nContent-Disposition: form-data; name=_method\r\n\r\nDELETE\r\n--x--"
        ));
        assert!(!refused("POST", "method=delete", form, "_method=post"));
        assert!(!refused("POST", "", parts, "--x\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n--x--"));
    }

    #[test]
    fn json_is_seen_whatever_the_type_says() {
        let amounts = |kind: &'static str, body: &str| {
            let mut headers = http::HeaderMap::new();
            headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
            let (method, path) = (http::Method::POST, "/".to_owned());
            let carriage = super::super::message::Carriage::default();
            let head = RequestHead { method, path, query: None, headers, upgrades: false, carriage };
            let sets = attributes(&head, &Bytes::from(body.to_owned()), &BTreeMap::new()).ok()?;
            Some(sets.iter().filter_map(|set| set.get("body.amount").cloned()).collect::<BTreeSet<_>>())
        };
        let seen = Some(BTreeSet::from(["1000".to_owned()]));
        for kind in ["application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
            assert_eq!(amounts(kind, r#"{"amount": 1000}"#), seen, "{kind}");
            assert_eq!(amounts(kind, r#"{"amount": 1, "amount": 1000}"#), None, "{kind}");
        }
        assert_eq!(amounts("text/plain", r#"{"amount": 1000} and more"#), seen);
        assert_eq!(amounts("text/plain", "\u{feff}{\"amount\": 1000}"), seen);
        assert_eq!(amounts("application/x-www-form-urlencoded", "amount=1000&b={}"), seen);
        assert_eq!(amounts("text/plain", "{ user { id } }"), Some(BTreeSet::new()), "no JSON at all");
    }

    #[test]
    fn what_has_two_meanings_is_no_json() {
        for body in [r#"{"a":1,"a":2}"#, r#"{"a":1,"\u0061":2}"#, r#"{"a":{"b":1,"b":2}}"#, "{} {}", "{", "\u{feff}{}"]
        {
            assert!(members(body).is_err(), "{body}");
        }
        assert!(members(&format!("{}{}", "[".repeat(100), "]".repeat(100))).is_err());
    }

    #[test]
    fn every_reading_of_what_stands_there_twice_is_a_set() {
        let text = |name: &str, values: &[&str]| {
            (name.to_owned(), values.iter().map(|value| (*value).to_owned()).collect::<BTreeSet<_>>())
        };
        let values: Values = [text("a", &["1", "2"]), text("b", &["x", "y"]), text("c", &["z"])].into();
        let found = sets(values).unwrap();
        assert_eq!(found.len(), 4);
        assert!(found.iter().any(|set| set["a"] == "2" && set["b"] == "x" && set["c"] == "z"));
        let many: Values = (0..7).map(|place| text(&place.to_string(), &["1", "2"])).collect();
        assert!(sets(many).is_err());
    }
}
