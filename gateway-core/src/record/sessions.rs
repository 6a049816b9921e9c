//! Which sessions there are: the live ones in memory, the past ones in a file beside the log.
//!
//! The file is a convenience for listing, no evidence: what counts is in the log. Called by `recorder`.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{api::types::SessionItem, model::SessionId};

use super::{Event, RecordError, SessionFacts, frame::Writer};

/// The file of past sessions, one JSON object a line.
const SESSIONS_FILE: &str = "sessions";
/// As much of its end is read for a list.
const MAX_LISTED_BYTES: u64 = 8 << 20;

/// Live and past sessions.
#[derive(Debug)]
pub(super) struct Sessions {
    path: PathBuf,
    live: Mutex<BTreeMap<SessionId, Live>>,
}

#[derive(Debug)]
struct Live {
    item: SessionItem,
    counts: Arc<Counts>,
}

/// What a session did so far.
#[derive(Debug, Default)]
pub(super) struct Counts {
    operations: AtomicU64,
    refused: AtomicU64,
    held: AtomicU64,
    masked: AtomicU64,
}

/// The counts at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) operations: u64,
    pub(super) refused: u64,
    pub(super) held: u64,
    pub(super) masked: u64,
}

impl Counts {
    pub(super) fn operation(&self) {
        self.operations.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count(&self, event: &Event<'_>) {
        match event {
            Event::Refused { .. } => {
                self.operation();
                self.refused.fetch_add(1, Ordering::Relaxed)
            }
            Event::Held { .. } => self.held.fetch_add(1, Ordering::Relaxed),
            Event::Outcome(outcome) => self.masked.fetch_add(outcome.masked.values().sum(), Ordering::Relaxed),
            Event::ApprovalDecided { .. } | Event::Result { .. } => 0,
        };
    }

    pub(super) fn seen(&self) -> Seen {
        Seen {
            operations: self.operations.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            held: self.held.load(Ordering::Relaxed),
            masked: self.masked.load(Ordering::Relaxed),
        }
    }
}

impl Seen {
    pub(super) fn of(item: &SessionItem) -> Self {
        Self { operations: item.operations, refused: item.refused, held: item.held, masked: item.masked }
    }

    pub(super) fn fields(self, to: &mut Writer) {
        to.number("operations", self.operations);
        to.number("refused", self.refused);
        to.number("held", self.held);
        to.number("masked", self.masked);
    }

    fn into_item(self, item: SessionItem) -> SessionItem {
        SessionItem { operations: self.operations, refused: self.refused, held: self.held, masked: self.masked, ..item }
    }
}

impl Sessions {
    pub(super) fn new(directory: &Path) -> Self {
        Self { path: directory.join(SESSIONS_FILE), live: Mutex::new(BTreeMap::new()) }
    }

    pub(super) fn started(&self, facts: SessionFacts, at_micros: u64) -> Arc<Counts> {
        let counts = Arc::new(Counts::default());
        let item = SessionItem {
            id: facts.id.clone(),
            principal: facts.principal,
            connection: facts.connection,
            started_at_millis: millis(at_micros),
            ended_at_millis: None,
            end_reason: None,
            operations: 0,
            refused: 0,
            held: 0,
            masked: 0,
        };
        self.lock().insert(facts.id, Live { item, counts: Arc::clone(&counts) });
        counts
    }

    pub(super) fn ended(&self, id: &SessionId, at_micros: u64, reason: &str) {
        let Some(live) = self.lock().remove(id) else { return };
        self.note(&SessionItem {
            ended_at_millis: Some(millis(at_micros)),
            end_reason: Some(reason.to_owned()),
            ..live.counts.seen().into_item(live.item)
        });
    }

    /// Adds a past session to the file.
    pub(super) fn note(&self, item: &SessionItem) {
        let written = serde_json::to_string(item).map_err(io::Error::other).and_then(|line| {
            let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)?;
            file.write_all((line + "\n").as_bytes())
        });
        if let Err(error) = written {
            tracing::warn!(%error, session = %item.id, "the session is missing from the list of past sessions");
        }
    }

    pub(super) fn list(&self, limit: usize) -> Result<Vec<SessionItem>, RecordError> {
        let mut all: BTreeMap<SessionId, SessionItem> = self
            .past()
            .map_err(|error| RecordError::file("read", &self.path, error))?
            .into_iter()
            .map(|item| (item.id.clone(), item))
            .collect();
        for (id, live) in self.lock().iter() {
            all.insert(id.clone(), live.counts.seen().into_item(live.item.clone()));
        }
        let mut newest: Vec<SessionItem> = all.into_values().collect();
        newest.sort_by(|left, right| (right.started_at_millis, &right.id).cmp(&(left.started_at_millis, &left.id)));
        newest.truncate(limit);
        Ok(newest)
    }

    fn past(&self) -> io::Result<Vec<SessionItem>> {
        let mut file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            opened => opened?,
        };
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(MAX_LISTED_BYTES)))?;
        let mut text = Vec::new();
        file.take(MAX_LISTED_BYTES).read_to_end(&mut text)?;
        // The first line may be cut, and one may be half-written: neither is a session.
        Ok(text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SessionId, Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn millis(micros: u64) -> i64 {
    i64::try_from(micros / 1000).unwrap_or(i64::MAX)
}
