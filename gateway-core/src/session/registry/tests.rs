//! Who cancels, who is ended, and what a watcher learns.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::model::{ConnectionFacts, ConnectionKind, PrincipalKind};

fn person(name: &str) -> Principal {
    Principal {
        kind: PrincipalKind::User,
        name: PrincipalName::new(name).unwrap(),
        groups: BTreeSet::new(),
        claims: BTreeMap::new(),
        owner: None,
        lent_by: None,
    }
}

fn key(byte: u8) -> CancelKey {
    CancelKey::new(bytes::Bytes::from(vec![byte; 32])).unwrap()
}

fn connection(name: &str) -> ConnectionName {
    ConnectionName::new(name).unwrap()
}

fn entry(id: &SessionId, who: &str, source: Source) -> Entry {
    let entry = SessionEntry {
        id: id.clone(),
        principal: person(who),
        connection: ConnectionFacts {
            name: connection("pg-prod"),
            kind: ConnectionKind::Postgres,
            labels: BTreeMap::new(),
            database: "shop".into(),
        },
        started_at_millis: 1,
        ended_at_millis: None,
        end_reason: None,
        run: None,
        counts: SessionCounts::default(),
    };
    Entry {
        known: Arc::new(entry),
        source,
        process_id: 7,
        key: key(9),
        proved_at: Instant::now(),
        retired: watch::Sender::new(None).subscribe(),
        outer: None,
    }
}

fn id(number: u64) -> SessionId {
    SessionId::new(number, [1; 10])
}

#[test]
fn a_native_cancel_needs_the_key_and_a_connection_of_that_listener() {
    let registry = Registry::default();
    let (prod, other) = (connection("pg-prod"), connection("pg-dev"));
    let mut member = registry.enter(entry(&id(1), "alice", Source::Native));
    registry.cancel_native(&[other], 7, &key(9));
    registry.cancel_native(std::slice::from_ref(&prod), 8, &key(9));
    registry.cancel_native(std::slice::from_ref(&prod), 7, &key(8));
    assert!(member.signals.try_recv().is_err());
    registry.cancel_native(std::slice::from_ref(&prod), 7, &key(9));
    assert_eq!(member.signals.try_recv(), Ok(Signal::Cancel));
}

#[test]
fn only_the_same_principal_on_the_same_connection_cancels() {
    let registry = Registry::default();
    let (prod, other) = (connection("pg-prod"), connection("pg-dev"));
    let mut member = registry.enter(entry(&id(1), "alice", Source::Tunnel));
    registry.cancel(&person("bob"), &prod, 7, &key(9));
    registry.cancel(&person("alice"), &other, 7, &key(9));
    registry.cancel(&person("alice"), &prod, 7, &key(8));
    registry.cancel_native(&[prod.clone(), other], 7, &key(9));
    assert!(member.signals.try_recv().is_err());
    registry.cancel(&person("alice"), &prod, 7, &key(9));
    assert_eq!(member.signals.try_recv(), Ok(Signal::Cancel));
    drop(member);
    assert!(registry.is_empty());
}

#[test]
fn a_queue_full_of_cancels_does_not_keep_a_kill_out() {
    let registry = Registry::default();
    let member = registry.enter(entry(&id(1), "alice", Source::Tunnel));
    for _ in 0..50 {
        registry.cancel(&person("alice"), &connection("pg-prod"), 7, &key(9));
    }
    let bob = PrincipalName::new("bob").unwrap();
    assert!(registry.kill(&id(1), &bob, Some("runaway".into())));
    assert!(!registry.kill(&id(2), &bob, None), "there is no such session");
    registry.stop();
    let end = member.end.borrow().clone();
    assert_eq!(end, Some(End::Killed { by: bob, reason: Some("runaway".into()) }), "the first reason stands");
}

#[test]
fn who_comes_after_the_stop_is_ended_at_once() {
    let registry = Registry::default();
    registry.stop();
    let member = registry.enter(entry(&id(1), "alice", Source::Tunnel));
    assert_eq!(*member.end.borrow(), Some(End::Stopped));
    assert!(*registry.stopped().borrow());
}

#[test]
fn a_logout_ends_the_sessions_of_that_principal_alone() {
    let registry = Registry::default();
    let ended = |member: &Membership| member.end.borrow().is_some();
    let native = registry.enter(entry(&id(1), "alice", Source::Native));
    let tunnel = registry.enter(entry(&id(2), "alice", Source::Tunnel));
    let other = registry.enter(entry(&id(3), "bob", Source::Native));
    registry.log_out(&person("alice"));
    assert_eq!([ended(&native), ended(&tunnel), ended(&other)], [true, true, false]);
}

#[test]
fn a_logout_ends_what_an_agent_does_with_the_presence_that_was_lent_to_it() {
    let registry = Registry::default();
    let lent = |number, lender: &str| {
        let entry = entry(&id(number), "crew", Source::Tunnel);
        let principal = Principal { lent_by: Some(Arc::new(person(lender))), ..entry.known.principal.clone() };
        Entry { known: Arc::new(SessionEntry { principal, ..(*entry.known).clone() }), ..entry }
    };
    let (hers, his) = (registry.enter(lent(1, "alice")), registry.enter(lent(2, "bob")));
    registry.log_out(&person("alice"));
    assert_eq!([hers.end.borrow().clone(), his.end.borrow().clone()], [Some(End::LoggedOut), None]);
}

/// Somebody waits for an approval to connect, or is slow: no session is live that a logout could end.
#[tokio::test]
async fn who_proved_who_they_are_before_their_logout_finds_no_way_in_and_a_new_login_does() {
    let registry = Registry::default();
    let on_the_way = entry(&id(1), "alice", Source::Native);
    let (proved_at, mut logouts) = (on_the_way.proved_at, registry.logouts());
    registry.log_out(&person("bob"));
    assert!(!registry.is_logged_out(&person("alice"), proved_at));
    registry.log_out(&person("alice"));
    logged_out(&mut logouts, &person("alice"), proved_at).await;
    assert_eq!(*registry.enter(on_the_way).end.borrow(), Some(End::LoggedOut));
    let again = registry.enter(entry(&id(2), "alice", Source::Native));
    assert_eq!(*again.end.borrow(), None, "she logged in again");
}

#[test]
fn a_watcher_learns_each_change_of_counts_once() {
    let registry = Registry::default();
    let (one, _quiet) =
        (registry.enter(entry(&id(1), "alice", Source::Tunnel)), registry.enter(entry(&id(2), "bob", Source::Tunnel)));
    let mut seen = HashMap::new();
    assert!(registry.changed_since(&mut seen).is_empty(), "nothing was counted yet");
    let counts = SessionCounts { operations: 3, refused: 1, held: 0, masked: 8 };
    one.counts.set(counts);
    let changed = registry.changed_since(&mut seen);
    assert_eq!(changed.iter().map(|(entry, counts)| (&entry.id, *counts)).collect::<Vec<_>>(), [(&id(1), counts)]);
    assert!(registry.changed_since(&mut seen).is_empty());
    assert_eq!(registry.counts(&id(1)), Some(counts));
    drop(one);
    assert!(registry.changed_since(&mut seen).is_empty() && seen.is_empty() && !registry.is_live(&id(1)));
}
