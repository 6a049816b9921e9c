//! Passwords for native clients: who gets one, that it is on record, and that a logout voids it.

use std::time::Instant;

use axum::extract::{Path, State};
use http::StatusCode;
use serde_json::json;

use super::{
    super::{caller::Caller, tokens},
    world::World,
};
use crate::approval::testing::{connection, person};

fn path() -> String {
    format!("/connections/{}/token", connection().name)
}

#[tokio::test]
async fn a_password_is_for_who_may_connect_and_its_making_is_on_record() {
    let world = World::new().await;
    let alice = world.token(&person("alice", &["engineers"]));
    let given = world.post(Some(&alice), &path(), "null").await;
    assert_eq!(given.status, StatusCode::OK, "{}", given.body);
    let given = given.json();
    assert_eq!((&given["user"], &given["host"], &given["port"]), (&json!("alice"), &json!("127.0.0.1"), &json!(5432)));
    let now = world.clock.unix_seconds();
    assert_eq!(given["expires_at"], json!(now + 900));
    assert_eq!(given["login_expires_at"], json!(now + 3_600), "a session lives as long as the login, not the bearer");
    let again = world.post(Some(&alice), &path(), "null").await.json();
    assert_ne!(given["password"], again["password"]);
    let noted = format!("token: alice for {}", connection().name);
    assert_eq!(world.recordings.notes(), [noted.clone(), noted]);

    let stranger = world.token(&person("mallory", &[]));
    let refused = world.post(Some(&stranger), &path(), "null").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(world.recordings.notes().iter().any(|note| note.starts_with("denied: mallory connect")));
    assert_eq!(world.post(None, &path(), "null").await.status, StatusCode::UNAUTHORIZED);
    let elsewhere = world.post(Some(&alice), "/connections/nowhere/token", "null").await;
    assert_eq!(elsewhere.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_password_that_cannot_be_recorded_is_not_given() {
    let world = World::new().await;
    world.recordings.fail(true);
    let alice = world.token(&person("alice", &["engineers"]));
    let answer = world.post(Some(&alice), &path(), "null").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!answer.body.contains("hoop_"), "{}", answer.body);
}

#[tokio::test]
async fn too_many_unused_passwords_are_refused_until_a_logout_or_time_voids_them() {
    let world = World::new().await;
    let alice = world.token(&person("alice", &["engineers"]));
    let ask = async || world.post(Some(&alice), &path(), "null").await.status;
    for _ in 0..16 {
        assert_eq!(ask().await, StatusCode::OK);
    }
    assert_eq!(ask().await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(world.post(Some(&alice), "/logout", "null").await.status, StatusCode::OK);
    assert_eq!(ask().await, StatusCode::UNAUTHORIZED, "what was issued before the logout");
    world.clock.advance(1_000);
    let again = world.token(&person("alice", &["engineers"]));
    assert_eq!(world.post(Some(&again), &path(), "null").await.status, StatusCode::OK);
}

/// The request came first, and the logout was faster.
#[tokio::test]
async fn what_is_made_while_a_login_ends_is_not_given() {
    let world = World::new().await;
    let came_at = Instant::now();
    let alice = world.token(&person("alice", &["engineers"]));
    let (login, ends_at) = world.state.0.tokens.verify_with_login(&alice).unwrap();
    let made = async |came_at| {
        let (state, name) = (State(world.state.clone()), Path(connection().name.to_string()));
        tokens::issue(state, Caller(login.clone(), ends_at, came_at), name).await.is_ok()
    };
    assert!(made(came_at).await);
    assert_eq!(world.post(Some(&alice), "/logout", "null").await.status, StatusCode::OK);
    assert!(!made(came_at).await);
    assert!(made(Instant::now()).await, "of the next login");
}

#[tokio::test]
async fn a_logout_ends_the_streams_of_events_of_who_logs_out() {
    let world = World::new().await;
    let (alice, bob) = (world.token(&person("alice", &[])), world.token(&person("bob", &[])));
    let (_, mut hers) = world.follow(&alice, "/events").await;
    let (_, mut his) = world.follow(&bob, "/events").await;
    assert_eq!(world.post(Some(&alice), "/logout", "null").await.status, StatusCode::OK);
    assert!(hers.next().await.is_none());
    world.session("bob", 7).await;
    assert!(his.next().await.is_some(), "another's goes on");
}
