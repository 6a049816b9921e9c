//! A site put in force as code: whole or not at all, its cases first, on record with who and why, while people work.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Instant,
};

use tempfile::TempDir;

use super::harness::{Cluster, Database, End, Gateway, Person, Site, Tunnel, Wire, until};

const ADMINISTER: &str = "@id(\"dba-administers\")\n\
    permit(principal in Group::\"dba\", action == Action::\"administer\", resource);\n";

struct Stage {
    database: Database,
    gateway: Gateway,
    alice: Person,
    bob: Person,
    wanted: TempDir,
}

fn stage() -> Stage {
    let database = Cluster::shared().database();
    let gateway = Gateway::start(Site::new(&database).policy("admin", ADMINISTER));
    let (alice, bob) = (Person::login(&gateway, "alice"), Person::login(&gateway, "bob"));
    let wanted = tempfile::Builder::new().prefix("hoop-wanted-").tempdir().expect("a folder");
    for file in ["gateway.toml", "connections.toml", "masking.toml", "policies/shop.cedar", "policies/admin.cedar"] {
        copy(gateway.site().path(), wanted.path(), file);
    }
    Stage { database, gateway, alice, bob, wanted }
}

fn copy(from: &Path, to: &Path, file: &str) {
    let target = to.join(file);
    fs::create_dir_all(target.parent().expect("a folder")).expect("made");
    fs::copy(from.join(file), target).expect("copied");
}

impl Stage {
    fn edit(&self, file: &str, part: &str, becomes: &str) {
        let path = self.wanted.path().join(file);
        let text = fs::read_to_string(&path).expect("readable");
        assert!(text.contains(part), "{file} has no {part}");
        fs::write(path, text.replace(part, becomes)).expect("written");
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.wanted.path().join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.wanted.path().join(file)).expect("readable")
    }

    /// Runs a command about the wanted site, as bob; gives its status and everything that it said.
    fn bob(&self, arguments: &[&str]) -> (i32, String) {
        let mut all: Vec<&str> = arguments.to_vec();
        let folder = self.wanted.path().to_string_lossy().into_owned();
        all.insert(1, &folder);
        let outcome = self.bob.run(&all);
        (outcome.code(), format!("{}{}", outcome.output, outcome.errors))
    }

    /// How many connections of the gateway's own are open to the story's database.
    fn own_connections(&self) -> String {
        let name = &self.database.name;
        let query = "select count(*) from pg_stat_activity where application_name = 'hoop gateway' and datname";
        self.database.value(&format!("{query} = '{name}'"))
    }

    fn in_force(&self) -> u64 {
        let versions = self.bob.json(&["site", "ls"]);
        versions["versions"][0]["version"].as_u64().expect("a version")
    }

    fn records(&self) -> String {
        let folder = self.gateway.site().data().join("recordings");
        let files = fs::read_dir(folder).expect("readable").filter_map(Result::ok);
        files.map(|entry| String::from_utf8_lossy(&fs::read(entry.path()).unwrap_or_default()).into_owned()).collect()
    }
}

const CASE: &str = "[[case]]\nprincipal = { user = \"alice\", groups = [\"engineers\"] }\nconnection = \"pg-prod\"\n\
    operation = \"DELETE FROM orders WHERE id = 7\"\ndecision = \"approval\"\nrule = \"deletes-are-held\"\n";

#[test]
fn a_site_is_applied_whole_with_its_cases_first_and_rolled_back() {
    let mut stage = stage();
    let folder = stage.wanted.path().to_string_lossy().into_owned();
    for arguments in
        [&["apply", &folder][..], &["diff", &folder], &["rollback"], &["site", "ls"], &["site", "show", "1"]]
    {
        assert_eq!(stage.alice.run(arguments).code(), 3, "{arguments:?}");
    }
    let (status, said) = stage.bob(&["diff"]);
    assert!(status == 0 && said.contains("nothing changes") && said.contains("version 1"), "{said}");

    let tunnel = Tunnel::open(&stage.alice, "pg-prod");
    let mut psql = tunnel.psql().going_on().start();
    psql.write("select 1;\n\\warn open\n");
    psql.expect_line("open");

    // A failing case stops everything.
    stage.edit("policies/shop.cedar", "@approval(\"dba\")\n@expires(\"15m\")", "");
    stage.write("tests/shop.toml", CASE);
    let (status, said) = stage.bob(&["apply"]);
    assert!(status == 1 && said.contains("approval was expected, and it is refuse"), "{said}");
    assert_eq!(stage.in_force(), 1);
    stage.write("tests/shop.toml", &CASE.replace("approval", "refuse"));
    let (status, said) = stage.bob(&["apply", "--message", "nobody deletes on fridays"]);
    assert!(
        status == 0 && said.contains("version 2 is in force") && said.contains("~ policy deletes-are-held"),
        "{said}"
    );
    psql.write("delete from orders where id = 7;\n");
    psql.expect_line("dba looks at every DELETE");
    let records = stage.records();
    assert!(
        records.contains("\"site_changed\"") && records.contains("nobody deletes on fridays"),
        "who and why is on record"
    );

    // Two at once: the later one looks again.
    let (status, said) = stage.bob(&["apply", "--base", "1"]);
    assert!(status == 1 && said.contains("hoop diff"), "{said}");

    // What the operator did not give, and what only a restart changes.
    let (connections, gateway) = (stage.read("connections.toml"), stage.read("gateway.toml"));
    stage.write("connections.toml", &connections.replace("secret = \"file:", "secret = \"file:/etc/../"));
    let (status, said) = stage.bob(&["apply"]);
    assert!(status == 1 && said.contains("[apply] references"), "{said}");
    stage.write("connections.toml", &connections.replace(&stage.database.address(), "127.0.0.1:1"));
    let (status, said) = stage.bob(&["apply"]);
    assert!(status == 1 && said.contains("does not use for this upstream"), "a secret goes nowhere else: {said}");
    stage.write("connections.toml", &connections);
    stage.write("gateway.toml", &format!("{gateway}\n[recordings]\ndurability = \"relaxed\"\n"));
    let (status, said) = stage.bob(&["diff"]);
    assert!(status == 1 && said.contains("needs a restart"), "{said}");
    stage.write("gateway.toml", &gateway);

    // A connection that comes is there for new sessions; one that changes ends its own, and says why.
    let second = connections.replace("name = \"pg-prod\"", "name = \"pg-copy\"");
    stage.write("connections.toml", &format!("{connections}\n{second}"));
    stage.edit("policies/shop.cedar", "resource == Connection::\"pg-prod\"", "resource");
    assert_eq!(stage.bob(&["apply"]).0, 0);
    assert_eq!(Tunnel::open(&stage.alice, "pg-copy").rows("select 40 + 2").trim(), "42");
    // No key names these rows: the planner is asked, on a connection of the gateway's own, which it keeps.
    // One that does not answer in time is given up, so it is asked again.
    let is_kept = (0..5).any(|_attempt| {
        psql.write("update orders set status = status where status = 'no such';\n\\warn still here\n");
        psql.expect_line("still here");
        stage.own_connections() != "0"
    });
    assert!(is_kept);
    stage.edit("connections.toml", "env = \"prod\"", "env = \"staging\"");
    let (status, said) = stage.bob(&["apply"]);
    assert!(status == 0 && said.contains("live sessions end: connection pg-prod was changed"), "{said}");
    psql.write("select 1;\n");
    psql.expect_line("connection pg-prod was changed");
    until("the gateway's own connections end too", || stage.own_connections() == "0");

    // Back, and the same after the gateway was killed.
    let back = stage.bob.run(&["rollback", "2", "--message", "too much at once"]).success();
    assert!(back.contains("version 5 is in force"), "{back}");
    assert_eq!(stage.alice.run(&["can", "pg-copy", "select 1"]).code(), 1);
    stage.gateway.kill();
    stage.gateway.launch(&[]);
    let said = stage.gateway.said();
    assert!(said.contains("version 5 (version 2 again, by bob: too much at once) is in force"), "{said}");
    let bob = Person::login(&stage.gateway, "bob");
    let first = bob.json(&["site", "show", "1"]);
    assert_eq!(first["site"]["standing"]["origin"], "folder");
    assert_eq!(bob.json(&["site", "ls"])["versions"][0]["version"], 5);
}

/// One statement of a client under load.
struct Asked {
    reads: bool,
    passed: bool,
    rule: Option<&'static str>,
    began: Instant,
    ended: Instant,
}

/// When a version was asked for, and when it was said to be in force.
struct Version {
    refuses_reads: bool,
    asked: Instant,
    in_force: Instant,
}

const NO_READS: &str = "@id(\"version-reads\")\nforbid(principal, action == Action::\"select\", resource);\n";
const NO_WRITES: &str = "@id(\"version-writes\")\nforbid(principal, action == Action::\"insert\", resource);\n";

#[test]
fn under_load_every_decision_is_one_that_a_version_in_force_makes() {
    let stage = stage();
    stage.write("policies/flip.cedar", NO_WRITES);
    assert_eq!(stage.bob(&["apply"]).0, 0);
    let tunnel = Tunnel::open(&stage.alice, "pg-prod");
    let (stop, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let began = Instant::now();
    let mut versions = vec![Version { refuses_reads: false, asked: began, in_force: began }];
    let asked: Vec<Asked> = std::thread::scope(|scope| {
        let (port, name, stop, answered) = (tunnel.port, tunnel.database.as_str(), &stop, &answered);
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(move || client(port, name, stop, answered))).collect();
        for round in 0..10 {
            let refuses_reads = round % 2 == 0;
            stage.write("policies/flip.cedar", if refuses_reads { NO_READS } else { NO_WRITES });
            let asked = Instant::now();
            let (status, said) = stage.bob(&["apply"]);
            assert_eq!(status, 0, "{said}");
            versions.push(Version { refuses_reads, asked, in_force: Instant::now() });
            // Some statements that only this version can have decided.
            let before = answered.load(Ordering::SeqCst);
            until("statements are answered", || answered.load(Ordering::SeqCst) > before + 40);
        }
        stop.store(true, Ordering::SeqCst);
        clients.into_iter().flat_map(|client| client.join().expect("a client")).collect()
    });
    let mut certain = 0;
    for one in &asked {
        let rule = if one.reads { "version-reads" } else { "version-writes" };
        assert!(one.passed || one.rule == Some(rule), "refused by the rule of a version, not by both or none");
        let possible: Vec<bool> = versions
            .iter()
            .enumerate()
            .filter(|(index, version)| {
                let next = versions.get(index + 1);
                version.asked <= one.ended && next.is_none_or(|next| one.began <= next.in_force)
            })
            .map(|(_, version)| version.refuses_reads == one.reads)
            .collect();
        assert!(possible.contains(&!one.passed), "no version that was in force decides so");
        certain += usize::from(possible.iter().all(|refuses| *refuses != one.passed));
    }
    assert!(certain > versions.len(), "too few statements had one possible outcome: {certain} of {}", asked.len());
    let inserted = asked.iter().filter(|one| !one.reads && one.passed).count();
    assert_eq!(stage.database.value("select count(*) from audit_trail where what = 'load'"), inserted.to_string());
}

fn client(port: u16, database: &str, stop: &AtomicBool, answered: &AtomicUsize) -> Vec<Asked> {
    let mut wire = Wire::to_port(port, "anyone", database);
    assert_eq!(wire.start(&[]), End::Reached);
    let mut asked = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        for reads in [true, false] {
            let text =
                if reads { "select id from orders limit 1" } else { "insert into audit_trail (what) values ('load')" };
            let from = wire.replies.len();
            let began = Instant::now();
            assert_eq!(wire.query(text), End::Reached, "a change of the policies ends no session");
            let replies = wire.replies.get(from..).unwrap_or_default();
            let refusal = replies.iter().find(|reply| reply.tag == b'E').map(|reply| format!("{reply:?}"));
            let rules = ["version-reads", "version-writes"];
            let rule = refusal.as_ref().and_then(|said| rules.into_iter().find(|rule| said.contains(rule)));
            answered.fetch_add(1, Ordering::SeqCst);
            asked.push(Asked { reads, passed: refusal.is_none(), rule, began, ended: Instant::now() });
        }
    }
    asked
}
