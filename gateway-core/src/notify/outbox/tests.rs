//! The outbox over a real store, filled by a real desk.

use super::*;
use crate::{
    approval::{
        Desk, Limits, NoOversight, Vote,
        testing::{person, request},
    },
    notify::{Addresses, EventKind, Filter},
};

fn addressee(name: &str, events: &[EventKind]) -> Addressee {
    let filter = Filter { events: events.iter().copied().collect(), ..Filter::default() };
    Addressee { name: name.into(), filter, addresses: Addresses::Itself }
}

async fn desk(outbox: &Outbox, store: &Store, clock: &WallClock) -> Desk {
    let store = store.clone().announcing(Arc::new(outbox.clone()));
    Desk::open(Arc::new(store), clock.clone(), Limits::STANDARD, Arc::new(NoOversight)).await.unwrap()
}

async fn told(outbox: &Outbox) -> Vec<(String, EventKind)> {
    let mut all = outbox.list(100).await.unwrap();
    all.sort_by_key(|one| (one.target.clone(), one.notice.event));
    all.into_iter().map(|one| (one.target, one.notice.event)).collect()
}

#[tokio::test]
async fn a_change_is_entered_with_the_case_and_once_for_each_receiver() {
    let (store, clock) = (Store::in_memory().unwrap(), WallClock::manual(0));
    let addressees = vec![addressee("chat", &[EventKind::Denied]), addressee("hook", &[])];
    let outbox = Outbox::new(store.clone(), addressees, clock.clone());
    let desk = desk(&outbox, &store, &clock).await;
    let ticket = desk.submit(request(1, person("alice", &[]))).await.unwrap();
    assert_eq!(told(&outbox).await, [("hook".to_owned(), EventKind::Requested)]);
    desk.review(ticket.id(), &person("bob", &["dba"]), Vote::Deny, Some("no".into())).await.unwrap();
    let expected = [("chat", EventKind::Denied), ("hook", EventKind::Requested), ("hook", EventKind::Denied)];
    assert_eq!(told(&outbox).await, expected.map(|(name, event)| (name.to_owned(), event)));
}

#[tokio::test]
async fn what_a_dead_gateway_left_pending_is_told_as_withdrawn() {
    let (store, clock) = (Store::in_memory().unwrap(), WallClock::manual(0));
    let outbox = Outbox::new(store.clone(), vec![addressee("hook", &[EventKind::Withdrawn])], clock.clone());
    let before = desk(&outbox, &store, &clock).await;
    let _ticket = before.submit(request(1, person("alice", &[]))).await.unwrap();
    let _after = desk(&outbox, &store, &clock).await;
    assert_eq!(told(&outbox).await, [("hook".to_owned(), EventKind::Withdrawn)]);
}

#[tokio::test]
async fn an_id_names_one_event_for_one_receiver() {
    let notice = Notice::of_case(&Case::open(request(1, person("alice", &[]))), None, 0).unwrap();
    let other = Notice { event: EventKind::Expired, ..notice.clone() };
    let one = id(&notice, "hook", None);
    assert_eq!((one.len(), one.starts_with("msg_")), (36, true));
    assert_eq!(one, id(&Notice { at_millis: 9, ..notice.clone() }, "hook", None));
    let others = [id(&other, "hook", None), id(&notice, "hook2", None), id(&notice, "hook", Some("a@x.test"))];
    assert!(!others.contains(&one), "{others:?}");
}

#[tokio::test]
async fn entering_the_same_again_changes_nothing() {
    let outbox = Outbox::new(Store::in_memory().unwrap(), vec![addressee("hook", &[])], WallClock::manual(0));
    let notice = Notice::of_case(&Case::open(request(1, person("alice", &[]))), None, 0).unwrap();
    outbox.tell(&notice).await.unwrap();
    outbox.tell(&notice).await.unwrap();
    assert_eq!(outbox.counts().await.unwrap().waiting, 1);
    let id = outbox.list(1).await.unwrap().remove(0).id;
    assert!(outbox.forget(&id).await.unwrap() && !outbox.forget(&id).await.unwrap());
    assert!(!outbox.retry(&id).await.unwrap());
}
