//! How many prepared statements a session keeps, and how long their texts may be together.

use super::*;
use crate::protocol::postgres::inspect;

fn understood(text: &str) -> Arc<Understood> {
    let sight = inspect::tests::sight(&[], inspect::tests::PUBLIC_FIRST);
    let understood = inspect::understand("select 1", &sight).unwrap();
    Arc::new(Understood { text: Arc::from(text), ..understood })
}

/// Prepares as long as that is not too much; gives how many there are then.
fn fill(talk: &mut Conversation, understood: &Arc<Understood>) -> usize {
    let mut kept = 0;
    while !talk.is_full(understood.text.len()) {
        let name = Text::copied(&format!("s{kept}")).unwrap();
        talk.sent_parse(OperationNumber(0), name, Arc::clone(understood), Arc::from([]));
        kept += 1;
    }
    kept
}

#[test]
fn a_session_keeps_ten_thousand_statements() {
    let (mut talk, short) = (Conversation::new(), understood("select 1"));
    assert_eq!(fill(&mut talk, &short), 10_000);
    talk.sent_close_statement(Text::copied("s0").unwrap());
    assert!(!talk.is_full(short.text.len()), "one was closed");
}

#[test]
fn a_session_keeps_sixty_four_mebibytes_of_texts() {
    let (mut talk, long) = (Conversation::new(), understood(&"x".repeat(1 << 20)));
    assert_eq!(fill(&mut talk, &long), 64);
    assert!(talk.is_full(1));
    talk.sent_close_statement(Text::copied("s0").unwrap());
    assert!(!talk.is_full(1 << 20) && talk.is_full((1 << 20) + 1), "one was closed");
}
