//! Every way around the gateway that somebody thought of, for ever: each is tried through the wire and judged by what
//! the server did and which bytes came back.

pub(super) mod approvals;
mod arena;
mod copies;
mod doors;
mod effects;
mod masking;
mod order;
pub(super) mod raw;
mod reviewers;
mod rules;
mod secrets;
mod statements;
mod suite;

use super::harness::{Cluster, Database, Gateway, Person, Site, Tunnel};

/// What is masked here and no detector knows, and pieces of it that no transformation may show.
const SECRETS: [&str; 8] =
    ["7946 0001", "7946", "555 0102", "0102", "ada@example.com", "4111111111111111", "1000 6497", "378282246310005"];

/// Tags without detectors: what hides a value here is lineage alone.
pub(super) const MASKING: &str = r#"
[[column]]
connection = "pg-prod"
columns = ["public.customers.email"]
tag = "email"

[[column]]
connection = "pg-prod"
columns = ["public.customers.card"]
tag = "credit_card"

[[column]]
connection = "pg-prod"
columns = ["public.customers.phone"]
tag = "phone"
"#;

/// What a database has besides tables: code of its users, and views over it.
const TRAPS: &str = r"
grant create on schema public to hoop_app;
set role hoop_app;
create function customer_phone(which integer) returns text language sql stable
    as 'select phone from customers where id = which';
create function public.abs(which text) returns text language sql stable
    as 'select phone from customers where id = which::int';
create function left_phone(one integer, other integer) returns text language sql stable
    as 'select phone from customers where id = one';
create operator @-> (leftarg = integer, rightarg = integer, function = left_phone);
create view phone_by_function as select customer_phone(1) as harmless;
create view phone_by_view as select harmless from phone_by_function;
create view statistics_of_phones as select most_common_vals::text, histogram_bounds::text from pg_stats where tablename = 'customers';
create materialized view phone_copy as select id, phone as harmless from customers;
create table unique_later (id integer, code text unique deferrable initially deferred);
create table phones_by_code (code text check (length(code) < 10), phone text unique);
";

struct Stage {
    database: Database,
    gateway: Gateway,
    alice: Person,
    tunnel: Tunnel,
}

fn stage() -> Stage {
    stage_with(|site| site)
}

fn stage_with(change: impl FnOnce(Site) -> Site) -> Stage {
    let database = Cluster::shared().database();
    database.direct().run(TRAPS).success();
    database.direct().run("analyze customers").success();
    let site = Site::new(&database);
    site.write("masking.toml", MASKING);
    let gateway = Gateway::start(change(site));
    let alice = Person::login(&gateway, "alice");
    let tunnel = Tunnel::open(&alice, "pg-prod");
    Stage { database, gateway, alice, tunnel }
}

impl Stage {
    /// What the server says it executed in this story's database as the gateway's login.
    fn log(&self) -> Vec<String> {
        let ours = format!("hoop_app@{} LOG:  ", self.database.name);
        let log = self.database.cluster().log_until_now();
        log.into_iter().filter(|line| line.contains(&ours)).collect()
    }

    /// Whether the server executed a statement that contains `part`.
    fn executed(&self, part: &str) -> bool {
        self.log().iter().any(|line| line.contains(part))
    }
}

fn leaks(text: &str) -> Vec<&'static str> {
    SECRETS.into_iter().filter(|secret| text.contains(secret)).collect()
}
