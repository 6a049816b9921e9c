//! COPY FROM STDIN where something goes wrong, or has to wait.

use super::{
    Person, Stage,
    approvals::held,
    raw::{Raw, bind, execute, flush, frame, parse, query, shown, sync, tags},
    stage, stage_with,
};

const COPY: &str = "copy audit_trail (what) from stdin";

fn data(text: &str) -> Vec<u8> {
    frame(b'd', text.as_bytes())
}

fn done() -> Vec<u8> {
    frame(b'c', b"")
}

fn rows(stage: &Stage) -> String {
    stage.database.value("select count(*) from audit_trail")
}

/// The session is where a session should be: replies belong to what was asked.
fn goes_on(raw: &mut Raw) {
    let replies = raw.query("select 'on'");
    assert!(tags(&replies) == "TDCZ" && shown(&replies).contains("on"), "{replies:?}");
}

#[test]
fn a_client_that_fails_its_copy_leaves_no_rows_and_goes_on() {
    let stage = stage();
    let mut raw = Raw::open(&stage.tunnel);
    raw.send(&[query(COPY), data("one\n"), frame(b'f', b"changed my mind\0")].concat());
    let replies = raw.until('Z');
    assert!(tags(&replies) == "GEZ" && shown(&replies).contains("57014"), "{replies:?}");
    goes_on(&mut raw);
    // Through a portal, the rest of the batch is skipped.
    let batch = [parse("", COPY), bind("", "", &[], 0), execute("", 0), flush()].concat();
    raw.send(&batch);
    assert_eq!(tags(&raw.until('G')), "12G");
    raw.send(&[data("one\n"), frame(b'f', b"no\0"), parse("", "select 1"), sync()].concat());
    assert_eq!(tags(&raw.until('Z')), "EZ");
    goes_on(&mut raw);
    assert_eq!(rows(&stage), "0");
}

#[test]
fn data_that_is_on_its_way_when_a_row_is_bad_is_dropped() {
    let stage = stage();
    let mut raw = Raw::open(&stage.tunnel);
    let more = data("1000\tx\n").repeat(20_000);
    raw.send(&[query("copy orders (id, status) from stdin"), data("not a number\tx\n"), more, done()].concat());
    let replies = raw.until('Z');
    assert!(tags(&replies) == "GEZ" && shown(&replies).contains("22P02"), "{replies:?}");
    goes_on(&mut raw);
    assert_eq!(stage.database.value("select count(*) from orders"), "200");
}

#[test]
fn a_copy_among_other_statements_of_one_message_is_answered_in_order() {
    let stage = stage();
    let mut raw = Raw::open(&stage.tunnel);
    raw.send(&[query(&format!("select 1; {COPY}; select 2")), data("one\n"), done()].concat());
    assert_eq!(tags(&raw.until('Z')), "TDCGCTDCZ");
    raw.send(&[query(&format!("{COPY}; select 2")), data("two\n"), frame(b'f', b"no\0")].concat());
    assert_eq!(tags(&raw.until('Z')), "GEZ", "what follows a failed COPY does not run");
    goes_on(&mut raw);
    assert_eq!(rows(&stage), "1");
}

#[test]
fn a_held_copy_takes_its_data_when_it_is_approved_and_none_when_it_is_denied() {
    let stage = stage_with(|site| {
        site.policy(
            "copies",
            "@id(\"inserts-are-held\")\n@approval(\"dba\")\n@expires(\"15m\")\n\
             forbid(principal, action in [Action::\"insert\", Action::\"copy_in\"], resource);\n",
        )
    });
    let bob = Person::login(&stage.gateway, "bob");
    let mut raw = Raw::open(&stage.tunnel);
    let lines = [data("one\n"), data("two\n"), done()].concat();
    raw.send(&[query(COPY), lines.clone()].concat());
    let id = held(&mut raw);
    assert_eq!(rows(&stage), "0");
    bob.run(&["approvals", "deny", &id, "--reason", "no"]).success();
    let replies = raw.until('Z');
    assert!(tags(&replies) == "EZ" && shown(&replies).contains("42501"), "{replies:?}");
    goes_on(&mut raw);
    assert_eq!(rows(&stage), "0");
    raw.send(&[query(COPY), lines].concat());
    let id = held(&mut raw);
    bob.run(&["approvals", "approve", &id, "--reason", "yes"]).success();
    assert_eq!(tags(&raw.until('Z')), "GCZ");
    goes_on(&mut raw);
    assert_eq!(rows(&stage), "2");
}

#[test]
fn a_client_that_vanishes_amid_its_data_leaves_nothing_open() {
    let stage = stage();
    let mut raw = Raw::open(&stage.tunnel);
    raw.send(&[query(COPY), data("one\n")].concat());
    assert_eq!(tags(&raw.until('G')), "G");
    drop(raw);
    stage.database.logged_times("during COPY from stdin", 1);
    assert_eq!(rows(&stage), "0");
}
