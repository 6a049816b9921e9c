//! The local end: who is let in, what survives a renewal, an outage or Ctrl-C, and that nobody slows others down.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::process::CommandExt as _,
    process::Command,
    time::{Duration, Instant},
};

use nix::{sys::signal::Signal, unistd::geteuid};
use time::OffsetDateTime;

use super::{
    harness::{Cluster, Database, Gateway, PATIENCE, Person, Program, Site, Tunnel},
    login::{gateway as believing, provider, stored},
};

struct Stage {
    database: Database,
    _gateway: Gateway,
    alice: Person,
}

fn stage() -> Stage {
    let database = Cluster::shared().database();
    let gateway = Gateway::start(Site::new(&database));
    let alice = Person::login(&gateway, "alice");
    Stage { database, _gateway: gateway, alice }
}

/// Says something in an open psql and waits until everything before it was answered.
fn say(psql: &mut Program, script: &str, mark: &str) {
    psql.write(&format!("{script}\n\\warn {mark}\n"));
    psql.expect_line(mark);
}

fn expires_at(person: &Person) -> i64 {
    stored(person).get("expires_at").and_then(serde_json::Value::as_i64).expect("a moment")
}

#[test]
fn a_session_outlives_the_token_that_opened_it() {
    let provider = provider(&[("TOKEN_SECONDS", "8")]);
    let gateway = believing(&provider);
    let alice = Person::login(&gateway, "alice");
    let life = expires_at(&alice) - OffsetDateTime::now_utc().unix_timestamp();
    assert!(life <= 8, "the gateway's own token outlives the provider's: {life} s");
    let tunnel = Tunnel::open(&alice, "pg-prod");
    let mut psql = tunnel.psql().start();
    say(&mut psql, "begin;\nset local application_name = 'the same';", "open");
    let first = expires_at(&alice);
    say(&mut psql, &format!("select pg_sleep_until(to_timestamp({}));", first + 2), "later");
    assert!(expires_at(&alice) > first, "the tunnel renewed the token by itself");
    psql.write("show application_name;\ncommit;\n");
    psql.close_input();
    let outcome = psql.finish();
    assert!(outcome.output.contains("the same"), "{outcome:?}");
}

#[test]
fn a_session_whose_token_cannot_be_renewed_ends_with_it_and_says_why() {
    let provider = provider(&[("TOKEN_SECONDS", "8")]);
    let gateway = believing(&provider);
    let alice = Person::login(&gateway, "alice");
    let tunnel = Tunnel::open(&alice, "pg-prod");
    let mut psql = tunnel.psql().start();
    say(&mut psql, "select 1;", "open");
    drop(provider.program);
    psql.write("select pg_sleep(60);\n");
    let line = psql.expect_line("57P01");
    assert!(line.contains("expired"), "{line}");
    let late = OffsetDateTime::now_utc().unix_timestamp() - expires_at(&alice);
    assert!((-1..=3).contains(&late), "it ended {late} s after its token");
    let outcome = psql.finish();
    assert!(outcome.errors.contains("hoop login"), "{outcome:?}");
}

#[test]
fn a_session_whose_principal_changes_ends_with_the_renewal() {
    let users = tempfile::NamedTempFile::new().expect("a file");
    let become_of = |group: &str| {
        let text = format!("{{\"alice\": {{\"groups\": [\"{group}\"]}}}}");
        std::fs::write(users.path(), text).expect("written");
    };
    become_of("engineers");
    let provider = provider(&[("TOKEN_SECONDS", "8"), ("USERS_FILE", &users.path().display().to_string())]);
    let gateway = believing(&provider);
    let alice = Person::login(&gateway, "alice");
    let tunnel = Tunnel::open(&alice, "pg-prod");
    let mut psql = tunnel.psql().start();
    say(&mut psql, "select 1;", "open");
    become_of("interns");
    psql.write("select pg_sleep(60);\n");
    psql.expect_line("57P01");
    assert_ne!(psql.finish().code(), 0);
    let refused = tunnel.psql().with(&["-c", "select 1"]).run("");
    assert_ne!(refused.code(), 0, "an intern may not connect: {refused:?}");
}

#[test]
fn a_tunnel_finds_its_gateway_again_after_an_outage() {
    let provider = provider(&[]);
    let mut gateway = believing(&provider);
    let alice = Person::login(&gateway, "alice");
    let mut tunnel = Tunnel::open(&alice, "pg-prod");
    let mut psql = tunnel.psql().start();
    say(&mut psql, "select 1;", "open");
    gateway.kill();
    tunnel.program().expect_line("was cut");
    psql.write("select 2;\n");
    assert_ne!(psql.finish().code(), 0, "the old session is gone");
    tunnel.program().expect_line("reconnecting");
    gateway.launch(&[]);
    tunnel.program().expect_line("answers again");
    assert_eq!(tunnel.rows("select 3"), "3\n");
}

#[test]
fn ctrl_c_lets_an_open_session_finish() {
    let stage = stage();
    let mut tunnel = Tunnel::open(&stage.alice, "pg-prod");
    let mut psql = tunnel.psql().start();
    say(&mut psql, "begin;\ninsert into audit_trail (what) values ('half done');", "open");
    tunnel.program().signal(Signal::SIGINT);
    tunnel.program().expect_line("1 session may finish");
    let late = tunnel.psql().with(&["-c", "select 1"]).run("");
    assert_ne!(late.code(), 0, "nobody new is let in: {late:?}");
    psql.write("commit;\n");
    psql.close_input();
    assert_eq!(psql.finish().code(), 0);
    assert_eq!(tunnel.close_quietly().code(), 0);
    assert_eq!(stage.database.value("select count(*) from audit_trail"), "1");
}

#[test]
fn a_second_ctrl_c_cuts() {
    let stage = stage();
    let mut tunnel = Tunnel::open(&stage.alice, "pg-prod");
    let mut psql = tunnel.psql().start();
    say(&mut psql, "select 1;", "open");
    tunnel.program().signal(Signal::SIGINT);
    tunnel.program().expect_line("1 session may finish");
    let outcome = tunnel.close();
    assert_eq!(outcome.code(), 130, "{outcome:?}");
    assert!(outcome.errors.contains("cut"), "{outcome:?}");
}

#[test]
fn a_tunnel_with_a_password_lets_nobody_in_without_it() {
    let stage = stage();
    let port = super::harness::free_port().to_string();
    let tunnel = Tunnel::open_with(&stage.alice, "pg-prod", &["--port", &port, "--password"]);
    let with = |password: &str| {
        let mut command = tunnel.psql().with(&["-w", "-c", "select 'let in'"]).command();
        Program::run(command.env("PGPASSWORD", password), "")
    };
    let refused = with("guessed");
    assert!(refused.errors.contains("does not match"), "{refused:?}");
    assert_ne!(with("").code(), 0);
    let password = tunnel.url.split([':', '@']).nth(2).expect("in the URL");
    assert_eq!(with(password).success(), "let in\n");
}

#[test]
fn a_tunnel_can_be_a_socket() {
    let stage = stage();
    let tunnel = Tunnel::open_with(&stage.alice, "pg-prod", &["--socket"]);
    assert!(tunnel.host.starts_with('/'), "{}", tunnel.host);
    assert_eq!(tunnel.rows("select 'through a socket'"), "through a socket\n");
    let folder = tunnel.host.clone();
    assert_eq!(tunnel.close().code(), 0);
    let left = std::fs::read_dir(folder).map(Iterator::count).unwrap_or_default();
    assert_eq!(left, 0, "the socket is gone with its tunnel");
}

/// Somebody else needs root to become: as a plain user the story tries `sudo`, and says so where that fails.
#[test]
fn another_user_is_not_let_in() {
    let stage = stage();
    let mut tunnel = Tunnel::open(&stage.alice, "pg-prod");
    let psql = tunnel.psql().with(&["-c", "select 'stolen'"]);
    let mut command = psql.command();
    if geteuid().is_root() {
        command.uid(65534).gid(65534).current_dir("/");
    } else {
        let may = Command::new("sudo").args(["-n", "-u", "nobody", "true"]).status();
        if !may.is_ok_and(|status| status.success()) {
            // Not `eprintln`: the test harness would keep it to itself.
            let said = "NOT SHOWN, another_user_is_not_let_in: a plain user without sudo cannot become another one";
            return writeln!(std::io::stderr(), "{said}").expect("said");
        }
        command = Command::new("sudo");
        command.args(["-n", "-u", "nobody", "psql"]).args(psql.command().get_args()).current_dir("/");
    }
    let outcome = Program::run(&mut command, "");
    assert!(!outcome.status.success() && !outcome.output.contains("stolen"), "{outcome:?}");
    tunnel.program().expect_line("refused");
    assert_eq!(tunnel.rows("select 'mine'"), "mine\n");
    assert_eq!(stage.database.value("select count(*) from pg_stat_activity where query ~ 'stole[n]'"), "0");
}

#[test]
fn sixteen_paused_readers_do_not_delay_a_seventeenth() {
    let stage = stage();
    let tunnel = Tunnel::open(&stage.alice, "pg-prod");
    let readers: Vec<TcpStream> = (0..16).map(|_| paused_reader(&tunnel)).collect();
    let all_stuck = format!(
        "do $$ begin while (select count(*) from pg_stat_activity where datname = '{}' and wait_event = 'ClientWrite') < 16 \
         loop perform pg_sleep(0.02); perform pg_stat_clear_snapshot(); end loop; end $$",
        stage.database.name
    );
    stage.database.cluster().superuser("postgres").run(&all_stuck).success();
    let began = Instant::now();
    assert_eq!(tunnel.rows("select count(*) from generate_series(1, 1000)"), "1000\n");
    let bulk = tunnel.rows("select repeat('x', 1000) from generate_series(1, 10000)");
    assert_eq!(bulk.len(), 10_010_000);
    assert!(began.elapsed() < Duration::from_secs(20), "it took {:?}", began.elapsed());
    drop(readers);
}

/// A client that asks for far more than any buffer holds, reads the first row, and then nothing.
fn paused_reader(tunnel: &Tunnel) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", tunnel.port)).expect("open");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    let body = format!("\0\x03\0\0user\0x\0database\0{}\0\0", tunnel.database);
    send(&mut stream, None, body.as_bytes());
    until(&mut stream, b'Z');
    send(&mut stream, Some(b'Q'), b"select repeat('x', 1000) from generate_series(1, 200000)\0");
    until(&mut stream, b'D');
    stream
}

fn send(stream: &mut TcpStream, tag: Option<u8>, body: &[u8]) {
    let length = u32::try_from(body.len() + 4).expect("short").to_be_bytes();
    let message: Vec<u8> = tag.into_iter().chain(length).chain(body.iter().copied()).collect();
    stream.write_all(&message).expect("sent");
}

/// Reads whole messages up to the first with this tag.
fn until(stream: &mut TcpStream, wanted: u8) {
    loop {
        let mut head = [0; 5];
        stream.read_exact(&mut head).expect("a message");
        let [tag, length @ ..] = head;
        let mut body = vec![0; usize::try_from(u32::from_be_bytes(length)).expect("fits") - 4];
        stream.read_exact(&mut body).expect("its body");
        assert_ne!(tag, b'E', "{}", String::from_utf8_lossy(&body));
        if tag == wanted {
            return;
        }
    }
}

#[test]
fn without_a_port_the_next_free_one_is_taken_and_said() {
    let stage = stage();
    let (one, other) =
        (Tunnel::open_with(&stage.alice, "pg-prod", &[]), Tunnel::open_with(&stage.alice, "pg-prod", &[]));
    assert!(one.port >= 5432 && other.port > one.port, "{} and {}", one.port, other.port);
    for tunnel in [&one, &other] {
        assert!(tunnel.url.contains(&format!("@127.0.0.1:{}/", tunnel.port)), "{}", tunnel.url);
        let mut psql = Command::new("psql");
        assert_eq!(Program::run(psql.args(["-X", "-A", "-t", "-c", "select 1", &tunnel.url]), "").success(), "1\n");
    }
}
