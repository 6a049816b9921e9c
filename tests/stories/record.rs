//! What was recorded: complete, before it ran, readable by who may, verifiable by who holds the key, altered by nobody.

use std::{fs, path::PathBuf};

use super::harness::{Cluster, Gateway, Person, Site, Tunnel};

fn newest_session(person: &Person) -> String {
    let listed = person.run(&["sessions", "ls", "--output", "jsonl"]).success();
    let first = listed.lines().next().expect("a session");
    let item: serde_json::Value = serde_json::from_str(first).expect("JSON");
    item.get("id").and_then(serde_json::Value::as_str).expect("an id").to_owned()
}

/// The recorder's public key, kept elsewhere from now on.
fn keep_key(gateway: &Gateway, person: &Person) -> PathBuf {
    let mut folders = vec![gateway.site().data()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if entry.file_name() == "recording.pub.pem" {
                let kept = person.home().join("kept.pub.pem");
                fs::copy(entry.path(), &kept).expect("copied");
                return kept;
            }
        }
    }
    panic!("the gateway wrote no public key");
}

#[test]
fn a_session_is_recorded_with_decisions_and_outcomes_and_replayed() {
    let database = Cluster::shared().database();
    let gateway = Gateway::start(Site::new(&database));
    let alice = Person::login(&gateway, "alice");
    let tunnel = Tunnel::open(&alice, "pg-prod");
    tunnel.psql().going_on().run("select email from customers limit 2;\ndrop table orders;\nselect 1/0;\n");
    let id = newest_session(&alice);
    let shown = alice.json(&["sessions", "show", &id]).to_string();
    for part in ["select email from customers", "drop table orders", "refuse", "nothing-is-dropped", "permit", "22012"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let replayed = alice.run(&["replay", &id, "--speed", "0"]).success();
    assert!(replayed.contains("drop table orders") && !replayed.contains("ada@example.com"), "{replayed}");
}

#[test]
fn others_replay_only_by_policy_and_looking_is_recorded() {
    let database = Cluster::shared().database();
    let gateway = Gateway::start(Site::new(&database));
    let alice = Person::login(&gateway, "alice");
    Tunnel::open(&alice, "pg-prod").rows("select 'alice was here'");
    let id = newest_session(&alice);
    let bob = Person::login(&gateway, "bob").run(&["replay", &id, "--speed", "0"]);
    assert_ne!(bob.code(), 0, "{bob:?}");
    assert!(!bob.output.contains("alice was here"), "{bob:?}");
    let carol = Person::login(&gateway, "carol");
    let replayed = carol.run(&["replay", &id, "--speed", "0"]).success();
    assert!(replayed.contains("alice was here"), "{replayed}");
}

#[test]
fn a_flipped_byte_is_found_with_the_key() {
    let database = Cluster::shared().database();
    let mut gateway = Gateway::start(Site::new(&database));
    let alice = Person::login(&gateway, "alice");
    Tunnel::open(&alice, "pg-prod").rows("select 'a sentence that will be changed'");
    let key = keep_key(&gateway, &alice).display().to_string();
    gateway.stop();
    let recordings = gateway.site().data().join("recordings");
    let folder = recordings.display().to_string();
    let verified = alice.run(&["audit", "verify", &folder, "--key", &key]);
    assert_eq!(verified.code(), 0, "{verified:?}");
    let mut changed = 0;
    let mut folders = vec![recordings];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let mut bytes = fs::read(&path).expect("readable");
            let needle = b"will be changed";
            if let Some(place) = bytes.windows(needle.len()).position(|window| window == needle) {
                if let Some(byte) = bytes.get_mut(place) {
                    *byte ^= 1;
                }
                fs::write(&path, bytes).expect("writable");
                changed += 1;
            }
        }
    }
    assert!(changed > 0, "the statement was not found in the recordings");
    let verified = alice.run(&["audit", "verify", &folder, "--key", &key]);
    assert_ne!(verified.code(), 0, "{verified:?}");
}

#[test]
fn passwords_in_statements_are_never_stored() {
    let database = Cluster::shared().database();
    let mut gateway = Gateway::start(Site::new(&database));
    let alice = Person::login(&gateway, "alice");
    let statement = "alter role hoop_app password 'Tr0ub4dor-and-3'";
    Tunnel::open(&alice, "pg-prod").psql().with(&["-c", statement]).run("");
    gateway.stop();
    let mut folders = vec![gateway.site().data()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                files += 1;
                let bytes = fs::read(entry.path()).expect("readable");
                let found = bytes.windows(11).any(|window| window == b"Tr0ub4dor-a");
                assert!(!found, "{} holds the password", entry.path().display());
            }
        }
    }
    assert!(files > 0);
}
