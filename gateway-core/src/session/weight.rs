//! What a session weighs and what a statement costs, as bounds that no other work on the machine can shake: bytes of
//! types and numbers of allocations, never time.

use std::sync::Arc;

use bytes::BytesMut;

use super::{relay::Session, understanding::Understandings};
use crate::protocol::postgres::{
    codec::{FrameDecoder, Piece, encode_frontend, parse_frontend},
    inspect::tests::{PUBLIC_FIRST, sight},
    message::{Frontend, Query, Text},
};

/// How large the future is that such a function makes.
fn future_bytes<A, B, C, D, F: Future>(_function: impl FnOnce(A, B, C, D) -> F) -> usize {
    size_of::<F>()
}

fn allocations(work: impl FnOnce()) -> u64 {
    allocation_counter::measure(work).count_total
}

#[test]
fn an_idle_session_is_a_few_kilobytes() {
    let (session, serving) = (size_of::<Session>(), future_bytes(Session::serve));
    assert!(session <= 2_688, "a session is {session} bytes");
    assert!(serving <= 12_288, "the future that serves a session is {serving} bytes");
}

#[test]
fn a_text_that_was_understood_before_allocates_nothing() {
    let (cache, sight) = (Understandings::default(), sight(&["email"], PUBLIC_FIRST));
    let text = "select name, total from orders where id = $1 and total > 10";
    let first = cache.of(text, &sight).unwrap();
    let counted = allocations(|| assert!(Arc::ptr_eq(&first, &cache.of(text, &sight).unwrap())));
    assert_eq!(counted, 0);
}

#[test]
fn a_twin_is_understood_in_a_few_allocations() {
    let (cache, sight) = (Understandings::default(), sight(&[], PUBLIC_FIRST));
    cache.of("select name from orders where id = 71", &sight).unwrap();
    let counted = allocations(|| drop(cache.of("select name from orders where id = 18", &sight).unwrap()));
    assert!(counted <= 16, "{counted} allocations");
}

#[test]
fn a_message_is_decoded_and_encoded_in_one_allocation() {
    let (mut decoder, mut arrived, mut out) =
        (FrameDecoder::frontend(), BytesMut::new(), BytesMut::with_capacity(4_096));
    encode_frontend(&Frontend::Query(Query { text: Text::copied("select 1").unwrap() }), &mut arrived);
    let counted = allocations(|| {
        let Ok(Some(Piece::Frame(frame))) = decoder.next(&mut arrived) else { panic!("a frame") };
        encode_frontend(&parse_frontend(&frame).unwrap(), &mut out);
    });
    assert!(counted <= 1, "{counted} allocations");
}
