//! Approvals that somebody tries to get around: replayed, given to oneself, spent elsewhere, raced, or met by too few.

mod crowd;
mod races;
mod shapes;

use super::harness::{Outcome, Person, Program, Psql, Stream, Tunnel};
use crowd::{Crowd, TWO_GROUPS, until};

/// Starts psql on a script and waits until the gateway said that it is held; gives the request's id.
fn held(psql: &Psql, script: &str) -> (Program, String) {
    let mut waiting = psql.start();
    waiting.write(script);
    let id = request(&mut waiting);
    (waiting, id)
}

/// The next request that a program is told of.
fn request(program: &mut Program) -> String {
    program.expect("that it is held", |stream, line| {
        let (_, named) = line.split_once("for approval ").filter(|_| stream == Stream::Errors)?;
        let mut words = named.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
        words.next().filter(|word| word.starts_with("apr_")).map(str::to_owned)
    })
}

/// Lets a client end, which has nothing more to say.
fn finished(mut client: Program) -> i32 {
    client.close_input();
    client.finish().code()
}

fn approve(person: &Person, id: &str) -> Outcome {
    person.run(&["approvals", "approve", id])
}

fn status(person: &Person, id: &str) -> String {
    person.json(&["approvals", "show", id])["approval"]["status"].as_str().expect("a status").to_owned()
}

const DELETE: &str = "delete from orders where id = 7;\n";

#[test]
fn one_person_in_two_groups_does_not_approve_for_both() {
    let crowd = Crowd::gather(TWO_GROUPS);
    let (waiting, id) = held(&crowd.psql(), DELETE);
    let (dora, bob) = (crowd.person("dora"), crowd.person("bob"));
    assert_eq!(approve(&dora, &id).code(), 0);
    assert_eq!(status(&dora, &id), "pending");
    let again = approve(&dora, &id);
    assert_ne!(again.code(), 0, "once is once: {again:?}");
    assert_eq!(crowd.orders(), "200");
    assert_eq!(approve(&bob, &id).code(), 0);
    assert_eq!(finished(waiting), 0);
    assert_eq!(crowd.orders(), "199");
}

#[test]
fn a_reviewer_whose_group_is_lost_while_the_request_waits_does_not_count() {
    let crowd = Crowd::gather(&[("deletes-are-held", "2 of dba")]);
    let (waiting, id) = held(&crowd.psql(), DELETE);
    let (bob, dora, frank) = (crowd.person("bob"), crowd.person("dora"), crowd.person("frank"));
    assert_eq!(approve(&bob, &id).code(), 0);
    // The identity provider takes bob out of the group; the gateway hears it when his token is renewed.
    crowd.regroup("bob", &["engineers"]);
    super::login::expire(&bob);
    assert_eq!(bob.json(&["whoami"])["whoami"]["principal"]["groups"], serde_json::json!(["engineers"]));
    assert_eq!(approve(&dora, &id).code(), 0);
    assert_eq!(status(&dora, &id), "pending", "bob's word counts no more");
    assert_eq!(crowd.orders(), "200");
    assert_eq!(approve(&frank, &id).code(), 0);
    assert_eq!(finished(waiting), 0);
    assert_eq!(crowd.orders(), "199");
}

#[test]
fn a_reviewer_whom_a_policy_stops_while_the_request_waits_does_not_count() {
    let mut crowd = Crowd::gather(&[("deletes-are-held", "2 of dba")]);
    let (waiting, id) = held(&crowd.psql(), DELETE);
    let (bob, dora, frank) = (crowd.person("bob"), crowd.person("dora"), crowd.person("frank"));
    assert_eq!(approve(&bob, &id).code(), 0);
    crowd.policy(
        "leave",
        "@id(\"on-leave\") forbid(principal == User::\"bob\", action == Action::\"approve\", resource);",
    );
    assert_eq!(approve(&dora, &id).code(), 0);
    assert_eq!(status(&dora, &id), "pending");
    assert_eq!(crowd.orders(), "200");
    assert_eq!(approve(&frank, &id).code(), 0);
    assert_eq!(finished(waiting), 0);
}

#[test]
fn nobody_approves_through_their_own_agent_nor_for_it() {
    let crowd = Crowd::gather(&[("deletes-are-held", "dba")]);
    // The agent asks; dora answers for it and is a dba.
    let bot = crowd.person("bot");
    let agents = Tunnel::open(&bot, "pg-prod");
    let (mut waiting, id) = held(&agents.psql().going_on(), DELETE);
    let dora = crowd.person("dora");
    let own = approve(&dora, &id);
    assert_eq!(own.code(), 3, "{own:?}");
    assert_eq!(approve(&bot, &id).code(), 3);
    let item = &dora.json(&["approvals", "show", &id])["approval"];
    assert_eq!(item["may_review"], false, "{item}");
    // Dora asks; her agent is in the group too.
    let tunnel = Tunnel::open(&dora, "pg-prod");
    let (mut hers, second) = held(&tunnel.psql().going_on(), DELETE);
    assert_eq!(approve(&bot, &second).code(), 3);
    assert_eq!(crowd.orders(), "200");
    for (program, id) in [(&mut waiting, &id), (&mut hers, &second)] {
        crowd.person("bob").run(&["approvals", "deny", id, "--reason", "no"]).success();
        program.expect_line("42501");
    }
    assert_eq!(crowd.orders(), "200");
}

#[test]
fn an_approval_is_spent_once_and_only_in_its_session() {
    let crowd = Crowd::gather(&[("deletes-are-held", "dba")]);
    let bob = crowd.person("bob");
    let (mut waiting, id) = held(&crowd.psql(), DELETE);
    assert_eq!(approve(&bob, &id).code(), 0);
    waiting.write("select 'ran';\n");
    waiting.expect_line("ran");
    assert_eq!(crowd.orders(), "199");
    crowd.database.direct().run("insert into orders (id, customer_id, total) values (7, 1, 1)").success();
    // Replayed: the same statement in the same session, and the same approval once more.
    waiting.write(DELETE);
    let second = request(&mut waiting);
    assert_ne!(id, second);
    assert_ne!(approve(&bob, &id).code(), 0, "a decided request is decided");
    assert_eq!(crowd.orders(), "200");
    bob.run(&["approvals", "deny", &second, "--reason", "no"]).success();
    waiting.expect_line("42501");
}

#[test]
fn an_approval_of_one_text_does_not_serve_another_nor_another_search_path() {
    let crowd = Crowd::gather(&[("deletes-are-held", "dba")]);
    crowd
        .database
        .direct()
        .run(
            "create schema other; create table other.orders (id integer primary key); \
         insert into other.orders select n from generate_series(1, 5) n; grant all on schema other to hoop_app; \
         grant all on other.orders to hoop_app",
        )
        .success();
    let bob = crowd.person("bob");
    let (mut waiting, first) = held(&crowd.psql().going_on(), DELETE);
    let shown = &bob.json(&["approvals", "show", &first])["approval"];
    assert_eq!(shown["objects"], serde_json::json!(["public.orders"]), "{shown}");
    bob.run(&["approvals", "deny", &first, "--reason", "look again"]).success();
    waiting.expect_line("42501");
    // The same text after SET search_path is another request, with another object, bound to another path.
    waiting.write("set search_path = other, public;\n");
    waiting.write(DELETE);
    let second = request(&mut waiting);
    let shown = &bob.json(&["approvals", "show", &second])["approval"];
    assert_eq!(shown["objects"], serde_json::json!(["other.orders"]), "{shown}");
    assert_ne!(first, second);
    // Another text asks again, whatever was approved before it.
    assert_eq!(approve(&bob, &second).code(), 0);
    waiting.write("delete from orders where id = 4;\n");
    let third = request(&mut waiting);
    assert_ne!(second, third);
    assert_eq!(crowd.database.value("select count(*) from other.orders"), "5", "there was no order 7 there");
    assert_eq!(crowd.orders(), "200");
    bob.run(&["approvals", "deny", &third, "--reason", "no"]).success();
}

#[test]
fn the_same_from_several_sessions_is_one_request_and_one_approval_runs_it_once() {
    let crowd = Crowd::gather(&[("deletes-are-held", "dba")]);
    let bob = crowd.person("bob");
    let (mut first, id) = held(&crowd.psql().going_on(), DELETE);
    let (mut second, joined) = held(&crowd.psql().going_on(), DELETE);
    assert_eq!(id, joined, "one row for reviewers");
    let waiting = bob.json(&["approvals", "ls"]);
    assert_eq!(waiting["approvals"].as_array().map(Vec::len), Some(1), "{waiting}");
    assert_eq!(waiting["approvals"][0]["retries"], 1, "{waiting}");
    assert_eq!(approve(&bob, &id).code(), 0);
    // The newest goes on; the other is told, and nothing of it ran.
    second.write("select 'ran';\n");
    second.expect_line("ran");
    first.expect_line("57014");
    assert_eq!(crowd.orders(), "199");
    first.write("select 'usable';\n");
    first.expect_line("usable");
    assert_ne!(approve(&bob, &id).code(), 0);
}

#[test]
fn the_newest_that_leaves_makes_place_for_the_one_before() {
    let crowd = Crowd::gather(&[("deletes-are-held", "dba")]);
    let bob = crowd.person("bob");
    let (first, id) = held(&crowd.psql(), DELETE);
    let (second, joined) = held(&crowd.psql(), DELETE);
    assert_eq!(id, joined);
    let session = |bob: &Person| bob.json(&["approvals", "show", &id])["approval"]["session"].to_string();
    let newest = session(&bob);
    drop(second);
    until("the earlier session stands for it", || session(&bob) != newest);
    assert_eq!(approve(&bob, &id).code(), 0);
    assert_eq!(finished(first), 0);
    assert_eq!(crowd.orders(), "199");
}

#[test]
fn reviewers_see_each_others_load_and_what_became_of_the_same_before() {
    let crowd = Crowd::gather(&[("deletes-are-held", "dba")]);
    let (bob, dora) = (crowd.person("bob"), crowd.person("dora"));
    let (mut waiting, first) = held(&crowd.psql().going_on(), DELETE);
    bob.run(&["approvals", "deny", &first, "--reason", "not now"]).success();
    waiting.expect_line("42501");
    waiting.write("delete from orders where id = 8;\n");
    let second = request(&mut waiting);
    let shown = &dora.json(&["approvals", "show", &second])["approval"];
    assert_eq!(shown["history"][0]["id"], first, "{shown}");
    assert_eq!(shown["history"][0]["status"], "denied", "{shown}");
    let loads = dora.json(&["approvals", "reviewers"]);
    let load = |name: &str| {
        let all = loads["reviewers"].as_array().expect("a list").clone();
        let found = all.into_iter().find(|one| one["name"] == name);
        found.map(|one| (one["pending"].as_u64(), one["decided_24h"].as_u64()))
    };
    assert_eq!(load("bob"), Some((Some(1), Some(1))), "{loads}");
    assert_eq!(load("dora"), Some((Some(1), Some(0))), "{loads}");
    assert_eq!(load("alice"), None, "{loads}");
    let words = dora.run(&["approvals", "reviewers"]).success();
    assert!(words.contains("DECIDED 24H"), "{words}");
    let described = dora.run(&["approvals", "show", &second]).success();
    assert!(described.contains("earlier of the same shape") && described.contains(&first), "{described}");
}

#[test]
fn a_denial_without_a_reason_is_a_usage_error() {
    let crowd = Crowd::gather(&[("deletes-are-held", "dba")]);
    let (_waiting, id) = held(&crowd.psql(), DELETE);
    let bob = crowd.person("bob");
    let outcome = bob.run(&["approvals", "deny", &id]);
    assert_eq!(outcome.code(), 2, "{outcome:?}");
    assert!(outcome.errors.contains("--reason"), "{outcome:?}");
    assert_eq!(status(&bob, &id), "pending");
}
