//! Logins that were lent to sessions, a row each from before they are made until they are taken away: whoever starts the
//! gateway after a crash finds here what is left.

use rusqlite::{Row, params};

use super::{Store, StoreError};
use crate::model::ConnectionName;

/// A login that was lent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptLease {
    /// What takes it back.
    pub id: String,
    /// Of which connection.
    pub connection: ConnectionName,
    /// To which session; `gateway` where it is the gateway's own.
    pub session: String,
    /// Who gets what it owns.
    pub heir: String,
    /// When it was lent.
    pub lent_at_millis: i64,
}

/// The rows of lent logins; cheap to clone.
#[derive(Debug, Clone)]
pub struct LeaseRows(Store);

impl LeaseRows {
    /// Those of this store.
    pub fn new(store: Store) -> Self {
        Self(store)
    }

    /// Keeps one; durable when it returns.
    pub async fn keep(&self, kept: KeptLease) -> Result<(), StoreError> {
        let work = self.0.run_aside(move |connection| {
            connection.execute(
                "INSERT OR REPLACE INTO lent_login (id, connection, session, heir, lent_at_millis)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                params![kept.id, kept.connection.as_str(), kept.session, kept.heir, kept.lent_at_millis],
            )?;
            Ok(())
        });
        work.await
    }

    /// Forgets one that was taken away.
    pub async fn forget(&self, id: String) -> Result<(), StoreError> {
        let work = self.0.run_aside(move |connection| {
            connection.execute("DELETE FROM lent_login WHERE id = ?1", [id])?;
            Ok(())
        });
        work.await
    }

    /// All that were not taken away.
    pub async fn all(&self) -> Result<Vec<KeptLease>, StoreError> {
        let work = self.0.run_aside(|connection| {
            let mut statement = connection.prepare(
                "SELECT id, connection, session, heir, lent_at_millis FROM lent_login ORDER BY lent_at_millis",
            )?;
            let rows = statement.query_map([], row)?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        });
        Ok(work.await?.into_iter().flatten().collect())
    }
}

fn row(row: &Row<'_>) -> Result<Option<KeptLease>, rusqlite::Error> {
    let connection: String = row.get(1)?;
    let Ok(connection) = ConnectionName::new(connection) else { return Ok(None) };
    let (id, session, heir) = (row.get(0)?, row.get(2)?, row.get(3)?);
    Ok(Some(KeptLease { id, connection, session, heir, lent_at_millis: row.get(4)? }))
}
