//! The table of rules: every message in every state of a session, and what comes of it.

use super::{
    raw::{Raw, bind, call, execute, flush, frame, parse, query, shown, sync, tags, target},
    stage, stage_with,
};

/// What the session is in the middle of.
#[derive(Debug, Clone, Copy)]
enum State {
    Idle,
    Transaction,
    Batch,
    Skipped,
    CopyIn,
}

const STATES: [State; 5] = [State::Idle, State::Transaction, State::Batch, State::Skipped, State::CopyIn];

/// What every message is called, and what comes of it idle, in a transaction, in a batch, skipped, and in COPY: the
/// types of all replies up to the end of the session. `!` is its end by a FATAL protocol violation. Behind the message
/// come a Sync (in COPY: CopyDone) and a Terminate.
const RULES: [(&str, [&str; 5]); 17] = [
    ("Query", ["TDCZZ", "TDCZZ", "TDCZZ", "Z", "!"]),
    ("Query refused", ["EZZ", "EZZ", "EZZ", "Z", "!"]),
    ("Parse", ["1Z", "1Z", "1Z", "Z", "!"]),
    ("Bind", ["2Z", "2Z", "2Z", "Z", "!"]),
    ("Describe", ["tTZ", "tTZ", "tTZ", "Z", "!"]),
    ("Execute", ["EZ", "DCZ", "DCZ", "Z", "!"]),
    ("Close", ["3Z", "3Z", "3Z", "Z", "!"]),
    ("Flush", ["Z", "Z", "Z", "Z", "CZ"]),
    ("Sync", ["ZZ", "ZZ", "ZZ", "ZZ", "CZ"]),
    ("FunctionCall", ["VZZ", "VZZ", "VZZ", "Z", "!"]),
    ("FunctionCall refused", ["EZZ", "EZZ", "EZZ", "Z", "!"]),
    ("FunctionCall malformed", ["EZZ", "EZZ", "EZZ", "Z", "!"]),
    ("CopyData", ["Z", "Z", "Z", "Z", "CZ"]),
    ("CopyDone", ["Z", "Z", "Z", "Z", "CZ"]),
    ("CopyFail", ["Z", "Z", "Z", "Z", "EZ"]),
    ("Password", ["!", "!", "!", "Z", "!"]),
    ("Terminate", ["", "", "", "", ""]),
];

fn message(name: &str) -> Vec<u8> {
    match name {
        "Query" => query("select 1"),
        "Query refused" => query("truncate orders"),
        "Parse" => parse("", "select 1"),
        "Bind" => bind("q", "s", &[], 0),
        "Describe" => target(b'D', 'S', "s"),
        "Execute" => execute("p", 0),
        "Close" => target(b'C', 'S', "s"),
        "Flush" => flush(),
        "Sync" => sync(),
        // lo_creat, and lo_export.
        "FunctionCall" => call(957, &[&[0xff; 4]]),
        "FunctionCall refused" => call(765, &[&[0; 4], b"/tmp/hoop-never"]),
        "FunctionCall malformed" => frame(b'F', &[0; 12]),
        "CopyData" => frame(b'd', b"data\n"),
        "CopyDone" => frame(b'c', b""),
        "CopyFail" => frame(b'f', b"no\0"),
        "Password" => frame(b'p', b"secret\0"),
        "Terminate" => frame(b'X', b""),
        _ => panic!("no such message: {name}"),
    }
}

/// Brings a session there. Where there can be, there is a statement `s`, and a portal `p` of it.
fn enter(raw: &mut Raw, state: State) {
    raw.send(&[parse("s", "select 1"), sync()].concat());
    assert_eq!(tags(&raw.until('Z')), "1Z");
    let bound = [bind("p", "s", &[], 0), flush()].concat();
    match state {
        State::Idle => {}
        State::Transaction => {
            raw.query("begin");
            raw.send(&[bound, sync()].concat());
            assert_eq!(tags(&raw.until('Z')), "2Z");
        }
        State::Batch => {
            raw.send(&bound);
            assert_eq!(tags(&raw.until('2')), "2");
        }
        State::Skipped => {
            raw.send(&[parse("bad", "select no_such_column from orders"), flush()].concat());
            assert_eq!(tags(&raw.until('E')), "E");
        }
        State::CopyIn => {
            raw.send(&query("copy audit_trail (what) from stdin"));
            assert_eq!(tags(&raw.until('G')), "G");
        }
    }
}

#[test]
fn every_message_in_every_state_does_what_the_table_says() {
    let stage = stage();
    let mut wrong = Vec::new();
    for (name, outcomes) in RULES {
        for (state, expected) in STATES.into_iter().zip(outcomes) {
            let mut raw = Raw::open(&stage.tunnel);
            enter(&mut raw, state);
            let ending = if matches!(state, State::CopyIn) { frame(b'c', b"") } else { sync() };
            raw.send(&[message(name), ending, frame(b'X', b"")].concat());
            let replies = raw.rest();
            let text = shown(&replies);
            let violation = text.contains("FATAL") && text.contains("08P01");
            let outcome = if violation && tags(&replies) == "E" { "!".to_owned() } else { tags(&replies) };
            if outcome != expected {
                wrong.push(format!("{name} in {state:?}: {outcome} instead of {expected}: {text}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(stage.database.value("select count(*) from orders"), "200");
}

#[test]
fn in_a_failed_transaction_only_its_end_passes() {
    let stage = stage();
    for (message, expected) in [
        (query("select 1"), "EZZ"),
        (query("truncate orders"), "EZZ"),
        (parse("", "select 1"), "EZ"),
        (parse("", "rollback"), "1Z"),
        (query("rollback to nothing"), "EZZ"),
        (query("rollback"), "CZZ"),
        (query("commit"), "CZZ"),
    ] {
        let mut raw = Raw::open(&stage.tunnel);
        raw.query("begin");
        assert_eq!(tags(&raw.query("select no_such_column from orders")), "EZ");
        raw.send(&[message.clone(), sync(), frame(b'X', b"")].concat());
        let replies = raw.rest();
        assert_eq!(tags(&replies), expected, "{}: {replies:?}", String::from_utf8_lossy(&message));
    }
}

#[test]
fn ends_of_transactions_pass_where_transactions_are_forbidden() {
    let stage = stage_with(|site| {
        site.policy(
            "transactions",
            "@id(\"no-transactions\")\nforbid(principal, action == Action::\"transaction\", resource);\n",
        )
    });
    let mut raw = Raw::open(&stage.tunnel);
    for text in ["begin", "start transaction", "savepoint a"] {
        let replies = raw.query(text);
        assert!(tags(&replies) == "EZ" && shown(&replies).contains("42501"), "{text}: {replies:?}");
    }
    for text in ["commit", "end", "rollback", "abort", "commit and no chain"] {
        assert_eq!(tags(&raw.query(text)), "CZ", "{text}");
        raw.send(&[parse("", text), bind("", "", &[], 0), execute("", 0), sync()].concat());
        assert_eq!(tags(&raw.until('Z')), "12CZ", "{text}");
    }
    // The server's own words: it was asked.
    for text in ["rollback to savepoint a", "rollback to a"] {
        let replies = raw.query(text);
        assert!(shown(&replies).contains("25P01"), "{text}: {replies:?}");
    }
    // In a batch that failed, its end passes with the next message.
    raw.send(&[parse("", "truncate orders"), sync(), query("rollback")].concat());
    assert_eq!([tags(&raw.until('Z')), tags(&raw.until('Z'))], ["EZ", "CZ"]);
}
