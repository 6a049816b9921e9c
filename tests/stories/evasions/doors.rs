//! The way in: start-up, smuggled bytes, other databases and roles, cancel keys of others.

use std::io::{Read as _, Write as _};

use super::{
    Person, Tunnel,
    raw::{Raw, query, shown, startup, tags},
    stage,
};

#[test]
fn start_up_parameters_cannot_change_what_statements_mean() {
    let stage = stage();
    for parameters in [
        &[("replication", "database")][..],
        &[("replication", "true")],
        &[("REPLICATION", "1")],
        &[("options", "-c role=postgres")],
        &[("options", "-crole=postgres")],
        &[("options", "--session-authorization=postgres")],
        &[("options", "-c standard_conforming_strings=off")],
        &[("options", "-c standard-conforming-strings=off")],
        &[("options", "-c\\ role=postgres")],
        &[("options", "-c row_security=off")],
        &[("options", "-c session_replication_role=replica")],
        &[("options", "-d 5")],
        &[("options", "-O")],
        &[("options", "-r /tmp/loot")],
        &[("options", "-c client_encoding=latin1")],
        &[("client_encoding", "SJIS")],
        &[("role", "postgres")],
        &[("session_preload_libraries", "loot")],
        &[("standard_conforming_strings", "off")],
        &[("database", "postgres")],
        &[("application_name", "x"), ("database", "template1")],
    ] {
        let opened = Raw::open_with(&stage.tunnel, parameters);
        assert!(opened.is_err(), "{parameters:?} was let in");
    }
}

#[test]
fn the_role_is_the_sites_whatever_the_client_says() {
    let stage = stage();
    let mut raw =
        Raw::open_with(&stage.tunnel, &[("USER", "postgres")]).unwrap_or_else(|replies| panic!("{replies:?}"));
    let who = shown(&raw.query("select current_user, session_user"));
    assert!(who.contains("hoop_app") && !who.contains("postgres"), "{who}");
}

#[test]
fn a_search_path_chosen_at_start_up_does_not_hide_a_masked_table() {
    let stage = stage();
    stage
        .database
        .direct()
        .run(
            "create schema other authorization hoop_app; set role hoop_app; create table other.orders as select 1 as id; \
        create view other.safe as select phone as harmless from public.customers;",
        )
        .success();
    for path in [
        "other, public",
        "public, other",
        "other,pg_catalog,public",
        "pg_temp, other, public",
        "\"$user\", other, public",
    ] {
        let parameters = [("options", format!("-c search_path={}", path.replace(' ', "\\ ")))];
        let parameters: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut raw =
            Raw::open_with(&stage.tunnel, &parameters).unwrap_or_else(|replies| panic!("{path}: {replies:?}"));
        for statement in
            ["select phone from customers", "select harmless from safe", "select * from other.safe", "table customers"]
        {
            let replies = raw.query(statement);
            assert!(super::leaks(&shown(&replies)).is_empty(), "{path}: {statement}: {replies:?}");
        }
        assert!(shown(&raw.query("truncate orders")).contains("42501"));
    }
}

#[test]
fn bytes_after_a_request_for_tls_are_not_read_as_statements() {
    let stage = stage();
    let mut socket = Raw::socket(&stage.tunnel);
    let mut bytes = 8_u32.to_be_bytes().to_vec();
    bytes.extend(80_877_103_u32.to_be_bytes());
    bytes.extend(startup(&stage.tunnel.database, &[]));
    bytes.extend(query("update orders set status = 'smuggled' where id = 1"));
    socket.write_all(&bytes).expect("written");
    let mut answer = Vec::new();
    // A reset is as good an end as any.
    drop(socket.read_to_end(&mut answer));
    assert!(answer.is_empty() || answer == b"N", "{answer:?}");
    assert!(!stage.executed("smuggled"));
}

#[test]
fn lengths_that_cannot_be_end_the_start_up() {
    let stage = stage();
    for bytes in
        [&[0xff; 8][..], &[0; 8], &[0, 0, 0, 4], &[0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 0], &[0, 0, 0, 9, 0, 2, 0, 0, 0]]
    {
        let mut socket = Raw::socket(&stage.tunnel);
        socket.write_all(bytes).expect("written");
        let mut answer = Vec::new();
        drop(socket.read_to_end(&mut answer));
        assert!(answer.first().is_none_or(|tag| *tag == b'E'), "{bytes:?}: {answer:?}");
    }
    assert_eq!(tags(&Raw::open(&stage.tunnel).query("select 3")), "TDCZ");
}

#[test]
fn statements_sent_before_the_login_is_over_are_decided_like_others() {
    let stage = stage();
    let mut socket = Raw::socket(&stage.tunnel);
    let mut bytes = startup(&stage.tunnel.database, &[]);
    bytes.extend(query("truncate orders"));
    bytes.extend(query("select 'after'"));
    bytes.extend(super::raw::frame(b'X', b""));
    socket.write_all(&bytes).expect("written");
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).expect("an end");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.contains("42501") && answer.contains("after"), "{answer}");
    assert_eq!(stage.database.value("select count(*) from orders"), "200");
}

#[test]
fn a_cancel_key_works_for_its_own_principal_and_session_only() {
    let stage = stage();
    let mut raw = Raw::open(&stage.tunnel);
    let bob = Person::login(&stage.gateway, "bob");
    let bobs = Tunnel::open(&bob, "pg-prod");
    raw.send(&query("select 'until cancelled', pg_sleep(50)"));
    stage.database.logged_times("until cancelled", 1);
    let cancel = |tunnel: &Tunnel, key: &[u8]| {
        let mut socket = Raw::socket(tunnel);
        let mut bytes = 16_u32.to_be_bytes().to_vec();
        bytes.extend(80_877_102_u32.to_be_bytes());
        bytes.extend(key);
        socket.write_all(&bytes).expect("written");
        let mut rest = Vec::new();
        drop(socket.read_to_end(&mut rest));
        assert!(rest.is_empty(), "{rest:?}");
    };
    let key = raw.key.clone();
    cancel(&bobs, &key);
    let mut wrong = key.clone();
    if let Some(last) = wrong.last_mut() {
        *last ^= 1;
    }
    cancel(&stage.tunnel, &wrong);
    let running = "select count(*) from pg_stat_activity where query like '%until cancelled%' and state = 'active' and pid <> pg_backend_pid()";
    assert_eq!(stage.database.value(running), "1", "somebody else's key, or a wrong one, cancelled it");
    cancel(&stage.tunnel, &key);
    let replies = raw.until('Z');
    assert!(shown(&replies).contains("57014"), "{replies:?}");
    // The server's own key of this backend is not what the client was given.
    assert_eq!(tags(&raw.query("select 3")), "TDCZ");
}
