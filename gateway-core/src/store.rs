//! The embedded store: one SQLite file for approvals, what is to be told of them, and the index of sessions.
//!
//! Every write of an approval is durable when it returns (WAL, `synchronous=FULL`); the index of sessions, which the
//! recording can rebuild, is written without a sync of its own. Knows no policy and no protocol; `approval` and
//! `api` see it through `approval::Storage` and [`SessionIndex`].

mod approvals;
mod leases;
mod migrations;
mod notifications;
mod runs;
mod said;
mod secrets;
mod sessions;
mod site_versions;
mod tools;

use std::{
    fmt, fs, io,
    os::unix::fs::OpenOptionsExt as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::Connection;

pub use leases::{KeptLease, LeasePlace, LeaseRows};
pub use notifications::{Announce, Delivery, DeliveryCounts, DeliveryQueue};
pub use runs::{RunEnd, RunEntry, RunIndex};
pub use said::{Said, SaidIndex, folded};
pub use secrets::{KeptSecret, SecretRows};
pub use sessions::{SessionCounts, SessionEntry, SessionFilter, SessionIndex, Span};
pub use site_versions::{NewSiteVersion, SiteShelf, WholeVersion};
pub use tools::{KeptTool, StoredTools, ToolShelf};

/// Why the store cannot be used. It holds no row's content.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be made or opened.
    #[error("the store `{}` cannot be used", .0.display())]
    File(PathBuf, #[source] io::Error),
    /// Others can read it.
    #[error("the store `{}` is readable by others; run `chmod 600` on it", .0.display())]
    Exposed(PathBuf),
    /// A newer or altered gateway wrote it.
    #[error("the store was migrated by another version of hoop (step {0}); use that version, or another data_dir")]
    ForeignMigration(u32),
    /// SQLite refused.
    #[error("the store failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A row holds what this version cannot read.
    #[error("the store holds a row that this version cannot read")]
    Row(#[source] serde_json::Error),
    /// The thread that ran it ended.
    #[error("the store's thread ended early")]
    Interrupted,
}

/// The embedded store; cheap to clone, one connection behind a lock.
#[derive(Clone)]
pub struct Store {
    connection: Arc<Mutex<Connection>>,
    /// Told, within the write, of every case that is saved through this handle.
    announce: Option<Arc<dyn Announce>>,
}

impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Store")
    }
}

impl Store {
    /// Opens or makes the file (0600) and brings it up to this version. Refuses a file that others can read.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        prepare_file(path)?;
        Self::with(Connection::open(path)?)
    }

    /// A store that lives in memory, for tests.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::with(Connection::open_in_memory()?)
    }

    fn with(mut connection: Connection) -> Result<Self, StoreError> {
        prepare(&connection, "FULL")?;
        migrations::apply(&mut connection)?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), announce: None })
    }

    /// The same store; what is saved through it is announced in the same write.
    #[must_use]
    pub fn announcing(self, announce: Arc<dyn Announce>) -> Self {
        Self { announce: Some(announce), ..self }
    }

    /// The same store for rows that can be rebuilt: what is written becomes durable with the next durable write or
    /// checkpoint, in order, and never costs a sync of its own.
    fn unhurried(&self) -> Result<Self, StoreError> {
        let file = self.run(|connection| Ok(connection.path().filter(|path| !path.is_empty()).map(PathBuf::from)))?;
        let Some(file) = file else { return Ok(self.clone()) };
        let connection = Connection::open(file)?;
        prepare(&connection, "NORMAL")?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), announce: None })
    }

    /// Runs blocking work on the one connection.
    fn run<T>(&self, work: impl FnOnce(&mut Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        // A panic elsewhere rolled its transaction back, so the connection itself is sound.
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut connection)
    }

    /// Runs the work on a thread that may block.
    async fn run_aside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.clone();
        tokio::task::spawn_blocking(move || store.run(work)).await.map_err(|_ended| StoreError::Interrupted)?
    }
}

fn prepare(connection: &Connection, synchronous: &str) -> Result<(), StoreError> {
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(())
}

fn prepare_file(path: &Path) -> Result<(), StoreError> {
    let failed = |failure| StoreError::File(path.to_owned(), failure);
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        fs::create_dir_all(directory).map_err(failed)?;
    }
    match fs::metadata(path) {
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => Err(StoreError::Exposed(path.to_owned())),
        Ok(_private) => Ok(()),
        Err(failure) if failure.kind() == io::ErrorKind::NotFound => {
            // Made here and not by SQLite, so that it is private from its first byte; -wal and -shm take its mode.
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map(drop).map_err(failed)
        }
        Err(failure) => Err(failed(failure)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_private_and_an_exposed_one_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data/store.sqlite");
        drop(Store::open(&path).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        drop(Store::open(&path).unwrap());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Store::open(&path), Err(StoreError::Exposed(_))));
    }

    #[test]
    fn writes_are_durable_when_they_return() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("store.sqlite")).unwrap();
        let (journal, synchronous) = store
            .run(|connection| {
                let journal: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
                let synchronous: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0))?;
                Ok((journal, synchronous))
            })
            .unwrap();
        assert_eq!((journal.as_str(), synchronous), ("wal", 2));
    }

    #[test]
    fn what_is_written_unhurried_is_seen_at_once_and_costs_no_sync() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("store.sqlite")).unwrap();
        let unhurried = store.unhurried().unwrap();
        let synchronous = |store: &Store| -> i64 {
            store.run(|connection| Ok(connection.pragma_query_value(None, "synchronous", |row| row.get(0))?)).unwrap()
        };
        assert_eq!((synchronous(&store), synchronous(&unhurried)), (2, 1));
        unhurried
            .run(|connection| Ok(connection.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1)")?))
            .unwrap();
        let seen: i64 =
            store.run(|connection| Ok(connection.query_row("SELECT a FROM t", [], |row| row.get(0))?)).unwrap();
        assert_eq!(seen, 1);
    }

    #[test]
    fn refuses_a_store_whose_migrations_were_altered() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.sqlite");
        let store = Store::open(&path).unwrap();
        store.run(|connection| Ok(connection.execute("UPDATE migration SET checksum = 'other'", [])?)).unwrap();
        drop(store);
        assert!(matches!(Store::open(&path), Err(StoreError::ForeignMigration(1))));
    }

    #[test]
    fn refuses_a_store_of_a_newer_version() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.sqlite");
        let store = Store::open(&path).unwrap();
        store.run(|connection| Ok(connection.execute("INSERT INTO migration VALUES (99, 'later')", [])?)).unwrap();
        drop(store);
        assert!(matches!(Store::open(&path), Err(StoreError::ForeignMigration(99))));
    }
}
