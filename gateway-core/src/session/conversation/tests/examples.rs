//! Single orders of messages that once went wrong, or easily could.

use super::*;

fn run(sent: &[Sent]) -> World {
    let mut world = World::new();
    for one in sent {
        world.client(*one);
        world.check().unwrap();
    }
    world
}

const PARSE: Sent = Sent::Parse { name: 1, number: 1, fails: false };
const PARSE_THAT_FAILS: Sent = Sent::Parse { name: 1, number: 1, fails: true };
const QUERY: Sent = Sent::Query { number: 2, fails: false, begins: false, ends: false };

#[test]
fn a_query_behind_a_failed_message_is_skipped_up_to_sync() {
    let mut world = run(&[PARSE_THAT_FAILS, QUERY]);
    world.serve();
    let ended = world.talk.failed();
    assert_eq!(ended.skipped, [OperationNumber(2)]);
    assert!(world.talk.skipping && world.talk.is_settled());
}

#[test]
fn a_skipped_query_leaves_the_unnamed_statement() {
    let unnamed = Sent::Parse { name: 0, number: 1, fails: false };
    let mut world = run(&[unnamed, PARSE_THAT_FAILS, QUERY, Sent::Sync]);
    world.settle();
    assert!(matches!(world.talk.statement(&name(0)), Lookup::Known(prepared) if prepared.number.0 == 1));
}

#[test]
fn a_statement_restored_after_an_error_is_settled() {
    let unnamed = |number| Sent::Parse { name: 0, number, fails: false };
    let mut world = run(&[unnamed(1), Sent::FaultBatch, Sent::Sync]);
    world.settle();
    assert!(matches!(world.talk.statement(&name(0)), Lookup::Known(_)));
}

#[test]
fn a_name_of_an_unanswered_batch_is_not_used_in_the_next() {
    let mut world = run(&[PARSE, Sent::Sync]);
    assert!(matches!(world.talk.statement(&name(1)), Lookup::Unsettled));
    assert!(matches!(world.talk.statement(&name(2)), Lookup::Absent));
    world.settle();
    assert!(matches!(world.talk.statement(&name(1)), Lookup::Known(_)));
}

#[test]
fn a_statement_that_awaits_copy_data_still_awaits_it_after_an_earlier_error() {
    let mut world = run(&[PARSE_THAT_FAILS, Sent::Sync, QUERY]);
    world.talk.copy_in = CopyIn::Awaited(OperationNumber(2));
    world.talk.failed();
    assert_eq!(world.talk.copy_in, CopyIn::Awaited(OperationNumber(2)));
    assert!(world.talk.ready(b'I').is_some());
    assert_eq!(world.talk.copy_in, CopyIn::Awaited(OperationNumber(2)));
    assert!(world.talk.ready(b'I').is_some());
    assert_eq!(world.talk.copy_in, CopyIn::Idle);
}

#[test]
fn a_skipped_copy_awaits_nothing() {
    let mut world = run(&[PARSE_THAT_FAILS, QUERY]);
    world.talk.copy_in = CopyIn::Awaited(OperationNumber(2));
    world.talk.failed();
    assert_eq!(world.talk.copy_in, CopyIn::Idle);
}

#[test]
fn portals_of_an_answered_turn_are_gone_outside_a_transaction() {
    let bind = |number| Sent::Bind { portal: 1, statement: 1, number, fails: false };
    let mut world = run(&[PARSE, bind(3), Sent::Sync]);
    (0..3).for_each(|_| world.serve());
    (0..2).for_each(|_| world.answer());
    let (_, ended) = world.talk.ready(b'I').unwrap();
    assert_eq!(ended.dropped, [OperationNumber(3)]);
    assert!(matches!(world.talk.portal(&name(1)), Lookup::Absent));
}

#[test]
fn a_ready_that_nobody_asked_for_cannot_be_followed() {
    assert!(Conversation::new().ready(b'I').is_none() && run(&[PARSE]).talk.ready(b'I').is_none());
}

#[test]
fn a_portal_that_a_query_puts_away_is_over_also_after_a_bind_over_it_failed() {
    let bind = |number, fails| Sent::Bind { portal: 0, statement: 1, number, fails };
    let query = |number, begins, ends| Sent::Query { number, fails: false, begins, ends };
    for fails in [false, true] {
        let mut world = run(&[query(1, true, false), PARSE, bind(3, false), Sent::Sync]);
        world.settle();
        if fails {
            world.client(bind(4, true));
            world.client(Sent::Sync);
            world.settle();
        }
        assert!(world.open.contains(&OperationNumber(3)), "it is suspended");
        world.client(query(5, false, true));
        world.settle();
        assert!(world.open.is_empty(), "{:?}", world.open);
    }
}
