//! One private PostgreSQL for all stories of a test process: its own folder, port, log and end.
//!
//! It ends with the test process, however that ends: a watchdog holds a pipe from it. Every story gets its own database.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc, Condvar, Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Instant,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, User, chown, geteuid},
};

use super::{PATIENCE, psql::Psql};

/// The plain role that the gateway logs in as, and its password.
pub(crate) const APP_ROLE: &str = "hoop_app";
pub(crate) const APP_PASSWORD: &str = "only-the-gateway-knows-this";

/// A running PostgreSQL.
pub(crate) struct Cluster {
    pub(crate) port: u16,
    programs: PathBuf,
    folder: PathBuf,
    log: Arc<Log>,
    databases: AtomicU32,
    server: Mutex<Pid>,
    _watchdog: ChildStdin,
}

/// A database of one story, filled from the sample.
pub(crate) struct Database {
    pub(crate) name: String,
    cluster: &'static Cluster,
}

#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    grew: Condvar,
}

impl Cluster {
    /// The one of this test process, started on first use.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| Self::start("fsync = on", "", &[]))
    }

    /// One of a story's own: with these settings, these lines ahead of its `pg_hba.conf`, and these files beside its
    /// data. It lives as long as the test process.
    pub(crate) fn private(settings: &str, access: &str, files: &[(&str, &str)]) -> &'static Self {
        Box::leak(Box::new(Self::start(&format!("fsync = off\n{settings}"), access, files)))
    }

    /// Ends the server as an administrator does: its sessions are told.
    pub(crate) fn stop(&self) {
        let pid = *self.server.lock().expect("not poisoned");
        kill(pid, Signal::SIGINT).expect("running");
        assert!(self.log.wait("database system is shut down").is_some(), "it did not stop:\n{}", self.log.text());
    }

    /// Starts the server again, on the same port and data.
    pub(crate) fn start_again(&self) {
        let user = server_user();
        let mut server = serve(&self.programs, &self.folder.join("data"), user.as_ref());
        *self.server.lock().expect("not poisoned") = pid_of(&server);
        self.log.follow(&mut server);
        let mut starts = 0;
        let again = |line: &str| {
            starts += usize::from(line.contains(READY));
            starts >= 2
        };
        assert!(self.log.until(again).is_some(), "it did not start again:\n{}", self.log.text());
    }

    /// A fresh copy of the sample database.
    pub(crate) fn database(&'static self) -> Database {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("shop_{number}");
        self.superuser("postgres").run(&format!("create database {name} template shop")).success();
        Database { name, cluster: self }
    }

    /// A direct way in, as the superuser, over the private socket.
    pub(crate) fn superuser(&self, database: &str) -> Psql {
        Psql::new(&self.folder.to_string_lossy(), self.port, "postgres", database)
    }

    /// The private socket, on which everybody is trusted.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join(format!(".s.PGSQL.{}", self.port))
    }

    /// The path of a PostgreSQL program, such as `pgbench`.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// Waits until the server logged a line that contains `part`, and gives all lines so far.
    pub(crate) fn logged(&self, part: &str) -> Vec<String> {
        self.log.wait(part).unwrap_or_else(|| panic!("the server never logged {part}"))
    }

    /// Every line that the server logged until now: a marker statement is logged after all earlier ones.
    pub(crate) fn log_until_now(&self) -> Vec<String> {
        static MARKS: AtomicU32 = AtomicU32::new(0);
        let mark = format!("mark_{}_{}", std::process::id(), MARKS.fetch_add(1, Ordering::Relaxed));
        self.superuser("postgres").run(&format!("select '{mark}'")).success();
        self.logged(&mark)
    }

    fn start(settings: &str, access: &str, files: &[(&str, &str)]) -> Self {
        let programs = find_programs();
        let user = server_user();
        let folder = tempfile::Builder::new().prefix("hoop-pg-").tempdir_in("/tmp").expect("a folder").keep();
        if let Some(user) = &user {
            chown(&folder, Some(user.uid), Some(user.gid)).expect("root may give a folder away");
        }
        let run = |program: &str| as_user(Command::new(programs.join(program)), user.as_ref());
        let data = folder.join("data");
        let made = run("initdb")
            .args(["--no-sync", "--locale=C", "-E", "UTF8", "-U", "postgres"])
            .args(["--auth-local=trust", "--auth-host=scram-sha-256", "-D"])
            .arg(&data)
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let port = free_port();
        let configuration = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{}'\nmax_connections = 300\n\
             log_statement = all\nlog_line_prefix = '%m [%p] %q%u@%d '\nlog_min_messages = info\n\
             max_prepared_transactions = 10\njit = off\n{settings}\n",
            folder.display()
        );
        let file = data.join("postgresql.auto.conf");
        fs::write(&file, configuration).expect("root or the owner writes");
        let usual = fs::read_to_string(data.join("pg_hba.conf")).expect("readable");
        fs::write(data.join("pg_hba.conf"), format!("{access}\n{usual}")).expect("root or the owner writes");
        for (name, text) in files {
            own(&data.join(name), text, user.as_ref());
        }
        let log = Arc::new(Log::default());
        let mut server = serve(&programs, &data, user.as_ref());
        let watchdog = guard(&folder);
        log.follow(&mut server);
        assert!(log.wait(READY).is_some(), "PostgreSQL did not start:\n{}", log.text());
        let (databases, server) = (AtomicU32::new(0), Mutex::new(pid_of(&server)));
        let cluster = Self { port, programs, folder, log, databases, server, _watchdog: watchdog };
        cluster.fill();
        cluster
    }

    fn fill(&self) {
        let admin = self.superuser("postgres");
        admin.run(&format!("create role {APP_ROLE} login password '{APP_PASSWORD}'")).success();
        admin.run(&format!("create database shop owner {APP_ROLE}")).success();
        let sample = format!("set role {APP_ROLE};\n{}", include_str!("../../fixtures/postgres/shop.sql"));
        self.superuser("shop").run(&sample).success();
    }
}

impl Database {
    /// A direct way in, as the superuser.
    pub(crate) fn direct(&self) -> Psql {
        self.cluster.superuser(&self.name)
    }

    pub(crate) fn cluster(&self) -> &'static Cluster {
        self.cluster
    }

    /// Waits until the server logged at least so many lines about this database with `part`.
    pub(crate) fn logged_times(&self, part: &str, times: usize) {
        let place = format!("@{} ", self.name);
        let mut seen = 0;
        let enough = |line: &str| {
            seen += usize::from(line.contains(&place) && line.contains(part));
            seen >= times
        };
        assert!(self.cluster.log.until(enough).is_some(), "the server never logged {part} {times} times");
    }

    /// `host:port` of the server.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.cluster.port)
    }

    /// One value, asked directly.
    pub(crate) fn value(&self, query: &str) -> String {
        self.direct().run(query).success().trim().to_owned()
    }
}

impl Log {
    fn follow(self: &Arc<Self>, server: &mut Child) {
        let source = BufReader::new(server.stderr.take().expect("piped"));
        let log = Arc::clone(self);
        thread::spawn(move || {
            for line in source.lines().map_while(Result::ok) {
                log.lines.lock().expect("not poisoned").push(line);
                log.grew.notify_all();
            }
        });
    }

    fn wait(&self, part: &str) -> Option<Vec<String>> {
        self.until(|line| line.contains(part))
    }

    /// Shows every line once, from the first on, until one is enough.
    fn until(&self, mut enough: impl FnMut(&str) -> bool) -> Option<Vec<String>> {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = self.lines.lock().expect("not poisoned");
        let mut shown = 0;
        loop {
            if lines.iter().skip(shown).any(|line| enough(line)) {
                return Some(lines.clone());
            }
            shown = lines.len();
            let left = deadline.checked_duration_since(Instant::now())?;
            lines = self.grew.wait_timeout(lines, left).expect("not poisoned").0;
        }
    }

    fn text(&self) -> String {
        self.lines.lock().expect("not poisoned").join("\n")
    }
}

/// What the server says once it serves.
const READY: &str = "database system is ready to accept connections";

fn serve(programs: &Path, data: &Path, user: Option<&User>) -> Child {
    let mut command = as_user(Command::new(programs.join("postgres")), user);
    command.arg("-D").arg(data).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().expect("postgres runs")
}

fn pid_of(server: &Child) -> Pid {
    Pid::from_raw(i32::try_from(server.id()).expect("a pid"))
}

/// A file that only the server reads.
fn own(path: &Path, text: &str, user: Option<&User>) {
    fs::write(path, text).expect("root or the owner writes");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("ours");
    if let Some(user) = user {
        chown(path, Some(user.uid), Some(user.gid)).expect("root may give a file away");
    }
}

/// Where PostgreSQL's server programs are: Debian keeps them out of the path.
fn find_programs() -> PathBuf {
    let mut folders: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.filter_map(Result::ok).map(|entry| entry.path().join("bin")).collect())
        .unwrap_or_default();
    folders.sort();
    folders.reverse();
    if let Some(path) = std::env::var_os("PATH") {
        folders.extend(std::env::split_paths(&path));
    }
    let found =
        folders.into_iter().find(|folder| ["initdb", "postgres", "psql"].iter().all(|name| folder.join(name).exists()));
    found.expect("PostgreSQL's programs are not installed: ./install.sh --packages tests")
}

/// PostgreSQL refuses root: then it runs as its own user, or as nobody.
fn server_user() -> Option<User> {
    if !geteuid().is_root() {
        return None;
    }
    let known = ["postgres", "nobody"].into_iter().find_map(|name| User::from_name(name).ok().flatten());
    assert!(known.is_some(), "root cannot run PostgreSQL, and there is neither a user postgres nor nobody");
    known
}

fn as_user(mut command: Command, user: Option<&User>) -> Command {
    if let Some(user) = user {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").current_dir("/");
    command
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Ends the server and removes its folder when this process ends: then the pipe closes.
#[expect(clippy::zombie_processes, reason = "it outlives this process on purpose")]
fn guard(folder: &Path) -> ChildStdin {
    // The pid is read at the end: a story may have started the server anew.
    let script = "cat >/dev/null; pid=$(head -n 1 \"$1/data/postmaster.pid\") && kill -QUIT \"$pid\" && \
                  while kill -0 \"$pid\" 2>/dev/null; do sleep 0.1; done; rm -rf -- \"$1\"";
    let mut watchdog = Command::new("sh")
        .args(["-c", script, "watchdog"])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("sh runs");
    watchdog.stdin.take().expect("piped")
}
