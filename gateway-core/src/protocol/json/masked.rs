//! Masks every text of a document in place: values, names of members, and whole numbers that are as long as a card's.

use std::collections::BTreeMap;

use super::Json;
use crate::mask::{DetectedClass, Detectors};

/// How often each class was masked; never a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<DetectedClass, u64>);

impl Tally {
    /// Counts one more.
    pub fn count(&mut self, class: DetectedClass) {
        *self.0.entry(class).or_default() += 1;
    }

    /// Adds what another one counted.
    pub fn add(&mut self, other: &Self) {
        for (class, count) in &other.0 {
            *self.0.entry(*class).or_default() += count;
        }
    }

    /// Whether nothing was masked.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// By name of the class.
    pub fn by_name(&self) -> BTreeMap<String, u64> {
        self.0.iter().map(|(class, count)| (class.as_str().to_owned(), *count)).collect()
    }
}

/// No whole number with fewer digits is looked at: counts and times stay what they are.
const LEAST_DIGITS: usize = 12;

impl Json {
    /// Masks every text in it, except the values of members that `keeps` names and that look like plain words.
    pub fn mask(&mut self, detectors: &Detectors, keeps: &[&str], tally: &mut Tally) {
        if !detectors.is_empty() {
            self.mask_inside(detectors, keeps, 0, tally);
        }
    }

    fn mask_inside(&mut self, detectors: &Detectors, keeps: &[&str], wraps: usize, tally: &mut Tally) {
        match self {
            Self::Text(text) => mask_wrapped(text, detectors, wraps, tally),
            Self::Number(number) => {
                let mut text = number.to_string();
                let digits = text.bytes().filter(u8::is_ascii_digit).count();
                if digits >= LEAST_DIGITS && digits == text.len() {
                    let before = text.clone();
                    mask_text(&mut text, detectors, tally);
                    if text != before {
                        *self = Self::Text(text);
                    }
                }
            }
            Self::List(items) => items.iter_mut().for_each(|item| item.mask_inside(detectors, keeps, wraps, tally)),
            Self::Object(members) => {
                for (name, value) in members {
                    mask_text(name, detectors, tally);
                    if !(keeps.contains(&name.as_str())
                        && value.as_text().is_some_and(|word| is_plain_word(word, detectors)))
                    {
                        value.mask_inside(detectors, keeps, wraps, tally);
                    }
                }
            }
            Self::Null | Self::Bool(_) => {}
        }
    }
}

/// How often JSON inside a text of JSON is looked into: arguments of tools, and what tools answer, are such texts.
const MOST_WRAPS: usize = 3;

/// Masks a text that may hold JSON: there a value may be written with escapes.
fn mask_wrapped(text: &mut String, detectors: &Detectors, wraps: usize, tally: &mut Tally) {
    if wraps < MOST_WRAPS
        && text.trim_start().starts_with(['{', '['])
        && let Ok(mut inner) = Json::parse(text.as_bytes())
    {
        let mut found = Tally::default();
        inner.mask_inside(detectors, &[], wraps + 1, &mut found);
        if !found.is_empty() {
            *text = inner.write();
            tally.add(&found);
        }
    }
    mask_text(text, detectors, tally);
}

/// Masks a text that may hold JSON.
pub(in crate::protocol) fn mask_arguments(text: &mut String, detectors: &Detectors, tally: &mut Tally) {
    if !detectors.is_empty() {
        mask_wrapped(text, detectors, 0, tally);
    }
}

/// Masks a text in place.
pub(in crate::protocol) fn mask_text(text: &mut String, detectors: &Detectors, tally: &mut Tally) {
    let mut hits = Vec::new();
    detectors.find(text.as_bytes(), &mut hits);
    if hits.is_empty() {
        return;
    }
    for hit in &hits {
        tally.count(hit.class);
    }
    if let Some(masked) = detectors.mask_text(text) {
        *text = masked;
    }
}

/// `tool_calls`, `gpt-4o-2024-08-06`: what no person is called, and no secret; digits in a name are no number of anybody.
fn is_plain_word(text: &str, detectors: &Detectors) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let is_name =
        text.len() <= 64 && text.bytes().all(plain) && text.starts_with(|first: char| first.is_ascii_alphabetic());
    let found = detectors.class_of(text.as_bytes());
    is_name && matches!(found, None | Some(DetectedClass::Phone | DetectedClass::Ip))
}
