//! What was not told, and who may see and change it.

use http::StatusCode;
use serde_json::json;

use super::world::World;
use crate::{
    approval::testing::{person, request},
    model::Principal,
};

fn operator() -> Principal {
    person("olga", &["operators"])
}

#[tokio::test]
async fn only_who_administers_sees_and_changes_what_was_not_told() {
    let world = World::new().await;
    let _ticket = world.desk.submit(request(1, person("alice", &[]))).await.unwrap();
    let (olga, bob) = (world.token(&operator()), world.token(&person("bob", &["dba"])));
    assert_eq!(world.get(Some(&bob), "/notifications").await.status, StatusCode::FORBIDDEN);
    let listed = world.get(Some(&olga), "/notifications").await.json();
    assert_eq!((&listed["waiting"], &listed["items"][0]["event"]), (&json!(1), &json!("approval.requested")));
    assert_eq!(listed["items"][0]["state"], "waiting");
    let id = listed["items"][0]["id"].as_str().unwrap();
    for verb in ["retry", "drop"] {
        let path = format!("/notifications/{id}/{verb}");
        assert_eq!(world.post(Some(&bob), &path, "").await.status, StatusCode::FORBIDDEN);
        assert_eq!(world.post(Some(&olga), &path, "").await.status, StatusCode::OK);
    }
    assert_eq!(world.post(Some(&olga), &format!("/notifications/{id}/retry"), "").await.status, StatusCode::NOT_FOUND);
    let notes = world.recordings.notes();
    assert!(notes.contains(&format!("administered: olga drop notification {id}")), "{notes:?}");
    assert!(notes.contains(&"denied: bob change notifications".to_owned()), "{notes:?}");
}

#[tokio::test]
async fn a_change_that_cannot_be_recorded_is_not_made() {
    let world = World::new().await;
    let _ticket = world.desk.submit(request(1, person("alice", &[]))).await.unwrap();
    let id = world.outbox.list(1).await.unwrap().remove(0).id;
    world.recordings.fail(true);
    let answer = world.post(Some(&world.token(&operator())), &format!("/notifications/{id}/drop"), "").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(world.outbox.counts().await.unwrap().waiting, 1);
}

#[tokio::test]
async fn a_link_leads_to_a_page_that_shows_nothing_of_the_request() {
    let world = World::new().await;
    let ticket = world.desk.submit(request(1, person("alice", &[]))).await.unwrap();
    let page = |id: String| World::request(http::Method::GET, "").uri(format!("/approvals/{id}"));
    let known = world.send(page(ticket.id().to_string()), "").await;
    assert_eq!(known.status, StatusCode::OK);
    assert!(known.body.contains(&format!("hoop approvals approve {}", ticket.id())), "{}", known.body);
    assert!(!known.body.contains("alice") && !known.body.contains("orders"));
    let unknown = crate::model::ApprovalId::new(9, [9; 5]);
    assert_eq!(world.send(page(unknown.to_string()), "").await.status, StatusCode::OK, "nothing is looked up");
    assert_eq!(world.send(page("%3Cscript%3E".into()), "").await.status, StatusCode::NOT_FOUND);
    assert!(known.headers["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
}
