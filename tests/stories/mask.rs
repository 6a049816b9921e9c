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
    let outcome = stage.tunnel.psql().going_on().run("select upper(email) from customers;\nselect 'on';\n");
    assert!(outcome.errors.contains("42501"), "{outcome:?}");
    assert!(outcome.output.contains("on"), "{outcome:?}");
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
