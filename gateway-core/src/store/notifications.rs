//! Deliveries that wait or were given up, as rows. A delivery that was made is no row any more.
//!
//! Entered in the write that makes a case durable, where [`Announce`] says so. Both kinds are bounded: what finds the
//! queue full is given up at once, and of what was given up only the newest stays.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{Store, StoreError};
use crate::{approval::Case, notify::Notice};

/// The most that wait at once.
const MAX_WAITING: i64 = 20_000;
/// The most that are kept of what was given up.
const MAX_DEAD: i64 = 2_000;

/// What must be told of a change, asked within the write of it.
pub trait Announce: Send + Sync + 'static {
    /// The deliveries of a case; `before` is the word of the state that it was stored in. Must not block.
    fn of_case(&self, case: &Case, before: Option<&str>) -> Vec<Delivery>;
    /// The write is durable. Must not block.
    fn wake(&self);
}

/// One copy of a notice on its way to one receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The same at every attempt.
    pub id: String,
    /// The receiver's name.
    pub target: String,
    /// The mailbox, where the receiver has several.
    pub recipient: Option<String>,
    /// What is told.
    pub notice: Notice,
    /// When it is tried next, milliseconds since 1970.
    pub due_at_millis: i64,
    /// Attempts that failed.
    pub attempts: u32,
    /// Why the last one failed.
    pub error: Option<String>,
    /// Whether it was given up.
    pub dead: bool,
}

/// How many deliveries there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeliveryCounts {
    /// Waiting for their next attempt.
    pub waiting: u64,
    /// Given up.
    pub dead: u64,
}

impl Delivery {
    /// One that was not tried yet, due at once.
    pub fn first(id: String, target: &str, recipient: Option<String>, notice: &Notice) -> Self {
        let due_at_millis = notice.at_millis;
        let (target, notice) = (target.to_owned(), notice.clone());
        Self { id, target, recipient, notice, due_at_millis, attempts: 0, error: None, dead: false }
    }
}

/// The queue; cheap to clone.
#[derive(Debug, Clone)]
pub struct DeliveryQueue(Store);

impl DeliveryQueue {
    /// The queue in this store.
    pub fn new(store: Store) -> Self {
        Self(store)
    }

    /// Enters deliveries; one that is there already stays as it is.
    pub async fn enter(&self, deliveries: Vec<Delivery>) -> Result<(), StoreError> {
        self.0
            .run_aside(move |connection| {
                let transaction = connection.transaction()?;
                enter(&transaction, &deliveries)?;
                Ok(transaction.commit()?)
            })
            .await
    }

    /// What this receiver gets next, due or not.
    pub async fn next(&self, target: &str) -> Result<Option<Delivery>, StoreError> {
        let target = target.to_owned();
        let query = format!("{SELECT} WHERE dead = 0 AND target = ?1 ORDER BY due_at_millis LIMIT 1");
        self.0
            .run_aside(move |connection| {
                connection.prepare_cached(&query)?.query_row([target], columns).optional()?.map(delivery).transpose()
            })
            .await
    }

    /// An attempt failed; it is tried again then.
    pub async fn put_off(&self, id: &str, attempts: u32, due: i64, why: &str) -> Result<(), StoreError> {
        self.change(
            "UPDATE notification SET attempts = ?2, due_at_millis = ?3, error = ?4 WHERE id = ?1",
            (id.to_owned(), attempts, due, why.to_owned()),
        )
        .await
        .map(drop)
    }

    /// The last attempt failed.
    pub async fn give_up(&self, id: &str, attempts: u32, why: &str) -> Result<(), StoreError> {
        self.change(
            "UPDATE notification SET dead = 1, attempts = ?2, error = ?3 WHERE id = ?1",
            (id.to_owned(), attempts, why.to_owned()),
        )
        .await?;
        self.0.run_aside(|connection| trim(connection)).await
    }

    /// Gives up what waits for a receiver that the site does not name any more.
    pub async fn give_up_all_but(&self, targets: Vec<String>) -> Result<(), StoreError> {
        let targets = serde_json::to_string(&targets).map_err(StoreError::Row)?;
        self.change(
            "UPDATE notification SET dead = 1, error = 'gateway.toml names no such receiver any more'
             WHERE dead = 0 AND target NOT IN (SELECT value FROM json_each(?1))",
            (targets,),
        )
        .await?;
        self.0.run_aside(|connection| trim(connection)).await
    }

    /// Due at once, as if it was never tried; `false` for an unknown id.
    pub async fn retry(&self, id: &str, now: i64) -> Result<bool, StoreError> {
        let update = "UPDATE notification SET dead = 0, attempts = 0, due_at_millis = ?2 WHERE id = ?1";
        self.change(update, (id.to_owned(), now)).await.map(|changed| changed > 0)
    }

    /// Removes one; `false` for an unknown id.
    pub async fn remove(&self, id: &str) -> Result<bool, StoreError> {
        self.change("DELETE FROM notification WHERE id = ?1", (id.to_owned(),)).await.map(|changed| changed > 0)
    }

    /// All of them, those given up first, then by when they are due; at most `limit`.
    pub async fn list(&self, limit: usize) -> Result<Vec<Delivery>, StoreError> {
        let query = format!("{SELECT} ORDER BY dead DESC, due_at_millis DESC LIMIT ?1");
        self.0
            .run_aside(move |connection| {
                let mut statement = connection.prepare_cached(&query)?;
                let rows = statement.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], columns)?;
                rows.map(|row| delivery(row?)).collect()
            })
            .await
    }

    /// How many there are.
    pub async fn counts(&self) -> Result<DeliveryCounts, StoreError> {
        self.0
            .run_aside(|connection| {
                let count = |dead: bool| -> Result<u64, StoreError> {
                    let query = "SELECT count(*) FROM notification WHERE dead = ?1";
                    let count: i64 = connection.query_row(query, [dead], |row| row.get(0))?;
                    Ok(u64::try_from(count).unwrap_or(0))
                };
                Ok(DeliveryCounts { waiting: count(false)?, dead: count(true)? })
            })
            .await
    }

    async fn change(
        &self,
        statement: &'static str,
        values: impl rusqlite::Params + Send + 'static,
    ) -> Result<usize, StoreError> {
        self.0.run_aside(move |connection| Ok(connection.execute(statement, values)?)).await
    }
}

/// Enters deliveries within the caller's transaction.
pub(super) fn enter(connection: &Connection, deliveries: &[Delivery]) -> Result<(), StoreError> {
    if deliveries.is_empty() {
        return Ok(());
    }
    let waiting: i64 =
        connection.query_row("SELECT count(*) FROM notification WHERE dead = 0", [], |row| row.get(0))?;
    let full = waiting >= MAX_WAITING;
    if full {
        tracing::warn!(waiting, "too many notifications wait; new ones are given up");
    }
    let mut statement = connection.prepare_cached(
        "INSERT INTO notification (id, target, recipient, due_at_millis, attempts, error, dead, content)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO NOTHING",
    )?;
    for one in deliveries {
        let content = serde_json::to_string(&one.notice).map_err(StoreError::Row)?;
        let error = full.then_some("too many others waited").or(one.error.as_deref());
        let (due, dead) = (one.due_at_millis, full || one.dead);
        statement.execute(params![one.id, one.target, one.recipient, due, one.attempts, error, dead, content])?;
    }
    if full { trim(connection) } else { Ok(()) }
}

fn trim(connection: &Connection) -> Result<(), StoreError> {
    connection.execute(
        "DELETE FROM notification WHERE dead = 1 AND id NOT IN
         (SELECT id FROM notification WHERE dead = 1 ORDER BY due_at_millis DESC LIMIT ?1)",
        [MAX_DEAD],
    )?;
    Ok(())
}

const SELECT: &str = "SELECT id, target, recipient, due_at_millis, attempts, error, dead, content FROM notification";

type Columns = (String, String, Option<String>, i64, u32, Option<String>, bool, String);

fn columns(row: &Row<'_>) -> rusqlite::Result<Columns> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?, row.get(7)?))
}

fn delivery(
    (id, target, recipient, due_at_millis, attempts, error, dead, content): Columns,
) -> Result<Delivery, StoreError> {
    let notice = serde_json::from_str(&content).map_err(StoreError::Row)?;
    Ok(Delivery { id, target, recipient, notice, due_at_millis, attempts, error, dead })
}
