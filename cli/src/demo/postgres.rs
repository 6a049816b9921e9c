//! A private PostgreSQL: found, made, started, filled. Never the system's own, never reachable from elsewhere.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
};

use nix::unistd::{User, chown, geteuid};
use tokio::process::Command;

use super::{child::Child, lifeline::Lifeline};
use crate::failure::Failure;

/// The plain role that the gateway logs in as.
pub(super) const ROLE: &str = "shop_app";
/// Its database.
pub(super) const DATABASE: &str = "shop";
const SAMPLE: &str = include_str!("site/shop.sql");

/// A running server.
#[derive(Debug)]
pub(super) struct Postgres {
    /// Where it listens on 127.0.0.1.
    pub(super) port: u16,
    /// Its programs, `psql` among them.
    programs: PathBuf,
    folder: PathBuf,
    server: Child,
}

impl Postgres {
    /// Makes a cluster in `folder` and starts it.
    pub(super) async fn start(folder: &Path, password: &str, lifeline: &mut Lifeline) -> Result<Self, Failure> {
        let programs = find_programs()?;
        let user = server_user()?;
        make_folder(folder, user.as_ref())?;
        let data = folder.join("data");
        let mut initdb = unprivileged(&programs.join("initdb"), user.as_ref());
        initdb.args(["--no-sync", "--locale=C", "-E", "UTF8", "-U", "postgres"]);
        initdb.args(["--auth-local=trust", "--auth-host=scram-sha-256", "-D"]).arg(&data);
        let made = Child::run("initdb", &mut initdb).await?;
        if !made.status.success() {
            return Err(Failure::failed("initdb failed").because(made.everything()));
        }
        let port = free_port()?;
        let mut postgres = unprivileged(&programs.join("postgres"), user.as_ref());
        postgres.arg("-D").arg(&data);
        for setting in [
            format!("port={port}"),
            "listen_addresses=127.0.0.1".to_owned(),
            format!("unix_socket_directories={}", folder.display()),
            "log_min_messages=info".to_owned(),
        ] {
            postgres.args(["-c", &setting]);
        }
        let mut server = Child::start("PostgreSQL", &mut postgres)?;
        if let Some(pid) = server.pid() {
            lifeline.watch(pid).await?;
        }
        let ready = |_source, line: &str| line.contains("ready to accept connections").then_some(());
        server.wait_for("that it is ready", ready).await?;
        let postgres = Self { port, programs, folder: folder.to_owned(), server };
        postgres.fill(password).await?;
        Ok(postgres)
    }

    /// Where `psql` is.
    pub(super) fn psql(&self) -> PathBuf {
        self.programs.join("psql")
    }

    /// One value, asked directly and past the gateway, to check what the tour claims.
    pub(super) async fn value(&self, query: &str) -> Result<String, Failure> {
        self.administer(DATABASE, query).await
    }

    /// Waits for its end.
    pub(super) async fn gone(self) {
        self.server.gone().await;
    }

    async fn fill(&self, password: &str) -> Result<(), Failure> {
        // The password is of this demo's own making: letters, digits, `-` and `_`.
        self.administer("postgres", &format!("create role {ROLE} login password '{password}'")).await?;
        self.administer("postgres", &format!("create database {DATABASE} owner {ROLE}")).await?;
        self.administer(DATABASE, &format!("set role {ROLE};\n{SAMPLE}")).await?;
        Ok(())
    }

    async fn administer(&self, database: &str, statements: &str) -> Result<String, Failure> {
        let mut psql = Command::new(self.psql());
        psql.env_clear().env("LC_ALL", "C").args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            "postgres",
            "-h",
        ]);
        psql.arg(&self.folder).args(["-p", &self.port.to_string(), "-d", database, "-c", statements]);
        let ended = Child::run("psql", &mut psql).await?;
        if ended.status.success() {
            return Ok(ended.output());
        }
        Err(Failure::failed("the demo's database could not be filled").because(ended.everything()))
    }
}

/// A port of 127.0.0.1 that was free a moment ago.
pub(super) fn free_port() -> Result<u16, Failure> {
    let bound = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    bound.map(|address| address.port()).map_err(|error| Failure::failed("127.0.0.1 has no free port").caused_by(&error))
}

/// Where the server's programs are; Debian keeps them out of the path, one folder a version.
fn find_programs() -> Result<PathBuf, Failure> {
    let mut folders: Vec<PathBuf> = ["/usr/lib/postgresql", "/usr/local/opt", "/opt/homebrew/opt"]
        .into_iter()
        .flat_map(|folder| fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok))
        .map(|entry| entry.path().join("bin"))
        .collect();
    folders.sort();
    folders.reverse();
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&path));
    let complete = |folder: &PathBuf| ["initdb", "postgres", "psql"].iter().all(|name| folder.join(name).is_file());
    folders.into_iter().find(complete).ok_or_else(|| {
        Failure::failed("PostgreSQL's programs are not installed here")
            .because("the demo runs a private server: it needs initdb, postgres and psql")
            .next("install them with `apt-get install postgresql` or your system's like, or run `./install.sh --demo`")
    })
}

/// PostgreSQL refuses to run as root: then its own user runs it, or nobody.
fn server_user() -> Result<Option<User>, Failure> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let found = ["postgres", "nobody"].into_iter().find_map(|name| User::from_name(name).ok().flatten());
    found.map(Some).ok_or_else(|| {
        Failure::failed("PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody")
            .next("run the demo as a plain user")
    })
}

fn make_folder(folder: &Path, owner: Option<&User>) -> Result<(), Failure> {
    let failure = || Failure::failed(format!("{} could not be made", folder.display()));
    crate::private_file::create_private_folder(folder)?;
    if let Some(user) = owner {
        chown(folder, Some(user.uid), Some(user.gid)).map_err(|error| failure().caused_by(&error))?;
    }
    Ok(())
}

fn unprivileged(program: &Path, user: Option<&User>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").current_dir("/");
    if let Some(user) = user {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command
}
