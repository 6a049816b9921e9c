//! Couriers against a real HTTP server of this process; the wall clock is the system's, and waits are milliseconds.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Router, body::Bytes, extract::State, routing::post};
use http::{HeaderMap, StatusCode};
use secrecy::SecretString;
use standardwebhooks::Webhook;
use tokio::sync::Notify;

use super::*;
use crate::{
    approval::{
        Case,
        testing::{person, request},
    },
    notify::{Addressee, Addresses, Filter, Notice},
    store::Store,
};

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Fails so many times with a status, then takes everything.
struct Hook {
    failures: AtomicUsize,
    status: StatusCode,
    taken: Mutex<Vec<(HeaderMap, Bytes)>>,
    heard: Notify,
}

impl Hook {
    async fn listen(failures: usize, status: StatusCode) -> (Arc<Self>, Url) {
        let hook = Arc::new(Self {
            failures: AtomicUsize::new(failures),
            status,
            taken: Mutex::default(),
            heard: Notify::new(),
        });
        let router = Router::new().route("/hook", post(Self::take)).with_state(Arc::clone(&hook));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        (hook, url)
    }

    async fn take(State(hook): State<Arc<Self>>, headers: HeaderMap, body: Bytes) -> StatusCode {
        tokio::task::yield_now().await;
        let left = hook.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        hook.taken.lock().unwrap().push((headers, body));
        hook.heard.notify_waiters();
        if left.is_ok() { hook.status } else { StatusCode::NO_CONTENT }
    }

    async fn hears(&self, count: usize) -> Vec<(HeaderMap, Bytes)> {
        tokio::time::timeout(Duration::from_secs(30), async {
            loop {
                let heard = self.heard.notified();
                if self.taken.lock().unwrap().len() >= count {
                    return self.taken.lock().unwrap().clone();
                }
                heard.await;
            }
        })
        .await
        .expect("the receiver hears it in time")
    }
}

struct World {
    outbox: Outbox,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

/// The world of one gateway over a store; `receivers` by name.
async fn world(store: &Store, names: &[(&str, Url)], attempts: u32) -> World {
    let clock = WallClock::system();
    let addressee = |(name, _url): &(&str, Url)| Addressee {
        name: (*name).to_owned(),
        filter: Filter::default(),
        addresses: Addresses::Itself,
    };
    let outbox = Outbox::new(store.clone(), names.iter().map(addressee).collect(), clock.clone());
    let key = SecretString::from(KEY);
    let receiver = |(name, url): &(&str, Url)| ((*name).to_owned(), Receiver::webhook(url.clone(), &key).unwrap());
    let public = Url::parse("https://hoop.example.com").unwrap();
    let retry = (Duration::from_millis(2), attempts);
    let couriers = Couriers::new(names.iter().map(receiver).collect(), outbox.clone(), public, retry, clock);
    let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
    couriers.start(&tasks, &shutdown).await.unwrap();
    World { outbox, tasks, shutdown }
}

impl World {
    async fn tell(&self) {
        let case = Case::open(request(1, person("alice", &[])));
        self.outbox.tell(&Notice::of_case(&case, None, 0).unwrap()).await.unwrap();
    }

    /// Waits until so many wait and so many are given up.
    async fn settles(&self, waiting: u64, dead: u64) {
        let settled = async {
            loop {
                let counts = self.outbox.counts().await.unwrap();
                if (counts.waiting, counts.dead) == (waiting, dead) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), settled).await.expect("it settles in time");
    }

    async fn end(self) {
        self.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

#[tokio::test]
async fn a_failing_receiver_is_tried_again_with_the_same_id_and_a_new_signature() {
    let (hook, url) = Hook::listen(3, StatusCode::INTERNAL_SERVER_ERROR).await;
    let world = world(&Store::in_memory().unwrap(), &[("hook", url)], 12).await;
    world.tell().await;
    let heard = hook.hears(4).await;
    world.settles(0, 0).await;
    let health = world.outbox.receivers().remove(0);
    assert_eq!((health.name.as_str(), health.error.as_deref()), ("hook", Some("it answered with status 500")));
    assert!(health.delivered_at_millis.is_some() && health.failed_at_millis.is_some());
    let verifier = Webhook::new(KEY).unwrap();
    for (headers, body) in &heard {
        verifier.verify(body, headers).unwrap();
        assert_eq!(headers["webhook-id"], heard[0].0["webhook-id"]);
        assert_eq!(body, &heard[0].1);
    }
    assert_eq!(hook.taken.lock().unwrap().len(), 4, "a delivery that was taken is not made again");
}

#[tokio::test]
async fn after_its_attempts_a_delivery_is_given_up_and_can_be_tried_again_or_forgotten() {
    let (hook, url) = Hook::listen(2, StatusCode::SERVICE_UNAVAILABLE).await;
    let world = world(&Store::in_memory().unwrap(), &[("hook", url)], 2).await;
    world.tell().await;
    world.settles(0, 1).await;
    let dead = world.outbox.list(10).await.unwrap().remove(0);
    assert_eq!((dead.dead, dead.attempts, dead.error.as_deref()), (true, 2, Some("it answered with status 503")));
    assert!(world.outbox.retry(&dead.id).await.unwrap());
    hook.hears(3).await;
    world.settles(0, 0).await;
}

#[tokio::test]
async fn a_receiver_that_is_gone_or_redirects_is_not_followed() {
    let (_gone, gone) = Hook::listen(1, StatusCode::GONE).await;
    let (moved, elsewhere) = Hook::listen(9, StatusCode::TEMPORARY_REDIRECT).await;
    let world = world(&Store::in_memory().unwrap(), &[("gone", gone), ("moved", elsewhere)], 2).await;
    world.tell().await;
    world.settles(0, 2).await;
    let mut dead = world.outbox.list(10).await.unwrap();
    dead.sort_by(|left, right| left.target.cmp(&right.target));
    assert_eq!((dead[0].attempts, dead[1].attempts), (1, 2), "gone is gone");
    assert!(dead[1].error.as_ref().unwrap().contains("redirections are not followed"));
    assert_eq!(moved.taken.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_receiver_that_hangs_holds_up_no_other() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hangs = format!("http://{}/", silent.local_addr().unwrap()).parse().unwrap();
    let (hook, url) = Hook::listen(0, StatusCode::OK).await;
    let world = world(&Store::in_memory().unwrap(), &[("hangs", hangs), ("hook", url)], 12).await;
    world.tell().await;
    hook.hears(1).await;
    world.settles(1, 0).await;
    world.end().await;
}

#[tokio::test]
async fn what_was_not_delivered_is_delivered_after_a_restart_with_the_same_id() {
    let store = Store::in_memory().unwrap();
    let (down, url) = Hook::listen(usize::MAX, StatusCode::BAD_GATEWAY).await;
    let before = world(&store, &[("hook", url)], 1_000_000).await;
    before.tell().await;
    let first = down.hears(2).await;
    before.end().await;
    let (up, url) = Hook::listen(0, StatusCode::OK).await;
    let after = world(&store, &[("hook", url)], 12).await;
    let second = up.hears(1).await;
    assert_eq!(second[0].0["webhook-id"], first[0].0["webhook-id"]);
    after.settles(0, 0).await;
}

#[tokio::test]
async fn what_waits_for_a_receiver_that_the_site_does_not_name_is_given_up() {
    let store = Store::in_memory().unwrap();
    let (_down, url) = Hook::listen(usize::MAX, StatusCode::BAD_GATEWAY).await;
    let before = world(&store, &[("old", url)], 1_000_000).await;
    before.tell().await;
    before.end().await;
    let after = world(&store, &[], 12).await;
    after.settles(0, 1).await;
    assert!(after.outbox.list(1).await.unwrap()[0].error.as_ref().unwrap().contains("no such receiver"));
}

#[tokio::test]
async fn failures_say_nothing_that_the_receiver_said_or_its_address() {
    let world =
        world(&Store::in_memory().unwrap(), &[("hook", "http://127.0.0.1:1/services/hunter2".parse().unwrap())], 1)
            .await;
    world.tell().await;
    world.settles(0, 1).await;
    assert_eq!(world.outbox.list(1).await.unwrap()[0].error.as_deref(), Some("it could not be reached"));
}
