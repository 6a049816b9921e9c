//! What runs without being named, and what a name of users' code asks for.

use std::sync::Arc;

use super::{super::*, ORDERS, PUBLIC_FIRST, sight};
use crate::upstream::{Catalogue, Events, Runs};

fn runs(name: &str) -> Runs {
    Runs::Routine(Arc::from("public"), Arc::from(name))
}

/// `effect: verb object, …` of a text, in a database made of relation 3, `public.orders`, and what is added.
fn asked(text: &str, catalogue: Catalogue) -> String {
    let sight = Sight { catalogue: Arc::new(catalogue), ..sight(&[], PUBLIC_FIRST) };
    let understood = understand(text, &sight).unwrap();
    let operation = &understood.operations[0];
    let accesses = operation.accesses.iter().map(|access| match &access.object {
        Some(object) => format!("{} {object}", access.verb),
        None => access.verb.to_string(),
    });
    format!("{}: {}", operation.effect, accesses.collect::<Vec<_>>().join(", "))
}

fn shop() -> Catalogue {
    Catalogue::sample(&[(ORDERS, "public", "orders", &["id", "name", "mood"])], &[], &[], &["score"])
}

#[test]
fn a_trigger_is_a_call_of_its_function_at_its_events_only() {
    let with = || shop().with_hook(ORDERS, runs("audit"), Events::INSERT.and(Events::UPDATE));
    let insert = "insert into orders values (1)";
    assert_eq!(asked(insert, with()), "exec: insert public.orders, call_function public.audit");
    assert_eq!(asked(insert, shop()), "write: insert public.orders");
    assert_eq!(asked("delete from orders where id = 1", with()), "write: delete public.orders");
    assert_eq!(asked("select 1 from orders", with()), "read: select public.orders");
    let upsert = "insert into orders values (1) on conflict (id) do update set name = 'x'";
    assert!(asked(upsert, shop().with_hook(ORDERS, runs("audit"), Events::UPDATE)).starts_with("exec"));
    let merge = "merge into orders o using (select 1 x) s on o.id = s.x when matched then delete";
    assert!(asked(merge, shop().with_hook(ORDERS, runs("audit"), Events::DELETE)).starts_with("exec"));
    assert!(asked("copy orders from stdin", with()).starts_with("exec"));
}

#[test]
fn a_rule_on_a_table_is_unknown() {
    let with = shop().with_hook(ORDERS, Runs::Rule, Events::INSERT);
    assert_eq!(asked("insert into orders values (1)", with), "unknown: insert public.orders, unknown_operation");
}

#[test]
fn a_view_that_calls_code_is_a_call_of_it_and_so_is_planning_it() {
    let with = |runs| shop().with_hook(ORDERS, runs, Events::READ);
    assert_eq!(
        asked("select * from orders", with(runs("score"))),
        "exec: select public.orders, call_function public.score"
    );
    assert!(asked("explain select * from orders", with(runs("score"))).starts_with("exec"));
    let file = Runs::Routine(Arc::from("pg_catalog"), Arc::from("pg_read_file"));
    assert_eq!(asked("table orders", with(file)), "admin: select public.orders, copy_file pg_catalog.pg_read_file");
    let random = Runs::Routine(Arc::from("pg_catalog"), Arc::from("random"));
    assert_eq!(asked("table orders", with(random)), "read: select public.orders");
}

#[test]
fn a_cast_to_a_type_of_users_is_a_call_where_the_type_runs_code() {
    let with = || shop().with_type(20_000, "mood", false).with_type(20_001, "checked", true);
    assert_eq!(asked("select 'x'::mood", with()), "read: select");
    assert_eq!(asked("select 'x'::public.mood[]", with()), "read: select");
    assert_eq!(asked("select 'x'::checked", with()), "exec: select, call_function ?.checked");
    assert_eq!(asked("select 'x'::nowhere", with()), "exec: select, call_function ?.nowhere");
    assert_eq!(asked("select row(1, 'x')::orders, '1'::int, 'x'::text", with()), "read: select");
}

#[test]
fn a_cast_of_users_is_called_by_whom_may_use_it() {
    let explicit = || shop().with_cast((25, "text"), (600, "point"), false, "bend");
    assert_eq!(asked("select 'x'::point", explicit()), "exec: select, call_function public.bend");
    assert_eq!(asked("select id from orders", explicit()), "read: select public.orders");
    let everywhere = shop().with_cast((25, "text"), (600, "point"), true, "bend");
    assert!(asked("select id from orders", everywhere).starts_with("exec"));
    let of_users = || shop().with_type(20_000, "mood", false).with_cast((20_000, "mood"), (25, "text"), true, "bend");
    assert_eq!(asked("select id from orders", of_users()), "read: select public.orders");
    assert!(asked("select lower('x'::mood)", of_users()).contains("call_function public.bend"));
}

#[test]
fn an_operator_of_users_is_the_function_behind_it() {
    let with = shop().with_routine("public", "===", "same");
    assert_eq!(asked("select 1 === 2", with), "exec: select, call_function public.same");
    assert_eq!(asked("select 'a' operator(pg_catalog.~) 'b'", shop()), "read: select");
    let hidden = shop().with_routine("hidden", "=", "same");
    assert_eq!(asked("select 1 = 2", hidden), "read: select", "its schema is not on the search path");
    let named = shop().with_routine("hidden", "=", "same");
    assert!(asked("select 1 operator(hidden.=) 2", named).contains("call_function hidden.same"));
}

#[test]
fn a_definition_calls_event_triggers() {
    let with = || shop().with_event_trigger("watch");
    assert!(asked("create table t (a int)", with()).contains("call_function public.watch"));
    assert_eq!(asked("select 1", with()), "read: select");
}

#[test]
fn what_drivers_call_of_the_standards_schema_is_a_read() {
    assert_eq!(
        asked("select information_schema._pg_truetypid(a, a) from orders a", shop()),
        "read: select public.orders"
    );
    assert!(asked("select information_schema.mine()", shop()).starts_with("exec"));
}
