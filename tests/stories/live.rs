//! Live views: what the gateway tells as it happens, to whom, and what a terminal is spared.

use super::harness::{Cluster, Database, Gateway, Outcome, Person, Program, Site, Stream, Tunnel};

struct Stage {
    database: Database,
    gateway: Gateway,
    alice: Person,
    bob: Person,
    tunnel: Tunnel,
}

fn stage() -> Stage {
    let database = Cluster::shared().database();
    let gateway = Gateway::start(Site::new(&database));
    let (alice, bob) = (Person::login(&gateway, "alice"), Person::login(&gateway, "bob"));
    let tunnel = Tunnel::open(&alice, "pg-prod");
    Stage { database, gateway, alice, bob, tunnel }
}

impl Stage {
    fn session(&self) -> String {
        let listed = self.alice.json(&["sessions", "ls", "--live"]);
        listed["sessions"][0]["id"].as_str().unwrap_or_else(|| panic!("{listed}")).to_owned()
    }

    fn approve(&self, id: &str) -> Outcome {
        self.bob.run(&["approvals", "approve", id, "--reason", "agreed"])
    }
}

fn held(psql: &mut Program) -> String {
    psql.expect("that it is held", |stream, line| {
        let mut words = line.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
        words.find(|word| word.starts_with("apr_") && stream == Stream::Errors).map(str::to_owned)
    })
}

#[test]
fn a_watched_session_shows_statements_decisions_and_outcomes_as_they_come_and_its_end() {
    let stage = stage();
    let mut psql = stage.tunnel.psql().going_on().start();
    psql.write("select 'before';\n");
    psql.expect_line("before");
    let id = stage.session();
    let mut watch = stage.alice.start(&["sessions", "watch", &id]);
    watch.expect_line("started   alice on pg-prod");
    watch.expect_line("select 'before'");
    watch.expect_line("done      SELECT 1");
    psql.write("delete from orders where id = 7;\n");
    let request = held(&mut psql);
    let line = watch.expect_line("held");
    assert!(line.contains("delete from orders where id = 7") && line.contains(&request), "{line}");
    stage.approve(&request).success();
    watch.expect_line("approved  by bob");
    watch.expect_line("done      DELETE 1");
    psql.write("drop table orders;\n");
    let refused = watch.expect_line("refused");
    assert!(refused.contains("nothing-is-dropped"), "{refused}");
    psql.close_input();
    psql.finish();
    watch.expect_line("ended     client left");
    assert_eq!(watch.finish().code(), 0);
    assert_eq!(stage.database.value("select count(*) from orders"), "199");
}

#[test]
fn a_watcher_as_a_program_gets_every_event_once_and_none_of_it_in_clear_that_is_sealed() {
    let stage = stage();
    let mut psql = stage.tunnel.psql().start();
    psql.write("select id from customers where email = 'ada@example.com';\nselect 'seen';\n");
    psql.expect_line("seen");
    let mut watch = stage.alice.start(&["sessions", "watch", &stage.session(), "--output", "jsonl"]);
    watch.expect_line("seen");
    psql.close_input();
    psql.finish();
    let output = watch.finish().success();
    let events: Vec<serde_json::Value> =
        output.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let numbers: Vec<u64> = events.iter().filter_map(|event| event["seq"].as_u64()).collect();
    assert_eq!(numbers, (1..=u64::try_from(numbers.len()).expect("few")).collect::<Vec<_>>());
    assert_eq!(events.last().map(|event| event["kind"].clone()), Some("session_head".into()));
    assert!(!output.contains("ada@example.com"), "alice may not see it in clear: {output}");
}

#[test]
fn no_escape_of_a_statement_reaches_a_watching_terminal() {
    let stage = stage();
    let mut psql = stage.tunnel.psql().start();
    psql.write("select 'a' /* \u{1b}]0;owned\u{7}\u{1b}[2J \u{202e} */;\nselect 'marked';\n");
    psql.expect_line("marked");
    let id = stage.session();
    let mut watch = stage.alice.start(&["sessions", "watch", &id]);
    watch.expect_line("marked");
    psql.close_input();
    psql.finish();
    let shown = stage.alice.run(&["sessions", "show", &id]).success();
    let watched = watch.finish().success();
    for text in [shown, watched] {
        assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text:?}");
    }
}

#[test]
fn nobody_watches_a_session_that_they_may_not_replay() {
    let stage = stage();
    let mut psql = stage.tunnel.psql().start();
    psql.write("select 'open';\n");
    psql.expect_line("open");
    let id = stage.session();
    let bob = stage.bob.run(&["sessions", "watch", &id]);
    assert_eq!(bob.code(), 1, "bob does not even learn that it is there: {bob:?}");
    let mut everything = stage.bob.start(&["sessions", "watch"]);
    everything.expect_line("Watching sessions");
    // Something of bob's own comes; what came before it was not alice's.
    let tunnel = Tunnel::open(&stage.bob, "pg-prod");
    assert_eq!(tunnel.rows("select 1"), "1\n");
    everything.expect_line("bob on pg-prod");
    assert!(!everything.so_far().contains(&id));
}

#[test]
fn sessions_are_told_as_they_begin_count_and_end() {
    let stage = stage();
    let mut watch = stage.alice.start(&["sessions", "watch", "--output", "jsonl"]);
    watch.expect_line("Watching sessions");
    let mut psql = stage.tunnel.psql().start();
    psql.write("select 1;\nselect 2;\n");
    let told = |line: &str| serde_json::from_str::<serde_json::Value>(line).ok();
    let id = watch.expect("its beginning", |_, line| told(line)?["id"].as_str().map(str::to_owned));
    watch.expect("its counts", |_, line| {
        let item = told(line)?;
        (item["id"] == id.as_str() && item["operations"] == 2 && item["ended_at_millis"].is_null()).then_some(())
    });
    let listed = stage.alice.json(&["sessions", "ls", "--live"]);
    assert_eq!(listed["sessions"][0]["operations"], 2, "the list knows it too: {listed}");
    psql.close_input();
    psql.finish();
    watch.expect("its end", |_, line| {
        let item = told(line)?;
        (item["id"] == id.as_str() && item["end_reason"] == "client left").then_some(())
    });
}

#[test]
fn a_watcher_outlives_a_restart_of_the_gateway() {
    let mut stage = stage();
    let mut watch = stage.bob.start(&["approvals", "watch", "--output", "jsonl"]);
    let mut psql = stage.tunnel.psql().start();
    psql.write("delete from orders where id = 7;\n");
    let first = held(&mut psql);
    watch.expect_line(&first);
    stage.gateway.kill();
    watch.expect_line("waiting for it");
    stage.gateway.launch(&[]);
    watch.expect_line("The gateway answers again.");
    watch.expect("how the first one ended", |_, line| {
        (line.contains(&first) && line.contains("withdrawn")).then_some(())
    });
    drop(psql);
    let tunnel = Tunnel::open(&stage.alice, "pg-prod");
    let mut psql = tunnel.psql().start();
    psql.write("delete from orders where id = 8;\n");
    watch.expect_line(&held(&mut psql));
}

#[test]
fn a_gateway_that_stops_does_not_wait_for_those_who_watch() {
    let mut stage = stage();
    let mut watch = stage.bob.start(&["approvals", "watch"]);
    let mut psql = stage.tunnel.psql().start();
    psql.write("delete from orders where id = 7;\n");
    watch.expect_line(&held(&mut psql));
    let outcome = stage.gateway.stop();
    assert_eq!(outcome.code(), 0, "{outcome:?}");
    assert!(!outcome.errors.contains("did not end in time"), "{outcome:?}");
    psql.expect_line("57P01");
}
