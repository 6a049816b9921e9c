//! Ways to carry a masked value out: every one shows nothing of it, whatever else it answers.

use super::{
    Tunnel, leaks,
    raw::{Raw, bind, execute, parse, shown, sync},
    stage,
};

/// Each statement alone, by psql.
const CARRIERS: &[&str] = &[
    // Names: aliases, subqueries, rows, expressions around a row.
    "select phone as status from customers",
    "select x.y from (select phone as y from customers) x",
    "select s from (select phone from customers) s",
    "select s::text from (select phone from customers) s",
    "select (s).phone from (select phone from customers) s",
    "select row(s.*) from (select phone from customers) s",
    "select (c).phone from customers c",
    "select (c.*).phone from customers c",
    "select phone(c) from customers c",
    "select c.to_json from customers c",
    "select (select c from customers c where id = 1)",
    "select array(select phone from customers)",
    "select v from customers, lateral (values (phone)) l(v)",
    "select v from customers, lateral (select phone) l(v)",
    "select v from customers cross join lateral unnest(array[phone]) v",
    "select v from customers cross join lateral json_each_text(to_json(customers)) v",
    "select v.* from customers cross join lateral json_each_text(row_to_json(customers.*)) v",
    "select customers.phone from orders customers, customers c2 where c2.id = 1",
    "select z.a from customers z(a, b, c, d, e)",
    "select (array[phone])[1] from customers",
    "select phone collate \"C\" from customers",
    "select coalesce(phone, ''), nullif(phone, ''), greatest(phone, '') from customers",
    "select case when true then phone end from customers",
    "select format('%s', phone), concat(phone, ''), quote_literal(phone) from customers",
    "select xmlelement(name a, phone) from customers",
    "select xmlforest(phone as a) from customers",
    "select json_object_agg(id, phone) from customers",
    "select json_build_array(phone), hstore('a', phone) from customers",
    "select string_to_table(phone, '+') from customers",
    "select regexp_matches(phone, '.*') from customers",
    "select lag(phone) over (order by id), first_value(phone) over () from customers",
    "select max(phone), min(phone), mode() within group (order by phone) from customers",
    "select array_agg(id order by id), string_agg(phone, ',') from customers group by phone",
    "select distinct phone || '' from customers order by 1",
    "select phone from customers union all select status from orders",
    "select status from orders where false union select phone from customers",
    "(select phone from customers) intersect (select phone from customers)",
    "select phone from customers except select ''",
    "values ((select phone from customers where id = 1)), ('a')",
    "with a as (select phone p from customers), b as (select p || '' q from a) select q from b",
    "with recursive r(p) as (select phone from customers where id = 1 union all select p || '' from r where false) select p from r",
    "with t as (update customers set name = name where id = 1 returning phone) select phone || '' from t",
    "update customers set name = name where id = 1 returning phone || ''",
    "update customers set name = name where id = 1 returning customers",
    "insert into customers (id, name, email, card, phone) values (900, 'x', 'y', 'z', (select phone from customers where id = 1)) returning phone || ''",
    "select encode(phone::bytea, 'hex'), md5(phone), length(phone) from customers",
    "select phone ~ '7946', phone like '+44%' from customers",
    "select to_tsvector(phone), ascii(phone), overlay(phone placing '' from 1 for 0) from customers",
    "select * from (select phone from customers) a natural join (select phone from customers) b",
    "select b.* from customers a join customers b using (phone)",
    "select pg_typeof(phone), pg_column_size(phone) from customers",
    // Views, functions and operators that reach it.
    "select * from phone_by_function",
    "select * from phone_by_view",
    "select * from phone_copy",
    "table phone_copy",
    "select * from statistics_of_phones",
    "select customer_phone(1)",
    "select abs('1'::text)",
    "select 1 @-> 1",
    "select 1 operator(public.@->) 1",
    "select id from orders where (1 @-> 1) = (id @-> id)",
    "explain analyze verbose select customer_phone(1)",
    // What the server keeps of it.
    "select most_common_vals, histogram_bounds from pg_stats where tablename = 'customers'",
    "select stavalues1 from pg_statistic",
    "select stavalues1 from pg_catalog.pg_statistic s, pg_class c where c.oid = s.starelid",
    "select query from pg_stat_activity",
    "select pg_stat_get_activity(null)",
    "select * from pg_cursors",
    "select query_to_xml('select phone from customers', true, true, '')",
    "select table_to_xml('customers', true, true, '')",
    "select database_to_xml(true, true, '')",
    "select cursor_to_xml('c', 1, true, true, '')",
    "select ts_stat('select to_tsvector(phone) from customers')",
    "select * from json_populate_recordset(null::customers, (select json_agg(c) from customers c))",
    // Errors and plans.
    "select id from customers where phone::int = 1",
    "select id from customers where phone::date = now()",
    "select id from customers where (phone || 'x')::inet is null",
    "select id from customers where cast(phone as json) is null",
    "select 1 from customers order by phone::int",
    "select count(*) from customers group by phone::int",
    "update customers set name = null where id = 1",
    "update customers set id = 2 where id = 1",
    "insert into customers select 1, null, 'e', 'c', '7'",
    "explain analyze select phone || '' from customers",
    "explain (analyze, verbose, format json) select max(phone) from customers",
    "set client_min_messages = debug5; select id from customers where phone::int = 1",
    // COPY and cursors.
    "copy customers to stdout",
    "copy customers (phone) to stdout (format csv)",
    "copy (select phone from customers) to stdout (format binary)",
    "copy (select * from customers) to stdout",
    "copy (table customers) to stdout",
    "copy (select harmless from phone_by_view) to stdout",
    "copy (update customers set name = name where id = 1 returning phone) to stdout",
    "begin; declare c cursor for select phone from customers; fetch all from c",
    "begin; declare c binary cursor for select phone from customers; fetch all from c",
    "begin; declare c cursor with hold for select * from phone_by_view; commit; fetch all from c",
    // One statement that spells it out, by comparing it with everything it could be.
    "select string_agg(chr(n), '' order by i) from generate_series(1, 20) i, generate_series(32, 126) n \
     where ascii(substr((select phone from customers where id = 1), i, 1)) = n",
    "select string_agg(chr(n), '' order by i) from customers c, generate_series(1, 20) i, generate_series(32, 126) n \
     where c.id = 1 and substr(c.phone, i, 1) = chr(n)",
    "select string_agg(chr(n), '' order by i) from generate_series(1, 20) i join generate_series(32, 126) n \
     on exists (select from customers c where c.id = 1 and ascii(substr(c.phone, i, 1)) = n)",
    "with c as (select phone p from customers where id = 1) select string_agg(chr(n), '' order by i) from c, \
     generate_series(1, 20) i, generate_series(32, 126) n where (substr(p, i, 1) = chr(n)) is true",
    "select string_agg(chr(n), '' order by i) filter (where substr((select phone from customers where id = 1), i, 1) = chr(n)) \
     from generate_series(1, 20) i, generate_series(32, 126) n",
    "select string_agg(chr(n), '' order by i) from generate_series(1, 20) i, generate_series(32, 126) n \
     group by () having bool_or(substr((select phone from customers where id = 1), 1, 1) = '+') and false",
    "select string_agg((select chr(n) from generate_series(32, 126) n order by n <> ascii(substr((select phone from customers where id = 1), i, 1)) limit 1), '') \
     from generate_series(1, 20) i",
    "select string_agg((select chr(n) from generate_series(0, 126) n offset (select ascii(substr(phone, i, 1)) from customers where id = 1) limit 1), '') \
     from generate_series(1, 20) i",
    "select string_agg(w, '' order by i) from generate_series(1, 20) i, (select chr(n) w from generate_series(32, 126) n) l \
     where w in (select substr(phone, i, 1) from customers where id = 1)",
    "select string_agg(w, '' order by i) from generate_series(1, 20) i, (select chr(n) w from generate_series(32, 126) n) l \
     where w = any (array(select substr(phone, i, 1) from customers where id = 1))",
    "select string_agg(w, '' order by i) from generate_series(1, 20) i, lateral (select chr(n) w from generate_series(32, 126) n \
     where (select count(*) from customers where id = 1 and substr(phone, i, 1) = chr(n)) = 1) l",
    "select string_agg(chr(n), '' order by i) from generate_series(1, 20) i, lateral (select count(*) n from generate_series(1, 126) g \
     where g <= (select ascii(substr(phone, i, 1)) from customers where id = 1)) l",
    "select count(*) from generate_series(1, 200) g tablesample system ((select length(phone) from customers where id = 1))",
    "select count(*) over (order by n rows between (select id from customers where ascii(phone) = n limit 1) preceding and current row) \
     from generate_series(1, 200) n",
    "select n, count(nullif(substr(phone, 1, 1), chr(n))) from customers, generate_series(32, 126) n where id = 1 group by n",
    "select string_agg(chr(n), '') from customers, generate_series(32, 126) n where id = 1 and (nullif(substr(phone, 1, 1), chr(n))) is null",
    "select g.* from (select '+44 20 ' || '7946 ' || lpad(n::text, 4, '0') as phone from generate_series(0, 99) n) g join customers using (phone)",
    "select g.* from (select '+44 20 ' || '7946 ' || lpad(n::text, 4, '0') as phone from generate_series(0, 99) n) g natural join customers",
    "select n from (select '+44 20 ' || '7946 ' || lpad(n::text, 4, '0') as n from generate_series(0, 99) n) g where n in (select phone from customers)",
    "merge into audit_trail t using customers c on c.id = 1 and t.what = c.phone when not matched then insert (what) values (c.phone)",
    "insert into audit_trail (what) select n::text from generate_series(0, 200) n where n = (select ascii(phone) from customers where id = 1)",
];

/// Each alone; whatever it answers, nothing may have been copied.
const LAUNDRIES: &[&str] = &[
    "insert into audit_trail (what) select phone from customers",
    "insert into audit_trail (what) select harmless from phone_by_view",
    "insert into audit_trail (what) select harmless from phone_copy",
    "insert into audit_trail (what) values ((select phone from customers where id = 1))",
    "insert into audit_trail (what) table customers",
    "insert into audit_trail (what) select customer_phone(1)",
    "with p as (select phone from customers) insert into audit_trail (what) select * from p",
    "with p as (delete from orders where id = 1 returning (select phone from customers where id = 1) x) insert into audit_trail (what) select x from p",
    "insert into audit_trail (what) values ('a') returning (select phone from customers where id = 1)",
    "update customers set note = phone where id = 1",
    "update customers set (note, name) = (select phone, name from customers where id = 1) where id = 1",
    "update customers set note = c.phone from customers c where c.id = customers.id and customers.id = 1",
    "update orders set status = (select phone from customers where id = 1) where id = 1",
    "update orders set status = harmless from phone_by_view where id = 1",
    "insert into customers (id, name, email, card) select 901, phone, email, card from customers where id = 1",
    "insert into customers (id, name, email, card, phone) values (1, 'x', 'y', 'z', 'p') on conflict (id) do update set note = customers.phone",
    "insert into customers (id, name, email, card, phone) values (1, 'x', 'y', 'z', 'p') on conflict (id) do update set note = (select phone from customers where id = 2)",
    "create temp table loot as select phone from customers",
    "select phone into temp loot from customers",
    "create temp view loot as select phone from customers",
    "prepare loot as select phone from customers",
    "create table loot (like customers including all)",
    "select set_config('my.loot', phone, false) from customers",
    "select set_config('application_name', (select phone from customers where id = 1), false)",
    "select pg_notify('loot', phone) from customers",
    "select setval('audit_trail_id_seq', length(phone)) from customers where id = 1",
    "select lo_from_bytea(0, phone::bytea) from customers",
    "select pg_logical_emit_message(false, 'loot', phone) from customers",
    "select pg_advisory_lock(ascii(phone)) from customers where id = 1",
    "select * from customers c where pg_notify('loot', c.phone) is null",
    "alter table customers rename column phone to harmless",
    "alter table customers alter column phone set default 'x'",
    "create rule loot as on select to orders do instead select phone from customers",
    "comment on table orders is 'x'",
];

#[test]
fn no_statement_shows_a_masked_value() {
    let stage = stage();
    let mut escaped = Vec::new();
    for statement in CARRIERS {
        let outcome = stage.tunnel.psql().with(&["-c", statement]).run("");
        let text = format!("{}{}", outcome.output, outcome.errors);
        if !leaks(&text).is_empty() || text.contains("+44") || text.contains("2b3434") {
            escaped.push((statement, outcome));
        }
    }
    assert!(escaped.is_empty(), "{escaped:#?}");
}

#[test]
fn no_statement_copies_a_masked_value_to_where_it_is_not_masked() {
    let stage = stage();
    let mut listener = Raw::open(&stage.tunnel);
    listener.query("listen loot");
    let mut escaped = Vec::new();
    for statement in LAUNDRIES {
        let outcome = stage.tunnel.psql().with(&["-c", statement]).run("");
        let text = format!("{}{}", outcome.output, outcome.errors);
        assert!(leaks(&text).is_empty(), "{statement}: {outcome:?}");
        let copied = stage.database.value(
            "select count(*) from (select what from audit_trail union all select status from orders \
             union all select note from customers union all select name from customers) t(v) where v ~ '7946|555 0102'",
        );
        if copied != "0" {
            escaped.push(statement);
            stage.database.direct().run("truncate audit_trail; update customers set note = null, name = 'x'; update orders set status = 'paid'").success();
        }
    }
    assert!(escaped.is_empty(), "{escaped:#?}");
    let heard = listener.query("select 1");
    assert!(leaks(&shown(&heard)).is_empty(), "{heard:?}");
    assert_eq!(stage.database.value("select count(*) from pg_class where relname = 'loot'"), "0");
}

#[test]
fn binary_and_extended_forms_show_nothing_either() {
    let stage = stage();
    let mut raw = Raw::open(&stage.tunnel);
    let mut escaped = Vec::new();
    for (index, statement) in CARRIERS.iter().filter(|text| !text.contains(';')).enumerate() {
        let mut batch = parse("", statement);
        batch.extend(bind("", "", &[], u8::from(index % 2 == 0)));
        batch.extend(execute("", 0));
        batch.extend(sync());
        raw.send(&batch);
        let replies = raw.until('Z');
        let text = shown(&replies);
        if !leaks(&text).is_empty() || text.contains("+44") || replies.last().is_none_or(|reply| reply.tag != 'Z') {
            escaped.push((statement, text));
            raw = Raw::open(&stage.tunnel);
        }
    }
    assert!(escaped.is_empty(), "{escaped:#?}");
    raw.send(&[parse("", "select phone from customers"), bind("", "", &[], 1), execute("", 0), sync()].concat());
    let replies = raw.until('Z');
    assert!(leaks(&shown(&replies)).is_empty(), "{replies:?}");
}

#[test]
fn errors_of_deferred_checks_and_of_other_tables_quote_nothing() {
    let stage = stage();
    stage.database.direct().run("insert into unique_later values (1, '+44 20 7946 0001');").success();
    for script in [
        "begin; insert into unique_later values (2, '+44 20 ' || '7946' || ' 0001'); commit;",
        "insert into phones_by_code select code, 'x' from unique_later;",
        "insert into unique_later select 3, code from unique_later;",
    ] {
        let outcome = stage.tunnel.psql().run(script);
        assert!(!outcome.status.success(), "{script}: {outcome:?}");
        assert!(!outcome.errors.contains("Key ("), "{script}: {outcome:?}");
    }
}

#[test]
fn recordings_and_reviewers_see_no_masked_constant() {
    let stage = stage();
    let secret = "+44 20 7946 0001";
    let mut psql = stage.tunnel.psql().going_on().start();
    psql.write(&format!(
        "select id from customers where phone = '{secret}';\nselekt id from customers where phone = '{secret}';\n\
         update customers set phone = '{secret}' whre id = 1;\nselect phone from customers where id = 1;\n\
         select id from customers where '{secret}' in (phone);\nselect id from customers where lower(phone) = lower('{secret}');\n\
         insert into customers (id, name, email, card, phone) values (77, 'x', 'y', 'z', '{secret}') on conflict do nothing;\n\
         delete from orders where id in (select id from customers where phone = '{secret}');\n"
    ));
    psql.close_input();
    let id = psql.expect("that it is held", |_, line| {
        let mut words = line.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
        words.find(|word| word.starts_with("apr_")).map(str::to_owned)
    });
    let bob = super::Person::login(&stage.gateway, "bob");
    let request = bob.run(&["approvals", "show", &id]).success();
    assert!(leaks(&request).is_empty(), "{request}");
    let listed = bob.json(&["approvals", "ls"]).to_string();
    assert!(leaks(&listed).is_empty(), "{listed}");
    bob.run(&["approvals", "deny", &id, "--reason", "no"]).success();
    psql.finish();
    let sessions = stage.alice.json(&["sessions", "ls"]).to_string();
    let mut shown = 0;
    for session in sessions.split('"').filter(|word| word.starts_with("ses_")) {
        let replay = stage.alice.run(&["replay", session, "--speed", "1000"]);
        assert!(leaks(&replay.output).is_empty(), "{replay:?}");
        shown += usize::from(replay.output.contains("customers"));
    }
    assert!(shown > 0, "no recording was replayed: {sessions}");
}

/// Ways to read what runs in another database of the server.
const OVERHEARING: &[&str] = &[
    "select query from pg_stat_activity",
    "select a from pg_stat_activity a",
    "select a.* from pg_catalog.pg_stat_activity a",
    "select upper(q) from (select query as q from pg_stat_activity) s",
    "select string_agg(query, ';') from pg_stat_activity",
    "select * from busy",
    "select harmless || '' from busier",
    "copy (select query from pg_stat_activity) to stdout",
    "select query::int from pg_stat_activity where query like '%phone%'",
    "select count(*) from pg_stat_activity where 1 / (case when query like '%7946%' then 0 else 1 end) > 0 and query::int = 1",
    "insert into kept select query from pg_stat_activity returning line",
    "select pg_notify('loot', query) from pg_stat_activity",
    "prepare loot as select query from pg_stat_activity; execute loot",
    "begin; declare c cursor for select query from pg_stat_activity; fetch all from c",
    "select pg_stat_get_backend_activity(i) from pg_stat_get_backend_idset() i",
    "select a from pg_stat_get_activity(null) a",
    "explain (analyze, verbose) select query from pg_stat_activity where query = (select max(query) from pg_stat_activity)",
];

/// A connection without tags, to another database of the same server with the same login: it shows what runs there, and
/// of the tagged database nothing.
#[test]
fn a_database_without_tags_does_not_tell_what_runs_in_one_with_tags() {
    let other = super::Cluster::shared().database();
    other
        .direct()
        .run(
            "create view busy as select query as harmless from pg_stat_activity; \
        create view busier as select harmless from busy; create table kept (line text primary key); \
        grant select on busy, busier to hoop_app; grant all on kept to hoop_app; insert into kept values ('here');",
        )
        .success();
    let stage = super::stage_with(|site| {
        let prod = std::fs::read_to_string(site.path().join("connections.toml")).expect("readable");
        let name =
            prod.split("database = \"").nth(1).and_then(|rest| rest.split('"').next()).expect("a name").to_owned();
        let side = prod.replace("\"pg-prod\"", "\"pg-side\"").replace(&name, &other.name);
        site.write("connections.toml", &format!("{prod}\n{side}"));
        site.policy("side", "permit(principal in Group::\"engineers\", action in [Action::\"connect\", Action::\"exec\"], \
            resource == Connection::\"pg-side\");\npermit(principal in Group::\"engineers\", action in Action::\"exec\", resource);")
    });
    let mut victim = stage.tunnel.psql().going_on().start();
    victim.write("select id as found from customers where phone = '+44 20 7946 0001';\n\\echo ran\n");
    victim.expect_line("ran");
    let side = Tunnel::open(&stage.alice, "pg-side");
    let direct = other.value(
        "select query from pg_stat_activity where query like '%customers where phone%' and pid <> pg_backend_pid()",
    );
    assert!(!leaks(&direct).is_empty(), "there is something to overhear: {direct}");
    let mut told = Vec::new();
    for statement in OVERHEARING {
        let outcome = side.psql().with(&["-q"]).run(&format!("{statement};\n"));
        let text = format!("{}{}", outcome.output, outcome.errors);
        if !leaks(&text).is_empty() || text.contains("+44") {
            told.push((statement, text));
        }
    }
    assert!(told.is_empty(), "{told:#?}");
    assert_eq!(other.value("select count(*) from kept"), "1");
    // What is none of the other database's stays as it is: errors in full, other columns, code.
    let plain = side.psql().going_on().run(
        "insert into kept values ('here');\nselect count(*) > 0 as counted, max(state) from pg_stat_activity;\n\
        do $$ begin perform 1; end $$;\n",
    );
    assert!(plain.errors.contains("Key (line)=(here) already exists"), "{plain:?}");
    assert!(plain.output.contains('t') && !plain.errors.contains("cannot be"), "{plain:?}");
    victim.finish();
}
