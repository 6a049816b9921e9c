//! Policies that change under live sessions: SIGHUP reads the site again, and what is open decides anew (law 9).

use super::harness::{Cluster, Database, Gateway, Person, Program, Site, Stream, Tunnel, site_policies};

struct Stage {
    database: Database,
    gateway: Gateway,
    tunnel: Tunnel,
    bob: Person,
    carol: Person,
    psql: Program,
}

fn stage() -> Stage {
    let database = Cluster::shared().database();
    let gateway = Gateway::start(Site::new(&database));
    let alice = Person::login(&gateway, "alice");
    let (bob, carol) = (Person::login(&gateway, "bob"), Person::login(&gateway, "carol"));
    let tunnel = Tunnel::open(&alice, "pg-prod");
    let mut psql = tunnel.psql().going_on().start();
    psql.write("select 1;\n\\warn open\n");
    psql.expect_line("open");
    Stage { database, gateway, tunnel, bob, carol, psql }
}

const HELD: &str = "@approval(\"dba\")\n@expires(\"15m\")";

impl Stage {
    fn change(&mut self, part: &str, becomes: &str) {
        self.gateway.site().edit("policies/shop.cedar", part, becomes);
        let said = self.gateway.reload();
        assert!(said.contains("are in force"), "{said}");
    }

    fn count(&self) -> String {
        self.database.value("select count(*) from orders")
    }

    /// Asks for the DELETE and gives the request it waits for.
    fn delete(&mut self) -> String {
        self.psql.write("delete from orders where id = 7;\n\\warn answered\n");
        self.request()
    }

    fn request(&mut self) -> String {
        self.psql.expect("a request", |stream, line| {
            let mut words = line.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
            words.find(|word| word.starts_with("apr_") && stream == Stream::Errors).map(str::to_owned)
        })
    }
}

#[test]
fn the_next_statement_of_a_live_session_is_decided_by_the_new_policy() {
    let mut stage = stage();
    stage.change(HELD, "");
    stage.psql.write("delete from orders where id = 7;\n\\warn answered\n");
    let line = stage.psql.expect_line("42501");
    assert!(line.contains("dba looks at every DELETE"), "{line}");
    let policies = site_policies().replace("deletes-are-held", "nobody-holds-deletes");
    let (before, rest) = policies.split_once("@id(\"nobody-holds-deletes\")").expect("there");
    let (_, after) = rest.split_once(");").expect("its end");
    stage.gateway.site().write("policies/shop.cedar", &format!("{before}{after}"));
    assert!(stage.gateway.reload().contains("are in force"));
    stage.psql.write("delete from orders where id = 7;\n\\warn permitted\n");
    stage.psql.expect_line("permitted");
    assert_eq!(stage.count(), "199");
}

#[test]
fn a_policy_that_no_longer_permits_the_connection_closes_it() {
    let mut stage = stage();
    stage.psql.write("select pg_sleep(60);\n");
    stage.database.logged_times("pg_sleep(60)", 1);
    stage.change(
        "principal in Group::\"engineers\" || principal in Group::\"dba\" || principal in Group::\"agents\"",
        "principal in Group::\"dba\"",
    );
    stage.psql.expect_line("FATAL");
    let outcome = stage.psql.finish();
    assert!(outcome.errors.contains("42501"), "{outcome:?}");
    let again = stage.tunnel.psql().with(&["-c", "select 1"]).run("");
    assert_ne!(again.code(), 0, "{again:?}");
}

#[test]
fn a_held_statement_that_the_new_policy_permits_goes_on() {
    let mut stage = stage();
    stage.delete();
    let part = "forbid(principal, action == Action::\"delete\", resource);";
    stage.change(part, &part.replace("delete", "truncate"));
    stage.psql.expect_line("answered");
    assert_eq!(stage.count(), "199");
}

#[test]
fn a_held_statement_that_the_new_policy_forbids_is_refused() {
    let mut stage = stage();
    let id = stage.delete();
    stage.change(HELD, "");
    stage.psql.expect_line("42501");
    stage.psql.expect_line("answered");
    let late = stage.bob.run(&["approvals", "approve", &id]);
    assert_ne!(late.code(), 0, "{late:?}");
    assert_eq!(stage.count(), "200");
}

#[test]
fn a_request_that_others_must_see_now_is_superseded() {
    let mut stage = stage();
    let first = stage.delete();
    let policies = site_policies().replace("@approval(\"dba\")", "@approval(\"auditors\")");
    let policies = policies.replace(
        "permit(principal in Group::\"dba\", action == Action::\"approve\"",
        "permit(principal, action == Action::\"approve\"",
    );
    stage.gateway.site().write("policies/shop.cedar", &policies);
    assert!(stage.gateway.reload().contains("are in force"));
    stage.psql.expect_line("superseded");
    let second = stage.request();
    assert_ne!(first, second);
    for id in [&first, &second] {
        let bob = stage.bob.run(&["approvals", "approve", id]);
        assert_ne!(bob.code(), 0, "{bob:?}");
    }
    assert_eq!(stage.count(), "200");
    stage.carol.run(&["approvals", "approve", &second]).success();
    stage.psql.expect_line("answered");
    assert_eq!(stage.count(), "199");
}

#[test]
fn a_mistake_in_a_policy_changes_nothing() {
    let mut stage = stage();
    stage.gateway.site().edit("policies/shop.cedar", "context.has_where", "context.has_were");
    let said = stage.gateway.reload();
    assert!(said.contains("stay as they were"), "{said}");
    stage.psql.write("delete from orders;\n");
    let line = stage.psql.expect_line("42501");
    assert!(line.contains("need a WHERE"), "{line}");
}
