//! What the API needs of the recorder: to note what the API does, and to read a session back.
//!
//! A trait, so that the API's tests can make it fail; [`RecordingsOnDisk`] is the one that the gateway uses.

use std::{future::Future, pin::Pin, sync::Arc};

use axum::body::Bytes;
use tokio::sync::watch;

use super::types::{RecordedEvent, SessionDetail};
use crate::{
    model::SessionId,
    record::{
        GatewayEvent, PublicKey, RecordError, Recorder, Sealer,
        read::{self, SessionRecords},
    },
    store::{Said, SaidIndex},
};

/// Why a recording cannot be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordingsError {
    /// There is none of that session.
    #[error("there is no recording of this session")]
    NotFound,
    /// The recorder or its files failed.
    #[error("{0}")]
    Failed(String),
}

/// Whether sealed parts of a data class are shown.
pub type MayReveal = dyn Fn(&str) -> bool + Send + Sync;

/// Takes one line; `false` once nobody reads on.
pub type LineSink<'reader> = dyn FnMut(Bytes) -> bool + 'reader;

/// Recordings, and the record of the gateway itself.
pub trait Recordings: Send + Sync + 'static {
    /// Records a fact about the gateway; durable when it returns.
    fn note(&self, event: GatewayEvent) -> Pin<Box<dyn Future<Output = Result<(), RecordingsError>> + Send + '_>>;
    /// Sums a session up. Blocks.
    fn detail(&self, id: &SessionId) -> Result<SessionDetail, RecordingsError>;
    /// Gives a session's events in order, each as one line of JSON with its line feed. Blocks.
    fn lines(&self, id: &SessionId, may_reveal: &MayReveal, to: &mut LineSink<'_>) -> Result<(), RecordingsError>;
    /// Brings what can be searched up to date. Blocks.
    fn gather(&self) -> Result<(), RecordingsError>;
    /// What was said in a session, as its recording shows it to everybody. Blocks.
    fn said(&self, id: &SessionId) -> Result<Option<Said>, RecordingsError>;
    /// Follows a session's events from its first on, as they come. Blocks.
    fn follow(&self, id: &SessionId) -> Result<Box<dyn Follow>, RecordingsError>;
    /// Changes whenever something is recorded, in whichever session.
    fn news(&self) -> watch::Receiver<u64>;
    /// The public key that recordings verify with, as PEM.
    fn audit_key(&self) -> String;
    /// Whether the recorder can record.
    fn works(&self) -> bool;
}

/// A session's events as they are recorded.
pub trait Follow: Send + 'static {
    /// The next one that is there already. Blocks for the disk, never for what has not happened yet.
    fn next(&mut self, may_reveal: &MayReveal) -> Result<Option<RecordedEvent>, RecordingsError>;
    /// Whether nothing more can come.
    fn is_over(&self) -> bool;
}

/// The recordings of this gateway's recorder.
#[derive(Debug, Clone)]
pub struct RecordingsOnDisk {
    recorder: Recorder,
    audit_key: PublicKey,
    said: SaidIndex,
}

/// No more of the log is read before one search is answered; what is left is read in the background.
const MOST_GATHERED_BYTES: u64 = 64 << 20;

impl RecordingsOnDisk {
    /// Reads and writes through this recorder, whose records verify with this key; searches in this index.
    pub fn new(recorder: Recorder, audit_key: PublicKey, said: SaidIndex) -> Self {
        Self { recorder, audit_key, said }
    }

    /// The recorder.
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }
}

impl Recordings for RecordingsOnDisk {
    fn note(&self, event: GatewayEvent) -> Pin<Box<dyn Future<Output = Result<(), RecordingsError>> + Send + '_>> {
        Box::pin(async move {
            let position = self.recorder.gateway(&event)?;
            Ok(self.recorder.durable(position).await?)
        })
    }

    fn detail(&self, id: &SessionId) -> Result<SessionDetail, RecordingsError> {
        self.recorder.flush()?;
        Ok(read::session_detail(self.recorder.directory(), id)?)
    }

    fn lines(&self, id: &SessionId, may_reveal: &MayReveal, to: &mut LineSink<'_>) -> Result<(), RecordingsError> {
        self.recorder.flush()?;
        for record in read::read_session(self.recorder.directory(), id)? {
            let mut record = record?;
            read::reveal(&mut record, self.recorder.sealer(), may_reveal);
            let mut line = serde_json::to_vec(&RecordedEvent::from(record))
                .map_err(|failure| RecordingsError::Failed(failure.to_string()))?;
            line.push(b'\n');
            if !to(Bytes::from(line)) {
                break;
            }
        }
        Ok(())
    }

    fn gather(&self) -> Result<(), RecordingsError> {
        self.recorder.flush()?;
        let read = self.said.read_on(self.recorder.directory(), MOST_GATHERED_BYTES);
        read.map_err(|failure| RecordingsError::Failed(failure.to_string()))
    }

    fn said(&self, id: &SessionId) -> Result<Option<Said>, RecordingsError> {
        self.said.of(id.as_str()).map_err(|failure| RecordingsError::Failed(failure.to_string()))
    }

    fn follow(&self, id: &SessionId) -> Result<Box<dyn Follow>, RecordingsError> {
        self.recorder.flush()?;
        let records = read::follow_session(self.recorder.directory(), id)?;
        let (recorder, sealer) = (self.recorder.clone(), Arc::clone(self.recorder.sealer()));
        Ok(Box::new(Following { recorder, sealer, records }))
    }

    fn news(&self) -> watch::Receiver<u64> {
        self.recorder.news()
    }

    fn audit_key(&self) -> String {
        self.audit_key.to_pem()
    }

    fn works(&self) -> bool {
        !*self.recorder.failed().borrow()
    }
}

struct Following {
    recorder: Recorder,
    sealer: Arc<Sealer>,
    records: SessionRecords,
}

impl Follow for Following {
    fn next(&mut self, may_reveal: &MayReveal) -> Result<Option<RecordedEvent>, RecordingsError> {
        let mut next = self.records.next();
        if next.is_none() && !self.records.is_over() {
            // What was appended a moment ago may not have reached the file.
            self.recorder.flush()?;
            next = self.records.next();
        }
        let Some(record) = next else { return Ok(None) };
        let mut record = record?;
        read::reveal(&mut record, &self.sealer, may_reveal);
        Ok(Some(RecordedEvent::from(record)))
    }

    fn is_over(&self) -> bool {
        self.records.is_over()
    }
}

impl From<RecordError> for RecordingsError {
    fn from(failure: RecordError) -> Self {
        if let RecordError::NoSession(_) = failure {
            return Self::NotFound;
        }
        Self::Failed(failure.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        approval::testing::person,
        model::ConnectionName,
        policy::Source,
        record::{Durability, RecordKeys, SessionFacts, SystemClock},
        store::Store,
    };

    fn facts(id: &SessionId) -> SessionFacts {
        SessionFacts {
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
        }
    }

    #[tokio::test]
    async fn reads_back_what_the_recorder_wrote_and_knows_what_is_not_there() {
        let directory = tempfile::tempdir().unwrap();
        let keys = RecordKeys::load_or_create(&directory.path().join("keys")).unwrap();
        let audit_key = keys.public();
        let log = directory.path().join("recordings");
        let (recorder, _recovery) = Recorder::open(&log, keys, Durability::Strict, Arc::new(SystemClock)).unwrap();
        let id = SessionId::new(1, [0; 10]);
        let _session = recorder.session(facts(&id)).unwrap();
        let said = SaidIndex::open(&Store::in_memory().unwrap()).unwrap();
        let recordings = RecordingsOnDisk::new(recorder, audit_key, said);
        recordings.note(GatewayEvent::Looked { who: person("carol", &[]), session: id.clone() }).await.unwrap();
        let mut lines = Vec::new();
        recordings
            .lines(&id, &|_class| false, &mut |line| {
                lines.push(line);
                true
            })
            .unwrap();
        let first: RecordedEvent = serde_json::from_slice(&lines[0]).unwrap();
        assert_eq!((first.seq, first.kind.as_str()), (1, "session_started"));
        assert_eq!(recordings.detail(&id).unwrap().session.principal.name.as_str(), "alice");
        let absent = recordings.lines(&SessionId::new(2, [0; 10]), &|_class| false, &mut |_line| true);
        assert_eq!(absent, Err(RecordingsError::NotFound));
        assert!(recordings.works() && recordings.audit_key().contains("PUBLIC KEY"));
    }
}
