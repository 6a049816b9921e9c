//! Approval cases as rows: the state in a column of its own, the rest as JSON.
//!
//! Holds only what reviewers may see: requests come masked. Called by the desk's task.

use rusqlite::{OptionalExtension as _, TransactionBehavior, params};

use super::{Store, StoreError};
use crate::{
    approval::{Case, Lease, Listed, Storage, StorageError},
    model::{ApprovalId, ConnectionName, ShapeId},
};

impl Storage for Store {
    fn save(&self, case: &Case) -> Result<(), StorageError> {
        self.write(case, None).map_err(|failure| failed(&failure))
    }

    fn save_opening(&self, case: &Case, lease: &Lease) -> Result<(), StorageError> {
        self.write(case, Some(lease)).map_err(|failure| failed(&failure))
    }

    fn leases(&self, now_millis: i64) -> Result<Vec<Lease>, StorageError> {
        self.run(|connection| {
            let mut statement = connection.prepare("SELECT content FROM lease WHERE ends_at_millis > ?1")?;
            let rows = statement.query_map([now_millis], |row| row.get::<_, String>(0))?;
            rows.map(|content| serde_json::from_str(&content?).map_err(StoreError::Row)).collect()
        })
        .map_err(|failure| failed(&failure))
    }

    fn end_leases(&self, on: &ConnectionName) -> Result<(), StorageError> {
        self.run(|connection| {
            connection.execute("DELETE FROM lease WHERE json_extract(content, '$.connection') = ?1", [on.as_str()])?;
            Ok(())
        })
        .map_err(|failure| failed(&failure))
    }

    fn of_shape(&self, shape: &ShapeId, on: &ConnectionName, limit: usize) -> Result<Vec<Case>, StorageError> {
        self.run(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT content FROM approval WHERE shape = ?1 AND connection = ?2
                 ORDER BY created_at_millis DESC LIMIT ?3",
            )?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows =
                statement.query_map(params![shape.as_str(), on.as_str(), limit], |row| row.get::<_, String>(0))?;
            rows.map(|content| serde_json::from_str(&content?).map_err(StoreError::Row)).collect()
        })
        .map_err(|failure| failed(&failure))
    }

    fn load(&self, id: &ApprovalId) -> Result<Option<Case>, StorageError> {
        self.run(|connection| {
            let content: Option<String> = connection
                .query_row("SELECT content FROM approval WHERE id = ?1", [id.as_str()], |row| row.get(0))
                .optional()?;
            content.map(|content| serde_json::from_str(&content).map_err(StoreError::Row)).transpose()
        })
        .map_err(|failure| failed(&failure))
    }

    fn list(&self, listed: Listed, limit: usize) -> Result<Vec<Case>, StorageError> {
        let condition = match listed {
            Listed::Pending => "state = 'pending'",
            Listed::All => "TRUE",
        };
        let query = format!("SELECT content FROM approval WHERE {condition} ORDER BY created_at_millis DESC LIMIT ?1");
        self.run(|connection| {
            let mut statement = connection.prepare_cached(&query)?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = statement.query_map([limit], |row| row.get::<_, String>(0))?;
            rows.map(|content| serde_json::from_str(&content?).map_err(StoreError::Row)).collect()
        })
        .map_err(|failure| failed(&failure))
    }

    fn withdraw_pending(&self) -> Result<usize, StorageError> {
        let pending = self.list(Listed::Pending, usize::MAX)?;
        let mut withdrawn = 0;
        for mut case in pending {
            withdrawn += usize::from(case.withdraw());
            self.save(&case)?;
        }
        Ok(withdrawn)
    }
}

impl Store {
    /// Writes a case, with what it opens and what is to be told: a crash loses all of it or nothing.
    fn write(&self, case: &Case, opened: Option<&Lease>) -> Result<(), StoreError> {
        self.run(|connection| {
            let content = serde_json::to_string(case).map_err(StoreError::Row)?;
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let request = case.request();
            let id = request.id.as_str();
            let before: Option<String> =
                transaction.query_row("SELECT state FROM approval WHERE id = ?1", [id], |row| row.get(0)).optional()?;
            let (shape, place) = (request.shape.as_ref().map(ShapeId::as_str), request.connection.name.as_str());
            transaction.execute(
                "INSERT INTO approval (id, state, created_at_millis, content, shape, connection)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (id) DO UPDATE SET state = excluded.state, content = excluded.content",
                params![id, case.state().word(), request.created_at_millis, content, shape, place],
            )?;
            if let Some(lease) = opened {
                let content = serde_json::to_string(lease).map_err(StoreError::Row)?;
                transaction.execute(
                    "INSERT INTO lease (approval, ends_at_millis, content) VALUES (?1, ?2, ?3)",
                    params![lease.approval.as_str(), lease.ends_at_millis, content],
                )?;
            }
            let told = self.announce.as_ref().map(|announce| announce.of_case(case, before.as_deref()));
            super::notifications::enter(&transaction, &told.unwrap_or_default())?;
            Ok(transaction.commit()?)
        })?;
        if let Some(announce) = &self.announce {
            announce.wake();
        }
        Ok(())
    }
}

fn failed(failure: &StoreError) -> StorageError {
    tracing::error!(%failure, "the approval store failed");
    StorageError(failure.to_string())
}
