//! Which messages and assertions were used: each serves once, and is remembered for as long as it would be valid.
//!
//! Bounded: when it is full, nobody logs in until something expires. In memory; what a restart forgets is answered for
//! by `service` (a response to a request is worthless without its round) and by `routes` (nothing unasked is taken that
//! is older than the process).

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use saml_rs::{ReplayCache, ReplayKey, SamlError};

const MOST: usize = 100_000;
/// A provider that makes assertions for longer is not believed: each would have to be remembered that long.
const LONGEST_VALIDITY: Duration = Duration::from_hours(24);

pub(super) struct Replays {
    used: BTreeMap<String, SystemTime>,
    now: SystemTime,
}

impl Default for Replays {
    fn default() -> Self {
        Self { used: BTreeMap::new(), now: SystemTime::UNIX_EPOCH }
    }
}

impl Replays {
    /// The same cache, at this moment.
    pub(super) fn at(&mut self, now: SystemTime) -> &mut Self {
        self.now = now;
        self
    }
}

impl ReplayCache for Replays {
    fn check_and_store(&mut self, key: ReplayKey, expires_at: SystemTime) -> Result<(), SamlError> {
        let now = self.now;
        let key = key.cache_key();
        if expires_at.duration_since(now).is_ok_and(|left| left > LONGEST_VALIDITY) {
            return Err(SamlError::Invalid("it is valid for too long".to_owned()));
        }
        if self.used.len() >= MOST {
            self.used.retain(|_key, expires_at| *expires_at > now);
        }
        // FAIL-CLOSED: what cannot be remembered could be used twice.
        if self.used.len() >= MOST {
            return Err(SamlError::Invalid("too many logins to remember".to_owned()));
        }
        if self.used.get(&key).is_some_and(|until| *until > now) {
            return Err(SamlError::ReplayDetected { key });
        }
        self.used.insert(key, expires_at);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use saml_rs::MessageId;

    use super::*;

    fn key(number: usize) -> ReplayKey {
        ReplayKey::ResponseId(MessageId::try_new(format!("_{number}")).unwrap())
    }

    #[test]
    fn a_key_serves_once_until_it_expires() {
        let mut replays = Replays::default();
        let start = SystemTime::UNIX_EPOCH;
        let end = start + Duration::from_mins(5);
        assert!(replays.at(start).check_and_store(key(1), end).is_ok());
        assert!(replays.at(end - Duration::from_secs(1)).check_and_store(key(1), end).is_err());
        assert!(replays.at(start).check_and_store(key(2), end).is_ok());
    }

    #[test]
    fn nothing_is_taken_that_could_not_be_remembered() {
        let mut replays = Replays::default();
        let start = SystemTime::UNIX_EPOCH;
        let end = start + Duration::from_mins(5);
        assert!(replays.at(start).check_and_store(key(0), start + LONGEST_VALIDITY + Duration::from_secs(1)).is_err());
        for number in 0..MOST {
            replays.check_and_store(key(number), end).unwrap();
        }
        assert!(replays.check_and_store(key(MOST), end).is_err());
        assert!(replays.at(end).check_and_store(key(MOST), end + Duration::from_mins(5)).is_ok());
    }
}
