//! `store:`: secrets in the gateway's own store, each sealed under a key of its own that the master key wraps.
//!
//! Who may put one there is the API's business.

use std::sync::Arc;

use secrecy::SecretString;

use super::{
    CredentialError,
    master::{Bound, MasterKey},
};
use crate::{
    config::SecretName,
    model::PrincipalName,
    store::{KeptSecret, SecretRows, StoreError},
};

/// The secrets of the gateway's own store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SecretShelf {
    rows: SecretRows,
    master: Arc<MasterKey>,
}

/// A secret as it is listed: everything but its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSecret {
    /// Its name.
    pub name: String,
    /// How often it was set.
    pub version: u64,
    /// When it was set last.
    pub changed_at_millis: i64,
    /// By whom.
    pub changed_by: String,
}

/// What must be there before a secret is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Nothing, or an older version.
    Anything,
    /// An older version: `rotate`.
    Something,
}

/// How often a version is tried that somebody else may take first.
const MOST_ATTEMPTS: usize = 64;

/// Why the shelf did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// There is no such secret.
    #[error("there is no secret `{0}`")]
    Absent(String),
    /// Others set it all the time.
    #[error("the secret `{0}` is being set by others at this very moment; try again")]
    Contended(String),
    /// The system gives no randomness.
    #[error("the system gives no randomness, so nothing is sealed")]
    Randomness,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// One of them is wrapped by a key that nobody has.
    #[error(
        "the secret `{name}` is wrapped by the master key {key}, which is neither secrets.key nor secrets.previous_key"
    )]
    ForeignKey {
        /// Which secret.
        name: String,
        /// Which key.
        key: String,
    },
}

impl SecretShelf {
    /// Opens the shelf. What `previous` wraps is wrapped anew by `master`, all of it or nothing; what neither wraps stops.
    pub async fn open(rows: SecretRows, master: MasterKey, previous: Option<MasterKey>) -> Result<Self, ShelfError> {
        for row in rows.all().await? {
            let known = previous.as_ref().is_some_and(|previous| previous.id() == row.sealed.key_id);
            if row.sealed.key_id != master.id() && !known {
                return Err(ShelfError::ForeignKey { name: row.name.to_string(), key: row.sealed.key_id });
            }
        }
        let master = Arc::new(master);
        if let Some(previous) = previous {
            let master = Arc::clone(&master);
            let moved = rows
                .rewrap(move |row| {
                    let bound = Bound { name: &row.name, version: row.version };
                    (row.sealed.key_id == previous.id()).then(|| master.rewrap(&previous, bound, &row.sealed))
                })
                .await?;
            if moved > 0 {
                tracing::info!(secrets = moved, "the store's secrets are wrapped by the new master key");
            }
        }
        Ok(Self { rows, master })
    }

    /// The value of a secret now.
    pub async fn value(&self, name: &SecretName) -> Result<SecretString, CredentialError> {
        let sealed = |why: &str| CredentialError::Sealed { name: name.to_string(), why: why.to_owned() };
        let row = self.rows.one(name.clone()).await.map_err(|error| sealed(&error.to_string()))?;
        let row = row.ok_or_else(|| CredentialError::Absent(name.to_string()))?;
        let bound = Bound { name, version: row.version };
        self.master.open(bound, &row.sealed).ok_or_else(|| sealed("it is not what this gateway's master key sealed"))
    }

    /// Everything but the values.
    pub async fn list(&self) -> Result<Vec<ListedSecret>, ShelfError> {
        let listed = |row: KeptSecret| ListedSecret {
            name: row.name.to_string(),
            version: row.version,
            changed_at_millis: row.changed_at_millis,
            changed_by: row.changed_by,
        };
        Ok(self.rows.all().await?.into_iter().map(listed).collect())
    }

    /// Puts a value there, as the next version; says which.
    pub async fn set(
        &self,
        name: &SecretName,
        value: &SecretString,
        before: Before,
        by: &PrincipalName,
        at_millis: i64,
    ) -> Result<u64, ShelfError> {
        for _attempt in 0..MOST_ATTEMPTS {
            let kept = self.rows.one(name.clone()).await?;
            if kept.is_none() && before == Before::Something {
                return Err(ShelfError::Absent(name.to_string()));
            }
            let version = kept.map_or(1, |kept| kept.version.saturating_add(1));
            let sealed = self.master.seal(Bound { name, version }, value).ok_or(ShelfError::Randomness)?;
            let (name, changed_by) = (name.clone(), by.to_string());
            if self.rows.put(KeptSecret { name, version, changed_at_millis: at_millis, changed_by, sealed }).await? {
                return Ok(version);
            }
        }
        Err(ShelfError::Contended(name.to_string()))
    }

    /// Takes a secret away; false where there was none.
    pub async fn remove(&self, name: &SecretName) -> Result<bool, ShelfError> {
        Ok(self.rows.remove(name.clone()).await?)
    }
}
