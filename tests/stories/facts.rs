//! What is known of a statement before it runs: what the planner expects, what it calls without saying so, whether
//! its predicate names any rows, and whether rows leave in bulk.

use super::harness::{Cluster, Database, Gateway, Person, Psql, Site, Stream, Tunnel};

struct Stage {
    database: Database,
    _gateway: Gateway,
    bob: Person,
    tunnel: Tunnel,
}

/// The shop, changed by this script as its owner, with statistics; and the site, changed likewise.
fn stage(script: &str, change: impl FnOnce(Site) -> Site) -> Stage {
    let database = Cluster::shared().database();
    database
        .direct()
        .run(&format!(
            "grant create on schema public to hoop_app;\nset role hoop_app;\n{script}\nreset role;\nanalyze;\n"
        ))
        .success();
    let gateway = Gateway::start(change(Site::new(&database)));
    let (alice, bob) = (Person::login(&gateway, "alice"), Person::login(&gateway, "bob"));
    let tunnel = Tunnel::open(&alice, "pg-prod");
    Stage { database, _gateway: gateway, bob, tunnel }
}

/// What a reviewer sees of a statement that is held. The client then goes away.
fn shown(stage: &Stage, psql: &Psql, statement: &str) -> String {
    let mut waiting = psql.start();
    waiting.write(&format!("{statement};\n"));
    waiting.close_input();
    let id = waiting.expect("that it is held", |stream, line| {
        let mut words = line.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
        words.find(|word| word.starts_with("apr_") && stream == Stream::Errors).map(str::to_owned)
    });
    let shown = stage.bob.run(&["approvals", "show", &id]).success();
    stage.bob.run(&["approvals", "deny", &id, "--reason", "only looking"]);
    waiting.finish();
    shown
}

impl Stage {
    /// Whether a statement passes; one that does not is refused by the gateway, never by the server.
    fn passes(&self, statement: &str) -> bool {
        let outcome = self.tunnel.psql().with(&["-c", statement]).run("");
        let refused = outcome.errors.contains("42501") && outcome.errors.contains("ses_");
        assert!(outcome.status.success() || refused, "{statement}: {outcome:?}");
        outcome.status.success()
    }
}

#[test]
fn a_reviewer_sees_what_the_planner_expects_and_where_it_was_not_asked() {
    let stage = stage("", |site| site);
    let seen = shown(&stage, &stage.tunnel.psql(), "delete from orders where id <= 100");
    assert!(seen.contains(" % of the table, as the planner estimates"), "{seen}");
    let rows = seen.split("rows        about ").nth(1).and_then(|rest| rest.split(',').next()).expect("a number");
    assert!((90..=110).contains(&rows.parse::<u32>().expect("a number")), "{seen}");
    // An expression of users on the table: planning would run it.
    let code = "create function twice(n int) returns int language sql immutable as 'select 2 * n';
                create index on orders (twice(id));";
    let stage = self::stage(code, |site| site);
    let seen = shown(&stage, &stage.tunnel.psql(), "delete from orders where id = 100");
    assert!(seen.contains("rows        not estimated"), "{seen}");
    assert!(!stage.passes("delete from orders where id <= 100"), "nobody knows how many rows these are");
    assert_eq!(stage.database.value("select count(*) from orders"), "200");
}

#[test]
fn a_predicate_that_keeps_nine_tenths_of_a_table_counts_as_none() {
    let stage = stage("", |site| site);
    assert!(!stage.passes("update orders set status = 'lost' where id > 0"));
    assert!(!stage.passes("update orders set status = 'lost' where id > 5 and total > -1"));
    assert!(!stage.passes("update orders set status = 'lost' where coalesce(true, id = 5)"));
    assert!(!stage.passes("update orders set status = 'lost' where id = 5 or id <> 5"));
    let upsert = "insert into orders select * from orders on conflict (id) do update set status = 'lost'";
    assert!(!stage.passes(upsert));
    assert_eq!(stage.database.value("select count(*) from orders where status = 'lost'"), "0");
    assert!(stage.passes("update orders set status = 'kept' where id > 100"));
    assert!(stage.passes("update orders set status = 'kept' where id = 5"));
    assert_eq!(stage.database.value("select count(*) from orders where status = 'kept'"), "101");
}

const OPEN: &str = r#"
permit(principal, action == Action::"connect", resource);
permit(principal, action in [Action::"read", Action::"write", Action::"session"], resource);
permit(principal, action == Action::"reveal", resource);
"#;

const STAMPED: &str = "
    create function stamp() returns trigger language plpgsql as $$ begin new.status := 'stamped'; return new; end $$;
    create trigger stamps before update on orders for each row execute function stamp();
    create table noted (id int, shown bigint default order_count());
    create view counted as select order_count() as orders;
    create view spent as select nextval('audit_trail_id_seq') as next;
    create table ruled (id int);
    create rule also as on insert to ruled do also delete from audit_trail;
";

#[test]
fn what_runs_without_being_named_is_a_call_that_a_policy_permits_by_name() {
    let strict = stage(STAMPED, |site| {
        site.write("policies/shop.cedar", OPEN);
        site
    });
    for statement in [
        "update orders set total = 1 where id = 1",
        "insert into noted (id) values (1)",
        "select * from counted",
        "insert into ruled values (1)",
    ] {
        assert!(!strict.passes(statement), "{statement}");
    }
    assert!(
        strict.passes("insert into orders (id, customer_id, total) values (900, 1, 1)"),
        "the trigger is for UPDATE"
    );
    assert!(strict.passes("select * from spent"), "a write, which is permitted");
    let named = stage(STAMPED, |site| {
        site.write("policies/shop.cedar", OPEN);
        let permit = r#"permit(principal, action == Action::"call_function", resource is Routine)
                        when { ["stamp", "order_count"].contains(resource.name) };"#;
        site.policy("named", permit)
    });
    for statement in
        ["update orders set total = 1 where id = 1", "insert into noted (id) values (1)", "select * from counted"]
    {
        assert!(named.passes(statement), "{statement}");
    }
    assert!(!named.passes("insert into ruled values (1)"), "what a rule adds is not read");
    assert_eq!(named.database.value("select status from orders where id = 1"), "stamped");
}

#[test]
fn a_view_that_writes_is_no_read() {
    let stage = stage(STAMPED, |site| {
        let readers = OPEN.replace("Action::\"write\", ", "");
        site.write("policies/shop.cedar", &readers);
        site
    });
    assert!(!stage.passes("select * from spent"));
    assert!(stage.passes("select count(*) from orders"));
    assert_eq!(stage.database.value("select is_called from audit_trail_id_seq"), "f");
}

#[test]
fn rows_that_leave_in_bulk_are_an_export() {
    let stage = stage("", |site| {
        site.write("policies/shop.cedar", OPEN);
        site.edit("gateway.toml", "listen = ", "export_rows = 50\nlisten = ");
        site.policy("exports", "forbid(principal, action in Action::\"read\", resource) when { context.export };")
    });
    assert!(!stage.passes("select * from orders"));
    assert!(!stage.passes("copy orders to stdout"));
    assert!(!stage.passes("copy (select 1) to stdout"));
    assert!(stage.passes("select * from orders where id = 7"));
    assert!(stage.passes("select count(*) from orders"));
    assert!(stage.passes("select * from orders limit 10"));
}
