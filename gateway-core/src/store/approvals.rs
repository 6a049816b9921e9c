//! Approval cases as rows: the state in a column of its own, the rest as JSON.
//!
//! Holds only what reviewers may see: requests come masked. Called by the desk's task.

use rusqlite::{OptionalExtension as _, TransactionBehavior, params};

use super::{Store, StoreError};
use crate::{
    approval::{Case, Listed, Storage, StorageError},
    model::ApprovalId,
};

impl Storage for Store {
    fn save(&self, case: &Case) -> Result<(), StorageError> {
        self.run(|connection| {
            let content = serde_json::to_string(case).map_err(StoreError::Row)?;
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let id = case.request().id.as_str();
            let before: Option<String> =
                transaction.query_row("SELECT state FROM approval WHERE id = ?1", [id], |row| row.get(0)).optional()?;
            transaction.execute(
                "INSERT INTO approval (id, state, created_at_millis, content) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (id) DO UPDATE SET state = excluded.state, content = excluded.content",
                params![id, case.state().word(), case.request().created_at_millis, content],
            )?;
            // What is to be told is in the same write: a crash loses both or neither.
            let told = self.announce.as_ref().map(|announce| announce.of_case(case, before.as_deref()));
            super::notifications::enter(&transaction, &told.unwrap_or_default())?;
            Ok(transaction.commit()?)
        })
        .map_err(|failure| failed(&failure))?;
        if let Some(announce) = &self.announce {
            announce.wake();
        }
        Ok(())
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

fn failed(failure: &StoreError) -> StorageError {
    tracing::error!(%failure, "the approval store failed");
    StorageError(failure.to_string())
}
