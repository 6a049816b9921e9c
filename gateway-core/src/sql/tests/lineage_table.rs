//! What masking has to do with each statement, when `customers.email` and `customers.note` are masked.

use super::one;
use crate::sql::{MaskScope, Origin, Output, OutputLineage, RawName, RelationColumn, RelationColumns, Relations, Tags};

/// A shop of four tables; nothing is known of any other.
pub(super) struct Shop;

const TABLES: &[(&str, &[&str])] = &[
    ("customers", &["id", "name", "email", "note", "created_at"]),
    ("orders", &["id", "customer_id", "total", "note", "seen"]),
    ("people", &["id", "name"]),
    ("log", &["a", "id"]),
];

fn tags(table: &str, column: &str) -> Tags {
    match (table, column) {
        ("customers", "email" | "note") => Tags::from([column.into()]),
        _ => Tags::new(),
    }
}

impl Relations for Shop {
    fn is_tagged(&self, name: &RawName) -> bool {
        name.name == "customers" && name.schema.as_deref().is_none_or(|schema| schema == "public")
    }

    fn columns(&self, name: &RawName) -> Option<RelationColumns> {
        if name.schema.as_deref().is_some_and(|schema| schema != "public") {
            return None;
        }
        let (relation, (table, columns)) = (1..).zip(TABLES).find(|(_, (table, _))| *table == name.name)?;
        let columns = (1..).zip(*columns).map(|(number, column)| RelationColumn {
            name: (*column).to_owned(),
            origin: Origin { relation, number, type_oid: 25 },
            tags: tags(table, column),
            is_made: false,
        });
        Some(RelationColumns { columns: columns.collect(), is_open: false })
    }
}

fn letters(outputs: &OutputLineage, total: usize) -> String {
    let letter = |index| match outputs.at(index, total) {
        Output::Clean => 'C',
        Output::Column { tags, .. } if tags.is_empty() => 'P',
        Output::Column { .. } | Output::Masked(_) => 'M',
        Output::Computed(_) => 'X',
        Output::Unknown => '?',
    };
    (0..total).map(letter).collect()
}

/// `text` returns rows whose columns are as `expected` says: P a column that is not masked, M a masked column itself,
/// X made of masked columns, C proven to hold nothing of them, ? unknown.
pub(super) fn rows(text: &str, expected: &str) {
    match one(text).sources.mask_check(&Shop) {
        MaskScope::Rows { outputs, .. } => assert_eq!(letters(&outputs, expected.len()), expected, "{text}"),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn columns_keep_their_place_and_their_origin() {
    for (text, expected) in [
        ("select email from customers", "M"),
        ("select c.email, upper(c.name), count(*) from public.customers c group by 1, 2", "MCC"),
        ("select email as x, 1, 'a', now() from customers", "MCCC"),
        ("select * from customers", "PPMMP"),
        ("table customers", "PPMMP"),
        ("select 1, c.* from customers c", "CPPMMP"),
        ("select 1, *, 2 from customers", "CPPMMPC"),
        ("select c.*, count(*) over () from customers c", "PPMMPC"),
        ("select * from orders o, customers c", "PPPPPPPMMP"),
        ("select * from orders o join customers c on c.id = o.customer_id", "PPPPPPPMMP"),
        ("select * from customers c join people p using (id)", "PPMMPP"),
        ("select * from people natural join customers", "PPMMP"),
        ("select name from customers where email = 'x' order by email", "P"),
        ("select o.id, c.email from orders o join customers c on c.id = o.customer_id", "PM"),
        ("select o.note, c.note from orders o, customers c", "PM"),
        ("select o.id from orders o join customers c using (id)", "P"),
        ("select id from orders o join customers c using (id)", "P"),
        ("select j.email, j.id from (customers c join people o using (id)) as j", "MP"),
        ("select j.x, j.y from (people o join customers c using (id)) as j (x, y, z, w, v)", "PP"),
        ("select j.w from (people o join customers c using (id)) as j (x, y, z, w, v)", "M"),
        ("select a, c from customers q (a, b, c)", "PM"),
        ("select * from customers c (a, b, d)", "PPMMP"),
        ("select name::text, c.ctid, c.email from customers c", "CCM"),
        ("select distinct email from customers", "M"),
        ("select email from customers for update", "M"),
        ("select email from customers tablesample system (1)", "M"),
        ("select c.* from customers c join orders o on o.customer_id = c.id", "PPMMP"),
        ("select public.customers.email from public.customers", "M"),
        ("select (c).name, (c).email from customers c", "PM"),
    ] {
        rows(text, expected);
    }
}

#[test]
fn what_is_made_of_a_masked_column_is_hidden_and_its_neighbours_are_not() {
    for (text, expected) in [
        ("select upper(email), name from customers", "XP"),
        ("select email || '', id from customers", "XP"),
        ("select email::text, email::varchar, email::varchar(4), email::int from customers", "MMXX"),
        ("select email collate \"C\" from customers", "M"),
        ("select max(email), min(name), count(*) from customers", "XCC"),
        ("select string_agg(email, ','), string_agg(name, ',') from customers", "XC"),
        ("select array_agg(c.email), array_agg(c.id) from customers c", "XC"),
        ("select case when email = 'x' then 1 end, case when id = 1 then 2 end from customers", "XC"),
        ("select email = 'x', email is null, email like 'a%' from customers", "XCX"),
        ("select coalesce(email, ''), coalesce(name, '') from customers", "XC"),
        ("select nullif(email, 'x') is null from customers", "X"),
        ("select first_value(email) over (), first_value(name) over (order by id) from customers", "XC"),
        ("select lag(email) over (order by id) from customers", "X"),
        ("select percentile_disc(0.5) within group (order by email) from customers", "X"),
        ("select jsonb_build_object('a', email), jsonb_build_object('a', name) from customers", "XC"),
        ("select jsonb_build_object('id', id, 'email', email) from customers", "X"),
        ("select array[email], array[name], row(email), row(name) from customers", "XCXC"),
        ("select substr(note, 1, 1), substr(name, 1, 1) from customers", "XC"),
        ("select length(email), md5(email), reverse(note) from customers", "XXX"),
        ("select c, name from customers c", "XP"),
        ("select customers from customers", "X"),
        ("select o from orders o, customers c", "C"),
        ("select row_to_json(c), row_to_json(o) from customers c, orders o", "XC"),
        ("select to_jsonb(customers), row_to_json(customers.*) from customers", "XX"),
        ("select c::text, (c.*)::text from customers c", "XX"),
        ("select count(c.*), (c.*) is null, array_agg(c.*) from customers c", "XXX"),
        ("select c.row_to_json, c.name from customers c", "XP"),
        ("select json_agg(q) from (select email from customers) q", "X"),
        ("select json_agg(q) from (select name from customers) q", "C"),
        ("select greatest(email, ''), greatest(name, '') from customers", "XC"),
        ("select xmlelement(name a, email), json_object('a': email) from customers", "XX"),
        ("select name || ' <' || email || '>' from customers", "X"),
        ("select count(*) filter (where email like 'a%'), count(*) filter (where id > 1) from customers", "XC"),
        ("select count(email), count(distinct email), count(nullif(email, 'x')) from customers", "CCX"),
        ("select o.id, count(nullif(email, o.note)) from customers, orders o group by o.id", "PX"),
        ("select row_number() over (order by email), name from customers", "CP"),
        ("select upper(o.note), c.id from orders o, customers c", "CP"),
    ] {
        rows(text, expected);
    }
}

#[test]
fn subqueries_ctes_and_set_operations_are_followed() {
    for (text, expected) in [
        ("select email from (select email from customers) q", "M"),
        ("select x, y from (select email as x, name as y from customers) q", "MP"),
        ("select n from (select count(*) as n from customers) q", "C"),
        ("select * from (select count(*) as n, email from customers group by email) q", "CM"),
        ("select lower(b), b from (select email from customers) q (b)", "XM"),
        ("with q as (select email from customers) select email from q", "M"),
        ("with q as (select * from customers) select email, upper(name) from q", "MC"),
        ("with q as (select * from customers) select * from q", "PPMMP"),
        ("with q (a, b) as (select email, 1 from customers) select a, b from q", "MC"),
        ("with q as (select email as x from customers), r as (select x as y from q) select y || '', y from r", "XM"),
        ("with customers as (select 1 as email, id from public.customers) select email, id from customers", "CP"),
        ("with d as (delete from customers where id = 1 returning *) select email, id from d", "MP"),
        (
            "with recursive r as (select email, 1 as n from customers union all select email, n + 1 from r) table r",
            "MC",
        ),
        ("with recursive r (a, b) as (select name, email from customers union all select b, a from r) table r", "MM"),
        ("with recursive t as (select id, name from customers union select id, name from t) select * from t", "CC"),
        ("select (select email from customers limit 1), (select name from customers limit 1)", "XC"),
        ("select exists (select 1 from customers where email = 'x')", "C"),
        ("select (select count(*) from customers)", "C"),
        ("select array(select email from customers), array(select name from customers)", "XC"),
        ("select 'x' in (select email from customers)", "X"),
        ("select o.id, (select c.email from customers c where c.id = o.customer_id) from orders o", "PX"),
        ("select id from customers where note in (select email from customers)", "P"),
        ("select l.e from customers c, lateral (select c.email as e) l", "M"),
        ("select l.e from customers c, lateral (select upper(c.email) as e) l", "X"),
        ("select u.* from customers c cross join lateral (select upper(c.email), c.id) u", "XP"),
        ("select email, name from customers union all select name, email from customers", "MM"),
        ("select email from customers union select 'x'", "M"),
        ("select name from customers union all select name from people", "C"),
        ("select id, email from customers union select id, note from customers", "CM"),
        ("select name, email from customers except select name, 'x' from people", "CM"),
        (
            "select n, n from generate_series(1, 9) n union select n, length(email) from customers, generate_series(1, 9) n",
            "XX",
        ),
        ("(select name from people) except select note from customers", "X"),
        ("select * from customers union all select * from customers", "CCMMC"),
        ("values ((select count(*) from customers))", "C"),
        ("values ((select email from customers limit 1), 1)", "XC"),
        ("select (select q.y from (select 1 as email) s, (select email as y) q) from customers", "X"),
        ("select greatest from (select greatest(email, ''), name from customers) q", "X"),
        ("select \"?column?\" from (select email || '', name from customers) q", "X"),
        ("select email from (select upper(name) as email from customers) q", "C"),
    ] {
        rows(text, expected);
    }
}

#[test]
fn writes_with_their_returning_and_other_statements() {
    for (text, expected) in [
        ("insert into customers (email) values ('x') returning id, email", "PM"),
        ("update customers set email = 'x' where id = 1 returning *", "PPMMP"),
        ("update customers set email = lower(email)", ""),
        ("update customers set email = upper(btrim(email)), name = 'a' where email = 'x'", ""),
        ("update customers set email = coalesce(email, 'x'), note = $1", ""),
        ("update customers set (name, email) = (name, lower(email)) where id = 1", ""),
        ("update orders set total = total + 1 from customers c where c.id = orders.customer_id and c.email = 'x'", ""),
        ("update orders o set note = c.name from customers c where c.id = o.customer_id returning o.id, c.email", "PM"),
        ("delete from customers where email = 'x' returning email, upper(email), name", "MXP"),
        ("delete from orders using customers c where c.id = orders.customer_id and c.email = $1", ""),
        ("insert into log select id from customers", ""),
        ("insert into customers select * from customers", ""),
        ("insert into customers (id, email) select id + 100, email from customers", ""),
        ("insert into customers (id, email) values (1, 'x') on conflict (id) do update set email = excluded.email", ""),
        ("merge into customers t using people p on p.id = t.id when matched then update set name = p.name", ""),
        (
            "merge into customers t using customers s on s.id = t.id when not matched then insert (id, email) values (s.id, s.email)",
            "",
        ),
        ("explain select email from customers", "C"),
        ("explain select upper(email) from customers", "C"),
        ("explain analyze select upper(email) from customers", "C"),
        ("truncate customers", ""),
        ("create index i on customers (email)", ""),
        ("alter table customers add column a int", ""),
        ("drop table customers", ""),
        ("create table n as select id, name from customers", ""),
        ("create view v as select id, name from customers", ""),
        ("create table n as select count(email) from customers", ""),
        ("declare c cursor for select upper(email) from customers", ""),
        ("copy customers to stdout", "PPMMP"),
        ("copy customers (name, email) to stdout", "PM"),
        ("copy (select name, upper(email), email from customers) to stdout", "PXM"),
        ("copy customers from stdin", ""),
        ("fetch all from c", "??"),
    ] {
        rows(text, expected);
    }
}

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
        assert_eq!(one(text).sources.mask_check(&Shop), MaskScope::Untouched, "{text}");
    }
}

#[test]
fn a_result_of_another_width_proves_nothing() {
    let MaskScope::Rows { outputs, .. } = one("select id, name from customers").sources.mask_check(&Shop) else {
        panic!("no rows")
    };
    assert!(outputs.fits(2) && !outputs.fits(1) && !outputs.fits(3));
    assert_eq!((letters(&outputs, 2).as_str(), letters(&outputs, 3).as_str()), ("PP", "???"));
    let MaskScope::Rows { outputs, .. } =
        one("select 1, g.*, 2, email from generate_series(1, 2) g, customers").sources.mask_check(&Shop)
    else {
        panic!("no rows")
    };
    assert_eq!(
        (letters(&outputs, 4).as_str(), letters(&outputs, 6).as_str(), outputs.fits(2)),
        ("C?CM", "C???CM", false)
    );
}

#[test]
fn what_rows_are_chosen_and_ordered_by_is_told() {
    for (text, expected) in [
        ("select email from customers", ""),
        ("select id from customers where email = 'x'", "email"),
        ("select id from customers where id = 1 or lower(note) like 'a%'", "note"),
        ("select id from customers order by email", "email"),
        ("select upper(email) from customers order by 1", "email"),
        ("select upper(email) as e from customers order by e", "email"),
        ("select count(*) from customers group by email having max(note) > 'x'", "email note"),
        ("select distinct email from customers", "email"),
        ("select a.id from customers a join customers b on a.email = b.email", "email"),
        ("select a.id from customers a join customers b using (note)", "note"),
        ("select rank() over (partition by email) from customers", "email"),
        ("select id from orders where exists (select from customers where email = 'x')", "email"),
        ("update customers set name = 'a' where email = 'x'", "email"),
        ("delete from customers where email is null", "email"),
        ("explain select id from customers where email = 'x'", "email"),
    ] {
        let MaskScope::Rows { filters, .. } = one(text).sources.mask_check(&Shop) else { panic!("{text}") };
        assert_eq!(filters.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(" "), expected, "{text}");
    }
}
