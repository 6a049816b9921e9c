//! What verification finds: any changed byte, a chain recomputed over altered events, a cut log.

use std::fs;

use proptest::prelude::*;

use super::*;
use crate::record::{
    CHECKPOINT_FILE, GENESIS,
    chain::{Header, log_hash},
    frame::{self, Found, Writer},
    hex,
    log::segment_path,
};

/// A closed log with a session in it.
fn closed(place: &Place, texts: &[String]) {
    let (recorder, _) = place.open(Durability::Relaxed);
    let mut session = recorder.session(facts(1)).expect("starts");
    for text in texts {
        let number = refuse(&mut session, text);
        complete(&mut session, number);
    }
    session.end("done").expect("ends");
    recorder.close().expect("closes");
}

#[test]
fn every_single_flipped_byte_fails() {
    let place = Place::new();
    closed(&place, &["select 'a'".to_owned(), "\u{1b}[2J".to_owned()]);
    assert_eq!(place.verify().problems, []);
    for path in [segment_path(&place.log(), 1), place.log().join(CHECKPOINT_FILE)] {
        let bytes = fs::read(&path).expect("there");
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x20;
            fs::write(&path, &changed).expect("written");
            let report = place.verify();
            assert!(!report.is_sound(), "byte {at} of {} changed unseen: {report:?}", path.display());
        }
        fs::write(&path, &bytes).expect("restored");
    }
    assert!(place.verify().is_sound());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_events_are_proved_and_any_flipped_bit_fails(
        texts in prop::collection::vec("(?s).{0,60}", 0..6), at in any::<prop::sample::Index>(), bit in 0..8,
    ) {
        let place = Place::new();
        closed(&place, &texts);
        prop_assert_eq!(place.verify().problems, []);
        let path = segment_path(&place.log(), 1);
        let mut bytes = fs::read(&path).expect("there");
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        fs::write(&path, &bytes).expect("written");
        prop_assert!(!place.verify().is_sound());
    }
}

/// Rewrites every record, changing one text and recomputing all hashes, as someone without the key could.
fn forge(bytes: &[u8]) -> Vec<u8> {
    let mut heads: BTreeMap<String, super::super::Hash> = BTreeMap::new();
    let (mut rest, mut out, mut log) = (bytes, Vec::new(), GENESIS);
    let mut writer = Writer::default();
    while let Found::Frame { body, hash } = frame::find(rest) {
        let record = frame::parse(body, hash).expect("sound");
        rest = &rest[body.len() + frame::OVERHEAD_BYTES..];
        let previous = heads.get(&record.session).copied().unwrap_or(GENESIS);
        let header = Header {
            version: 1,
            session: &record.session,
            seq: record.seq,
            at_micros: record.at_micros,
            kind: &record.kind,
        };
        writer.begin(&header);
        for field in &record.fields {
            match (field.name.as_str(), record.kind.as_str()) {
                ("text", _) => writer.field("text", &field.value.replace("drop", "drip")),
                ("log", "checkpoint") => writer.field("log", &hex::encode(&log)),
                (name, _) => writer.field(name, &field.value),
            }
        }
        let (body, hash) = writer.finish(&previous, &header).expect("fits");
        frame::put(body, &hash, &mut out);
        heads.insert(record.session.clone(), hash);
        log = log_hash(&log, &hash);
    }
    out
}

#[test]
fn a_chain_recomputed_over_altered_events_fails_for_want_of_the_key() {
    let place = Place::new();
    closed(&place, &["drop table orders".to_owned()]);
    let path = segment_path(&place.log(), 1);
    let forged = forge(&fs::read(&path).expect("there"));
    fs::write(&path, &forged).expect("written");
    let report = place.verify();
    assert!(report.problems.iter().any(|problem| problem.what.contains("not signed by this key")), "{report:?}");
}

#[test]
fn another_key_proves_nothing() {
    let (place, other) = (Place::new(), Place::new());
    closed(&place, &[]);
    assert!(!check(&place.log(), other.public()).is_sound());
}

#[test]
fn a_log_cut_before_its_last_checkpoint_fails_and_an_unsigned_tail_is_told() {
    let place = Place::new();
    closed(&place, &["select 1".to_owned(), "select 2".to_owned()]);
    let path = segment_path(&place.log(), 1);
    let bytes = fs::read(&path).expect("there");
    let head = hex::decode(&place.verify().head).expect("a hash");
    // Every prefix that ends between two records.
    let (mut end, mut rest) = (0, bytes.as_slice());
    while let Found::Frame { body, .. } = frame::find(rest) {
        let length = body.len() + frame::OVERHEAD_BYTES;
        (end, rest) = (end + length, &rest[length..]);
        fs::write(&path, &bytes[..end]).expect("cut");
        let whole = end == bytes.len();
        assert_eq!(place.verify().is_sound(), whole, "cut at {end}: the noted checkpoints tell");
        let expected = verify(&place.log(), place.public(), Some(head), |_, _| ()).expect("readable");
        assert_eq!(expected.is_sound(), whole, "cut at {end}: the expected head tells");
    }
}

#[test]
fn a_log_in_use_is_sound_with_an_unsigned_tail() {
    let place = Place::new();
    let (recorder, _) = place.open(Durability::Relaxed);
    let mut session = recorder.session(facts(1)).expect("starts");
    refuse(&mut session, "select 1");
    recorder.flush().expect("written");
    let report = place.verify();
    assert_eq!(report.problems, []);
    assert_eq!((report.unsigned_records, report.warnings.len()), (2, 1));
}

#[test]
fn a_missing_segment_fails() {
    let place = Place::new();
    let (recorder, _) = place.open_with_segments(Durability::Strict, 1000);
    let mut session = recorder.session(facts(1)).expect("starts");
    for _ in 0..12 {
        let number = refuse(&mut session, &"select ".repeat(30));
        let position = complete(&mut session, number);
        futures_executor(recorder.durable(position));
    }
    session.end("done").expect("ends");
    recorder.close().expect("closes");
    let numbers = crate::record::reader::segments(&place.log()).expect("there");
    assert!(numbers.len() > 3 && place.verify().is_sound());
    for number in numbers {
        let path = segment_path(&place.log(), number);
        let aside = place.folder.path().join("aside");
        fs::rename(&path, &aside).expect("moved");
        assert!(!place.verify().is_sound(), "segment {number} is missing unseen");
        fs::rename(&aside, &path).expect("moved back");
    }
}
