//! What reviewers and the waiting client are shown of a held statement: never a tagged value, however it was written
//! into the statement or its parameters.

use super::{
    super::harness::{Cluster, Gateway, Person, Site, Tunnel, Wire, frame, query},
    stage,
};

/// Pieces of the values that the statements below hold, in the dresses in which they could be shown.
const NEEDLES: [&str; 13] = [
    "ada@example",
    "ADA@EXAMPLE",
    "6164614065786d706c65", // without a letter
    "616461406578616d706c65",
    "YWRhQGV4YW1wbGUu",
    "elpmaxe@ada",
    "4111111111111111",
    "4111 1111 1111 1111",
    "411111111111",
    "7946 0001",
    "79460001",
    "ada\\x40example",
    "ada\\0040example",
];

/// A statement that is held, and its parameters: as text, or as bytes of a type.
struct Asked {
    text: &'static str,
    parameters: Vec<(u32, u8, Vec<u8>)>,
}

fn plain(text: &'static str) -> Asked {
    Asked { text, parameters: Vec::new() }
}

fn with(text: &'static str, oid: u32, format: u8, value: &[u8]) -> Asked {
    Asked { text, parameters: vec![(oid, format, value.to_vec())] }
}

/// A binary array of one text.
fn array_of(value: &[u8]) -> Vec<u8> {
    let length = u32::try_from(value.len()).expect("short").to_be_bytes();
    [[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 25, 0, 0, 0, 1, 0, 0, 0, 1].as_slice(), &length, value].concat()
}

fn statements() -> Vec<Asked> {
    let email = b"ada@example.com".as_slice();
    let card: i64 = 4_111_111_111_111_111;
    vec![
        plain("delete from customers where email = 'ada@example.com'"),
        plain("delete from customers where lower(email) in ('ada@example.com', 'x')"),
        plain("delete from customers where email = $q$ada@example.com$q$"),
        plain("delete from customers where email = E'ada\\x40example.com'"),
        plain("delete from customers where email = U&'ada\\0040example.com'"),
        plain("delete from customers where email = 'ada@'\n'example.com'"),
        plain("delete from customers where email = 'ada' || '@example' || '.com'"),
        plain("delete from customers where email like 'ada@example%' or card = '4111111111111111'"),
        plain("delete from customers where card::numeric = 4111111111111111"),
        plain("delete from customers where 4111111111111111 = card::numeric"),
        plain("delete from orders where id = 7 and E'ada\\x40example.com' <> ''"),
        plain("delete from orders where id = 7 and U&'ada\\0040example.com' <> ''"),
        plain("delete from orders where id = 7 and 'ada@'\n'example.com' <> ''"),
        plain("delete from orders where id = 7 and '\\x616461406578616d706c652e636f6d'::bytea <> ''"),
        plain("delete from customers where (email, id) = ('ada@example.com', 1)"),
        plain("delete from customers where email = any('{ada@example.com}')"),
        plain("delete from customers where email = any(array['x', 'ada@example.com'])"),
        plain("delete from customers where id = 1 and email between 'ada@example.com' and 'z'"),
        plain("delete from orders where id = 7 and 'ada@example.com' <> ''"),
        plain("delete from orders where id = 7 and status <> 'for ada@example.com and 4111 1111 1111 1111'"),
        plain("/* for ada@example.com */ delete from orders where id = 7 -- 4111111111111111"),
        plain("delete from orders as \"ada@example.com\" where id = 7"),
        plain("delete from orders where id = 7 returning 'ada@example.com' as \"4111111111111111\""),
        plain(
            "with new as (insert into customers (id, name, email, card) values (901, 'x', 'ada@example.com', \
               '4111111111111111') returning id) delete from orders where id = 7",
        ),
        plain(
            "with one as (update customers set email = 'ada@example.com' where id = 1 returning id) \
               delete from orders where id = 7",
        ),
        plain("delete from orders where id = 7 and jsonb '{\"to\": \"ada@example.com\"}' is not null"),
        plain("prepare w as delete from customers where email = 'ada@example.com'; execute w"),
        plain("prepare w (text) as delete from customers where email = $1; execute w ('ada@example.com')"),
        plain("explain analyze delete from customers where email = 'ada@example.com'"),
        plain("copy (delete from customers where email = 'ada@example.com' returning id) to stdout"),
        with("delete from customers where email = $1", 0, 0, email),
        with("delete from customers where email = $1", 25, 1, email),
        with("delete from customers where email = any($1)", 0, 0, b"{ada@example.com}"),
        with("delete from customers where email = any($1)", 1009, 1, &array_of(email)),
        with("delete from customers where card = $1::text", 25, 1, b"4111111111111111"),
        with("delete from customers where card::int8 = $1", 20, 1, &card.to_be_bytes()),
        with("delete from customers where card::numeric = $1", 1700, 0, b"4111111111111111"),
        with(
            "delete from customers where card::numeric = $1",
            1700,
            1,
            &[0, 4, 0, 3, 0, 0, 0, 0, 0x10, 0x0F, 0x04, 0x57, 0x04, 0x57, 0x04, 0x57],
        ),
        with("delete from orders where id = 7 and $1::text <> ''", 25, 1, b"write to ada@example.com"),
        with(
            "delete from orders where id = 7 and $1::jsonb is not null",
            3802,
            1,
            b"\x01{\"to\": \"ada@example.com\"}",
        ),
        with("delete from orders where id = 7 and $1::bytea <> ''", 17, 1, email),
        with("delete from orders where id = 7 and $1::bytea <> ''", 0, 0, b"\\x616461406578616d706c652e636f6d"),
        with("delete from orders where id = 7 and $1::int8 > 0", 20, 1, &card.to_be_bytes()),
    ]
}

fn messages(asked: &Asked) -> Vec<u8> {
    if asked.parameters.is_empty() {
        return query(asked.text);
    }
    let count = u16::try_from(asked.parameters.len()).expect("few").to_be_bytes();
    let mut parse = [b"\0", asked.text.as_bytes(), b"\0", &count].concat();
    let mut bind = [b"\0\0".as_slice(), &count].concat();
    for (oid, format, _) in &asked.parameters {
        parse.extend(oid.to_be_bytes());
        bind.extend([0, *format]);
    }
    bind.extend(count);
    for (_, _, value) in &asked.parameters {
        bind.extend(u32::try_from(value.len()).expect("short").to_be_bytes());
        bind.extend(value);
    }
    bind.extend([0, 0]);
    [frame(b'P', &parse), frame(b'B', &bind), frame(b'E', b"\0\0\0\0\0"), frame(b'S', b"")].concat()
}

fn told(text: &str) -> Vec<&'static str> {
    let lower = text.to_lowercase();
    NEEDLES.into_iter().filter(|needle| text.contains(needle) || lower.contains(&needle.to_lowercase())).collect()
}

/// What everybody is shown of each statement while it is held.
fn shown(tunnel: &Tunnel, reviewer: &Person) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut look = |asked: &Asked, place: &str, text: &str| {
        let told = told(text);
        if !told.is_empty() {
            wrong.push(format!("{place} shows {told:?} of {} {:?}\n    {text}", asked.text, asked.parameters));
        }
    };
    for asked in statements() {
        let mut wire = Wire::to_port(tunnel.port, "anyone", &tunnel.database);
        wire.start(&[]);
        let from = wire.replies.len();
        wire.send(&messages(&asked));
        wire.until(b'Z');
        let replies: Vec<_> = wire.replies.iter().skip(from).collect();
        let said = format!("{replies:?}");
        let id = said.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
        let id = id.into_iter().find(|word| word.starts_with("apr_"));
        let Some(id) = id.map(str::to_owned) else {
            // What cannot be masked is refused instead; that shows nothing either.
            assert!(said.contains("42501") || said.contains("42883"), "{}: {said}", asked.text);
            look(&asked, "the refusal", &said);
            continue;
        };
        look(&asked, "the notice", &said);
        for words in [
            &["approvals", "ls"][..],
            &["approvals", "ls", "--output", "json"],
            &["approvals", "show", &id],
            &["approvals", "show", &id, "--output", "json"],
        ] {
            let outcome = reviewer.run(words);
            assert!(outcome.status.success() && outcome.output.contains(&id), "{outcome:?}");
            look(&asked, &words.join(" "), &format!("{}{}", outcome.output, outcome.errors));
        }
        let denied = reviewer.run(&["approvals", "deny", &id, "--reason", "only looking"]);
        look(&asked, "the denial", &format!("{}{}", denied.output, denied.errors));
    }
    wrong
}

#[test]
fn reviewers_and_the_waiting_client_never_see_a_tagged_value() {
    let database = Cluster::shared().database();
    let mut gateway = Gateway::start(Site::new(&database));
    let [alice, bob] = ["alice", "bob"].map(|name| Person::login(&gateway, name));
    let watch = bob.start(&["approvals", "watch", "--output", "jsonl"]);
    let wrong = shown(&Tunnel::open(&alice, "pg-prod"), &bob);
    assert!(wrong.is_empty(), "{} are shown:\n{}", wrong.len(), wrong.join("\n"));
    watch.signal(nix::sys::signal::Signal::SIGINT);
    let watched = watch.finish();
    assert!(told(&watched.output).is_empty(), "{:?} in what is watched", told(&watched.output));
    let said = gateway.said();
    assert!(told(&said).is_empty(), "{:?} in the gateway's log", told(&said));
    assert_eq!(database.value("select count(*) from orders"), "200");
    gateway.stop();
}

#[test]
fn a_tag_without_detectors_hides_what_belongs_to_its_column() {
    let stage = stage();
    let bob = Person::login(&stage.gateway, "bob");
    let mut seen = 0;
    for text in [
        "delete from customers where phone = '+44 20 7946 0001'",
        "delete from customers where '+44 20 7946 0001' = phone",
    ] {
        let mut wire = Wire::to_port(stage.tunnel.port, "anyone", &stage.tunnel.database);
        wire.start(&[]);
        wire.send(&query(text));
        wire.until(b'Z');
        let listed = bob.run(&["approvals", "ls", "--output", "json"]).success();
        assert!(listed.contains("delete from customers") && told(&listed).is_empty(), "{listed}");
        seen += 1;
    }
    assert_eq!(seen, 2);
}
