//! pgbouncer in front of the native listener and behind the gateway.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::PathBuf,
    process::Command,
};

use nix::unistd::{User, geteuid};
use tempfile::TempDir;

use super::{Stage, psql, stage, stage_with};
use crate::stories::harness::{APP_PASSWORD, APP_ROLE, Cluster, Gateway, Person, Program, Site, Tunnel, free_port};

/// A running pgbouncer; it ends with the story.
struct Bouncer {
    port: u16,
    _folder: TempDir,
    program: Program,
}

impl Bouncer {
    /// One that leads `databases` lines onwards. Clients of it need no password.
    fn start(databases: &str, users: &str, more: &str) -> Self {
        let (port, folder) =
            (free_port(), tempfile::Builder::new().prefix("hoop-bouncer-").tempdir().expect("a folder"));
        let path = |name: &str| -> PathBuf { folder.path().join(name) };
        fs::write(path("users.txt"), users).expect("written");
        fs::write(
            path("pgbouncer.ini"),
            format!(
                "[databases]\n{databases}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
                 auth_type = trust\nauth_file = {}\npool_mode = session\nignore_startup_parameters = extra_float_digits\n{more}\n",
                path("users.txt").display()
            ),
        )
        .expect("written");
        let usual = std::path::Path::new("/usr/sbin/pgbouncer");
        let mut command = Command::new(if usual.exists() { usual } else { std::path::Path::new("pgbouncer") });
        // pgbouncer refuses to run as root.
        if geteuid().is_root() {
            let user = User::from_name("nobody").expect("looked up").expect("nobody is there");
            for place in [folder.path().to_owned(), path("users.txt"), path("pgbouncer.ini")] {
                chown(&place, Some(user.uid.as_raw()), Some(user.gid.as_raw())).expect("given");
            }
            command.args(["-u", "nobody"]);
        }
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("set");
        command.arg(path("pgbouncer.ini"));
        let mut program = Program::start(&mut command);
        program.expect_line("process up");
        Self { port, _folder: folder, program }
    }

    fn conninfo(&self, user: &str, database: &str) -> String {
        format!("host=127.0.0.1 port={} user={user} dbname={database} sslmode=disable", self.port)
    }
}

/// The authority where pgbouncer's user can read it.
fn shared_authority(stage: &Stage) -> (TempDir, String) {
    let folder = tempfile::Builder::new().prefix("hoop-authority-").tempdir().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("set");
    let path = folder.path().join("ca.pem");
    fs::copy(stage.authority(), &path).expect("copied");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("set");
    (folder, path.display().to_string())
}

#[test]
fn pgbouncer_in_front_uses_a_password_for_its_one_server_connection() {
    let stage = stage();
    let (_folder, authority) = shared_authority(&stage);
    let password = stage.token().password;
    let database = format!(
        "pg-prod = host=127.0.0.1 port={} dbname=pg-prod user=alice password={password} pool_size=1",
        stage.port
    );
    let tls = format!("server_tls_sslmode = verify-full\nserver_tls_ca_file = {authority}");
    let mut bouncer = Bouncer::start(&database, "\"app\" \"\"\n", &tls);
    let conninfo = bouncer.conninfo("app", "pg-prod");
    let mut run = |script: &str| {
        let outcome = Program::run(&mut psql(&conninfo, ""), script);
        assert!(outcome.status.success(), "{outcome:?}\n{}", bouncer.program.so_far());
        outcome.output
    };
    assert_eq!(run("select count(*) from orders;\n"), "200\n");
    let rows = run("select email from customers where id = 1;\n");
    assert!(!rows.contains("ada@example.com"), "{rows}");
    let refused = Program::run(&mut psql(&conninfo, ""), "truncate orders;\n");
    assert!(refused.errors.contains("42501"), "{refused:?}");
    assert_eq!(
        Program::run(&mut psql(&conninfo, ""), "select 4;\n").success(),
        "4\n",
        "one server connection serves all"
    );
}

#[test]
fn pgbouncer_in_front_makes_as_many_connections_as_it_likes_with_a_jwt() {
    let stage = stage_with(|site| site.edit("connections.toml", "listen = ", "auth = \"jwt\"\nlisten = "));
    let (_folder, authority) = shared_authority(&stage);
    let database = format!(
        "pg-prod = host=127.0.0.1 port={} dbname=pg-prod user=alice password={}",
        stage.port,
        Stage::jwt(&stage.alice)
    );
    let tls = format!("server_tls_sslmode = verify-full\nserver_tls_ca_file = {authority}");
    let bouncer = Bouncer::start(&database, "\"app\" \"\"\n", &tls);
    let conninfo = bouncer.conninfo("app", "pg-prod");
    let mut first = Program::start(&mut psql(&conninfo, ""));
    first.write("select 'first';\n");
    first.expect_line("first");
    assert_eq!(Program::run(&mut psql(&conninfo, ""), "select 'second';\n").success(), "second\n");
    first.close_input();
    first.finish().success();
}

#[test]
fn pgbouncer_behind_the_gateway_is_an_upstream_where_the_site_says_that_it_gives_whole_sessions() {
    let database = Cluster::shared().database();
    let upstream = database.address();
    let (host, port) = upstream.rsplit_once(':').expect("an address");
    let line = format!("{0} = host={host} port={port} dbname={0}", database.name);
    let users = format!("\"{APP_ROLE}\" \"{APP_PASSWORD}\"\n");
    let bouncer = Bouncer::start(&line, &users, "");
    let site = Site::new(&database);
    site.edit(
        "connections.toml",
        &format!("upstream = \"{upstream}\""),
        &format!("upstream = \"127.0.0.1:{}\"", bouncer.port),
    );
    let mut gateway = Gateway::start(site);
    let alice = Person::login(&gateway, "alice");
    let tunnel = Tunnel::open(&alice, "pg-prod");
    let unsaid = tunnel.psql().run("select 1");
    assert!(unsaid.errors.contains("is a connection pool") && unsaid.errors.contains("pool = "), "{unsaid:?}");
    drop(tunnel);
    gateway.stop();
    gateway.site().edit("connections.toml", "labels = ", "pool = \"session\"\nlabels = ");
    gateway.launch(&[]);
    let tunnel = Tunnel::open(&alice, "pg-prod");
    assert_eq!(tunnel.rows("select count(*) from orders;\nbegin;\nselect 1;\ncommit;\n"), "200\n1\n");
    let rows = tunnel.rows("select email from customers where id = 1");
    assert!(!rows.contains("ada@example.com"), "{rows}");
}
