//! Finds values in text that no tag announces. One pass counts kinds of bytes and rejects most cells; what is left is
//! read with look-back and look-ahead bounded by constants, so time is linear in the input.
//!
//! Works on bytes, so that text which is not UTF-8 is searched too. Detection is a net, not a wall: tags are the wall.

mod card;
mod census;
mod custom;
mod email;
mod figure;
mod iban;
mod ip;
mod kind;
mod moment;
mod phone;
mod secret;
mod ssn;
mod token;

use std::{cmp::Reverse, ops::Range, sync::Arc};

pub use card::is_card;
use census::Census;
pub use custom::{CustomDetector, CustomDetectorError, Validator};

use super::{DetectedClass, MaskFunction, MaskKeys, apply::mask_hit};

/// No built-in class has a shorter value: an address `a@b.cd`, IPv6's `1:2::3`.
const LEAST_BYTES: usize = 6;

/// One value found inside a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Where it is, in bytes.
    pub range: Range<usize>,
    /// What it is.
    pub class: DetectedClass,
}

/// The detectors that are active for one principal on one connection, each with its masking function.
#[derive(Debug, Clone, Default)]
pub struct Detectors {
    functions: [Option<MaskFunction>; DetectedClass::ALL.len()],
    /// A bit for each function that is there: asked of every cell.
    active: u16,
    custom: Arc<[CustomDetector]>,
    custom_functions: Vec<Option<MaskFunction>>,
    keys: Option<Arc<MaskKeys>>,
}

impl Detectors {
    /// No detector: nothing is searched.
    pub fn none() -> Self {
        Self::default()
    }

    /// Every built-in detector with its usual function.
    pub fn builtin() -> Self {
        DetectedClass::ALL.into_iter().fold(Self::none(), |all, class| all.with(class, class.default_function()))
    }

    /// Knows the detectors of a site, none of which is active yet.
    #[must_use]
    pub fn knowing(mut self, custom: Arc<[CustomDetector]>) -> Self {
        self.custom_functions = vec![None; custom.len()];
        self.custom = custom;
        self
    }

    /// Masks with these keys.
    #[must_use]
    pub fn keyed(mut self, keys: Arc<MaskKeys>) -> Self {
        self.keys = Some(keys);
        self
    }

    /// The same keys and knowledge, with nothing active.
    #[must_use]
    pub fn idle(&self) -> Self {
        let idle = Self { keys: self.keys.clone(), ..Self::none() };
        idle.knowing(Arc::clone(&self.custom))
    }

    /// Turns on the detector of a class. A custom class that is not known stays unknown.
    #[must_use]
    pub fn with(mut self, class: DetectedClass, function: MaskFunction) -> Self {
        if let Some(place) = self.functions.get_mut(class.index()) {
            *place = Some(function);
            self.active |= 1 << class.index();
        }
        for (detector, place) in self.custom.iter().zip(&mut self.custom_functions) {
            if detector.class() == class {
                *place = Some(function);
            }
        }
        self
    }

    /// Whether no detector is active.
    pub fn is_empty(&self) -> bool {
        self.functions.iter().chain(&self.custom_functions).all(Option::is_none)
    }

    /// Whether values of a class are searched for.
    pub fn seeks(&self, class: DetectedClass) -> bool {
        self.function(class).is_some()
    }

    /// The function of a class; `None` where its detector is off.
    pub fn function(&self, class: DetectedClass) -> Option<MaskFunction> {
        if let DetectedClass::Custom(_) = class {
            let place = self.custom.iter().position(|detector| detector.class() == class)?;
            return self.custom_functions.get(place).copied().flatten();
        }
        self.functions.get(class.index()).copied().flatten()
    }

    /// The active classes.
    pub fn classes(&self) -> impl Iterator<Item = DetectedClass> + '_ {
        let custom = self.custom.iter().map(CustomDetector::class);
        DetectedClass::ALL.into_iter().chain(custom).filter(|class| self.seeks(*class))
    }

    /// What hashes and pseudonyms are made with.
    pub fn keys(&self) -> Option<&MaskKeys> {
        self.keys.as_deref()
    }

    /// Whether a hit might be in `text`: cheap, and never wrong in saying no.
    pub fn may_hit(&self, text: &[u8]) -> bool {
        self.plan(&Census::of(text)).any() || self.active_custom().any(|detector| detector.may_hold(text))
    }

    /// Finds every value, in order and without overlap, and leaves them in `hits`.
    pub fn find(&self, text: &[u8], hits: &mut Vec<Hit>) {
        hits.clear();
        self.find_more(text, hits);
    }

    /// Like [`Self::find`], part by part: no value reaches over a separator. Cheaper, since each part is rejected alone.
    pub fn find_parted(&self, text: &[u8], separator: u8, hits: &mut Vec<Hit>) {
        hits.clear();
        let mut from = 0;
        let mut found = Vec::new();
        for end in memchr::memchr_iter(separator, text).chain(std::iter::once(text.len())) {
            let part = text.get(from..end).unwrap_or_default();
            self.find_more(part, &mut found);
            hits.extend(found.drain(..).map(|hit| Hit { range: hit.range.start + from..hit.range.end + from, ..hit }));
            from = end + 1;
        }
    }

    /// Like [`Self::find`], and keeps the hits that are there. Those it adds do not overlap each other.
    fn find_more(&self, text: &[u8], hits: &mut Vec<Hit>) {
        if text.len() >= LEAST_BYTES {
            let plan = self.plan(&Census::of(text));
            if plan.any() {
                Self::find_planned(plan, text, hits);
            }
        }
        for detector in self.active_custom() {
            detector.find(text, |range| hits.push(Hit { range, class: detector.class() }));
        }
        if hits.len() > 1 {
            merge(hits);
        }
    }

    fn find_planned(plan: Plan, text: &[u8], hits: &mut Vec<Hit>) {
        let mut take = |range, class| hits.push(Hit { range, class });
        if plan.wants(DetectedClass::Email) {
            email::find(text, |range| take(range, DetectedClass::Email));
        }
        if plan.wants(DetectedClass::Iban) {
            iban::find(text, |range| take(range, DetectedClass::Iban));
        }
        if plan.v6 && plan.wants(DetectedClass::Ip) {
            ip::find_v6(text, |range| take(range, DetectedClass::Ip));
        }
        if plan.wants(DetectedClass::Jwt) {
            token::find_jwt(text, |range| take(range, DetectedClass::Jwt));
        }
        if plan.wants(DetectedClass::CloudKey) {
            token::find_keys(text, |range| take(range, DetectedClass::CloudKey));
        }
        if plan.wants(DetectedClass::PrivateKey) {
            token::find_pem(text, |range| take(range, DetectedClass::PrivateKey));
        }
        if plan.wants(DetectedClass::GenericSecret) {
            secret::find(text, |range| take(range, DetectedClass::GenericSecret));
        }
        let sought = plan.sought();
        if sought.any() {
            figure::find(text, sought, hits);
        }
    }

    fn active_custom(&self) -> impl Iterator<Item = &CustomDetector> {
        let active = self.custom.iter().zip(&self.custom_functions);
        active.filter(|(_, function)| function.is_some()).map(|(detector, _)| detector)
    }

    /// Which detectors have to look at a text of these bytes.
    fn plan(&self, census: &Census) -> Plan {
        let Census { length, digits, letters, ats, dots, signs, dashes, capitals, lows } = *census;
        let mut wanted = 0;
        let mut want = |class: DetectedClass, there: bool| wanted |= u16::from(there) << class.index();
        want(DetectedClass::Email, ats > 0 && length >= email::LEAST_BYTES);
        want(DetectedClass::CreditCard, digits >= card::LEAST_DIGITS);
        want(DetectedClass::UsSsn, digits >= ssn::LEAST_DIGITS);
        want(DetectedClass::Phone, digits >= phone::LEAST_DIGITS);
        want(DetectedClass::Iban, digits >= iban::LEAST_DIGITS && letters >= 2 && length >= iban::LEAST_BYTES);
        let (v4, v6) = (digits >= 4 && dots >= 3, signs >= 2 && digits + lows >= 4);
        want(DetectedClass::Ip, v4 || v6);
        want(DetectedClass::Jwt, dots >= 2 && letters >= 10 && length >= token::LEAST_JWT_BYTES);
        let key = letters >= 4 && (digits > 0 || capitals >= 16) && length >= token::LEAST_KEY_BYTES;
        want(DetectedClass::CloudKey, key);
        want(DetectedClass::PrivateKey, dashes >= token::LEAST_PEM_DASHES && letters >= 15);
        want(DetectedClass::GenericSecret, signs > 0 && letters >= 3 && length >= secret::LEAST_BYTES);
        Plan { wanted: wanted & self.active, v4, v6 }
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
            self.put_hit(hit.class, value, &mut masked);
            copied = hit.range.end;
        }
        masked.extend_from_slice(text.as_bytes().get(copied..).unwrap_or_default());
        Some(String::from_utf8_lossy(&masked).into_owned())
    }

    /// Writes the mask of a value that was found.
    pub fn put_hit(&self, class: DetectedClass, value: &[u8], out: &mut impl bytes::BufMut) {
        mask_hit(class, self.function_or_redact(class), self.keys(), value, out);
    }

    /// The function of a class that was hit.
    pub fn function_or_redact(&self, class: DetectedClass) -> MaskFunction {
        self.function(class).unwrap_or(MaskFunction::Redact)
    }
}

/// Which detectors have to look at a text.
#[derive(Debug, Clone, Copy)]
struct Plan {
    /// A bit for each class.
    wanted: u16,
    /// Which kinds of addresses an [`DetectedClass::Ip`] might be.
    v4: bool,
    v6: bool,
}

impl Plan {
    const fn any(self) -> bool {
        self.wanted != 0
    }

    const fn wants(self, class: DetectedClass) -> bool {
        self.wanted >> class.index() & 1 == 1
    }

    const fn sought(self) -> figure::Sought {
        figure::Sought {
            card: self.wants(DetectedClass::CreditCard),
            ssn: self.wants(DetectedClass::UsSsn),
            phone: self.wants(DetectedClass::Phone),
            ip: self.v4 && self.wants(DetectedClass::Ip),
        }
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
mod labelled;
#[cfg(test)]
mod tests;
