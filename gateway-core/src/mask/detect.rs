//! Finds e-mail addresses and card numbers in text that no tag announces. A vectorised pre-filter rejects most cells;
//! what is left is read once, with look-back and look-ahead bounded by constants, so time is linear in the input.
//!
//! Works on bytes, so that text which is not UTF-8 is searched too. Detection is a net, not a wall: tags are the wall.

mod card;
mod email;

use std::{cmp::Reverse, ops::Range};

pub use card::is_card;

use super::{MaskFunction, apply::mask_hit};

/// A class of values that is recognised by its shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DetectedClass {
    /// An e-mail address.
    Email,
    /// A card number that passes Luhn's check.
    CreditCard,
}

impl DetectedClass {
    /// Every class with a detector.
    pub const ALL: [Self; 2] = [Self::Email, Self::CreditCard];

    /// The name of the data class.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::CreditCard => "credit_card",
        }
    }

    /// What is used where a policy names no function.
    pub const fn default_function(self) -> MaskFunction {
        match self {
            Self::Email => MaskFunction::Partial,
            Self::CreditCard => MaskFunction::Last4,
        }
    }
}

/// One value found inside a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Where it is, in bytes.
    pub range: Range<usize>,
    /// What it is.
    pub class: DetectedClass,
}

/// The detectors that are active for one principal on one connection, each with its masking function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detectors {
    email: Option<MaskFunction>,
    card: Option<MaskFunction>,
}

impl Detectors {
    /// No detector: nothing is searched.
    pub const fn none() -> Self {
        Self { email: None, card: None }
    }

    /// Every detector with its usual function.
    pub const fn builtin() -> Self {
        Self {
            email: Some(DetectedClass::Email.default_function()),
            card: Some(DetectedClass::CreditCard.default_function()),
        }
    }

    /// Turns on the detector of a class.
    #[must_use]
    pub const fn with(mut self, class: DetectedClass, function: MaskFunction) -> Self {
        match class {
            DetectedClass::Email => self.email = Some(function),
            DetectedClass::CreditCard => self.card = Some(function),
        }
        self
    }

    /// Whether no detector is active.
    pub const fn is_empty(&self) -> bool {
        self.email.is_none() && self.card.is_none()
    }

    /// Whether card numbers are searched for.
    pub const fn seeks_cards(&self) -> bool {
        self.card.is_some()
    }

    /// The function of a class; `None` where its detector is off.
    pub const fn function(&self, class: DetectedClass) -> Option<MaskFunction> {
        match class {
            DetectedClass::Email => self.email,
            DetectedClass::CreditCard => self.card,
        }
    }

    /// Whether a hit might be in `text`: cheap, and never wrong in saying no.
    pub fn may_hit(&self, text: &[u8]) -> bool {
        (self.email.is_some() && email::may_hold(text)) || (self.card.is_some() && card::may_hold(text))
    }

    /// Finds every value, in order and without overlap, and leaves them in `hits`.
    pub fn find(&self, text: &[u8], hits: &mut Vec<Hit>) {
        hits.clear();
        if self.email.is_some() && email::may_hold(text) {
            email::find(text, |range| hits.push(Hit { range, class: DetectedClass::Email }));
        }
        if self.card.is_some() && card::may_hold(text) {
            let emails = hits.len();
            card::find(text, |range| hits.push(Hit { range, class: DetectedClass::CreditCard }));
            if emails > 0 && hits.len() > emails {
                merge(hits);
            }
        }
    }

    /// The first class found in `text`, for whoever must seal a literal or a parameter.
    pub fn class_of(&self, text: &[u8]) -> Option<DetectedClass> {
        let mut hits = Vec::new();
        self.find(text, &mut hits);
        hits.first().map(|hit| hit.class)
    }

    /// The text with every value masked in place; `None` when there is none.
    pub fn mask_text(&self, text: &str) -> Option<String> {
        let mut hits = Vec::new();
        self.find(text.as_bytes(), &mut hits);
        if hits.is_empty() {
            return None;
        }
        let (mut masked, mut copied) = (Vec::with_capacity(text.len()), 0);
        for hit in &hits {
            masked.extend_from_slice(text.as_bytes().get(copied..hit.range.start).unwrap_or_default());
            let value = text.as_bytes().get(hit.range.clone()).unwrap_or_default();
            mask_hit(hit.class, self.function_or_redact(hit.class), value, &mut masked);
            copied = hit.range.end;
        }
        masked.extend_from_slice(text.as_bytes().get(copied..).unwrap_or_default());
        Some(String::from_utf8_lossy(&masked).into_owned())
    }

    /// The function of a class that was hit.
    pub fn function_or_redact(&self, class: DetectedClass) -> MaskFunction {
        self.function(class).unwrap_or(MaskFunction::Redact)
    }
}

/// Sorts hits and joins those that overlap, under the class of the wider or earlier, so that nothing of either is left.
fn merge(hits: &mut Vec<Hit>) {
    hits.sort_by_key(|hit| (hit.range.start, Reverse(hit.range.end)));
    hits.dedup_by(|later, earlier| {
        let overlaps = later.range.start < earlier.range.end;
        if overlaps {
            earlier.range.end = earlier.range.end.max(later.range.end);
        }
        overlaps
    });
}

#[cfg(test)]
mod tests;
