//! Runs through the API: who begins, renews and ends one, what its token is good for, and who sees it.

use http::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::world::World;
use crate::{
    approval::testing::{agent, connection, person},
    model::{PrincipalKind, RunId},
    store::SessionEntry,
};

const NEW: &str = r#"{"connections": ["pg-prod"], "labels": {"team": "x"}, "command": "python", "jailed": true}"#;

async fn begin(world: &World, token: &str, body: &str) -> Value {
    let begun = world.post(Some(token), "/runs", body).await;
    assert_eq!(begun.status, StatusCode::CREATED, "{}", begun.body);
    begun.json()
}

fn id(run: &Value) -> RunId {
    run["id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_run_is_on_record_and_its_token_is_of_its_connections_only() {
    let world = World::new().await;
    let bob = world.token(&person("bob", &["engineers"]));
    let run = begin(&world, &bob, NEW).await;
    assert_eq!(run["principal"], json!({"kind": "user", "name": "bob"}));
    assert_eq!((&run["lent_by"], &run["connections"][0]["name"]), (&json!(null), &json!("pg-prod")));
    assert_eq!(run["expires_at"], json!(world.clock.unix_seconds() + 600));
    assert_eq!(world.recordings.notes(), [format!("run started: {} bob", id(&run))]);
    let presence = world.stream(run["token"].as_str().unwrap());
    assert_eq!((presence.principal.name.as_str(), presence.run()), ("bob", Some(&id(&run))));
    assert!(presence.reaches("pg-prod") && !presence.reaches("pg-dev"));
    assert!(world.stream(&bob).reaches("pg-dev"), "somebody's own token opens streams as before");
}

/// Every route of the API, read from where they are mounted, so that a new one is in here too.
fn routes() -> Vec<(Method, String)> {
    let source = include_str!("../../api.rs");
    let mut routes = Vec::new();
    for line in source.lines().filter_map(|line| line.trim().strip_prefix(".route(\"")) {
        let (path, handlers) = line.split_once('"').unwrap();
        let path = path.replace("{name}", "pg-prod").replace("{id}", "ses_00000000");
        for (word, method) in [("get(", Method::GET), ("post(", Method::POST)] {
            if handlers.contains(word) {
                routes.push((method, path.clone()));
            }
        }
    }
    routes
}

#[tokio::test]
async fn every_route_refuses_a_runs_token() {
    let world = World::new().await;
    let own = world.token(&person("bob", &["engineers", "dba", "auditors", "operators"]));
    let token = begin(&world, &own, NEW).await["token"].as_str().unwrap().to_owned();
    let open = ["/gateway", "/openapi.json", "/health", "/token", "/device", "/device/token", "/issuer/{endpoint}"];
    let routes = routes();
    assert!(routes.len() > 25 && routes.iter().any(|(_, path)| path.ends_with("/approve")), "{routes:?}");
    for (method, path) in routes {
        let ask = |token: &str| {
            let request =
                World::request(method.clone(), &path).header(header::AUTHORIZATION, format!("Bearer {token}"));
            world.send(request, "{}")
        };
        let refused = ask(&token).await;
        if open.contains(&path.as_str()) {
            continue;
        }
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{method} {path}: {}", refused.body);
        assert!(refused.body.contains("opens the run's connections and nothing else"), "{path}: {}", refused.body);
        // A logout ends the person's own token too.
        if !path.ends_with("/events") && path != "/logout" {
            assert_ne!(ask(&own).await.status, StatusCode::UNAUTHORIZED, "{method} {path} knows the person");
        }
    }
}

#[tokio::test]
async fn only_who_began_a_run_renews_and_ends_it() {
    let world = World::new().await;
    let (bob, carol) = (person("bob", &["engineers"]), person("carol", &["engineers"]));
    let (bob, carol) = (world.token(&bob), world.token(&carol));
    let run = begin(&world, &bob, NEW).await;
    let (renew, end) = (format!("/runs/{}/token", id(&run)), format!("/runs/{}/end", id(&run)));
    world.clock.advance(60_000);
    let renewed = world.post(Some(&bob), &renew, "").await;
    assert_eq!(renewed.json()["expires_at"], json!(world.clock.unix_seconds() + 600), "{}", renewed.body);
    for path in [&renew, &end] {
        assert_eq!(world.post(Some(&carol), path, "{}").await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let session = SessionEntry { run: Some(id(&run)), ..World::entry("bob", 7) };
    let mut member = world.registry.pretend(session.clone());
    let mut beside = world.registry.pretend(World::entry("bob", 8));
    assert_eq!(world.post(Some(&bob), &end, r#"{"status": 3}"#).await.status, StatusCode::NO_CONTENT);
    assert!(member.end.has_changed().unwrap() && format!("{:?}", *member.end.borrow_and_update()).contains("RunEnded"));
    assert!(!beside.end.has_changed().unwrap() && beside.end.borrow_and_update().is_none());
    let late = world.registry.pretend(session);
    assert!(late.end.borrow().is_some(), "a session that was on its way in is ended too");
    assert!(!world.registry.is_running(&id(&run)));
    assert_eq!(world.post(Some(&bob), &renew, "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.post(Some(&bob), &end, "{}").await.status, StatusCode::NO_CONTENT, "ending twice is no error");
    let shown = world.get(Some(&bob), &format!("/runs/{}", id(&run))).await.json();
    assert_eq!((&shown["run"]["status"], &shown["run"]["labels"]["team"]), (&json!(3), &json!("x")));
    assert_eq!(shown["run"]["usage"]["wall_seconds"], 60);
    let noted = world.recordings.notes();
    assert!(noted.last().unwrap().ends_with("its program exited with status 3"), "{noted:?}");
}

#[tokio::test]
async fn a_run_that_nobody_renews_ends() {
    let world = World::new().await;
    let bob = person("bob", &["engineers"]);
    let token = world.token(&bob);
    let (first, second) = (begin(&world, &token, NEW).await, begin(&world, &token, NEW).await);
    world.clock.advance(599_000);
    let fresh = world.token(&bob);
    let renewed = world.post(Some(&fresh), &format!("/runs/{}/token", id(&second)), "").await;
    assert_eq!(renewed.status, StatusCode::OK, "{}", renewed.body);
    world.state.end_lapsed_runs().await;
    assert!(world.registry.is_running(&id(&first)), "not before its time");
    world.clock.advance(1_000);
    world.state.end_lapsed_runs().await;
    assert!(!world.registry.is_running(&id(&first)) && world.registry.is_running(&id(&second)));
    let shown = world.get(Some(&fresh), &format!("/runs/{}", id(&first))).await.json();
    assert_eq!(shown["run"]["end_reason"], "its token was not renewed");
}

#[tokio::test]
async fn a_run_that_cannot_be_recorded_or_reaches_too_far_does_not_begin() {
    let world = World::new().await;
    let bob = world.token(&person("bob", &["engineers"]));
    world.recordings.fail(true);
    assert_eq!(world.post(Some(&bob), "/runs", NEW).await.status, StatusCode::SERVICE_UNAVAILABLE);
    world.recordings.fail(false);
    assert!(world.registry.live_runs().is_empty());
    let stranger = world.token(&person("mallory", &[]));
    assert_eq!(world.post(Some(&stranger), "/runs", NEW).await.status, StatusCode::FORBIDDEN);
    let ask = async |body: Value| world.post(Some(&bob), "/runs", &body.to_string()).await.status;
    assert_eq!(ask(json!({"connections": ["pg-prod", "nowhere"]})).await, StatusCode::NOT_FOUND);
    assert_eq!(ask(json!({"connections": []})).await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(ask(json!({"connections": ["pg-prod"], "command": "a\nb"})).await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(ask(json!({"connections": ["pg-prod"], "labels": {"": "x"}})).await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(ask(json!({"connections": ["pg-prod"], "token": "x"})).await, StatusCode::BAD_REQUEST);
    assert!(world.registry.live_runs().is_empty());
}

#[tokio::test]
async fn presence_is_lent_by_policy_and_decided_for_both() {
    let world = World::new().await;
    let lend = json!({"connections": ["pg-prod"], "agent": "crew"}).to_string();
    let bob = person("bob", &["engineers"]);
    let run = begin(&world, &world.token(&bob), &lend).await;
    assert_eq!(run["principal"], json!({"kind": "agent", "name": "crew"}));
    assert_eq!(run["lent_by"], "bob");
    let presence = world.stream(run["token"].as_str().unwrap());
    assert_eq!((presence.principal.kind, presence.principal.lent_by.as_deref()), (PrincipalKind::Agent, Some(&bob)));
    let renewed = world.post(Some(&world.token(&bob)), &format!("/runs/{}/token", id(&run)), "").await.json();
    assert_eq!(world.stream(renewed["token"].as_str().unwrap()), presence, "the next token is of the same pair");

    // Who may connect but not lend, and who may lend but not connect, gets nothing.
    let visitor = world.token(&person("vera", &["visitors"]));
    let refused = world.post(Some(&visitor), "/runs", &lend).await;
    assert_eq!((refused.status, &refused.json()["title"]), (StatusCode::FORBIDDEN, &json!("refused by policy")));
    assert!(world.recordings.notes().iter().any(|note| note == "denied: vera act as crew"));
    let other = json!({"connections": ["pg-prod"], "agent": "nobody"}).to_string();
    assert_eq!(world.post(Some(&world.token(&bob)), "/runs", &other).await.status, StatusCode::NOT_FOUND);
    let service = world.token(&agent("crew", "alice", &["engineers"]));
    let through = world.post(Some(&service), "/runs", &lend).await;
    assert_eq!(through.status, StatusCode::FORBIDDEN, "no agent lends: {}", through.body);
}

#[tokio::test]
async fn a_run_is_seen_by_its_people_and_by_whom_policy_lets_list() {
    let world = World::new().await;
    let token = |name: &str, groups: &[&str]| world.token(&person(name, groups));
    let lend = json!({"connections": ["pg-prod"], "agent": "crew"}).to_string();
    let run = begin(&world, &token("bob", &["engineers"]), &lend).await;
    let sees = async |token: &str| {
        let listed = world.get(Some(token), "/runs").await.json();
        let shown = world.get(Some(token), &format!("/runs/{}", id(&run))).await.status;
        assert_eq!(listed.as_array().unwrap().len() == 1, shown == StatusCode::OK, "{listed}");
        shown == StatusCode::OK
    };
    assert!(sees(&token("bob", &[])).await, "who lent their presence");
    assert!(sees(&token("alice", &[])).await, "the agent's owner");
    assert!(sees(&token("wanda", &["watchers"])).await, "by policy");
    assert!(!sees(&token("mallory", &["engineers"])).await);
    assert_eq!(world.get(Some(&token("bob", &[])), "/runs?limit=0").await.json(), json!([]));
    assert_eq!(world.get(Some(&token("bob", &[])), "/runs?limit=x").await.status, StatusCode::BAD_REQUEST);
    let session = SessionEntry {
        run: Some(id(&run)),
        connection: connection(),
        principal: agent("crew", "alice", &[]),
        ..World::entry("crew", 9)
    };
    world.sessions.started(session).await.unwrap();
    let shown = world.get(Some(&token("alice", &[])), &format!("/runs/{}", id(&run))).await.json();
    assert_eq!(shown["sessions"][0]["run"], json!(id(&run)));
}

#[tokio::test]
async fn a_timeline_is_looked_at_on_record_and_shows_what_its_reader_may_replay() {
    let world = World::new().await;
    let bob = world.token(&person("bob", &["engineers"]));
    let run = begin(&world, &bob, NEW).await;
    for number in [5, 6] {
        // The events of these recordings happen soon after the epoch.
        let session = SessionEntry { run: Some(id(&run)), started_at_millis: 0, ..World::entry("bob", number) };
        world.sessions.started(session).await.unwrap();
    }
    let path = format!("/runs/{}/timeline", id(&run));
    let lines = async |token: &str| {
        let answer = world.get(Some(token), &path).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    let auditor = world.token(&person("anna", &["auditors"]));
    let shown = lines(&auditor).await;
    assert!(shown.len() > 4, "{shown:?}");
    let times: Vec<u64> = shown.iter().map(|entry| entry["at_micros"].as_u64().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert!(shown.iter().all(|entry| entry["connection"] == "pg-prod" && entry["kind"] != "withheld"));
    assert!(world.recordings.notes().contains(&format!("run looked: anna at {}", id(&run))));

    // Who may list, but not replay, learns that there are sessions.
    let watcher = world.token(&person("wanda", &["watchers"]));
    let withheld = lines(&watcher).await;
    assert_eq!(withheld.iter().map(|entry| &entry["kind"]).collect::<Vec<_>>(), ["withheld", "withheld"]);
    let stranger = world.token(&person("mallory", &["engineers"]));
    assert_eq!(world.get(Some(&stranger), &path).await.status, StatusCode::NOT_FOUND);
    world.recordings.fail(true);
    assert_eq!(world.get(Some(&auditor), &path).await.status, StatusCode::SERVICE_UNAVAILABLE);
}
