//! JSON as the gateway understands it: every value kept in its order, no member named twice, depth and size bounded.
//!
//! What is forwarded is written anew from what was parsed (law 8), so that no other parser reads another document.
//! Every text in it can be masked in place. Pure; called by the dialects of HTTP that carry JSON.

mod masked;

use std::fmt;

use serde::{
    Serialize, Serializer,
    de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor},
    ser::{SerializeMap as _, SerializeSeq as _},
};
use serde_json::Number;

pub use masked::Tally;
pub(super) use masked::mask_arguments;

/// How deep arrays and objects may stand in each other.
pub const MOST_DEPTH: usize = 64;
/// How many values one document may have.
pub const MOST_VALUES: usize = 4_000_000;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(String),
    /// An array.
    List(Vec<Self>),
    /// An object, in its order; no name twice.
    Object(Vec<(String, Self)>),
}

/// Why bytes are no JSON that is taken. Holds nothing of them but a place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the body is not JSON that the gateway takes: {0}")]
pub struct JsonError(String);

impl Json {
    /// Parses a whole document. A member that is named twice is an error: parsers differ in which one they take.
    pub fn parse(bytes: &[u8]) -> Result<Self, JsonError> {
        let mut left = MOST_VALUES;
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        let seed = Seed { depth: 0, left: &mut left };
        let parsed = seed.deserialize(&mut reader).and_then(|json| reader.end().map(|()| json));
        parsed.map_err(|error| JsonError(said(&error)))
    }

    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// The member of an object.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.members().iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The member of an object, to change it.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Self> {
        let Self::Object(members) = self else { return None };
        members.iter_mut().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Puts a member, in the place of one of that name where there is one.
    pub fn set(&mut self, name: &str, value: Self) {
        if let Self::Object(members) = self {
            match members.iter_mut().find(|(key, _)| key == name) {
                Some((_, place)) => *place = value,
                None => members.push((name.to_owned(), value)),
            }
        }
    }

    /// Takes a member away.
    pub fn remove(&mut self, name: &str) -> Option<Self> {
        let Self::Object(members) = self else { return None };
        let place = members.iter().position(|(key, _)| key == name)?;
        Some(members.remove(place).1)
    }

    /// The members of an object; none of anything else.
    pub fn members(&self) -> &[(String, Self)] {
        match self {
            Self::Object(members) => members,
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::List(_) => &[],
        }
    }

    /// The values of an array; none of anything else.
    pub fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::Object(_) => &[],
        }
    }

    /// The text, where it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::List(_) | Self::Object(_) => None,
        }
    }

    /// The whole number, where it is one that is not negative.
    pub fn as_number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => number.as_u64(),
            Self::Null | Self::Bool(_) | Self::Text(_) | Self::List(_) | Self::Object(_) => None,
        }
    }

    /// Whether it is `true`.
    pub fn is_true(&self) -> bool {
        matches!(self, Self::Bool(true))
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text of a member.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_text()
    }

    /// The number of a member.
    pub fn number_of(&self, name: &str) -> Option<u64> {
        self.get(name)?.as_number()
    }

    /// Written in its own order, without white space.
    pub fn write(&self) -> String {
        // INVARIANT: every value of this type can be written; the keys are texts.
        serde_json::to_string(self).unwrap_or_else(|_impossible| "null".to_owned())
    }

    /// Written with members sorted by name, so that the same value is the same text.
    pub fn canonical(&self) -> String {
        let mut out = String::new();
        self.put_canonical(&mut out);
        out
    }

    fn put_canonical(&self, out: &mut String) {
        match self {
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.put_canonical(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                let mut sorted: Vec<_> = members.iter().collect();
                sorted.sort_by(|one, other| one.0.cmp(&other.0));
                out.push('{');
                for (index, (name, value)) in sorted.into_iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    out.push_str(&Self::text(name).write());
                    out.push(':');
                    value.put_canonical(out);
                }
                out.push('}');
            }
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => out.push_str(&self.write()),
        }
    }

    /// Calls `take` with every text in it, names of members left out.
    pub fn each_text<'json>(&'json self, take: &mut impl FnMut(&'json str)) {
        match self {
            Self::Text(text) => take(text),
            Self::List(items) => items.iter().for_each(|item| item.each_text(take)),
            Self::Object(members) => members.iter().for_each(|(_, value)| value.each_text(take)),
            Self::Null | Self::Bool(_) | Self::Number(_) => {}
        }
    }

    /// Every leaf as `(place, text)`, places joined by dots: `items.0.name`. At most `most` of them.
    pub fn leaves(&self, most: usize) -> Vec<(String, String)> {
        let mut leaves = Vec::new();
        self.gather(&mut String::new(), most, &mut leaves);
        leaves
    }

    fn gather(&self, place: &mut String, most: usize, leaves: &mut Vec<(String, String)>) {
        let at = place.len();
        let mut inside = |name: &dyn fmt::Display, value: &Self| {
            if at > 0 {
                place.push('.');
            }
            place.push_str(&name.to_string());
            value.gather(place, most, leaves);
            place.truncate(at);
        };
        match self {
            Self::List(items) => items.iter().enumerate().for_each(|(index, item)| inside(&index, item)),
            Self::Object(members) => members.iter().for_each(|(name, value)| inside(name, value)),
            _ if leaves.len() >= most => {}
            Self::Text(text) => leaves.push((place.clone(), text.clone())),
            Self::Null | Self::Bool(_) | Self::Number(_) => leaves.push((place.clone(), self.write())),
        }
    }
}

/// Bytes as small hexadecimal digits.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The place and kind of an error, never the bytes around it.
fn said(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Eof => "it ends too early".to_owned(),
        serde_json::error::Category::Syntax => "it is malformed".to_owned(),
        serde_json::error::Category::Data | serde_json::error::Category::Io => {
            let text = error.to_string();
            text.split(" at line ").next().unwrap_or_default().to_owned()
        }
    };
    format!("{what}, at line {} column {}", error.line(), error.column())
}

/// Reads one value, and counts.
struct Seed<'left> {
    depth: usize,
    left: &'left mut usize,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Json;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Json, D::Error> {
        *self.left = self.left.checked_sub(1).ok_or_else(|| D::Error::custom("it has too many values"))?;
        from.deserialize_any(self)
    }
}

impl Seed<'_> {
    fn inside<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= MOST_DEPTH { Err(E::custom("it is nested too deep")) } else { Ok(self) }
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Json, E> {
        Number::from_f64(value).map(Json::Number).ok_or_else(|| E::custom("a number is too large"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Json, A::Error> {
        let Self { depth, left } = self.inside()?;
        let mut items = Vec::new();
        while let Some(item) = from.next_element_seed(Seed { depth: depth + 1, left })? {
            items.push(item);
        }
        Ok(Json::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Json, A::Error> {
        let Self { depth, left } = self.inside()?;
        let mut members: Vec<(String, Json)> = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        while let Some(name) = from.next_key::<String>()? {
            if !seen.insert(name.clone()) {
                return Err(A::Error::custom("a member is named twice"));
            }
            let value = from.next_value_seed(Seed { depth: depth + 1, left })?;
            members.push((name, value));
        }
        Ok(Json::Object(members))
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => to.serialize_unit(),
            Self::Bool(value) => to.serialize_bool(*value),
            Self::Number(number) => number.serialize(to),
            Self::Text(text) => to.serialize_str(text),
            Self::List(items) => {
                let mut list = to.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(item))?;
                list.end()
            }
            Self::Object(members) => {
                let mut map = to.serialize_map(Some(members.len()))?;
                members.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests;
