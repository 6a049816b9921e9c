//! Access for a time through the API: asking, what is open, and who has how much to decide.

use http::StatusCode;
use serde_json::json;

use super::world::World;
use crate::approval::testing::{agent, person, request};

const ASK: &str = "/connections/pg-prod/access";

#[tokio::test]
async fn access_is_asked_for_approved_and_open_for_that_long() {
    let world = World::new().await;
    let (visitor, bob) = (world.token(&person("vera", &["visitors"])), world.token(&person("bob", &["dba"])));
    assert_eq!(world.get(Some(&visitor), "/connections").await.json()[0]["may_connect"], "approval");
    let asked = world.post(Some(&visitor), ASK, r#"{"reason":"incident","for_seconds":60}"#).await;
    assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
    let item = asked.json();
    assert_eq!(
        (&item["asks"], &item["reason"], &item["window_seconds"]),
        (&json!("access"), &json!("incident"), &json!(60))
    );
    assert_eq!((&item["session"], &item["may_review"]), (&json!(null), &json!(false)));
    let path = format!("/approvals/{}", item["id"].as_str().unwrap());
    assert_eq!(world.get(Some(&bob), &path).await.json()["may_review"], true);
    assert_eq!(world.post(Some(&bob), &format!("{path}/approve"), "").await.json()["status"], "approved");
    let open = world.get(Some(&visitor), "/access").await.json();
    assert_eq!((&open[0]["reason"], &open[0]["ends_at_millis"]), (&json!("incident"), &json!(61_000)), "{open}");
    assert_eq!(world.get(Some(&visitor), "/connections").await.json()[0]["access_until_millis"], 61_000);
    assert_eq!(world.post(Some(&visitor), ASK, "{}").await.status, StatusCode::CONFLICT, "it is open already");
    assert_eq!(world.get(Some(&bob), "/access").await.json(), json!([]), "and nobody else's");
    world.clock.advance(60_000);
    assert_eq!(world.get(Some(&visitor), "/access").await.json(), json!([]));
    assert_eq!(world.get(Some(&visitor), "/connections").await.json()[0]["may_connect"], "approval");
}

#[tokio::test]
async fn access_is_not_asked_for_where_it_is_free_forbidden_or_too_long() {
    let world = World::new().await;
    let ask = async |who: &str, groups: &[&str], path: &str, body: &str| {
        world.post(Some(&world.token(&person(who, groups))), path, body).await.status
    };
    assert_eq!(ask("alice", &["engineers"], ASK, "{}").await, StatusCode::CONFLICT);
    assert_eq!(ask("eve", &[], ASK, "{}").await, StatusCode::FORBIDDEN);
    assert_eq!(ask("vera", &["visitors"], "/connections/none/access", "{}").await, StatusCode::NOT_FOUND);
    for body in [r#"{"for_seconds":7201}"#, r#"{"for_seconds":0}"#, &format!("{{\"for_seconds\":{}}}", u64::MAX)] {
        assert_eq!(ask("vera", &["visitors"], ASK, body).await, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
    }
    let long = format!("{{\"reason\":\"{}\"}}", "x".repeat(501));
    assert_eq!(ask("vera", &["visitors"], ASK, &long).await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(ask("vera", &["visitors"], ASK, r#"{"because":"x"}"#).await, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn only_who_asked_takes_a_request_back() {
    let world = World::new().await;
    let (vera, bob) = (world.token(&person("vera", &["visitors"])), world.token(&person("bob", &["dba"])));
    let id = world.post(Some(&vera), ASK, "{}").await.json()["id"].as_str().unwrap().to_owned();
    let path = format!("/approvals/{id}/withdraw");
    assert_eq!(world.post(Some(&bob), &path, "").await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.post(Some(&world.token(&person("eve", &[]))), &path, "").await.status, StatusCode::NOT_FOUND);
    let taken = world.post(Some(&vera), &path, "").await;
    assert_eq!((taken.status, &taken.json()["status"]), (StatusCode::OK, &json!("withdrawn")));
    assert_eq!(world.post(Some(&vera), &path, "").await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn the_load_of_reviewers_is_counted_over_what_the_caller_sees() {
    let world = World::new().await;
    let (bob, dora) = (person("bob", &["dba"]), person("dora", &["dba"]));
    for seen in [&bob, &dora, &person("eve", &[]), &person("alice", &["dba"])] {
        world.last_seen.note(seen);
    }
    let _held = world.desk.submit(request(1, agent("crew", "alice", &["agents"]))).await.unwrap();
    let decided = world.desk.submit(request(2, person("carol", &[]))).await.unwrap();
    let path = format!("/approvals/{}/approve", decided.id());
    assert_eq!(world.post(Some(&world.token(&bob)), &path, "").await.status, StatusCode::OK);
    let load = world.get(Some(&world.token(&dora)), "/reviewers").await.json();
    let wanted = json!([
        { "name": "bob", "pending": 1, "decided_24h": 1 },
        { "name": "dora", "pending": 1, "decided_24h": 0 },
    ]);
    assert_eq!(load, wanted, "alice answers for the agent, and is not among them");
    assert_eq!(world.get(Some(&world.token(&person("eve", &[]))), "/reviewers").await.json(), json!([]));
}
