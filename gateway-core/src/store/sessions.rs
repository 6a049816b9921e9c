//! The index of sessions, for `hoop sessions ls`: who, where, when and how many, but nothing of what was said.
//!
//! What happened in a session is in its recording. Written by `session`, read by `api`.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use super::{Store, StoreError};
use crate::model::{ConnectionFacts, Principal, PrincipalKind, RunId, SessionId};

/// What a session counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionCounts {
    /// Operations asked.
    pub operations: u64,
    /// Of these, refused.
    pub refused: u64,
    /// Of these, held.
    pub held: u64,
    /// Cells masked.
    pub masked: u64,
}

/// One session as the index knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionEntry {
    /// Its id.
    pub id: SessionId,
    /// Whose.
    pub principal: Principal,
    /// On which connection, as it was then.
    pub connection: ConnectionFacts,
    /// When it began, milliseconds since 1970.
    pub started_at_millis: i64,
    /// When it ended; `None` while live.
    pub ended_at_millis: Option<i64>,
    /// Why it ended.
    pub end_reason: Option<String>,
    /// The run that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// What it counted so far.
    pub counts: SessionCounts,
}

/// Which sessions to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionFilter {
    /// Everybody's.
    All,
    /// Those of one principal.
    Of(Principal),
}

/// When sessions must have been open to be listed, milliseconds since 1970; both ends count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// Not over before then.
    pub since_millis: Option<i64>,
    /// Begun by then.
    pub until_millis: Option<i64>,
}

/// The index; cheap to clone.
#[derive(Debug, Clone)]
pub struct SessionIndex {
    store: Store,
    /// A connection of its own, so that nobody's long list holds up a session that begins.
    reader: Store,
    changes: broadcast::Sender<Arc<SessionEntry>>,
}

/// How many changes wait for one who follows them; who is slower is told so, and lists again.
const CHANGES_KEPT: usize = 256;

impl SessionIndex {
    /// Opens the index and ends what an earlier gateway left live. Its rows are written without a sync of their own:
    /// the recording holds the same, durably.
    pub async fn open(store: Store, now_millis: i64) -> Result<Self, StoreError> {
        store.run_aside(move |connection| end_abandoned(connection, now_millis)).await?;
        let (changes, _nobody_yet) = broadcast::channel(CHANGES_KEPT);
        Ok(Self { reader: store.unhurried()?, store: store.unhurried()?, changes })
    }

    /// Every session that begins or ends from now on, after it was written.
    pub fn changes(&self) -> broadcast::Receiver<Arc<SessionEntry>> {
        self.changes.subscribe()
    }

    fn announce(&self, entry: SessionEntry) {
        if self.changes.receiver_count() > 0 {
            // Whoever listened may have gone this moment.
            self.changes.send(Arc::new(entry)).ok();
        }
    }

    /// Enters a session that begins.
    pub async fn started(&self, entry: SessionEntry) -> Result<(), StoreError> {
        let entry = self.store.run_aside(move |connection| write(connection, &entry).map(|()| entry)).await?;
        self.announce(entry);
        Ok(())
    }

    /// Updates the counts of a live session; an unknown one is left alone.
    pub async fn updated(&self, id: &SessionId, counts: SessionCounts) -> Result<(), StoreError> {
        self.change(id, move |entry| entry.counts = counts).await
    }

    /// Ends a session with its final counts; an unknown or ended one is left alone.
    pub async fn ended(
        &self,
        id: &SessionId,
        at_millis: i64,
        reason: String,
        counts: SessionCounts,
    ) -> Result<(), StoreError> {
        self.change(id, move |entry| {
            entry.counts = counts;
            entry.ended_at_millis = Some(at_millis);
            entry.end_reason = Some(reason);
        })
        .await
    }

    /// Lists sessions, newest first, at most `limit`.
    pub async fn list(&self, filter: SessionFilter, limit: usize) -> Result<Vec<SessionEntry>, StoreError> {
        self.list_within(filter, Span::default(), limit).await
    }

    /// Lists sessions that were open within a span, newest first, at most `limit`.
    pub async fn list_within(
        &self,
        filter: SessionFilter,
        span: Span,
        limit: usize,
    ) -> Result<Vec<SessionEntry>, StoreError> {
        self.reader.run_aside(move |connection| list(connection, &filter, span, limit)).await
    }

    /// The sessions of one run, oldest first, at most `limit`.
    pub async fn of_run(&self, run: &RunId, limit: usize) -> Result<Vec<SessionEntry>, StoreError> {
        let run = run.clone();
        self.reader.run_aside(move |connection| of_run(connection, &run, limit)).await
    }

    /// Finds one session.
    pub async fn find(&self, id: &SessionId) -> Result<Option<SessionEntry>, StoreError> {
        let id = id.clone();
        self.store.run_aside(move |connection| find(connection, &id)).await
    }

    async fn change(
        &self,
        id: &SessionId,
        change: impl FnOnce(&mut SessionEntry) + Send + 'static,
    ) -> Result<(), StoreError> {
        let id = id.clone();
        let work = move |connection: &mut Connection| {
            let found = find(connection, &id)?.filter(|entry| entry.ended_at_millis.is_none());
            let Some(mut entry) = found else { return Ok(None) };
            change(&mut entry);
            write(connection, &entry)?;
            Ok(Some(entry))
        };
        if let Some(entry) = self.store.run_aside(work).await? {
            self.announce(entry);
        }
        Ok(())
    }
}

fn kind(principal: &Principal) -> &'static str {
    match principal.kind {
        PrincipalKind::User => "user",
        PrincipalKind::Agent => "agent",
    }
}

fn write(connection: &Connection, entry: &SessionEntry) -> Result<(), StoreError> {
    let content = serde_json::to_string(entry).map_err(StoreError::Row)?;
    connection.execute(
        "INSERT INTO session (id, principal_kind, principal_name, started_at_millis, ended_at_millis, content, run)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (id) DO UPDATE SET ended_at_millis = excluded.ended_at_millis, content = excluded.content",
        params![
            entry.id.as_str(),
            kind(&entry.principal),
            entry.principal.name.as_str(),
            entry.started_at_millis,
            entry.ended_at_millis,
            content,
            entry.run.as_ref().map(RunId::as_str)
        ],
    )?;
    Ok(())
}

fn find(connection: &Connection, id: &SessionId) -> Result<Option<SessionEntry>, StoreError> {
    let content: Option<String> = connection
        .query_row("SELECT content FROM session WHERE id = ?1", [id.as_str()], |row| row.get(0))
        .optional()?;
    content.map(|content| serde_json::from_str(&content).map_err(StoreError::Row)).transpose()
}

fn list(
    connection: &Connection,
    filter: &SessionFilter,
    span: Span,
    limit: usize,
) -> Result<Vec<SessionEntry>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let (since, until) = (span.since_millis.unwrap_or(i64::MIN), span.until_millis.unwrap_or(i64::MAX));
    let contents: Vec<String> = match filter {
        SessionFilter::All => connection
            .prepare_cached(
                "SELECT content FROM session
                 WHERE started_at_millis <= ?1 AND ifnull(ended_at_millis, ?2) >= ?2
                 ORDER BY started_at_millis DESC LIMIT ?3",
            )?
            .query_map([until, since, limit], |row| row.get(0))?
            .collect::<Result<_, _>>()?,
        SessionFilter::Of(principal) => connection
            .prepare_cached(
                "SELECT content FROM session WHERE principal_kind = ?1 AND principal_name = ?2
                 AND started_at_millis <= ?3 AND ifnull(ended_at_millis, ?4) >= ?4
                 ORDER BY started_at_millis DESC LIMIT ?5",
            )?
            .query_map(params![kind(principal), principal.name.as_str(), until, since, limit], |row| row.get(0))?
            .collect::<Result<_, _>>()?,
    };
    contents.iter().map(|content| serde_json::from_str(content).map_err(StoreError::Row)).collect()
}

fn of_run(connection: &Connection, run: &RunId, limit: usize) -> Result<Vec<SessionEntry>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let contents: Vec<String> = connection
        .prepare_cached("SELECT content FROM session WHERE run = ?1 ORDER BY started_at_millis, id LIMIT ?2")?
        .query_map(params![run.as_str(), limit], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    contents.iter().map(|content| serde_json::from_str(content).map_err(StoreError::Row)).collect()
}

fn end_abandoned(connection: &mut Connection, now_millis: i64) -> Result<(), StoreError> {
    let transaction = connection.transaction()?;
    let live: Vec<String> = transaction
        .prepare("SELECT content FROM session WHERE ended_at_millis IS NULL")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for content in live {
        let mut entry: SessionEntry = serde_json::from_str(&content).map_err(StoreError::Row)?;
        entry.ended_at_millis = Some(now_millis);
        entry.end_reason = Some("the gateway ended".to_owned());
        write(&transaction, &entry)?;
    }
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::model::{ConnectionKind, ConnectionName, PrincipalName};

    fn entry(number: u64, name: &str) -> SessionEntry {
        SessionEntry {
            id: SessionId::new(number, [0; 10]),
            principal: Principal {
                kind: PrincipalKind::User,
                name: PrincipalName::new(name).unwrap(),
                groups: BTreeSet::new(),
                claims: BTreeMap::new(),
                owner: None,
                lent_by: None,
            },
            connection: ConnectionFacts {
                name: ConnectionName::new("pg-prod").unwrap(),
                kind: ConnectionKind::Postgres,
                labels: BTreeMap::new(),
                database: "shop".into(),
            },
            started_at_millis: i64::try_from(number).unwrap(),
            ended_at_millis: None,
            end_reason: None,
            run: None,
            counts: SessionCounts::default(),
        }
    }

    #[tokio::test]
    async fn lists_newest_first_and_only_ones_own_when_asked() {
        let index = SessionIndex::open(Store::in_memory().unwrap(), 0).await.unwrap();
        for one in [entry(1, "alice"), entry(2, "bob"), entry(3, "alice")] {
            index.started(one).await.unwrap();
        }
        let all = index.list(SessionFilter::All, 2).await.unwrap();
        assert_eq!(all, [entry(3, "alice"), entry(2, "bob")]);
        let own = index.list(SessionFilter::Of(entry(1, "alice").principal), 9).await.unwrap();
        assert_eq!(own, [entry(3, "alice"), entry(1, "alice")]);
    }

    #[tokio::test]
    async fn a_span_takes_what_was_open_in_it() {
        let index = SessionIndex::open(Store::in_memory().unwrap(), 0).await.unwrap();
        for one in [entry(10, "alice"), entry(20, "alice"), entry(30, "bob")] {
            index.started(one).await.unwrap();
        }
        index.ended(&entry(10, "alice").id, 15, "left".into(), SessionCounts::default()).await.unwrap();
        let within = async |filter, since_millis, until_millis| -> Vec<i64> {
            let span = Span { since_millis, until_millis };
            let listed = index.list_within(filter, span, 9).await.unwrap();
            listed.iter().map(|one| one.started_at_millis).collect()
        };
        assert_eq!(within(SessionFilter::All, Some(16), None).await, [30, 20]);
        assert_eq!(within(SessionFilter::All, Some(15), Some(29)).await, [20, 10]);
        assert_eq!(within(SessionFilter::Of(entry(1, "alice").principal), None, Some(19)).await, [10]);
        assert_eq!(within(SessionFilter::Of(entry(1, "alice").principal), Some(40), None).await, [20]);
    }

    #[tokio::test]
    async fn the_sessions_of_a_run_are_found_in_their_order() {
        let index = SessionIndex::open(Store::in_memory().unwrap(), 0).await.unwrap();
        let run = RunId::new(1, [1; 10]);
        let of = |number, run: &RunId| SessionEntry { run: Some(run.clone()), ..entry(number, "alice") };
        for one in [of(3, &run), of(1, &run), entry(2, "alice"), of(4, &RunId::new(2, [1; 10]))] {
            index.started(one).await.unwrap();
        }
        let found = index.of_run(&run, 9).await.unwrap();
        assert_eq!(found, [of(1, &run), of(3, &run)]);
        assert_eq!(index.of_run(&run, 1).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn an_ended_session_keeps_its_end_and_counts() {
        let index = SessionIndex::open(Store::in_memory().unwrap(), 0).await.unwrap();
        let one = entry(1, "alice");
        index.started(one.clone()).await.unwrap();
        let counts = SessionCounts { operations: 5, refused: 1, held: 1, masked: 7 };
        index.ended(&one.id, 50, "client left".into(), counts).await.unwrap();
        index.updated(&one.id, SessionCounts::default()).await.unwrap();
        let found = index.find(&one.id).await.unwrap().unwrap();
        assert_eq!((found.counts, found.ended_at_millis), (counts, Some(50)));
    }

    #[tokio::test]
    async fn sessions_that_a_dead_gateway_left_live_are_ended() {
        let store = Store::in_memory().unwrap();
        let before = SessionIndex::open(store.clone(), 0).await.unwrap();
        before.started(entry(1, "alice")).await.unwrap();
        let after = SessionIndex::open(store, 77).await.unwrap();
        let found = after.find(&entry(1, "alice").id).await.unwrap().unwrap();
        assert_eq!(found.ended_at_millis, Some(77));
    }
}
