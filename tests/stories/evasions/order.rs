//! Orders of messages after which replies and expectations could drift apart.

use super::{
    leaks,
    raw::{Raw, bind, execute, flush, frame, parse, query, shown, sync, tags, target},
    stage,
};

/// A batch that the server fails where the gateway cannot know it.
const FAILS: &str = "select no_such_column from orders";
const PHONES: &str = "select phone from customers order by id limit 3";

#[test]
fn a_query_inside_a_failed_batch_does_not_shift_the_replies() {
    let stage = stage();
    let mut raw = Raw::open(&stage.tunnel);
    // The server ignores everything until Sync: these queries are never answered.
    let mut batch = parse("", FAILS);
    batch.extend(query("select 1 from orders limit 1"));
    batch.extend(query("select 2 from orders limit 1"));
    batch.extend(sync());
    raw.send(&batch);
    let failed = raw.until('Z');
    assert_eq!(tags(&failed), "EZ", "{failed:?}");
    let rows = raw.query(PHONES);
    assert!(leaks(&shown(&rows)).is_empty(), "{rows:?}");
    assert_eq!(tags(&rows), "TDDDCZ", "{rows:?}");
    assert_eq!(tags(&raw.query("select 3")), "TDCZ");
    assert!(!stage.executed("select 2 from orders"));
}

#[test]
fn a_refused_query_inside_a_failed_batch_does_not_shift_the_replies() {
    let stage = stage();
    let mut raw = Raw::open(&stage.tunnel);
    for stray in
        [query("drop table orders"), query("selekt"), frame(b'F', &[0; 12]), query("select phone || '' from customers")]
    {
        let mut batch = parse("", FAILS);
        batch.extend(&stray);
        batch.extend(sync());
        raw.send(&batch);
        assert_eq!(tags(&raw.until('Z')), "EZ");
        let rows = raw.query(PHONES);
        assert!(leaks(&shown(&rows)).is_empty(), "{rows:?}");
        assert_eq!(tags(&rows), "TDDDCZ", "{rows:?}");
    }
}

#[test]
fn messages_between_two_copies_of_one_query_do_not_shift_the_replies() {
    let stage = stage();
    let mut raw = Raw::open(&stage.tunnel);
    raw.send(&query("copy audit_trail (what) from stdin; copy audit_trail (what) from stdin"));
    raw.until('G');
    // The second COPY takes the query for its data and fails: the query is never answered.
    let mut rest = frame(b'd', b"one\n");
    rest.extend(frame(b'c', b""));
    rest.extend(query("select 1 from orders limit 1"));
    raw.send(&rest);
    raw.send(&query(PHONES));
    let mut seen = String::new();
    for _ in 0..3 {
        let replies = raw.until('Z');
        seen.push_str(&shown(&replies));
        if replies.last().is_none_or(|reply| reply.tag != 'Z') || replies.iter().any(|reply| reply.tag == 'D') {
            break;
        }
    }
    assert!(leaks(&seen).is_empty(), "{seen}");
    assert_eq!(stage.database.value("select count(*) from audit_trail"), "0", "one message is one transaction");
}

#[test]
fn a_portal_is_run_again_and_described_after_its_end() {
    let stage = stage();
    let mut raw = Raw::open(&stage.tunnel);
    for text in [PHONES, "select id from orders order by id limit 3"] {
        let mut batch = parse("", text);
        batch.extend(bind("", "", &[], 0));
        batch.extend(execute("", 2));
        batch.extend(execute("", 0));
        batch.extend(execute("", 0));
        batch.extend(target(b'D', 'P', ""));
        batch.extend(execute("", 0));
        batch.extend(sync());
        raw.send(&batch);
        let replies = raw.until('Z');
        assert!(leaks(&shown(&replies)).is_empty(), "{replies:?}");
        assert_eq!(tags(&replies), "12DDsDCCTCZ", "{replies:?}");
    }
    assert_eq!(tags(&raw.query("select 3")), "TDCZ");
}

#[test]
fn a_function_call_message_is_refused_and_answered() {
    let stage = stage();
    let mut raw = Raw::open(&stage.tunnel);
    raw.send(&frame(b'F', &[0, 0, 0x04, 0xd2, 0, 0, 0, 0, 0, 0]));
    let replies = raw.until('Z');
    assert_eq!(tags(&replies), "EZ", "{replies:?}");
    assert_eq!(tags(&raw.query("select 3")), "TDCZ");
}

#[test]
fn a_name_means_what_the_server_says_around_errors() {
    let stage = stage();
    let mut raw = Raw::open(&stage.tunnel);
    // s is harmless; a batch that fails first tries to close it and give its name to another text.
    let mut batch = parse("s", "select 1 from orders limit 1");
    batch.extend(sync());
    batch.extend(parse("", FAILS));
    batch.extend(target(b'C', 'S', "s"));
    batch.extend(parse("s", PHONES));
    batch.extend(sync());
    batch.extend(bind("", "s", &[], 0));
    batch.extend(execute("", 0));
    batch.extend(sync());
    raw.send(&batch);
    assert_eq!(tags(&raw.until('Z')), "1Z");
    assert_eq!(tags(&raw.until('Z')), "EZ");
    assert_eq!(tags(&raw.until('Z')), "2DCZ");
    // The other way round: the close works, the new text fails, the name is gone.
    let mut batch = target(b'C', 'S', "s");
    batch.extend(parse("s", FAILS));
    batch.extend(sync());
    batch.extend(bind("", "s", &[], 0));
    batch.extend(execute("", 0));
    batch.extend(sync());
    batch.extend(parse("s", PHONES));
    batch.extend(bind("", "s", &[], 0));
    batch.extend(execute("", 0));
    batch.extend(sync());
    raw.send(&batch);
    assert_eq!(tags(&raw.until('Z')), "3EZ");
    let gone = raw.until('Z');
    assert!(tags(&gone) == "EZ" && shown(&gone).contains("26000"), "{gone:?}");
    let rows = raw.until('Z');
    assert!(leaks(&shown(&rows)).is_empty(), "{rows:?}");
    assert_eq!(tags(&rows), "12DDDCZ", "{rows:?}");
}

#[test]
fn a_name_that_sql_freed_is_free() {
    let stage = stage();
    let mut raw = Raw::open(&stage.tunnel);
    for free in ["deallocate s", "deallocate all", "deallocate prepare s"] {
        let mut batch = parse("s", "select 1");
        batch.extend(sync());
        raw.send(&batch);
        let replies = raw.until('Z');
        assert_eq!(tags(&replies), "1Z", "{free}: {replies:?}");
        raw.query(free);
        let mut batch = bind("", "s", &[], 0);
        batch.extend(sync());
        raw.send(&batch);
        assert_eq!(tags(&raw.until('Z')), "EZ", "{free}");
    }
    let mut batch = parse("s", PHONES);
    batch.extend(bind("", "s", &[], 0));
    batch.extend(execute("", 0));
    batch.extend(sync());
    raw.send(&batch);
    let rows = raw.until('Z');
    assert!(leaks(&shown(&rows)).is_empty() && tags(&rows) == "12DDDCZ", "{rows:?}");
}

#[test]
fn nothing_runs_between_a_refusal_and_its_sync() {
    let stage = stage();
    let mut raw = Raw::open(&stage.tunnel);
    let mut batch = parse("", "truncate orders");
    batch.extend(bind("", "", &[], 0));
    batch.extend(execute("", 0));
    batch.extend(flush());
    batch.extend(query("update orders set status = 'lost' where id = 1"));
    batch.extend(parse("", "update orders set status = 'lost' where id = 2"));
    batch.extend(bind("", "", &[], 0));
    batch.extend(execute("", 0));
    batch.extend(sync());
    raw.send(&batch);
    let replies = raw.until('Z');
    assert_eq!(tags(&replies), "EZ", "{replies:?}");
    assert_eq!(stage.database.value("select count(*) from orders where status = 'lost'"), "0");
    assert_eq!(stage.database.value("select count(*) from orders"), "200");
    assert_eq!(tags(&raw.query("select 3")), "TDCZ");
}

#[test]
fn a_portal_name_that_sql_took_over_shows_nothing_masked() {
    let stage = stage();
    let mut raw = Raw::open(&stage.tunnel);
    raw.query("begin");
    let mut batch = parse("", PHONES);
    batch.extend(bind("c", "", &[], 0));
    batch.extend(sync());
    raw.send(&batch);
    assert_eq!(tags(&raw.until('Z')), "12Z");
    let rows = raw.query("fetch 1 from c; fetch 1 from c");
    assert!(leaks(&shown(&rows)).is_empty() && tags(&rows) == "TDCTDCZ", "{rows:?}");
    raw.query("close c");
    let declared = raw.query("declare c cursor for select phone from customers");
    assert_eq!(tags(&declared), "CZ", "{declared:?}");
    let rows = raw.query("fetch 1 from c");
    assert!(leaks(&shown(&rows)).is_empty() && tags(&rows) == "TDCZ", "{rows:?}");
    raw.send(&[execute("c", 0), sync()].concat());
    let rows = raw.until('Z');
    assert!(leaks(&shown(&rows)).is_empty(), "{rows:?}");
    raw.query("rollback");
    assert_eq!(tags(&raw.query("select 3")), "TDCZ");
}

#[test]
fn broken_bodies_and_lengths_end_in_an_error_and_nothing_more() {
    let stage = stage();
    // A body that ends early or late is one error; the next message is read as usual.
    let mut raw = Raw::open(&stage.tunnel);
    for broken in [frame(b'Q', b"select 1"), frame(b'Q', b"select 1\0drop table orders\0"), frame(b'Q', b"\xff\0")] {
        raw.send(&broken);
        let replies = raw.until('Z');
        assert_eq!(tags(&replies), "EZ", "{replies:?}");
    }
    for broken in [frame(b'P', b"s\0select 1\0"), frame(b'B', b"\0"), frame(b'E', b"\0\0"), frame(b'D', b"Xs\0")] {
        raw.send(&[broken, sync()].concat());
        let replies = raw.until('Z');
        assert_eq!(tags(&replies), "EZ", "{replies:?}");
    }
    assert_eq!(tags(&raw.query("select 3")), "TDCZ");
    for broken in
        [&b"Q\xff\xff\xff\xff"[..], b"Q\0\0\0\0", b"Q\0\0\0\x03", b"X\x7f\xff\xff\xff", b"\0\0\0\0\x04", b"d\x80\0\0\0"]
    {
        let mut raw = Raw::open(&stage.tunnel);
        raw.send(broken);
        let replies = raw.until('Z');
        assert!(!tags(&replies).contains('Z'), "{broken:?}: {replies:?}");
    }
}
