//! Ways around the one authorization function that were tried over the API.

use http::{Method, StatusCode, header};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::world::{HOST, World};
use crate::{api, approval::testing::person};

/// What a client that sends these bytes on one connection is told, to its end.
async fn told(world: &World, sent: &[u8]) -> String {
    let (mut client, server) = tokio::io::duplex(4_096);
    let service = TowerToHyperService::new(api::router(world.state.clone()));
    let builder = Builder::new(TokioExecutor::new());
    let talk = async {
        let mut said = Vec::new();
        // A server that has heard enough does not hear the rest.
        drop(client.write_all(sent).await);
        drop(client.read_to_end(&mut said).await);
        String::from_utf8_lossy(&said).into_owned()
    };
    tokio::join!(builder.serve_connection(TokioIo::new(server), service), talk).1
}

/// A refusal comes before the body is read: the next request on the connection is answered all the same, or the client
/// is told that there is none.
#[tokio::test]
async fn what_a_refusal_did_not_read_does_not_swallow_the_next_request() {
    let world = World::new().await;
    let post = |length: usize| {
        format!("POST /api/v1/sessions/x/kill HTTP/1.1\r\nhost: {HOST}\r\ncontent-length: {length}\r\n\r\n")
    };
    let next = format!("GET /api/v1/gateway HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\n\r\n");
    for length in [0, 10, 100_000] {
        let said = told(&world, &[post(length).as_bytes(), &vec![b'x'; length], next.as_bytes()].concat()).await;
        let answers: Vec<_> = said.split("HTTP/1.1 ").skip(1).filter_map(|answer| answer.get(..3)).collect();
        assert_eq!(answers, ["401", "200"], "{length}: {said}");
    }
    let said = told(&world, &[post(10_000_000).as_bytes(), &vec![b'x'; 500_000]].concat()).await;
    assert!(said.starts_with("HTTP/1.1 401") && said.contains("connection: close"), "{said}");
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
