//! Approvals bind to exactly what was shown, are used once, and are given by somebody else.

use super::{
    Person, Stage, Tunnel,
    raw::{Raw, bind, execute, parse, query, shown, sync, tags},
    stage,
};

const TEXT: &str = "delete from orders where id = $1";

/// Waits for the notice of a hold and gives the request's id.
pub(in super::super) fn held(raw: &mut Raw) -> String {
    let replies = raw.until('N');
    let text = shown(&replies);
    let mut words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
    words.find(|word| word.starts_with("apr_")).unwrap_or_else(|| panic!("not held: {text}")).to_owned()
}

fn bound(parameter: &str) -> Vec<u8> {
    [bind("", "s", &[parameter], 0), execute("", 0), sync()].concat()
}

fn count(stage: &Stage) -> String {
    stage.database.value("select count(*) from orders")
}

#[test]
fn an_approval_is_for_these_parameters_and_this_session_once() {
    let stage = stage();
    let bob = Person::login(&stage.gateway, "bob");
    let mut raw = Raw::open(&stage.tunnel);
    raw.send(&[parse("s", TEXT), sync()].concat());
    assert_eq!(tags(&raw.until('Z')), "1Z");
    raw.send(&bound("7"));
    let first = held(&mut raw);
    // Another session asks for the same: it has a request of its own.
    let mut other = Raw::open(&stage.tunnel);
    other.send(&query("delete from orders where id = 7"));
    let second = held(&mut other);
    assert_ne!(first, second);
    bob.run(&["approvals", "approve", &first, "--reason", "yes"]).success();
    let replies = raw.until('Z');
    assert!(tags(&replies).starts_with("2C"), "{replies:?}");
    assert_eq!(count(&stage), "199");
    // The same statement again, with the same and with other parameters, asks again.
    for parameter in ["7", "8"] {
        raw.send(&bound(parameter));
        let id = held(&mut raw);
        assert!(id != first && id != second);
        assert_eq!(count(&stage), "199");
        let replayed = bob.run(&["approvals", "approve", &first]);
        assert_ne!(replayed.code(), 0, "{replayed:?}");
        bob.run(&["approvals", "deny", &id, "--reason", "no"]).success();
        assert!(shown(&raw.until('Z')).contains("42501"));
    }
    bob.run(&["approvals", "deny", &second, "--reason", "no"]).success();
    assert!(shown(&other.until('Z')).contains("42501"));
    assert_eq!(count(&stage), "199");
}

#[test]
fn a_held_statement_lets_nothing_behind_it_pass() {
    let stage = stage();
    let bob = Person::login(&stage.gateway, "bob");
    let mut raw = Raw::open(&stage.tunnel);
    let mut batch = parse("s", TEXT);
    batch.extend(bind("", "s", &["7"], 0));
    batch.extend(execute("", 0));
    // What follows tries to put another text behind the held name, and to run before the decision.
    batch.extend(super::raw::target(b'C', 'S', "s"));
    batch.extend(parse("s", "update orders set status = 'early' where id = 1"));
    batch.extend(bind("", "s", &[], 0));
    batch.extend(execute("", 0));
    batch.extend(sync());
    raw.send(&batch);
    let id = held(&mut raw);
    assert_eq!(stage.database.value("select count(*) from orders where status = 'early'"), "0");
    bob.run(&["approvals", "deny", &id, "--reason", "no"]).success();
    let replies = raw.until('Z');
    assert!(shown(&replies).contains("42501"), "{replies:?}");
    assert_eq!(stage.database.value("select count(*) from orders where status = 'early'"), "0", "the batch failed");
    assert_eq!(count(&stage), "200");
}

#[test]
fn a_session_that_ends_takes_its_request_along() {
    let stage = stage();
    let bob = Person::login(&stage.gateway, "bob");
    let mut raw = Raw::open(&stage.tunnel);
    raw.send(&query("delete from orders where id = 7"));
    let id = held(&mut raw);
    drop(raw);
    let mut watch = bob.start(&["approvals", "watch", "--output", "jsonl"]);
    let withdrawn = (0..50).any(|_| {
        let late = bob.run(&["approvals", "show", &id]);
        late.output.contains("withdrawn")
    });
    assert!(withdrawn, "the request outlived its session");
    watch.close_input();
    assert_ne!(bob.run(&["approvals", "approve", &id]).code(), 0);
    let mut raw = Raw::open(&stage.tunnel);
    raw.send(&query("delete from orders where id = 7"));
    let again = held(&mut raw);
    assert_ne!(again, id);
    assert_eq!(count(&stage), "200");
}

#[test]
fn a_reviewer_cannot_review_what_they_asked_for() {
    let stage = stage();
    let bob = Person::login(&stage.gateway, "bob");
    let bobs = Tunnel::open(&bob, "pg-prod");
    let mut raw = Raw::open(&bobs);
    raw.send(&query("delete from orders where id = 7"));
    let id = held(&mut raw);
    let own = bob.run(&["approvals", "approve", &id, "--reason", "mine"]);
    assert_eq!(own.code(), 3, "{own:?}");
    for other in [&stage.alice, &Person::login(&stage.gateway, "carol")] {
        let refused = other.run(&["approvals", "approve", &id]);
        assert_ne!(refused.code(), 0, "{refused:?}");
    }
    assert_eq!(count(&stage), "200");
}

#[test]
fn a_client_that_sent_much_behind_a_held_statement_and_left_takes_its_request_along() {
    let stage = stage();
    let bob = Person::login(&stage.gateway, "bob");
    let mut watch = bob.start(&["approvals", "watch", "--output", "jsonl"]);
    let mut raw = Raw::open(&stage.tunnel);
    raw.send(&query("delete from orders where id = 7"));
    let id = held(&mut raw);
    watch.expect_line(&id);
    raw.send(&query(&format!("select '{}'", "x".repeat(1000))).repeat(3 << 10));
    drop(raw);
    watch.expect_line("withdrawn");
    assert_ne!(bob.run(&["approvals", "approve", &id]).code(), 0);
    assert_eq!(count(&stage), "200");
}

#[test]
fn a_client_that_never_stops_sending_behind_a_held_statement_loses_its_request() {
    let stage = stage();
    let bob = Person::login(&stage.gateway, "bob");
    let mut watch = bob.start(&["approvals", "watch", "--output", "jsonl"]);
    let mut raw = Raw::open(&stage.tunnel);
    raw.send(&query("delete from orders where id = 7"));
    let id = held(&mut raw);
    watch.expect_line(&id);
    let more = query(&format!("select '{}'", "x".repeat(1000))).repeat(1 << 10);
    let taken = (0..1024).take_while(|_| raw.send_what_is_taken(&more)).count();
    assert!((8..1024).contains(&taken), "{taken} MiB were taken");
    watch.expect_line("withdrawn");
    assert_eq!(count(&stage), "200");
}
