//! The ground the other stories stand on, checked first: the private PostgreSQL and the binary itself.

use std::process::Command;

use super::harness::{Cluster, HOOP, Program};

#[test]
fn every_story_has_its_own_database() {
    let cluster = Cluster::shared();
    let (one, other) = (cluster.database(), cluster.database());
    one.direct().run("delete from orders where id > 10").success();
    assert_eq!(one.value("select count(*) from orders"), "10");
    assert_eq!(other.value("select count(*) from orders"), "200");
}

#[test]
fn the_application_role_is_plain() {
    let database = Cluster::shared().database();
    let query =
        "select rolsuper or rolcreaterole or rolcreatedb or rolreplication from pg_roles where rolname = 'hoop_app'";
    assert_eq!(database.value(query), "f");
    assert_eq!(database.value("select tableowner from pg_tables where tablename = 'customers'"), "hoop_app");
}

#[test]
fn the_server_log_tells_what_was_executed() {
    let database = Cluster::shared().database();
    database.direct().run("select 'a needle in the log'").success();
    let log = database.cluster().log_until_now();
    assert!(log.iter().any(|line| line.contains("a needle in the log") && line.contains(&database.name)));
}

#[test]
fn the_binary_says_its_version() {
    let outcome = Program::run(Command::new(HOOP).arg("--version"), "");
    assert!(outcome.success().starts_with("hoop "));
}
