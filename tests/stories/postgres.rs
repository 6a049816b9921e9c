//! The protocol through the gateway: what clients do all day works as it does directly.

use std::process::Command;

use nix::sys::signal::Signal;

use super::harness::{Cluster, Database, Gateway, Person, Program, Site, Tunnel};

struct Stage {
    database: Database,
    _gateway: Gateway,
    tunnel: Tunnel,
}

fn stage() -> Stage {
    let database = Cluster::shared().database();
    let gateway = Gateway::start(Site::new(&database));
    let alice = Person::login(&gateway, "alice");
    let tunnel = Tunnel::open(&alice, "pg-prod");
    Stage { database, _gateway: gateway, tunnel }
}

impl Stage {
    fn pgbench(&self, arguments: &[&str]) -> super::harness::Outcome {
        let mut command = Command::new(self.database.cluster().program("pgbench"));
        command.args(["-n", "-h", "127.0.0.1", "-U", "x", "-p", &self.tunnel.port.to_string()]);
        Program::run(command.args(arguments).arg(&self.tunnel.database), "")
    }
}

#[test]
fn copy_goes_in_and_comes_out() {
    let stage = stage();
    let script = "copy audit_trail (what) from stdin;\nfirst\nsecond\n\\.\nselect what from audit_trail order by id;\n\
                  copy orders (id, status) to stdout;\n";
    let rows = stage.tunnel.rows(script);
    assert!(rows.starts_with("first\nsecond\n"), "{rows}");
    assert_eq!(rows.lines().count(), 2 + 200);
}

#[test]
fn a_large_result_arrives_whole() {
    let stage = stage();
    let query = "select n, repeat('x', 100) from generate_series(1, 100000) n";
    let rows = stage.tunnel.rows(query);
    assert_eq!(rows.lines().count(), 100_000);
    assert!(rows.ends_with(&format!("100000|{}\n", "x".repeat(100))));
}

#[test]
fn a_very_large_row_arrives_whole() {
    let stage = stage();
    let row = stage.tunnel.rows("select repeat('y', 8 * 1024 * 1024)");
    assert_eq!(row.len(), 8 * 1024 * 1024 + 1);
}

#[test]
fn every_protocol_mode_of_pgbench_works() {
    let stage = stage();
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "\\set n random(1, 200)\nselect status from orders where id = :n;\n").expect("written");
    let path = file.path().display().to_string();
    for mode in ["simple", "extended", "prepared"] {
        let outcome = stage.pgbench(&["-M", mode, "-c", "4", "-t", "25", "-f", &path]);
        assert!(outcome.output.contains("actually processed: 100/100"), "{mode}: {outcome:?}");
    }
}

#[test]
fn a_pipeline_is_answered_in_order_around_a_refusal() {
    let stage = stage();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (port, database) = (stage.tunnel.port, &stage.tunnel.database);
    runtime.block_on(async {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(port).user("x").dbname(database);
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.expect("connected");
        let connection = tokio::spawn(connection);
        let (first, refused, last) = tokio::join!(
            client.query_one("select 1", &[]),
            client.query("truncate orders", &[]),
            client.query_one("select 3", &[])
        );
        assert_eq!(first.expect("before").get::<_, i32>(0), 1);
        let refused = refused.expect_err("refused");
        assert_eq!(refused.code().map(tokio_postgres::error::SqlState::code), Some("42501"));
        assert_eq!(last.expect("after").get::<_, i32>(0), 3);
        client.simple_query("select 4").await.expect("the session goes on");
        drop(client);
        connection.await.expect("joined").expect("ended well");
    });
}

#[test]
fn a_cancel_reaches_the_running_statement_and_nothing_else() {
    let stage = stage();
    let mut running = stage.tunnel.psql().going_on().start();
    running.write("select 'marked', pg_sleep(50);\nselect 'after';\n");
    stage.database.cluster().logged("select 'marked', pg_sleep(50)");
    running.signal(Signal::SIGINT);
    running.close_input();
    let outcome = running.finish();
    assert!(outcome.errors.contains("57014"), "{outcome:?}");
}

#[test]
fn settings_that_change_the_meaning_of_text_are_refused() {
    let stage = stage();
    for option in ["standard_conforming_strings=off", "client_encoding=latin1", "session_preload_libraries=x"] {
        let address = format!(
            "host=127.0.0.1 port={} dbname={} user=x options='-c {option}'",
            stage.tunnel.port, stage.tunnel.database
        );
        let mut command = Command::new("psql");
        let outcome = Program::run(command.args(["-X", "-d", &address, "-c", "show search_path"]), "");
        assert!(!outcome.status.success(), "{option}: {outcome:?}");
    }
    for statement in ["set standard_conforming_strings = off", "set client_encoding = 'latin1'", "set role hoop_app"] {
        let outcome = stage.tunnel.psql().with(&["-c", statement]).run("");
        assert!(!outcome.status.success(), "{statement}: {outcome:?}");
    }
}

#[test]
fn transactions_savepoints_and_errors_are_the_servers() {
    let stage = stage();
    let script = "begin;\ninsert into audit_trail (what) values ('a');\nsavepoint s;\nselect 1/0;\nrollback to s;\n\
                  insert into audit_trail (what) values ('b');\ncommit;\nselect string_agg(what, ',' order by id) from audit_trail;\n";
    let outcome = stage.tunnel.psql().going_on().run(script);
    assert_eq!(outcome.output.trim(), "a,b", "{outcome:?}");
}
