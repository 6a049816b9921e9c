//! Logins that were ended before their tokens: whatever was issued to a principal until then counts no more.
//!
//! Kept beside the token key, so that a restart forgets none, and only for as long as a token could still last.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    lasting,
    model::{Principal, PrincipalKind},
};

/// What may be kept of one principal after another; far above what logs out within ten minutes.
const MAX_FILE_BYTES: u64 = 8 << 20;

/// Who ended their logins, and when.
pub(super) struct EndedLogins {
    ended: Mutex<BTreeMap<String, i64>>,
    file: Option<PathBuf>,
}

impl EndedLogins {
    /// Of a process that keeps nothing.
    pub(super) fn in_memory() -> Self {
        Self { ended: Mutex::default(), file: None }
    }

    /// As the last process left them. A file that cannot be read is an error: it may say who is logged out.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let ended = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
            Ok(file) if !file.is_file() || file.len() > MAX_FILE_BYTES => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no list of ended logins"));
            }
            Ok(_file) => serde_json::from_slice(&fs::read(path)?)?,
        };
        Ok(Self { ended: Mutex::new(ended), file: Some(path.to_owned()) })
    }

    /// Ends what was issued until `now_millis`; forgets what ended before `oldest_millis`, when every token of then is over.
    /// Nothing is ended where it cannot be kept.
    pub(super) fn end(&self, principal: &Principal, now_millis: i64, oldest_millis: i64) -> io::Result<()> {
        let mut ended = self.lock();
        let mut next = ended.clone();
        next.retain(|_, at| *at >= oldest_millis);
        next.insert(key(principal), now_millis);
        if let Some(path) = &self.file {
            lasting::replace(path, &serde_json::to_vec(&next)?)?;
        }
        *ended = next;
        Ok(())
    }

    /// Whether what was issued then has been ended since.
    pub(super) fn covers(&self, principal: &Principal, issued_millis: i64) -> bool {
        self.lock().get(&key(principal)).is_some_and(|ended| issued_millis <= *ended)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, i64>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(principal: &Principal) -> String {
    let kind = match principal.kind {
        PrincipalKind::User => "user",
        PrincipalKind::Agent => "agent",
    };
    format!("{kind} {}", principal.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::testing::{agent, person};

    #[test]
    fn what_was_issued_until_then_is_over_and_a_restart_forgets_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ended.json");
        let ended = EndedLogins::open(&path).unwrap();
        let alice = person("alice", &[]);
        ended.end(&alice, 1_000, 0).unwrap();
        assert!(ended.covers(&alice, 1_000) && !ended.covers(&alice, 1_001));
        assert!(!ended.covers(&agent("alice", "bob", &[]), 1_000), "an agent is nobody's namesake");
        let again = EndedLogins::open(&path).unwrap();
        assert!(again.covers(&person("alice", &["other"]), 999));
        again.end(&person("bob", &[]), 700_000, 100_000).unwrap();
        assert!(!again.covers(&alice, 999), "its tokens are long over");
        fs::write(&path, "damaged").unwrap();
        assert!(EndedLogins::open(&path).is_err());
    }

    #[test]
    fn a_logout_that_cannot_be_kept_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let ended = EndedLogins::open(&folder.path().join("gone/ended.json")).unwrap();
        assert!(ended.end(&person("alice", &[]), 1_000, 0).is_err());
    }
}
