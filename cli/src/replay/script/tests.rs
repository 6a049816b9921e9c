//! A session as it is shown, from its first word to its last.

use std::fmt::Write as _;

use super::*;
use crate::paint::Sign;

pub(crate) fn event(seq: u64, millis: u64, kind: &str, fields: &[(&str, &str)]) -> RecordedEvent {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    RecordedEvent { seq, at_micros: 1_800_000_000_000_000 + millis * 1000, kind: kind.to_owned(), fields }
}

pub(crate) fn session() -> Vec<RecordedEvent> {
    let alice = r#"{"kind":"user","name":"alice","groups":["engineers"],"claims":{},"owner":null}"#;
    let rows = "{\"columns\":[\"id\",\"email\"]}\n[\"1\",\"a****@example.com\"]\n[\"22\",null]\n";
    let mut events = vec![
        event(
            1,
            0,
            "session_started",
            &[("principal", alice), ("connection", "pg-prod"), ("database", "shop"), ("role", "hoop")],
        ),
        event(
            2,
            1_200,
            "operation",
            &[
                ("number", "1"),
                ("text", "select id, email\nfrom customers where id < $1"),
                ("parameters", "[\"23\"]"),
                ("rules", "[\"allow-read\"]"),
            ],
        ),
        event(3, 1_203, "result", &[("number", "1"), ("text", rows), ("truncated", "true")]),
        event(
            4,
            1_204,
            "outcome",
            &[
                ("number", "1"),
                ("status", "completed"),
                ("tag", "SELECT 2"),
                ("duration_micros", "3100"),
                ("masked", "{\"email\":1}"),
            ],
        ),
        event(
            5,
            4_000,
            "refused",
            &[
                ("number", "2"),
                ("text", "drop table \u{1b}[2Jorders"),
                ("rules", "[\"no-drop\"]"),
                ("reason", "tables are not dropped here"),
                ("hint", "ask dba"),
            ],
        ),
    ];
    events.extend(held_and_ended());
    events
}

fn held_and_ended() -> Vec<RecordedEvent> {
    vec![
        event(
            6,
            9_000,
            "held",
            &[
                ("number", "3"),
                ("text", "delete from orders where id = 7"),
                ("rules", "[\"hold-deletes\"]"),
                ("approval", "apr_0"),
            ],
        ),
        event(
            7,
            65_000,
            "approval_decided",
            &[("number", "3"), ("approval", "apr_0"), ("state", "approved"), ("by", "[\"bob\"]"), ("reason", "fine")],
        ),
        event(
            8,
            65_010,
            "operation",
            &[
                ("number", "3"),
                ("text", "delete from orders where id = 7"),
                ("rules", "[\"allow-write\"]"),
                ("approval", "apr_0"),
            ],
        ),
        event(9, 65_020, "outcome", &[("number", "3"), ("status", "unknown")]),
        event(10, 66_000, "session_ended", &[("reason", "client left")]),
        event(11, 66_000, "session_head", &[("signature", "x")]),
    ]
}

fn spelt(script: &Script) -> String {
    let mut text = String::new();
    for cue in script.cues() {
        for one in &cue.lines {
            writeln!(text, "{} {}", stamp(cue.at), one.text).expect("memory");
        }
    }
    text
}

#[test]
fn a_place_is_called_what_it_is() {
    let called = |kind: &[(&'static str, &'static str)]| {
        let known = [("connection", "prod"), ("database", "somewhere"), ("role", "hoop")];
        title(&event(1, 0, "session_started", &[&known[..], kind].concat()))
    };
    assert_eq!(called(&[]), "? on prod, database somewhere as hoop", "what was recorded before kinds were");
    assert_eq!(called(&[("connection_kind", "postgres")]), "? on prod, database somewhere as hoop");
    assert_eq!(called(&[("connection_kind", "ssh")]), "? on prod, machine somewhere as hoop");
    assert_eq!(called(&[("connection_kind", "mcp")]), "? on prod, service somewhere as hoop");
}

#[test]
fn a_session_reads_as_it_was_typed_and_answered() {
    insta::assert_snapshot!(spelt(&Script::new(&session(), None)));
}

#[test]
fn no_escape_sequence_survives() {
    let script = Script::new(&session(), None);
    assert!(script.cues().iter().flat_map(|cue| &cue.lines).all(|one| !one.text.contains(char::is_control)));
}

#[test]
fn a_search_keeps_whole_operations() {
    let script = Script::new(&session(), Some("DELETE"));
    assert_eq!(script.cues().iter().map(|cue| cue.operation).collect::<Vec<_>>(), [Some(3); 4]);
    assert!(Script::new(&session(), Some("nothing like it")).is_empty());
}

#[test]
fn an_operation_is_found_by_its_number() {
    let script = Script::new(&session(), None);
    assert_eq!(script.cues().get(script.cue_of(2)).and_then(|cue| cue.operation), Some(2));
    assert_eq!(script.cue_of(99), script.cues().len() - 1);
}

#[test]
fn no_two_cues_have_the_same_time() {
    let refused = |seq| event(seq, 5, "refused", &[("number", &seq.to_string()), ("text", "x"), ("reason", "no")]);
    let script = Script::new(&[refused(1), refused(2), refused(3)], None);
    let times: BTreeSet<_> = script.cues().iter().map(|cue| cue.at).collect();
    assert_eq!((times.len(), script.marks().len(), script.operations().len()), (3, 3, 3));
}

#[test]
fn an_operation_knows_what_became_of_it_and_when() {
    let script = Script::new(&session(), None);
    let held = script.operations().last().expect("three");
    let state = |seconds| held.state(Duration::from_secs(seconds)).map(|(sign, _)| sign);
    assert_eq!([8, 10, 66].map(state), [None, Some(Sign::Held), Some(Sign::Failed)]);
    let approved = held.facts.iter().find(|fact| fact.label == "approved").expect("approved");
    assert_eq!(approved.text, "by bob, after 56.0 s, \u{201c}fine\u{201d}");
    let masked = script.operations().first().expect("three");
    assert!(masked.is_masked(Duration::from_secs(2)) && !masked.is_masked(Duration::from_secs(1)));
}
