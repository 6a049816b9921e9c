//! What somebody makes beside the gateway: known at once where it has a new name, and within its bound elsewhere.

use std::time::{Duration, Instant};

use super::harness::{Cluster, Database, Gateway, Person, Site, Tunnel, Wire};

/// A snapshot's life, and what it takes to notice: twice the 15 seconds that are promised, on a busy machine.
const BOUND: Duration = Duration::from_secs(40);

const VIEW: &str = "create view shown as select id, name as label from customers; grant select on shown to public;
    create function stamp() returns trigger language plpgsql as $$ begin new.status := 'stamped'; return new; end $$;";

struct Stage {
    database: Database,
    _gateway: Gateway,
    _tunnel: Tunnel,
    wire: Wire,
}

fn stage() -> Stage {
    let database = Cluster::shared().database();
    database.direct().run(VIEW).success();
    // Tags alone: a detector would hide an address wherever it comes from.
    let site = Site::new(&database);
    let masking = "[[column]]\nconnection = \"pg-prod\"\ncolumns = [\"public.customers.email\"]\ntag = \"email\"\n";
    site.write("masking.toml", masking);
    let gateway = Gateway::start(site);
    let tunnel = Tunnel::open(&Person::login(&gateway, "alice"), "pg-prod");
    let mut wire = Wire::to_port(tunnel.port, "anyone", &tunnel.database);
    wire.start(&[]);
    Stage { database, _gateway: gateway, _tunnel: tunnel, wire }
}

impl Stage {
    /// What came back for a statement.
    fn answer(&mut self, statement: &str) -> String {
        let from = self.wire.replies.len();
        self.wire.query(statement);
        self.wire.replies.iter().skip(from).map(|reply| format!("{reply:?}")).collect()
    }

    /// Asks until the answer is another; it must become so within the bound.
    fn until(&mut self, statement: &str, is_changed: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + BOUND;
        loop {
            let answer = self.answer(statement);
            if is_changed(&answer) {
                return;
            }
            assert!(Instant::now() < deadline, "{statement}: still {answer}");
        }
    }
}

#[test]
fn a_new_view_over_a_tagged_column_is_masked_at_once() {
    let mut stage = stage();
    assert!(stage.answer("select label from shown where id = 1").contains("Ada"));
    let view = "create view beside as select id, email as label from customers; grant select on beside to public";
    stage.database.direct().run(view).success();
    let answer = stage.answer("select label from beside where id = 1");
    assert!(!answer.contains("ada@example.com") && answer.contains("a****@"), "{answer}");
}

#[test]
fn what_is_replaced_is_known_within_its_bound() {
    let mut stage = stage();
    assert!(stage.answer("select label from shown where id = 1").contains("Ada Lovelace"));
    assert!(!stage.answer("update orders set total = total where id = 1").contains("42501"));
    let beside = "create or replace view shown as select id, email as label from customers;
        create trigger stamps before update on orders for each row execute function stamp();";
    stage.database.direct().run(beside).success();
    stage.until("select label from shown where id = 1", |answer| answer.contains("a****@"));
    stage.until("update orders set total = total where id = 1", |answer| answer.contains("42501"));
    assert!(!stage.answer("select label from shown where id = 1").contains("ada@example.com"));
}
