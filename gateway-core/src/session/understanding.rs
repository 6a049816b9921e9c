//! Texts that were understood before: one cache for all sessions, keyed by exact text and the sight it was read in.
//!
//! A text that has twins (they differ in one integer, and provably in nothing else) is kept once for all of them.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use super::relay::Session;
use crate::{
    protocol::postgres::inspect::{Sight, Understood, twin, understand},
    sql::SyntaxError,
};

/// Entries a shard keeps; when it is full it starts anew, which costs one parse a text.
const SHARD_ENTRIES: usize = 512;
/// Longer texts are understood each time: they are rarely the same twice.
const MAX_CACHED_BYTES: usize = 4 * 1024;
const SHARDS: usize = 16;
/// Texts with one hash that are kept: those that share all but an integer and are no twins.
const BUCKET_ENTRIES: usize = 4;

/// The cache.
#[derive(Debug)]
pub struct Understandings {
    shards: [Mutex<HashMap<u64, Vec<Entry>>>; SHARDS],
    hasher: RandomState,
}

#[derive(Debug)]
struct Entry {
    sight: u64,
    /// Where the integer stands in which its twins differ; `None` where it has none.
    place: Option<Range<usize>>,
    understood: Arc<Understood>,
}

impl Default for Understandings {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()), hasher: RandomState::new() }
    }
}

impl Understandings {
    /// What `text` means in `sight`. The exact text is compared, so a collision of hashes costs time and nothing else.
    pub fn of(&self, text: &str, sight: &Sight) -> Result<Arc<Understood>, SyntaxError> {
        if text.len() > MAX_CACHED_BYTES {
            return understand(text, sight).map(Arc::new);
        }
        let place = twin::place(text);
        let hash = match place.as_ref().and_then(|place| Some((text.get(..place.start)?, text.get(place.end..)?))) {
            Some(parts) => self.hasher.hash_one((parts, sight.fingerprint)),
            None => self.hasher.hash_one((text, sight.fingerprint)),
        };
        let index = usize::try_from(hash % 16).unwrap_or(0);
        let Some(shard) = self.shards.get(index) else { return understand(text, sight).map(Arc::new) };
        let known = shard.lock().unwrap_or_else(PoisonError::into_inner).get(&hash).and_then(|entries| {
            let mut entries = entries.iter().filter(|entry| entry.sight == sight.fingerprint);
            entries.find_map(|entry| entry.know(text, place.as_ref()))
        });
        match known {
            Some(Known::Same(understood)) => return Ok(understood),
            Some(Known::Twin(other)) => {
                if let Some(understood) = twin::understand_as(&other, text, sight) {
                    return Ok(Arc::new(understood));
                }
            }
            None => {}
        }
        let understood = Arc::new(understand(text, sight)?);
        let mut entries = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= SHARD_ENTRIES {
            entries.clear();
        }
        let place = place.filter(|_| twin::has_twins(&understood));
        let entry = Entry { sight: sight.fingerprint, place, understood: Arc::clone(&understood) };
        let bucket = entries.entry(hash).or_default();
        if bucket.len() >= BUCKET_ENTRIES {
            bucket.remove(0);
        }
        bucket.push(entry);
        Ok(understood)
    }
}

/// What a longer text meant is not kept for the next message.
const KEPT_TEXT_BYTES: usize = 64 * 1024;

impl Session {
    /// What the text means here. The last answer is kept: a message asks more than once.
    pub(super) fn understand(&mut self, text: &str) -> Result<Arc<Understood>, SyntaxError> {
        let sight = self.sight.fingerprint;
        if let Some((seen_in, understood)) = &self.understood
            && *seen_in == sight
            && *understood.text == *text
        {
            return Ok(Arc::clone(understood));
        }
        let understood = self.environment.understandings.of(text, &self.sight)?;
        if understood.uses_names {
            return Ok(self.read_through_names(&understood));
        }
        self.understood = (text.len() <= KEPT_TEXT_BYTES).then(|| (sight, Arc::clone(&understood)));
        Ok(understood)
    }
}

/// What an entry says of a text.
enum Known {
    Same(Arc<Understood>),
    Twin(Arc<Understood>),
}

impl Entry {
    fn know(&self, text: &str, place: Option<&Range<usize>>) -> Option<Known> {
        if *self.understood.text == *text {
            return Some(Known::Same(Arc::clone(&self.understood)));
        }
        let place = place.filter(|place| self.place.as_ref() == Some(place))?;
        twin::are_twins(&self.understood.text, text, place).then(|| Known::Twin(Arc::clone(&self.understood)))
    }
}

#[cfg(test)]
mod tests;
