//! Who shares what was understood.

use super::*;
use crate::protocol::postgres::inspect::tests::{PUBLIC_FIRST, sight};

fn kept(cache: &Understandings) -> usize {
    cache.shards.iter().map(|shard| shard.lock().unwrap().values().map(Vec::len).sum::<usize>()).sum()
}

#[test]
fn the_same_text_in_the_same_sight_is_understood_once() {
    let (cache, sight) = (Understandings::default(), sight(&["email"], PUBLIC_FIRST));
    for text in ["select email from customers", "select name from customers where id = 7", ""] {
        let first = cache.of(text, &sight).unwrap();
        assert!(Arc::ptr_eq(&first, &cache.of(text, &sight.clone()).unwrap()), "{text}");
    }
    assert_eq!(kept(&cache), 3);
}

#[test]
fn another_sight_understands_for_itself() {
    let (cache, text) = (Understandings::default(), "select email from customers");
    let veiled = sight(&["email"], PUBLIC_FIRST);
    let mut clear = sight(&[], PUBLIC_FIRST);
    clear.fingerprint = veiled.fingerprint + 1;
    let (one, other) = (cache.of(text, &veiled).unwrap(), cache.of(text, &clear).unwrap());
    assert!(!Arc::ptr_eq(&one, &other));
    assert_ne!(one.masking, other.masking);
    assert!(Arc::ptr_eq(&one, &cache.of(text, &veiled).unwrap()));
}

#[test]
fn a_text_with_another_space_is_another_text() {
    let (cache, sight) = (Understandings::default(), sight(&[], PUBLIC_FIRST));
    let (one, other) = (cache.of("select 1", &sight).unwrap(), cache.of("select  1", &sight).unwrap());
    assert!(!Arc::ptr_eq(&one, &other) && *other.text == *"select  1");
}

#[test]
fn a_twin_keeps_its_own_text_and_no_entry() {
    let (cache, sight) = (Understandings::default(), sight(&[], PUBLIC_FIRST));
    let (one, other) = ("select name from orders where id = 71", "select name from orders where id = 18");
    cache.of(one, &sight).unwrap();
    assert_eq!(&*cache.of(other, &sight).unwrap().text, other);
    assert_eq!(&*cache.of(one, &sight).unwrap().text, one);
    assert_eq!(kept(&cache), 1);
}

#[test]
fn what_the_grammar_rejects_is_not_kept() {
    let (cache, sight) = (Understandings::default(), sight(&[], PUBLIC_FIRST));
    assert!(cache.of("selec 1", &sight).is_err());
    assert!(cache.of("selec 1", &sight).is_err());
    assert_eq!(kept(&cache), 0);
}

#[test]
fn long_texts_are_not_kept() {
    let (cache, sight) = (Understandings::default(), sight(&[], PUBLIC_FIRST));
    let text = format!("select {}", vec!["1"; MAX_CACHED_BYTES].join(","));
    assert_eq!(&*cache.of(&text, &sight).unwrap().text, text);
    assert_eq!(kept(&cache), 0);
}
