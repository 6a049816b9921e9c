//! Detectors of the site's own: a regular expression, and what may have to hold besides.
//!
//! The `regex` crate reads in linear time; the size of what a pattern compiles to is bounded.

use std::{ops::Range, str::FromStr};

use regex::bytes::{Regex, RegexBuilder};

use super::{card, iban};
use crate::mask::{CustomClass, DetectedClass};

const MOST_PATTERN_BYTES: usize = 1000;
const MOST_PROGRAM_BYTES: usize = 1 << 20;
const MOST_KEYWORDS: usize = 20;
/// How far before a value a keyword may stand.
const LEAD_BYTES: usize = 40;

/// A check that a text found by a pattern must pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validator {
    /// Luhn's check over the digits.
    Luhn,
    /// The check of bank account numbers, ISO 7064 mod 97.
    Mod97,
}

impl FromStr for Validator {
    type Err = CustomDetectorError;
    fn from_str(name: &str) -> Result<Self, CustomDetectorError> {
        match name {
            "luhn" => Ok(Self::Luhn),
            "mod97" => Ok(Self::Mod97),
            _ => Err(CustomDetectorError::Validator),
        }
    }
}

/// Why a detector cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CustomDetectorError {
    /// The pattern is too long, too big, or no regular expression.
    #[error("the pattern {0}")]
    Pattern(String),
    /// The pattern finds the empty text.
    #[error("the pattern matches nothing at all, so it would match everywhere")]
    Empty,
    /// Not a validator.
    #[error("a validator is `luhn` or `mod97`")]
    Validator,
    /// Too many keywords, or one that is empty.
    #[error("keywords are 1 to {MOST_KEYWORDS} words of 2 to 40 letters")]
    Keywords,
}

/// A detector of a class of the site's own.
#[derive(Debug, Clone)]
pub struct CustomDetector {
    class: CustomClass,
    pattern: Regex,
    validator: Option<Validator>,
    keywords: Vec<String>,
}

impl PartialEq for CustomDetector {
    fn eq(&self, other: &Self) -> bool {
        self.class == other.class
            && self.pattern.as_str() == other.pattern.as_str()
            && self.validator == other.validator
            && self.keywords == other.keywords
    }
}

impl Eq for CustomDetector {}

impl CustomDetector {
    /// Compiles a detector. With keywords, a value counts only where one of them stands shortly before it.
    pub fn new(
        class: &str,
        pattern: &str,
        validator: Option<Validator>,
        keywords: Vec<String>,
    ) -> Result<Self, CustomDetectorError> {
        if pattern.len() > MOST_PATTERN_BYTES {
            return Err(CustomDetectorError::Pattern(format!("is longer than {MOST_PATTERN_BYTES} bytes")));
        }
        let fits = |word: &String| (2..=LEAD_BYTES).contains(&word.len());
        if keywords.len() > MOST_KEYWORDS || !keywords.iter().all(fits) {
            return Err(CustomDetectorError::Keywords);
        }
        let pattern = RegexBuilder::new(pattern)
            .size_limit(MOST_PROGRAM_BYTES)
            .dfa_size_limit(MOST_PROGRAM_BYTES)
            .build()
            .map_err(|error| CustomDetectorError::Pattern(format!("is no regular expression: {error}")))?;
        if pattern.is_match(b"") {
            return Err(CustomDetectorError::Empty);
        }
        let keywords = keywords.into_iter().map(|word| word.to_ascii_lowercase()).collect();
        Ok(Self { class: CustomClass::new(class), pattern, validator, keywords })
    }

    /// The class that it finds.
    pub fn class(&self) -> DetectedClass {
        DetectedClass::Custom(self.class)
    }

    pub(super) fn may_hold(&self, text: &[u8]) -> bool {
        self.pattern.is_match(text)
    }

    pub(super) fn find(&self, text: &[u8], mut hit: impl FnMut(Range<usize>)) {
        for found in self.pattern.find_iter(text) {
            let passes = match self.validator {
                None => true,
                Some(Validator::Luhn) => card::passes_luhn_of(found.as_bytes()),
                Some(Validator::Mod97) => iban::passes_mod97(found.as_bytes()),
            };
            if !found.is_empty() && passes && self.is_announced(text, found.start()) {
                hit(found.range());
            }
        }
    }

    fn is_announced(&self, text: &[u8], start: usize) -> bool {
        let lead = text.get(start.saturating_sub(LEAD_BYTES)..start).unwrap_or_default();
        let near = |word: &String| lead.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word.as_bytes()));
        self.keywords.is_empty() || self.keywords.iter().any(near)
    }
}
