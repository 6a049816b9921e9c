//! What start-up lets through, and how logins answer.

use std::collections::BTreeMap;

use super::*;
use crate::model::{ConnectionKind, ConnectionName};

fn facts() -> ConnectionFacts {
    ConnectionFacts {
        name: ConnectionName::new("pg-prod").unwrap(),
        kind: ConnectionKind::Postgres,
        labels: BTreeMap::new(),
        database: "shop".into(),
    }
}

fn start(parameters: &[(&str, &str)]) -> Start {
    let text = |value: &str| Text::copied(value).unwrap();
    Start {
        minor: 0,
        parameters: parameters.iter().map(|(name, value)| (text(name), text(value))).collect(),
        protocol_options: Vec::new(),
    }
}

fn planned(parameters: &[(&str, &str)]) -> Result<Vec<(String, String)>, StartError> {
    let plan = plan(&start(parameters), &facts(), "hoop_app")?;
    Ok(plan.parameters.iter().map(|(n, v)| (n.as_str().to_owned(), v.as_str().to_owned())).collect())
}

#[test]
fn the_clients_user_never_reaches_the_upstream() {
    let sent = planned(&[("user", "postgres"), ("database", "postgres")]).unwrap();
    assert!(sent.contains(&("user".into(), "hoop_app".into())));
    assert!(sent.contains(&("database".into(), "shop".into())));
    assert!(!sent.iter().any(|(_, value)| value == "postgres"));
}

#[test]
fn refuses_settings_that_change_what_a_statement_means() {
    for (name, value) in [
        ("session_preload_libraries", "x"),
        ("role", "admin"),
        ("session_authorization", "admin"),
        ("row_security", "off"),
        ("backslash_quote", "on"),
        ("replication", "maybe"),
        ("REPLICATION", "database"),
        ("standard_conforming_strings", "off"),
        ("client_encoding", "SJIS"),
        ("database", "other"),
    ] {
        assert!(planned(&[("user", "a"), (name, value)]).is_err(), "{name}");
    }
}

#[test]
fn replication_is_told_apart_and_its_database_is_the_sites() {
    for (value, replication, said) in [
        ("false", Replication::No, None),
        ("0", Replication::No, None),
        ("true", Replication::Physical, Some("true")),
        ("ON", Replication::Physical, Some("true")),
        ("database", Replication::Database, Some("database")),
    ] {
        let parameters = [("user", "a"), ("replication", value)];
        let planned = plan(&start(&parameters), &facts(), "hoop_app").unwrap();
        let sent = planned.parameters.iter().find(|(name, _)| name.as_str() == "replication");
        assert_eq!((planned.replication, sent.map(|(_, value)| value.as_str())), (replication, said), "{value}");
    }
    let named = |replication| planned(&[("user", "a"), ("replication", replication), ("database", "replication")]);
    assert!(named("true").is_ok_and(|sent| sent.contains(&("database".into(), "shop".into()))));
    assert!(named("database").is_err() && named("false").is_err());
}

#[test]
fn a_session_is_called_by_one_name_however_often_the_client_says_another() {
    let parameters =
        [("user", "a"), ("Application_Name", "mine"), ("options", "-c application_name=other"), ("geqo", "off")];
    let mut plan = plan(&start(&parameters), &facts(), "hoop_app").unwrap();
    plan.call_it(&Text::copied("hoop.run_1.alice").unwrap());
    let said = plan.parameters.iter().filter(|(name, _)| name.as_str() == "application_name");
    assert_eq!(said.map(|(_, value)| value.as_str()).collect::<Vec<_>>(), ["hoop.run_1.alice"]);
    assert!(plan.application_name.is_some(), "the record keeps what the client called itself");
    assert!(plan.parameters.iter().any(|(name, _)| name.as_str() == "geqo"));
}

#[test]
fn options_are_parsed_as_the_server_does_and_held_to_the_same_list() {
    let sent =
        planned(&[("user", "a"), ("options", "-c statement_timeout=5s --search-path=app\\ x  -cjit=off")]).unwrap();
    assert!(sent.contains(&("statement_timeout".into(), "5s".into())));
    assert!(sent.contains(&("search_path".into(), "app x".into())));
    for bad in [
        "-c role=admin",
        "-crole=admin",
        "--role=admin",
        "-c ROLE=x",
        "-d 5",
        "-S 1",
        "-c standard_conforming_strings=off",
        "-c",
        "role=admin",
    ] {
        assert!(planned(&[("user", "a"), ("options", bad)]).is_err(), "{bad}");
    }
}

#[test]
fn answers_md5_and_cleartext_and_refuses_unknown_methods() {
    let frame = |code: u32, rest: &[u8]| Frame { tag: b'R', body: Bytes::from([&code.to_be_bytes(), rest].concat()) };
    let mut login = Login::new("hoop".into(), Some(SecretString::from("secret")));
    let Ok(LoginStep::Send(sent)) = login.step(&frame(5, &[1, 2, 3, 4])) else { panic!("md5 not answered") };
    assert!(sent.starts_with(b"p") && sent.windows(3).any(|window| window == b"md5"));
    assert!(matches!(login.step(&frame(7, &[])), Err(LoginError::Method(7))));
    assert!(matches!(Login::new("a".into(), None).step(&frame(3, &[])), Err(LoginError::NoPassword)));
}

#[test]
fn a_server_that_skips_the_end_of_scram_is_not_believed() {
    let frame = |code: u32, rest: &[u8]| Frame { tag: b'R', body: Bytes::from([&code.to_be_bytes(), rest].concat()) };
    let mut login = Login::new("hoop".into(), Some(SecretString::from("secret")));
    assert!(matches!(login.step(&frame(10, b"SCRAM-SHA-256\0\0")), Ok(LoginStep::Send(_))));
    assert!(login.step(&frame(0, &[])).is_err());
}

#[test]
fn a_server_whose_defaults_change_how_text_is_read_is_not_used() {
    let status = |body: &'static [u8]| Frame { tag: b'S', body: Bytes::from_static(body) };
    let mut login = Login::new("hoop".into(), None);
    assert!(matches!(login.step(&status(b"standard_conforming_strings\0on\0")), Ok(LoginStep::Parameter(_))));
    for body in [b"standard_conforming_strings\0off\0".as_slice(), b"client_encoding\0SJIS\0"] {
        assert!(matches!(login.step(&status(body)), Err(LoginError::Setting(_))));
    }
}
