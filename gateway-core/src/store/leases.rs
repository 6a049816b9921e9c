//! Logins that were lent to sessions, a row each from before they are made until they are taken away: whoever starts the
//! gateway after a crash finds here what is left.

use rusqlite::{Row, params};

use super::{Store, StoreError};
use crate::model::ConnectionName;

/// Where a login was made: only there it can be taken away, whatever its connection is by then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeasePlace {
    /// The server's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The database, where what it owns is.
    pub database: String,
}

impl LeasePlace {
    /// Whether both are of one server.
    pub fn is_same_server(&self, other: &Self) -> bool {
        self.host == other.host && self.port == other.port
    }
}

impl std::fmt::Display for LeasePlace {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, port, database } = self;
        write!(formatter, "{host}:{port}/{database}")
    }
}

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
    /// Where it was made, where its name alone does not say it.
    pub place: Option<LeasePlace>,
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
            let KeptLease { id, connection: of, session, heir, lent_at_millis, place } = kept;
            let port = place.as_ref().map(|place| place.port);
            let (host, database) = place.map(|place| (place.host, place.database)).unzip();
            connection.execute(
                "INSERT OR REPLACE INTO lent_login (id, connection, session, heir, lent_at_millis, host, port, database)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![id, of.as_str(), session, heir, lent_at_millis, host, port, database],
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
                "SELECT id, connection, session, heir, lent_at_millis, host, port, database
                 FROM lent_login ORDER BY lent_at_millis",
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
    let place = match (row.get(5)?, row.get(6)?, row.get(7)?) {
        (Some(host), Some(port), Some(database)) => Some(LeasePlace { host, port, database }),
        _ => None,
    };
    Ok(Some(KeptLease { id, connection, session, heir, lent_at_millis: row.get(4)?, place }))
}
