//! Every version of the site that was ever in force: its files, who put it there, when and why. Rows are only added.
//!
//! Written by `gateway` before a version takes effect; each write is durable when it returns.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Store, StoreError};
use crate::api::types::{SiteOrigin, SiteStanding};

/// The versions of the site; cheap to clone.
#[derive(Debug, Clone)]
pub struct SiteShelf(Store);

/// A version that is to be written.
#[derive(Debug, Clone)]
pub struct NewSiteVersion {
    /// How it comes.
    pub origin: SiteOrigin,
    /// Which earlier one it takes up again.
    pub again: Option<u64>,
    /// Who puts it in force.
    pub by: String,
    /// Why.
    pub message: Option<String>,
    /// When, milliseconds since 1970.
    pub at_millis: i64,
    /// The digest of its files.
    pub digest: String,
    /// The version of its policies.
    pub policies: String,
    /// Its files.
    pub files: BTreeMap<String, String>,
}

/// A version with its files.
pub type WholeVersion = (SiteStanding, BTreeMap<String, String>);

const COLUMNS: &str = "version, origin, again, by, message, at_millis, digest, policies";

impl SiteShelf {
    /// Those that this store keeps.
    pub fn new(store: Store) -> Self {
        Self(store)
    }

    /// The last version, and the last that came from the start folder.
    pub fn last(&self) -> Result<(Option<SiteStanding>, Option<SiteStanding>), StoreError> {
        self.0.run(|connection| {
            let last = one(connection, "ORDER BY version DESC LIMIT 1", &[])?;
            let folder = one(connection, "WHERE origin = 'folder' ORDER BY version DESC LIMIT 1", &[])?;
            Ok((last, folder))
        })
    }

    /// Adds a version, and gives it its number.
    pub fn add(&self, new: &NewSiteVersion) -> Result<SiteStanding, StoreError> {
        let files = serde_json::to_string(&new.files).map_err(StoreError::Row)?;
        self.0.run(|connection| {
            let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            transaction.execute(
                "INSERT INTO site_version (origin, again, by, message, at_millis, digest, policies, files)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    new.origin.as_str(),
                    new.again.and_then(|again| i64::try_from(again).ok()),
                    new.by,
                    new.message,
                    new.at_millis,
                    new.digest,
                    new.policies,
                    files
                ],
            )?;
            let added = one(&transaction, "ORDER BY version DESC LIMIT 1", &[])?;
            transaction.commit()?;
            added.ok_or(StoreError::Interrupted)
        })
    }

    /// The newest versions, at most `limit`.
    pub fn list(&self, limit: usize) -> Result<Vec<SiteStanding>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.0.run(|connection| {
            let mut statement = connection
                .prepare_cached(&format!("SELECT {COLUMNS} FROM site_version ORDER BY version DESC LIMIT ?1"))?;
            let rows = statement.query_map([limit], read)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// One version with its files.
    pub fn find(&self, version: u64) -> Result<Option<WholeVersion>, StoreError> {
        let Ok(version) = i64::try_from(version) else { return Ok(None) };
        self.0.run(|connection| {
            let Some(standing) = one(connection, "WHERE version = ?1", &[&version])? else { return Ok(None) };
            let files: String =
                connection
                    .query_row("SELECT files FROM site_version WHERE version = ?1", [version], |row| row.get(0))?;
            Ok(Some((standing, serde_json::from_str(&files).map_err(StoreError::Row)?)))
        })
    }
}

fn one(
    connection: &Connection,
    which: &str,
    with: &[&dyn rusqlite::ToSql],
) -> Result<Option<SiteStanding>, rusqlite::Error> {
    connection.query_row(&format!("SELECT {COLUMNS} FROM site_version {which}"), with, read).optional()
}

fn read(row: &rusqlite::Row<'_>) -> Result<SiteStanding, rusqlite::Error> {
    let origin: String = row.get(1)?;
    Ok(SiteStanding {
        version: u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0),
        origin: SiteOrigin::read(&origin),
        again: row.get::<_, Option<i64>>(2)?.and_then(|again| u64::try_from(again).ok()),
        by: row.get(3)?,
        message: row.get(4)?,
        at_millis: row.get(5)?,
        digest: row.get(6)?,
        policies: row.get(7)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbered_from_one_and_the_start_folder_is_told_apart() {
        let shelf = SiteShelf::new(Store::in_memory().unwrap());
        assert_eq!(shelf.last().unwrap(), (None, None));
        let new = |origin, text: &str| NewSiteVersion {
            origin,
            again: None,
            by: "bob".into(),
            message: Some("why".into()),
            at_millis: 7,
            digest: text.into(),
            policies: "p".into(),
            files: BTreeMap::from([("gateway.toml".into(), text.into())]),
        };
        assert_eq!(shelf.add(&new(SiteOrigin::Folder, "one")).unwrap().version, 1);
        assert_eq!(shelf.add(&new(SiteOrigin::Apply, "two")).unwrap().version, 2);
        let (last, folder) = shelf.last().unwrap();
        assert_eq!((last.unwrap().version, folder.unwrap().version), (2, 1));
        let (standing, files) = shelf.find(2).unwrap().unwrap();
        assert_eq!((standing.digest.as_str(), files["gateway.toml"].as_str()), ("two", "two"));
        assert_eq!(shelf.find(3).unwrap(), None);
        let versions: Vec<_> = shelf.list(10).unwrap().iter().map(|one| one.version).collect();
        assert_eq!(versions, [2, 1]);
    }
}
