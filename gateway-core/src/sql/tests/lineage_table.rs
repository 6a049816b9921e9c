//! What masking has to do with each statement, when `customers.email` and `customers.note` are masked.

use std::collections::BTreeSet;

use super::one;
use crate::sql::{MaskScope, OutputKind, OutputLineage, RawName, TaggedColumns};

fn tagged(relation: &RawName) -> Option<TaggedColumns> {
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    let is_tagged = relation.name == "customers" && relation.schema.as_deref().is_none_or(|schema| schema == "public");
    is_tagged.then(|| TaggedColumns {
        tagged: names(&["email", "note"]),
        all: names(&["id", "name", "email", "note", "created_at"]),
    })
}

fn letters(outputs: &OutputLineage, total: usize) -> String {
    let letter = |index| match outputs.at(index, total) {
        OutputKind::Plain => 'P',
        OutputKind::Clean => 'C',
        OutputKind::Unknown => '?',
    };
    (0..total).map(letter).collect()
}

/// `text` returns rows whose columns are treated as `expected` says: P by table oid, C shown, ? unknown.
fn rows(text: &str, expected: &str) {
    match one(text).sources.mask_check(&tagged) {
        MaskScope::Rows { outputs } => assert_eq!(letters(&outputs, expected.len()), expected, "{text}"),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn plain_columns_and_proven_expressions_pass() {
    for (text, expected) in [
        ("select email from customers", "P"),
        ("select c.email, upper(c.name), count(*) from public.customers c group by 1, 2", "PCC"),
        ("select email as x, 1, 'a', now() from customers", "PCCC"),
        ("select * from customers", "?????"),
        ("select 1, c.* from customers c", "C?????"),
        ("select c.*, count(*) over () from customers c", "?????C"),
        ("select 1, *, 2 from customers", "C?????C"),
        ("select count(email), count(distinct email), email is null from customers group by email", "CCC"),
        ("select name from customers where email = 'x' order by email", "P"),
        ("select name, count(*) from customers group by name, email having max(email) > 'x'", "PC"),
        ("select o.id, c.email from orders o join customers c on c.id = o.customer_id", "PP"),
        ("select o.id from orders o join customers c using (id)", "P"),
        ("select email from (select email from customers) q", "P"),
        ("select x from (select email as x from customers) q", "P"),
        ("select n from (select count(*) as n from customers) q", "C"),
        ("select * from (select count(*) as n, email from customers group by email) q", "CP"),
        ("with q as (select email from customers) select email from q", "P"),
        ("with q as (select * from customers) select email, upper(name) from q", "PC"),
        ("with q (a, b) as (select email, 1 from customers) select a, b from q", "PC"),
        ("select exists (select 1 from customers where email = 'x')", "C"),
        ("select (select count(*) from customers)", "C"),
        ("select row_number() over (order by email), name from customers", "CP"),
        ("select id from customers where note in (select email from customers)", "P"),
        ("select id from customers where lower(email) = $1 and (note like 'a%' or id = 3)", "P"),
        ("select upper(o.note) from orders o, customers c", "C"),
        ("select name from customers union all select name from people", "C"),
        ("insert into customers (email) values ('x') returning id, email", "PP"),
        ("update customers set email = 'x' where id = 1 returning *", "?????"),
        ("delete from customers where email = 'x' returning email", "P"),
        ("with d as (delete from customers where id = 1 returning *) select email from d", "P"),
        ("insert into log select id from customers", ""),
        ("update orders set seen = true from customers c where c.id = orders.id", ""),
        ("explain select email from customers", "C"),
        ("explain select upper(email) from customers", "C"),
        ("explain analyze select email from customers", "C"),
        ("truncate customers", ""),
        ("create index i on customers (email)", ""),
        ("alter table customers add column a int", ""),
        ("drop table customers", ""),
        ("create table n as select id, name from customers", ""),
        ("select name::text, c.ctid from customers c", "CP"),
        ("select distinct email from customers", "P"),
        ("select email from customers for update", "P"),
        ("select email from customers tablesample system (1)", "P"),
        ("values ((select count(*) from customers))", "C"),
    ] {
        rows(text, expected);
    }
}

#[test]
fn what_cannot_be_masked_is_refused() {
    for text in EXPRESSIONS.iter().chain(WRITES) {
        let scope = one(text).sources.mask_check(&tagged);
        assert!(matches!(scope, MaskScope::Refuse(_)), "{text}: {scope:?}");
    }
}

const EXPRESSIONS: &[&str] = &[
    "select * from orders natural join customers",
    "select * from generate_series(1, 9) email natural join customers",
    "select g.* from generate_series(1, 9) g(email) join customers using (email)",
    "select id from orders where note in (select email from customers)",
    "select n from generate_series(1, 9) n, customers where substr(email, n, 1) = 'a'",
    "select n from generate_series(1, 9) n where n::text = (select email from customers)",
    "select n from generate_series(1, 9) n where exists (select from customers where email = n::text)",
    "select n from generate_series(1, 9) n order by n <> (select email from customers)::int",
    "select n from generate_series(1, 9) n limit (select note from customers)",
    "select n, count(nullif(email, n::text)) from customers, generate_series(1, 9) n group by n",
    "select n, nullif(email, n::text) is null from customers, generate_series(1, 9) n",
    "select count(*) over (rows between (select note from customers) preceding and current row) from orders",
    "select count(*) from customers join orders on orders.a = customers.email",
    "select array_agg(n) filter (where email = n) from customers, generate_series(1, 9) n",
    "select n from customers, generate_series(1, 9) n where case when email = 'a' then n = 1 else n = 2 end",
    "select n from customers, generate_series(1, 9) n where (email = 'a') = (n = 1)",
    "select upper(email) from customers",
    "select email || '' from customers",
    "select email::text from customers",
    "select max(email) from customers",
    "select string_agg(email, ',') from customers",
    "select array_agg(c.email) from customers c",
    "select case when email = 'x' then 1 end from customers",
    "select email = 'x' from customers",
    "select coalesce(email, '') from customers",
    "select first_value(email) over () from customers",
    "select percentile_disc(0.5) within group (order by email) from customers",
    "select jsonb_build_object('a', email) from customers",
    "select array[email] from customers",
    "select row(email) from customers",
    "select substr(note, 1, 1), name from customers",
    "select c from customers c",
    "select customers from customers",
    "select row_to_json(c) from customers c",
    "select to_jsonb(customers) from customers",
    "select row_to_json(customers.*) from customers",
    "select c::text from customers c",
    "select (c).email from customers c",
    "select (c.*)::text from customers c",
    "select count(c.*), (c.*) is null, array_agg(c.*) from customers c",
    "select c.row_to_json from customers c",
    "select upper(c.to_json::text) from customers c",
    "select json_agg(q) from (select email from customers) q",
    "select upper(x) from (select email as x from customers) q",
    "with q as (select email as x from customers), r as (select x as y from q) select y || '' from r",
    "with q (a) as (select email from customers) select lower(a) from q",
    "select lower(b) from (select email from customers) q (b)",
    "select a from customers c (a, b)",
    "select * from customers c (a, b, d)",
    "select (select email from customers limit 1)",
    "select (select x from (select email as x from customers) q limit 1)",
    "select array(select email from customers)",
    "select 'x' in (select email from customers)",
    "select email from customers union select email from customers",
    "select email from customers union select 'x'",
    "(select name from people) except select note from customers",
    "select * from customers union all select * from customers",
    "with recursive r as (select email from customers union all select email from r) select * from r",
    "with recursive a as (select * from b), b as (select * from customers) select upper(email) from a",
];

const WRITES: &[&str] = &[
    "insert into log select email from customers",
    "insert into log (a) select * from customers",
    "insert into log table customers",
    "insert into log values ((select email from customers limit 1))",
    "insert into customers select * from customers",
    "insert into customers (id) values (1) on conflict (id) do update set name = excluded.email",
    "insert into customers (id) values (1) on conflict (id) do update set name = customers.note",
    "update customers set name = email where id = 1",
    "update customers set (name, id) = (email, 1) where id = 1",
    "update orders set note = c.email from customers c where c.id = orders.id",
    "update orders set note = (select email from customers limit 1) where id = 1",
    "with d as (delete from customers where id = 1 returning *) insert into log select * from d",
    "delete from customers where id = 1 returning upper(email)",
    "merge into log using customers c on c.id = log.id when matched then update set a = c.email",
    "merge into log using customers c on c.id = log.id when not matched then insert values (c.id, c.note)",
    "create table n as select * from customers",
    "create table n as table customers",
    "select * into n from customers",
    "create view v as select name from customers",
    "create materialized view v as select email from customers",
    "create rule r as on insert to customers do also select 1",
    "create policy p on customers using (true)",
    "create trigger g after insert on customers for each row execute function f()",
    "create table n (like customers)",
    "create table n () inherits (customers)",
    "create index i on customers (lower(email))",
    "alter table customers rename column email to e",
    "alter table customers rename to people",
    "alter table customers alter column email type int using 1",
    "alter table p attach partition customers default",
    "create publication p for table customers",
    "copy customers to stdout",
    "copy customers (name) to stdout",
    "copy customers from stdin",
    "copy (select name from customers) to stdout",
    "declare c cursor for select name from customers",
    "explain analyze insert into log select email from customers",
    "explain analyze select set_config('a.b', email, false) from customers",
    "select name from customers where set_config('a.b', email, false) is not null",
    "select name from customers where pg_notify('a', email) is null",
    "select name from customers order by my_function(email)",
    "select count(my_function(email)) from customers",
    "select * from customers c, lateral upper(c.email) u",
    "select * from customers c, unnest(array[c.email]) u",
    "select u.* from customers c cross join lateral (select upper(c.email)) u",
    "select xmlelement(name a, email) from customers",
    "select json_object('a': email) from customers",
    "select greatest(email, '') from customers",
    "select j.x from (customers c join orders o using (id)) as j (x)",
    "select upper(j.email) from (customers c join orders o using (id)) as j",
    "do 'begin end'",
    "execute p",
    "call p()",
    "prepare p as select 1",
    "explain execute p",
];

#[test]
fn statements_without_masked_relations_are_untouched() {
    for text in [
        "select upper(email) from orders",
        "select row_to_json(o) from orders o",
        "copy orders to stdout",
        "with customers as (select 1 as email) select upper(email::text) from customers",
        "select * from private.customers",
        "insert into log select * from orders",
        "begin",
        "set application_name = 'customers'",
    ] {
        assert_eq!(one(text).sources.mask_check(&tagged), MaskScope::Untouched, "{text}");
    }
}

#[test]
fn a_fetch_is_not_proven() {
    rows("fetch all from c", "??");
}

#[test]
fn the_reason_names_the_column() {
    let scope = one("select upper(email) from customers").sources.mask_check(&tagged);
    let reason = "an expression over the masked column `email` cannot be masked yet; select the column itself";
    assert_eq!(scope, MaskScope::Refuse(reason.into()));
}
