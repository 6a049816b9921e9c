//! Replication: refused unless a policy permits it, then relayed command by command for the server's own clients, and
//! never for somebody from whom something is masked.

use std::{fs, path::Path, process::Command, sync::OnceLock};

use super::{
    evasions::{
        MASKING,
        approvals::held,
        raw::{Raw, bind, call, execute, frame, parse, shown, sync, tags},
    },
    harness::{Cluster, Database, Gateway, Outcome, Person, Program, Site, Tunnel},
};

const REPLICATES: &str =
    "@id(\"replicates\")\npermit(principal in Group::\"engineers\", action == Action::\"replicate\", resource);\n";

struct Stage {
    database: Database,
    gateway: Gateway,
    alice: Person,
    tunnel: Tunnel,
}

/// A server that may be replicated from, whose gateway logs in with the right to.
fn cluster() -> &'static Cluster {
    static OURS: OnceLock<&'static Cluster> = OnceLock::new();
    OURS.get_or_init(new_cluster)
}

fn new_cluster() -> &'static Cluster {
    let cluster = Cluster::private("wal_level = logical\nmax_wal_senders = 20\nmax_replication_slots = 20", "", &[]);
    cluster.superuser("postgres").run("alter role hoop_app replication").success();
    cluster
}

fn stage(change: impl FnOnce(&Site)) -> Stage {
    stage_at(cluster(), change)
}

fn stage_at(cluster: &'static Cluster, change: impl FnOnce(&Site)) -> Stage {
    let database = cluster.database();
    let site = Site::new(&database);
    site.write("masking.toml", "detectors = []\n");
    site.write("policies/replication.cedar", REPLICATES);
    change(&site);
    let gateway = Gateway::start(site);
    let alice = Person::login(&gateway, "alice");
    let tunnel = Tunnel::open(&alice, "pg-prod");
    Stage { database, gateway, alice, tunnel }
}

impl Stage {
    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(cluster().program(program));
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C")
            .env("PGCONNECT_TIMEOUT", "30")
            .args(["-h", "127.0.0.1", "-p", &self.tunnel.port.to_string(), "-U", "x"])
            .args(arguments);
        command
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Outcome {
        Program::run(&mut self.command(program, arguments), "")
    }

    fn open(&self, replication: &str) -> Raw {
        let opened = Raw::open_with(&self.tunnel, &[("replication", replication)]);
        opened.unwrap_or_else(|replies| panic!("{replication}: {replies:?}"))
    }

    fn recorded(&self) -> String {
        let listed = self.alice.run(&["sessions", "ls", "--output", "jsonl"]).success();
        let sessions = listed.lines().map(|line| {
            let item: serde_json::Value = serde_json::from_str(line).expect("JSON");
            item.get("id").and_then(serde_json::Value::as_str).expect("an id").to_owned()
        });
        sessions.map(|id| self.alice.json(&["sessions", "show", &id]).to_string()).collect()
    }

    /// Where the server's log stands.
    fn position(&self) -> String {
        self.database.value("select pg_current_wal_insert_lsn()")
    }
}

fn streams(raw: &mut Raw, position: &str) {
    raw.send(&super::evasions::raw::query(&format!("START_REPLICATION PHYSICAL {position}")));
    let replies = raw.until('W');
    assert_eq!(tags(&replies), "W", "{replies:?}");
}

#[test]
fn replication_is_refused_unless_a_policy_permits_it() {
    let stage = stage(|site| site.write("policies/replication.cedar", ""));
    for value in ["true", "on", "1", "database"] {
        let Err(replies) = Raw::open_with(&stage.tunnel, &[("replication", value)]) else { panic!("{value}: let in") };
        let told = shown(&replies);
        for part in ["FATAL", "42501", "replication connections are not allowed here", "`replicate`"] {
            assert!(told.contains(part), "{value}: {part}: {told}");
        }
    }
    for value in ["maybe", "t", ""] {
        let Err(replies) = Raw::open_with(&stage.tunnel, &[("replication", value)]) else { panic!("{value}: let in") };
        assert!(shown(&replies).contains("22023"), "{value}: {replies:?}");
    }
    // It asks for none.
    for value in ["false", "off", "0"] {
        let mut raw = stage.open(value);
        assert_eq!(tags(&raw.query("select 1")), "TDCZ", "{value}");
        assert_eq!(tags(&raw.query("IDENTIFY_SYSTEM")), "EZ", "{value}");
    }
}

#[test]
fn pg_receivewal_receives_the_servers_own_segment() {
    let stage = stage(|_| {});
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().to_string_lossy().into_owned();
    let slot = "select pg_create_physical_replication_slot('hoop_archive', true)";
    stage.database.direct().run(slot).success();
    let segment = stage
        .database
        .value("select pg_walfile_name(restart_lsn) from pg_replication_slots where slot_name = 'hoop_archive'");
    stage.database.direct().run("insert into audit_trail (what) values ('streamed')").success();
    let end = stage.database.value("select pg_switch_wal()");
    let received = stage.run(
        "pg_receivewal",
        &["-D", &place, "--slot", "hoop_archive", "--no-loop", "--endpos", &end, "-s", "1", "-v"],
    );
    assert_eq!(received.code(), 0, "{received:?}");
    let theirs = stage.database.value("show data_directory");
    let theirs = fs::read(Path::new(&theirs).join("pg_wal").join(&segment)).expect("the server's segment");
    let ours = [segment.clone(), format!("{segment}.partial")].map(|name| fs::read(folder.path().join(name)));
    let ours = ours.into_iter().find_map(Result::ok).unwrap_or_else(|| panic!("no {segment}: {received:?}"));
    let written = theirs.iter().rposition(|byte| *byte != 0).expect("something was written");
    assert!(ours.get(..=written) == theirs.get(..=written), "another segment");
    let recorded = stage.recorded();
    for part in ["IDENTIFY_SYSTEM", "START_REPLICATION", "replicates"] {
        assert!(recorded.contains(part), "{part}: {recorded}");
    }
}

#[test]
fn pg_basebackup_takes_a_backup_that_verifies() {
    let stage = stage(|_| {});
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("backup").to_string_lossy().into_owned();
    let taken = stage.run("pg_basebackup", &["-D", &place, "-X", "stream", "-c", "fast", "-P"]);
    assert_eq!(taken.code(), 0, "{taken:?}");
    let mut verify = Command::new(cluster().program("pg_verifybackup"));
    let verified = Program::run(verify.env_clear().env("PATH", "/usr/bin:/bin").arg(&place), "");
    assert_eq!(verified.code(), 0, "{verified:?}");
    let refused = stage.run("pg_basebackup", &["-t", "server:/tmp/hoop-never", "-X", "none", "-c", "fast"]);
    assert!(
        refused.code() != 0 && refused.errors.contains("the option target of BASE_BACKUP is not allowed"),
        "{refused:?}"
    );
}

#[test]
fn pg_recvlogical_makes_reads_and_drops_a_slot() {
    let stage = stage(|_| {});
    let with = |arguments: &[&str]| {
        stage.run(
            "pg_recvlogical",
            &[&["-d", &stage.tunnel.database, "--slot", "hoop_story", "--no-loop"], arguments].concat(),
        )
    };
    let made = with(&["--create-slot", "-P", "test_decoding"]);
    assert_eq!(made.code(), 0, "{made:?}");
    stage.database.direct().run("insert into audit_trail (what) values ('decoded')").success();
    let end = stage.position();
    let read = with(&["--start", "-f", "-", "--endpos", &end, "-o", "skip-empty-xacts=1"]);
    assert!(read.code() == 0 && read.output.contains("table public.audit_trail: INSERT"), "{read:?}");
    assert!(read.output.contains("decoded"), "{read:?}");
    let dropped = with(&["--drop-slot"]);
    assert_eq!(dropped.code(), 0, "{dropped:?}");
    assert_eq!(stage.database.value("select count(*) from pg_replication_slots where slot_name = 'hoop_story'"), "0");
    let recorded = stage.recorded();
    assert!(recorded.contains("CREATE_REPLICATION_SLOT") && recorded.contains("DROP_REPLICATION_SLOT"), "{recorded}");
}

#[test]
fn a_connection_to_a_database_takes_sql_by_the_ordinary_rules() {
    let stage = stage(|_| {});
    let mut raw = stage.open("database");
    assert_eq!(tags(&raw.query("select 1")), "TDCZ");
    assert_eq!(tags(&raw.query("begin")), "CZ");
    assert_eq!(tags(&raw.query("set local search_path = public")), "CZ");
    assert_eq!(tags(&raw.query("select count(*) from orders")), "TDCZ");
    assert_eq!(tags(&raw.query("commit")), "CZ");
    let refused = raw.query("truncate orders");
    assert!(shown(&refused).contains("nothing-is-dropped"), "{refused:?}");
    assert_eq!(tags(&raw.query("IDENTIFY_SYSTEM")), "TDCZ");
    assert_eq!(tags(&raw.query("SHOW wal_level")), "TDCZ");
    for message in [parse("", "select 1"), bind("", "", &[], 0), execute("", 0)] {
        raw.send(&[message, sync()].concat());
        let replies = raw.until('Z');
        assert!(tags(&replies) == "EZ" && shown(&replies).contains("extended query protocol"), "{replies:?}");
    }
    raw.send(&call(957, &[&[0xff; 4]]));
    assert!(shown(&raw.until('Z')).contains("fastpath function calls not supported"));
    assert_eq!(tags(&raw.query("select 1")), "TDCZ");
}

#[test]
fn what_is_no_command_does_not_pass() {
    let stage = stage(|_| {});
    let mut raw = stage.open("true");
    for text in [
        "select 1",
        "truncate orders",
        "IDENTIFY_SYSTEM; select 1",
        "BASE_BACKUP (TARGET 'server', TARGET_DETAIL '/tmp/hoop-never')",
        "BASE_BACKUP (TARGET 'shell')",
        "START_REPLICATION 0/1 \\! rm",
        "START_REPLICATION SLOT \"a\nb\" 0/1",
        "UPLOAD_MANIFEST",
    ] {
        let replies = raw.query(text);
        assert!(tags(&replies) == "EZ" && shown(&replies).contains("0A000"), "{text}: {replies:?}");
    }
    assert_eq!(tags(&raw.query("IDENTIFY_SYSTEM")), "TDCZ");
    assert!(!Path::new("/tmp/hoop-never").exists());
}

#[test]
fn amid_a_stream_only_feedback_and_its_end_pass() {
    // A server of its own: no other story writes its log, so that a stream tells nothing by itself.
    let stage = stage_at(new_cluster(), |_| {});
    let position = stage.position();
    let feedback = |tag: u8, length: usize| {
        let mut body = vec![0; length];
        body[0] = tag;
        frame(b'd', &body)
    };
    let mut raw = stage.open("true");
    streams(&mut raw, &position);
    // A status that asks for an answer gets one: a keepalive.
    let mut status = vec![b'r'];
    status.resize(33, 0);
    status.push(1);
    raw.send(&frame(b'd', &status));
    assert_eq!(tags(&raw.until('d')), "d");
    raw.send(&[feedback(b'h', 25), frame(b'c', b"")].concat());
    let replies = raw.until('Z');
    assert!(tags(&replies).ends_with("CZ"), "{replies:?}");
    assert_eq!(tags(&raw.query("IDENTIFY_SYSTEM")), "TDCZ");
    for message in [
        feedback(b'x', 34),
        feedback(b'r', 33),
        frame(b'd', b""),
        frame(b'f', b"no\0"),
        super::evasions::raw::query("IDENTIFY_SYSTEM"),
        frame(b'Q', b"no end"),
    ] {
        let mut raw = stage.open("true");
        // From where the log stands now: the other stories of this server write much of it.
        streams(&mut raw, &stage.position());
        raw.send(&message);
        println!("sent {:?}", String::from_utf8_lossy(&message));
        let replies = raw.rest();
        assert!(shown(&replies).contains("FATAL") && shown(&replies).contains("08P01"), "{message:?}: {replies:?}");
    }
}

#[test]
fn a_stream_that_never_pauses_does_not_make_the_gateway_deaf() {
    let stage = stage_at(new_cluster(), |_| {});
    let position = stage.position();
    stage.database.value("create table noise (line text)");
    let noise = "insert into noise select repeat(md5(n::text), 40) from generate_series(1, 2000) n;\n".repeat(400);
    let mut writer = stage.database.direct().start();
    let mut raw = stage.open("true");
    streams(&mut raw, &position);
    writer.write(&noise);
    assert!(tags(&raw.until('d')).ends_with('d'));
    // The message has no place here and ends the session, however much comes behind it. Amid a message of the server
    // nothing can be said, so that only the end itself is sure.
    raw.send(&super::evasions::raw::query("IDENTIFY_SYSTEM"));
    raw.rest();
    drop(writer);
}

#[test]
fn somebody_from_whom_something_is_masked_replicates_nothing() {
    for masking in ["", MASKING] {
        let stage = stage(|site| site.write("masking.toml", masking));
        for (value, text) in [
            ("true", "START_REPLICATION 0/1000000"),
            ("true", "BASE_BACKUP"),
            ("database", "CREATE_REPLICATION_SLOT s LOGICAL test_decoding"),
        ] {
            let mut raw = stage.open(value);
            let replies = raw.query(text);
            let told = shown(&replies);
            assert!(tags(&replies) == "EZ" && told.contains("42501") && told.contains("carries every value"), "{told}");
        }
    }
}

#[test]
fn a_held_stream_begins_when_it_is_approved() {
    let stage = stage(|site| {
        site.write(
            "policies/held.cedar",
            "@id(\"streams-are-held\") @approval(\"dba\")\nforbid(principal, action == Action::\"replicate\", resource) \
             when { context.kind == \"start_replication\" };\n",
        );
    });
    let bob = Person::login(&stage.gateway, "bob");
    let mut raw = stage.open("true");
    assert_eq!(tags(&raw.query("IDENTIFY_SYSTEM")), "TDCZ");
    let position = stage.position();
    raw.send(&super::evasions::raw::query(&format!("START_REPLICATION PHYSICAL {position}")));
    let id = held(&mut raw);
    bob.run(&["approvals", "approve", &id, "--reason", "yes"]).success();
    assert_eq!(tags(&raw.until('W')), "W");
}

#[test]
fn a_policy_that_no_longer_permits_it_ends_the_stream() {
    let mut stage = stage(|_| {});
    let position = stage.position();
    let mut raw = stage.open("true");
    streams(&mut raw, &position);
    stage.gateway.site().write("policies/replication.cedar", "");
    assert!(stage.gateway.reload().contains("are in force"));
    let replies = raw.rest();
    assert!(shown(&replies).contains("replication connections are not allowed here"), "{replies:?}");
}
