//! Client certificates of `hoop cert`: one user, one connection, until they end; and everything that is none.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use super::*;

fn certificate(person: &Person, arguments: &[&str]) -> serde_json::Value {
    let all: Vec<&str> = ["cert"].into_iter().chain(arguments.iter().copied()).collect();
    person.json(&all)["cert"].clone()
}

fn conninfo(printed: &serde_json::Value) -> String {
    printed["conninfo"].as_str().expect("text").to_owned()
}

fn run(conninfo: &str, script: &str) -> Outcome {
    Program::run(&mut psql(conninfo, ""), script)
}

/// What somebody can make who is not the gateway: a certificate in the same name.
fn forge(folder: &Path) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
    parameters.distinguished_name.push(rcgen::DnType::CommonName, "alice");
    let certificate = parameters.self_signed(&key).expect("signed").pem();
    for (name, text) in [("pg-prod.crt", certificate), ("pg-prod.key", key.serialize_pem())] {
        fs::write(folder.join(name), text).expect("written");
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o600)).expect("private");
    }
}

#[test]
fn a_certificate_opens_one_connection_for_its_user_until_the_logout() {
    let stage = stage_with(|site| {
        let text = fs::read_to_string(site.path().join("connections.toml")).expect("readable");
        site.write("connections.toml", &format!("{text}\n{}", text.replace("pg-prod\"\nkind", "pg-dev\"\nkind")));
        site.edit("policies/shop.cedar", "  resource == Connection::\"pg-prod\"\n", "  resource\n");
    });
    let kept = certificate(&stage.alice, &["pg-prod"]);
    for file in ["certificate", "key"] {
        let mode = fs::metadata(kept[file].as_str().expect("a path")).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let kept = conninfo(&kept);
    for _again in 0..2 {
        assert_eq!(run(&kept, "select count(*) from orders;").success(), "200\n", "as often as they like");
    }
    let refused = run(&kept, "truncate orders;");
    assert!(refused.errors.contains("nothing-is-dropped"), "{refused:?}");
    let other_user = run(&kept.replace("user=alice", "user=bob"), "select 1;");
    assert!(other_user.errors.contains("another user's"), "{other_user:?}");
    let other_connection = run(&kept.replace("dbname=pg-prod", "dbname=pg-dev"), "select 1;");
    assert!(other_connection.errors.contains("for another connection"), "{other_connection:?}");
    let without = run(&kept.replace("pg-prod.crt", "absent.crt"), "select 1;");
    assert!(without.errors.contains("password"), "nothing but the certificate opens it: {without:?}");

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().display().to_string();
    let taken_along = conninfo(&certificate(&stage.alice, &["pg-prod", "--out", &path]));
    assert_eq!(run(&taken_along, "select 1;").success(), "1\n");
    let forged = tempfile::tempdir().expect("a folder");
    forge(forged.path());
    let foreign = run(&taken_along.replace(&path, &forged.path().display().to_string()), "select 1;");
    assert!(foreign.code() != 0 && foreign.output.is_empty(), "another authority's: {foreign:?}");

    let mut open = Program::start(&mut psql(&taken_along, ""));
    open.write("select 'open';\n");
    open.expect_line("open");
    stage.alice.run(&["logout"]).success();
    open.write("select 'closed';\n");
    open.close_input();
    let outcome = open.finish();
    assert!(!outcome.output.contains("closed") && outcome.errors.contains("57P01"), "{outcome:?}");
    let ended = run(&taken_along, "select 1;");
    assert!(ended.errors.contains("it has ended") && ended.errors.contains("hoop cert pg-prod"), "{ended:?}");
    let left = fs::read_dir(stage.alice.home().join("state/hoop/certificates")).expect("a folder").count();
    assert_eq!(left, 0, "hoop keeps none after the logout");
}
