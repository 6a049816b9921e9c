//! What scripts see: JSON of every list, exit statuses, no colour where nobody watches. The contract of the command line.

use serde_json::Value;

use super::harness::{Cluster, Gateway, Person, Site, Stream, Tunnel};

struct Stage {
    gateway: Gateway,
    alice: Person,
    bob: Person,
    tunnel: Tunnel,
}

fn stage() -> Stage {
    let gateway = Gateway::start(Site::new(&Cluster::shared().database()));
    let (alice, bob) = (Person::login(&gateway, "alice"), Person::login(&gateway, "bob"));
    let tunnel = Tunnel::open(&alice, "pg-prod");
    tunnel.rows("select 'something to list'");
    Stage { gateway, alice, bob, tunnel }
}

#[test]
fn every_list_is_a_versioned_document_and_lines() {
    let stage = stage();
    let mut psql = stage.tunnel.psql().start();
    psql.write("delete from orders where id = 7;\n");
    let id = psql.expect("a request", |stream, line| {
        let mut words = line.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
        words.find(|word| word.starts_with("apr_") && stream == Stream::Errors).map(str::to_owned)
    });
    for (arguments, name) in
        [(&["ls"][..], "connections"), (&["sessions", "ls"], "sessions"), (&["approvals", "ls"], "approvals")]
    {
        let document = stage.bob_or_alice(arguments).json(arguments);
        assert_eq!(document["version"], 1, "{document}");
        let list = document[name].as_array().unwrap_or_else(|| panic!("{name}: {document}"));
        assert!(!list.is_empty(), "{document}");
        let lines = stage.bob_or_alice(arguments).run(&[arguments, &["--output", "jsonl"]].concat());
        assert_eq!(lines.errors, "", "{lines:?}");
        let lines = lines.success();
        assert_eq!(lines.lines().count(), list.len(), "{lines}");
        for line in lines.lines() {
            let item: Value = serde_json::from_str(line).expect("JSON");
            assert_eq!(item["version"], 1, "{line}");
        }
    }
    for arguments in [&["approvals", "show", &id][..], &["whoami"], &["status"]] {
        assert_eq!(stage.bob.json(arguments)["version"], 1, "{arguments:?}");
    }
}

impl Stage {
    /// Requests are bob's to see; the rest is alice's.
    fn bob_or_alice(&self, arguments: &[&str]) -> &Person {
        if arguments.first() == Some(&"approvals") { &self.bob } else { &self.alice }
    }
}

#[test]
fn statuses_say_how_it_ended() {
    let mut stage = stage();
    let nobody = Person::new(&stage.gateway, "mallory");
    let carol = Person::login(&stage.gateway, "carol");
    assert_eq!(stage.alice.run(&["whoami"]).code(), 0);
    assert_eq!(stage.alice.run(&["sessions", "show", "nonsense"]).code(), 2);
    assert_eq!(carol.run(&["connect", "pg-prod", "--", "-c", "select 1"]).code(), 3, "a policy refuses");
    assert_eq!(nobody.run(&["ls"]).code(), 4);
    let status = stage.alice.run(&["connect", "pg-prod", "--", "-X", "-v", "ON_ERROR_STOP=1", "-c", "select 1/0"]);
    assert_eq!(status.code(), 1, "psql's own status: {status:?}");
    let status = stage.alice.run(&["connect", "pg-prod", "--", "-X", "-f", "/nonexistent"]);
    assert_eq!(status.code(), 1, "psql's own status: {status:?}");
    let missing = stage.alice.run(&["approvals", "show", "apr_0000000001qs00000000000000"]);
    assert_eq!(missing.code(), 1, "{missing:?}");
    stage.gateway.stop();
    for arguments in [&["ls"][..], &["sessions", "ls"], &["connect", "pg-prod"]] {
        let outcome = stage.alice.run(arguments);
        assert_eq!(outcome.code(), 5, "{arguments:?}: {outcome:?}");
    }
}

#[test]
fn nothing_is_coloured_or_drawn_where_nobody_watches() {
    let stage = stage();
    for arguments in [&["ls"][..], &["sessions", "ls"], &["status"], &["whoami"]] {
        let mut command = stage.alice.command(arguments);
        command.env("TERM", "xterm-256color");
        for no_color in [false, true] {
            if no_color {
                command.env("NO_COLOR", "1");
            }
            let outcome = super::harness::Program::run(&mut command, "");
            let text = outcome.output + &outcome.errors;
            assert!(!text.is_empty() && !text.contains('\u{1b}'), "{arguments:?}: {text}");
        }
    }
    let coloured = stage.alice.run(&["connect", "pg-nowhere", "--color", "always"]);
    assert!(coloured.errors.contains('\u{1b}'), "asked for, it is coloured: {coloured:?}");
    let tunnel = stage.tunnel.close();
    assert!(!tunnel.errors.contains('\u{1b}') && !tunnel.output.contains('\u{1b}'), "{tunnel:?}");
}
