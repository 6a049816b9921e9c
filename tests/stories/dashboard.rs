//! The dashboard in a real terminal: one person's statement is held, another approves it with two keys, it goes on.

use super::harness::{Cluster, Database, Gateway, Person, Program, Site, Stream, Tmux, Tunnel};

struct Stage {
    database: Database,
    gateway: Gateway,
    bob: Person,
    tunnel: Tunnel,
    _alice: Person,
}

fn stage() -> Stage {
    let database = Cluster::shared().database();
    let gateway = Gateway::start(Site::new(&database));
    let (alice, bob) = (Person::login(&gateway, "alice"), Person::login(&gateway, "bob"));
    let tunnel = Tunnel::open(&alice, "pg-prod");
    Stage { database, gateway, bob, tunnel, _alice: alice }
}

impl Stage {
    /// Alice's statement, held; and the id of its request.
    fn held(&self, statement: &str) -> (Program, String) {
        let mut psql = self.tunnel.psql().going_on().start();
        psql.write(&format!("{statement}\n"));
        psql.close_input();
        let id = psql.expect("that it is held", |stream, line| {
            let mut words = line.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
            words.find(|word| word.starts_with("apr_") && stream == Stream::Errors).map(str::to_owned)
        });
        (psql, id)
    }

    fn dashboard(&self, size: (u16, u16)) -> Tmux {
        Tmux::start(&self.bob.command(&["dashboard"]), size)
    }

    fn count(&self) -> String {
        self.database.value("select count(*) from orders")
    }
}

#[test]
fn two_keys_let_the_statement_of_somebody_else_go_on() {
    let stage = stage();
    let screen = stage.dashboard((80, 24));
    screen.expect("Nothing waits for approval");
    let (psql, id) = stage.held("delete from orders where id = 7;");
    let shown = screen.expect("delete from orders where id = 7");
    assert!(shown.contains("alice") && shown.contains("pg-prod") && shown.contains("1 pending"), "{shown}");
    screen.press(&["a"]);
    screen.expect(&format!("approve {id}?  y approves it"));
    assert_eq!(stage.count(), "200", "the first key alone does nothing");
    screen.press(&["y"]);
    screen.expect(&format!("you approved {id}"));
    assert_eq!(psql.finish().code(), 0);
    assert_eq!(stage.count(), "199");
    screen.press(&["q"]);
    screen.expect("status 0");
    assert!(!screen.is_on_other_screen(), "the terminal is given back");
}

#[test]
fn a_denial_tells_the_reason_to_who_asked() {
    let stage = stage();
    let screen = stage.dashboard((200, 50));
    let (psql, id) = stage.held("delete from orders where id = 8;");
    screen.expect("delete from orders where id = 8");
    screen.press(&["d"]);
    screen.expect("why is");
    screen.line("use the archive job");
    screen.expect(&format!("you denied {id}"));
    let outcome = psql.finish();
    assert!(outcome.errors.contains("use the archive job"), "{outcome:?}");
    assert_eq!(stage.count(), "200");
}

#[test]
fn a_long_statement_must_be_read_to_its_end_first() {
    let stage = stage();
    let screen = stage.dashboard((80, 24));
    let notes: String = (0..40).map(|number| format!("  -- line {number}\n")).collect();
    let (psql, _id) = stage.held(&format!("/* long */ delete from orders\n{notes} where id = 9;"));
    screen.expect("/* long */");
    screen.press(&["a"]);
    screen.expect("read on before you approve");
    screen.press(&["y"]);
    screen.expect("read on before you approve");
    assert_eq!(stage.count(), "200");
    screen.press(&["Space"]);
    screen.press(&["Space"]);
    screen.press(&["Space"]);
    screen.expect("y approves it");
    screen.press(&["y"]);
    screen.expect("you approved");
    assert_eq!(psql.finish().code(), 0);
    assert_eq!(stage.count(), "199");
}

#[test]
fn a_withdrawn_request_turns_grey_and_cannot_be_approved() {
    let stage = stage();
    let screen = stage.dashboard((80, 24));
    let (psql, _id) = stage.held("delete from orders where id = 10;");
    screen.expect("delete from orders where id = 10");
    drop(psql);
    screen.expect("withdrawn");
    screen.press(&["a"]);
    screen.expect("it is withdrawn already");
    assert_eq!(stage.count(), "200");
}

#[test]
fn a_lost_gateway_is_told_and_found_again() {
    let mut stage = stage();
    let screen = stage.dashboard((80, 24));
    screen.expect("Nothing waits for approval");
    stage.gateway.kill();
    screen.expect("the gateway is lost");
    stage.gateway.launch(&[]);
    screen.wait_for("that it is there again", |screen| !screen.contains("is lost"));
    screen.press(&["5"]);
    screen.expect("operations can be recorded");
}

#[test]
fn the_terminal_is_suspended_resumed_resized_and_given_back() {
    let stage = stage();
    let screen = stage.dashboard((80, 24));
    screen.expect("Nothing waits for approval");
    assert!(screen.is_on_other_screen());
    screen.press(&["C-z"]);
    screen.expect("Stopped");
    assert!(!screen.is_on_other_screen());
    screen.line("fg; echo \"status $?\"");
    screen.expect("Nothing waits for approval");
    screen.resize((70, 20));
    screen.expect("This screen has 70 columns");
    screen.resize((120, 30));
    screen.expect("Nothing waits for approval");
    screen.press(&["?"]);
    screen.expect("keys here");
    screen.press(&["Escape"]);
    screen.write(":q");
    screen.expect("command");
    screen.press(&["Enter"]);
    screen.expect("status 0");
    assert!(!screen.is_on_other_screen());
}

#[test]
fn without_a_terminal_it_says_what_to_use() {
    let stage = stage();
    let outcome = stage.bob.run(&["dashboard"]);
    assert_eq!(outcome.code(), 2, "{outcome:?}");
    assert!(outcome.errors.contains("hoop approvals watch"), "{outcome:?}");
}
