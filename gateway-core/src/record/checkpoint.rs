//! What the gateway signs: the log as it stands, and each session's head when it ends. Statements are plain text.
//!
//! Called by `log` and `recorder` to sign, by `walk` to verify.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};

use super::{
    PublicKey, RecordKeys,
    chain::Hash,
    frame::{Record, Writer},
    hex,
    log::ChainHead,
};

/// The file that lists every checkpoint, one JSON object a line.
pub const CHECKPOINT_FILE: &str = "checkpoints";
/// Heads of open chains in one record.
pub(super) const HEADS_PER_RECORD: usize = 1000;

/// A signed statement about the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Checkpoint {
    pub(super) segment: u64,
    pub(super) records: u64,
    pub(super) log: String,
    pub(super) at_micros: u64,
    pub(super) signature: String,
}

impl Checkpoint {
    pub(super) fn sign(keys: &RecordKeys, segment: u64, records: u64, log: Hash, at_micros: u64) -> Option<Self> {
        let log = hex::encode(&log);
        let signature = BASE64.encode(keys.sign(&statement(segment, records, &log, at_micros))?);
        Some(Self { segment, records, log, at_micros, signature })
    }

    /// Whether this key signed it.
    pub(super) fn verifies(&self, public: &PublicKey) -> bool {
        let statement = statement(self.segment, self.records, &self.log, self.at_micros);
        BASE64.decode(&self.signature).is_ok_and(|signature| public.verifies(&statement, &signature))
    }

    pub(super) fn fields(&self, to: &mut Writer) {
        to.number("segment", self.segment);
        to.number("records", self.records);
        to.field("log", &self.log);
        to.field("signature", &self.signature);
    }

    pub(super) fn from_record(record: &Record) -> Option<Self> {
        Some(Self {
            segment: record.number("segment")?,
            records: record.number("records")?,
            log: record.value("log")?.to_owned(),
            at_micros: record.at_micros,
            signature: record.value("signature")?.to_owned(),
        })
    }

    /// The line in the file of checkpoints.
    pub(super) fn line(&self) -> String {
        serde_json::to_string(self).map(|line| line + "\n").unwrap_or_default()
    }
}

fn statement(segment: u64, records: u64, log: &str, at_micros: u64) -> String {
    format!("hoop log checkpoint v1\nsegment {segment}\nrecords {records}\nlog {log}\nat {at_micros}\n")
}

/// What is signed when a session ends.
pub(super) fn session_statement(head: &ChainHead) -> String {
    format!("hoop session head v1\nsession {}\nrecords {}\nhead {}\n", head.name, head.seq, hex::encode(&head.hash))
}

/// An open chain in a record of heads.
pub(super) fn head_line(head: &ChainHead) -> String {
    format!("{} {} {} {}\n", head.name, head.seq, hex::encode(&head.hash), head.first_segment)
}

/// Reads a line of a record of heads.
pub(super) fn parse_head(line: &str) -> Option<ChainHead> {
    let mut words = line.split(' ');
    let head = ChainHead {
        name: Arc::from(words.next()?),
        seq: words.next()?.parse().ok()?,
        hash: hex::decode(words.next()?)?,
        first_segment: words.next()?.parse().ok()?,
    };
    words.next().is_none().then_some(head)
}
