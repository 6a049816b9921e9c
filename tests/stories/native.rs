//! Native clients, without the CLI: a password of `hoop token` or a JWT opens the same session that a tunnel would.

mod certificates;
mod evasions;
mod pools;

use std::{fs, process::Command};

use nix::sys::signal::Signal;

use super::harness::{
    Cluster, Database, Gateway, Outcome, Person, Program, Site, Sshd, Stream, free_port, python_with,
};

/// A gateway that listens natively for `pg-prod`, and people.
pub(super) struct Stage {
    database: Database,
    gateway: Gateway,
    alice: Person,
    port: u16,
}

/// What `hoop token` printed.
pub(super) struct Token {
    conninfo: String,
    password: String,
}

fn stage() -> Stage {
    stage_with(|_| {})
}

fn stage_with(change: impl FnOnce(&Site)) -> Stage {
    let database = Cluster::shared().database();
    let (site, port) = (Site::new(&database), free_port());
    site.edit("connections.toml", "labels = ", &format!("listen = \"127.0.0.1:{port}\"\nlabels = "));
    change(&site);
    let gateway = Gateway::start(site);
    let alice = Person::login(&gateway, "alice");
    Stage { database, gateway, alice, port }
}

impl Stage {
    fn token(&self) -> Token {
        token(&self.alice, "pg-prod")
    }

    /// The gateway's authority, as a path for `sslrootcert`.
    fn authority(&self) -> String {
        self.gateway.authority().display().to_string()
    }

    /// A bearer of the person, as the CLI keeps it.
    fn jwt(person: &Person) -> String {
        person.jwt()
    }
}

fn token(person: &Person, connection: &str) -> Token {
    let printed = person.json(&["token", connection]);
    let text = |name: &str| printed["token"][name].as_str().expect("text").to_owned();
    Token { conninfo: text("conninfo"), password: text("password") }
}

/// psql with this connection string and password.
fn psql(conninfo: &str, password: &str) -> Command {
    let mut command = Command::new("psql");
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("PGCONNECT_TIMEOUT", "30")
        .env("LC_ALL", "C.UTF-8")
        .env("HOME", "/nonexistent")
        .env("PGPASSWORD", password)
        .args(["-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose", "-d", conninfo]);
    command
}

impl Token {
    fn run(&self, script: &str) -> Outcome {
        Program::run(&mut psql(&self.conninfo, &self.password), script)
    }

    fn start(&self) -> Program {
        Program::start(&mut psql(&self.conninfo, &self.password))
    }

    /// The same way in, with a part of it changed.
    fn with(&self, part: &str, becomes: &str) -> Self {
        assert!(self.conninfo.contains(part), "{} has no {part}", self.conninfo);
        Self { conninfo: self.conninfo.replace(part, becomes), password: self.password.clone() }
    }
}

#[test]
fn psql_gets_in_with_full_verification_and_channel_binding() {
    let stage = stage();
    let token = stage.token();
    assert!(token.conninfo.contains("sslmode=verify-full") && token.conninfo.contains("channel_binding=require"));
    let rows = token.run("select count(*) from orders;\nselect email from customers where id = 1;\n").success();
    assert!(rows.starts_with("200\n"), "{rows}");
    assert!(!rows.contains("ada@example.com") && rows.contains('@'), "masked natively too: {rows}");
    let refused = stage.token().run("truncate orders;\n");
    assert!(refused.errors.contains("42501") && refused.errors.contains("nothing-is-dropped"), "{refused:?}");
    let listed = stage.alice.run(&["ls"]).success();
    assert!(listed.contains(&format!("127.0.0.1:{}", stage.port)), "{listed}");
}

#[test]
fn a_password_is_good_once_for_its_user_and_not_after_a_restart() {
    let mut stage = stage();
    let (first, second, third) = (stage.token(), stage.token(), stage.token());
    let wrong_user = second.with("user=alice", "user=bob").run("select 1");
    assert!(wrong_user.errors.contains("authentication failed for user \"bob\""), "{wrong_user:?}");
    assert_eq!(second.run("select 2").success(), "2\n", "live passwords do not disturb each other");
    assert_eq!(first.run("select 1").success(), "1\n");
    let again = first.run("select 1");
    assert!(again.errors.contains("authentication failed") && again.errors.contains("hoop token pg-prod"), "{again:?}");
    stage.gateway.kill();
    stage.gateway.launch(&[]);
    let after = third.run("select 1");
    assert!(after.errors.contains("authentication failed"), "{after:?}");
}

#[test]
fn a_password_of_one_connection_does_not_open_another_of_the_same_address() {
    let stage = stage_with(|site| {
        let text = fs::read_to_string(site.path().join("connections.toml")).expect("readable");
        site.write("connections.toml", &format!("{text}\n{}", text.replace("pg-prod\"\nkind", "pg-dev\"\nkind")));
        site.edit("policies/shop.cedar", "  resource == Connection::\"pg-prod\"\n", "  resource\n");
    });
    let (prod, dev) = (stage.token(), token(&stage.alice, "pg-dev"));
    let crossed = prod.with("dbname=pg-prod", "dbname=pg-dev").run("select 1");
    assert!(crossed.errors.contains("authentication failed"), "{crossed:?}");
    assert_eq!(dev.run("select 1").success(), "1\n");
    assert_eq!(prod.run("select 1").success(), "1\n");
    let neither = stage.token().with("dbname=pg-prod", "dbname=shop").run("select 1");
    assert!(neither.errors.contains("names no connection of this address"), "{neither:?}");
}

#[test]
fn plaintext_is_refused_with_what_to_do() {
    let stage = stage();
    let token = stage.token().with("sslmode=verify-full", "sslmode=disable").with("channel_binding=require", "");
    let refused = token.run("select 1");
    assert!(refused.errors.contains("takes no connection without TLS"), "{refused:?}");
    assert!(refused.errors.contains("sslmode=verify-full"), "{refused:?}");
}

#[test]
fn a_jwt_is_taken_in_cleartext_inside_tls_where_the_client_says_so() {
    let stage = stage();
    let conninfo = format!(
        "host=127.0.0.1 port={} user=alice dbname=pg-prod sslmode=verify-full sslrootcert={} options='-c hoop.auth=jwt -c statement_timeout=7s'",
        stage.port,
        stage.authority()
    );
    let jwt = Stage::jwt(&stage.alice);
    let rows = Program::run(&mut psql(&conninfo, &jwt), "show statement_timeout;\n").success();
    assert_eq!(rows, "7s\n");
    let again = Program::run(&mut psql(&conninfo, &jwt), "select 2;\n").success();
    assert_eq!(again, "2\n", "a JWT is good as long as it lasts");
    let other = Program::run(&mut psql(&conninfo.replace("user=alice", "user=bob"), &jwt), "select 1");
    assert!(other.errors.contains("authentication failed for user \"bob\""), "{other:?}");
    let bound = Program::run(&mut psql(&format!("{conninfo} channel_binding=require"), &jwt), "select 1");
    assert!(!bound.status.success(), "libpq itself keeps a JWT from a server that binds no channel: {bound:?}");
    let forged = Program::run(&mut psql(&conninfo, &format!("{jwt}x")), "select 1");
    assert!(forged.errors.contains("authentication failed"), "{forged:?}");
    let as_password = Program::run(&mut psql(&conninfo.replace("-c hoop.auth=jwt", ""), &jwt), "select 1");
    assert!(as_password.errors.contains("authentication failed"), "a JWT is no SCRAM password: {as_password:?}");
}

#[test]
fn a_site_may_ask_for_a_jwt_of_everybody_who_says_nothing() {
    let stage = stage_with(|site| site.edit("connections.toml", "listen = ", "auth = \"jwt\"\nlisten = "));
    let token = stage.token().with("channel_binding=require", "");
    let rows = Program::run(&mut psql(&token.conninfo, &Stage::jwt(&stage.alice)), "select 1;\n").success();
    assert_eq!(rows, "1\n");
    let said = format!("{} channel_binding=require options='-c hoop.auth=token'", token.conninfo);
    assert_eq!(Program::run(&mut psql(&said, &token.password), "select 2;\n").success(), "2\n");
}

#[test]
fn a_held_statement_is_approved_natively() {
    let stage = stage();
    let bob = Person::login(&stage.gateway, "bob");
    let mut waiting = stage.token().start();
    waiting.write("delete from orders where id = 7;\nselect count(*) from orders;\n");
    waiting.close_input();
    let id = waiting.expect("that it is held", |stream, line| {
        let mut words = line.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
        words.find(|word| word.starts_with("apr_") && stream == Stream::Errors).map(str::to_owned)
    });
    assert_eq!(stage.database.value("select count(*) from orders"), "200");
    bob.run(&["approvals", "approve", &id, "--reason", "agreed"]).success();
    assert_eq!(waiting.finish().success(), "199\n");
}

#[test]
fn a_cancel_reaches_the_running_statement_natively() {
    let stage = stage();
    let mut running = stage.token().start();
    running.write("select 'native', pg_sleep(50);\n");
    stage.database.cluster().logged("select 'native', pg_sleep(50)");
    running.signal(Signal::SIGINT);
    running.close_input();
    let outcome = running.finish();
    assert!(outcome.errors.contains("57014"), "{outcome:?}");
}

#[test]
fn a_policy_sees_that_a_client_is_native_and_a_change_of_policy_ends_its_session() {
    let mut stage = stage();
    let mut open = stage.token().start();
    open.write("select 'open';\n");
    open.expect_line("open");
    let text = "@id(\"no-native\") @message(\"use hoop connect here\")\n\
                forbid(principal, action == Action::\"connect\", resource) when { context.source == \"native\" };\n";
    stage.gateway.site().write("policies/native.cedar", text);
    assert!(stage.gateway.reload().contains("are in force"));
    open.write("select 'closed';\n");
    open.close_input();
    let outcome = open.finish();
    assert!(!outcome.output.contains("closed") && outcome.errors.contains("use hoop connect here"), "{outcome:?}");
    let refused = stage.alice.run(&["token", "pg-prod"]);
    assert_eq!(refused.code(), 3, "{refused:?}");
}

#[test]
fn a_logout_ends_native_sessions_and_voids_passwords() {
    let stage = stage();
    let unused = stage.token();
    let mut open = stage.token().start();
    open.write("select 'open';\n");
    open.expect_line("open");
    stage.alice.run(&["logout"]).success();
    open.write("select 'closed';\n");
    open.close_input();
    let outcome = open.finish();
    assert!(!outcome.output.contains("closed") && outcome.errors.contains("login"), "{outcome:?}");
    assert!(unused.run("select 1").errors.contains("authentication failed"));
}

#[test]
fn a_native_session_and_an_unused_password_end_with_the_login_behind_them() {
    let provider = super::login::provider(&[("TOKEN_SECONDS", "15")]);
    let (sshd, port) = (Sshd::start(), free_port());
    let stage = stage_with(|site| {
        let connections = fs::read_to_string(site.path().join("connections.toml")).expect("written");
        let machine = sshd.connection("bastion", &format!("listen = \"127.0.0.1:{port}\"\n"));
        site.write("connections.toml", &format!("{connections}\n{machine}"));
        let policy = "permit(principal in Group::\"engineers\", action, resource in Connection::\"bastion\");\n";
        site.write("policies/machines.cedar", policy);
        let settings = fs::read_to_string(site.path().join("gateway.toml")).expect("written");
        let identity = format!(
            "\n[identity.oidc]\nissuer = \"{}\"\nclient_id = \"hoop-cli\"\naudience = \"hoop\"\ngroups_claim = \"groups\"\n\
             scopes = [\"openid\", \"offline_access\", \"groups\"]\n",
            provider.issuer
        );
        site.write("gateway.toml", &(settings + &identity));
    });
    let certificate = stage.alice.json(&["cert", "bastion"]);
    let ssh = |command: &str| {
        let mut ssh = Command::new("ssh");
        ssh.arg("-F").arg(certificate["cert"]["configuration"].as_str().expect("a path"));
        ssh.args(["-o", "BatchMode=yes", "bastion", command]);
        ssh
    };
    let mut over_ssh = Program::start(&mut ssh("echo open; exec sleep 600"));
    over_ssh.expect_line("open");
    let unused = stage.token();
    let mut open = stage.token().start();
    open.write("select 'open';\nselect pg_sleep(60);\n");
    open.expect_line("open");
    let line = open.expect_line("57P01");
    assert!(line.contains("expired"), "{line}");
    open.close_input();
    assert!(open.finish().errors.contains("hoop login"));
    let late = unused.run("select 1");
    assert!(late.errors.contains("authentication failed"), "{late:?}");
    let outcome = over_ssh.finish();
    assert!(outcome.code() != 0 && outcome.errors.contains("expired"), "{outcome:?}");
    let late = Program::run(&mut ssh("echo late"), "");
    assert!(late.code() == 255 && late.errors.contains("Permission denied"), "its certificate has ended: {late:?}");
}

/// libpq 18: direct TLS, protocol 3.2 with its long cancel keys, cancels over TLS, session attributes.
#[test]
fn the_newest_libpq_speaks_its_newest_protocol_natively() {
    let stage = stage();
    let tokens: Vec<Token> = (0..12).map(|_| stage.token()).collect();
    let passwords: Vec<&str> = tokens.iter().map(|token| token.password.as_str()).collect();
    let conninfo = &tokens.first().expect("some").conninfo;
    let facts = [("STORY_CONNINFO", conninfo.as_str()), ("STORY_PASSWORDS", &passwords.join(","))];
    python_with("native.py", &facts).success();
}

#[test]
fn the_newest_libpq_speaks_its_newest_protocol_through_a_tunnel() {
    let stage = stage();
    let tunnel = super::harness::Tunnel::open(&stage.alice, "pg-prod");
    let conninfo = format!("host=127.0.0.1 port={} user=x dbname={} sslmode=disable", tunnel.port, tunnel.database);
    python_with("native.py", &[("STORY_CONNINFO", &conninfo), ("STORY_PASSWORDS", "")]).success();
}
