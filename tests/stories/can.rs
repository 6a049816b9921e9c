//! `hoop can`: what would become of a statement, without any of it.

use super::harness::{Cluster, Database, Gateway, Person, Site};

struct Stage {
    database: Database,
    gateway: Gateway,
    alice: Person,
}

fn stage() -> Stage {
    let database = Cluster::shared().database();
    let gateway = Gateway::start(Site::new(&database));
    let alice = Person::login(&gateway, "alice");
    Stage { database, gateway, alice }
}

#[test]
fn it_says_what_would_happen_by_its_status_and_nothing_happens() {
    let stage = stage();
    let cases = [
        ("select count(*) from orders", 0, "yes, it would run"),
        ("delete from orders where id = 7", 8, "1 of group dba"),
        ("drop table orders", 3, "nothing-is-dropped"),
        ("delete from orders", 3, "where-is-needed"),
        ("selekt 1", 2, "at character 1"),
        ("insert into audit_trail (what) values ('checked'); drop table customers", 3, "statement 2"),
        ("select setval('audit_trail_id_seq', 4711)", 0, "yes, it would run"),
    ];
    for (text, status, part) in cases {
        let outcome = stage.alice.run(&["can", "pg-prod", text]);
        assert_eq!(outcome.code(), status, "{text}: {outcome:?}");
        assert!(outcome.output.contains(part), "{text}: {outcome:?}");
    }
    assert_eq!(stage.database.value("select count(*) from orders"), "200");
    assert_eq!(stage.database.value("select count(*) from audit_trail"), "0");
    assert_eq!(stage.database.value("select last_value from audit_trail_id_seq"), "1");
    let bob = Person::login(&stage.gateway, "bob");
    let asked = bob.json(&["approvals", "ls", "--all"]);
    assert_eq!(asked["approvals"].as_array().map(Vec::len), Some(0), "nobody was asked: {asked}");
    let sessions = stage.alice.json(&["sessions", "ls"]);
    assert_eq!(sessions["sessions"].as_array().map(Vec::len), Some(0), "no session was opened: {sessions}");
}

#[test]
fn it_says_which_columns_would_be_masked_and_how() {
    let stage = stage();
    let answer = stage.alice.json(&["can", "pg-prod", "select id, email as contact, upper(card) from customers"]);
    let check = &answer["check"];
    let masked: Vec<(&str, &str, &str)> = check["masked"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|one| Some((one["column"].as_str()?, one["class"].as_str()?, one["mask"].as_str()?)))
        .collect();
    assert_eq!(
        masked,
        [("public.customers.email", "email", "partial"), ("column 3 of the result", "credit_card", "concealed")],
        "{answer}"
    );
    assert_eq!(
        (check["decision"].as_str(), check["operations"][0]["objects"][0].as_str()),
        (Some("permit"), Some("public.customers"))
    );
}

#[test]
fn an_estimate_comes_only_when_asked_and_never_of_who_has_a_masked_value() {
    let stage = stage();
    stage.database.direct().run("analyze").success();
    let rows = |arguments: &[&str]| stage.alice.json(arguments)["check"]["operations"][0]["estimated_rows"].clone();
    assert!(rows(&["can", "pg-prod", "select * from orders"]).is_null());
    assert_eq!(rows(&["can", "pg-prod", "--estimate", "select * from orders"]), 200);
    let oracle = "select id from customers where email = 'ada@example.com'";
    let answer = stage.alice.json(&["can", "pg-prod", "--estimate", oracle]);
    assert!(answer["check"]["operations"][0]["estimated_rows"].is_null(), "{answer}");
    assert!(answer["check"]["estimate_note"].as_str().is_some_and(|note| note.contains("masked")), "{answer}");
    let code = "select * from orders where id = order_count()";
    let asked = stage.alice.run(&["can", "pg-prod", "--estimate", code, "--output", "json"]).output;
    let answer: serde_json::Value = serde_json::from_str(&asked).expect("an answer");
    assert!(answer["check"]["operations"][0]["estimated_rows"].is_null(), "planning it could run it: {answer}");
}

#[test]
fn who_may_not_connect_learns_nothing_and_every_question_is_on_record() {
    let stage = stage();
    let carol = Person::login(&stage.gateway, "carol");
    let refused = carol.run(&["can", "pg-prod", "select * from orders"]);
    assert_eq!(refused.code(), 3, "{refused:?}");
    assert!(!refused.output.contains("public.orders"), "{refused:?}");
    assert_eq!(stage.alice.run(&["can", "nowhere", "select 1"]).code(), 1);
    let secret = "alter role hoop_app password 'very-secret-9'";
    assert_eq!(stage.alice.run(&["can", "pg-prod", secret]).code(), 3);
    let folder = stage.gateway.site().data().join("recordings");
    let logs: String = std::fs::read_dir(folder)
        .expect("readable")
        .filter_map(Result::ok)
        .map(|entry| String::from_utf8_lossy(&std::fs::read(entry.path()).expect("readable")).into_owned())
        .collect();
    assert!(logs.contains("\"kind\":\"checked\"") && logs.contains("\"refuse\""));
    assert!(logs.contains("check on pg-prod"), "carol's attempt is on record");
    assert!(!logs.contains("very-secret-9"), "the text of a question is not kept");
}

#[test]
fn a_name_in_the_text_itself_is_read_through() {
    let stage = stage();
    let hidden = "prepare p as delete from orders where id = 7; execute p";
    let outcome = stage.alice.run(&["can", "pg-prod", hidden]);
    assert_ne!(outcome.code(), 0, "a DELETE behind a name is no less a DELETE: {outcome:?}");
    assert!(outcome.output.contains("delete"), "{outcome:?}");
    let unknown = stage.alice.run(&["can", "pg-prod", "execute nobody_prepared_this"]);
    assert_ne!(unknown.code(), 0, "{unknown:?}");
}
