//! Every way of hiding what a statement does that was ever tried: permanent.

use super::{describe, one};
use crate::{
    model::Effect,
    sql::{Rereads, inspect},
};

fn asks(text: &str, access: &str) {
    let statement = one(text);
    let found = describe(&statement);
    assert!(found.split_once(": ").unwrap().1.split(", ").any(|found| found == access), "{text}\n    {found}");
}

#[test]
fn refuses_delete_hidden_in_cte() {
    asks("with a as (with b as (delete from t returning *) select * from b) select 1", "delete t");
    asks("select 1 from (select 1) q where exists (with d as (select 1) select * from d, t)", "select t");
    asks("insert into x with d as (delete from t returning *) select * from d", "delete t");
}

#[test]
fn comments_do_not_hide_or_invent() {
    asks("/* select 1 */ delete /* */ from /* /* nested */ */ t -- where id = 1", "delete t");
    assert!(!one("delete from t -- where id = 1").has_where);
    assert!(!one("delete from t /* where id = 1 */").has_where);
    assert_eq!(inspect("select 1 -- ; drop table t").unwrap().len(), 1);
    assert_eq!(inspect("select 1 --\n; drop table t").unwrap().len(), 2);
}

#[test]
fn strings_do_not_hide_statements() {
    assert_eq!(inspect("select $$; drop table t; $$").unwrap().len(), 1);
    assert_eq!(inspect("select $a$ $$ $a$; drop table t").unwrap().len(), 2);
    assert_eq!(inspect(r"select '\'; drop table t; --'").unwrap().len(), 2);
    assert_eq!(inspect(r"select E'\'; drop table t; --'").unwrap().len(), 1);
    assert_eq!(inspect("select 'a''; drop table t; --'").unwrap().len(), 1);
    assert_eq!(inspect("select \"; drop table t\"").unwrap().len(), 1);
}

#[test]
fn identifiers_are_read_as_the_server_reads_them() {
    asks(r#"select * from U&"\0073ecret""#, "select secret");
    asks(r#"select * from U&"!0073ecret" uescape '!'"#, "select secret");
    asks("select * from SeCrEt", "select secret");
    asks(r#"select * from "SeCrEt""#, "select SeCrEt");
    asks("select * from db.s.t", "select s.t");
    asks("table only s.t", "select s.t");
}

#[test]
fn explain_runs_what_it_analyzes() {
    asks("explain (format json, analyze) delete from t", "delete t");
    asks("explain analyze verbose insert into t select * from u", "insert t");
    asks("explain (analyze 'on') delete from t", "delete t");
    asks("explain (analyze 0, ANALYZE 1) delete from t", "delete t");
    assert_eq!(one("explain (analyze 0) delete from t").effect, Effect::Read);
}

#[test]
fn every_statement_of_a_text_is_seen() {
    let effects: Vec<_> =
        inspect("select 1; begin; drop table t; commit").unwrap().iter().map(|one| one.effect).collect();
    assert_eq!(effects, [Effect::Read, Effect::Session, Effect::Schema, Effect::Session]);
}

#[test]
fn copy_and_into_are_what_they_do() {
    asks("copy (delete from t returning *) to stdout", "delete t");
    asks("copy (select * from t) to program 'sh'", "copy_program");
    asks("select * into n from t", "create n");
    asks("select 1 into n union select 2", "create n");
    asks("with a as (select 1) select * into n from a", "create n");
    asks("(select * from t for update)", "lock t");
}

#[test]
fn code_in_the_server_is_never_a_read() {
    for text in ["do 'begin end'", "call p()", "execute p", "load 'x'", "create extension x"] {
        assert!(one(text).effect > Effect::Grant, "{text}");
    }
}

#[test]
fn expressions_in_every_clause_are_walked() {
    for text in [
        "select 1 limit (select 1 from t)",
        "select 1 order by (select 1 from t)",
        "select 1 group by (select 1 from t)",
        "select 1 having exists (select 1 from t)",
        "select sum(1) over (partition by (select 1 from t))",
        "select sum(1) over w window w as (order by (select 1 from t))",
        "select sum(1) filter (where exists (select 1 from t))",
        "select case when exists (select 1 from t) then 1 end",
        "select array(select 1 from t)",
        "select array[(select 1 from t)]",
        "select (array[1])[(select 1 from t)]",
        "select row((select 1 from t))",
        "select coalesce((select 1 from t))",
        "select greatest((select 1 from t))",
        "select (select 1 from t) is null",
        "select xmlelement(name a, (select 1 from t))",
        "select f(x => (select 1 from t))",
        "select distinct on ((select 1 from t)) 1",
        "values ((select 1 from t))",
        "select * from f((select 1 from t))",
        "select * from rows from (f((select 1 from t)))",
        "select * from a tablesample system ((select 1 from t))",
        "select * from xmltable('x' passing (select 1 from t) columns a int)",
        "select * from a join b on exists (select 1 from t)",
        "insert into a values ((select 1 from t))",
        "insert into a values (1) on conflict (id) do update set b = (select 1 from t)",
        "insert into a values (1) on conflict (id) do update set b = 1 where exists (select 1 from t)",
        "insert into a values (1) returning (select 1 from t)",
        "update a set b = (select 1 from t) where id = 1",
        "update a set (b, c) = (select 1, 2 from t) where id = 1",
        "update a set b[(select 1 from t)] = 1 where id = 1",
        "delete from a where id in (select 1 from t)",
        "delete from a where id = 1 returning (select 1 from t)",
        "merge into a using (select 1 from t) s on a.id = s.id when matched then delete",
        "merge into a using s on a.id = s.id when matched then update set b = (select 1 from t)",
        "merge into a using s on a.id = s.id when not matched then insert values ((select 1 from t))",
        "select json_object('a': (select 1 from t))",
        "select json_array(select 1 from t)",
        "select json_value((select x from t), '$')",
        "select json_arrayagg((select 1 from t))",
    ] {
        asks(text, "select t");
    }
}

#[test]
fn set_config_is_a_set_only_where_set_would_be_harmless() {
    for text in ["select set_config('jit', 'off', false)", "select set_config('JIT', $1, true)"] {
        assert_eq!(describe(&one(text)), "select read: set, select", "{text}");
    }
    let path = one("select set_config('search_path', 'x', false)");
    assert_eq!((describe(&path).as_str(), path.rereads), ("select read: set, select", Rereads::Path));
    for text in [
        "select set_config('role', 'x', false)",
        "select set_config($1, 'x', false)",
        "select set_config('jit' || '', 'x', false)",
        "select set_config('application_name', email, false) from customers",
        "select set_config('application_name', (select email from customers), false)",
        "select set_config('jit', 'off')",
    ] {
        asks(text, "unknown_operation");
    }
}
