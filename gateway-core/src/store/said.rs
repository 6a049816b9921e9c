//! What was said in each session, to be searched: texts as the recording shows them to everybody, sealed parts as
//! placeholders, so that a search is no way to guess what is sealed.
//!
//! An index and not the record: bounded for each session, written without a sync of its own, and made again from the
//! log where it is lost. Filled from `record::follow` by `api`; knows no policy.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Store, StoreError};
use crate::record::{LogPlace, RecordError, Saying, follow};

/// No more is kept of one session.
const MAX_SAID_BYTES: usize = 256 << 10;
/// No more is kept of one text.
const MAX_TEXT_BYTES: usize = 32 << 10;
/// So much of the log is read before what it says is written.
const STRIDE_BYTES: u64 = 8 << 20;

/// What was said in a session, [`folded`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// One text after another.
    pub text: String,
    /// Whether all of it is here.
    pub is_whole: bool,
}

/// The index; cheap to clone.
#[derive(Debug, Clone)]
pub struct SaidIndex {
    store: Store,
    reader: Store,
}

/// Why the index could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum SaidError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log could not be read.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl SaidIndex {
    /// Opens the index in this store.
    pub fn open(store: &Store) -> Result<Self, StoreError> {
        Ok(Self { store: store.unhurried()?, reader: store.unhurried()? })
    }

    /// Reads the log on from where it was read last, to its end or until `most_bytes` were read. Blocks.
    pub fn read_on(&self, log: &Path, most_bytes: u64) -> Result<(), SaidError> {
        let mut left = most_bytes;
        while left > 0 {
            let from = self.store.run(|connection| until(connection))?;
            let (said, place) = stride(log, from, left.min(STRIDE_BYTES))?;
            if place == from {
                break;
            }
            let read =
                if place.segment == from.segment { place.offset.saturating_sub(from.offset) } else { place.offset };
            left = left.saturating_sub(read.max(1));
            self.store.run(|connection| add(connection, &said, place))?;
        }
        Ok(())
    }

    /// What was said in a session; `None` where nothing was. Blocks.
    pub fn of(&self, session: &str) -> Result<Option<Said>, StoreError> {
        self.reader.run(|connection| said(connection, session))
    }
}

/// One piece of the log. After a power failure the log may be shorter than it was read; then its last segment is read
/// again, which adds nothing twice.
fn stride(log: &Path, from: LogPlace, most: u64) -> Result<(Vec<Saying>, LogPlace), RecordError> {
    match follow(log, from, most) {
        Err(RecordError::Tampered { .. }) if from.offset > 0 => {
            follow(log, LogPlace { segment: from.segment, offset: 0 }, most)
        }
        outcome => outcome,
    }
}

/// A text as it is compared: in lower case, every space one blank.
pub fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.extend(word.chars().flat_map(char::to_lowercase));
    }
    folded
}

fn until(connection: &Connection) -> Result<LogPlace, StoreError> {
    let found = connection
        .query_row("SELECT segment, place FROM said_until", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })
        .optional()?;
    let number = |stored: i64| u64::try_from(stored).unwrap_or(0);
    Ok(found.map(|(segment, offset)| LogPlace { segment: number(segment), offset: number(offset) }).unwrap_or_default())
}

fn said(connection: &Connection, session: &str) -> Result<Option<Said>, StoreError> {
    let found = connection
        .prepare_cached("SELECT text, is_whole FROM said WHERE session = ?1")?
        .query_row([session], |row| Ok(Said { text: row.get(0)?, is_whole: row.get(1)? }))
        .optional()?;
    Ok(found)
}

fn add(connection: &mut Connection, sayings: &[Saying], until: LogPlace) -> Result<(), StoreError> {
    let transaction = connection.transaction()?;
    let mut by_session: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for saying in sayings {
        by_session.entry(&saying.session).or_default().push(&saying.text);
    }
    for (session, texts) in by_session {
        let mut kept = said(&transaction, session)?.unwrap_or(Said { text: String::new(), is_whole: true });
        kept.add(&texts);
        transaction.execute(
            "INSERT INTO said (session, text, is_whole) VALUES (?1, ?2, ?3)
             ON CONFLICT (session) DO UPDATE SET text = excluded.text, is_whole = excluded.is_whole",
            params![session, kept.text, kept.is_whole],
        )?;
    }
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    transaction.execute(
        "INSERT INTO said_until (one, segment, place) VALUES (1, ?1, ?2)
         ON CONFLICT (one) DO UPDATE SET segment = excluded.segment, place = excluded.place",
        params![number(until.segment), number(until.offset)],
    )?;
    transaction.commit()?;
    Ok(())
}

impl Said {
    /// Adds texts, each once.
    fn add(&mut self, texts: &[&str]) {
        let mut known: BTreeSet<String> = self.text.lines().map(str::to_owned).collect();
        for text in texts {
            let cut = text.get(..text.floor_char_boundary(MAX_TEXT_BYTES)).unwrap_or_default();
            let one = folded(cut);
            self.is_whole &= cut.len() == text.len();
            if one.is_empty() || known.contains(&one) {
                continue;
            }
            if self.text.len() + one.len() > MAX_SAID_BYTES {
                self.is_whole = false;
                continue;
            }
            self.text.push_str(&one);
            self.text.push('\n');
            known.insert(one);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        approval::testing::person,
        model::{ConnectionName, Refusal, RefusalKind, SealSpan, SessionId},
        policy::Source,
        record::{Durability, Event, RecordKeys, Recorder, SealedText, SessionFacts, SessionRecorder, SystemClock},
    };

    fn start(recorder: &Recorder, id: &SessionId) -> SessionRecorder {
        let facts = SessionFacts {
            id: id.clone(),
            principal: person("alice", &[]),
            connection: ConnectionName::new("pg-prod").unwrap(),
            kind: crate::model::ConnectionKind::Postgres,
            database: "shop".into(),
            role: "hoop".into(),
            source: Source::Tunnel,
            client_address: None,
            application_name: None,
            run: None,
            through: None,
        };
        recorder.session(facts).unwrap()
    }

    fn refuse(session: &mut SessionRecorder, text: &SealedText<'_>) {
        let number = session.number();
        let refusal = Refusal { kind: RefusalKind::Policy, rule: None, message: "no".into(), hint: None };
        session.append(&Event::Refused { number, operations: &[], text, refusal: &refusal }).unwrap();
    }

    #[test]
    fn reads_the_log_on_and_holds_only_what_the_recording_shows() {
        let folder = tempfile::tempdir().unwrap();
        let keys = RecordKeys::load_or_create(&folder.path().join("keys")).unwrap();
        let log = folder.path().join("recordings");
        let (recorder, _) = Recorder::open(&log, keys, Durability::Strict, Arc::new(SystemClock)).unwrap();
        let index = SaidIndex::open(&Store::in_memory().unwrap()).unwrap();
        let (one, other) = (SessionId::new(1, [1; 10]), SessionId::new(2, [2; 10]));
        let (mut first, mut second) = (start(&recorder, &one), start(&recorder, &other));
        let text = "SELECT *\n  FROM c WHERE email = 'ada@example.com'";
        let place = text.find("ada").unwrap();
        let span = SealSpan { range: place..place + 15, class: Arc::from("email") };
        refuse(&mut first, &SealedText::new(text, &[span], &[], recorder.sealer()));
        recorder.flush().unwrap();
        index.read_on(&log, u64::MAX).unwrap();
        let said = index.of(one.as_str()).unwrap().unwrap();
        assert_eq!(said.text, "select * from c where email = '⟦email 15 bytes #1⟧'\n");
        assert!(said.is_whole && index.of(other.as_str()).unwrap().is_none());
        refuse(&mut second, &SealedText::plain("drop table t"));
        refuse(&mut second, &SealedText::plain("DROP  TABLE t"));
        recorder.flush().unwrap();
        index.read_on(&log, u64::MAX).unwrap();
        assert_eq!(index.of(other.as_str()).unwrap().unwrap().text, "drop table t\n");
        // A log that is shorter than it was, and grew again.
        index.store.run(|connection| Ok(connection.execute("UPDATE said_until SET place = place - 1", [])?)).unwrap();
        index.read_on(&log, u64::MAX).unwrap();
        assert_eq!(index.of(other.as_str()).unwrap().unwrap().text, "drop table t\n");
    }

    #[test]
    fn is_bounded_and_says_where_something_is_missing() {
        let mut said = Said { text: String::new(), is_whole: true };
        for number in 0..1_000 {
            said.add(&[&format!("select {number} -- {}", "x".repeat(1_000))]);
        }
        assert!(!said.is_whole && said.text.len() <= MAX_SAID_BYTES);
        let mut long = Said { text: String::new(), is_whole: true };
        long.add(&[&"y".repeat(MAX_TEXT_BYTES + 1)]);
        assert!(!long.is_whole && long.text.len() == MAX_TEXT_BYTES + 1);
    }
}
