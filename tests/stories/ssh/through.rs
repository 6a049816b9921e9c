//! Ways that lead to other connections of the site: psql and curl through `ssh -L`, each inspected by its own kind; two
//! decisions, two records that name each other, and one end.

use std::process::Command;

use crate::stories::harness::{
    Cluster, Database, Gateway, Outcome, Person, Program, Psql, Site, Sshd, Stream, Tunnel, free_port, start_python,
    until,
};

const POLICY: &str = r#"
@id("bastion-connect")
permit(principal, action == Action::"connect", resource == Connection::"bastion");

@id("commands")
permit(principal, action in [Action::"session", Action::"exec"], resource)
when { context.kind == "ssh_exec" };

@id("api-connect")
permit(principal in Group::"engineers", action == Action::"connect", resource == Connection::"shop-api");

@id("inner-connect")
permit(principal in Group::"engineers", action == Action::"connect", resource == Connection::"inner");

@id("ways")
permit(principal, action == Action::"ssh_forward", resource)
when { resource is SystemObject && resource.name != "held.internal:80" && resource.name != "never.internal:5432" };

@id("looked-at-ways")
permit(principal, action == Action::"ssh_forward", resource)
when { resource is SystemObject && resource.name == "held.internal:80" };

@id("ways-are-held") @approval("dba") @message("a dba looks at this way")
forbid(principal, action == Action::"ssh_forward", resource)
when { resource is SystemObject && resource.name == "held.internal:80" };

@id("no-orders-are-made") @message("orders are made in the shop")
forbid(principal, action == Action::"http_post", resource);
"#;

struct Stage {
    _upstream: Program,
    _sshd: Sshd,
    database: Database,
    gateway: Gateway,
    alice: Person,
}

fn stage() -> Stage {
    let (sshd, database) = (Sshd::start(), Cluster::shared().database());
    let api = free_port();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/http/upstream.py");
    let facts = [("STORY_SCRIPT", script), ("STORY_PORT", &api.to_string())];
    let mut upstream = start_python("../http/start.py", &facts);
    upstream.expect_line("ready");
    let site = Site::new(&database).policy("ways", POLICY);
    let postgres = std::fs::read_to_string(site.path().join("connections.toml")).expect("readable");
    let http = format!(
        "[[connection]]\nname = \"shop-api\"\nkind = \"http\"\nupstream = \"http://127.0.0.1:{api}\"\n\
         [connection.credential]\ntype = \"none\"\n\n"
    );
    // No name is looked up: the gateway serves each itself.
    let ways = "ways = { \"db1.internal:5432\" = \"pg-prod\", \"api.internal:80\" = \"shop-api\", \
                \"held.internal:80\" = \"shop-api\", \"inner.internal:22\" = \"inner\", \
                \"never.internal:5432\" = \"pg-prod\", \"/run/db1.sock\" = \"pg-prod\" }";
    let inner = "ways = { \"db1.internal:5432\" = \"pg-prod\", \"again.internal:22\" = \"bastion\" }";
    let machines = format!("{}{}", sshd.connection("bastion", ways), sshd.connection("inner", inner));
    site.write("connections.toml", &format!("{postgres}\n{http}{machines}"));
    let gateway = Gateway::start(site);
    let alice = Person::login(&gateway, "alice");
    Stage { _upstream: upstream, _sshd: sshd, database, gateway, alice }
}

/// `ssh -N -L` to each of these, each at a port of its own.
fn ways<const COUNT: usize>(tunnel: u16, to: [&str; COUNT]) -> ([u16; COUNT], Program) {
    let ports = to.map(|_| free_port());
    let mut ssh = Sshd::client("ssh", tunnel);
    ssh.args(["-N", "-o", "ExitOnForwardFailure=yes"]);
    for (port, to) in ports.iter().zip(to) {
        ssh.args(["-L", &format!("127.0.0.1:{port}:{to}")]);
    }
    let running = Program::start(ssh.arg("127.0.0.1"));
    // Asked of the kernel: who tries the port takes it away from ssh for a moment, or opens a way.
    let listens = |port: &u16| {
        let sockets = std::fs::read_to_string("/proc/net/tcp").expect("readable");
        sockets.contains(&format!("0100007F:{port:04X} 00000000:0000 0A"))
    };
    until("its ports are open", || ports.iter().all(listens));
    (ports, running)
}

fn curl(port: u16, path: &str, more: &[&str]) -> Outcome {
    let mut command = Command::new("curl");
    command.args(["-sS", "-m", "50", "--noproxy", "*", "-w", "%{http_code}"]).args(more);
    Program::run(command.arg(format!("http://127.0.0.1:{port}{path}")), "")
}

impl Stage {
    fn psql(&self, port: u16) -> Psql {
        Psql::new("127.0.0.1", port, "anyone", &self.database.name)
    }

    /// The sessions of one connection, the newest first.
    fn sessions(&self, connection: &str) -> Vec<String> {
        let listed = self.alice.json(&["sessions", "ls"]);
        let all = listed["sessions"].as_array().expect("a list").clone();
        let of = |session: &&serde_json::Value| session["connection"].to_string().contains(connection);
        let id = |session: &serde_json::Value| session["id"].as_str().map(str::to_owned);
        all.iter().filter(of).filter_map(id).collect()
    }

    fn recorded(&self, connection: &str) -> String {
        let each = self.sessions(connection);
        each.iter().map(|id| self.alice.run(&["replay", id, "--output", "jsonl"]).success()).collect()
    }
}

/// The request that a line of this kind tells of.
fn request(program: &mut Program, kind: &str) -> String {
    program.expect("that it is held", |stream, line| {
        let line = if line.contains(kind) { line } else { "" };
        let mut words = line.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
        words.find(|word| word.starts_with("apr_") && stream == Stream::Errors).map(str::to_owned)
    })
}

#[test]
fn a_way_to_a_connection_is_inspected_by_it_and_both_records_name_each_other() {
    let stage = stage();
    let bob = Person::login(&stage.gateway, "bob");
    let tunnel = Tunnel::open(&stage.alice, "bastion");
    let targets = ["db1.internal:5432", "api.internal:80", "never.internal:5432", "/run/db1.sock"];
    let ([db, api, never, socket], running) = ways(tunnel.port, targets);
    let run = |statement: &str| stage.psql(db).run(statement);
    // PostgreSQL: what passes, what is refused, what is masked, what is held.
    assert_eq!(run("select count(*) from orders;\n").success().trim(), "200");
    let refused = run("drop table orders;\n");
    assert!(refused.errors.contains("42501") && refused.errors.contains("neither dropped"), "{refused:?}");
    let masked = run("select email from customers where id = 1;\n").success();
    assert!(!masked.contains("ada@example.com") && masked.contains('@'), "{masked}");
    let mut waiting = stage.psql(db).start();
    waiting.write("delete from orders where id = 7;\n");
    waiting.close_input();
    let id = request(&mut waiting, "");
    bob.run(&["approvals", "approve", &id]).success();
    waiting.finish().success();
    assert_eq!(stage.database.value("select count(*) from orders"), "199");
    assert_eq!(stage.psql(socket).run("select 'by its socket';\n").success().trim(), "by its socket");
    // TLS is not for this end: as through a tunnel.
    let mut secured = stage.psql(db).command();
    let secured = Program::run(secured.env("PGSSLMODE", "require").env("PGCONNECT_TIMEOUT", "30"), "select 1;\n");
    assert!(secured.errors.contains("SSL"), "{secured:?}");
    // Whatever comes first, it is that connection's protocol or nothing.
    let strange = curl(db, "/", &[]);
    assert_ne!(strange.status.code(), Some(0), "{strange:?}");
    let never = stage.psql(never).run("select 1;\n");
    assert_ne!(never.status.code(), Some(0), "the way itself is decided, too: {never:?}");
    // HTTP.
    let said = |path: &str, more: &[&str]| curl(api, path, more).success().trim_end().to_owned();
    let read = said("/echo", &[]);
    assert!(read.ends_with("200") && read.contains("/echo"), "{read}");
    let people = said("/people", &[]);
    assert!(people.ends_with("200") && !people.contains("jane@example.com"), "{people}");
    let made = said("/echo", &["-d", "x=1"]);
    assert!(made.ends_with("403") && made.contains("orders are made in the shop"), "{made}");
    drop(running);
    // Two records, each with the other's name.
    let [outer] = &stage.sessions("bastion")[..] else { panic!("one session of the machine") };
    until("the ways are on record", || {
        let outside = stage.recorded("bastion");
        let noted = outside.lines().filter(|line| line.contains("\"kind\":\"forward\"") || line.contains("bytes_up"));
        let named = |id: &String| noted.clone().any(|line| line.contains(id.as_str()));
        stage.sessions("pg-prod").iter().chain(&stage.sessions("shop-api")).all(named)
            && ["\"protocol\":\"postgres\"", "\"protocol\":\"http\""].iter().all(|part| outside.contains(part))
    });
    for inside in [stage.recorded("pg-prod"), stage.recorded("shop-api")] {
        assert!(inside.contains(&format!("\"through\":\"{outer}\"")), "{inside}");
    }
    // A machine behind the machine, and a database behind that; no ring goes on for ever.
    let ([inner], _first) = ways(tunnel.port, ["inner.internal:22"]);
    let said = Program::run(Sshd::client("ssh", inner).args(["127.0.0.1", "echo within"]), "");
    assert_eq!(said.output, "within\n", "{said:?}");
    let ([db, again], _second) = ways(inner, ["db1.internal:5432", "again.internal:22"]);
    assert_eq!(stage.psql(db).run("select 1;\n").success().trim(), "1");
    let ([deeper], _third) = ways(again, ["db1.internal:5432"]);
    assert_ne!(stage.psql(deeper).run("select 1;\n").status.code(), Some(0), "three deep is enough");
}

#[test]
fn both_decisions_hold_and_whatever_ends_the_way_ends_what_came_through() {
    let mut stage = stage();
    // Bob may use every way, and not the connection that two of them lead to.
    let bob = Person::login(&stage.gateway, "bob");
    let his = Tunnel::open(&bob, "bastion");
    let mut told = Sshd::client("ssh", his.port);
    let port = free_port();
    told.args(["-L", &format!("127.0.0.1:{port}:api.internal:80"), "127.0.0.1", "echo ready; sleep 600"]);
    let mut told = Program::start(&mut told);
    told.expect_line("ready");
    assert_ne!(curl(port, "/echo", &[]).status.code(), Some(0));
    told.expect("why", |stream, line| (stream == Stream::Errors && line.contains("shop-api")).then_some(()));
    drop((told, his));
    // A held way: denied it is refused, approved it goes on.
    let tunnel = Tunnel::open(&stage.alice, "bastion");
    let port = free_port();
    let mut holding = Sshd::client("ssh", tunnel.port);
    holding.args(["-L", &format!("127.0.0.1:{port}:held.internal:80"), "127.0.0.1", "echo ready; sleep 600"]);
    let mut holding = Program::start(&mut holding);
    holding.expect_line("ready");
    let asked = |verb: &'static str| {
        let asking = std::thread::spawn(move || curl(port, "/echo", &[]));
        (asking, verb)
    };
    let (asking, verb) = asked("deny");
    let id = request(&mut holding, "held:");
    bob.run(&["approvals", verb, &id, "--reason", "use the job"]).success();
    assert_ne!(asking.join().expect("ran").status.code(), Some(0), "a way that was denied");
    holding.expect("why", |_, line| line.contains("use the job").then_some(()));
    let (asking, verb) = asked("approve");
    let id = request(&mut holding, "held:");
    bob.run(&["approvals", verb, &id]).success();
    assert!(asking.join().expect("ran").success().trim_end().ends_with("200"), "a way that was approved");
    drop(holding);
    // A kill of the session of the machine ends what came through, and what it runs.
    let ([db], _running) = ways(tunnel.port, ["db1.internal:5432"]);
    let sleeping = |mark: &str| {
        let mut psql = stage.psql(db).start();
        psql.write(&format!("select pg_sleep(600) /* {mark} */;\n"));
        psql.close_input();
        let count =
            format!("select count(*) from pg_stat_activity where query like 'select pg_sleep(600) /* {mark} */%'");
        until("it runs", || stage.database.value(&count) == "1");
        (psql, count)
    };
    let (psql, running) = sleeping("first");
    let live = stage.alice.json(&["sessions", "ls", "--live"]);
    let outer = live["sessions"].as_array().expect("a list").iter();
    let outer =
        outer.filter(|one| one["connection"].to_string().contains("bastion")).find_map(|one| one["id"].as_str());
    stage.alice.run(&["sessions", "kill", outer.expect("one"), "--reason", "enough of it"]).success();
    let outcome = psql.finish();
    assert_ne!(outcome.status.code(), Some(0));
    assert!(outcome.errors.contains("57P01") && outcome.errors.contains("enough of it"), "{outcome:?}");
    until("nothing runs on", || stage.database.value(&running) == "0");
    assert!(stage.recorded("pg-prod").contains("enough of it"));
    // So does a policy that no longer permits the way.
    let tunnel = Tunnel::open(&stage.alice, "bastion");
    let ([db], _again) = ways(tunnel.port, ["db1.internal:5432"]);
    let mut psql = stage.psql(db).start();
    psql.write("select pg_sleep(600) /* second */;\n");
    psql.close_input();
    let running = "select count(*) from pg_stat_activity where query like 'select pg_sleep(600) /* second */%'";
    until("it runs", || stage.database.value(running) == "1");
    stage.gateway.site().edit(
        "policies/ways.cedar",
        "resource.name != \"held.internal:80\"",
        "resource.name != \"db1.internal:5432\"",
    );
    stage.gateway.reload();
    let outcome = psql.finish();
    assert!(outcome.errors.contains("57P01") && outcome.errors.contains("policy"), "{outcome:?}");
}

#[test]
fn what_only_a_machine_reaches_is_dialled_through_it() {
    let (sshd, database) = (Sshd::saying("DEBUG1"), Cluster::shared().database());
    let site = Site::new(&database);
    let text = std::fs::read_to_string(site.path().join("connections.toml")).expect("readable");
    let behind = text.replace("labels = ", "via = \"bastion\"\nlabels = ");
    site.write("connections.toml", &format!("{behind}\n{}", sshd.connection("bastion", "")));
    let mut gateway = Gateway::start(site);
    let alice = Person::login(&gateway, "alice");
    let tunnel = Tunnel::open(&alice, "pg-prod");
    assert_eq!(tunnel.psql().run("select count(*) from orders;\n").success().trim(), "200");
    let target = format!("port {}", database.address().rsplit(':').next().expect("a port"));
    sshd.logged(&["request_direct_tcpip", "target 127.0.0.1", &target]);
    // A cancel goes the same way.
    let mut psql = tunnel.psql().start();
    psql.write("select pg_sleep(600);\n");
    psql.close_input();
    let running = "select count(*) from pg_stat_activity where query like 'select pg_sleep(600)%'";
    until("it runs", || database.value(running) == "1");
    let live = alice.json(&["sessions", "ls", "--live"]);
    let id = live["sessions"][0]["id"].as_str().expect("an id").to_owned();
    alice.run(&["sessions", "kill", &id]).success();
    assert_ne!(psql.finish().status.code(), Some(0));
    until("nothing runs on", || database.value(running) == "0");
    // A machine that is another one leads nowhere.
    let (was, other) = (sshd.public_key("host"), sshd.public_key("other"));
    gateway.site().edit("connections.toml", &was, &other);
    gateway.reload();
    let tunnel = Tunnel::open(&alice, "pg-prod");
    let told = tunnel.psql().run("select 1;\n");
    assert!(told.status.code() != Some(0) && told.errors.contains("bastion"), "{told:?}");
}
