//! Just-in-time access: connecting waits for reviewers, goes on when they agree, and ends with the window.

use nix::sys::signal::Signal;

use super::harness::{Cluster, Gateway, Person, Program, Site, Stream, Tunnel};

const HELD: &str = "@id(\"connecting-is-held\")\n@approval(\"dba\")\n@window(\"1h\")\n@message(\"a dba opens production\")\n\
    forbid(principal in Group::\"engineers\", action == Action::\"connect\", resource);\n";

struct Stage {
    gateway: Gateway,
    alice: Person,
    bob: Person,
}

fn stage() -> Stage {
    stage_of(HELD)
}

fn stage_of(held: &str) -> Stage {
    let site = Site::new(&Cluster::shared().database()).policy("access", held);
    let gateway = Gateway::start(site);
    let (alice, bob) = (Person::login(&gateway, "alice"), Person::login(&gateway, "bob"));
    Stage { gateway, alice, bob }
}

fn request(program: &mut Program) -> String {
    program.expect("that it waits", |stream, line| {
        let (_, named) = line.split_once("for approval ").filter(|_| stream == Stream::Errors)?;
        let mut words = named.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
        words.next().filter(|word| word.starts_with("apr_")).map(str::to_owned)
    })
}

impl Stage {
    fn ask(&self, arguments: &[&str]) -> (Program, String) {
        let all: Vec<&str> = ["connect", "pg-prod"].iter().chain(arguments).copied().collect();
        let mut waiting = self.alice.start(&all);
        let id = request(&mut waiting);
        (waiting, id)
    }

    fn approve(&self, id: &str) {
        self.bob.run(&["approvals", "approve", id]).success();
    }

    /// A tunnel that stays open after the window that it was opened through.
    fn tunnel(&self) -> Tunnel {
        let (opening, id) = self.ask(&["--request", "to begin", "--for", "10s", "--", "-X", "-c", "select 1"]);
        self.approve(&id);
        assert_eq!(opening.finish().code(), 0);
        let tunnel = Tunnel::open(&self.alice, "pg-prod");
        self.until_closed(&id);
        tunnel
    }

    /// Waits until a window is over.
    fn until_closed(&self, id: &str) {
        let open = || self.alice.json(&["ls"])["connections"][0]["access_until_millis"].is_i64();
        until(|| !open());
        assert!(self.record().contains(id));
    }

    /// The gateway's own record, as text.
    fn record(&self) -> String {
        let folder = self.gateway.site().data().join("recordings");
        let mut all = Vec::new();
        for entry in walk(&folder) {
            all.extend(std::fs::read(entry).expect("readable"));
        }
        String::from_utf8_lossy(&all).into_owned()
    }
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn a_connection_that_is_asked_for_opens_when_it_is_approved() {
    let stage = stage();
    assert!(stage.alice.run(&["ls"]).success().contains("after approval"));
    let (waiting, id) =
        stage.ask(&["--request", "incident 4711", "--for", "30m", "--", "-X", "-A", "-t", "-c", "select 'in'"]);
    let shown = stage.bob.run(&["approvals", "show", &id]).success();
    for part in ["incident 4711", "30:00", "alice", "a dba opens production", "1 of group dba"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let item = &stage.bob.json(&["approvals", "show", &id])["approval"];
    assert_eq!((item["asks"].as_str(), item["window_seconds"].as_u64()), (Some("access"), Some(1_800)), "{item}");
    assert_eq!(item["may_review"], true);
    stage.approve(&id);
    let outcome = waiting.finish();
    assert_eq!(outcome.code(), 0, "{outcome:?}");
    assert!(outcome.output.contains("in"), "{outcome:?}");
    // While the window is open nothing is asked again, and `ls` says until when.
    assert!(stage.alice.run(&["ls"]).success().contains("until 20"));
    let again = stage.alice.run(&["connect", "pg-prod", "--", "-X", "-A", "-t", "-c", "select 'again'"]);
    assert!(again.output.contains("again"), "{again:?}");
    let record = stage.record();
    for word in ["access_asked", "access_decided", "lease_opened", "incident 4711"] {
        assert!(record.contains(word), "{word}");
    }
}

#[test]
fn a_denial_is_status_3_and_a_lapse_status_8() {
    let stage = stage();
    let (waiting, id) = stage.ask(&["--request", "to look around"]);
    stage.bob.run(&["approvals", "deny", &id, "--reason", "use the replica"]).success();
    let outcome = waiting.finish();
    assert_eq!(outcome.code(), 3, "{outcome:?}");
    assert!(outcome.errors.contains("use the replica"), "{outcome:?}");
    stage.gateway.site().edit("policies/access.cedar", "@window", "@expires(\"1s\")\n@window");
    let mut stage = stage;
    assert!(stage.gateway.reload().contains("are in force"));
    let (waiting, _id) = stage.ask(&["--request", "once more"]);
    assert_eq!(waiting.finish().code(), 8);
}

#[test]
fn whoever_stops_waiting_takes_the_request_back() {
    let stage = stage();
    let (waiting, id) = stage.ask(&["--request", "never mind"]);
    waiting.signal(Signal::SIGINT);
    assert_eq!(waiting.finish().code(), 130);
    let item = &stage.bob.json(&["approvals", "show", &id])["approval"];
    assert_eq!(item["status"], "withdrawn", "{item}");
    assert_ne!(stage.bob.run(&["approvals", "approve", &id]).code(), 0);
    // Nor does it outlast the login of whoever asked, though nobody is there to take it back.
    let (waiting, id) = stage.ask(&["--request", "before I go"]);
    waiting.signal(Signal::SIGKILL);
    drop(waiting);
    let status = || stage.bob.json(&["approvals", "show", &id])["approval"]["status"].clone();
    assert_eq!(status(), "pending");
    stage.alice.run(&["logout"]).success();
    assert_eq!(status(), "withdrawn");
}

#[test]
fn more_time_than_the_policy_allows_is_not_asked_for() {
    let stage = stage();
    let outcome = stage.alice.run(&["connect", "pg-prod", "--request", "long work", "--for", "2h"]);
    assert_ne!(outcome.code(), 0, "{outcome:?}");
    assert!(outcome.errors.contains("3600 seconds"), "{outcome:?}");
}

/// A window that ends takes the sessions in it along, and the tunnel stays: psql asks anew, on the wire.
#[test]
fn the_window_closes_live_sessions_and_the_next_connection_waits_on_the_wire() {
    let stage = stage();
    let (opening, first) = stage.ask(&["--request", "short work", "--for", "15s", "--", "-X", "-c", "select 1"]);
    stage.approve(&first);
    assert_eq!(opening.finish().code(), 0);
    let tunnel = Tunnel::open(&stage.alice, "pg-prod");
    let mut psql = tunnel.psql().going_on().start();
    psql.write("select 'open';\n");
    psql.expect_line("open");
    // Nothing is sent meanwhile: the gateway ends it by itself.
    stage.until_closed(&first);
    psql.write("select 'late';\n");
    let said = psql.expect_line("57P01");
    assert!(said.contains("has ended"), "{said}");
    assert!(stage.alice.run(&["ls"]).success().contains("after approval"));
    // The same tunnel, without the CLI's asking: the server's NOTICE says whom it waits for.
    let mut waiting = tunnel.psql().start();
    waiting.write("select 'in' || 'side';\n");
    waiting.close_input();
    let second = request(&mut waiting);
    assert_ne!(first, second);
    let item = &stage.bob.json(&["approvals", "show", &second])["approval"];
    assert_eq!((item["asks"].as_str(), item["session"].as_str()), (Some("access"), None), "{item}");
    stage.approve(&second);
    let outcome = waiting.finish();
    assert!(outcome.output.contains("inside"), "{outcome:?}");
}

#[test]
fn a_client_that_leaves_while_it_waits_takes_the_request_along() {
    let stage = stage();
    let tunnel = stage.tunnel();
    let waiting_id = {
        let mut waiting = tunnel.psql().start();
        request(&mut waiting)
    };
    let status = || stage.bob.json(&["approvals", "show", &waiting_id])["approval"]["status"].clone();
    until(|| status() == "withdrawn");
    // A denial is told in the protocol's own words.
    let mut denied = tunnel.psql().start();
    let id = request(&mut denied);
    stage.bob.run(&["approvals", "deny", &id, "--reason", "use the replica"]).success();
    let outcome = denied.finish();
    assert!(outcome.errors.contains("use the replica"), "{outcome:?}");
    assert_eq!(outcome.code(), 2, "psql's own status for a bad connection");
    // Whoever logs out waits no longer, and takes the request along.
    let mut waiting = tunnel.psql().start();
    let id = request(&mut waiting);
    stage.alice.run(&["logout"]).success();
    let outcome = waiting.finish();
    assert!(outcome.errors.contains("the login behind this connection was ended"), "{outcome:?}");
    let status = || stage.bob.json(&["approvals", "show", &id])["approval"]["status"].clone();
    until(|| status() == "withdrawn");
}

#[test]
fn a_window_survives_a_restart_and_ends_with_a_policy_that_asks_others() {
    let mut stage = stage();
    let (opening, id) = stage.ask(&["--request", "long work", "--", "-X", "-c", "select 1"]);
    stage.approve(&id);
    assert_eq!(opening.finish().code(), 0);
    stage.gateway.stop();
    stage.gateway.launch(&[]);
    let alice = Person::login(&stage.gateway, "alice");
    let tunnel = Tunnel::open(&alice, "pg-prod");
    let mut psql = tunnel.psql().going_on().start();
    psql.write("select 'open';\n");
    psql.expect_line("open");
    stage.gateway.site().edit("policies/access.cedar", "@approval(\"dba\")", "@approval(\"2 of dba\")");
    assert!(stage.gateway.reload().contains("are in force"));
    psql.write("select 'closed';\n");
    psql.expect_line("42501");
    assert!(alice.run(&["ls"]).success().contains("after approval"));
}

#[test]
fn a_window_is_for_one_principal_and_not_for_their_agent() {
    let stage = stage();
    let (opening, id) = stage.ask(&["--request", "mine", "--", "-X", "-c", "select 1"]);
    stage.approve(&id);
    assert_eq!(opening.finish().code(), 0);
    // From now on connecting is held for everybody.
    stage.gateway.site().edit("policies/access.cedar", "principal in Group::\"engineers\"", "principal");
    let mut stage = stage;
    assert!(stage.gateway.reload().contains("are in force"));
    let crew = Person::login(&stage.gateway, "crew");
    assert!(crew.run(&["ls"]).success().contains("after approval"), "alice's window is not her agent's");
    assert!(stage.alice.run(&["ls"]).success().contains("until 20"));
}

fn until(holds: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + super::harness::PATIENCE;
    while !holds() {
        assert!(std::time::Instant::now() < deadline, "in vain");
    }
}

/// A run asks before it begins, waits, and goes on; one that nobody decides on leaves with the status of a pending approval.
#[test]
fn a_run_waits_for_its_access() {
    let stage = stage();
    let exec = |arguments: &[&str]| {
        let folder = stage.alice.home().join("project");
        std::fs::create_dir_all(&folder).expect("made");
        let all: Vec<&str> = ["exec", "-c", "pg-prod"].iter().chain(arguments).copied().collect();
        Program::start(stage.alice.command(&all).current_dir(folder))
    };
    let script = ["--", "psql", "-X", "-A", "-t", "-c", "select 'in the run'"];
    let mut waiting = exec(&[&["--request", "nightly report", "--for", "30m"][..], &script].concat());
    let id = request(&mut waiting);
    let item = &stage.bob.json(&["approvals", "show", &id])["approval"];
    assert_eq!((item["asks"].as_str(), item["window_seconds"].as_u64()), (Some("access"), Some(1_800)), "{item}");
    assert!(item.to_string().contains("nightly report"), "{item}");
    assert_eq!(stage.alice.json(&["runs", "ls"])["runs"], serde_json::json!([]), "no budget begins while it waits");
    stage.approve(&id);
    assert_eq!(waiting.finish().success(), "in the run\n");
    // The window is open: the next run asks nothing.
    assert_eq!(exec(&script).finish().success(), "in the run\n");

    let denied = self::stage();
    let folder = denied.alice.home().join("project");
    std::fs::create_dir_all(&folder).expect("made");
    let ask =
        || Program::start(denied.alice.command(&["exec", "-c", "pg-prod", "--", "touch", "made"]).current_dir(&folder));
    let mut refused = ask();
    let id = request(&mut refused);
    denied.bob.run(&["approvals", "deny", &id, "--reason", "not today"]).success();
    let refused = refused.finish();
    assert_eq!(refused.code(), 3, "{refused:?}");
    assert!(refused.errors.contains("not today"), "{refused:?}");
    // Who stops waiting takes the request back.
    let mut left = ask();
    let id = request(&mut left);
    left.signal(Signal::SIGTERM);
    assert_eq!(left.finish().code(), 130);
    assert_eq!(denied.alice.json(&["approvals", "show", &id])["approval"]["status"], "withdrawn");
    assert!(!folder.join("made").exists());
    // What nobody decides on in time.
    let slow = stage_of(&HELD.replace("@window", "@expires(\"2s\")\n@window"));
    let outcome = slow.alice.run(&["exec", "-c", "pg-prod", "--", "touch", "made"]);
    assert_eq!(outcome.code(), 8, "{outcome:?}");
    assert!(outcome.errors.contains("Waiting for approval apr_") && outcome.errors.contains("expired"), "{outcome:?}");
}
