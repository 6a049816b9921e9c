//! Sealed secrets, a row each: what `credential` sealed, and nothing that opens it.

use rusqlite::{OptionalExtension as _, Row, params};

use super::{Store, StoreError};
use crate::{config::SecretName, credential::master::SealedSecret};

/// A secret as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptSecret {
    /// Its name.
    pub name: SecretName,
    /// Its version, from 1.
    pub version: u64,
    /// When it was set.
    pub changed_at_millis: i64,
    /// By whom.
    pub changed_by: String,
    /// The sealed value and its wrapped key.
    pub sealed: SealedSecret,
}

/// The rows of sealed secrets; cheap to clone.
#[derive(Debug, Clone)]
pub struct SecretRows(Store);

const COLUMNS: &str = "SELECT name, version, changed_at_millis, changed_by, key, wrapped, sealed FROM secret";

impl SecretRows {
    /// Those of this store.
    pub fn new(store: Store) -> Self {
        Self(store)
    }

    /// One of them.
    pub async fn one(&self, name: SecretName) -> Result<Option<KeptSecret>, StoreError> {
        let query = format!("{COLUMNS} WHERE name = ?1");
        let found =
            self.0.run_aside(move |connection| Ok(connection.query_row(&query, [name.as_str()], row).optional()?));
        Ok(found.await?.flatten())
    }

    /// All of them, by name.
    pub async fn all(&self) -> Result<Vec<KeptSecret>, StoreError> {
        let found = self.0.run_aside(|connection| {
            let mut statement = connection.prepare(&format!("{COLUMNS} ORDER BY name"))?;
            let rows = statement.query_map([], row)?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        });
        Ok(found.await?.into_iter().flatten().collect())
    }

    /// Puts one there, in the place of the version before it; false where that is not what is there: somebody was faster.
    pub async fn put(&self, kept: KeptSecret) -> Result<bool, StoreError> {
        let work = self.0.run_aside(move |connection| {
            let statement = if kept.version == 1 {
                "INSERT INTO secret (name, version, changed_at_millis, changed_by, key, wrapped, sealed)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (name) DO NOTHING"
            } else {
                "UPDATE secret SET version = ?2, changed_at_millis = ?3, changed_by = ?4, key = ?5, wrapped = ?6,
                 sealed = ?7 WHERE name = ?1 AND version = ?2 - 1"
            };
            let changed = connection.execute(
                statement,
                params![
                    kept.name.as_str(),
                    i64::try_from(kept.version).unwrap_or(i64::MAX),
                    kept.changed_at_millis,
                    kept.changed_by,
                    kept.sealed.key_id,
                    kept.sealed.wrapped,
                    kept.sealed.sealed
                ],
            )?;
            Ok(changed == 1)
        });
        work.await
    }

    /// Takes one away; false where there was none.
    pub async fn remove(&self, name: SecretName) -> Result<bool, StoreError> {
        let work = self.0.run_aside(move |connection| {
            Ok(connection.execute("DELETE FROM secret WHERE name = ?1", [name.as_str()])? == 1)
        });
        work.await
    }

    /// Replaces what `wrap` says a new wrapping of, all or nothing; how many. A wrapping that fails undoes the others.
    pub async fn rewrap(
        &self,
        wrap: impl Fn(&KeptSecret) -> Option<Option<SealedSecret>> + Send + 'static,
    ) -> Result<usize, StoreError> {
        let rows = self.all().await?;
        let work = self.0.run_aside(move |connection| {
            let transaction = connection.transaction()?;
            let mut moved = 0;
            for row in &rows {
                let Some(wrapped) = wrap(row) else { continue };
                let fresh = wrapped.ok_or(rusqlite::Error::InvalidQuery)?;
                transaction.execute(
                    "UPDATE secret SET key = ?2, wrapped = ?3 WHERE name = ?1",
                    params![row.name.as_str(), fresh.key_id, fresh.wrapped],
                )?;
                moved += 1;
            }
            transaction.commit()?;
            Ok(moved)
        });
        work.await
    }
}

/// A row whose name this version would not have written is none.
fn row(row: &Row<'_>) -> Result<Option<KeptSecret>, rusqlite::Error> {
    let name: String = row.get(0)?;
    let Ok(name) = SecretName::parse(&name) else { return Ok(None) };
    let version: i64 = row.get(1)?;
    Ok(Some(KeptSecret {
        name,
        version: u64::try_from(version).unwrap_or(0),
        changed_at_millis: row.get(2)?,
        changed_by: row.get(3)?,
        sealed: SealedSecret { key_id: row.get(4)?, wrapped: row.get(5)?, sealed: row.get(6)? },
    }))
}
