//! The way to the real server: every login, TLS as the site demands it, and servers that are down, wrong or restarted.

use std::{net::Ipv4Addr, sync::OnceLock};

use super::harness::{Authority, Cluster, Database, Gateway, Outcome, Person, Site, Tunnel};

/// A server that asks each role for another kind of login, with a certificate of a private authority.
struct Server {
    cluster: &'static Cluster,
    authority: Authority,
}

const ACCESS: &str = "host all hoop_scram 127.0.0.1/32 scram-sha-256\n\
                      host all hoop_md5 127.0.0.1/32 md5\n\
                      host all hoop_clear 127.0.0.1/32 password\n\
                      host all hoop_trust 127.0.0.1/32 trust\n\
                      hostnossl all hoop_tls 127.0.0.1/32 reject\n\
                      hostssl all hoop_tls 127.0.0.1/32 scram-sha-256\n";
const PASSWORD: &str = "known-to-the-gateway-alone";

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let authority = Authority::new();
        let (certificate, key) = authority.issue();
        let cluster =
            Cluster::private("ssl = on", ACCESS, &[("server.crt", certificate.as_str()), ("server.key", key.as_str())]);
        let admin = cluster.superuser("postgres");
        for role in ["scram", "clear", "trust", "tls"] {
            admin.run(&format!("create role hoop_{role} login password '{PASSWORD}'")).success();
        }
        let old = format!("set password_encryption = 'md5';\ncreate role hoop_md5 login password '{PASSWORD}'");
        admin.run(&old).success();
        Server { cluster, authority }
    })
}

/// The site of a story, with another login.
fn site(database: &Database, role: &str, tls: &str) -> Site {
    let site = Site::new(database);
    site.edit("connections.toml", "hoop_app", role);
    site.edit("connections.toml", "[connection.credential]", &format!("{tls}\n[connection.credential]"));
    site.write("pg-prod.password", PASSWORD);
    site
}

fn ask(site: Site, query: &str) -> (Outcome, String) {
    let mut gateway = Gateway::start(site);
    let alice = Person::login(&gateway, "alice");
    let outcome = Tunnel::open(&alice, "pg-prod").psql().with(&["-c", query]).run("");
    (outcome, gateway.said())
}

#[test]
fn every_kind_of_login_is_the_gateways_own() {
    for role in ["hoop_scram", "hoop_md5", "hoop_clear"] {
        let (outcome, _) = ask(site(&server().cluster.database(), role, ""), "select current_user");
        assert_eq!(outcome.success(), format!("{role}\n"));
    }
}

#[test]
fn an_upstream_that_trusts_the_gateway_needs_no_secret() {
    let site = site(&server().cluster.database(), "hoop_trust", "");
    site.edit("connections.toml", "type = \"password\"", "type = \"trust\"");
    let text = std::fs::read_to_string(site.path().join("connections.toml")).expect("readable");
    let secret = text.lines().find(|line| line.starts_with("secret")).expect("there");
    site.edit("connections.toml", secret, "");
    assert_eq!(ask(site, "select current_user").0.success(), "hoop_trust\n");
}

/// Connects, and asks the server itself whether the gateway's backend is encrypted.
fn encrypted(site: Site, database: &Database) {
    let mut gateway = Gateway::start(site);
    let alice = Person::login(&gateway, "alice");
    let tunnel = Tunnel::open(&alice, "pg-prod");
    let mut psql = tunnel.psql().start();
    psql.write("select 1;\n\\warn open\n");
    psql.expect_line("open");
    let all = "select bool_and(ssl) and count(*) > 0 from pg_stat_ssl join pg_stat_activity using (pid) \
               where usename = 'hoop_tls'";
    assert_eq!(database.value(all), "t", "{}", gateway.said());
}

#[test]
fn tls_is_used_where_the_site_requires_it() {
    let database = server().cluster.database();
    encrypted(site(&database, "hoop_tls", "[connection.tls]\nmode = \"require\""), &database);
}

#[test]
fn tls_is_verified_against_a_private_authority() {
    let database = server().cluster.database();
    let tls = "[connection.tls]\nmode = \"verify-full\"\nca_file = \"upstream-ca.pem\"";
    let verified = site(&database, "hoop_tls", tls);
    verified.write("upstream-ca.pem", &server().authority.pem);
    encrypted(verified, &database);
    let other = site(&database, "hoop_tls", tls);
    other.write("upstream-ca.pem", &Authority::new().pem);
    let (outcome, _) = ask(other, "select 1");
    assert!(outcome.errors.contains("TLS handshake"), "another authority: {outcome:?}");
}

#[test]
fn a_certificate_of_another_host_is_not_believed() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue_for(Ipv4Addr::new(192, 0, 2, 1));
    let files = [("server.crt", certificate.as_str()), ("server.key", key.as_str())];
    let database = Cluster::private("ssl = on", "", &files).database();
    let site = Site::new(&database);
    let tls = "[connection.tls]\nmode = \"verify-full\"\nca_file = \"upstream-ca.pem\"\n[connection.credential]";
    site.edit("connections.toml", "[connection.credential]", tls);
    site.write("upstream-ca.pem", &authority.pem);
    let (outcome, _) = ask(site, "select 1");
    assert!(outcome.errors.contains("TLS handshake"), "{outcome:?}");
}

#[test]
fn an_upstream_that_refuses_tls_is_not_spoken_to_where_the_site_demands_it() {
    let database = Cluster::shared().database();
    for mode in ["require", "verify-full"] {
        let site = Site::new(&database);
        let tls = format!("[connection.tls]\nmode = \"{mode}\"\n[connection.credential]");
        site.edit("connections.toml", "[connection.credential]", &tls);
        let (outcome, _) = ask(site, "select 1");
        assert!(outcome.errors.contains("refuses TLS"), "{mode}: {outcome:?}");
    }
}

#[test]
fn an_upstream_that_is_down_is_said_and_the_attempt_is_on_record() {
    let database = Cluster::shared().database();
    let site = Site::new(&database);
    site.edit("connections.toml", &database.address(), "127.0.0.1:1");
    let gateway = Gateway::start(site);
    let alice = Person::login(&gateway, "alice");
    let outcome = Tunnel::open(&alice, "pg-prod").psql().with(&["-c", "select 1"]).run("");
    assert!(outcome.errors.contains("cannot reach the upstream"), "{outcome:?}");
    let listed = alice.run(&["sessions", "ls"]).success();
    assert!(listed.contains("cannot reach"), "{listed}");
}

#[test]
fn a_wrong_password_is_said_without_the_password() {
    let database = server().cluster.database();
    for role in ["hoop_scram", "hoop_md5", "hoop_clear"] {
        let site = site(&database, role, "");
        site.write("pg-prod.password", "wrong-and-secret");
        let (outcome, said) = ask(site, "select 1");
        assert!(outcome.errors.contains("FATAL"), "{outcome:?}");
        for text in [&outcome.errors, &outcome.output, &said] {
            assert!(!text.contains("wrong-and-secret") && !text.contains(PASSWORD), "{text}");
        }
    }
}

#[test]
fn an_upstream_that_restarts_ends_its_sessions_with_an_error_and_serves_the_next() {
    let cluster = Cluster::private("", "", &[]);
    let database = cluster.database();
    let gateway = Gateway::start(Site::new(&database));
    let alice = Person::login(&gateway, "alice");
    let tunnel = Tunnel::open(&alice, "pg-prod");
    let mut psql = tunnel.psql().start();
    psql.write("select pg_sleep(60);\n");
    database.logged_times("pg_sleep(60)", 1);
    cluster.stop();
    psql.expect_line("57P01");
    assert_ne!(psql.finish().code(), 0);
    let down = tunnel.psql().with(&["-c", "select 1"]).run("");
    assert!(down.errors.contains("cannot reach the upstream"), "{down:?}");
    cluster.start_again();
    assert_eq!(tunnel.rows("select 2"), "2\n");
    drop(tunnel);
    let sessions = alice.json(&["sessions", "ls", "--limit", "50"]);
    let sessions = sessions["sessions"].as_array().expect("a list");
    let reasons: Vec<&str> = sessions.iter().filter_map(|session| session["end_reason"].as_str()).collect();
    assert!(reasons.iter().any(|reason| reason.contains("upstream ended (57P01)")), "{reasons:?}");
}
