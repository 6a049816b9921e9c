//! Statements that try to do more than they seem to: judged by what the database holds afterwards.

use super::{
    raw::{Raw, bind, execute, frame, parse, shown, sync, tags},
    stage,
};

/// Each is refused, and the server never executes it.
const REFUSED: &[&str] = &[
    "select 1; truncate orders",
    "select 1;;;; delete from orders",
    "/* harmless */ truncate /* very */ orders",
    "-- select\n truncate orders",
    "/* /* nested */ */ truncate orders --",
    "select $tag$;$tag$; truncate orders; select $$ -- $$",
    "select 'it''s'; truncate orders; --'",
    r"select e'\''; truncate orders; --'",
    r"select u&'\0027'; truncate orders; --'",
    "select \"a;b\" from (select 1 as \"a;b\") t; truncate orders",
    "begin; truncate orders; commit",
    "with a as (with b as (delete from orders returning id) select id from b) select id from a",
    "with a as (select 1), b as (insert into audit_trail (what) select 'x' returning id), c as (delete from orders) select * from a",
    "select * from (with d as (delete from orders returning id) select id from d) x",
    "explain analyze delete from orders",
    "explain (analyze true) truncate orders",
    "explain (analyze) create table loot as select 1",
    "explain analyze with d as (delete from orders returning id) select id from d",
    "copy (with d as (delete from orders returning id) select id from d) to stdout",
    "copy (delete from orders returning id) to stdout",
    "copy orders to program 'cat > /tmp/hoop-loot'",
    "copy orders from program 'echo 1'",
    "copy orders to '/tmp/hoop-loot'",
    "copy orders from '/etc/passwd'",
    "do $$ begin truncate orders; end $$",
    "do language plpgsql 'begin delete from orders; end'",
    "call no_such_procedure()",
    "prepare p as truncate orders",
    "prepare p as delete from orders; execute p",
    "create function loot() returns void language sql as 'truncate orders'",
    "create temp table loot (a int)",
    "select 1 as a into temp loot",
    "select order_count()",
    "select public.order_count()",
    "select \"order_count\"()",
    "select abs('1'::text)",
    "select lo_import('/etc/passwd')",
    "select pg_catalog.pg_read_file('/etc/passwd')",
    "select \"pg_read_file\"('/etc/passwd')",
    "select u&\"pg_r\\0065ad_file\"('/etc/passwd')",
    "select * from pg_ls_dir('/')",
    "select * from rows from (pg_ls_dir('/'), generate_series(1, 3)) x",
    "select dblink_exec('', 'truncate orders')",
    "select query_to_xml('delete from orders returning *', true, true, '')",
    "select pg_catalog.set_config('role', 'postgres', false)",
    "update pg_settings set setting = 'off' where name = 'standard_conforming_strings'",
    "update pg_catalog.pg_settings set setting = 'pg_temp' where name = 'search_path'",
    "with w as (update pg_settings set setting = 'postgres' where name = 'role' returning 1) select * from w",
    "explain analyze update pg_settings set setting = 'postgres' where name = 'role'",
    "delete from pg_catalog.pg_statistic where starelid = 1",
    "insert into pg_class select * from pg_class where false",
    "set role postgres",
    "set local role none",
    "set session authorization postgres",
    "reset role",
    "set names 'latin1'",
    "set client_encoding to sjis",
    "set standard_conforming_strings = off",
    "set \"Standard_Conforming_Strings\" = off",
    "set session_replication_role = replica",
    "alter role hoop_app set search_path = loot",
    "alter database shop set search_path = loot",
    "alter system set fsync = off",
    "load 'auto_explain'",
    "prepare transaction 'loot'",
    "commit prepared 'loot'",
    "lock table orders; truncate orders",
    "security label on table orders is 'x'",
    "import foreign schema public from server loot into public",
    "create event trigger loot on ddl_command_start execute function order_count()",
    "reassign owned by hoop_app to postgres",
    "drop owned by hoop_app",
    "delete from orders where 1 = 1",
    "delete from orders where true or id = 1",
    "delete from orders where id = id",
    "delete from orders where not false",
    "delete from orders where exists (select 1)",
    "delete from orders where id is not null or id is null",
    "update orders set status = 'lost' where 'a' = 'a'",
    "update only orders set status = 'lost'",
    "delete from public.orders * where (true)",
    "merge into orders o using customers c on true when matched then delete",
    "insert into orders select * from orders on conflict (id) do update set status = 'lost' where order_count() > 0",
];

#[test]
fn nothing_that_is_refused_reaches_the_server() {
    let stage = stage();
    let before = stage.database.value("select md5(string_agg(o::text, ',' order by id)) from orders o");
    let mut raw = Raw::open(&stage.tunnel);
    let mut escaped = Vec::new();
    for statement in REFUSED {
        let replies = raw.query(statement);
        let text = shown(&replies);
        let refused = text.contains("C42501") || text.contains("C42601");
        let idle = replies.last().is_some_and(|ready| ready.body == b"I");
        if !refused || tags(&replies) != "EZ" || !idle {
            escaped.push((statement, text));
            raw = Raw::open(&stage.tunnel);
        }
    }
    assert!(escaped.is_empty(), "{escaped:#?}");
    let log = stage.log();
    for statement in REFUSED {
        assert!(
            !log.iter().any(|line| line.contains(statement.lines().next().unwrap_or_default())),
            "{statement} reached the server"
        );
    }
    assert_eq!(stage.database.value("select md5(string_agg(o::text, ',' order by id)) from orders o"), before);
    assert_eq!(stage.database.value("select count(*) from audit_trail"), "0");
    assert_eq!(stage.database.value("select count(*) from pg_class where relname = 'loot'"), "0");
}

#[test]
fn nothing_that_is_refused_is_prepared_either() {
    let stage = stage();
    let mut raw = Raw::open(&stage.tunnel);
    for statement in REFUSED.iter().filter(|text| !text.contains(';')) {
        raw.send(&[parse("", statement), bind("", "", &[], 0), execute("", 0), sync()].concat());
        let replies = raw.until('Z');
        assert_eq!(tags(&replies), "EZ", "{statement}: {replies:?}");
    }
    let log = stage.log();
    for statement in REFUSED.iter().filter(|text| !text.contains(';')) {
        assert!(
            !log.iter().any(|line| line.contains(statement.lines().next().unwrap_or_default())),
            "{statement} reached the server"
        );
    }
    assert_eq!(stage.database.value("select count(*) from orders where status <> 'lost'"), "200");
}

#[test]
fn two_statements_in_one_parse_are_refused_as_the_server_refuses_them() {
    let stage = stage();
    let mut raw = Raw::open(&stage.tunnel);
    raw.send(&[parse("", "select 1; delete from orders where id = 1"), sync()].concat());
    let replies = raw.until('Z');
    assert!(tags(&replies) == "EZ" && shown(&replies).contains("42601"), "{replies:?}");
}

#[test]
fn data_of_a_copy_is_data_and_never_a_statement() {
    let stage = stage();
    let mut raw = Raw::open(&stage.tunnel);
    raw.send(&raw_copy());
    let replies = raw.until('Z');
    assert_eq!(tags(&replies), "GCZ", "{replies:?}");
    assert_eq!(stage.database.value("select count(*) from audit_trail where what like '%truncate%'"), "1");
    assert_eq!(stage.database.value("select count(*) from orders"), "200");
    // COPY messages outside COPY are ignored, as the server ignores them.
    raw.send(&[frame(b'd', b"truncate orders"), frame(b'c', b""), frame(b'f', b"no\0")].concat());
    assert_eq!(tags(&raw.query("select 3")), "TDCZ");
}

fn raw_copy() -> Vec<u8> {
    let data = frame(b'd', b"truncate orders; \\\\. drop table orders\n\\.\n");
    [super::raw::query("copy audit_trail (what) from stdin"), data, frame(b'c', b"")].concat()
}

#[test]
fn transaction_state_after_a_refusal_is_the_servers() {
    let stage = stage();
    let mut raw = Raw::open(&stage.tunnel);
    let status = |replies: &[super::raw::Reply]| replies.last().map(|ready| ready.body.clone()).unwrap_or_default();
    assert_eq!(status(&raw.query("begin")), b"T");
    assert_eq!(status(&raw.query("truncate orders")), b"E");
    assert!(shown(&raw.query("select 1")).contains("25P02"));
    assert_eq!(status(&raw.query("commit")), b"I");
    assert_eq!(status(&raw.query("begin; select 1; truncate orders")), b"I", "a refused message runs nothing of it");
    assert_eq!(status(&raw.query("begin; select 1")), b"T");
    raw.send(&[parse("", "truncate orders"), sync()].concat());
    assert_eq!(status(&raw.until('Z')), b"E");
    assert_eq!(status(&raw.query("rollback")), b"I");
    raw.send(
        &[
            parse("", "update orders set status = 'lost' where id = 1"),
            bind("", "", &[], 0),
            execute("", 0),
            parse("", "truncate orders"),
            sync(),
        ]
        .concat(),
    );
    assert_eq!(status(&raw.until('Z')), b"I");
    assert_eq!(
        stage.database.value("select count(*) from orders where status = 'lost'"),
        "0",
        "the batch is one transaction"
    );
}
