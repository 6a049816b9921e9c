//! Real drivers through the gateway: each does what its users do all day, is refused now and then, and goes on.

use super::harness::{Cluster, Gateway, Person, Site, Tunnel, python};

struct Stage {
    _gateway: Gateway,
    tunnel: Tunnel,
}

fn stage() -> Stage {
    let gateway = Gateway::start(Site::new(&Cluster::shared().database()));
    let alice = Person::login(&gateway, "alice");
    let tunnel = Tunnel::open(&alice, "pg-prod");
    Stage { _gateway: gateway, tunnel }
}

#[test]
fn psycopg_3_works_in_each_of_its_modes() {
    let stage = stage();
    python("psycopg3.py", &stage.tunnel).success();
}

#[test]
fn asyncpg_works() {
    let stage = stage();
    python("asyncpg_client.py", &stage.tunnel).success();
}

#[test]
fn psycopg2_and_pg8000_work() {
    let stage = stage();
    python("psycopg2_client.py", &stage.tunnel).success();
}
