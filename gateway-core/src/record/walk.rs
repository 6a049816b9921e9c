//! Walks over a log record by record and proves each: leaves, chains, log hash, signatures. No IO.
//!
//! One walk serves recovery (from the opening of a segment on), reading and offline verification (from the start).

use std::{collections::BTreeMap, sync::Arc};

use super::{
    PublicKey,
    chain::{GENESIS, Hash, log_hash},
    checkpoint::{Checkpoint, head_line, parse_head, session_statement},
    frame::{self, Found, Record},
    hex,
    log::{ChainHead, housekeeping_name},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

/// Where a walk stands.
#[derive(Debug)]
pub(super) struct Walk {
    public: PublicKey,
    pub(super) log_hash: Hash,
    pub(super) records: u64,
    /// Records covered by the last checkpoint, itself included.
    pub(super) signed_records: u64,
    pub(super) segment: u64,
    pub(super) chains: BTreeMap<String, ChainHead>,
    /// Until the first checkpoint, a walk that starts late takes the opening of its segment as given.
    adopting: bool,
}

/// What one step found.
#[derive(Debug)]
pub(super) enum Step {
    /// A sound record and how many bytes it took.
    Record(Record, usize),
    /// The bytes end inside a record.
    Partial,
}

impl Walk {
    /// A walk from the first record ever.
    pub(super) fn from_start(public: PublicKey) -> Self {
        Self {
            public,
            log_hash: GENESIS,
            records: 0,
            signed_records: 0,
            segment: 0,
            chains: BTreeMap::new(),
            adopting: false,
        }
    }

    /// A walk from the opening of a later segment: what its signed checkpoint says is taken over.
    pub(super) fn from_segment(public: PublicKey) -> Self {
        Self { adopting: true, ..Self::from_start(public) }
    }

    /// Begins a segment; its records must open with one that fits.
    pub(super) fn enter(&mut self, segment: u64) {
        if self.segment > 0 {
            self.chains.remove(&*housekeeping_name(self.segment));
        }
        self.segment = segment;
    }

    /// Takes one record from the front of `bytes`; says what is wrong with it otherwise.
    pub(super) fn step(&mut self, bytes: &[u8]) -> Result<Step, String> {
        match frame::find(bytes) {
            Found::Partial => Ok(Step::Partial),
            Found::Broken(what) => Err(what.to_owned()),
            Found::Frame { body, hash } => {
                let record = frame::parse(body, hash)?;
                self.prove(&record)?;
                Ok(Step::Record(record, body.len() + frame::OVERHEAD_BYTES))
            }
        }
    }

    fn prove(&mut self, record: &Record) -> Result<(), String> {
        let house = housekeeping_name(self.segment);
        let opening = !self.chains.contains_key(&*house);
        if opening && (record.session != *house || record.kind != "segment") {
            return Err("the segment does not begin with its opening".to_owned());
        }
        let (seq, previous) = self.chains.get(&record.session).map_or((0, GENESIS), |head| (head.seq, head.hash));
        if record.seq != seq + 1 {
            return Err(format!("record {} of {} where {} belongs", record.seq, shown(record), seq + 1));
        }
        if record.hash_after(&previous) != record.hash {
            return Err(format!("record {} of {} does not hash to what is stored", record.seq, shown(record)));
        }
        if record.session == *house {
            self.prove_housekeeping(record)?;
        } else if record.kind == "session_head" {
            self.prove_session_head(record)?;
        }
        self.log_hash = log_hash(&self.log_hash, &record.hash);
        self.records += 1;
        if record.kind == "checkpoint" && record.session == *house {
            self.signed_records = self.records;
        }
        self.advance(record);
        Ok(())
    }

    fn advance(&mut self, record: &Record) {
        if record.kind == "session_head" {
            self.chains.remove(&record.session);
            return;
        }
        let segment = self.segment;
        let head = self.chains.entry(record.session.clone()).or_insert_with(|| {
            let mut head = ChainHead::new(Arc::from(record.session.as_str()));
            head.first_segment = segment;
            head
        });
        head.seq = record.seq;
        head.hash = record.hash;
    }

    fn prove_housekeeping(&mut self, record: &Record) -> Result<(), String> {
        match record.kind.as_str() {
            "segment" => self.prove_opening(record),
            "heads" => self.prove_heads(record),
            "checkpoint" => self.prove_checkpoint(record),
            _ => Err("the log says something of itself that this version does not know".to_owned()),
        }
    }

    fn prove_opening(&mut self, record: &Record) -> Result<(), String> {
        let stated = (record.number("segment"), record.number("records"), record.value("log").and_then(hex::decode));
        let (Some(segment), Some(records), Some(log)) = stated else {
            return Err("an opening that cannot be read".to_owned());
        };
        if self.adopting {
            self.records = records;
            self.log_hash = log;
        }
        if record.seq != 1 || segment != self.segment || records != self.records || log != self.log_hash {
            return Err("the segment does not continue the one before it".to_owned());
        }
        Ok(())
    }

    fn prove_heads(&mut self, record: &Record) -> Result<(), String> {
        for line in record.value("heads").unwrap_or_default().lines() {
            let head = parse_head(line).ok_or("a head that cannot be read")?;
            let name = head.name.to_string();
            if self.adopting {
                self.chains.insert(name, head);
            } else if self.chains.get(&name).map(head_line) != Some(head_line(&head)) {
                return Err(format!("the head of {} does not fit its records", head.name));
            }
        }
        Ok(())
    }

    fn prove_checkpoint(&mut self, record: &Record) -> Result<(), String> {
        let checkpoint = Checkpoint::from_record(record).ok_or("a checkpoint that cannot be read")?;
        if checkpoint.segment != self.segment
            || checkpoint.records != self.records
            || checkpoint.log != hex::encode(&self.log_hash)
        {
            return Err("the checkpoint does not fit the records before it".to_owned());
        }
        if !checkpoint.verifies(&self.public) {
            return Err("the checkpoint is not signed by this key".to_owned());
        }
        self.adopting = false;
        Ok(())
    }

    fn prove_session_head(&self, record: &Record) -> Result<(), String> {
        let head = self.chains.get(&record.session).ok_or("a session's head without a session")?;
        let signature = record.value("signature").and_then(|text| BASE64.decode(text).ok());
        if signature.is_some_and(|signature| self.public.verifies(&session_statement(head), &signature)) {
            Ok(())
        } else {
            Err(format!("the head of {} is not signed by this key", shown(record)))
        }
    }
}

/// The chain's name as a message may show it.
fn shown(record: &Record) -> String {
    record.session.chars().filter(|letter| !letter.is_control()).take(64).collect()
}
