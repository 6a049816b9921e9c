//! Streams of events, and the end of sessions: who sees what, for how long, and what is on record of it.

use std::path::PathBuf;

use http::StatusCode;

use super::world::World;
use crate::{
    approval::testing::{person, request},
    policy::{PolicySet, PolicySource, TagNames},
    session::registry::{End, Membership},
    store::SessionCounts,
};

/// Policies under which nobody may do anything.
fn nothing_permitted() -> PolicySet {
    let text = "@id(\"nobody\") forbid(principal, action, resource);".to_owned();
    PolicySet::load(&[PolicySource { path: PathBuf::from("none.cedar"), text }], &TagNames::default()).unwrap()
}

/// Who ended it and why.
fn ended_by(member: &Membership) -> Option<String> {
    match member.end.borrow().clone()? {
        End::Killed { by, reason } => Some(format!("{by}: {}", reason.unwrap_or_default())),
        End::LoggedOut | End::RunEnded | End::SiteChanged { .. } | End::Outer { .. } | End::Stopped => None,
    }
}

#[tokio::test]
async fn a_stream_tells_each_what_the_lists_show_them_and_nothing_else() {
    let world = World::new().await;
    let token = |name: &str, groups: &[&str]| world.token(&person(name, groups));
    let (status, mut bob) = world.follow(&token("bob", &["dba"]), "/events").await;
    assert_eq!(status, StatusCode::OK);
    let (_, mut mallory) = world.follow(&token("mallory", &[]), "/events").await;
    let (_, mut carol) = world.follow(&token("carol", &["auditors"]), "/events").await;
    let ticket = world.desk.submit(request(1, person("alice", &[]))).await.unwrap();
    let alices = world.session("alice", 7).await;
    let mallorys = world.session("mallory", 8).await;
    let (name, item) = bob.next().await.unwrap();
    assert_eq!((name.as_str(), item["id"].as_str()), ("approval", Some(ticket.id().as_str())));
    let (name, item) = carol.next().await.unwrap();
    assert_eq!((name.as_str(), &item["status"]), ("approval", &"pending".into()));
    assert_eq!(carol.next().await.unwrap().1["id"], alices.as_str());
    let (name, item) = mallory.next().await.unwrap();
    assert_eq!((name.as_str(), item["id"].as_str()), ("session", Some(mallorys.as_str())), "nothing of alice's came");
    drop(ticket);
    assert_eq!(bob.next().await.unwrap().1["status"], "withdrawn");
}

#[tokio::test]
async fn counts_of_a_live_session_are_told_while_it_runs_and_listed_too() {
    let world = World::new().await;
    let token = world.token(&person("alice", &[]));
    let (_, mut events) = world.follow(&token, "/events").await;
    let id = world.session("alice", 7).await;
    let member = world.registry.pretend(World::entry("alice", 7));
    member.count(SessionCounts { operations: 3, refused: 1, held: 0, masked: 8 });
    assert_eq!(events.next().await.unwrap().1["id"], id.as_str());
    let mut told = events.next().await.unwrap();
    while told.1["operations"] == 0 {
        told = events.next().await.unwrap();
    }
    assert_eq!((told.0.as_str(), &told.1["operations"], &told.1["masked"]), ("session", &3.into(), &8.into()));
    assert_eq!(world.get(Some(&token), "/sessions").await.json()[0]["refused"], 1);
    drop(member);
}

#[tokio::test]
async fn each_event_is_authorised_by_the_policies_of_its_moment_and_a_stream_ends_with_its_token() {
    let world = World::new().await;
    let (_, mut carol) = world.follow(&world.token(&person("carol", &["auditors"])), "/events").await;
    world.session("alice", 7).await;
    assert!(carol.next().await.is_some());
    world.policies.send_replace(nothing_permitted());
    world.session("alice", 8).await;
    world.clock.advance(11 * 60 * 1_000);
    assert!(carol.next().await.is_none(), "nothing came under the new policies, and the token has ended");
    let ended = world.follow(&world.token(&person("carol", &[])), "/events").await;
    assert_eq!(ended.0, StatusCode::OK, "a new token opens a new one");
}

#[tokio::test]
async fn a_stream_that_is_not_read_says_what_it_missed() {
    let world = World::new().await;
    let (_, mut alice) = world.follow(&world.token(&person("alice", &[])), "/events").await;
    for number in 1..=400 {
        world.session("alice", number).await;
    }
    let (name, _) = alice.next().await.unwrap();
    assert_eq!(name, "lagged");
    assert_eq!(alice.next().await.unwrap().0, "session", "and goes on");
}

#[tokio::test]
async fn nobody_holds_more_streams_than_the_bound() {
    let world = World::new().await;
    let token = world.token(&person("alice", &[]));
    let mut open = Vec::new();
    let refused = loop {
        let (status, events) = world.follow(&token, "/events").await;
        if status != StatusCode::OK {
            break status;
        }
        open.push(events);
        assert!(open.len() <= 64, "there is no bound");
    };
    assert_eq!(refused, StatusCode::TOO_MANY_REQUESTS);
    open.pop();
    assert_eq!(world.follow(&token, "/events").await.0, StatusCode::OK, "a place that was given back is free");
}

#[tokio::test]
async fn a_gateway_that_stops_ends_its_streams() {
    let world = World::new().await;
    let (_, mut alice) = world.follow(&world.token(&person("alice", &[])), "/events").await;
    world.registry.stop();
    assert!(alice.next().await.is_none());
}

#[tokio::test]
async fn a_session_is_followed_from_any_place_to_its_end_and_sealed_for_who_may_not_reveal() {
    let world = World::new().await;
    let id = world.session("alice", 7).await;
    let path = format!("/sessions/{id}/events");
    let (_, mut alice) = world.follow(&world.token(&person("alice", &[])), &path).await;
    for seq in 1..=3 {
        let (name, event) = alice.next().await.unwrap();
        assert_eq!((name.as_str(), &event["seq"]), ("recorded", &seq.into()));
        assert_eq!(event["fields"]["text"], "<email, 15>");
    }
    assert_eq!(alice.next().await.unwrap().0, "end");
    assert!(alice.next().await.is_none());
    let carol = world.token(&person("carol", &["auditors"]));
    let (_, mut carol) = world.follow(&carol, &format!("{path}?from=3")).await;
    let (_, event) = carol.next().await.unwrap();
    assert_eq!((&event["seq"], &event["fields"]["text"]), (&3.into(), &"ada@example.com".into()));
    assert_eq!(world.recordings.notes(), [format!("looked: alice at {id}"), format!("looked: carol at {id}")]);
    let (status, _) = world.follow(&world.token(&person("mallory", &[])), &path).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    world.recordings.fail(true);
    let (status, _) = world.follow(&world.token(&person("alice", &[])), &path).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "a look that cannot be recorded is none");
}

#[tokio::test]
async fn a_session_is_ended_by_who_may_on_record_first() {
    let world = World::new().await;
    let id = world.session("alice", 7).await;
    let member = world.registry.pretend(World::entry("alice", 7));
    let path = format!("/sessions/{id}/kill");
    let (alice, carol) = (world.token(&person("alice", &[])), world.token(&person("carol", &["auditors"])));
    let mallory = world.token(&person("mallory", &[]));
    assert_eq!(world.post(Some(&mallory), &path, "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.post(Some(&carol), &path, "").await.status, StatusCode::FORBIDDEN, "to list is not to end");
    for reason in ["a\\u001b[2J", &"x".repeat(501)] {
        let answer = world.post(Some(&alice), &path, &format!("{{\"reason\":\"{reason}\"}}")).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{reason}");
    }
    world.recordings.fail(true);
    assert_eq!(world.post(Some(&alice), &path, "").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ended_by(&member), None, "what cannot be recorded does not happen");
    world.recordings.fail(false);
    let answer = world.post(Some(&alice), &path, "{\"reason\":\" done with it \"}").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(ended_by(&member).as_deref(), Some("alice: done with it"));
    assert_eq!(world.recordings.notes().last(), Some(&format!("killed: alice {id} done with it")));
    drop(member);
    let ending = world.post(Some(&alice), &path, "").await;
    assert_eq!(ending.status, StatusCode::CONFLICT, "it is on its way out");
    world.sessions.ended(&id, 9, "ended by alice: done with it".into(), SessionCounts::default()).await.unwrap();
    let ended = world.post(Some(&alice), &path, "").await;
    assert_eq!(ended.status, StatusCode::CONFLICT);
    assert!(ended.json()["detail"].as_str().unwrap().contains("ended by alice"), "{}", ended.body);
    assert_eq!(world.post(Some(&alice), "/sessions/ses_0/kill", "").await.status, StatusCode::NOT_FOUND);
}
