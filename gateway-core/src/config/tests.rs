//! What a site may say, and what it is told when it says something else.

use std::{fs, path::Path};

use super::*;

const GATEWAY: &str = "public_url = \"https://hoop.example.com\"\ndata_dir = \"data\"\n";
const CONNECTION: &str = "[[connection]]\nname = \"pg\"\nkind = \"postgres\"\nupstream = \"db:5432\"\ndatabase = \"shop\"\n\
                          [connection.credential]\ntype = \"password\"\nusername = \"hoop\"\nsecret = \"env:PW\"\n";

fn load(files: &[(&str, &str)]) -> Result<Site, Vec<Problem>> {
    let folder = folder(files);
    Site::load(folder.path())
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("gateway.toml", GATEWAY), ("connections.toml", CONNECTION)].iter().chain(files) {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn problem(file: &str, text: &str) -> Problem {
    let mut problems = load(&[(file, text)]).map(|site| format!("{site:?}")).expect_err("it loads");
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems.remove(0)
}

#[test]
fn the_sample_site_loads_and_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(write_sample(folder.path()).unwrap().len(), 9);
    let site = Site::load(folder.path()).unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert_eq!(site.connections.len(), 1);
    assert_eq!(site.cases.len(), 4);
    assert_eq!(check_development(&site), []);
    assert_eq!(check_production(&site).len(), 2);
    assert!(write_sample(folder.path()).is_err());
}

#[test]
fn a_small_site_gets_the_strict_defaults() {
    let site = load(&[]).unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert_eq!(site.gateway.listen.to_string(), "127.0.0.1:8443");
    assert_eq!(site.gateway.recordings.durability, Durability::Strict);
    assert!(site.gateway.data_dir.is_absolute() && site.gateway.recordings.directory.ends_with("data/recordings"));
    assert_eq!(site.connections[0].tls, UpstreamTls::VerifyFull { ca_file: None });
    assert!(!site.connections[0].allow_superuser);
    assert_eq!(site.masking.detectors, crate::mask::DetectedClass::DEFAULT.into_iter().collect());
}

#[test]
fn an_unknown_key_is_refused_with_its_place_and_the_nearest_known_one() {
    let told = problem(
        "connections.toml",
        &CONNECTION.replace("[connection.credential]", "lables = {}\n[connection.credential]"),
    );
    assert_eq!((told.line, told.column), (6, 1), "{told}");
    assert_eq!(
        (told.message.as_str(), told.fix.as_str()),
        ("connection.lables is not known", "did you mean `labels`?")
    );
    let told = problem("gateway.toml", &format!("{GATEWAY}[notification]\nslack = 1\n"));
    assert_eq!(told.line, 3, "{told}");
}

#[test]
fn a_literal_secret_is_refused_and_never_shown() {
    for text in [
        CONNECTION.replace("env:PW", "hunter2"),
        CONNECTION.replace("env:PW", "postgres:hunter2"),
        CONNECTION.replace("secret = \"env:PW\"", "secret = \"env:PW\"\npassword = \"hunter2\""),
        CONNECTION.replace("db:5432", "hoop:hunter2@db:5432"),
        CONNECTION.replace("db:5432", "postgres://hoop:hunter2/db:5432"),
        CONNECTION.replace("env:PW", "env:hunter2 and more"),
    ] {
        let told = problem("connections.toml", &text);
        assert!(!told.to_string().contains("hunter2"), "{told}");
        assert!(told.line > 0, "{told}");
    }
    assert!(problem("connections.toml", &CONNECTION.replace("env:", "vault:")).message.contains("vault:secret/data"));
}

#[test]
fn logins_of_one_session_are_read_and_what_cannot_work_is_refused() {
    let with = |credential: &str, more: &str| {
        let (before, _) = CONNECTION.split_once("[connection.credential]").unwrap();
        load(&[("connections.toml", &format!("{before}{more}[connection.credential]\n{credential}"))])
    };
    let role = "type = \"ephemeral-role\"\nusername = \"maker\"\nsecret = \"store:maker\"\nrole = \"app\"\n";
    let read = with(&format!("{role}per = \"approval\"\nreassign_to = \"owner\"\n"), "").unwrap();
    let Credential::EphemeralRole(made) = &read.connections[0].credential else { panic!("a role") };
    assert_eq!((made.role.as_str(), made.heir(), made.per), ("app", "owner", LeasePer::Approval));
    assert_eq!((read.connections[0].credential.username(), read.connections[0].credential.heir()), ("app", "owner"));
    let vault = "type = \"vault-role\"\nrole = \"app\"\nsecret = ";
    assert!(with(&format!("{vault}\"vault:database/creds/app\""), "").is_ok());
    for (credential, more) in [
        (role.replace("\"app\"", "\"maker\""), ""),
        (role.to_owned(), "pool = \"session\"\n"),
        (format!("{role}per = \"statement\"\n"), ""),
        (format!("{role}lifetime_hours = 0\n"), ""),
        (format!("{role}lifetime_hours = 745\n"), ""),
        (format!("{vault}\"vault:secret/data/pg#password\""), ""),
        (format!("{vault}\"env:PW\""), ""),
        (format!("{vault}\"hunter2\""), ""),
    ] {
        let told = format!("{:?}", with(&credential, more).expect_err("it loads"));
        assert!(!told.contains("hunter2"), "{told}");
    }
}

#[test]
fn all_problems_of_all_files_are_told_at_once() {
    let problems = load(&[
        ("gateway.toml", "listen = \"here\"\npublic_url = \"http://x\"\n"),
        ("connections.toml", "[[connection]]\nname = \"a\"\nkind = \"oracle\"\nupstream = \"db\"\n"),
        ("masking.toml", "[[column]]\nconnection = \"nope\"\ncolumns = [\"email\", 3]\ntag = \"E-Mail\"\n"),
        ("agents.toml", "[[agent]]\nname = \"crew\"\nissuer = \"x\"\nowner = \"alice\"\n"),
        ("policies/a.cedar", "permit(principal, action == Action::\"selekt\", resource);"),
        ("tests/a.toml", "[[case]]\nprincipal = { user = \"a\", agent = \"b\" }\n"),
    ])
    .map(|site| format!("{site:?}"))
    .expect_err("it loads");
    let count = |file: &str| problems.iter().filter(|problem| problem.file == Path::new(file)).count();
    assert_eq!(count("gateway.toml"), 3, "{problems:#?}");
    assert_eq!(count("connections.toml"), 4, "{problems:#?}");
    assert_eq!(count("masking.toml"), 4, "{problems:#?}");
    assert_eq!(count("agents.toml"), 1, "{problems:#?}");
    assert_eq!(count("policies/a.cedar"), 1, "{problems:#?}");
    assert_eq!(count("tests/a.toml"), 4, "{problems:#?}");
    assert!(problems.iter().all(|problem| problem.line > 0 && !problem.fix.is_empty()), "{problems:#?}");
}

#[test]
fn broken_toml_a_wrong_type_and_an_absent_file_have_places() {
    assert_eq!(problem("gateway.toml", "public_url = \n").line, 1);
    let told = problem("gateway.toml", &GATEWAY.replace("\"data\"", "7"));
    assert_eq!((told.line, told.column), (2, 12), "{told}");
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Site::load(folder.path()).map(|_| ()).expect_err("it loads").len(), 2);
}

#[test]
fn two_connections_of_one_name_are_refused() {
    assert_eq!(problem("connections.toml", &format!("{CONNECTION}{CONNECTION}")).line, 10);
}

#[test]
fn reads_issuers_and_refuses_symmetric_algorithms() {
    let oidc = "[identity.oidc]\nissuer = \"https://idp\"\nclient_id = \"c\"\naudience = \"a\"\n";
    let read = |more: &str| load(&[("gateway.toml", &format!("{GATEWAY}{oidc}{more}"))]);
    let oidc_of =
        |more: &str| read(more).unwrap_or_else(|problems| panic!("{problems:#?}")).gateway.identity.oidc.unwrap();
    assert_eq!(oidc_of("").groups_claim, ["groups"]);
    assert_eq!(oidc_of("").algorithms.len(), 3);
    assert_eq!(oidc_of("groups_claim = \"realm_access.roles\"").groups_claim, ["realm_access", "roles"]);
    assert_eq!(oidc_of("groups_claim = \"https://x.y/groups\"").groups_claim, ["https://x.y/groups"]);
    for wrong in [
        "algorithms = [\"HS256\"]",
        "algorithms = [\"none\"]",
        "algorithms = []",
        "token = \"refresh\"",
        "groups_claim = \"a..b\"",
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn reads_upstreams_and_knows_this_machine() {
    let address = |text: &str| text.parse::<UpstreamAddress>();
    assert!(address("127.0.0.1:5432").unwrap().is_loopback());
    assert!(address("[::1]:5432").unwrap().is_loopback());
    assert!(!address("127.0.0.1.example.com:5432").unwrap().is_loopback());
    assert_eq!(address("[::1]:5432").unwrap().to_string(), "[::1]:5432");
    for text in ["db", "db:", "db:0", "db:65536", ":5432", "a b:5432", "[::g]:1", "::1:5432"] {
        assert!(address(text).is_err(), "{text}");
    }
}

#[test]
fn development_stays_on_this_machine() {
    let development = |upstream: &str, listen: &str| {
        let credential = Credential::Trust { username: "hoop".into() };
        let name = crate::model::ConnectionName::new("pg").unwrap();
        let connection = Connection::development(name, upstream.parse().unwrap(), "shop".into(), credential);
        let site = Site::development(Path::new("/x"), Some(listen.parse().unwrap()), vec![connection]);
        check_development(&site.unwrap_or_else(|problems| panic!("{problems:#?}"))).len()
    };
    assert_eq!(development("127.0.0.1:5432", "127.0.0.1:0"), 0);
    assert_eq!(development("[::1]:5432", "[::1]:0"), 0);
    assert_eq!(development("db.internal:5432", "127.0.0.1:0"), 1);
    assert_eq!(development("127.0.0.1:5432", "0.0.0.0:0"), 2);
}

#[test]
fn tags_are_found_by_connection_and_pattern() {
    let masking = "[[column]]\nconnection = \"pg\"\ncolumns = [\"public.*.email\"]\ntag = \"email\"\n\
                   [[column]]\nconnection = { env = \"prod\" }\ncolumns = [\"*.*.*\"]\ntag = \"all\"\n";
    let site = load(&[("masking.toml", masking)]).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let facts = site.connections[0].facts();
    assert_eq!(site.masking.tags(&facts, "public", "customers", "email").into_iter().collect::<Vec<_>>(), ["email"]);
    assert!(site.masking.tags(&facts, "private", "customers", "email").is_empty());
}

#[test]
fn native_listeners_are_addresses_that_do_not_collide() {
    let with = |lines: &str| CONNECTION.replace("kind = ", &format!("{lines}\nkind = "));
    let other = |lines: &str| with(lines).replace("\"pg\"", "\"other\"");
    let site = load(&[("connections.toml", &with("listen = \"0.0.0.0:5432\"\nauth = \"jwt\""))]).unwrap();
    let native = site.connections[0].native.unwrap();
    assert_eq!((native.address.port(), native.authentication), (5432, NativeAuthentication::Jwt));
    assert_eq!(
        check_development(&site).iter().filter(|problem| problem.message.contains("listens on 0.0.0.0")).count(),
        1
    );
    let both = |one: &str, two: &str| {
        format!("{}{}", with(&format!("listen = \"{one}\"")), other(&format!("listen = \"{two}\"")))
    };
    let shared = load(&[("connections.toml", &both("127.0.0.1:5432", "127.0.0.1:5432"))]).unwrap();
    assert_eq!(shared.connections[0].native, shared.connections[1].native);
    assert!(load(&[("connections.toml", &both("127.0.0.1:5432", "127.0.0.2:5432"))]).is_ok());
    let machine = |lines: &str| {
        format!(
            "[[connection]]\nname = \"box\"\nkind = \"ssh\"\nupstream = \"box:22\"\n{lines}\nhost_key = \"ssh-ed25519 \
             AAAAC3NzaC1lZDI1NTE5AAAAIKyItfEt3kdheDscL6+lZAsqQms0kqESAPiFYBQD8y5n\"\n\
             [connection.credential]\ntype = \"ssh-certificate\"\nusername = \"deploy\"\n"
        )
    };
    let at_one = |name: &str| machine("listen = \"0.0.0.0:2222\"").replace("\"box\"", &format!("\"{name}\""));
    let shared = load(&[("connections.toml", &(at_one("one") + &at_one("two")))]).unwrap();
    assert_eq!(shared.connections[0].native, shared.connections[1].native);
    for text in [
        both("127.0.0.1:5432", "0.0.0.0:5432"),
        with("listen = \"127.0.0.1:8443\""),
        with("listen = \"0.0.0.0:8443\""),
        with("listen = \"localhost:5432\""),
        with("listen = \"5432\""),
        with("listen = \"127.0.0.1:5432\"\nauth = \"none\""),
        with("auth = \"jwt\""),
        format!("{}{}", with("listen = \"127.0.0.1:2222\""), machine("listen = \"127.0.0.1:2222\"")),
        format!("{}{}", with("listen = \"127.0.0.1:2222\""), machine("listen = \"0.0.0.0:2222\"")),
        machine("listen = \"2222\""),
        machine("listen = \"127.0.0.1:2222\"\nauth = \"token\""),
        with("pool = \"transaction\""),
    ] {
        let told = problem("connections.toml", &text);
        assert!(!told.fix.is_empty(), "{told}");
    }
}

#[test]
fn a_way_leads_to_another_connection_of_the_site() {
    let machine = |ways: &str| {
        format!(
            "{CONNECTION}[[connection]]\nname = \"bastion\"\nkind = \"ssh\"\nupstream = \"b:22\"\nways = {{ {ways} }}\n\
             host_key = \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKyItfEt3kdheDscL6+lZAsqQms0kqESAPiFYBQD8y5n\"\n\
             [connection.credential]\ntype = \"ssh-certificate\"\nusername = \"deploy\"\n"
        )
    };
    let site = load(&[("connections.toml", &machine("\"DB1.internal.:5432\" = \"pg\", \"/run/db.sock\" = \"pg\""))]);
    let ways = site.unwrap_or_else(|problems| panic!("{problems:#?}")).connections[1].ssh.clone().unwrap().ways;
    let ways: Vec<String> = ways.iter().map(|(to, name)| format!("{to} {name}")).collect();
    assert_eq!(ways, ["db1.internal:5432 pg", "/run/db.sock pg"]);
    for (written, said) in [
        ("\"db1:5432\" = \"pq\"", "there is no such connection"),
        ("\"db1\" = \"pg\"", "no host with its port"),
        ("\"127.1:5432\" = \"pg\"", "no host with its port"),
        ("\"db1:5432\" = \"bastion\"", "the connection that it goes through"),
        ("\"db1:5432\" = \"pg\", \"DB1:5432\" = \"pg\"", "written twice"),
        ("\"db1:5432\" = \"p g\"", "db1:5432"),
    ] {
        let told = problem("connections.toml", &machine(written));
        assert!(told.message.contains(said), "{written}: {told:?}");
    }
}

#[test]
fn a_machine_before_an_upstream_is_one_of_the_site() {
    let site = |via: &str, kind: &str| {
        CONNECTION.replace("database = ", &format!("via = \"{via}\"\ndatabase = "))
            + &CONNECTION.replace("name = \"pg\"", "name = \"other\"")
            + &format!(
                "[[connection]]\nname = \"bastion\"\nkind = \"{kind}\"\nupstream = \"b:22\"\n\
                 host_key = \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKyItfEt3kdheDscL6+lZAsqQms0kqESAPiFYBQD8y5n\"\n\
                 [connection.credential]\ntype = \"ssh-certificate\"\nusername = \"deploy\"\n"
            )
    };
    let read = load(&[("connections.toml", &site("bastion", "ssh"))]).unwrap_or_else(|told| panic!("{told:#?}"));
    assert_eq!(read.connections[0].via.as_ref().map(ToString::to_string).as_deref(), Some("bastion"));
    for nobody in ["other", "pg", "nobody"] {
        let told = problem("connections.toml", &site(nobody, "ssh"));
        assert!(told.message.contains("no such connection of kind ssh"), "{told:?}");
    }
}
