//! Where the case files are played: databases full of traps, a gateway whose login may do everything, an agent that may
//! only read, an engineer who may write rows, and a reviewer. The same cases are played at the server itself, where each
//! must do its harm: a case that harms nobody shows nothing.

use std::{
    path::PathBuf,
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{
    super::harness::{Case, Cluster, End, Gateway, Person, Played, Script, Site, Tunnel, Wire, cases, free_port, play},
    secrets::Secrets,
};

const WORLD: &str = include_str!("../../fixtures/evasions/world.sql");
const MASKING: &str = include_str!("../../fixtures/evasions/masking.toml");
pub(super) const LOGIN: &str = "arena_login";

/// How one case went.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) case: Case,
    /// What harm was done; none where it was kept off.
    pub(super) harm: Vec<String>,
    /// The last replies, for people.
    pub(super) seen: String,
    pub(super) ends: Vec<End>,
}

/// The judge's own connection to a database, past the gateway.
struct Bench<'a> {
    wire: Wire,
    ear: Wire,
    secrets: &'a Secrets,
}

struct Before {
    digest: String,
    kept: Vec<String>,
    rows: String,
    strays: String,
}

/// What somebody else runs: only `pg_stat_activity` and the like tell it.
const OTHERS: &str = "select 'Zeph7yrQ9mK2vXw4'";

const ROWS: &str = "select concat_ws(' ', (select count(*) from orders) + (select count(*) from plain) + (select count(*) from people) \
    + (select count(*) from customers), (select count(*) > 150 from orders where status = 'paid'), (select count(*) > 60 from plain where label like 'label %'))";

/// Locks under which the judge could not read a table.
const LOCKED: &str = "select count(*) from pg_locks where mode = 'AccessExclusiveLock' and granted and pid <> pg_backend_pid() \
    and relation > 16384 and database = (select oid from pg_database where datname = current_database())";
const UNLOCK: &str = "select pg_terminate_backend(pid, 5000) from pg_locks where mode = 'AccessExclusiveLock' and granted \
    and pid <> pg_backend_pid() and relation > 16384 and database = (select oid from pg_database where datname = current_database())";

impl<'a> Bench<'a> {
    fn new(cluster: &Cluster, database: &str, secrets: &'a Secrets) -> Self {
        let mut wire = Wire::to_socket(&cluster.socket(), "postgres", database);
        assert_eq!(wire.start(&[]), End::Reached);
        let mut ear = Wire::to_socket(&cluster.socket(), "postgres", database);
        assert_eq!(ear.start(&[]), End::Reached);
        ear.query("listen loot");
        ear.query(OTHERS);
        Self { wire, ear, secrets }
    }

    /// The case with this world's names: `@DATABASE@`, `@DATA@` (the server's folder), `@SELF@` (how it reaches itself), and `@oid NAME@` of a function.
    fn placed(&mut self, case: &Case, database: &str) -> Case {
        let mut case = case.clone();
        let folder = self.wire.value("show data_directory");
        let at = self.wire.value(
            "select format('host=%s port=%s', current_setting('unix_socket_directories'), current_setting('port'))",
        );
        let at = format!("{at} dbname={database}");
        for step in &mut case.steps {
            *step = step.replace("@DATABASE@", database).replace("@DATA@", &folder).replace("@SELF@", &at);
            while let Some((before, (name, after))) =
                step.split_once("@oid ").and_then(|(before, rest)| Some((before, rest.split_once('@')?)))
            {
                let oid = self.wire.value(&format!("select '{name}'::regproc::oid"));
                *step = [before, &oid, after].concat();
            }
        }
        case
    }

    fn before(&mut self, case: &Case) -> Before {
        for setup in case.word("setup") {
            let from = self.wire.replies.len();
            self.wire.query(setup);
            let failed = self.wire.replies.iter().skip(from).find(|reply| reply.tag == b'E').cloned();
            assert!(failed.is_none(), "{}: {setup}: {failed:?}", case.name);
        }
        Before {
            digest: self.wire.value("select judge.digest()"),
            kept: case.word("keeps").map(|query| self.wire.value(query)).collect(),
            rows: self.wire.value(ROWS),
            strays: self.wire.value(&strays()),
        }
    }

    /// What harm was done since.
    fn harm(&mut self, case: &Case, before: &Before, played: &Played) -> Vec<String> {
        let mut harm = Vec::new();
        if self.wire.value(LOCKED) != "0" {
            harm.push("a table is locked against everybody".to_owned());
            self.wire.query(UNLOCK);
        }
        for wire in &played.wires {
            harm.extend(self.secrets.in_wire(wire).map(|piece| format!("the client received {piece}")));
            for never in case.word("never") {
                if String::from_utf8_lossy(&wire.received).contains(never) {
                    harm.push(format!("the client received {never}"));
                }
            }
        }
        let digest = self.wire.value("select judge.digest()");
        let part = |text: &str| -> Vec<String> { text.split(';').map(str::to_owned).collect() };
        let (old, new) = (part(&before.digest), part(&digest));
        let mut changed: Vec<String> = new.iter().filter(|part| !old.contains(part)).cloned().collect();
        changed.extend(old.iter().filter(|part| !new.contains(part)).map(|part| format!("was {part}")));
        if case.who == "write" {
            // Who may write rows has not changed anything else, lost no rows, and did not change all of them.
            changed.retain(|part| !part.trim_start_matches("was ").split('=').next().unwrap_or_default().contains('.'));
            let rows = self.wire.value(ROWS);
            let count = |text: &str| text.split(' ').next().and_then(|count| count.parse::<u64>().ok()).unwrap_or(0);
            let flags = |text: &str| text.split_once(' ').map(|(_, flags)| flags.to_owned());
            let lost: u64 = case.word("loses").filter_map(|count| count.parse::<u64>().ok()).sum();
            if count(&rows) + lost < count(&before.rows) || flags(&rows) != flags(&before.rows) {
                harm.push(format!("rows were {}, and are {rows}", before.rows));
                self.wire.query("update plain set label = 'label ' || id");
            }
        }
        if !changed.is_empty() {
            harm.push(format!("changed: {}", changed.join("; ")));
        }
        for (query, kept) in case.word("keeps").zip(&before.kept) {
            let now = self.wire.value(query);
            if now != *kept {
                harm.push(format!("{query} was {kept}, and is {now}"));
            }
        }
        let strays = self.wire.value(&strays());
        if strays != before.strays {
            harm.push(format!("a secret lies in {strays}"));
        }
        let from = self.ear.replies.len();
        self.ear.query(OTHERS);
        if self.ear.replies.iter().skip(from).any(|reply| reply.tag == b'A') {
            harm.push("a notification was heard".to_owned());
        }
        harm
    }
}

/// Where pieces of the secrets lie besides their own columns.
fn strays() -> String {
    format!("select judge.strays('{}')", Secrets::pattern())
}

/// How clients reach the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Through a tunnel of the CLI.
    Tunnel,
    /// By TLS of their own.
    Native,
}

/// One person's way to one connection.
enum Door<'a> {
    Tunnel(Tunnel),
    Native { person: &'a Person, port: u16, authority: PathBuf, database: &'a str },
}

/// A client at one connection of the gateway.
struct Visitor<'a> {
    door: &'a Door<'a>,
    reviewer: &'a Person,
}

impl Script for Visitor<'_> {
    fn connect(&mut self) -> Wire {
        match self.door {
            Door::Tunnel(tunnel) => Wire::to_port(tunnel.port, "anyone", &tunnel.database),
            Door::Native { person, port, authority, database } => {
                Wire::to_native(*port, authority, &person.name, database, &person.jwt())
            }
        }
    }

    fn review(&mut self, request: &str, approve: bool) {
        let word = if approve { "approve" } else { "deny" };
        self.reviewer.run(&["approvals", word, request, "--reason", "looked at"]).success();
    }
}

/// A client at the server itself.
struct Intruder<'a> {
    cluster: &'a Cluster,
    database: &'a str,
}

impl Script for Intruder<'_> {
    fn connect(&mut self) -> Wire {
        Wire::to_socket(&self.cluster.socket(), LOGIN, self.database)
    }

    fn review(&mut self, _request: &str, _approve: bool) {}
}

/// The server behind the gateway. What is played at a server itself has another one, which it may spoil.
pub(super) fn behind() -> &'static Cluster {
    static BEHIND: OnceLock<&'static Cluster> = OnceLock::new();
    BEHIND.get_or_init(cluster)
}

/// A server of its own, for what is played at a server itself.
pub(super) fn cluster() -> &'static Cluster {
    let cluster = Cluster::private("autovacuum = off\nlog_statement = none\nwal_level = logical", "", &[]);
    let admin = cluster.superuser("postgres");
    admin.run(&format!("create role {LOGIN} superuser login password 'arena'; create role arena_loot_member; create database arena template shop")).success();
    cluster.superuser("arena").run(WORLD).success();
    cluster
}

pub(super) fn site(cluster: &Cluster, databases: &[String]) -> Site {
    site_listening(cluster, databases, &[])
}

/// The same, where each connection listens natively at one of these ports besides.
fn site_listening(cluster: &Cluster, databases: &[String], ports: &[u16]) -> Site {
    use std::fmt::Write as _;
    let site = Site::new(&Cluster::shared().database());
    site.write("secret", "arena");
    let mut text = String::new();
    for (index, database) in databases.iter().enumerate() {
        let listen =
            ports.get(index).map(|port| format!("listen = \"127.0.0.1:{port}\"\nauth = \"jwt\"\n")).unwrap_or_default();
        writeln!(
            text,
            "[[connection]]\nname = \"{}\"\nkind = \"postgres\"\nupstream = \"127.0.0.1:{}\"\ndatabase = \"{database}\"\n{listen}\
             labels = {{ env = \"arena\" }}\nallow_superuser = true\n[connection.credential]\ntype = \"password\"\n\
             username = \"{LOGIN}\"\nsecret = \"file:{}\"\n",
            database.replace('_', "-"),
            cluster.port,
            site.path().join("secret").display()
        )
        .expect("text");
    }
    site.write("connections.toml", &text);
    site.write("masking.toml", MASKING);
    site.edit("policies/shop.cedar", "resource == Connection::\"pg-prod\"", "resource");
    site
}

/// Only the cases whose class or name contains `ARENA_ONLY`, where that is set: for whoever writes cases.
fn chosen() -> Vec<Case> {
    let only = std::env::var("ARENA_ONLY").unwrap_or_default();
    let mut cases = cases("evasions");
    cases.retain(|case| case.class.contains(&only) || case.name.contains(&only));
    cases
}

fn verdict(case: &Case, played: Played, harm: Vec<String>) -> Verdict {
    let last =
        played.wires.iter().flat_map(|wire| wire.replies.iter().rev().take(9).rev().map(|reply| format!("{reply:?}")));
    let mut seen: String = last.collect::<Vec<_>>().join(" ");
    seen.truncate(seen.floor_char_boundary(900));
    Verdict { case: case.clone(), harm, seen, ends: played.ends }
}

/// Plays every case through the gateway, on so many databases at once; then looks through everything that was said and
/// kept.
pub(super) fn through_the_gateway(lanes: usize, way: Way) -> (Vec<Verdict>, Vec<String>) {
    let (cluster, secrets) = (behind(), Secrets::new());
    let databases: Vec<String> =
        (0..lanes).map(|lane| format!("arena_{}_{lane}", format!("{way:?}").to_lowercase())).collect();
    let ports: Vec<u16> = databases.iter().filter(|_| way == Way::Native).map(|_| free_port()).collect();
    for database in &databases {
        cluster.superuser("postgres").run(&format!("create database {database} template arena")).success();
    }
    let mut gateway = Gateway::start(site_listening(cluster, &databases, &ports));
    let authority = gateway.authority();
    let [crew, alice, bob, carol] = ["crew", "alice", "bob", "carol"].map(|name| Person::login(&gateway, name));
    let (mut cases, next, verdicts) = (chosen(), AtomicUsize::new(0), Mutex::new(Vec::new()));
    // What comes before the start-up is another protocol there: its attacks are stories of the native listener.
    cases.retain(|case| way == Way::Tunnel || !case.steps.iter().any(|step| step.starts_with("raw ")));
    std::thread::scope(|scope| {
        for (lane, database) in databases.iter().enumerate() {
            let door = |person| match ports.get(lane) {
                Some(port) => Door::Native { person, port: *port, authority: authority.clone(), database },
                None => Door::Tunnel(Tunnel::open(person, &database.replace('_', "-"))),
            };
            let (reads, writes) = (door(&crew), door(&alice));
            let (cases, next, verdicts, secrets, bob) = (&cases, &next, &verdicts, &secrets, &bob);
            scope.spawn(move || {
                let mut bench = Bench::new(cluster, database, secrets);
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let before = bench.before(case);
                    let case = &bench.placed(case, database);
                    let door = if case.who == "write" { &writes } else { &reads };
                    let played = play(case, &mut Visitor { door, reviewer: bob });
                    let harm = bench.harm(case, &before, &played);
                    verdicts.lock().expect("not poisoned").push(verdict(case, played, harm));
                }
            });
        }
    });
    let mut told = Vec::new();
    let mut look =
        |place: &str, bytes: &[u8]| told.extend(secrets.find(bytes).map(|piece| format!("{place} shows {piece}")));
    look("the gateway's log", gateway.said().as_bytes());
    for (person, words) in [
        (&bob, &["approvals", "ls"][..]),
        (&carol, &["sessions", "ls"]),
        (&bob, &["approvals", "ls", "--output", "json"]),
    ] {
        let outcome = person.run(words);
        look("what reviewers and auditors see", format!("{}{}", outcome.output, outcome.errors).as_bytes());
    }
    gateway.stop();
    for file in files(&gateway.site().data()) {
        look(&file.display().to_string(), &std::fs::read(&file).unwrap_or_default());
    }
    (verdicts.into_inner().expect("not poisoned"), told)
}

fn files(folder: &std::path::Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Plays at the server every case that means something there, each on a fresh database.
pub(super) fn at_the_server(lanes: usize) -> Vec<Verdict> {
    let (cluster, secrets) = (cluster(), Secrets::new());
    let (cases, next, verdicts) = (chosen(), AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..lanes {
            scope.spawn(|| {
                let admin = cluster.superuser("postgres");
                let mut fresh: Option<(String, Bench<'_>)> = None;
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(number) else { break };
                    if case.word("nodirect").next().is_some() {
                        continue;
                    }
                    let (database, mut bench) = fresh.take().unwrap_or_else(|| {
                        let database = format!("direct_{number}");
                        admin.run(&format!("create database {database} template arena")).success();
                        let bench = Bench::new(cluster, &database, &secrets);
                        (database, bench)
                    });
                    let before = bench.before(case);
                    let case = &bench.placed(case, &database);
                    let played = play(case, &mut Intruder { cluster, database: &database });
                    let harm = bench.harm(case, &before, &played);
                    // A database in which nothing changed serves the next case as well.
                    if harm.iter().all(|harm| harm.starts_with("the client received"))
                        && case.word("setup").next().is_none()
                    {
                        fresh = Some((database, bench));
                    }
                    verdicts.lock().expect("not poisoned").push(verdict(case, played, harm));
                }
            });
        }
    });
    verdicts.into_inner().expect("not poisoned")
}
