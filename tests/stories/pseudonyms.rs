//! Pseudonyms: somebody who may not see a value works with its token: filters, joins by hand, changes and deletes by it.
//! Nowhere does the value itself come to light: not in rows, errors, the server's own views, the record or a request.

use std::collections::BTreeMap;

use super::harness::{Cluster, Database, Gateway, Person, Site, Stream, Tunnel, python_with};

/// A name that no detector knows, with a quote in it.
const NAME: &str = "Zoë O'Hara-Quillfeather";

struct Stage {
    database: Database,
    gateway: Gateway,
    alice: Person,
    tunnel: Tunnel,
    token: String,
}

fn stage() -> Stage {
    let database = Cluster::shared().database();
    let quoted = NAME.replace('\'', "''");
    database.value(&format!(
        "insert into customers (id, name, email, card) values (9001, '{quoted}', 'zoe@example.com', '4111111111111111')"
    ));
    let site = Site::new(&database);
    let column = "\n[[column]]\nconnection = \"pg-prod\"\ncolumns = [\"public.customers.name\"]\ntag = \"person\"\n";
    site.edit("masking.toml", "tag = \"credit_card\"\n", &format!("tag = \"credit_card\"\n{column}"));
    let policy = "@id(\"names-are-tokens\")\n@mask(\"pseudonym\")\nforbid(principal, action == Action::\"reveal\", resource == Tag::\"person\");\n\n@id(\"dba-reviews\")";
    site.edit("policies/shop.cedar", "@id(\"dba-reviews\")", policy);
    let gateway = Gateway::start(site);
    let alice = Person::login(&gateway, "alice");
    let tunnel = Tunnel::open(&alice, "pg-prod");
    let token = tunnel.rows("select name from customers where id = 9001").trim().to_owned();
    assert!(token.starts_with("pseu_person_") && !token.contains("Zo"), "{token}");
    Stage { database, gateway, alice, tunnel, token }
}

fn shows_nothing(text: &str) {
    assert!(!text.contains("Quillfeather") && !text.contains("Zoë"), "{text}");
}

#[test]
fn a_token_finds_and_changes_what_its_value_would() {
    let Stage { database, tunnel, token, gateway: _gateway, alice: _alice } = stage();
    assert_eq!(tunnel.rows(&format!("select id from customers where name = '{token}'")).trim(), "9001");
    assert_eq!(tunnel.rows(&format!("select name from customers where name in ('x', '{token}')")).trim(), token);
    tunnel.rows(&format!("update customers set name = '{token}' where id = 1"));
    assert_eq!(database.value("select count(*) from customers where name like '%Quillfeather'"), "2");
    for text in [
        "select 'TOKEN'",
        "select id from customers where email = 'TOKEN'",
        "update customers set note = 'TOKEN' where id = 1",
    ] {
        let outcome = tunnel.psql().run(&text.replace("TOKEN", &token));
        assert!(outcome.errors.contains("a pseudonym is not turned back"), "{outcome:?}");
    }
    assert_eq!(database.value("select count(*) from customers where note like '%Quill%' or note like 'pseu%'"), "0");
}

#[test]
fn the_value_is_nowhere_to_be_seen() {
    let Stage { alice, tunnel, token, gateway, database: _database } = stage();
    let psql = tunnel.psql().going_on().with(&["-e"]);
    let script = format!(
        "select id from customers where name = '{token}';\n\
         select query from pg_stat_activity;\n\
         select current_query() from customers where name = '{token}';\n\
         explain select id from customers where name = '{token}';\n\
         select 1 / (id - id) from customers where name = '{token}';\n\
         select nothing from customers where name = '{token}' and id = nobody;\n\
         insert into customers (id, name, email, card) values (9001, '{token}', '', '');\n"
    );
    let outcome = psql.run(&script);
    shows_nothing(&outcome.output);
    shows_nothing(&outcome.errors);
    let sessions = alice.json(&["sessions", "ls"]);
    let sessions = sessions["sessions"].as_array().expect("a list");
    let mut told = 0;
    for session in sessions {
        let id = session["id"].as_str().expect("an id");
        let replayed = alice.run(&["replay", id, "--speed", "0"]).success();
        shows_nothing(&replayed);
        told += replayed.matches(&token).count();
    }
    assert!(told > 2, "the record keeps the token");
    for file in files(&gateway.site().data()) {
        let bytes = std::fs::read(&file).expect("a file of the gateway");
        let found = bytes.windows(12).any(|window| window == b"Quillfeather");
        assert!(!found, "{} holds the value", file.display());
    }
}

/// Every file below a folder.
fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder of the gateway").flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn a_reviewer_sees_the_token_and_what_runs_is_the_value() {
    let Stage { database, gateway, tunnel, token, alice: _alice } = stage();
    let bob = Person::login(&gateway, "bob");
    let mut waiting = tunnel.psql().start();
    waiting.write(&format!("delete from customers where name = '{token}' and id = 9001;\n"));
    waiting.close_input();
    let id = waiting.expect("that it is held", |stream, line| {
        let mut words = line.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
        words.find(|word| word.starts_with("apr_") && stream == Stream::Errors).map(str::to_owned)
    });
    let shown = bob.run(&["approvals", "show", &id, "--output", "json"]).success();
    assert!(shown.contains(&token), "{shown}");
    shows_nothing(&shown);
    assert_eq!(bob.run(&["approvals", "approve", &id]).code(), 0);
    let outcome = waiting.finish();
    assert_eq!(outcome.code(), 0, "{outcome:?}");
    assert_eq!(database.value("select count(*) from customers where id = 9001"), "0");
}

#[test]
fn parameters_carry_tokens_too() {
    let Stage { database, tunnel, token, gateway: _gateway, alice: _alice } = stage();
    let port = tunnel.port.to_string();
    let facts = BTreeMap::from([
        ("STORY_HOST", "127.0.0.1"),
        ("STORY_PORT", port.as_str()),
        ("STORY_DATABASE", tunnel.database.as_str()),
        ("STORY_TOKEN", token.as_str()),
    ]);
    let outcome = python_with("pseudonyms.py", &facts.into_iter().collect::<Vec<_>>());
    shows_nothing(&outcome.output);
    shows_nothing(&outcome.errors);
    outcome.success();
    assert_eq!(database.value("select count(*) from customers where name like '%Quillfeather' and id in (2, 3)"), "2");
}
