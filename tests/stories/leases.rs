//! Roles that live as long as a session: made by a role that is no superuser, in the image of a template, and gone with
//! the session however that ends: its client leaves, its client is killed, somebody ends it, the gateway is killed.

use std::{fs, path::Path};

use nix::sys::signal::Signal;

use super::harness::{APP_ROLE, Cluster, Database, Gateway, Person, Program, Site, Tunnel, until};

const OPERATES: &str = "@id(\"dba-operates\") permit(principal in Group::\"dba\", \
    action in [Action::\"list_sessions\", Action::\"kill_session\", Action::\"administer\"], resource);";
const MAKER_PASSWORD: &str = "only-the-gateway-makes-roles";

struct Stage {
    database: Database,
    gateway: Gateway,
    alice: Person,
    bob: Person,
}

/// A site whose connection makes roles, with a maker that has nothing but CREATEROLE and the template.
fn site(database: &Database, more: &str) -> Site {
    let maker = format!("maker_{}", database.name);
    let rights = format!(
        "create role {maker} login createrole password '{MAKER_PASSWORD}'; grant {APP_ROLE} to {maker} with admin option"
    );
    database.direct().run(&rights).success();
    let site = Site::new(database).policy("operates", OPERATES);
    let secret = site.path().join("maker.password");
    fs::write(&secret, MAKER_PASSWORD).expect("written");
    let connections = fs::read_to_string(site.path().join("connections.toml")).expect("readable");
    let (before, _) = connections.split_once("[connection.credential]").expect("a credential");
    let credential = format!(
        "{before}[connection.credential]\ntype = \"ephemeral-role\"\nusername = \"{maker}\"\nsecret = \"file:{}\"\n\
         role = \"{APP_ROLE}\"\n{more}",
        secret.display()
    );
    site.write("connections.toml", &credential);
    site
}

fn stage() -> Stage {
    let database = Cluster::shared().database();
    let gateway = Gateway::start(site(&database, ""));
    let (alice, bob) = (Person::login(&gateway, "alice"), Person::login(&gateway, "bob"));
    Stage { database, gateway, alice, bob }
}

/// psql that has said as what it works, and the role that was made for it.
fn begin(tunnel: &Tunnel) -> (Program, String) {
    let mut psql = tunnel.psql().going_on().start();
    psql.write("select 'works as ' || session_user || ' ' || current_user;\n");
    let told = psql.expect("as what it works", |_, line| line.strip_prefix("works as ").map(str::to_owned));
    let (role, template) = told.split_once(' ').expect("two names");
    assert_eq!(template, APP_ROLE);
    assert!(role.starts_with("hoop_") && role.len() == 31, "{role}");
    (psql, role.to_owned())
}

impl Stage {
    fn exists(&self, role: &str) -> bool {
        self.database.value(&format!("select count(*) from pg_roles where rolname = '{role}'")) == "1"
    }

    /// Something that only the role itself owns, as its superuser might give it.
    fn give_table(&self, role: &str, table: &str) {
        let made = format!(
            "create table {table} (id int); alter table {table} owner to {role}; grant select on orders to {role}"
        );
        self.database.direct().run(&made).success();
    }

    fn owner(&self, table: &str) -> String {
        self.database.value(&format!("select tableowner from pg_tables where tablename = '{table}'"))
    }

    fn gone(&self, role: &str) {
        until("the role is dropped", || !self.exists(role));
    }

    fn record(&self) -> String {
        raw(&self.gateway.site().data().join("recordings"))
    }
}

fn raw(folder: &Path) -> String {
    let files = fs::read_dir(folder).expect("readable").filter_map(Result::ok);
    files.map(|file| String::from_utf8_lossy(&fs::read(file.path()).unwrap_or_default()).into_owned()).collect()
}

#[test]
fn a_session_has_a_role_of_its_own_which_ends_with_it_however_it_ends() {
    let mut stage = stage();
    // One that looks like it, and was made by somebody else.
    let foreign = format!("hoop_{}", "a".repeat(26));
    stage.database.direct().run(&format!("create role {foreign}")).success();
    let tunnel = Tunnel::open(&stage.alice, "pg-prod");

    // What the server knows of it, and what its log does not.
    let (mut psql, role) = begin(&tunnel);
    let known = stage.database.value(&format!(
        "select rolconnlimit, rolvaliduntil between now() + '7 h' and now() + '9 h', rolcanlogin, rolsuper, \
         pg_has_role('{role}', '{APP_ROLE}', 'member'), shobj_description(oid, 'pg_authid') from pg_roles where rolname = '{role}'"
    ));
    assert!(known.starts_with("1|t|t|f|t|hoop: lent to ses_"), "{known}");
    let log = stage.database.cluster().log_until_now().join("\n");
    let made = log.lines().find(|line| line.contains(&format!("create role \"{role}\""))).expect("logged");
    assert!(made.contains("password 'SCRAM-SHA-256$"), "{made}");

    // Its client leaves.
    stage.give_table(&role, "kept_by_the_role");
    psql.close_input();
    psql.finish();
    stage.gone(&role);
    assert_eq!(stage.owner("kept_by_the_role"), APP_ROLE);

    // Its client is killed.
    let (psql, role) = begin(&tunnel);
    psql.signal(Signal::SIGKILL);
    psql.finish();
    stage.gone(&role);

    // Somebody ends it while it works.
    let (mut psql, role) = begin(&tunnel);
    psql.write("select pg_sleep(600);\n");
    until("it sleeps", || {
        let query =
            format!("select count(*) from pg_stat_activity where usename = '{role}' and wait_event = 'PgSleep'");
        stage.database.value(&query) == "1"
    });
    let listed = stage.alice.json(&["sessions", "ls", "--live"]);
    let id = listed["sessions"][0]["id"].as_str().expect("a live session").to_owned();
    stage.bob.run(&["sessions", "kill", &id, "--reason", "enough"]).success();
    stage.gone(&role);
    psql.expect_line("57P01");
    psql.finish();

    // The gateway is killed: what it left is gone after its next start.
    let (mut psql, role) = begin(&tunnel);
    stage.give_table(&role, "kept_over_a_crash");
    stage.gateway.kill();
    psql.close_input();
    psql.finish();
    drop(tunnel);
    assert!(stage.exists(&role), "nobody was there to drop it");
    // Its connection lends no more: nobody may take it away, and that is said. Then it is of another database.
    let connections = fs::read_to_string(stage.gateway.site().path().join("connections.toml")).expect("readable");
    let (before, _) = connections.split_once("[connection.credential]").expect("a credential");
    let plain = format!(
        "{before}[connection.credential]\ntype = \"password\"\nusername = \"{APP_ROLE}\"\nsecret = \"file:{}\"\n",
        stage.gateway.site().path().join("pg-prod.password").display()
    );
    stage.gateway.site().write("connections.toml", &plain);
    stage.gateway.launch(&[]);
    stage.gateway.says(&["a lent login is left over", &role, &stage.database.address(), "drop it by hand"]);
    assert!(stage.exists(&role));
    stage.gateway.stop();
    let elsewhere = format!("database = \"{}\"", stage.database.name);
    assert!(connections.contains(&elsewhere), "{connections}");
    stage.gateway.site().write("connections.toml", &connections.replace(&elsewhere, "database = \"postgres\""));
    stage.gateway.launch(&[]);
    stage.gone(&role);
    assert_eq!(stage.owner("kept_over_a_crash"), APP_ROLE, "what it owned was in the database that it was made for");
    assert!(stage.exists(&foreign), "a role that it did not make is none of its business");
    stage.database.direct().run(&format!("drop role {foreign}")).success();

    // What the gateway sent for it is on record, the passwords are not.
    let record = stage.record();
    for word in ["login_lent", "login_returned", role.as_str(), "its session ended", "nobody holds it any more"] {
        assert!(record.contains(word), "{word}");
    }
    assert!(!record.contains(MAKER_PASSWORD) && !stage.gateway.said().contains(MAKER_PASSWORD));
}

#[test]
fn a_connection_proves_itself_and_says_what_its_role_may_do_too_much() {
    let stage = stage();
    let proof = |name: &str| stage.bob.run(&["connections", "test", name, "--output", "json"]);
    let told = proof("pg-prod");
    assert_eq!(told.code(), 0, "{told:?}");
    let proven: serde_json::Value = serde_json::from_str(&told.output).expect("JSON");
    let proofs = proven["connection"]["proofs"].as_array().expect("proofs").clone();
    let of = |check: &str| proofs.iter().filter(|one| one["check"] == check).cloned().collect::<Vec<_>>();
    assert_eq!(of("reach")[0]["outcome"], "good", "{proofs:#?}");
    assert_eq!(of("tls")[0]["outcome"], "good", "{proofs:#?}");
    assert_eq!(of("credential")[0]["outcome"], "good", "{proofs:#?}");
    assert_eq!(of("lease")[0]["outcome"], "good", "{proofs:#?}");
    let warned = of("privileges");
    assert!(warned.iter().any(|one| one["detail"].as_str().is_some_and(|text| text.contains("owns"))), "{warned:#?}");

    // The template may read the server's files.
    stage.database.direct().run(&format!("grant pg_read_server_files to {APP_ROLE}")).success();
    let told = stage.bob.run(&["connections", "test", "pg-prod"]);
    stage.database.direct().run(&format!("revoke pg_read_server_files from {APP_ROLE}")).success();
    assert!(told.output.contains("pg_read_server_files"), "{told:?}");

    // The credential is no good any more.
    let maker = format!("maker_{}", stage.database.name);
    stage.database.direct().run(&format!("alter role {maker} password 'another'")).success();
    let told = proof("pg-prod");
    assert_eq!(told.code(), 1, "{told:?}");
    assert!(told.output.contains("28P01") && !told.output.contains(MAKER_PASSWORD), "{told:?}");

    let refused = stage.alice.run(&["connections", "test", "pg-prod"]);
    assert_eq!(refused.code(), 3, "{refused:?}");
    let listed = stage.bob.json(&["connections", "ls"]);
    assert_eq!(listed["connections"][0]["credential"], "ephemeral-role", "{listed}");
    assert_eq!(stage.alice.run(&["connections", "ls"]).code(), 3);
    assert!(stage.record().contains("\"probed\""));
}

/// A connection beside, of the same maker, with another template.
fn beside(site: &Site, database: &Database, name: &str, template: &str, more: &str) {
    let maker = format!("maker_{}", database.name);
    database.direct().run(&format!("grant {template} to {maker} with admin option")).success();
    let connections = fs::read_to_string(site.path().join("connections.toml")).expect("readable");
    let first = connections.split("\n[[connection]]").next().expect("a connection").replace("per = \"approval\"\n", "");
    let named = first.replace("\"pg-prod\"", &format!("\"{name}\""));
    let templated = named.replace(&format!("role = \"{APP_ROLE}\""), &format!("role = \"{template}\"\n{more}"));
    site.write("connections.toml", &format!("{connections}\n{templated}"));
}

#[test]
fn a_role_per_approval_is_for_who_an_approval_let_in() {
    let database = Cluster::shared().database();
    let site = site(&database, "per = \"approval\"\n");
    // A template that may become a superuser with SET ROLE, and an heir that the maker may give nothing to.
    let (grand, plain, heir) =
        (format!("grand_{}", database.name), format!("plain_{}", database.name), format!("heir_{}", database.name));
    let roles = format!("create role {grand}; grant postgres to {grand}; create role {plain}; create role {heir}");
    database.direct().run(&roles).success();
    beside(&site, &database, "pg-grand", &grand, "");
    beside(&site, &database, "pg-heir", &plain, &format!("reassign_to = \"{heir}\"\n"));
    site.edit("policies/shop.cedar", "  resource == Connection::\"pg-prod\"\n", "  resource\n");
    let gateway = Gateway::start(site);
    let (alice, bob) = (Person::login(&gateway, "alice"), Person::login(&gateway, "bob"));
    let refused = Tunnel::open(&alice, "pg-grand").psql().run("select 1");
    assert_ne!(refused.code(), 0);
    assert!(refused.errors.contains("is a superuser of this server"), "{refused:?}");

    // Whoever makes roles may not be who may give away what they own: a test says so, and what it left is tried again.
    let told = bob.run(&["connections", "test", "pg-heir"]);
    assert!(told.code() == 1 && told.output.contains("cannot be taken away again"), "{told:?}");
    let maker = format!("maker_{}", database.name);
    let left = || {
        database.value(&format!(
            "select count(*) from pg_auth_members m join pg_roles r on r.oid = m.member \
        where pg_get_userbyid(m.roleid) = '{plain}' and r.rolname like 'hoop!_%' escape '!'"
        ))
    };
    assert_eq!(left(), "1");
    database.direct().run(&format!("grant {heir} to {maker}")).success();
    until("what the test left is dropped", || left() == "0");
    let told = bob.run(&["connections", "test", "pg-heir"]);
    assert!(told.code() == 0 && told.output.contains("used and taken away"), "{told:?}");
    assert_eq!(left(), "0", "at once");
    let refused = Tunnel::open(&alice, "pg-prod").psql().run("select 1");
    assert_ne!(refused.code(), 0);
    assert!(refused.errors.contains("an approval let in") && refused.errors.contains("--request"), "{refused:?}");
    let maker = format!("maker_{}@", database.name);
    let log = database.cluster().log_until_now();
    assert!(log.iter().any(|line| line.contains(&maker)), "the catalogue is read all the same");
    let made = |template: &str| format!("in role \"{template}\"");
    let lends = |line: &String| [APP_ROLE, &grand].iter().any(|template| line.contains(&made(template)));
    assert!(!log.iter().any(|line| line.contains(&maker) && lends(line)), "no role is made");
    assert!(log.iter().any(|line| line.contains(&maker) && line.contains(&made(&plain))), "as one would be");
}
