//! Statements that would let a masked value escape in a form that no mask reaches: rows counted, failures placed,
//! values compared with all that they could be, or copied to where nothing is masked.

use super::{lineage_table::Shop, one};
use crate::sql::MaskScope;

#[test]
fn what_cannot_be_masked_is_refused() {
    for text in ORACLES.iter().chain(WRITES) {
        let scope = one(text).sources.mask_check(&Shop);
        assert!(matches!(scope, MaskScope::Refuse(_)), "{text}: {scope:?}");
    }
}

const ORACLES: &[&str] = &[
    "select * from generate_series(1, 9) email natural join customers",
    "select g.* from generate_series(1, 9) g(email) join customers using (email)",
    "select id from orders where note in (select email from customers)",
    "select n from generate_series(1, 9) n, customers where substr(email, n, 1) = 'a'",
    "select n from generate_series(1, 9) n where n::text = (select email from customers)",
    "select n from generate_series(1, 9) n where exists (select from customers where email = n::text)",
    "select n from generate_series(1, 9) n order by n <> (select email from customers)::int",
    "select n from generate_series(1, 9) n limit (select note from customers)",
    "select n from customers, generate_series(1, 9) n group by n having count(nullif(email, n::text)) > 0",
    "select n, count(nullif(email, n::text)) from customers, generate_series(1, 9) n group by n order by 2",
    "select count(*) over (rows between (select note from customers) preceding and current row) from orders",
    "select count(*) from customers join orders on orders.note = customers.email",
    "select array_agg(n) filter (where email = n) from customers, generate_series(1, 9) n",
    "select n from customers, generate_series(1, 9) n where case when email = 'a' then n = 1 else n = 2 end",
    "select n from customers, generate_series(1, 9) n where (email = 'a') = (n = 1)",
    "select n, 1 / (n - ascii(email)) from customers, generate_series(1, 9) n",
    "select n, (ascii(email) - n) as k from customers, generate_series(1, 9) n order by k",
    "select n, email = n::text from customers, generate_series(1, 9) n order by 2",
    "select distinct email = n::text from customers, generate_series(1, 9) n",
    "select k from (select email = n::text as k from customers, generate_series(1, 9) n) q order by k",
    "select generate_series(1, ascii(email)) from customers",
    "select unnest(string_to_array(email, '.')) from customers",
    "select regexp_split_to_table(email, '.') from customers",
    "select pg_sleep(ascii(email)) from customers",
    "select setseed(length(email) / 100.0), random() from customers",
    "select id from customers where pg_sleep(ascii(email)) is null",
    "select * from customers c, lateral upper(c.email) u",
    "select * from customers c, unnest(array[c.email]) u",
    "select * from customers c, generate_series(1, length(c.email)) u",
    "with recursive a as (select * from b), b as (select * from customers) select upper(email) from a",
    "select my_function(email) from customers",
    "select name from customers order by my_function(email)",
    "select count(my_function(email)) from customers",
    "select name from customers where set_config('a.b', email, false) is not null",
    "select name from customers where pg_notify('a', email) is null",
    "select pg_advisory_lock(hashtext(email)) from customers",
    "select nextval(email) from customers",
    "select setval('s', ascii(email)) from customers",
    "select lo_from_bytea(0, email::bytea) from customers",
    "select name from customers c (a, b, d) where d = a",
];

const WRITES: &[&str] = &[
    "insert into log select email from customers",
    "insert into log (a) select * from customers",
    "insert into log table customers",
    "insert into log values ((select email from customers limit 1))",
    "insert into customers (name) select email from customers",
    "insert into customers (email) select note from customers",
    "insert into customers (email) select reverse(email) from customers",
    "insert into customers (email) select right(email, 8) from customers",
    "insert into customers (id) values (1) on conflict (id) do update set name = excluded.email",
    "insert into customers (id) values (1) on conflict (id) do update set name = customers.note",
    "update customers set name = email where id = 1",
    "update customers set email = reverse(email) where id = 1",
    "update customers set email = email::varchar(8)",
    "update customers set email = btrim(email, 'abc')",
    "update customers set (name, id) = (email, 1) where id = 1",
    "update customers set (name, id) = (select email, 1 from customers limit 1) where id = 1",
    "update orders set note = c.email from customers c where c.id = orders.id",
    "update orders set note = (select email from customers limit 1) where id = 1",
    "update orders set total = (select ascii(email) from customers limit 1) where id = 1",
    "with d as (delete from customers where id = 1 returning *) insert into log select email from d",
    "merge into log using customers c on c.id = log.id when matched then update set a = c.email",
    "merge into log using customers c on c.id = log.id when not matched then insert values (c.note, c.id)",
    "create table n as select * from customers",
    "create table n as table customers",
    "select * into n from customers",
    "create view v as select upper(email) from customers",
    "create materialized view v as select email from customers",
    "create rule r as on insert to customers do also select 1",
    "create policy p on customers using (true)",
    "create trigger g after insert on customers for each row execute function f()",
    "create table n (like customers)",
    "create table n () inherits (customers)",
    "create index i on customers (lower(email))",
    "create statistics s on (lower(email)), (upper(email)) from customers",
    "alter table customers rename column email to e",
    "alter table customers rename to people",
    "alter table customers set schema other",
    "alter table customers alter column email type int using 1",
    "alter table p attach partition customers default",
    "create publication p for table customers",
    "explain analyze insert into log select email from customers",
    "explain analyze select set_config('a.b', email, false) from customers",
    "do 'begin end'",
    "execute p",
    "call p()",
    "explain execute p",
];

#[test]
fn the_reason_names_the_column() {
    let scope = one("insert into log select upper(email) from customers").sources.mask_check(&Shop);
    let reason = "the masked column `email` would be copied to where it is not masked; leave it out";
    assert_eq!(scope, MaskScope::Refuse(reason.into()));
}
