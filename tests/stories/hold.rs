//! A held statement: psql waits, reviewers see exactly what would run, and what they say happens.

use super::harness::{Cluster, Database, Gateway, Outcome, Person, Program, Psql, Site, Stream, Tunnel};

struct Stage {
    database: Database,
    gateway: Gateway,
    alice: Person,
    bob: Person,
    tunnel: Tunnel,
}

fn stage() -> Stage {
    stage_with(|site| site)
}

fn stage_with(change: impl FnOnce(Site) -> Site) -> Stage {
    let database = Cluster::shared().database();
    let gateway = Gateway::start(change(Site::new(&database)));
    let (alice, bob) = (Person::login(&gateway, "alice"), Person::login(&gateway, "bob"));
    let tunnel = Tunnel::open(&alice, "pg-prod");
    Stage { database, gateway, alice, bob, tunnel }
}

/// Starts psql on a script and waits until the gateway said that it is held; gives the request's id.
fn held(psql: &Psql, script: &str) -> (Program, String) {
    let mut waiting = psql.start();
    waiting.write(script);
    waiting.close_input();
    let id = waiting.expect("that it is held", |stream, line| {
        let mut words = line.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
        words.find(|word| word.starts_with("apr_") && stream == Stream::Errors).map(str::to_owned)
    });
    (waiting, id)
}

impl Stage {
    fn count(&self) -> String {
        self.database.value("select count(*) from orders")
    }

    fn approve(&self, id: &str) -> Outcome {
        self.bob.run(&["approvals", "approve", id, "--reason", "agreed"])
    }

    fn deny(&self, id: &str) -> Outcome {
        self.bob.run(&["approvals", "deny", id, "--reason", "use the archive job"])
    }
}

#[test]
fn an_approved_delete_goes_on() {
    let stage = stage();
    let (waiting, id) = held(&stage.tunnel.psql().with(&["-e"]), "delete from orders where id = 7;\n");
    assert_eq!(stage.count(), "200", "nothing runs while it is held");
    let listed = stage.bob.run(&["approvals", "ls"]).success();
    assert!(listed.contains(&id), "{listed}");
    let shown = stage.bob.run(&["approvals", "show", &id]).success();
    assert!(shown.contains("delete from orders where id = 7") && shown.contains("alice"), "{shown}");
    assert_eq!(stage.approve(&id).code(), 0);
    let outcome = waiting.finish();
    assert_eq!(outcome.code(), 0, "{outcome:?}");
    assert!(outcome.errors.contains("NOTICE"), "{outcome:?}");
    assert_eq!(stage.count(), "199");
}

#[test]
fn a_denied_delete_is_an_error_with_the_reason_and_the_session_goes_on() {
    let stage = stage();
    let (waiting, id) = held(&stage.tunnel.psql().going_on(), "delete from orders where id = 7;\nselect 'on';\n");
    assert_eq!(stage.deny(&id).code(), 0);
    let outcome = waiting.finish();
    assert!(outcome.errors.contains("42501") && outcome.errors.contains("use the archive job"), "{outcome:?}");
    assert!(outcome.output.contains("on"), "{outcome:?}");
    assert_eq!(stage.count(), "200");
}

#[test]
fn nobody_approves_their_own_and_only_the_group_approves() {
    let stage = stage();
    let (waiting, id) = held(&stage.tunnel.psql(), "delete from orders where id = 7;\n");
    let own = stage.alice.run(&["approvals", "approve", &id]);
    assert_eq!(own.code(), 3, "{own:?}");
    let carol = Person::login(&stage.gateway, "carol").run(&["approvals", "approve", &id]);
    assert_ne!(carol.code(), 0, "{carol:?}");
    assert_eq!(stage.count(), "200");
    stage.deny(&id);
    assert_ne!(waiting.finish().code(), 0);
}

#[test]
fn an_approval_is_used_once() {
    let stage = stage();
    let (waiting, id) = held(&stage.tunnel.psql(), "delete from orders where id = 7;\n");
    stage.approve(&id);
    assert_eq!(waiting.finish().code(), 0);
    let again = stage.approve(&id);
    assert_ne!(again.code(), 0, "a decided request is decided: {again:?}");
    let (waiting, second) = held(&stage.tunnel.psql(), "delete from orders where id = 7;\n");
    assert_ne!(id, second, "the same statement asks again");
    stage.deny(&second);
    drop(waiting);
}

#[test]
fn a_hold_inside_a_transaction_keeps_it_open() {
    let stage = stage();
    let script = "begin;\nupdate orders set status = 'x' where id = 1;\ndelete from orders where id = 7;\ncommit;\n";
    let (waiting, id) = held(&stage.tunnel.psql(), script);
    stage.approve(&id);
    assert_eq!(waiting.finish().code(), 0);
    assert_eq!(stage.count(), "199");
    let script =
        "begin;\nupdate orders set status = 'y' where id = 1;\ndelete from orders where id = 8;\nselect 1;\ncommit;\n";
    let (waiting, id) = held(&stage.tunnel.psql().going_on(), script);
    stage.deny(&id);
    let outcome = waiting.finish();
    assert!(outcome.errors.contains("25P02"), "{outcome:?}");
    assert_eq!(stage.database.value("select status from orders where id = 1"), "x");
    assert_eq!(stage.count(), "199");
}

#[test]
fn a_hold_in_a_pipeline_answers_everything_in_order() {
    let stage = stage();
    let script = stage.alice.home().join("pipeline.sql");
    std::fs::write(&script, "\\startpipeline\nselect 1;\ndelete from orders where id = 7;\nselect 2;\n\\endpipeline\n")
        .expect("written");
    let mut command = std::process::Command::new(stage.database.cluster().program("pgbench"));
    command.args([
        "-n",
        "-M",
        "extended",
        "-t",
        "1",
        "-h",
        "127.0.0.1",
        "-p",
        &stage.tunnel.port.to_string(),
        "-U",
        "x",
        "-f",
    ]);
    command.arg(&script).arg(&stage.tunnel.database);
    let mut waiting = Program::start(&mut command);
    waiting.close_input();
    let mut watch = stage.bob.start(&["approvals", "watch", "--output", "jsonl"]);
    let id = watch.expect("the request", |_, line| {
        let start = line.find("apr_")?;
        Some(line.get(start..)?.split('"').next()?.to_owned())
    });
    stage.approve(&id);
    let outcome = waiting.finish();
    assert!(outcome.output.contains("actually processed: 1/1"), "{outcome:?}");
    assert_eq!(stage.count(), "199");
}

#[test]
fn an_expired_request_is_refused() {
    let stage = stage_with(|site| {
        let policies = super::harness::site_policies().replace("@expires(\"15m\")", "@expires(\"2s\")");
        site.write("policies/shop.cedar", &policies);
        site
    });
    let outcome = stage.tunnel.psql().run("delete from orders where id = 7;\n");
    assert!(outcome.errors.contains("57014"), "{outcome:?}");
    assert_eq!(stage.count(), "200");
}

#[test]
fn a_client_that_goes_away_withdraws_its_request() {
    let stage = stage();
    let mut watch = stage.bob.start(&["approvals", "watch", "--output", "jsonl"]);
    let (waiting, id) = held(&stage.tunnel.psql(), "delete from orders where id = 7;\n");
    watch.expect_line(&id);
    drop(waiting);
    watch.expect_line("withdrawn");
    let late = stage.approve(&id);
    assert_ne!(late.code(), 0, "{late:?}");
    assert_eq!(stage.count(), "200");
}

/// libpq waits until its cancel request was taken; a client that hangs up at once may be gone before its user is known.
#[test]
fn a_cancel_withdraws_what_is_held() {
    let stage = stage();
    let mut watch = stage.bob.start(&["approvals", "watch", "--output", "jsonl"]);
    let (mut psql, id) = held(&stage.tunnel.psql(), "delete from orders where id = 7;\n");
    watch.expect_line(&id);
    psql.signal(nix::sys::signal::Signal::SIGINT);
    psql.expect_line("57014");
    watch.expect_line("withdrawn");
    assert_eq!(stage.approve(&id).code(), 1, "it is nobody's to decide any more");
    assert_eq!(stage.count(), "200");
}

#[test]
fn a_request_that_expired_cannot_be_approved_any_more() {
    let stage = stage_with(|site| {
        let policies = super::harness::site_policies().replace("@expires(\"15m\")", "@expires(\"2s\")");
        site.write("policies/shop.cedar", &policies);
        site
    });
    let (waiting, id) = held(&stage.tunnel.psql(), "delete from orders where id = 7;\n");
    assert_ne!(waiting.finish().code(), 0);
    let late = stage.approve(&id);
    assert_eq!(late.code(), 8, "{late:?}");
}

#[test]
fn a_quorum_of_two_counts_one_person_once() {
    let stage = stage_with(|site| {
        let policies = super::harness::site_policies().replace("@approval(\"dba\")", "@approval(\"2 of dba\")");
        site.write("policies/shop.cedar", &policies);
        site
    });
    let (mut waiting, id) = held(&stage.tunnel.psql(), "delete from orders where id = 7;\n");
    stage.approve(&id);
    waiting.expect_line("more are needed");
    let again = stage.approve(&id);
    assert_ne!(again.code(), 0, "{again:?}");
    assert_eq!(stage.count(), "200");
    stage.deny(&id);
    assert_ne!(waiting.finish().code(), 0);
}
