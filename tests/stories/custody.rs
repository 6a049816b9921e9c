//! The recordings in bad times: a full disk, a killed gateway, a forger, a curious reader of the raw files.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::harness::{Cluster, Database, Gateway, Outcome, Person, Site, Tunnel};

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

fn recordings(gateway: &Gateway) -> PathBuf {
    gateway.site().data().join("recordings")
}

fn verify(person: &Person, folder: &Path, key: &Path) -> Outcome {
    person.run(&["audit", "verify", &folder.display().to_string(), "--key", &key.display().to_string()])
}

/// The recorder's public key, kept where the gateway cannot change it.
fn keep_key(gateway: &Gateway, person: &Person) -> PathBuf {
    let kept = person.home().join("kept.pub.pem");
    fs::copy(gateway.site().data().join("keys/recording.pub.pem"), &kept).expect("copied");
    kept
}

fn sessions(person: &Person) -> Vec<Value> {
    person.json(&["sessions", "ls"]).get("sessions").and_then(Value::as_array).expect("a list").clone()
}

fn newest(person: &Person) -> String {
    sessions(person).first().and_then(|session| session.get("id")?.as_str()).expect("a session").to_owned()
}

/// Every byte below a folder.
fn raw(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let (mut folders, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("readable").filter_map(Result::ok) {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                files.push((entry.path(), fs::read(entry.path()).expect("readable")));
            }
        }
    }
    files
}

fn holds(bytes: &[u8], needle: &str) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
}

#[test]
fn a_full_disk_lets_nothing_unrecorded_pass_and_the_client_hears_58030() {
    let database = Cluster::shared().database();
    let gateway = Gateway::start_on_a_small_disk(Site::new(&database), 800);
    let alice = Person::login(&gateway, "alice");
    let tunnel = Tunnel::open(&alice, "pg-prod");
    let script = (0..5000).fold(String::new(), |script, number| {
        script + &format!("insert into audit_trail (what) values ('before the end {number:06}');\n")
    });
    let outcome = tunnel.psql().run(&script);
    assert_ne!(outcome.code(), 0, "the disk never filled");
    assert!(outcome.errors.contains("58030"), "{outcome:?}");
    let executed = database.value("select string_agg(what, ',') from audit_trail");
    let executed: BTreeSet<&str> = executed.split(',').collect();
    assert!(executed.len() > 10, "too little happened: {executed:?}");
    let files = raw(&recordings(&gateway));
    let unrecorded: Vec<_> =
        executed.iter().filter(|what| !files.iter().any(|(_, bytes)| holds(bytes, what))).collect();
    assert!(unrecorded.is_empty(), "{unrecorded:?}");
    let next = tunnel.psql().with(&["-c", "insert into audit_trail (what) values ('after the end')"]).run("");
    assert_ne!(next.code(), 0, "{next:?}");
    assert_eq!(database.value("select count(*) from audit_trail where what = 'after the end'"), "0");
}

#[test]
fn a_full_disk_ends_idle_sessions_too() {
    let database = Cluster::shared().database();
    let gateway = Gateway::start_on_a_small_disk(Site::new(&database), 800);
    let alice = Person::login(&gateway, "alice");
    let tunnel = Tunnel::open(&alice, "pg-prod");
    let mut waiting = tunnel.psql().start();
    waiting.write("select pg_sleep(60);\n");
    database.logged_times("pg_sleep(60)", 1);
    let script = "select 'one more line of the record, of some length, so that it fills';\n".repeat(5000);
    assert_ne!(tunnel.psql().run(&script).code(), 0);
    waiting.expect_line("58030");
    assert_ne!(waiting.finish().code(), 0);
}

#[test]
fn an_unanswered_statement_of_a_killed_gateway_is_of_unknown_outcome() {
    let mut stage = stage();
    let tunnel = Tunnel::open(&stage.alice, "pg-prod");
    let mut psql = tunnel.psql().start();
    psql.write("select 'answered';\nselect pg_sleep(60);\n");
    stage.database.logged_times("pg_sleep(60)", 1);
    stage.gateway.kill();
    assert_ne!(psql.finish().code(), 0);
    drop(tunnel);
    stage.gateway.launch(&[]);
    let alice = Person::login(&stage.gateway, "alice");
    let id = newest(&alice);
    let shown = alice.json(&["sessions", "show", &id]);
    let operations = shown["session"]["operations"].as_array().expect("operations");
    let outcome = |text: &str| {
        let found =
            operations.iter().find(|operation| operation["text"].as_str().is_some_and(|own| own.contains(text)));
        found.and_then(|operation| operation["outcome"].as_str()).expect("recorded").to_owned()
    };
    assert!(outcome("pg_sleep").contains("unknown"), "{shown}");
    assert!(!outcome("answered").contains("unknown"), "{shown}");
    let text = alice.run(&["sessions", "show", &id]).success();
    assert!(text.contains("outcome unknown"), "{text}");
    let cut = alice.run(&["replay", &id, "--speed", "max"]).success();
    assert!(cut.contains("unknown"), "{cut}");
}

#[test]
fn a_gateway_that_stops_tells_its_sessions_and_records_their_end() {
    let mut stage = stage();
    let tunnel = Tunnel::open(&stage.alice, "pg-prod");
    let mut psql = tunnel.psql().start();
    psql.write("select pg_sleep(60);\n");
    stage.database.logged_times("pg_sleep(60)", 1);
    assert!(stage.gateway.stop().status.success(), "it ends in order");
    psql.expect_line("57P01");
    assert_ne!(psql.finish().code(), 0);
    drop(tunnel);
    stage.gateway.launch(&[]);
    let alice = Person::login(&stage.gateway, "alice");
    let ended = sessions(&alice);
    assert!(ended.iter().all(|session| session["end_reason"].is_string()), "{ended:?}");
    assert!(!stage.gateway.said().contains("did not end in order"));
}

#[test]
fn two_gateways_never_write_one_recording() {
    let stage = stage();
    let second = Gateway::attempt(stage.gateway.site(), &["--dev", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.code(), 1, "{second:?}");
    assert!(second.errors.contains("another gateway"), "{second:?}");
    assert_eq!(Tunnel::open(&stage.alice, "pg-prod").rows("select 1"), "1\n");
}

#[test]
fn a_replay_is_for_its_owner_and_for_auditors_and_every_look_is_recorded() {
    let stage = stage();
    Tunnel::open(&stage.alice, "pg-prod").rows("select 'alice was here'");
    let id = newest(&stage.alice);
    let (bob, carol) = (Person::login(&stage.gateway, "bob"), Person::login(&stage.gateway, "carol"));
    for person in [&stage.alice, &carol] {
        let replayed = person.run(&["replay", &id, "--speed", "max"]).success();
        assert!(replayed.contains("alice was here"), "{}: {replayed}", person.name);
    }
    for arguments in [&["replay", &id, "--speed", "max"][..], &["sessions", "show", &id]] {
        let refused = bob.run(arguments);
        // Whether there is such a session is not his to know either.
        assert!(refused.code() == 1 && refused.errors.contains("no such session"), "{arguments:?}: {refused:?}");
        assert!(!refused.output.contains("alice was here"), "{refused:?}");
    }
    assert!(!bob.run(&["sessions", "ls"]).success().contains(&id), "bob does not even see it");
    let files = raw(&recordings(&stage.gateway));
    for who in ["alice", "carol"] {
        let look = |line: &&str| line.contains("look") && line.contains(&id) && line.contains(who);
        let found = files.iter().any(|(_, bytes)| String::from_utf8_lossy(bytes).lines().any(|line| look(&line)));
        assert!(found, "no look of {who} is on record");
    }
}

#[test]
fn a_forger_with_a_key_of_his_own_is_found_out() {
    let mut honest = stage();
    Tunnel::open(&honest.alice, "pg-prod").rows("select 'what really happened'");
    let key = keep_key(&honest.gateway, &honest.alice);
    honest.gateway.stop();
    assert_eq!(verify(&honest.alice, &recordings(&honest.gateway), &key).code(), 0);
    // The forger has the same software: an altered story, whole chains, signed heads, another key.
    let mut forger = stage();
    Tunnel::open(&forger.alice, "pg-prod").rows("select 'what the forger says'");
    let own_key = keep_key(&forger.gateway, &forger.alice);
    forger.gateway.stop();
    let altered = recordings(&forger.gateway);
    assert_eq!(verify(&forger.alice, &altered, &own_key).code(), 0, "by his own key it is sound");
    let verified = verify(&honest.alice, &altered, &key);
    assert_eq!(verified.code(), 1, "{verified:?}");
    assert!(verified.errors.contains("not what the holder of this key wrote"), "{verified:?}");
    // Nor may he put his key beside the recordings: the one that counts is kept elsewhere.
    fs::copy(own_key, honest.gateway.site().data().join("keys/recording.pub.pem")).expect("copied");
    assert_eq!(verify(&honest.alice, &recordings(&honest.gateway), &key).code(), 0);
}

#[test]
fn recordings_that_were_cut_off_do_not_contain_a_head_that_was_kept() {
    let mut stage = stage();
    Tunnel::open(&stage.alice, "pg-prod").rows("select 'first'");
    let key = keep_key(&stage.gateway, &stage.alice);
    stage.gateway.stop();
    let folder = recordings(&stage.gateway);
    let copy = stage.alice.home().join("earlier");
    fs::create_dir(&copy).expect("made");
    for (path, bytes) in raw(&folder) {
        fs::write(copy.join(path.file_name().expect("a name")), bytes).expect("copied");
    }
    stage.gateway.launch(&[]);
    let alice = Person::login(&stage.gateway, "alice");
    Tunnel::open(&alice, "pg-prod").rows("select 'second'");
    stage.gateway.stop();
    let (of, by) = (folder.display().to_string(), key.display().to_string());
    let report = alice.json(&["audit", "verify", &of, "--key", &by]);
    let head = report["verification"]["head"].as_str().expect("a head").to_owned();
    assert_eq!(alice.run(&["audit", "verify", &of, "--key", &by, "--head", &head]).code(), 0);
    let earlier = copy.display().to_string();
    assert_eq!(alice.run(&["audit", "verify", &earlier, "--key", &by]).code(), 0, "sound as far as it goes");
    let verified = alice.run(&["audit", "verify", &earlier, "--key", &by, "--head", &head]);
    assert_eq!(verified.code(), 1, "{verified:?}");
}

#[test]
fn values_of_tagged_columns_are_not_readable_in_the_raw_recordings() {
    let mut stage = stage();
    let tunnel = Tunnel::open(&stage.alice, "pg-prod");
    let script = "insert into customers (id, name, email, card) values (900, 'Plain Name', 'sealed.one@example.com', 'sealed-card-two');\n\
                  update customers set email = 'sealed.three@nowhere' where id = 900;\n\
                  select id from customers where email = 'sealed-four';\n\
                  insert into customers (id, name, email, card) values ($1, $2, $3, $4) \\bind 901 'Plain Too' 'sealed-five' 'sealed-six' \\g\n\
                  select 'call sealed.seven@example.com or 4111111111111111';\n\
                  select email, card from customers where id < 4;\n";
    let bind_is_known = !tunnel.psql().going_on().run("select $1 \\bind 1 \\g\n").errors.contains("\\bind");
    let script: String = script
        .lines()
        .filter(|line| bind_is_known || !line.contains("\\bind"))
        .fold(String::new(), |all, line| all + line + "\n");
    let outcome = tunnel.psql().going_on().run(&script);
    assert_eq!(
        stage.database.value("select email from customers where id = 900"),
        "sealed.three@nowhere",
        "{outcome:?}"
    );
    by_parameters(&stage, &tunnel);
    drop(tunnel);
    stage.gateway.stop();
    let secrets = [
        "sealed.one",
        "sealed-card-two",
        "sealed.three",
        "sealed-four",
        "sealed-five",
        "sealed-six",
        "sealed.seven",
        "4111111111111111",
        "sealed-eight",
        "sealed-nine",
        "ada@example.com",
        "grace@example.org",
    ];
    let files = raw(&stage.gateway.site().data());
    assert!(files.iter().any(|(_, bytes)| holds(bytes, "Plain Name")), "the rest is there to read");
    for (path, bytes) in &files {
        for secret in secrets {
            assert!(!holds(bytes, secret), "{} holds {secret}", path.display());
        }
    }
}

/// The same with the extended protocol, by pgbench: its variables become bound parameters.
fn by_parameters(stage: &Stage, tunnel: &Tunnel) {
    let script = stage.alice.home().join("parameters.sql");
    fs::write(&script, "insert into customers (id, name, email, card) values (902, :name, :email, :card);\n")
        .expect("written");
    let mut command = std::process::Command::new(stage.database.cluster().program("pgbench"));
    command.args(["-n", "-M", "extended", "-t", "1", "-h", "127.0.0.1", "-U", "x", "-p", &tunnel.port.to_string()]);
    command.args(["-D", "name=Plain Three", "-D", "email=sealed-eight", "-D", "card=sealed-nine", "-f"]);
    let outcome = super::harness::Program::run(command.arg(&script).arg(&tunnel.database), "");
    assert!(outcome.output.contains("1/1"), "{outcome:?}");
    assert_eq!(stage.database.value("select email from customers where id = 902"), "sealed-eight");
}
