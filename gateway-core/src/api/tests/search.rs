//! Searching sessions: by who, where, when, decision and words, and never beyond what the caller may see.

use http::StatusCode;

use super::world::World;
use crate::{approval::testing::person, store::SessionCounts};

async fn found(world: &World, name: &str, groups: &[&str], query: &str) -> Vec<String> {
    let answer = world.get(Some(&world.token(&person(name, groups))), &format!("/sessions?{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.json().as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn finds_by_who_where_when_and_decision() {
    let world = World::new().await;
    let counts = |refused, held, masked| SessionCounts { operations: 9, refused, held, masked };
    let refused = world.counted_session("alice@example.com", 10, counts(1, 0, 0)).await;
    let held = world.counted_session("bob@example.com", 20, counts(0, 2, 0)).await;
    let masked = world.counted_session("alice@example.com", 30, counts(0, 0, 3)).await;
    let search = async |query: &str| found(&world, "carol", &["auditors"], query).await;
    assert_eq!(search("who=ALICE").await, [masked.as_str(), refused.as_str()]);
    assert_eq!(search("who=bob&decision=held").await, [held.as_str()]);
    assert_eq!(search("decision=refused").await, [refused.as_str()]);
    assert_eq!(search("decision=masked&limit=1").await, [masked.as_str()]);
    assert_eq!(search("until_millis=29").await, [held.as_str(), refused.as_str()]);
    assert_eq!(search("connection=pg-pr&until_millis=10").await, [refused.as_str()]);
    assert!(search("connection=elsewhere").await.is_empty());
    let carol = world.token(&person("carol", &["auditors"]));
    for malformed in ["decision=maybe", "since_millis=x", "colour=red", &format!("text={}", "x".repeat(1_025))] {
        let answer = world.get(Some(&carol), &format!("/sessions?{malformed}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{malformed}");
    }
    assert!(world.recordings.notes().is_empty(), "nobody's words were read");
}

#[tokio::test]
async fn a_masked_literal_is_found_by_nobody_and_its_placeholder_by_who_may_replay() {
    let world = World::new().await;
    let id = world.session("alice", 1).await;
    // What the index holds of `… where email = 'ada@example.com'`; `said` shows that it holds no more.
    world.recordings.say(&id, "select 1 from customers where email = ⟦email 17 bytes #1⟧", true);
    for (name, groups) in [("alice", &["engineers"]), ("carol", &["auditors"])] {
        assert!(found(&world, name, groups, "text=ada@example.com").await.is_empty());
        assert_eq!(found(&world, name, groups, "text=FROM%20customers").await, [id.as_str()]);
        assert_eq!(found(&world, name, groups, "text=%E2%9F%A6email").await, [id.as_str()]);
    }
}

#[tokio::test]
async fn words_are_sought_only_where_the_caller_may_replay_and_that_is_recorded() {
    let world = World::new().await;
    let (alices, bobs) = (world.session("alice", 1).await, world.session("bob", 2).await);
    world.recordings.say(&alices, "select 'orders'", true);
    world.recordings.say(&bobs, "drop table orders", true);
    assert_eq!(found(&world, "alice", &["engineers"], "text=orders").await, [alices.as_str()]);
    assert!(world.recordings.notes().is_empty(), "one's own words are no look");
    // Who sees that sessions are there may not search what was said in them.
    assert_eq!(found(&world, "dan", &["watchers"], "").await, [bobs.as_str(), alices.as_str()]);
    assert!(found(&world, "dan", &["watchers"], "text=orders").await.is_empty());
    assert!(world.recordings.notes().is_empty());
    assert_eq!(found(&world, "carol", &["auditors"], "text=orders").await, [bobs.as_str(), alices.as_str()]);
    assert!(found(&world, "carol", &["auditors"], "text=nothing").await.is_empty());
    assert_eq!(world.recordings.notes(), ["searched: carol in 2, 2 found", "searched: carol in 2, 0 found"]);
    world.recordings.fail(true);
    let answer = world.get(Some(&world.token(&person("carol", &["auditors"]))), "/sessions?text=orders").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!answer.body.contains(bobs.as_str()));
}

#[tokio::test]
async fn what_could_not_be_searched_whole_is_shown_as_such() {
    let world = World::new().await;
    let id = world.session("alice", 1).await;
    world.recordings.say(&id, "select 1", false);
    let token = world.token(&person("alice", &["engineers"]));
    let item = async |query: &str| world.get(Some(&token), query).await.json()[0]["partly_searched"].clone();
    assert_eq!(item("/sessions?text=elsewhere").await, true);
    assert!(item("/sessions?text=select").await.is_null());
}

#[tokio::test]
async fn the_oldest_of_three_thousand_sessions_is_found() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for number in 1..=3_000 {
        let id = world.session("alice", number).await;
        world.recordings.say(&id, &format!("select {number} from orders {}", "where id = 7 ".repeat(100)), true);
        ids.push(id);
    }
    assert_eq!(found(&world, "carol", &["auditors"], "text=select%201%20from").await, [ids[0].as_str()]);
    assert_eq!(world.recordings.notes(), ["searched: carol in 3000, 1 found"]);
}
