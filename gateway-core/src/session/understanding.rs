//! Texts that were understood before: one cache for all sessions, keyed by exact text and the sight it was read in.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    protocol::postgres::inspect::{Sight, Understood, understand},
    sql::SyntaxError,
};

/// Entries a shard keeps; when it is full it starts anew, which costs one parse a text.
const SHARD_ENTRIES: usize = 512;
/// Longer texts are understood each time: they are rarely the same twice.
const MAX_CACHED_BYTES: usize = 4 * 1024;
const SHARDS: usize = 16;

/// The cache.
#[derive(Debug)]
pub(crate) struct Understandings {
    shards: [Mutex<HashMap<u64, Vec<Entry>>>; SHARDS],
    hasher: RandomState,
}

#[derive(Debug)]
struct Entry {
    sight: u64,
    understood: Arc<Understood>,
}

impl Default for Understandings {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()), hasher: RandomState::new() }
    }
}

impl Understandings {
    /// What `text` means in `sight`. The exact text is compared, so a collision of hashes costs time and nothing else.
    pub(crate) fn of(&self, text: &str, sight: &Sight) -> Result<Arc<Understood>, SyntaxError> {
        if text.len() > MAX_CACHED_BYTES {
            return understand(text, sight).map(Arc::new);
        }
        let hash = self.hasher.hash_one((text, sight.fingerprint));
        let index = usize::try_from(hash % 16).unwrap_or(0);
        let Some(shard) = self.shards.get(index) else { return understand(text, sight).map(Arc::new) };
        let found = |entry: &&Entry| entry.sight == sight.fingerprint && *entry.understood.text == *text;
        if let Some(entry) = shard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&hash)
            .and_then(|entries| entries.iter().find(found))
        {
            return Ok(Arc::clone(&entry.understood));
        }
        let understood = Arc::new(understand(text, sight)?);
        let mut entries = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= SHARD_ENTRIES {
            entries.clear();
        }
        let entry = Entry { sight: sight.fingerprint, understood: Arc::clone(&understood) };
        entries.entry(hash).or_default().push(entry);
        Ok(understood)
    }
}
