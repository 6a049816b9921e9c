//! Tags proposed from a sample; masked values that a real server still takes for their type; pseudonyms and hashes.

use super::harness::{Cluster, Database, Gateway, Person, Site, Tunnel};

const ADMINISTRATORS: &str =
    "@id(\"dba-administers\") permit(principal in Group::\"dba\", action == Action::\"administer\", resource);";

fn staff(database: &Database) {
    database.value(
        "create table staff (id int, contact text, card_number text, ssn text, remark text, pin int);
         insert into staff select n, 'person' || n || '@example.com', '4111111111111111', '123-45-6789',
           'met on day ' || n, n from generate_series(1, 50) n;
         grant select on staff to public",
    );
}

#[test]
fn an_administrator_gets_tags_proposed_and_never_a_value() {
    let database = Cluster::shared().database();
    staff(&database);
    let gateway = Gateway::start(Site::new(&database).policy("administrators", ADMINISTRATORS));
    let bob = Person::login(&gateway, "bob");
    let said = bob.run(&["classify", "pg-prod"]);
    let diff = said.success();
    for line in ["+connection = \"pg-prod\"", "+tag = \"email\"", "+tag = \"us_ssn\"", "+tag = \"credit_card\""] {
        assert!(diff.contains(line), "{line}: {diff}");
    }
    assert!(diff.contains("\"public.staff.contact\", # found in 50 of 50 values"), "{diff}");
    assert!(!diff.contains("example.com") && !diff.contains("4111") && !diff.contains("6789"), "{diff}");
    assert!(!diff.contains("staff.remark") && !diff.contains("staff.pin"), "{diff}");
    // What is tagged already is left out.
    assert!(!diff.contains("customers.email"), "{diff}");
    let answer = bob.json(&["classify", "pg-prod"]);
    assert!(!answer.to_string().contains("example.com"), "{answer}");
    let alice = Person::login(&gateway, "alice");
    let refused = alice.run(&["classify", "pg-prod"]);
    assert_eq!(refused.code(), 3, "{refused:?}");
}

const TYPES: &[(&str, &str)] = &[
    ("text", "'Jane Doe'"),
    ("varchar(9)", "'Jane Doe'"),
    ("char(12)", "'Jane Doe'"),
    ("name", "'jane'"),
    ("label", "'Jane Doe'"),
    ("text[]", "'{\"Jane, Doe\",NULL,x}'"),
    ("varchar(9)[]", "'[0:1]={Jane,Doe}'"),
    ("label[]", "'{Jane,Doe}'"),
    ("json", "'{\"a\": [1, \"Jane\", true], \"b\": {\"c\": null}}'"),
    ("jsonb", "'{\"a\": [1, \"Jane\", true]}'"),
    ("xml", "'<a>Jane</a>'"),
    ("int4", "7"),
    ("int8", "7"),
    ("numeric(9,2)", "7.25"),
    ("float8", "7.5"),
    ("date", "'2026-11-21'"),
    ("timestamptz", "'2026-11-21 10:00+00'"),
    ("interval", "'1 day'"),
    ("uuid", "'550e8400-e29b-41d4-a716-446655440000'"),
    ("bytea", "'\\x4a616e65'"),
    ("inet", "'192.0.2.7'"),
    ("int4range", "'[1,7)'"),
    ("mood", "'happy'"),
    ("tsvector", "'Jane Doe'"),
    ("pair", "'(1,Jane)'"),
    ("int4[]", "'{1,2}'"),
    ("bool", "true"),
];

fn typed(database: &Database, function: &str) -> Tunnel {
    database.value("create type mood as enum ('happy'); create type pair as (a int, b text); create domain label as varchar(20) check (value <> '')");
    let columns: Vec<String> = TYPES.iter().enumerate().map(|(n, (kind, _))| format!("v{n} {kind}")).collect();
    let values: Vec<&str> = TYPES.iter().map(|(_, value)| *value).collect();
    let (columns, values) = (columns.join(", "), values.join(", "));
    database.value(&format!(
        "create table typed ({columns}); insert into typed values ({values}); grant select on typed to public"
    ));
    let site = Site::new(database);
    site.edit("policies/shop.cedar", "@mask(\"partial\")", &format!("@mask(\"{function}\")"));
    let masking = "\n[[column]]\nconnection = \"pg-prod\"\ncolumns = [\"public.typed.*\"]\ntag = \"pii\"\n";
    site.edit("masking.toml", "tag = \"credit_card\"\n", &format!("tag = \"credit_card\"\n{masking}"));
    let gateway = Box::leak(Box::new(Gateway::start(site)));
    Tunnel::open(&Person::login(gateway, "alice"), "pg-prod")
}

/// What is shown of each column, and that the server takes it for its type.
fn shown(database: &Database, tunnel: &Tunnel) -> Vec<String> {
    let direct = database.direct();
    let cell = |(n, (kind, _)): (usize, &(&str, &str))| {
        let value = tunnel.rows(&format!("select v{n} from typed")).trim_end_matches('\n').to_owned();
        if !value.is_empty() {
            // Domains and length limits are the column's word, not the type's: a mask may be longer than either.
            let kind = match *kind {
                "varchar(9)" | "label" | "char(12)" => "text",
                "varchar(9)[]" | "label[]" => "text[]",
                other => other,
            };
            let back = direct.run(&format!("select $mask${value}$mask$::{kind}"));
            assert_eq!(back.code(), 0, "{kind}: {value}: {back:?}");
        }
        assert!(!value.contains("Jane") && !value.contains("Doe"), "{kind}: {value}");
        value
    };
    TYPES.iter().enumerate().map(cell).collect()
}

#[test]
fn a_masked_value_of_any_type_is_a_value_of_it_or_null() {
    for (function, name) in [("redact", "[redacted]"), ("hash", "hash_"), ("pseudonym", "pseu_pii_")] {
        let database = Cluster::shared().database();
        let tunnel = typed(&database, function);
        let cells = shown(&database, &tunnel);
        assert!(cells[0].starts_with(name) && cells[3].starts_with(name), "{cells:?}");
        assert!(cells[5].contains(name) && cells[8].contains(name) && cells[9].contains(name), "{cells:?}");
        let is_uuid = cells[18].len() == 36;
        assert_eq!(is_uuid, function != "redact", "{cells:?}");
        for null in [11, 12, 13, 14, 15, 16, 17, 19, 20, 21, 22, 24, 25, 26] {
            assert_eq!(cells[null], "", "{:?}", TYPES[null]);
        }
        // The same value has the same token in another query, and the token finds what its value would.
        assert_eq!(tunnel.rows("select v0 from typed").trim_end(), cells[0]);
        if function == "pseudonym" {
            let found = tunnel.psql().run(&format!("select count(*) from typed where v0 = '{}'", cells[0]));
            assert_eq!((found.code(), found.output.trim()), (0, "1"), "{found:?}");
        }
    }
}

/// The most memory that a process had, in MiB.
fn peak_mebibytes(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the gateway runs");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
    line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok()).expect("a number") / 1024
}

#[test]
fn a_row_too_large_to_be_masked_is_neither_shown_nor_held() {
    let database = Cluster::shared().database();
    let gateway = Gateway::start(Site::new(&database));
    let tunnel = Tunnel::open(&Person::login(&gateway, "alice"), "pg-prod");
    let before = peak_mebibytes(gateway.pid());
    let outcome = tunnel.psql().run("select repeat('jane@example.com ', 8000000)");
    assert!(!outcome.output.contains("jane@"), "shown");
    assert_ne!(outcome.code(), 0);
    let grown = peak_mebibytes(gateway.pid()) - before;
    assert!(grown < 64, "{grown} MiB for a row of 136 MB");
    let masked = tunnel
        .rows("select length(replace(x, 'jane@', '')) > 0, x from (select repeat('jane@example.com ', 200000) x) y");
    assert!(!masked.contains("jane@") && masked.contains("j****@*****.com"), "a row of 3.4 MB is masked");
}
