//! Masked values do not leave the gateway, whichever way a statement asks for them.

use super::harness::{Cluster, Database, Gateway, Person, Site, Tunnel};

/// What is in the sample and personal.
const SECRETS: [&str; 6] = [
    "ada@example.com",
    "grace@example.org",
    "alan@example.net",
    "4111111111111111",
    "5555555555554444",
    "378282246310005",
];

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

fn leaks(text: &str) -> Vec<&'static str> {
    SECRETS.into_iter().filter(|secret| text.contains(secret)).collect()
}

#[test]
fn tagged_columns_are_masked_and_the_rest_is_not() {
    let stage = stage();
    let rows = stage.tunnel.rows("select id, name, email, card from customers order by id limit 3");
    assert!(leaks(&rows).is_empty(), "{rows}");
    assert!(rows.contains("Ada Lovelace") && rows.contains("Grace Hopper"), "{rows}");
    assert_eq!(rows.lines().count(), 3);
}

#[test]
fn aliases_joins_and_subqueries_are_masked_or_refused() {
    let stage = stage();
    for statement in [
        "select email as harmless from customers order by id limit 3",
        "select c.* from customers c order by id limit 3",
        "select * from customers order by id limit 3",
        "table customers",
        "select c.email, o.total from orders o join customers c on c.id = o.customer_id",
        "select harmless from (select email as harmless from customers) inner_one",
        "with w(a) as (select email from customers) select a from w",
        "select email from customers union select card from customers",
        "select email from customer_contacts",
        "values ((select email from customers where id = 1))",
    ] {
        let outcome = stage.tunnel.psql().with(&["-c", statement]).run("");
        assert!(leaks(&outcome.output).is_empty() && leaks(&outcome.errors).is_empty(), "{statement}: {outcome:?}");
    }
}

#[test]
fn what_cannot_be_masked_is_refused_and_shows_nothing() {
    let stage = stage();
    for statement in [
        "copy customers to stdout",
        "copy (select email from customers) to stdout",
        "select upper(email) from customers",
        "select email || '' from customers",
        "select substr(email, 1, 30) from customers",
        "select reverse(card) from customers",
        "select row_to_json(c) from customers c",
        "select c from customers c",
        "select c::text from customers c",
        "select array_agg(email) from customers",
        "select string_agg(card, ',') from customers",
        "select min(email) from customers",
        "select customer_email(1)",
        "select email::int from customers",
        "select cast(card as date) from customers",
        "select encode(email::bytea, 'hex') from customers",
        "select jsonb_build_object('a', email) from customers",
        "select id from customers where email like 'ada%' and 1 / (id - 1) > 0",
        "begin; declare c cursor for select email from customers; fetch all from c",
        "insert into audit_trail (what) select email from customers returning what",
        "update customers set note = email where id = 1 returning note",
        "select set_config('my.loot', email, false) from customers",
        "select pg_notify('loot', email) from customers",
        "create temp table loot as select email from customers",
    ] {
        let outcome = stage.tunnel.psql().with(&["-c", statement]).run("");
        assert!(leaks(&outcome.output).is_empty() && leaks(&outcome.errors).is_empty(), "{statement}: {outcome:?}");
        let reversed = outcome.output.contains("moc.elpmaxe") || outcome.output.contains("1111111111111114");
        assert!(!reversed && !outcome.output.contains("616461406578"), "{statement}: {outcome:?}");
    }
    assert_eq!(stage.database.value("select count(*) from audit_trail"), "0", "laundered into another table");
    assert_eq!(stage.database.value("select coalesce(note, '') from customers where id = 1"), "prefers letters");
}

#[test]
fn the_session_is_usable_after_an_unmaskable_statement() {
    let stage = stage();
    let outcome =
        stage.tunnel.psql().going_on().run("create table loot as select email from customers;\nselect 'on';\n");
    assert!(outcome.errors.contains("42501"), "{outcome:?}");
    assert!(outcome.output.contains("on"), "{outcome:?}");
}

#[test]
fn expressions_views_copies_and_cursors_are_masked_and_their_neighbours_are_not() {
    let stage = stage();
    for (statement, shown, hidden) in [
        ("select id, upper(email) from customers where id = 1", "1|[redacted]", "ADA@"),
        ("select name || ' <' || email || '>', name from customers where id = 1", "[redacted]|Ada Lovelace", "ada@"),
        ("select count(*), count(email), max(email) from customers", "50|50|[redacted]", "@"),
        ("select c, c.name from customers c where id = 1", "|Ada Lovelace", "ada@"),
        ("select name, email from customer_contacts where id = 1", "Ada Lovelace|a****@*****.com", "ada@"),
        (
            "select name from customers where id = 1 union all select status from orders where id = 1",
            "Ada Lovelace",
            "@",
        ),
        (
            "with q as (select id, email as e from customers) select id, e from q where id = 1",
            "1|a****@*****.com",
            "ada@",
        ),
        (
            "copy (select id, email, upper(email), name from customers where id = 1) to stdout",
            "1\ta****@*****.com\t\\N\tAda Lovelace",
            "ada@",
        ),
        (
            "copy (select id, email from customers where id = 1) to stdout with csv header",
            "id,email\n1,a****@*****.com",
            "ada@",
        ),
        (
            "begin; declare c cursor for select name, email from customers order by id; fetch 1 from c",
            "Ada Lovelace|a****@*****.com",
            "ada@",
        ),
        ("update customers set name = 'Ada' where id = 1 returning name, email", "Ada|a****@*****.com", "ada@"),
        ("select o.id from orders o join customers c on c.id = o.customer_id where c.email = 'nobody'", "", "@"),
    ] {
        let outcome = stage.tunnel.psql().with(&["-A", "-t", "-c", statement]).run("");
        assert!(outcome.status.success(), "{statement}: {outcome:?}");
        assert!(outcome.output.contains(shown) && !outcome.output.contains(hidden), "{statement}: {outcome:?}");
    }
}

#[test]
fn detectors_find_addresses_and_cards_in_untagged_text() {
    let stage = stage();
    let rows = stage.tunnel.rows("select note from customers where id = 2");
    assert!(!rows.contains("grace.h@example.net") && rows.contains("first"), "{rows}");
    let rows = stage.tunnel.rows("select 'card 4111 1111 1111 1111 and 4111 1111 1111 1112'");
    assert!(!rows.contains("4111 1111 1111 1111"), "{rows}");
    assert!(rows.contains("4111 1111 1111 1112"), "Luhn tells the second apart: {rows}");
}

#[test]
fn error_messages_do_not_carry_values() {
    let stage = stage();
    let outcome =
        stage.tunnel.psql().with(&["-c", "insert into customers values (1, 'x', 'ada@example.com', '1')"]).run("");
    assert!(!outcome.status.success(), "{outcome:?}");
    let duplicate = stage.tunnel.psql().with(&["-c", "update customers set id = 1 where id = 2"]).run("");
    assert!(leaks(&duplicate.errors).is_empty(), "{duplicate:?}");
}

#[test]
fn binary_results_of_tagged_columns_are_masked_like_text() {
    let stage = stage();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (port, database) = (stage.tunnel.port, &stage.tunnel.database);
    runtime.block_on(async {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(port).user("x").dbname(database);
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.expect("connected");
        let connection = tokio::spawn(connection);
        let rows = client.query("select email from customers order by id", &[]).await.expect("masked, not refused");
        assert!(!rows.is_empty());
        for row in rows {
            let shown = row.get::<_, Option<String>>(0).unwrap_or_default();
            assert!(leaks(&shown).is_empty(), "{shown}");
        }
        let rows = client.query("select id from orders where id = $1", &[&7_i32]).await.expect("the session goes on");
        assert_eq!(rows.len(), 1);
        drop(client);
        connection.await.expect("joined").expect("ended well");
    });
}
