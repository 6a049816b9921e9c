//! The health of each part, for whom policy lets administer the gateway.

use http::StatusCode;
use serde_json::json;

use super::world::World;
use crate::approval::testing::{person, request};

#[tokio::test]
async fn each_part_is_shown_to_who_administers_and_to_nobody_else() {
    let world = World::new().await;
    let _ticket = world.desk.submit(request(1, person("alice", &[]))).await.unwrap();
    assert_eq!(world.get(None, "/health/detail").await.status, StatusCode::UNAUTHORIZED);
    let bob = world.token(&person("bob", &["dba"]));
    assert_eq!(world.get(Some(&bob), "/health/detail").await.status, StatusCode::FORBIDDEN);
    let olga = world.token(&person("olga", &["operators"]));
    world.recordings.fail(true);
    let answer = world.get(Some(&olga), "/health/detail").await;
    let told = answer.json();
    assert_eq!((answer.status, &told["health"]["recorder"]), (StatusCode::OK, &json!(false)), "{told}");
    assert_eq!((&told["pending_approvals"], &told["live_sessions"]), (&json!(1), &json!(0)));
    let connection = &told["connections"][0];
    assert_eq!((&connection["name"], &connection["reachable"]), (&json!("pg-prod"), &json!(false)), "{told}");
    assert!(connection["error"].is_string(), "{told}");
    assert_eq!((&told["notifications"]["waiting"], &told["notifications"]["dead"]), (&json!(1), &json!(0)));
    assert_eq!(told["notifications"]["receivers"][0]["name"], "hook");
}

#[tokio::test]
async fn a_server_that_accepts_connections_is_reachable() {
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let world = World::reaching(server.local_addr().unwrap().port()).await;
    let olga = world.token(&person("olga", &["operators"]));
    let told = world.get(Some(&olga), "/health/detail").await.json();
    assert_eq!((&told["connections"][0]["reachable"], &told["connections"][0]["error"]), (&json!(true), &json!(null)));
}
