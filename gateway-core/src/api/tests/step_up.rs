//! Approvals that want a fresh or a strong login: what is asked for, what counts, and what never does.

use http::StatusCode;
use serde_json::json;

use super::world::{Answer, World};
use crate::{
    approval::{
        Ticket,
        testing::{person, request},
    },
    model::{Authentication, GroupName, Principal, Quorum, StepUp},
};

fn proved(world: &World, seconds_ago: i64, acr: Option<&str>) -> Authentication {
    Authentication { at: Some(world.clock.unix_seconds() - seconds_ago), acr: acr.map(str::to_owned) }
}

async fn held(world: &World, group: &str, step_up: Vec<StepUp>) -> Ticket {
    let mut asked = request(1, person("alice", &["engineers"]));
    asked.need.quorums = vec![Quorum { count: 1, group: GroupName::new(group).unwrap() }];
    asked.need.step_up = step_up;
    asked.created_at_millis = world.clock.unix_millis();
    asked.expires_at_millis = asked.created_at_millis + 60_000;
    world.desk.submit(asked).await.unwrap()
}

async fn decide(world: &World, who: &Principal, proved: Authentication, ticket: &Ticket, verb: &str) -> Answer {
    let token = world.token_after(who, proved);
    world.post(Some(&token), &format!("/approvals/{}/{verb}", ticket.id()), "{\"reason\":\"seen\"}").await
}

async fn world() -> World {
    let world = World::new().await;
    world.clock.advance(1_800_000_000_000);
    world
}

fn fresh() -> Vec<StepUp> {
    vec![StepUp { max_age_seconds: Some(900), acr: None }]
}

#[tokio::test]
async fn an_old_login_is_told_how_to_log_in_anew_and_a_fresh_one_counts() {
    let world = world().await;
    let ticket = held(&world, "dba", fresh()).await;
    let bob = person("bob", &["dba"]);
    let answer = decide(&world, &bob, proved(&world, 901, None), &ticket, "approve").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let problem = answer.json();
    assert!(problem["type"].as_str().unwrap().ends_with("/step-up-required"), "{problem}");
    assert_eq!((&problem["max_age_seconds"], problem.get("acr")), (&json!(900), None));
    assert!(problem["hint"].as_str().unwrap().contains("hoop login --max-age 900"), "{problem}");
    assert_eq!(world.recordings.notes(), [format!("denied: bob approve {}", ticket.id())]);
    assert!(ticket.state().is_pending());
    let answer = decide(&world, &bob, proved(&world, 900, None), &ticket, "approve").await;
    assert_eq!((answer.status, &answer.json()["status"]), (StatusCode::OK, &json!("approved")));
}

#[tokio::test]
async fn a_login_without_a_date_or_from_the_future_is_never_fresh() {
    let world = world().await;
    let ticket = held(&world, "dba", fresh()).await;
    let bob = person("bob", &["dba"]);
    for never in [Authentication::default(), proved(&world, -61, None), proved(&world, i64::MAX, None)] {
        let answer = decide(&world, &bob, never, &ticket, "approve").await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
    assert!(ticket.state().is_pending());
}

#[tokio::test]
async fn a_denial_needs_no_fresh_login() {
    let world = world().await;
    let ticket = held(&world, "dba", fresh()).await;
    let answer = decide(&world, &person("bob", &["dba"]), Authentication::default(), &ticket, "deny").await;
    assert_eq!((answer.status, &answer.json()["status"]), (StatusCode::OK, &json!("denied")));
}

#[tokio::test]
async fn a_permit_to_approve_can_want_more_and_one_that_wants_nothing_is_enough() {
    let world = world().await;
    let ticket = held(&world, "security", Vec::new()).await;
    let sam = person("sam", &["security"]);
    let answer = decide(&world, &sam, proved(&world, 0, Some("pwd")), &ticket, "approve").await;
    let problem = answer.json();
    assert_eq!((&problem["max_age_seconds"], &problem["acr"]), (&json!(900), &json!("phr")), "{problem}");
    let officer = person("olga", &["security", "officers"]);
    let answer = decide(&world, &officer, Authentication::default(), &ticket, "approve").await;
    assert_eq!(answer.status, StatusCode::OK, "another permit lets her, without a demand");
    let ticket = {
        let mut asked = request(2, person("alice", &[]));
        asked.need.quorums = vec![Quorum { count: 1, group: GroupName::new("security").unwrap() }];
        asked.expires_at_millis = world.clock.unix_millis() + 60_000;
        world.desk.submit(asked).await.unwrap()
    };
    let answer = decide(&world, &sam, proved(&world, 0, Some("phr")), &ticket, "approve").await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn a_reviewer_sees_the_demand_before_deciding() {
    let world = world().await;
    let demands = vec![fresh().remove(0), StepUp { max_age_seconds: Some(60), acr: Some("phr".into()) }];
    let ticket = held(&world, "dba", demands).await;
    let token = world.token(&person("bob", &["dba"]));
    let shown = world.get(Some(&token), &format!("/approvals/{}", ticket.id())).await.json();
    assert_eq!(shown["step_up"], json!({"max_age_seconds": 60, "acr": "phr"}));
}
