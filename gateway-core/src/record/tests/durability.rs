//! Who may go on, and when: group commit, both durabilities, and a disk that fails.

use std::fs::{self, OpenOptions};

use super::*;
use crate::record::{RecordError, log::segment_path};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_sessions_share_the_log_and_every_durable_record_is_in_the_file() {
    for durability in [Durability::Strict, Durability::Relaxed] {
        let place = Place::new();
        let (recorder, _) = place.open(durability);
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..16 {
            let (recorder, log) = (recorder.clone(), place.log());
            tasks.spawn(async move {
                let mut session = recorder.session(facts(number)).expect("starts");
                for round in 0..25 {
                    let (_number, admitted) = admit(&mut session, &format!("select {round}, {number}"));
                    session.settle([admitted]).await.expect("durable");
                    let written = fs::read(segment_path(&log, 1)).expect("there");
                    let text = format!("\"select {round}, {number}\"");
                    assert!(written.windows(text.len()).any(|window| window == text.as_bytes()));
                }
                session.end("done").expect("ends");
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.expect("no panic");
        }
        recorder.close().expect("closes");
        let report = place.verify();
        assert_eq!((report.problems.as_slice(), report.sessions), (&[][..], 16));
    }
}

#[tokio::test]
async fn a_full_disk_ends_the_recorder_and_wakes_everyone() {
    for durability in [Durability::Strict, Durability::Relaxed] {
        let place = Place::new();
        let (recorder, _) = place.open(durability);
        let mut session = recorder.session(facts(1)).expect("starts");
        let mut failed = recorder.failed();
        assert!(!*failed.borrow());
        recorder.log().break_disk(OpenOptions::new().write(true).open("/dev/full").expect("there"));
        // The writer's own thread may meet the full disk first: then the append is refused, else the wait.
        let sealed = SealedText::plain("select 1");
        let asked =
            Asked { number: session.number(), step: Step::Execute, text: &sealed, parameters: &[], proposed_by: None };
        let settled = match session.admit(permit("select 1"), &asked) {
            Ok(admitted) => session.settle([admitted]).await.map(drop),
            Err(error) => Err(error),
        };
        assert!(matches!(settled, Err(RecordError::Failed(_))), "{settled:?}");
        failed.wait_for(|failed| *failed).await.expect("told");
        let text = SealedText::plain("select 2");
        let number = session.number();
        let late = session.append(&Event::Refused { number, operations: &[], text: &text, refusal: &refusal() });
        assert!(matches!(late, Err(RecordError::Failed(_))));
        assert!(recorder.session(facts(2)).is_err());
        assert!(recorder.gateway(&GatewayEvent::Stopped { version: String::new() }).is_err());
    }
}

#[tokio::test]
async fn what_nobody_waits_for_is_synced_soon_and_a_closed_recorder_refuses() {
    let place = Place::new();
    let (recorder, _) = place.open(Durability::Strict);
    let position = recorder.gateway(&GatewayEvent::Started { version: "1".into() }).expect("appends");
    recorder.log().until_synced(position);
    recorder.close().expect("closes");
    assert!(recorder.gateway(&GatewayEvent::Started { version: "2".into() }).is_err());
    recorder.close().expect("closing twice is fine");
    assert_eq!(place.verify().problems, []);
}

#[test]
fn one_record_may_not_be_larger_than_a_record_may_be() {
    let place = Place::new();
    let (recorder, _) = place.open(Durability::Relaxed);
    let mut session = recorder.session(facts(1)).expect("starts");
    let long = "x".repeat(crate::record::MAX_BODY_BYTES);
    let (text, number) = (SealedText::plain(&long), session.number());
    let refused = session.append(&Event::Refused { number, operations: &[], text: &text, refusal: &refusal() });
    assert!(matches!(refused, Err(RecordError::TooLong { .. })));
    refuse(&mut session, "the chain goes on");
    session.end("done").expect("ends");
    recorder.close().expect("closes");
    assert_eq!(place.verify().problems, []);
}
