//! A gateway that was killed: the log is cut at any byte, and opens again.

use std::{fs, path::Path};

use super::*;
use crate::record::{RecordError, log::segment_path};

fn copy_log(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("there") {
        let entry = entry.expect("there");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
}

/// A folder as a kill leaves it: a session open, one operation unanswered. Gives where its last record starts.
fn killed(place: &Place) -> (PathBuf, Vec<u8>, usize) {
    let (recorder, _) = place.open(Durability::Relaxed);
    let mut session = recorder.session(facts(1)).expect("starts");
    let (_number, admitted) = admit(&mut session, "delete from orders where id = 1");
    recorder.flush().expect("written");
    let before = fs::metadata(segment_path(&place.log(), 1)).expect("there").len();
    let last = refuse(&mut session, "drop table orders");
    assert_eq!(last.0, 2);
    recorder.flush().expect("written");
    let copy = place.folder.path().join("killed");
    copy_log(&place.log(), &copy);
    drop((admitted, session, recorder));
    let bytes = fs::read(segment_path(&copy, 1)).expect("there");
    (copy, bytes, usize::try_from(before).expect("small"))
}

fn reopen(place: &Place, log: &Path) -> Result<(Recorder, Recovery), RecordError> {
    Recorder::open(log, place.keys.clone(), Durability::Strict, Arc::new(StepClock::default()))
}

#[test]
fn a_log_cut_at_every_byte_of_its_last_record_opens_and_marks_what_nobody_knows() {
    let place = Place::new();
    let (log, bytes, last_start) = killed(&place);
    let template = place.folder.path().join("template");
    copy_log(&log, &template);
    for cut in last_start..=bytes.len() {
        fs::remove_dir_all(&log).expect("removed");
        copy_log(&template, &log);
        fs::write(segment_path(&log, 1), &bytes[..cut]).expect("cut");
        let (recorder, recovery) = reopen(&place, &log).expect("opens");
        let torn = if cut == bytes.len() { 0 } else { u64::try_from(cut - last_start).expect("small") };
        assert_eq!(recovery, Recovery { cut_bytes: torn, unknown_outcomes: 1, ended_sessions: 1 }, "cut at {cut}");
        recorder.close().expect("closes");
        let report = check(&log, place.public());
        assert_eq!(report.problems, [], "cut at {cut}");
        let detail = session_detail(&log, &session_id(1)).expect("there");
        assert_eq!(detail.operations[0].outcome.as_deref(), Some("outcome unknown"));
        assert_eq!(detail.session.end_reason.as_deref(), Some("gateway stopped unexpectedly"));
        assert_eq!(detail.operations.len(), if cut == bytes.len() { 2 } else { 1 });
    }
}

#[test]
fn zeros_that_a_power_failure_leaves_are_cut_off() {
    let place = Place::new();
    let (log, mut bytes, _) = killed(&place);
    bytes.extend_from_slice(&[0; 5000]);
    fs::write(segment_path(&log, 1), &bytes).expect("written");
    let (_recorder, recovery) = reopen(&place, &log).expect("opens");
    assert_eq!(recovery.cut_bytes, 5000);
}

#[test]
fn refuses_to_open_a_log_that_a_crash_cannot_explain() {
    let place = Place::new();
    let (log, bytes, _) = killed(&place);
    for at in (0..bytes.len() - 1).step_by(97) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        fs::write(segment_path(&log, 1), &changed).expect("written");
        // A changed length near the end may look like a record cut by a crash; anything else is refused.
        if let Ok((_recorder, recovery)) = reopen(&place, &log) {
            assert!(recovery.cut_bytes > 0, "byte {at}");
        }
    }
}

#[test]
fn a_session_that_spans_segments_is_ended_after_a_kill() {
    let place = Place::new();
    let (recorder, _) = place.open_with_segments(Durability::Strict, 2000);
    let mut session = recorder.session(facts(1)).expect("starts");
    let (_number, _admitted) = admit(&mut session, "select 1");
    for _ in 0..30 {
        refuse(&mut session, "drop table orders");
        let number = session.number();
        let position = complete(&mut session, number);
        futures_executor(recorder.durable(position));
    }
    let copy = place.folder.path().join("killed");
    copy_log(&place.log(), &copy);
    let numbers = crate::record::reader::segments(&copy).expect("there");
    assert!(numbers.len() > 2);
    // The kill came while the next segment was being opened: it holds half an opening.
    let last = *numbers.last().expect("some");
    fs::write(segment_path(&copy, last + 1), b"\0\0\x01").expect("written");
    let (recorder, recovery) = reopen(&place, &copy).expect("opens");
    assert_eq!(recovery, Recovery { cut_bytes: 3, unknown_outcomes: 1, ended_sessions: 1 });
    recorder.close().expect("closes");
    assert_eq!(check(&copy, place.public()).problems, []);
    assert_eq!(session_detail(&copy, &session_id(1)).expect("there").session.refused, 30);
}
