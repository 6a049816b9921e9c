//! The recorder as a whole: what is written is proved, what is changed is found, what a crash leaves is repaired.

mod corpus;
mod crash;
mod durability;
mod tamper;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tempfile::TempDir;

use super::{
    Asked, Clock, Durability, Event, GatewayEvent, Outcome, PublicKey, RecordKeys, Recorder, Recovery, SealedText,
    SessionFacts, SessionRecorder, Status, Step,
    read::{read_session, session_detail},
    verify::{Report, verify},
};
use crate::{
    model::{
        Access, ConnectionFacts, ConnectionKind, Effect, Operation, OperationNumber, Principal, PrincipalKind, Refusal,
        RefusalKind, RuleId, SessionId, Verb, flow::Inspected,
    },
    policy::{Circumstances, Decision, Permitted, PolicySet, PolicySource, Source, TagNames},
};

/// A clock that moves a millisecond each time it is read.
#[derive(Debug, Default)]
struct StepClock(AtomicU64);

impl Clock for StepClock {
    fn unix_micros(&self) -> u64 {
        1_800_000_000_000_000 + self.0.fetch_add(1000, Ordering::Relaxed)
    }
}

/// A folder with keys.
struct Place {
    folder: TempDir,
    keys: RecordKeys,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = RecordKeys::load_or_create(&folder.path().join("keys")).expect("keys");
        Self { folder, keys }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("recordings")
    }

    fn open(&self, durability: Durability) -> (Recorder, Recovery) {
        self.open_with_segments(durability, 1 << 20)
    }

    fn open_with_segments(&self, durability: Durability, bytes: u64) -> (Recorder, Recovery) {
        let clock = Arc::new(StepClock::default());
        Recorder::open_with_segments(&self.log(), self.keys.clone(), durability, clock, bytes).expect("opens")
    }

    fn public(&self) -> PublicKey {
        self.keys.public()
    }

    fn verify(&self) -> Report {
        check(&self.log(), self.public())
    }
}

fn check(log: &Path, public: PublicKey) -> Report {
    verify(log, public, None, |_done, _all| ()).expect("readable")
}

fn alice() -> Principal {
    Principal {
        kind: PrincipalKind::User,
        name: "alice".parse().expect("a name"),
        groups: BTreeSet::from(["engineers".parse().expect("a name")]),
        claims: BTreeMap::new(),
        owner: None,
        lent_by: None,
    }
}

fn session_id(number: u8) -> SessionId {
    SessionId::new(1_800_000_000_000 + u64::from(number), [number; 10])
}

fn facts(number: u8) -> SessionFacts {
    SessionFacts {
        id: session_id(number),
        principal: alice(),
        connection: "pg-prod".parse().expect("a name"),
        kind: ConnectionKind::Postgres,
        database: "shop".to_owned(),
        role: "hoop".to_owned(),
        source: Source::Tunnel,
        client_address: Some(([127, 0, 0, 1], 40_000).into()),
        application_name: Some("psql".to_owned()),
        run: None,
        through: None,
    }
}

fn refusal() -> Refusal {
    Refusal { kind: RefusalKind::Policy, rule: Some(RuleId("no-drop".into())), message: "no".into(), hint: None }
}

fn refuse(session: &mut SessionRecorder, text: &str) -> OperationNumber {
    let number = session.number();
    let text = SealedText::plain(text);
    session.append(&Event::Refused { number, operations: &[], text: &text, refusal: &refusal() }).expect("appends");
    number
}

fn complete(session: &mut SessionRecorder, number: OperationNumber) -> super::Position {
    let masked = BTreeMap::from([("email".to_owned(), 2)]);
    let status = Status::Completed { tag: "SELECT 1" };
    let outcome = Outcome { number, status, rows: 1, bytes: 20, export: false, masked: &masked, duration_micros: 7 };
    session.append(&Event::Outcome(outcome)).expect("appends")
}

/// A real permit, from a policy that allows everything.
fn permit(text: &str) -> Permitted<String> {
    let source =
        PolicySource { path: "all.cedar".into(), text: "@id(\"all\") permit(principal, action, resource);".to_owned() };
    let policies = PolicySet::load(&[source], &TagNames::default()).expect("valid");
    let to = ConnectionFacts {
        name: "pg-prod".parse().expect("a name"),
        kind: ConnectionKind::Postgres,
        labels: BTreeMap::new(),
        database: "shop".to_owned(),
    };
    let operation = Operation {
        text: text.into(),
        kind: "select".into(),
        effect: Effect::Read,
        accesses: BTreeSet::from([Access { verb: Verb::Select, object: None }]),
        has_where: true,
        names_rows: true,
        risk: 5,
        risk_reasons: Vec::new(),
        statements: 1,
        estimated_rows: None,
        estimated_percent: None,
        export: false,
        filters_on: BTreeSet::new(),
        facts: BTreeSet::new(),
        advice: None,
        request: None,
    };
    let inspected = Inspected::new(text.to_owned(), Arc::from([operation]), Arc::from([]));
    let now = Circumstances::at(1_800_000_000, Source::Tunnel);
    match policies.decide(&alice(), &to, inspected, &now) {
        Decision::Permit(permitted) => permitted,
        Decision::Refuse { refusal, .. } => panic!("refused: {refusal:?}"),
        Decision::NeedsApproval { .. } => panic!("held"),
    }
}

fn admit(session: &mut SessionRecorder, text: &str) -> (OperationNumber, super::Admitted<String>) {
    let number = session.number();
    let sealed = SealedText::plain(text);
    let parameters = [Some(SealedText::plain("42")), None];
    let asked = Asked { number, step: Step::Execute, text: &sealed, parameters: &parameters, proposed_by: None };
    (number, session.admit(permit(text), &asked).expect("appends"))
}

#[tokio::test]
async fn what_was_recorded_is_read_back_and_proved() {
    let place = Place::new();
    let (recorder, recovery) = place.open(Durability::Strict);
    assert_eq!(recovery, Recovery::default());
    recorder.gateway(&GatewayEvent::Started { version: "0.1.0".into() }).expect("appends");
    let mut session = recorder.session(facts(1)).expect("starts");
    let (number, admitted) = admit(&mut session, "select 1");
    let proofs = session.settle([admitted]).await.expect("durable");
    assert_eq!(proofs.into_iter().map(|one| one.into_inner().into_message()).collect::<Vec<_>>(), ["select 1"]);
    complete(&mut session, number);
    refuse(&mut session, "drop table orders");
    assert_eq!(session.counts().operations, 2);
    session.end("client left").expect("ends");
    recorder.close().expect("closes");

    let kinds: Vec<String> =
        read_session(&place.log(), &session_id(1)).expect("there").map(|record| record.expect("sound").kind).collect();
    assert_eq!(kinds, ["session_started", "operation", "outcome", "refused", "session_ended", "session_head"]);
    let detail = session_detail(&place.log(), &session_id(1)).expect("there");
    assert_eq!(detail.session.operations, 2);
    assert_eq!((detail.session.refused, detail.session.masked), (1, 2));
    assert_eq!(detail.operations[0].outcome.as_deref(), Some("SELECT 1"));
    assert_eq!(detail.operations[0].parameters, [Some("42".to_owned()), None]);
    assert_eq!(detail.operations[0].rules, [RuleId("all".into())]);
    assert_eq!(detail.session.end_reason.as_deref(), Some("client left"));
    let report = place.verify();
    assert_eq!(report.problems, []);
    assert_eq!((report.sessions, report.session_heads, report.unsigned_records), (1, 1, 0));
}

#[test]
fn chains_go_on_over_restarts_and_segments() {
    let place = Place::new();
    for round in 0..4 {
        let (recorder, recovery) = place.open_with_segments(Durability::Strict, 3000);
        assert_eq!(recovery, Recovery::default(), "round {round}");
        recorder.gateway(&GatewayEvent::Started { version: "0.1.0".into() }).expect("appends");
        let mut session = recorder.session(facts(round)).expect("starts");
        for _ in 0..20 {
            let number = refuse(&mut session, &"select ".repeat(20));
            let position = complete(&mut session, number);
            futures_executor(recorder.durable(position));
        }
        session.end("done").expect("ends");
        recorder.close().expect("closes");
    }
    let report = place.verify();
    assert_eq!(report.problems, []);
    assert_eq!(report.sessions, 4);
    assert!(super::reader::segments(&place.log()).expect("there").len() > 4);
    for round in 0..4 {
        assert_eq!(read_session(&place.log(), &session_id(round)).expect("there").count(), 43);
    }
}

#[test]
fn only_one_process_may_hold_the_log() {
    let place = Place::new();
    let (_recorder, _) = place.open(Durability::Strict);
    let keys = place.keys.clone();
    let second = Recorder::open(&place.log(), keys, Durability::Strict, Arc::new(super::SystemClock));
    assert!(matches!(second, Err(super::RecordError::Locked(_))));
}

#[test]
fn a_dropped_session_ends_as_lost_and_an_unknown_one_is_not_there() {
    let place = Place::new();
    let (recorder, _) = place.open(Durability::Relaxed);
    drop(recorder.session(facts(1)).expect("starts"));
    recorder.close().expect("closes");
    let detail = session_detail(&place.log(), &session_id(1)).expect("there");
    assert_eq!(detail.session.end_reason.as_deref(), Some("connection lost"));
    assert!(matches!(read_session(&place.log(), &session_id(2)), Err(super::RecordError::NoSession(_))));
}

/// Runs a future that the writing thread completes.
fn futures_executor<T>(future: impl Future<Output = Result<T, super::RecordError>>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(future).expect("durable")
}
