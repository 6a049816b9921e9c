//! Large objects as client libraries use them: function calls by protocol message, each decided by the name of its
//! function, recorded before it runs, and refused where what it reads could not be masked.

use std::fs;

use hoop_gateway_core::protocol::postgres::inspect::fastpath::ROUTINES;

use super::{
    evasions::{
        approvals::held,
        raw::{Raw, call, frame, shown, sync, tags},
    },
    harness::{Cluster, Database, Gateway, Person, Site, Tunnel, python},
};

const OPEN: u32 = 952;
const CLOSE: u32 = 953;
const READ: u32 = 954;
const WRITE: u32 = 955;
const UNLINK: u32 = 964;
const CREATE: u32 = 715;
const READ_AND_WRITE: &[u8] = &[0, 6, 0, 0];

struct Stage {
    database: Database,
    gateway: Gateway,
    alice: Person,
    tunnel: Tunnel,
}

/// Nothing is masked here, unless the site is changed again.
fn stage(change: impl FnOnce(&Site)) -> Stage {
    let database = Cluster::shared().database();
    let site = Site::new(&database);
    site.write("masking.toml", "detectors = []\n");
    change(&site);
    let gateway = Gateway::start(site);
    let alice = Person::login(&gateway, "alice");
    let tunnel = Tunnel::open(&alice, "pg-prod");
    Stage { database, gateway, alice, tunnel }
}

impl Stage {
    /// Makes a large object that holds this.
    fn object(&self, content: &str) -> u32 {
        let made = format!("select lo_from_bytea(0, '{content}')");
        let oid = self.database.value(&made);
        self.database.direct().run(&format!("alter large object {oid} owner to hoop_app")).success();
        oid.parse().expect("an oid")
    }

    fn recorded(&self) -> String {
        let listed = self.alice.run(&["sessions", "ls", "--output", "jsonl"]).success();
        let newest: serde_json::Value = serde_json::from_str(listed.lines().next().expect("one")).expect("JSON");
        let id = newest.get("id").and_then(serde_json::Value::as_str).expect("an id").to_owned();
        self.alice.json(&["sessions", "show", &id]).to_string()
    }
}

fn number(value: u32) -> [u8; 4] {
    value.to_be_bytes()
}

#[test]
fn the_table_of_functions_is_the_servers_own() {
    let database = Cluster::shared().database();
    for routine in &ROUTINES {
        let types: Vec<String> = routine.arguments.iter().map(|argument| (*argument as u32).to_string()).collect();
        let asked = format!(
            "select concat_ws(' ', proname, array_to_string(proargtypes::oid[], ','), prorettype::oid, pronargs, \
             prokind, lanname, pronamespace::regnamespace) from pg_proc join pg_language l on l.oid = prolang \
             where pg_proc.oid = {}",
            routine.oid
        );
        let expected = format!(
            "{} {} {} {} f internal pg_catalog",
            routine.name,
            types.join(","),
            routine.result as u32,
            types.len()
        );
        assert_eq!(database.value(&asked), expected);
    }
}

#[test]
fn psql_imports_lists_exports_and_unlinks() {
    let policy = "@id(\"comments\") permit(principal, action == Action::\"comment\", resource);\n";
    let stage = stage(|site| site.write("policies/comments.cedar", policy));
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    let content: Vec<u8> = (0..100_000_u32).map(|index| u8::try_from(index % 251).expect("small")).collect();
    fs::write(&from, &content).expect("written");
    let script = format!(
        "\\lo_import '{from}' 'a picture'\n\\set picture :LASTOID\n\\echo object :picture\n\\lo_list\n\\lo_export :picture '{to}'\n\
         begin;\n\\lo_unlink :picture\nrollback;\n\\lo_export :picture '{to}.again'\n\\lo_unlink :picture\n\\lo_list\n\
         select count(*) from pg_largeobject_metadata;\n",
        from = from.display(),
        to = to.display(),
    );
    let outcome = stage.tunnel.psql().going_on().run(&script);
    assert!(outcome.output.contains("object "), "{outcome:?}");
    for exported in [&to, &folder.path().join("to.again")] {
        let exported = fs::read(exported).unwrap_or_else(|error| panic!("{error}: {outcome:?}"));
        assert!(exported == content, "another content: {outcome:?}");
    }
    assert!(outcome.output.ends_with("0\n"), "{outcome:?}");
    let recorded = stage.recorded();
    for part in ["SELECT pg_catalog.lo_open($1, $2)", "SELECT pg_catalog.lowrite($1, $2)", "FUNCTION CALL"] {
        assert!(recorded.contains(part), "{part}: {recorded}");
    }
}

#[test]
fn psycopg2_reads_writes_seeks_and_truncates() {
    let stage = stage(|_| {});
    python("psycopg2_objects.py", &stage.tunnel).success();
    assert_eq!(stage.database.value("select count(*) from pg_largeobject_metadata"), "0");
}

#[test]
fn a_call_is_answered_in_a_transaction_and_in_a_pipeline() {
    let stage = stage(|_| {});
    let oid = stage.object("0123456789");
    let mut raw = Raw::open(&stage.tunnel);
    raw.query("begin");
    // Three calls sent together: each has a ReadyForQuery of its own.
    raw.send(
        &[
            call(OPEN, &[&number(oid), READ_AND_WRITE]),
            call(WRITE, &[&number(0), b"ab"]),
            call(READ, &[&number(0), &number(3)]),
        ]
        .concat(),
    );
    let replies = [raw.until('Z'), raw.until('Z'), raw.until('Z')];
    assert_eq!(replies.each_ref().map(|replies| tags(replies)), ["VZ", "VZ", "VZ"], "{replies:?}");
    assert_eq!(replies[2][0].body, b"\0\0\0\x03234", "{replies:?}");
    assert_eq!(tags(&raw.query("commit")), "CZ");
    assert_eq!(stage.database.value(&format!("select encode(lo_get({oid}), 'escape')")), "ab23456789");
}

#[test]
fn a_refused_call_leaves_the_transaction_as_an_error_would() {
    let stage = stage(|site| {
        site.write(
            "policies/objects.cedar",
            "@id(\"objects-stay\") @message(\"large objects are not written here\")\n\
             forbid(principal, action == Action::\"update\", resource is Table) when { resource.name == \"lowrite\" };\n",
        );
    });
    let oid = stage.object("kept");
    let mut raw = Raw::open(&stage.tunnel);
    raw.query("begin");
    raw.query("insert into audit_trail (what) values ('before')");
    raw.send(&call(OPEN, &[&number(oid), READ_AND_WRITE]));
    assert_eq!(tags(&raw.until('Z')), "VZ");
    raw.send(&call(WRITE, &[&number(0), b"gone"]));
    let refused = raw.until('Z');
    assert!(shown(&refused).contains("large objects are not written here"), "{refused:?}");
    assert_eq!((tags(&refused).as_str(), refused[refused.len() - 1].body.as_slice()), ("EZ", b"E".as_slice()));
    assert!(shown(&raw.query("select 1")).contains("25P02"));
    assert_eq!(tags(&raw.query("rollback")), "CZ");
    assert_eq!(stage.database.value("select count(*) from audit_trail where what = 'before'"), "0");
    // Idle, and with a batch before it: what the batch did stays undone, as after any error.
    raw.send(&call(WRITE, &[&number(0), b"gone"]));
    assert_eq!(tags(&raw.until('Z')), "EZ");
    assert_eq!(tags(&raw.query("select 1")), "TDCZ");
    assert_eq!(stage.database.value(&format!("select encode(lo_get({oid}), 'escape')")), "kept");
    assert!(stage.recorded().contains("objects-stay"));
}

#[test]
fn a_held_call_runs_when_it_is_approved() {
    let stage = stage(|site| {
        site.write(
            "policies/objects.cedar",
            "@id(\"unlinks-are-held\") @approval(\"dba\")\n\
             forbid(principal, action == Action::\"update\", resource is Table) when { resource.name == \"lo_unlink\" };\n",
        );
    });
    let bob = Person::login(&stage.gateway, "bob");
    let (first, second) = (stage.object("first"), stage.object("second"));
    let mut raw = Raw::open(&stage.tunnel);
    raw.send(&call(UNLINK, &[&number(first)]));
    let id = held(&mut raw);
    let told = bob.run(&["approvals", "show", &id]).success();
    assert!(told.contains("lo_unlink") && told.contains(&first.to_string()), "{told}");
    bob.run(&["approvals", "approve", &id, "--reason", "yes"]).success();
    assert_eq!(tags(&raw.until('Z')), "VZ");
    raw.send(&call(UNLINK, &[&number(second)]));
    let id = held(&mut raw);
    bob.run(&["approvals", "deny", &id, "--reason", "no"]).success();
    assert!(shown(&raw.until('Z')).contains("42501"));
    assert_eq!(
        stage.database.value("select string_agg(encode(lo_get(oid), 'escape'), ',') from pg_largeobject_metadata"),
        "second"
    );
}

#[test]
fn what_an_object_holds_does_not_pass_where_anything_is_masked() {
    for masking in ["", super::evasions::MASKING] {
        let stage = stage(|site| site.write("masking.toml", masking));
        let oid = stage.object("ada@example.com has 7946 0001");
        let mut raw = Raw::open(&stage.tunnel);
        raw.query("begin");
        raw.send(&call(OPEN, &[&number(oid), READ_AND_WRITE]));
        assert_eq!(tags(&raw.until('Z')), "VZ");
        raw.send(&call(READ, &[&number(0), &number(100)]));
        let refused = raw.until('Z');
        assert!(shown(&refused).contains("what a large object holds cannot be masked"), "{refused:?}");
        assert!(shown(&refused).contains("42501") && shown(&refused).contains("Ask somebody"), "{refused:?}");
        assert_eq!(refused[refused.len() - 1].body, b"E");
        raw.query("rollback");
        for text in
            [format!("select lo_get({oid})"), format!("select encode(loread(lo_open({oid}, 262144), 90), 'escape')")]
        {
            let replies = raw.query(&text);
            assert!(!shown(&replies).contains("7946") && !shown(&replies).contains("ada@"), "{text}: {replies:?}");
        }
        assert!(!stage.recorded().contains("7946 0001"), "the record holds it");
    }
}

#[test]
fn calls_that_lie_or_have_no_rule_are_refused_and_the_session_goes_on() {
    let stage = stage(|_| {});
    let oid = stage.object("kept");
    let mut raw = Raw::open(&stage.tunnel);
    let import = |path: &[u8]| call(764, &[path]);
    let huge = {
        let mut body = WRITE.to_be_bytes().to_vec();
        body.extend_from_slice(&[0, 1, 0, 1, 0, 2, 0, 0, 0, 4, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, b'x']);
        frame(b'F', &body)
    };
    let many = frame(b'F', &[&WRITE.to_be_bytes()[..], &[0, 0, 0xff, 0xff]].concat());
    for (name, message, sqlstate) in [
        ("lo_import", import(b"/etc/passwd"), "0A000"),
        ("lo_export", call(765, &[&number(oid), b"/tmp/hoop-never"]), "0A000"),
        ("lo_put", call(3460, &[&number(oid), &[0; 8], b"gone"]), "0A000"),
        ("nextval", call(1574, &[b"orders_id_seq"]), "0A000"),
        ("no function", call(0, &[]), "0A000"),
        ("too few", call(UNLINK, &[]), "08P01"),
        ("too many", call(CLOSE, &[&number(0), &number(0)]), "08P01"),
        ("of another length", call(UNLINK, &[&[0; 8]]), "08P01"),
        ("as much as there is", call(READ, &[&number(0), &number(0x7fff_ffff)]), "54000"),
        ("an argument past the end", huge, "08P01"),
        ("arguments past the end", many, "08P01"),
        ("too long", frame(b'F', &vec![0; (16 << 20) + 1]), "54000"),
    ] {
        raw.send(&message);
        let replies = raw.until('Z');
        assert!(tags(&replies) == "EZ" && shown(&replies).contains(sqlstate), "{name}: {replies:?}");
    }
    raw.send(&[call(CREATE, &[&number(0)]), sync()].concat());
    assert_eq!([tags(&raw.until('Z')), tags(&raw.until('Z'))], ["VZ", "Z"]);
    assert_eq!(stage.database.value(&format!("select encode(lo_get({oid}), 'escape')")), "kept");
}
