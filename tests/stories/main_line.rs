//! The main job: log in, connect, work; what is refused is an error like the server's, and the session goes on.

use super::harness::{Cluster, Database, Gateway, Person, Site, Tunnel};

struct Stage {
    database: Database,
    _gateway: Gateway,
    alice: Person,
    tunnel: Tunnel,
}

fn stage() -> Stage {
    let database = Cluster::shared().database();
    let gateway = Gateway::start(Site::new(&database));
    let alice = Person::login(&gateway, "alice");
    let tunnel = Tunnel::open(&alice, "pg-prod");
    Stage { database, _gateway: gateway, alice, tunnel }
}

/// Whether the server executed a statement that contains `part`.
fn executed(database: &Database, part: &str) -> bool {
    let log = database.cluster().log_until_now();
    log.iter().any(|line| line.contains(&format!("@{} ", database.name)) && line.contains(part))
}

#[test]
fn a_select_goes_all_the_way_and_back() {
    let stage = stage();
    assert_eq!(
        stage.tunnel.rows("select id, status, total from orders order by id limit 2"),
        "1|paid|7.99\n2|paid|14.99\n"
    );
    assert!(executed(&stage.database, "from orders order by id limit 2"));
    let whoami = stage.alice.json(&["whoami"]).to_string();
    assert!(whoami.contains("alice") && whoami.contains("engineers"), "{whoami}");
}

#[test]
fn a_write_is_permitted_and_happens() {
    let stage = stage();
    let outcome = stage.tunnel.psql().with(&["-c", "update orders set status = 'sent' where id = 3"]).run("");
    assert_eq!(outcome.code(), 0, "{outcome:?}");
    assert_eq!(stage.database.value("select status from orders where id = 3"), "sent");
}

#[test]
fn a_drop_is_refused_with_rule_session_and_hint_and_never_reaches_the_server() {
    let stage = stage();
    let outcome = stage.tunnel.psql().going_on().run("drop table customers;\nselect 'still here';\n");
    assert!(outcome.errors.contains("42501"), "{outcome:?}");
    assert!(outcome.errors.contains("nothing-is-dropped") && outcome.errors.contains("ses_"), "{outcome:?}");
    assert!(outcome.errors.contains("tables are neither dropped nor emptied here"), "{outcome:?}");
    assert!(outcome.output.contains("still here"), "{outcome:?}");
    assert!(!executed(&stage.database, "drop table"));
}

#[test]
fn statements_that_are_not_permitted_are_refused() {
    let stage = stage();
    let refused = [
        "truncate orders",
        "delete from orders",
        "delete from orders where true",
        "update orders set status = 'x'",
        "create table loot (a int)",
        "alter table orders add column a int",
        "grant all on orders to public",
        "do $$ begin delete from orders; end $$",
        "copy orders to program 'cat'",
        "copy orders to '/tmp/loot'",
        "with gone as (delete from orders returning id) select count(*) from gone",
        "explain analyze delete from orders",
        "select 1; drop table orders",
        "set role postgres",
        "select pg_read_file('/etc/passwd')",
        "select pg_terminate_backend(1)",
        "create role mallory superuser",
    ];
    for statement in refused {
        let outcome = stage.tunnel.psql().with(&["-c", statement]).run("");
        assert!(!outcome.status.success() && outcome.errors.contains("42501"), "{statement}: {outcome:?}");
        assert!(!executed(&stage.database, statement), "{statement} reached the server");
    }
    assert_eq!(stage.database.value("select count(*) from orders"), "200");
}

#[test]
fn a_refusal_leaves_the_transaction_as_a_server_error_would() {
    let stage = stage();
    let script = "begin;\nupdate orders set status = 'lost' where id = 1;\ndrop table orders;\nselect 1;\nrollback;\n\
                  select status from orders where id = 1;\n";
    let outcome = stage.tunnel.psql().going_on().run(script);
    assert!(outcome.errors.contains("42501") && outcome.errors.contains("25P02"), "{outcome:?}");
    assert_eq!(outcome.output.trim(), "paid");
    let prompt =
        stage.tunnel.psql().going_on().with(&["-v", "PROMPT1=%x"]).run("begin;\ndrop table orders;\ncommit;\n");
    assert!(prompt.errors.contains("42501"), "{prompt:?}");
    assert_eq!(stage.database.value("select count(*) from orders where status = 'lost'"), "0");
}

#[test]
fn a_savepoint_survives_a_refusal_after_it() {
    let stage = stage();
    let script = "begin;\nupdate orders set status = 'kept' where id = 5;\nsavepoint here;\ndrop table orders;\n\
                  rollback to here;\ncommit;\n";
    stage.tunnel.psql().going_on().run(script);
    assert_eq!(stage.database.value("select status from orders where id = 5"), "kept");
}

#[test]
fn a_syntax_error_is_answered_as_the_server_would_and_not_forwarded() {
    let stage = stage();
    let outcome = stage.tunnel.psql().going_on().run("selekt 1;\nselect 2;\n");
    assert!(outcome.errors.contains("42601") && outcome.errors.contains("selekt"), "{outcome:?}");
    assert!(outcome.errors.contains("LINE 1"), "no position: {outcome:?}");
    assert_eq!(outcome.output.trim(), "2");
    assert!(!executed(&stage.database, "selekt"));
}

#[test]
fn a_server_error_arrives_unchanged() {
    let stage = stage();
    let outcome = stage.tunnel.psql().with(&["-c", "select 1/0"]).run("");
    assert!(outcome.errors.contains("22012") && outcome.errors.contains("division by zero"), "{outcome:?}");
}

#[test]
fn connect_starts_psql_and_leaves_with_its_status() {
    let stage = stage();
    let outcome = stage.alice.run(&["connect", "pg-prod", "--", "-X", "-A", "-t", "-c", "select 41 + 1"]);
    assert_eq!(outcome.code(), 0, "{outcome:?}");
    assert_eq!(outcome.output.trim(), "42");
    let outcome = stage.alice.run(&["connect", "pg-prod", "--", "-X", "-v", "ON_ERROR_STOP=1", "-f", "/nonexistent"]);
    assert_ne!(outcome.code(), 0, "{outcome:?}");
}

#[test]
fn nobody_connects_without_a_login_or_a_permit() {
    let database = Cluster::shared().database();
    let gateway = Gateway::start(Site::new(&database));
    let stranger = Person::new(&gateway, "mallory").run(&["connect", "pg-prod", "--", "-c", "select 1"]);
    assert_eq!(stranger.code(), 4, "{stranger:?}");
    let carol = Person::login(&gateway, "carol");
    let refused = carol.run(&["connect", "pg-prod", "--", "-c", "select 1"]);
    assert_ne!(refused.code(), 0, "{refused:?}");
    let unknown = Person::login(&gateway, "alice").run(&["connect", "pg-nowhere", "--", "-c", "select 1"]);
    assert_ne!(unknown.code(), 0, "{unknown:?}");
}

#[test]
fn the_upstream_sees_only_the_gateways_role_and_the_client_no_credential() {
    let stage = stage();
    assert_eq!(stage.tunnel.rows("select current_user, session_user"), "hoop_app|hoop_app\n");
    let log = stage.database.cluster().log_until_now();
    assert!(!log.iter().any(|line| line.contains("alice@")), "the client's name reached the server's log");
}

#[test]
fn a_superuser_upstream_is_refused() {
    let database = Cluster::shared().database();
    database.direct().run("create role owner_of_all superuser login password 'x-of-all'").success();
    let site = Site::new(&database);
    let connections = std::fs::read_to_string(site.path().join("connections.toml")).expect("written");
    site.write("connections.toml", &connections.replace("hoop_app", "owner_of_all"));
    site.write("pg-prod.password", "x-of-all");
    let gateway = Gateway::start(site);
    let alice = Person::login(&gateway, "alice");
    let tunnel = Tunnel::open(&alice, "pg-prod");
    let outcome = tunnel.psql().with(&["-c", "select 1"]).run("");
    assert!(!outcome.status.success() && outcome.errors.contains("superuser"), "{outcome:?}");
}
