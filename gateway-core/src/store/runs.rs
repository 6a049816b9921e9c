//! The runs that were and are: who, with what, when, and what they used up. What happened in them is in their sessions.
//!
//! Written and read by `api`. The record holds the same, durably.

use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::{Store, StoreError};
use crate::model::{ConnectionFacts, Principal, RunId, Usage};

/// One run as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEntry {
    /// Its id.
    pub id: RunId,
    /// For whom it stands; an agent may have a person's presence.
    pub principal: Principal,
    /// Where it may go, as the connections were then.
    pub connections: Vec<ConnectionFacts>,
    /// Labels of it.
    pub labels: BTreeMap<String, String>,
    /// The program, without its arguments.
    pub command: Option<String>,
    /// Whether it runs in the jail.
    pub jailed: bool,
    /// When it began, milliseconds since 1970.
    pub started_at_millis: i64,
    /// When it ended; `None` while it is under way.
    pub ended_at_millis: Option<i64>,
    /// Why it ended.
    pub end_reason: Option<String>,
    /// The status that its program exited with.
    pub status: Option<i32>,
    /// The signal that ended its program.
    pub signal: Option<i32>,
    /// What it used up, as far as it was known when it ended.
    pub usage: Usage,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEnd {
    /// When, milliseconds since 1970.
    pub at_millis: i64,
    /// Why.
    pub why: String,
    /// The status that its program exited with.
    pub status: Option<i32>,
    /// The signal that ended its program.
    pub signal: Option<i32>,
    /// What it used up.
    pub usage: Usage,
}

/// The index of runs; cheap to clone.
#[derive(Debug, Clone)]
pub struct RunIndex(Store);

impl RunIndex {
    /// Opens the index, and ends what an earlier gateway left under way: its tokens and budgets are gone.
    pub async fn open(store: &Store, now_millis: i64) -> Result<Self, StoreError> {
        let store = store.unhurried()?;
        store.run_aside(move |connection| end_abandoned(connection, now_millis)).await?;
        Ok(Self(store))
    }

    /// Enters a run that begins.
    pub async fn started(&self, entry: RunEntry) -> Result<(), StoreError> {
        self.0.run_aside(move |connection| write(connection, &entry)).await
    }

    /// Ends a run; an unknown or ended one is left alone.
    pub async fn ended(&self, id: &RunId, end: RunEnd) -> Result<(), StoreError> {
        let id = id.clone();
        let work = move |connection: &mut Connection| {
            let found = find(connection, &id)?.filter(|entry| entry.ended_at_millis.is_none());
            let Some(entry) = found else { return Ok(()) };
            let RunEnd { at_millis, why, status, signal, usage } = end;
            let ended = (Some(at_millis), Some(why));
            write(
                connection,
                &RunEntry { ended_at_millis: ended.0, end_reason: ended.1, status, signal, usage, ..entry },
            )
        };
        self.0.run_aside(work).await
    }

    /// Lists runs, newest first, at most `limit`, from those that began before `before_millis`.
    pub async fn list(&self, before_millis: Option<i64>, limit: usize) -> Result<Vec<RunEntry>, StoreError> {
        self.0.run_aside(move |connection| list(connection, before_millis, limit)).await
    }

    /// Finds one run.
    pub async fn find(&self, id: &RunId) -> Result<Option<RunEntry>, StoreError> {
        let id = id.clone();
        self.0.run_aside(move |connection| find(connection, &id)).await
    }
}

fn write(connection: &Connection, entry: &RunEntry) -> Result<(), StoreError> {
    let content = serde_json::to_string(entry).map_err(StoreError::Row)?;
    connection.execute(
        "INSERT INTO run (id, started_at_millis, ended_at_millis, content) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (id) DO UPDATE SET ended_at_millis = excluded.ended_at_millis, content = excluded.content",
        params![entry.id.as_str(), entry.started_at_millis, entry.ended_at_millis, content],
    )?;
    Ok(())
}

fn find(connection: &Connection, id: &RunId) -> Result<Option<RunEntry>, StoreError> {
    let content: Option<String> =
        connection.query_row("SELECT content FROM run WHERE id = ?1", [id.as_str()], |row| row.get(0)).optional()?;
    content.map(|content| serde_json::from_str(&content).map_err(StoreError::Row)).transpose()
}

fn list(connection: &Connection, before_millis: Option<i64>, limit: usize) -> Result<Vec<RunEntry>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let contents: Vec<String> = connection
        .prepare_cached(
            "SELECT content FROM run WHERE started_at_millis < ?1 ORDER BY started_at_millis DESC, id DESC LIMIT ?2",
        )?
        .query_map(params![before_millis.unwrap_or(i64::MAX), limit], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    contents.iter().map(|content| serde_json::from_str(content).map_err(StoreError::Row)).collect()
}

fn end_abandoned(connection: &mut Connection, now_millis: i64) -> Result<(), StoreError> {
    let transaction = connection.transaction()?;
    let live: Vec<String> = transaction
        .prepare("SELECT content FROM run WHERE ended_at_millis IS NULL")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for content in live {
        let mut entry: RunEntry = serde_json::from_str(&content).map_err(StoreError::Row)?;
        entry.ended_at_millis = Some(now_millis);
        entry.end_reason = Some("the gateway ended".to_owned());
        write(&transaction, &entry)?;
    }
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::testing::{connection, person};

    fn entry(number: u64) -> RunEntry {
        RunEntry {
            id: RunId::new(number, [1; 10]),
            principal: person("alice", &[]),
            connections: vec![connection()],
            labels: BTreeMap::from([("team".to_owned(), "x".to_owned())]),
            command: Some("python".to_owned()),
            jailed: true,
            started_at_millis: i64::try_from(number).unwrap(),
            ended_at_millis: None,
            end_reason: None,
            status: None,
            signal: None,
            usage: Usage::default(),
        }
    }

    #[tokio::test]
    async fn runs_are_listed_newest_first_and_end_once() {
        let index = RunIndex::open(&Store::in_memory().unwrap(), 0).await.unwrap();
        for number in [1, 3, 2] {
            index.started(entry(number)).await.unwrap();
        }
        let listed: Vec<i64> =
            index.list(None, 2).await.unwrap().into_iter().map(|entry| entry.started_at_millis).collect();
        assert_eq!(listed, [3, 2]);
        assert_eq!(index.list(Some(3), 9).await.unwrap().len(), 2);
        let usage = Usage { rows_read: 7, ..Usage::default() };
        let end = |why: &str| RunEnd { at_millis: 9, why: why.into(), status: Some(3), signal: None, usage };
        index.ended(&entry(1).id, end("done")).await.unwrap();
        index.ended(&entry(1).id, end("again")).await.unwrap();
        let found = index.find(&entry(1).id).await.unwrap().unwrap();
        assert_eq!((found.end_reason.as_deref(), found.status, found.usage), (Some("done"), Some(3), usage));
    }

    #[tokio::test]
    async fn runs_that_a_dead_gateway_left_under_way_are_ended() {
        let store = Store::in_memory().unwrap();
        RunIndex::open(&store, 0).await.unwrap().started(entry(1)).await.unwrap();
        let after = RunIndex::open(&store, 77).await.unwrap();
        assert_eq!(after.find(&entry(1).id).await.unwrap().unwrap().ended_at_millis, Some(77));
    }
}
