//! What recording one statement costs: `cargo bench -p hoop-gateway-core --bench record`. Prints nanoseconds per
//! statement (its record and its outcome), without waiting and with waiting in each durability.

#![allow(clippy::expect_used, clippy::print_stdout, reason = "a bench stops and speaks where a program may not")]

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use hoop_gateway_core::{
    model::{ConnectionKind, Principal, PrincipalKind, Refusal, RefusalKind, RuleId, SessionId},
    policy::Source,
    record::{
        Durability, Event, Outcome, Position, RecordKeys, Recorder, SealedText, SessionFacts, SessionRecorder, Status,
        SystemClock,
    },
};

const ROUNDS: u32 = 100_000;
const STATEMENT: &str = "SELECT abalance FROM pgbench_accounts WHERE aid = 4711;";

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for durability in [Durability::Relaxed, Durability::Strict] {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = RecordKeys::load_or_create(&folder.path().join("keys")).expect("keys");
        let opened = Recorder::open(&folder.path().join("recordings"), keys, durability, Arc::new(SystemClock));
        let (recorder, _) = opened.expect("opens");
        let mut session = recorder.session(facts()).expect("starts");
        let started = Instant::now();
        for round in 0..ROUNDS {
            statement(&mut session);
            if round % 1000 == 999 {
                recorder.flush().expect("written");
            }
        }
        report(durability, "appended", started, ROUNDS);
        let waits = if durability == Durability::Strict { 500 } else { ROUNDS };
        let started = Instant::now();
        for _ in 0..waits {
            let position = statement(&mut session);
            runtime.block_on(session.durable(position)).expect("durable");
        }
        report(durability, "durable", started, waits);
        session.end("done").expect("ends");
        recorder.close().expect("closes");
    }
}

/// The record of a statement and of its outcome, with as many fields as pgbench's have.
fn statement(session: &mut SessionRecorder) -> Position {
    let number = session.number();
    let text = SealedText::plain(STATEMENT);
    let refusal = Refusal {
        kind: RefusalKind::Policy,
        rule: Some(RuleId("allow-read".into())),
        message: "select".into(),
        hint: None,
    };
    let asked = session.append(&Event::Refused { number, operations: &[], text: &text, refusal: &refusal });
    let masked = BTreeMap::new();
    let status = Status::Completed { tag: "SELECT 1" };
    let outcome = Outcome { number, status, rows: 1, bytes: 30, export: false, masked: &masked, duration_micros: 250 };
    session.append(&Event::Outcome(outcome)).expect("appends");
    asked.expect("appends")
}

fn report(durability: Durability, what: &str, started: Instant, rounds: u32) {
    let each = started.elapsed() / rounds;
    println!("{durability:?} {what}: {} ns per statement", each.as_nanos());
}

fn facts() -> SessionFacts {
    SessionFacts {
        id: SessionId::new(1_800_000_000_000, [1; 10]),
        principal: Principal {
            kind: PrincipalKind::User,
            name: "alice".parse().expect("a name"),
            groups: std::collections::BTreeSet::new(),
            claims: BTreeMap::new(),
            owner: None,
            lent_by: None,
        },
        connection: "pg-prod".parse().expect("a name"),
        kind: ConnectionKind::Postgres,
        database: "shop".to_owned(),
        role: "hoop".to_owned(),
        source: Source::Tunnel,
        client_address: None,
        application_name: None,
        run: None,
        through: None,
    }
}
