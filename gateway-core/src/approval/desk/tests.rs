//! The desk over a real store and a clock that the test moves; nothing sleeps.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::{
    approval::testing::{agent, person, request},
    store::Store,
};

async fn desk_over(store: &Store, clock: &WallClock) -> Desk {
    Desk::open(Arc::new(store.clone()), clock.clone(), Limits::STANDARD).await.unwrap()
}

async fn desk() -> (Desk, Store, WallClock) {
    let store = Store::in_memory().unwrap();
    let clock = WallClock::manual(0);
    (desk_over(&store, &clock).await, store, clock)
}

#[tokio::test]
async fn an_approved_ticket_becomes_the_one_grant() {
    let (desk, _store, _clock) = desk().await;
    let mut ticket = desk.submit(request(1, person("alice", &[]))).await.unwrap();
    let id = ticket.id().clone();
    desk.review(&id, &person("bob", &["dba"]), Vote::Approve, None).await.unwrap();
    assert!(matches!(ticket.settled().await, State::Approved { .. }));
    let grant = ticket.into_grant().unwrap();
    assert_eq!((grant.id(), grant.digest()), (&id, &[1; 32]));
    assert_eq!(desk.show(&id).await.unwrap().state().word(), "approved");
}

#[tokio::test]
async fn a_pending_or_denied_ticket_gives_no_grant() {
    let (desk, _store, _clock) = desk().await;
    let pending = desk.submit(request(1, person("alice", &[]))).await.unwrap();
    assert!(pending.into_grant().is_none());
    let mut denied = desk.submit(request(2, person("alice", &[]))).await.unwrap();
    desk.review(denied.id(), &person("bob", &["dba"]), Vote::Deny, Some("no".into())).await.unwrap();
    assert!(matches!(denied.settled().await, State::Denied { .. }));
    assert!(denied.into_grant().is_none());
}

#[tokio::test]
async fn an_approval_that_is_not_used_in_time_gives_no_grant() {
    let (desk, _store, clock) = desk().await;
    let ticket = desk.submit(request(1, person("alice", &[]))).await.unwrap();
    desk.review(ticket.id(), &person("bob", &["dba"]), Vote::Approve, None).await.unwrap();
    clock.advance(60_000);
    assert!(ticket.into_grant().is_none());
}

#[tokio::test]
async fn dropping_the_ticket_withdraws_the_request() {
    let (desk, _store, _clock) = desk().await;
    let ticket = desk.submit(request(1, person("alice", &[]))).await.unwrap();
    let id = ticket.id().clone();
    drop(ticket);
    let answer = desk.review(&id, &person("bob", &["dba"]), Vote::Approve, None).await;
    assert_eq!(answer, Err(DeskError::Review(ReviewError::Settled("withdrawn"))));
    assert_eq!(desk.show(&id).await.unwrap().state(), &State::Withdrawn);
}

#[tokio::test]
async fn expiry_settles_the_ticket_and_refuses_late_reviews() {
    let (desk, _store, clock) = desk().await;
    let mut ticket = desk.submit(request(1, person("alice", &[]))).await.unwrap();
    clock.advance(60_000);
    let answer = desk.review(ticket.id(), &person("bob", &["dba"]), Vote::Approve, None).await;
    assert_eq!(answer, Err(DeskError::Review(ReviewError::Settled("expired"))));
    assert_eq!(ticket.settled().await, State::Expired);
}

#[tokio::test]
async fn the_timer_expires_a_request_that_nobody_touches() {
    let store = Store::in_memory().unwrap();
    let desk = desk_over(&store, &WallClock::system()).await;
    let mut soon = request(1, person("alice", &[]));
    soon.expires_at_millis = WallClock::system().unix_millis() + 20;
    let mut ticket = desk.submit(soon).await.unwrap();
    assert_eq!(ticket.settled().await, State::Expired);
}

#[tokio::test]
async fn a_restart_withdraws_what_was_pending() {
    let (desk, store, clock) = desk().await;
    let ticket = desk.submit(request(1, person("alice", &[]))).await.unwrap();
    let again = desk_over(&store, &clock).await;
    assert_eq!(again.show(ticket.id()).await.unwrap().state(), &State::Withdrawn);
    let answer = again.review(ticket.id(), &person("bob", &["dba"]), Vote::Approve, None).await;
    assert_eq!(answer, Err(DeskError::Review(ReviewError::Settled("withdrawn"))));
}

#[tokio::test]
async fn a_policy_change_supersedes_the_request() {
    let (desk, _store, _clock) = desk().await;
    let mut ticket = desk.submit(request(1, person("alice", &[]))).await.unwrap();
    desk.supersede(ticket.id()).await.unwrap();
    assert_eq!(ticket.settled().await, State::Superseded);
}

#[tokio::test]
async fn pending_requests_are_bounded_per_principal_and_in_total() {
    let store = Arc::new(Store::in_memory().unwrap());
    let limits = Limits { pending_per_principal: 2, pending: 3 };
    let desk = Desk::open(store, WallClock::manual(0), limits).await.unwrap();
    let _first = desk.submit(request(1, person("alice", &[]))).await.unwrap();
    let _second = desk.submit(request(2, person("alice", &[]))).await.unwrap();
    let third = desk.submit(request(3, person("alice", &[]))).await;
    assert_eq!(third.unwrap_err(), SubmitError::TooManyOfYours(2));
    let _third = desk.submit(request(3, agent("crew", "alice", &[]))).await.unwrap();
    let fourth = desk.submit(request(4, person("bob", &[]))).await;
    assert_eq!(fourth.unwrap_err(), SubmitError::TooMany(3));
}

#[tokio::test]
async fn a_request_that_nobody_could_approve_is_refused_at_once() {
    let (desk, _store, _clock) = desk().await;
    let mut impossible = request(1, person("alice", &[]));
    impossible.need.quorums.clear();
    assert_eq!(desk.submit(impossible).await.unwrap_err(), SubmitError::NoQuorum);
}

#[tokio::test]
async fn a_request_too_large_to_review_is_refused() {
    let (desk, _store, _clock) = desk().await;
    let mut large = request(1, person("alice", &[]));
    large.parameters = vec![Some("x".repeat(MAX_SHOWN_BYTES)), None];
    assert!(matches!(desk.submit(large).await, Err(SubmitError::TooLarge(_))));
}

struct Failing {
    store: Store,
    broken: AtomicBool,
}

impl Storage for Failing {
    fn save(&self, case: &Case) -> Result<(), StorageError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(StorageError("the disk is full".into()));
        }
        self.store.save(case)
    }
    fn load(&self, id: &ApprovalId) -> Result<Option<Case>, StorageError> {
        self.store.load(id)
    }
    fn list(&self, listed: Listed, limit: usize) -> Result<Vec<Case>, StorageError> {
        self.store.list(listed, limit)
    }
    fn withdraw_pending(&self) -> Result<usize, StorageError> {
        self.store.withdraw_pending()
    }
}

#[tokio::test]
async fn a_review_that_cannot_be_stored_does_not_count() {
    let storage = Arc::new(Failing { store: Store::in_memory().unwrap(), broken: AtomicBool::new(false) });
    let shared: Arc<dyn Storage> = Arc::<Failing>::clone(&storage);
    let desk = Desk::open(shared, WallClock::manual(0), Limits::STANDARD).await.unwrap();
    let ticket = desk.submit(request(1, person("alice", &[]))).await.unwrap();
    storage.broken.store(true, Ordering::SeqCst);
    let answer = desk.review(ticket.id(), &person("bob", &["dba"]), Vote::Approve, None).await;
    assert!(matches!(answer, Err(DeskError::Storage(_))));
    assert!(ticket.state().is_pending());
    assert!(matches!(desk.submit(request(2, person("alice", &[]))).await, Err(SubmitError::Storage(_))));
    storage.broken.store(false, Ordering::SeqCst);
    desk.review(ticket.id(), &person("bob", &["dba"]), Vote::Approve, None).await.unwrap();
    assert!(ticket.into_grant().is_some());
}
