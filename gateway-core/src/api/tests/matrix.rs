//! Every route of the API for every role, as one reviewed table: what each may do with what is somebody's.
//!
//! The routes are those of the API's own description, so that a new one is in the table or fails the test.

use std::fmt::Write as _;

use axum::body::Body;
use http::{Method, StatusCode, header};
use serde_json::json;
use tower::ServiceExt as _;

use super::world::World;
use crate::{
    api::{self, openapi},
    approval::testing::{person, request},
    model::{Principal, PrincipalKind},
};

/// Who asks, and as what. Alice owns the session, and asked for the approval.
fn roles() -> Vec<(&'static str, Option<Principal>)> {
    let owner = person("alice", &["engineers"]);
    let agent =
        Principal { kind: PrincipalKind::Agent, owner: Some(owner.name.clone()), ..person("crew", &["engineers"]) };
    vec![
        ("nobody", None),
        ("stranger", Some(person("sam", &[]))),
        ("visitor", Some(person("vera", &["visitors"]))),
        ("engineer", Some(person("eve", &["engineers"]))),
        ("owner", Some(owner)),
        ("owner's agent", Some(agent)),
        ("dba", Some(person("bob", &["dba"]))),
        ("auditor", Some(person("carol", &["auditors"]))),
        ("watcher", Some(person("will", &["watchers"]))),
        ("operator", Some(person("olga", &["operators"]))),
    ]
}

/// A body that each route takes, so that who asks is what decides.
fn body(path: &str) -> String {
    match path {
        "/token" => json!({ "token": "no.such.token" }),
        "/connections/{name}/check" => json!({ "text": "select 1" }),
        "/connections/{name}/access" => json!({ "reason": "why", "for_seconds": 60 }),
        "/connections/{name}/tools/{tool}/accept" => json!({ "digest": "0".repeat(64) }),
        "/runs" => json!({ "connections": ["pg-prod"] }),
        "/runs/{id}/end" => json!({ "status": 0 }),
        "/approvals/{id}/deny" => json!({ "reason": "no" }),
        "/site/diff" => json!({ "files": { "gateway.toml": "" } }),
        "/site/apply" => json!({ "base": 3, "files": { "gateway.toml": "" } }),
        "/site/rollback" => json!({ "base": 3, "version": 2 }),
        _ => return String::new(),
    }
    .to_string()
}

async fn ask(world: &World, who: Option<&Principal>, method: &str, path: &str, body: String) -> StatusCode {
    let mut asked = World::request(Method::from_bytes(method.to_uppercase().as_bytes()).unwrap(), path);
    if let Some(who) = who {
        asked = asked.header(header::AUTHORIZATION, format!("Bearer {}", world.token(who)));
    }
    // Only the head: streams of events do not end.
    api::router(world.state.clone()).oneshot(asked.body(Body::from(body)).unwrap()).await.unwrap().status()
}

#[tokio::test]
async fn every_route_answers_every_role_as_reviewed() {
    let document = openapi::document();
    let mut routes: Vec<(String, String)> = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = path.strip_prefix("/api/v1").unwrap().to_owned();
        routes.extend(methods.as_object().unwrap().keys().map(|method| (path.clone(), method.clone())));
    }
    routes.sort();
    let roles = roles();
    let mut table = String::new();
    let names: Vec<_> = roles.iter().map(|(name, _)| *name).collect();
    writeln!(table, "{:52}{}", "", names.join(" | ")).unwrap();
    for (path, method) in &routes {
        let mut row = Vec::new();
        for (_, who) in &roles {
            // A world of its own for each: what one did must not decide what the next is told.
            let world = World::new().await;
            let session = world.session("alice", 1).await;
            let ticket = world.desk.submit(request(1, person("alice", &["engineers"]))).await.unwrap();
            let id = if path.starts_with("/sessions") {
                session.to_string()
            } else if path.starts_with("/approvals") {
                ticket.id().to_string()
            } else {
                "run_00000000000000000000000000".to_owned()
            };
            let filled = path.replace("{name}", "pg-prod").replace("{tool}", "a_tool").replace("{version}", "3");
            let status = ask(&world, who.as_ref(), method, &filled.replace("{id}", &id), body(path)).await;
            assert!(!status.is_server_error(), "{method} {path}: {status}");
            row.push(status.as_str().to_owned());
        }
        writeln!(table, "{:52}{}", format!("{method} {path}"), row.join(" | ")).unwrap();
    }
    insta::assert_snapshot!(table);
}

/// Ways around the one function that were tried: each is refused as if nothing had been said.
#[tokio::test]
async fn no_spelling_of_a_path_or_of_a_bearer_goes_around_the_decision() {
    let world = World::new().await;
    let session = world.session("alice", 1).await;
    let sam = world.token(&person("sam", &[]));
    for path in [
        format!("/sessions/{session}/"),
        format!("/sessions//{session}"),
        format!("/sessions/./{session}"),
        format!("/sessions/x/../{session}"),
        format!("/sessions/{session}%2Frecording"),
        format!("/SESSIONS/{session}"),
        format!("/sessions/{session};a=b"),
        "/site/versions/3/".to_owned(),
        "/site%2Fapply".to_owned(),
    ] {
        let answer = world.get(Some(&sam), &path).await;
        assert!(
            matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED),
            "{path}: {}",
            answer.status
        );
    }
    let operator = world.token(&person("olga", &["operators"]));
    let with = |headers: &[String]| {
        headers.iter().fold(World::request(Method::GET, "/site"), |asked, value| {
            asked.header(header::AUTHORIZATION, value.as_str())
        })
    };
    for headers in [
        vec![format!("Bearer {sam}"), format!("Bearer {operator}")],
        vec![format!("Bearer {sam} {operator}")],
        vec![format!("Bearer {sam}, Bearer {operator}")],
        vec![format!("Basic {operator}")],
        vec![operator.clone()],
        vec!["Bearer ".to_owned()],
    ] {
        assert_eq!(world.send(with(&headers), "").await.status, StatusCode::UNAUTHORIZED, "{headers:?}");
    }
    for (name, value) in [("X-HTTP-Method-Override", "POST"), ("X-Original-URL", "/api/v1/site"), ("X-User", "olga")] {
        let asked = World::request(Method::GET, "/site").header(header::AUTHORIZATION, format!("Bearer {sam}"));
        assert_eq!(world.send(asked.header(name, value), "").await.status, StatusCode::FORBIDDEN, "{name}");
    }
    // A run's token is for its connections, not for the API: whoever holds it is nobody here.
    let alice = world.token(&person("alice", &["engineers"]));
    let run = world.post(Some(&alice), "/runs", &json!({ "connections": ["pg-prod"] }).to_string()).await.json();
    let token = run["token"].as_str().unwrap();
    for path in ["/whoami", "/sessions", "/site", "/events"] {
        assert_eq!(world.get(Some(token), path).await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
}
