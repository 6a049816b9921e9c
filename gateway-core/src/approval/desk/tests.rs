//! The desk over a real store and a clock that the test moves; nothing sleeps.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::{
    approval::NoOversight,
    approval::testing::{agent, person, request},
    store::Store,
};

async fn desk_over(store: &Store, clock: &WallClock) -> Desk {
    Desk::open(Arc::new(store.clone()), clock.clone(), Limits::STANDARD, Arc::new(NoOversight)).await.unwrap()
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
    assert!(pending.into_grant().is_err());
    let mut denied = desk.submit(request(2, person("alice", &[]))).await.unwrap();
    desk.review(denied.id(), &person("bob", &["dba"]), Vote::Deny, Some("no".into())).await.unwrap();
    assert!(matches!(denied.settled().await, State::Denied { .. }));
    assert!(denied.into_grant().is_err());
}

#[tokio::test]
async fn an_approval_that_is_not_used_in_time_gives_no_grant() {
    let (desk, _store, clock) = desk().await;
    let ticket = desk.submit(request(1, person("alice", &[]))).await.unwrap();
    desk.review(ticket.id(), &person("bob", &["dba"]), Vote::Approve, None).await.unwrap();
    clock.advance(60_000);
    assert!(ticket.into_grant().is_err());
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
    let desk = Desk::open(store, WallClock::manual(0), limits, Arc::new(NoOversight)).await.unwrap();
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
    fn save_opening(&self, case: &Case, lease: &Lease) -> Result<(), StorageError> {
        self.save(case)?;
        self.store.save_opening(case, lease)
    }
    fn leases(&self, now_millis: i64) -> Result<Vec<Lease>, StorageError> {
        self.store.leases(now_millis)
    }
    fn end_leases(&self, on: &ConnectionName) -> Result<(), StorageError> {
        self.store.end_leases(on)
    }
    fn of_shape(&self, shape: &ShapeId, on: &ConnectionName, limit: usize) -> Result<Vec<Case>, StorageError> {
        self.store.of_shape(shape, on, limit)
    }
    fn withdraw_pending(&self) -> Result<usize, StorageError> {
        self.store.withdraw_pending()
    }
}

#[tokio::test]
async fn a_review_that_cannot_be_stored_does_not_count() {
    let storage = Arc::new(Failing { store: Store::in_memory().unwrap(), broken: AtomicBool::new(false) });
    let shared: Arc<dyn Storage> = Arc::<Failing>::clone(&storage);
    let desk = Desk::open(shared, WallClock::manual(0), Limits::STANDARD, Arc::new(NoOversight)).await.unwrap();
    let ticket = desk.submit(request(1, person("alice", &[]))).await.unwrap();
    storage.broken.store(true, Ordering::SeqCst);
    let answer = desk.review(ticket.id(), &person("bob", &["dba"]), Vote::Approve, None).await;
    assert!(matches!(answer, Err(DeskError::Storage(_))));
    assert!(ticket.state().is_pending());
    assert!(matches!(desk.submit(request(2, person("alice", &[]))).await, Err(SubmitError::Storage(_))));
    storage.broken.store(false, Ordering::SeqCst);
    desk.review(ticket.id(), &person("bob", &["dba"]), Vote::Approve, None).await.unwrap();
    assert!(ticket.into_grant().is_ok());
}

/// The same thing asked again by another session.
fn again(number: u8, of: &Request) -> Request {
    let asked = request(number, of.requester.clone());
    Request { same: of.same, ..asked }
}

#[tokio::test]
async fn the_same_from_two_sessions_is_one_request_that_serves_the_newest() {
    let (desk, _store, _clock) = desk().await;
    let first = request(1, person("alice", &[]));
    let mut earlier = desk.submit(first.clone()).await.unwrap();
    let mut newest = desk.submit(again(2, &first)).await.unwrap();
    assert_eq!(earlier.id(), newest.id());
    let shown = desk.show(newest.id()).await.unwrap();
    assert_eq!((shown.request().retries, &shown.request().session), (1, &again(2, &first).session));
    assert_eq!(desk.list(Listed::Pending, 10).await.unwrap().len(), 1);
    desk.review(newest.id(), &person("bob", &["dba"]), Vote::Approve, None).await.unwrap();
    assert!(matches!(newest.settled().await, State::Approved { .. }));
    assert_eq!(earlier.settled().await, State::Withdrawn);
    assert!(earlier.into_grant().is_err(), "an approval serves one");
    assert_eq!(newest.into_grant().unwrap().digest(), &[2; 32]);
}

#[tokio::test]
async fn when_the_newest_leaves_the_one_before_is_served() {
    let (desk, _store, _clock) = desk().await;
    let first = request(1, person("alice", &[]));
    let mut earlier = desk.submit(first.clone()).await.unwrap();
    let newest = desk.submit(again(2, &first)).await.unwrap();
    drop(newest);
    desk.review(earlier.id(), &person("bob", &["dba"]), Vote::Approve, None).await.unwrap();
    assert!(matches!(earlier.settled().await, State::Approved { .. }));
    assert_eq!(desk.show(earlier.id()).await.unwrap().request().session, first.session);
    assert_eq!(earlier.into_grant().unwrap().digest(), &[1; 32]);
}

#[tokio::test]
async fn what_others_ask_or_other_reviewers_must_see_is_another_request() {
    let (desk, _store, _clock) = desk().await;
    let first = request(1, person("alice", &[]));
    let ticket = desk.submit(first.clone()).await.unwrap();
    let others = Request { requester: person("eve", &[]), ..again(2, &first) };
    let mut elsewhere = again(3, &first);
    elsewhere.need.quorums.first_mut().unwrap().count = 2;
    for other in [others, elsewhere] {
        assert_ne!(desk.submit(other).await.unwrap().id(), ticket.id());
    }
}

/// Access to a connection for a minute.
fn access(number: u8) -> Request {
    let asks = crate::approval::Asks::Access { reason: Some("incident".into()), for_millis: 60_000 };
    Request { asks, session: None, ..request(number, person("alice", &[])) }
}

#[tokio::test]
async fn approved_access_opens_a_window_that_survives_a_restart_and_ends() {
    let (desk, store, clock) = desk().await;
    let id = desk.ask(access(1)).await.unwrap();
    let mut waiting = desk.submit(Request { same: [1; 32], ..access(2) }).await.unwrap();
    assert_eq!(waiting.id(), &id, "who waits on the wire joins who asked");
    clock.advance(30_000);
    desk.review(&id, &person("bob", &["dba"]), Vote::Approve, None).await.unwrap();
    let (alice, to) = (person("alice", &[]), crate::approval::testing::connection().name);
    let open = |desk: &Desk, now| desk.leases().borrow().windows(&alice, &to, now).len();
    assert!(matches!(waiting.settled().await, State::Approved { .. }));
    assert_eq!((open(&desk, 30_000), open(&desk, 90_000)), (1, 0), "from the approval on, for a minute");
    assert_eq!(desk.leases().borrow().windows(&person("bob", &[]), &to, 30_000).len(), 0);
    drop(desk);
    let again = desk_over(&store, &clock).await;
    assert_eq!(open(&again, 30_000), 1);
    clock.advance(60_000);
    // The desk takes it away by itself; anything that is asked of it makes it look.
    drop(again.submit(request(9, person("carol", &[]))).await.unwrap());
    assert!(again.leases().borrow().is_empty());
    assert!(desk_over(&store, &clock).await.leases().borrow().is_empty());
}

#[tokio::test]
async fn what_is_open_on_a_connection_ends_when_the_connection_becomes_another_one() {
    let (desk, store, clock) = desk().await;
    let id = desk.ask(access(1)).await.unwrap();
    desk.review(&id, &person("bob", &["dba"]), Vote::Approve, None).await.unwrap();
    let pending = desk.ask(Request { requester: person("eve", &[]), same: [7; 32], ..access(2) }).await.unwrap();
    desk.close_on(&"pg-other".parse().unwrap()).await.unwrap();
    assert_eq!(desk.leases().borrow().iter().count(), 1, "another connection's change ends nothing here");
    desk.close_on(&crate::approval::testing::connection().name).await.unwrap();
    assert!(desk.leases().borrow().is_empty());
    assert_eq!(*desk.show(&pending).await.unwrap().state(), State::Superseded);
    assert!(desk_over(&store, &clock).await.leases().borrow().is_empty(), "not even after a restart");
}

#[tokio::test]
async fn a_request_without_a_session_stays_until_it_is_taken_back() {
    let (desk, _store, _clock) = desk().await;
    let id = desk.ask(access(1)).await.unwrap();
    drop(desk.submit(Request { same: [1; 32], ..access(2) }).await.unwrap());
    assert!(desk.works().await && desk.show(&id).await.unwrap().state().is_pending());
    assert_eq!(desk.withdraw(&id).await, Ok(State::Withdrawn));
    let late = desk.review(&id, &person("bob", &["dba"]), Vote::Approve, None).await;
    assert_eq!(late, Err(DeskError::Review(ReviewError::Settled("withdrawn"))));
    assert!(desk.leases().borrow().is_empty());
}

#[tokio::test]
async fn a_logout_takes_back_what_was_asked_for_apart_from_a_session() {
    let (desk, _store, _clock) = desk().await;
    let hers = desk.ask(access(1)).await.unwrap();
    let others = desk.ask(Request { requester: person("eve", &[]), same: [7; 32], ..access(2) }).await.unwrap();
    let held = desk.submit(request(3, person("eve", &[]))).await.unwrap();
    desk.log_out(&access(1).requester).await.unwrap();
    assert_eq!(*desk.show(&hers).await.unwrap().state(), State::Withdrawn);
    assert!(desk.show(&others).await.unwrap().state().is_pending(), "somebody else's stays");
    desk.log_out(&person("eve", &[])).await.unwrap();
    assert_eq!(*desk.show(&others).await.unwrap().state(), State::Withdrawn);
    let kept = desk.show(held.id()).await.unwrap();
    assert!(kept.state().is_pending(), "what a session waits for ends with the session");
}

#[tokio::test]
async fn a_shape_that_every_reviewer_lets_pass_gives_grants_within_its_bounds() {
    let (desk, _store, clock) = desk().await;
    let shape = ShapeId::of([b"delete".as_slice()]);
    let mut held = request(1, person("alice", &[]));
    (held.shape, held.shape_is_open) = (Some(shape.clone()), true);
    held.need.shape = Some(std::time::Duration::from_secs(30));
    let ticket = desk.submit(held).await.unwrap();
    let terms = Some(ShapeTerms { for_millis: 3_600_000, max_rows: 10 });
    let ballot = Ballot { vote: Vote::Approve, reason: None, shape: terms };
    desk.vote(ticket.id(), &person("bob", &["dba"]), ballot).await.unwrap();
    let (leases, to) = (desk.leases().borrow().clone(), crate::approval::testing::connection().name);
    let grant = |who: &str, shape: &ShapeId, rows, now| {
        leases.shape_grant(&person(who, &[]), &to, shape, rows, [7; 32], now).map(|grant| grant.id().clone())
    };
    assert_eq!(grant("alice", &shape, Some(10), 0).as_ref(), Some(ticket.id()));
    assert_eq!(grant("alice", &shape, Some(11), 0), None, "too many rows");
    assert_eq!(grant("alice", &shape, None, 0), None, "nobody knows how many rows");
    assert_eq!(grant("eve", &shape, Some(1), 0), None, "somebody else");
    assert_eq!(grant("alice", &ShapeId::of([b"other".as_slice()]), Some(1), 0), None);
    assert_eq!(grant("alice", &shape, Some(1), 30_000), None, "the policy allows half a minute");
    clock.advance(30_000);
    drop(desk.submit(request(9, person("carol", &[]))).await.unwrap());
    assert!(desk.leases().borrow().is_empty());
}

#[tokio::test]
async fn history_is_of_the_same_shape_on_the_same_connection() {
    let (desk, _store, _clock) = desk().await;
    let (one, other) = (ShapeId::of([b"one".as_slice()]), ShapeId::of([b"other".as_slice()]));
    for (number, shape) in [(1, &one), (2, &one), (3, &other)] {
        drop(
            desk.submit(Request { shape: Some(shape.clone()), ..request(number, person("alice", &[])) }).await.unwrap(),
        );
    }
    let here = crate::approval::testing::connection().name;
    assert_eq!(desk.of_shape(&one, &here, 10).await.unwrap().len(), 2);
    assert_eq!(desk.of_shape(&one, &here, 1).await.unwrap().len(), 1);
    assert_eq!(desk.of_shape(&one, &ConnectionName::new("elsewhere").unwrap(), 10).await.unwrap().len(), 0);
}

/// A surrounding in which bob may lose his right, and nothing may be writable.
#[derive(Default)]
struct Strict {
    bob_left: AtomicBool,
    unwritable: AtomicBool,
}

impl Oversight for Strict {
    fn groups(&self, reviewer: &Principal, request: &Request) -> BTreeSet<GroupName> {
        let gone = reviewer.name.as_str() == "bob" && self.bob_left.load(Ordering::SeqCst);
        if gone { BTreeSet::new() } else { NoOversight.groups(reviewer, request) }
    }

    fn note<'note>(
        &'note self,
        _fact: crate::approval::Fact<'note>,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<(), crate::approval::Unwritten>> + Send + 'note>> {
        let unwritable = self.unwritable.load(Ordering::SeqCst);
        Box::pin(async move { if unwritable { Err(crate::approval::Unwritten("full".into())) } else { Ok(()) } })
    }
}

#[tokio::test]
async fn a_right_that_ends_between_the_approval_and_the_grant_gives_no_grant() {
    let oversight = Arc::new(Strict::default());
    let surroundings: Arc<dyn Oversight> = Arc::<Strict>::clone(&oversight);
    let store = Arc::new(Store::in_memory().unwrap());
    let desk = Desk::open(store, WallClock::manual(0), Limits::STANDARD, surroundings).await.unwrap();
    let mut ticket = desk.submit(request(1, person("alice", &[]))).await.unwrap();
    desk.review(ticket.id(), &person("bob", &["dba"]), Vote::Approve, None).await.unwrap();
    assert!(matches!(ticket.settled().await, State::Approved { .. }));
    oversight.bob_left.store(true, Ordering::SeqCst);
    assert_eq!(ticket.into_grant().unwrap_err(), crate::approval::Void::RightsEnded);
}

#[tokio::test]
async fn a_window_that_cannot_be_recorded_is_not_opened() {
    let oversight = Arc::new(Strict::default());
    let surroundings: Arc<dyn Oversight> = Arc::<Strict>::clone(&oversight);
    let store = Arc::new(Store::in_memory().unwrap());
    let desk = Desk::open(store, WallClock::manual(0), Limits::STANDARD, surroundings).await.unwrap();
    let id = desk.ask(access(1)).await.unwrap();
    oversight.unwritable.store(true, Ordering::SeqCst);
    assert!(desk.review(&id, &person("bob", &["dba"]), Vote::Approve, None).await.is_err());
    assert!(desk.leases().borrow().is_empty());
    assert!(desk.show(&id).await.unwrap().state().is_pending());
    assert!(matches!(desk.ask(access(2)).await, Err(SubmitError::Storage(_))), "nor is it asked for unrecorded");
}
