//! Secrets that a site refers to: kept by the gateway's own store, or by a real OpenBao; rotated while the gateway runs,
//! and seen in no log, recording, list or error.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use nix::unistd::geteuid;

use super::harness::{
    APP_ROLE, Cluster, Database, Gateway, HOOP, Outcome, Person, Program, Site, Tunnel, free_port, until,
};

const OPERATES: &str =
    "@id(\"dba-operates\") permit(principal in Group::\"dba\", action == Action::\"administer\", resource);";

/// A login of this story's own: its password changes.
fn login(database: &Database, password: &str) -> String {
    let role = format!("plain_{}", database.name);
    let made = format!("create role {role} login password '{password}'; grant select on orders to {role}");
    database.direct().run(&made).success();
    role
}

fn change(database: &Database, password: &str) {
    database.direct().run(&format!("alter role plain_{} password '{password}'", database.name)).success();
}

/// The sample site with another credential.
fn site(database: &Database, credential: &str) -> Site {
    let site = Site::new(database).policy("operates", OPERATES);
    let connections = fs::read_to_string(site.path().join("connections.toml")).expect("readable");
    let (before, _) = connections.split_once("[connection.credential]").expect("a credential");
    site.write("connections.toml", &format!("{before}[connection.credential]\n{credential}"));
    site
}

fn with_input(person: &Person, arguments: &[&str], input: &str) -> Outcome {
    Program::run(&mut person.command(arguments), input)
}

/// Every byte below a folder, as text.
fn raw(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).expect("readable").filter_map(Result::ok) {
        let path = entry.path();
        text += &if path.is_dir() {
            raw(&path)
        } else {
            String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
        };
    }
    text
}

#[test]
fn a_secret_of_the_store_is_set_rotated_and_removed_while_the_gateway_runs_and_nobody_reads_it() {
    const VALUES: [&str; 2] = ["first-value-of-this-story", "second-value-of-this-story"];
    let database = Cluster::shared().database();
    let role = login(&database, VALUES[0]);
    let credential = format!("type = \"password\"\nusername = \"{role}\"\nsecret = \"store:pg/prod\"\n");
    let mut gateway = Gateway::start(site(&database, &credential));
    let (alice, bob) = (Person::login(&gateway, "alice"), Person::login(&gateway, "bob"));
    let tunnel = Tunnel::open(&alice, "pg-prod");
    let missing = tunnel.psql().run("select 1");
    assert!(missing.code() != 0 && missing.errors.contains("connections test"), "{missing:?}");

    let refused = with_input(&alice, &["secrets", "set", "pg/prod"], VALUES[0]);
    assert_eq!(refused.code(), 3, "{refused:?}");
    let early = with_input(&bob, &["secrets", "rotate", "pg/prod"], VALUES[0]);
    assert!(early.code() == 1 && early.errors.contains("no such secret"), "{early:?}");
    let set = with_input(&bob, &["secrets", "set", "pg/prod"], &format!("{}\n", VALUES[0]));
    assert!(set.output.contains("version 1") && !set.output.contains(VALUES[0]), "{set:?}");
    assert_eq!(tunnel.rows("select count(*) > 0 from orders"), "t\n");

    // Rotated under a session that lives on.
    let mut living = tunnel.psql().start();
    living.write("select 'living';\n");
    living.expect_line("living");
    change(&database, VALUES[1]);
    assert_ne!(tunnel.psql().run("select 1").code(), 0, "the old value is no good");
    with_input(&bob, &["secrets", "rotate", "pg/prod"], VALUES[1]).success();
    assert_eq!(tunnel.rows("select 1"), "1\n");
    living.write("select 'still ' || 'here';\n");
    living.expect_line("still here");
    living.close_input();
    living.finish();
    let listed = bob.json(&["secrets", "ls"]);
    assert_eq!((&listed["secrets"][0]["version"], &listed["secrets"][0]["changed_by"]), (&2.into(), &"bob".into()));
    assert_eq!(alice.run(&["secrets", "ls"]).code(), 3);
    drop(tunnel);

    // It outlives the gateway, and moves to another master key.
    gateway.kill();
    let settings = fs::read_to_string(gateway.site().path().join("gateway.toml")).expect("readable");
    fs::write(gateway.site().path().join("master.key"), format!("{}=\n", "A".repeat(43))).expect("written");
    let secrets = "\n[secrets]\nkey = \"file:master.key\"\n";
    gateway.site().write("gateway.toml", &format!("{settings}{secrets}"));
    let stopped = Gateway::attempt(gateway.site(), &["--dev"]);
    assert!(stopped.code() != 0 && stopped.errors.contains("previous_key"), "{stopped:?}");
    gateway
        .site()
        .write("gateway.toml", &format!("{settings}{secrets}previous_key = \"file:data/keys/secrets.key\"\n"));
    gateway.launch(&[]);
    gateway.kill();
    gateway.site().write("gateway.toml", &format!("{settings}{secrets}"));
    gateway.launch(&[]);
    let (alice, bob) = (Person::login(&gateway, "alice"), Person::login(&gateway, "bob"));
    let tunnel = Tunnel::open(&alice, "pg-prod");
    assert_eq!(tunnel.rows("select 1"), "1\n");
    bob.run(&["secrets", "rm", "pg/prod"]).success();
    assert_ne!(tunnel.psql().run("select 1").code(), 0);

    let everything = raw(&gateway.site().data()) + &gateway.said();
    assert!(everything.contains("rotate the secret pg/prod"), "who changed it is on record");
    for value in VALUES {
        assert!(!everything.contains(value), "{value} is where somebody reads it");
    }
}

#[test]
fn a_gateways_memory_and_environment_are_closed_to_who_runs_as_the_same_user() {
    let home = tempfile::Builder::new().prefix("hoop-closed-").tempdir().expect("a folder");
    let mut command = powerless(HOOP);
    command.args(["gateway", "run", "--dev", "--listen", "127.0.0.1:0", "--data-dir"]).arg(home.path().join("data"));
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home.path()).env("HOOP_SECRET_OF_THIS_STORY", "x");
    command.env("XDG_STATE_HOME", home.path().join("state")).env("XDG_CONFIG_HOME", home.path().join("config"));
    let mut gateway = Program::start(&mut command);
    gateway.expect_line("https://127.0.0.1:");
    let limits = fs::read_to_string(format!("/proc/{}/limits", gateway.pid())).expect("readable");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    assert_eq!(core.split_whitespace().filter(|word| *word == "0").count(), 2, "{core}");
    let read = |path: String| Program::run(powerless("cat").arg(path), "");
    let open = Program::start(powerless("cat").env("HARMLESS", "yes"));
    until("another process can be read", || read(format!("/proc/{}/environ", open.pid())).output.contains("HARMLESS"));
    for part in ["environ", "mem", "auxv"] {
        let refused = read(format!("/proc/{}/{part}", gateway.pid()));
        assert!(refused.code() != 0 && refused.errors.contains("ermi"), "{part}: {refused:?}");
    }
    gateway.signal(nix::sys::signal::Signal::SIGTERM);
    gateway.finish();
}

/// A program without the powers that root has beside being a user.
fn powerless(program: &str) -> Command {
    if !geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-all", "--inh-caps=-all", program]);
    command
}

/// A real OpenBao that is gone with its story.
struct Bao {
    address: String,
    folder: tempfile::TempDir,
    _server: Program,
}

const ROOT_TOKEN: &str = "root-of-this-story";

/// Where `tests/run --only packages` puts it.
fn bao_program() -> PathBuf {
    let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../.cache/python/bin/python");
    let python = std::env::var_os("HOOP_TESTS_PYTHON").map_or_else(usual, PathBuf::from);
    let program = python.with_file_name("bao");
    assert!(program.exists(), "OpenBao is not installed at {}: run `tests/run --only packages`", program.display());
    program
}

impl Bao {
    fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("hoop-bao-").tempdir().expect("a folder");
        let port = free_port();
        let mut command = Command::new(bao_program());
        command.args(["server", "-dev", "-dev-tls", "-dev-no-store-token"]);
        command.arg(format!("-dev-root-token-id={ROOT_TOKEN}"));
        command.arg(format!("-dev-listen-address=127.0.0.1:{port}"));
        command.arg(format!("-dev-tls-cert-dir={}", folder.path().display()));
        let mut server = Program::start(command.env("HOME", folder.path()));
        server.expect_line("Development mode should NOT be used");
        Self { address: format!("https://127.0.0.1:{port}"), folder, _server: server }
    }

    fn authority(&self) -> PathBuf {
        let files = fs::read_dir(self.folder.path()).expect("readable").filter_map(Result::ok).map(|file| file.path());
        files.into_iter().find(|path| path.to_string_lossy().ends_with("-ca.pem")).expect("an authority")
    }

    fn run(&self, arguments: &[&str], input: &str) -> String {
        let mut command = Command::new(bao_program());
        command.args(arguments).env("BAO_ADDR", &self.address).env("BAO_TOKEN", ROOT_TOKEN);
        command.env("BAO_CACERT", self.authority()).env("HOME", self.folder.path());
        Program::run(&mut command, input).success().trim().to_owned()
    }

    /// An AppRole that may read one secret and have logins made; its id and secret as files of the site.
    fn let_in(&self, site: &Site) {
        let policy = "path \"secret/data/pg\" { capabilities = [\"read\"] }\n\
                      path \"database/creds/app\" { capabilities = [\"read\"] }\n\
                      path \"sys/leases/renew\" { capabilities = [\"update\"] }\n\
                      path \"sys/leases/revoke\" { capabilities = [\"update\"] }\n";
        self.run(&["policy", "write", "hoop", "-"], policy);
        self.run(&["auth", "enable", "approle"], "");
        self.run(&["write", "auth/approle/role/hoop", "token_policies=hoop"], "");
        let role = self.run(&["read", "-field=role_id", "auth/approle/role/hoop/role-id"], "");
        let secret = self.run(&["write", "-f", "-field=secret_id", "auth/approle/role/hoop/secret-id"], "");
        site.write("role_id", &role);
        site.write("secret_id", &secret);
        let settings = fs::read_to_string(site.path().join("gateway.toml")).expect("readable");
        let vault = format!(
            "{settings}\n[secrets.vault]\naddress = \"{}\"\nca_file = \"{}\"\nauth = \"approle\"\n\
             role_id = \"file:role_id\"\nsecret_id = \"file:secret_id\"\n",
            self.address,
            self.authority().display()
        );
        site.write("gateway.toml", &vault);
    }
}

/// A change of the site that takes a connection out of service.
fn the_gateways_own_login_goes_with_its_connection(database: &Database, gateway: &mut Gateway) {
    let own = || database.value("select count(*) from pg_roles where rolname like 'v-approle-app-%'");
    assert_eq!(own(), "1");
    let masking = fs::read_to_string(gateway.site().path().join("masking.toml")).expect("readable");
    let tag = "[[column]]\nconnection = \"pg-lent\"\ncolumns = [\"public.orders.status\"]\ntag = \"pii\"\n";
    gateway.site().write("masking.toml", &format!("{masking}\n{tag}"));
    assert!(gateway.reload().contains("are in force"));
    until("the gateway's own login is revoked", || own() == "0");
}

const MAKER: &str = "the-vault-makes-logins";
const PLUGIN: &str = "plugin_name=postgresql-database-plugin";

#[test]
fn a_real_vault_gives_passwords_that_rotate_and_logins_that_end_with_their_session() {
    const VALUES: [&str; 2] = ["first-value-in-the-vault", "second-value-in-the-vault"];
    let database = Cluster::shared().database();
    let (role, bao) = (login(&database, VALUES[0]), Bao::start());
    let credential =
        format!("type = \"password\"\nusername = \"{role}\"\nsecret = \"vault:secret/data/pg#password\"\n");
    let site = site(&database, &credential);
    bao.let_in(&site);
    let lending = format!(
        "\n[[connection]]\nname = \"pg-lent\"\nkind = \"postgres\"\nupstream = \"{}\"\ndatabase = \"{}\"\n\
         [connection.credential]\ntype = \"vault-role\"\nsecret = \"vault:database/creds/app\"\nrole = \"{APP_ROLE}\"\n",
        database.address(),
        database.name
    );
    let connections = fs::read_to_string(site.path().join("connections.toml")).expect("readable");
    site.write("connections.toml", &(connections + &lending));
    site.write(
        "policies/lent.cedar",
        "permit(principal, action == Action::\"connect\", resource == Connection::\"pg-lent\");",
    );
    bao.run(&["kv", "put", "-mount=secret", "pg", "password=-"], VALUES[0]);
    let maker = format!("vault_{}", database.name);
    database.direct().run(&format!("create role {maker} superuser login password '{MAKER}'")).success();
    bao.run(&["secrets", "enable", "database"], "");
    let url = format!(
        "connection_url=postgresql://{{{{username}}}}:{{{{password}}}}@{}/{}?sslmode=disable",
        database.address(),
        database.name
    );
    let (username, password) = (format!("username={maker}"), format!("password={MAKER}"));
    bao.run(&["write", "database/config/shop", PLUGIN, "allowed_roles=app", &url, &username, &password], "");
    let creation = format!(
        "creation_statements=CREATE ROLE \"{{{{name}}}}\" LOGIN PASSWORD '{{{{password}}}}' VALID UNTIL '{{{{expiration}}}}' \
         IN ROLE {APP_ROLE}; ALTER ROLE \"{{{{name}}}}\" SET role = '{APP_ROLE}';"
    );
    bao.run(&["write", "database/roles/app", "db_name=shop", &creation, "default_ttl=1h", "max_ttl=2h"], "");

    let mut gateway = Gateway::start(site);
    let (alice, bob) = (Person::login(&gateway, "alice"), Person::login(&gateway, "bob"));
    let tunnel = Tunnel::open(&alice, "pg-prod");
    assert_eq!(tunnel.rows("select 1"), "1\n");
    change(&database, VALUES[1]);
    bao.run(&["kv", "put", "-mount=secret", "pg", "password=-"], VALUES[1]);
    until("the rotated password is used", || tunnel.psql().run("select 1").code() == 0);
    let proven = bob.json(&["connections", "test", "pg-lent"]);
    assert!(proven.to_string().contains("a login for one session was made"), "{proven}");

    // A login for one session, which is gone with it; one that a killed gateway left is gone after its next start.
    let lent = Tunnel::open(&alice, "pg-lent");
    let begin = |tunnel: &Tunnel| {
        let mut psql = tunnel.psql().start();
        psql.write("select 'works as ' || session_user || ' ' || current_user;\n");
        let told = psql.expect("as what it works", |_, line| line.strip_prefix("works as ").map(str::to_owned));
        let (made, template) = told.split_once(' ').expect("two names");
        assert!(made.starts_with("v-approle-app-") && template == APP_ROLE, "{told}");
        (psql, made.to_owned())
    };
    let exists = |role: &str| database.value(&format!("select count(*) from pg_roles where rolname = '{role}'")) == "1";
    let (mut psql, made) = begin(&lent);
    assert!(exists(&made));
    psql.close_input();
    psql.finish();
    until("the login is revoked", || !exists(&made));
    the_gateways_own_login_goes_with_its_connection(&database, &mut gateway);
    let (mut psql, made) = begin(&lent);
    gateway.kill();
    psql.close_input();
    psql.finish();
    drop((lent, tunnel));
    assert!(exists(&made), "nobody was there to revoke it");
    gateway.launch(&[]);
    until("the login is revoked after a crash", || !exists(&made));

    let everything = raw(&gateway.site().data()) + &gateway.said();
    assert!(everything.contains("login_lent"));
    for value in [VALUES[0], VALUES[1], MAKER, ROOT_TOKEN] {
        assert!(!everything.contains(value), "{value} is where somebody reads it");
    }
}
