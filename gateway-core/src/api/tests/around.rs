//! Ways around the one authorization function that were tried over the API.

use http::{Method, StatusCode, header};
use serde_json::json;

use super::world::World;
use crate::approval::testing::person;

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
