//! The API from outside, with a store in memory, real policies and a recorder that the test can break.

mod access;
mod around;
mod health;
mod live;
mod matrix;
mod notifications;
mod reviews;
mod runs;
mod search;
mod secrets;
mod site;
mod step_up;
mod tokens;
mod world;

use http::{Method, StatusCode, header};
use serde_json::json;

use self::world::{HOST, World};
use crate::approval::testing::person;

#[tokio::test]
async fn says_how_to_log_in_and_whether_it_works_without_a_token() {
    let world = World::new().await;
    let gateway = world.get(None, "/gateway").await;
    assert_eq!((gateway.status, &gateway.json()["dev"]), (StatusCode::OK, &json!(true)));
    assert_eq!(gateway.json()["identity"]["client_id"], "hoop-cli");
    let health = world.get(None, "/health").await;
    assert_eq!((health.status, &health.json()["ok"]), (StatusCode::OK, &json!(true)));
    world.recordings.fail(true);
    let health = world.get(None, "/health").await;
    assert_eq!((health.status, &health.json()["recorder"]), (StatusCode::SERVICE_UNAVAILABLE, &json!(false)));
}

#[tokio::test]
async fn everything_else_needs_a_token() {
    let world = World::new().await;
    for path in
        ["/whoami", "/connections", "/approvals", "/approvals/apr_0", "/sessions", "/sessions/ses_0", "/audit/key"]
    {
        let answer = world.get(None, path).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(answer.json()["hint"], "run `hoop login`");
    }
    let token = world.token(&person("alice", &[]));
    for wrong in [format!("Basic {token}"), token.clone(), format!("Bearer {token}x"), "Bearer ".into()] {
        let request = World::request(Method::GET, "/whoami").header(header::AUTHORIZATION, wrong);
        assert_eq!(world.send(request, "").await.status, StatusCode::UNAUTHORIZED);
    }
    let twice = World::request(Method::GET, "/whoami");
    let twice =
        twice.header(header::AUTHORIZATION, format!("Bearer {token}")).header(header::AUTHORIZATION, "Bearer x");
    assert_eq!(world.send(twice, "").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_ends_after_ten_minutes() {
    let world = World::new().await;
    let token = world.token(&person("alice", &[]));
    assert_eq!(world.get(Some(&token), "/whoami").await.json()["principal"]["name"], "alice");
    world.clock.advance(600_000);
    assert_eq!(world.get(Some(&token), "/whoami").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn refuses_what_is_addressed_to_another_name_or_sent_by_another_site() {
    let world = World::new().await;
    let rebound = http::Request::get("/api/v1/gateway").header(header::HOST, "rebound.example:8443");
    assert_eq!(world.send(rebound, "").await.status, StatusCode::MISDIRECTED_REQUEST);
    let cross = World::request(Method::GET, "/gateway").header(header::ORIGIN, "https://evil.example");
    let answer = world.send(cross, "").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(!answer.headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
    let preflight = World::request(Method::OPTIONS, "/whoami");
    assert_eq!(world.send(preflight, "").await.status, StatusCode::METHOD_NOT_ALLOWED);
    let direct = http::Request::get(format!("https://{HOST}/api/v1/gateway"));
    assert_eq!(world.send(direct, "").await.status, StatusCode::OK);
}

#[tokio::test]
async fn unknown_routes_and_methods_are_problems_too() {
    let world = World::new().await;
    let answer = world.get(None, "/nothing").await;
    assert_eq!((answer.status, &answer.json()["status"]), (StatusCode::NOT_FOUND, &json!(404)));
    let answer = world.post(None, "/gateway", "").await;
    assert_eq!((answer.status, &answer.json()["status"]), (StatusCode::METHOD_NOT_ALLOWED, &json!(405)));
}

#[tokio::test]
async fn exchanges_the_issuers_token_and_records_the_login() {
    let world = World::new().await;
    let body = json!({ "token": world.issuer_token("bob") }).to_string();
    let answer = world.post(None, "/token", &body).await;
    assert_eq!(answer.status, StatusCode::OK);
    let token = answer.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(world.get(Some(&token), "/whoami").await.json()["principal"]["name"], "bob");
    assert_eq!(world.recordings.notes(), ["logged in: bob"]);
}

#[tokio::test]
async fn a_login_that_cannot_be_recorded_gives_no_token() {
    let world = World::new().await;
    let body = json!({ "token": world.issuer_token("bob") }).to_string();
    world.recordings.fail(true);
    let answer = world.post(None, "/token", &body).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.json()["token"].is_null());
}

#[tokio::test]
async fn refuses_tokens_that_are_not_the_issuers_and_never_repeats_them() {
    let world = World::new().await;
    let own = world.token(&person("alice", &[]));
    for token in [own.as_str(), "not-a-token", ""] {
        let answer = world.post(None, "/token", &json!({ "token": token }).to_string()).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    let answer = world.post(None, "/token", "{\"token\": not-a-secret}").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(!answer.body.contains("not-a-secret"));
}

#[tokio::test]
async fn refuses_large_bodies() {
    let world = World::new().await;
    let body = json!({ "token": "x".repeat(70_000) }).to_string();
    let answer = world.post(None, "/token", &body).await;
    assert_eq!((answer.status, &answer.json()["status"]), (StatusCode::PAYLOAD_TOO_LARGE, &json!(413)));
}

#[tokio::test]
async fn lists_the_connections_that_one_may_use_with_what_is_masked_and_held() {
    let world = World::new().await;
    let answer = world.get(Some(&world.token(&person("alice", &["engineers"]))), "/connections").await.json();
    assert_eq!(answer.as_array().unwrap().len(), 1);
    assert_eq!(answer[0]["name"], "pg-prod");
    assert_eq!(answer[0]["may_connect"], "yes");
    assert_eq!(answer[0]["masked"], json!(["email"]));
    assert_eq!(answer[0]["held_by"], json!(["hold-deletes"]));
    let nobody = world.get(Some(&world.token(&person("eve", &[]))), "/connections").await.json();
    assert_eq!(nobody, json!([]));
}

#[tokio::test]
async fn the_audit_key_is_pem() {
    let world = World::new().await;
    let answer = world.get(Some(&world.token(&person("alice", &[]))), "/audit/key").await;
    assert!(answer.body.starts_with("-----BEGIN PUBLIC KEY-----"));
}

#[tokio::test]
async fn sessions_are_ones_own_or_by_policy() {
    let world = World::new().await;
    let (alices, bobs) = (world.session("alice", 1).await, world.session("bob", 2).await);
    let list = async |name: &str, groups: &[&str]| -> Vec<String> {
        let answer = world.get(Some(&world.token(&person(name, groups))), "/sessions").await.json();
        answer.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(list("alice", &["engineers"]).await, [alices.as_str()]);
    assert_eq!(list("carol", &["auditors"]).await, [bobs.as_str(), alices.as_str()]);
    let limited = world.get(Some(&world.token(&person("carol", &["auditors"]))), "/sessions?limit=1").await.json();
    assert_eq!(limited.as_array().unwrap().len(), 1);
    let malformed = world.get(Some(&world.token(&person("alice", &[]))), "/sessions?limit=x").await;
    assert_eq!(malformed.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_look_is_recorded_before_anything_is_shown() {
    let world = World::new().await;
    let id = world.session("alice", 1).await;
    let carol = world.token(&person("carol", &["auditors"]));
    let answer = world.get(Some(&carol), &format!("/sessions/{id}/recording")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/x-ndjson");
    assert_eq!(answer.body.lines().count(), 3);
    assert_eq!(world.get(Some(&carol), &format!("/sessions/{id}")).await.status, StatusCode::OK);
    assert_eq!(world.recordings.notes(), [format!("looked: carol at {id}"), format!("looked: carol at {id}")]);
    world.recordings.fail(true);
    for path in [format!("/sessions/{id}"), format!("/sessions/{id}/recording")] {
        let answer = world.get(Some(&carol), &path).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(!answer.body.contains("SELECT"));
    }
}

#[tokio::test]
async fn sealed_parts_are_shown_only_to_whom_policy_reveals_the_class() {
    let world = World::new().await;
    let id = world.session("alice", 1).await;
    let body = async |name: &str, groups: &[&str]| {
        world.get(Some(&world.token(&person(name, groups))), &format!("/sessions/{id}/recording")).await.body
    };
    assert!(!body("alice", &["engineers"]).await.contains("ada@example.com"));
    assert!(body("carol", &["auditors"]).await.contains("ada@example.com"));
}

#[tokio::test]
async fn sessions_of_others_do_not_exist_for_those_who_may_not_see_them() {
    let world = World::new().await;
    let id = world.session("alice", 1).await;
    let bob = world.token(&person("bob", &["dba"]));
    for path in [format!("/sessions/{id}"), format!("/sessions/{id}/recording"), "/sessions/ses_none".into()] {
        assert_eq!(world.get(Some(&bob), &path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert!(world.recordings.notes().iter().all(|note| note.starts_with("denied: bob")));
}

#[tokio::test]
async fn a_recording_that_breaks_off_is_an_error_and_not_a_short_answer() {
    let world = World::new().await;
    let id = world.session("alice", 1).await;
    world.recordings.break_off();
    let carol = world.token(&person("carol", &["auditors"]));
    let answer = world.get(Some(&carol), &format!("/sessions/{id}/recording")).await;
    assert!(answer.broken_off);
}
