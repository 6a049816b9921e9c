//! Old sessions: found by what was said in them, and played on a real terminal, which nothing recorded can touch.

use super::harness::{Cluster, Gateway, Person, Screen, Site, Tunnel};

struct Stage {
    _gateway: Gateway,
    alice: Person,
    carol: Person,
    session: String,
}

/// A session of alice's with a masked result, a refusal, and escape sequences in a statement.
fn stage() -> Stage {
    let database = Cluster::shared().database();
    let gateway = Gateway::start(Site::new(&database));
    let (alice, carol) = (Person::login(&gateway, "alice"), Person::login(&gateway, "carol"));
    let tunnel = Tunnel::open(&alice, "pg-prod");
    let script = "select email from customers order by id limit 2;\ndrop table orders;\n\
                  select '\u{1b}]2;taken over\u{7}\u{1b}[2J' as loud;\n\
                  select count(*) from customers where email = 'ada@example.com';\n";
    tunnel.psql().going_on().run(script);
    drop(tunnel);
    let session = sessions(&alice, &[]).into_iter().next().expect("a session");
    Stage { _gateway: gateway, alice, carol, session }
}

/// The sessions that a search finds.
fn sessions(person: &Person, arguments: &[&str]) -> Vec<String> {
    let all: Vec<&str> = ["sessions", "ls", "--output", "jsonl"].into_iter().chain(arguments.iter().copied()).collect();
    let listed = person.run(&all).success();
    let id = |line: &str| {
        let item: serde_json::Value = serde_json::from_str(line).expect("JSON");
        item.get("id").and_then(serde_json::Value::as_str).expect("an id").to_owned()
    };
    listed.lines().map(id).collect()
}

#[test]
fn a_session_is_played_on_a_terminal_and_left_in_order() {
    let stage = stage();
    let screen = Screen::open(&stage.alice.command(&["replay", &stage.session]), 120, 30);
    screen.expect(&["alice", "operations", "? keys"]);
    screen.press(&["g", "r"]);
    screen.expect(&["drop table orders", "✗ refused", "nothing-is-dropped", "tables are neither dropped nor emptied"]);
    screen.press(&["M"]);
    let masked = screen.expect(&["▒ masked", "email"]);
    assert!(!masked.contains("ada@example.com"), "{masked}");
    screen.press(&["g", "/"]);
    screen.write("taken over");
    screen.press(&["Enter"]);
    screen.expect(&["/taken over", "␛]2;taken over␇"]);
    assert!(!screen.title().contains("taken over"), "the recording reached the terminal: {}", screen.title());
    screen.press(&["?"]);
    screen.expect(&["play or pause"]);
    screen.press(&["?", "G"]);
    screen.expect(&["■"]);
    screen.press(&["q"]);
    assert_eq!(screen.status(), 0);
}

#[test]
fn a_session_is_played_in_ascii_and_without_colour_where_that_is_asked() {
    let stage = stage();
    let mut command = stage.carol.command(&["replay", &stage.session, "--at", "2", "--theme", "high-contrast"]);
    let screen = Screen::open(command.env("HOOP_ASCII", "1").env("NO_COLOR", "1"), 80, 24);
    screen.expect(&["operations", "? keys"]);
    screen.press(&["g", "r"]);
    let text = screen.expect(&["x refused", "drop table orders", "+-"]);
    assert!(text.is_ascii(), "{text}");
    screen.press(&["C-c"]);
    assert_eq!(screen.status(), 130);
}

#[test]
fn a_session_is_found_by_what_was_said_decided_and_when_but_not_by_what_is_sealed() {
    let stage = stage();
    let mine = std::slice::from_ref(&stage.session);
    for person in [&stage.alice, &stage.carol] {
        assert_eq!(sessions(person, &["--text", "DROP table  orders", "--decision", "refused", "--since", "1h"]), mine);
        assert_eq!(sessions(person, &["--who", "ali", "--connection", "pg-prod", "--decision", "masked"]), mine);
        assert_eq!(sessions(person, &["--text", "from customers where email"]), mine);
        assert!(sessions(person, &["--text", "ada@example.com"]).is_empty(), "a sealed value was found");
        assert!(sessions(person, &["--text", "ada@"]).is_empty(), "a sealed value was found by its beginning");
        assert!(sessions(person, &["--decision", "held"]).is_empty());
        assert!(sessions(person, &["--until", "2020-01-01"]).is_empty());
    }
    let malformed = stage.alice.run(&["sessions", "ls", "--since", "soon"]);
    assert_eq!(malformed.code(), 2, "{malformed:?}");
}
