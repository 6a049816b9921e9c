//! A gateway killed at random points, again and again, never lost the record of a statement that the server's own log
//! says it executed. Sixteen clients, unique ids, simple and extended protocol, both durabilities.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use hoop_gateway_core::{model::SessionId, record::read::session_detail};

use super::harness::{Cluster, Database, Gateway, Person, Program, Site, Tunnel};

/// Of each durability.
const ROUNDS: u64 = 50;
/// The word that marks a statement of this story; what follows is its id.
const MARK: &str = "kill-";

#[test]
fn a_killed_gateway_loses_no_record_in_strict() {
    kill_again_and_again("strict");
}

#[test]
fn a_killed_gateway_loses_no_record_in_relaxed() {
    kill_again_and_again("relaxed");
}

fn kill_again_and_again(durability: &str) {
    let database = Cluster::shared().database();
    let arguments = ["--durability", durability];
    let mut gateway = Gateway::start_with(Site::new(&database), &arguments);
    let scripts = write_scripts(&gateway);
    let mut executed = BTreeSet::new();
    let mut chance = 0x2545_f491_4f6c_dd1d_u64 ^ durability.len() as u64;
    for round in 0..ROUNDS {
        if round > 0 {
            gateway.launch(&arguments);
        }
        // A development login does not survive its provider: everybody logs in again.
        let alice = Person::login(&gateway, "alice");
        let tunnel = Tunnel::open(&alice, "pg-prod");
        let clients = scripts.clone().map(|(mode, script)| start_clients(&database, &tunnel, mode, &script));
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let point = 1 + (chance >> 33) % 400;
        database.logged_times(MARK, executed.len() + usize::try_from(point).expect("small"));
        gateway.kill();
        for client in clients {
            client.finish();
        }
        drop(tunnel);
        executed.extend(executed_ids(&database));
    }
    gateway.launch(&arguments);
    let (recorded, unknown) = recorded_ids(&gateway);
    let lost: Vec<_> = executed.difference(&recorded).collect();
    assert!(lost.is_empty(), "{} of {} executed statements have no record: {lost:?}", lost.len(), executed.len());
    assert!(executed.len() > usize::try_from(ROUNDS).expect("small"), "too little happened: {}", executed.len());
    assert!(unknown > 0, "after so many kills no operation is marked `outcome unknown`");
}

/// Twelve digits: unique enough, and too short to be sealed in the record as a card number.
fn write_scripts(gateway: &Gateway) -> [(&'static str, String); 2] {
    ["simple", "extended"].map(|mode| {
        let script = gateway.site().path().join(format!("{mode}.sql"));
        let text = format!(
            "\\set id random(100000000000, 999999999999)\ninsert into audit_trail (what) values ('{MARK}' || :id);\n"
        );
        fs::write(&script, text).expect("written");
        (mode, script.display().to_string())
    })
}

fn start_clients(database: &Database, tunnel: &Tunnel, mode: &str, script: &str) -> Program {
    let mut command = Command::new(database.cluster().program("pgbench"));
    command.args([
        "-n",
        "-M",
        mode,
        "-c",
        "8",
        "-j",
        "1",
        "-T",
        "60",
        "-h",
        "127.0.0.1",
        "-U",
        "x",
        "-p",
        &tunnel.port.to_string(),
    ]);
    Program::start(command.args(["-f", script, &tunnel.database]))
}

/// The ids that the server's log says it executed. Waits until every backend of the killed gateway is gone.
fn executed_ids(database: &Database) -> Vec<u64> {
    let gone = format!(
        "do $$ begin while exists (select from pg_stat_activity where datname = '{}' and backend_type = 'client backend') \
         loop perform pg_sleep(0.02); perform pg_stat_clear_snapshot(); end loop; end $$",
        database.name
    );
    database.cluster().superuser("postgres").run(&gone).success();
    let place = format!("@{} ", database.name);
    let mut ids = Vec::new();
    let log = database.cluster().log_until_now();
    for line in log.iter().filter(|line| line.contains(&place)) {
        if line.contains("statement: insert") && line.contains(MARK) {
            ids.extend(number_after(line, "|| "));
        } else if line.contains("DETAIL:  parameters: $1 = '") {
            ids.extend(number_after(line, "$1 = '"));
        }
    }
    ids
}

/// The ids that the recordings hold, and how many operations are marked as of unknown outcome. Asks the recordings
/// themselves and nothing beside them.
fn recorded_ids(gateway: &Gateway) -> (BTreeSet<u64>, usize) {
    let recordings = gateway.site().data().join("recordings");
    let (mut ids, mut unknown) = (BTreeSet::new(), 0);
    for session in sessions_in(&recordings) {
        for operation in session_detail(&recordings, &session).expect("readable").operations {
            ids.extend(number_after(&operation.text, "|| "));
            ids.extend(operation.parameters.iter().flatten().filter_map(|parameter| parameter.parse::<u64>().ok()));
            unknown += usize::from(operation.outcome.is_some_and(|outcome| outcome.contains("unknown")));
        }
    }
    (ids, unknown)
}

/// Every session whose id stands in the recordings' bytes.
fn sessions_in(recordings: &Path) -> BTreeSet<SessionId> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(recordings).expect("readable").filter_map(Result::ok) {
        let bytes = fs::read(entry.path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        for rest in text.split("ses_").skip(1) {
            let id: String = rest.chars().take_while(char::is_ascii_alphanumeric).take(26).collect();
            found.extend(format!("ses_{id}").parse::<SessionId>());
        }
    }
    found
}

fn number_after(text: &str, mark: &str) -> Option<u64> {
    let (_, rest) = text.split_once(mark)?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}
