//! Approvals through the API: who sees a request, who may decide, and what is recorded when.

use http::StatusCode;
use serde_json::json;

use super::world::{Answer, World};
use crate::{
    approval::{
        Ticket,
        testing::{agent, person, request},
    },
    model::Principal,
};

async fn held(world: &World, requester: Principal) -> Ticket {
    world.desk.submit(request(1, requester)).await.unwrap()
}

async fn decide(world: &World, who: &Principal, ticket: &Ticket, verb: &str, body: &str) -> Answer {
    world.post(Some(&world.token(who)), &format!("/approvals/{}/{verb}", ticket.id()), body).await
}

#[tokio::test]
async fn a_reviewer_approves_and_the_ticket_hears_it() {
    let world = World::new().await;
    let mut ticket = held(&world, person("alice", &["engineers"])).await;
    let answer = decide(&world, &person("bob", &["dba"]), &ticket, "approve", "").await;
    assert_eq!((answer.status, &answer.json()["status"]), (StatusCode::OK, &json!("approved")));
    assert_eq!(answer.json()["reviews"][0]["by"], "bob");
    assert_eq!(world.recordings.notes(), ["reviewed: bob true "]);
    assert_eq!(ticket.settled().await.word(), "approved");
    assert!(ticket.into_grant().is_ok());
}

#[tokio::test]
async fn a_denial_says_why() {
    let world = World::new().await;
    let ticket = held(&world, person("alice", &[])).await;
    let bob = person("bob", &["dba"]);
    assert_eq!(decide(&world, &bob, &ticket, "deny", "{}").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(decide(&world, &bob, &ticket, "deny", "{\"why\":\"no\"}").await.status, StatusCode::BAD_REQUEST);
    assert!(world.recordings.notes().is_empty());
    let answer = decide(&world, &bob, &ticket, "deny", "{\"reason\":\"not today\"}").await;
    assert_eq!((answer.status, &answer.json()["status"]), (StatusCode::OK, &json!("denied")));
    assert_eq!(decide(&world, &bob, &ticket, "approve", "").await.status, StatusCode::CONFLICT);
    assert_eq!(world.recordings.notes(), ["reviewed: bob false not today"]);
}

#[tokio::test]
async fn nobody_approves_their_own_or_their_agents_request() {
    let world = World::new().await;
    let alice = person("alice", &["dba", "engineers"]);
    let own = held(&world, alice.clone()).await;
    assert_eq!(decide(&world, &alice, &own, "approve", "").await.status, StatusCode::FORBIDDEN);
    let crews = world.desk.submit(request(2, agent("crew", "alice", &["agents"]))).await.unwrap();
    assert_eq!(decide(&world, &alice, &crews, "approve", "").await.status, StatusCode::FORBIDDEN);
    assert_eq!(
        decide(&world, &agent("bot", "bob", &["dba"]), &crews, "approve", "").await.status,
        StatusCode::FORBIDDEN
    );
    assert!(own.state().is_pending() && crews.state().is_pending());
}

#[tokio::test]
async fn a_member_of_the_group_whom_a_policy_forbids_does_not_count() {
    let world = World::new().await;
    let ticket = held(&world, person("alice", &[])).await;
    let answer = decide(&world, &person("dora", &["dba", "on-leave"]), &ticket, "approve", "").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(answer.json()["rule"], "no-approvals-on-leave");
    assert!(ticket.state().is_pending());
    assert_eq!(world.recordings.notes(), [format!("denied: dora approve {}", ticket.id())]);
}

#[tokio::test]
async fn a_review_that_cannot_be_recorded_does_not_count() {
    let world = World::new().await;
    let ticket = held(&world, person("alice", &[])).await;
    world.recordings.fail(true);
    let answer = decide(&world, &person("bob", &["dba"]), &ticket, "approve", "").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(ticket.state().is_pending());
}

#[tokio::test]
async fn a_review_after_the_expiry_does_nothing() {
    let world = World::new().await;
    let ticket = held(&world, person("alice", &[])).await;
    world.clock.advance(60_000);
    let answer = decide(&world, &person("bob", &["dba"]), &ticket, "approve", "").await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(ticket.into_grant().is_err());
}

#[tokio::test]
async fn requests_are_seen_by_the_requester_the_reviewers_and_auditors_only() {
    let world = World::new().await;
    let ticket = held(&world, person("alice", &["engineers"])).await;
    let path = format!("/approvals/{}", ticket.id());
    let sees = async |who: Principal| {
        let token = world.token(&who);
        let listed = world.get(Some(&token), "/approvals").await.json().as_array().unwrap().len();
        let status = world.get(Some(&token), &path).await.status;
        assert_eq!(listed == 1, status == StatusCode::OK);
        status
    };
    assert_eq!(sees(person("alice", &["engineers"])).await, StatusCode::OK);
    assert_eq!(sees(person("bob", &["dba"])).await, StatusCode::OK);
    assert_eq!(sees(person("carol", &["auditors"])).await, StatusCode::OK);
    assert_eq!(sees(person("eve", &[])).await, StatusCode::NOT_FOUND);
    assert_eq!(sees(agent("alice", "bob", &[])).await, StatusCode::NOT_FOUND, "an agent of the same name is not her");
    let refused = decide(&world, &person("eve", &[]), &ticket, "approve", "").await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    assert!(ticket.state().is_pending());
}

#[tokio::test]
async fn settled_requests_are_listed_when_all_are_asked_for() {
    let world = World::new().await;
    let ticket = held(&world, person("alice", &[])).await;
    let bob = person("bob", &["dba"]);
    decide(&world, &bob, &ticket, "approve", "").await;
    let token = world.token(&bob);
    assert_eq!(world.get(Some(&token), "/approvals").await.json(), json!([]));
    let all = world.get(Some(&token), "/approvals?all=true").await.json();
    assert_eq!(all[0]["text"], "DELETE FROM orders WHERE id = 7");
    assert_eq!(world.get(Some(&token), "/approvals?all=maybe").await.status, StatusCode::BAD_REQUEST);
}
