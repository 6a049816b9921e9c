//! What people's tools send all day, on the sample site with masking on: each statement is answered as the server itself
//! answers it, masked columns aside.
//!
//! The statements are in `tests/fixtures/harmless`, most of them as the libraries really sent them. A file is one
//! session; a `.pending` file holds what is known not to pass yet.

use std::collections::BTreeMap;

use super::harness::{
    Case, Cluster, Database, End, Gateway, Person, Psql, Reply, Script, Site, Tunnel, Wire, cases, cells, play_on,
};

struct Nobody;

impl Script for Nobody {
    fn connect(&mut self) -> Wire {
        panic!("a harmless session has one connection")
    }

    fn review(&mut self, request: &str, _approve: bool) {
        panic!("something harmless is held: {request}")
    }
}

/// What came back for one case, without what says only when or who.
fn answers(wire: &Wire, from: usize) -> Vec<Reply> {
    let replies = wire.replies.iter().skip(from);
    replies.filter(|reply| !matches!(reply.tag, b'S' | b'N' | b'K')).cloned().collect()
}

/// Whether the gateway's answer is the server's, or what the case allows instead.
fn same(case: &Case, direct: &[Reply], gateway: &[Reply]) -> bool {
    let shape = case.word("shape").next().is_some();
    let masked = case.word("masked").next().is_some();
    direct.len() == gateway.len()
        && direct.iter().zip(gateway).all(|(one, other)| {
            one.tag == other.tag
                && match one.tag {
                    b'E' => state(one) == state(other),
                    b'D' if shape => cells(&one.body).len() == cells(&other.body).len(),
                    b'D' if masked => cells(&one.body)
                        .iter()
                        .zip(cells(&other.body))
                        .all(|(one, other)| *one == other || other.is_none_or(|other| other.contains(&b'*'))),
                    b'd' | b'A' | b'C' if shape || masked => true,
                    _ => one.body == other.body,
                }
        })
}

/// An error's SQLSTATE.
fn state(error: &Reply) -> Option<Vec<u8>> {
    error.body.split(|byte| *byte == 0).find_map(|field| field.strip_prefix(b"C").map(<[u8]>::to_vec))
}

fn shown(replies: &[Reply]) -> String {
    let text: String = replies.iter().take(12).map(|reply| format!("{reply:?} ")).collect();
    text.chars().take(500).collect()
}

struct World {
    _gateway: Gateway,
    tunnel: Tunnel,
    direct: Database,
}

fn world() -> World {
    let cluster = Cluster::shared();
    let (through, direct) = (cluster.database(), cluster.database());
    let gateway = Gateway::start(Site::new(&through));
    let alice = Person::login(&gateway, "alice");
    let tunnel = Tunnel::open(&alice, "pg-prod");
    World { _gateway: gateway, tunnel, direct }
}

fn chosen() -> BTreeMap<String, Vec<Case>> {
    let only = std::env::var("HARMLESS_ONLY").unwrap_or_default();
    let mut sessions: BTreeMap<String, Vec<Case>> = BTreeMap::new();
    for case in cases("harmless").into_iter().filter(|case| case.class.contains(&only)) {
        sessions.entry(case.class.clone()).or_default().push(case);
    }
    sessions
}

#[test]
fn what_tools_send_all_day_is_answered_as_the_server_answers_it() {
    let world = world();
    let mut broken = Vec::new();
    let mut count = 0;
    for (class, cases) in chosen() {
        println!("{:4} {class}", cases.len());
        count += cases.len();
        let mut direct = Wire::to_socket(&world.direct.cluster().socket(), "hoop_app", &world.direct.name);
        let mut gateway = Wire::to_port(world.tunnel.port, "anyone", &world.tunnel.database);
        assert_eq!((direct.start(&[]), gateway.start(&[])), (End::Reached, End::Reached));
        let mut failed = broken.len();
        for case in cases {
            let from = (direct.replies.len(), gateway.replies.len());
            let placed = |database: &str| {
                let mut case = case.clone();
                case.steps.iter_mut().for_each(|step| *step = step.replace("@DATABASE@", database));
                case
            };
            let ends = (
                play_on(&placed(&world.direct.name), &mut direct, &mut Nobody),
                play_on(&placed(&world.tunnel.database), &mut gateway, &mut Nobody),
            );
            let (one, other) = (answers(&direct, from.0), answers(&gateway, from.1));
            if ends.0 != ends.1 || !same(&case, &one, &other) {
                let steps = case.steps.join("\n    ");
                broken.push(format!(
                    "{}\n    {steps}\n    {:?}\n    server:  {}\n    gateway: {}\n",
                    case.name,
                    ends.1,
                    shown(&one),
                    shown(&other)
                ));
            }
            if ends.1 != vec![End::Reached; ends.1.len()] {
                break;
            }
            // What failed here and not there must not fail what follows.
            if broken.len() > failed {
                failed = broken.len();
                assert_eq!((direct.query("rollback"), gateway.query("rollback")), (End::Reached, End::Reached));
            }
        }
    }
    println!("{count:4} statements");
    assert!(broken.is_empty(), "{} of {count}:\n{}", broken.len(), broken.join("\n"));
    assert!(count >= 150 || std::env::var_os("HARMLESS_ONLY").is_some(), "only {count} statements");
}

/// Backslash commands, which psql turns into questions to the catalogue, one on the answer of another.
const COMMANDS: &str = include_str!("../fixtures/harmless/psql_commands.sql");

#[test]
fn psql_describes_everything_as_it_does_without_the_gateway() {
    let world = world();
    let socket = world.direct.cluster().socket();
    let folder = socket.parent().expect("a folder").to_string_lossy().into_owned();
    let direct = Psql::new(&folder, world.direct.cluster().port, "hoop_app", &world.direct.name);
    let script = |psql: Psql| psql.going_on().run(COMMANDS);
    let (one, other) = (script(direct), script(world.tunnel.psql()));
    // The two databases have names of their own.
    let clean = |text: &str| text.replace(&world.direct.name, "shop").replace(&world.tunnel.database, "shop");
    let pairs = [(&one.output, &other.output), (&one.errors, &other.errors)];
    for (one, other) in pairs {
        let (one, other) = (clean(one), clean(other));
        let differing = one.lines().zip(other.lines()).find(|(one, other)| one != other);
        assert!(differing.is_none() && one.lines().count() == other.lines().count(), "{differing:?}\n{other}");
    }
}
