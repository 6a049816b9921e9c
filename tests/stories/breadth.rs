//! Whether a predicate leaves rows out: known by keys, by the planner's statistics, by counting, or not at all.

use super::harness::{Cluster, Database, Gateway, Person, Site, Tunnel, Wire, frame, query};

struct Stage {
    database: Database,
    _gateway: Gateway,
    bob: Person,
    tunnel: Tunnel,
}

/// Tables that nothing was ever found out about.
const FRESH: &str = "
    grant create on schema public to hoop_app;
    set role hoop_app;
    create table fresh (id int primary key, label text, other int);
    insert into fresh select n, 'label ' || n, n % 10 from generate_series(1, 200) n;
    create table members (team int, person int, since date, primary key (team, person));
    insert into members select n % 10, n, now() from generate_series(1, 200) n;
    create table loose (id int, label text);
    insert into loose select n, 'label ' || n from generate_series(1, 200) n;
    create function twice(n int) returns int language sql immutable as 'select 2 * n';
    create table coded (id int primary key, other int);
    insert into coded select n, n from generate_series(1, 200) n;
    create index on coded (twice(id));
    create view fresh_view as select id, label from fresh;
    reset role;
    analyze orders;
";

fn stage(change: impl FnOnce(Site) -> Site) -> Stage {
    let database = Cluster::shared().database();
    database.direct().run(FRESH).success();
    let gateway = Gateway::start(change(Site::new(&database)));
    let (alice, bob) = (Person::login(&gateway, "alice"), Person::login(&gateway, "bob"));
    let tunnel = Tunnel::open(&alice, "pg-prod");
    Stage { database, _gateway: gateway, bob, tunnel }
}

/// Whether it passes; what does not is refused by the gateway, with advice.
fn passes(wire: &mut Wire, statement: &str) -> bool {
    let from = wire.replies.len();
    wire.query(&format!("begin; {statement}"));
    let error = wire.replies.iter().skip(from).find(|reply| reply.tag == b'E').map(|reply| format!("{reply:?}"));
    wire.query("rollback");
    let refused = error.as_ref().is_some_and(|error| error.contains("C42501") && error.contains("where-is-needed"));
    assert!(error.is_none() || refused, "{statement}: {error:?}");
    !refused
}

fn wire(stage: &Stage) -> Wire {
    let mut wire = Wire::to_port(stage.tunnel.port, "anyone", &stage.tunnel.database);
    wire.start(&[]);
    wire
}

#[test]
fn on_a_table_without_statistics_a_predicate_that_leaves_rows_out_passes() {
    let stage = stage(|site| site);
    let mut wire = wire(&stage);
    for statement in [
        "update fresh set other = 1 where id = 5",
        "update fresh set other = 1 where id in (1, 2, 3)",
        "update fresh set other = 1 where id = any('{1, 2}')",
        "update fresh set other = 1 where id > 100",
        "update fresh set other = 1 where label = 'label 7'",
        "update fresh set other = 1 where length(label) > 8",
        "update fresh set other = 1 where label like 'label 1%'",
        "update fresh set other = 1 where id in (select id from fresh where other = 3)",
        "update fresh set other = 1 where id = (select id from fresh where other = 3 limit 1 for update skip locked)",
        "update fresh f set other = 1 from loose l where l.id = f.id and l.label like '%7'",
        "with few as (select id from loose where id < 20) update fresh set other = 1 where id in (select id from few)",
        "explain analyze update fresh set other = 1 where length(label) > 8",
        "update members set since = now() where team = 3 and person = 13",
        "update members set since = now() where team = 3",
        "update loose set label = 'x' where id = 5",
        "update fresh_view set label = 'x' where id = 5",
        "insert into fresh values (1, 'x', 1), (2, 'y', 2) on conflict (id) do update set label = excluded.label",
        "insert into fresh select unnest('{1,2}'::int[]), 'x' on conflict (id) do update set label = excluded.label",
        "insert into fresh select id, label from loose where id < 50 on conflict (id) do update set label = excluded.label",
        "merge into fresh f using (values (1), (500)) v(id) on f.id = v.id when matched then update set other = 1 \
         when not matched then insert values (v.id, 'x', 1)",
    ] {
        assert!(passes(&mut wire, statement), "{statement}");
    }
}

#[test]
fn one_that_leaves_out_nearly_none_or_that_nobody_can_judge_is_none() {
    let stage = stage(|site| {
        let permit = "permit(principal, action == Action::\"call_function\", resource is Routine) \
                      when { resource.name == \"twice\" };";
        // Where something is masked, writing to a table that fires code of users is refused for that.
        site.write("masking.toml", "detectors = []\n");
        site.policy("twice", permit)
    });
    let mut wire = wire(&stage);
    for statement in [
        "update fresh set other = 1 where id > -1",
        "update fresh set other = 1 where id > 15",
        "update fresh set other = 1 where length(label) > 0",
        "update fresh set other = 1 where id in (select id from fresh)",
        "update fresh f set other = 1 from loose l where l.id = f.id",
        "update fresh_view set label = 'x' where id > -1",
        "explain analyze update fresh set other = 1 where length(label) > 0",
        "insert into fresh select id, label from loose on conflict (id) do update set label = excluded.label",
        "insert into fresh select g, 'x' from generate_series(1, 190) g on conflict (id) do update set label = 'x'",
        "merge into fresh f using loose l on f.id = l.id when matched then update set other = 1",
        // Planning would run code of users.
        "update coded set other = 1 where other = 5",
    ] {
        assert!(!passes(&mut wire, statement), "{statement}");
    }
    assert!(passes(&mut wire, "update coded set other = 1 where id = 5"), "a key needs no planner");
    let from = wire.replies.len();
    wire.query("update coded set other = 1 where other = 5");
    let told = format!("{:?}", wire.replies.iter().skip(from).collect::<Vec<_>>());
    assert!(told.contains("name the rows by a key") || told.contains("Name the rows by a key"), "{told}");
    assert_eq!(stage.database.value("select count(*) from fresh where other = 1"), "20");
}

#[test]
fn parameters_count_as_they_are_bound() {
    let stage = stage(|site| site);
    let mut wire = wire(&stage);
    for (value, expected) in [("100", "C"), ("-1", "E"), ("199", "C")] {
        let from = wire.replies.len();
        let steps = bound("update fresh set other = other where id > $1", 0, value.as_bytes());
        wire.send(&steps.concat());
        wire.until(b'Z');
        let tags: String = wire.replies.iter().skip(from).map(|reply| char::from(reply.tag)).collect();
        assert!(tags.contains(expected), "{value}: {tags}");
    }
}

/// The notice of a hold, which the client then withdraws by leaving.
fn notice(stage: &Stage, steps: &[Vec<u8>]) -> String {
    let mut wire = wire(stage);
    let from = wire.replies.len();
    wire.send(&steps.concat());
    wire.until(b'Z');
    let held = wire.replies.iter().skip(from).find(|reply| reply.tag == b'N');
    let held = held.unwrap_or_else(|| panic!("not held: {:?}", wire.replies.iter().skip(from).collect::<Vec<_>>()));
    String::from_utf8_lossy(&held.body).into_owned()
}

fn bound(text: &str, format: u8, value: &[u8]) -> Vec<Vec<u8>> {
    let length = u32::try_from(value.len()).expect("short").to_be_bytes();
    let kind = if format == 1 { [0, 1, 0, 0, 0, 23].as_slice() } else { &[0, 0] };
    vec![
        frame(b'P', &[b"\0", text.as_bytes(), b"\0", kind].concat()),
        frame(b'B', &[b"\0\0\0\x01\0".as_slice(), &[format], b"\0\x01", &length, value, b"\0\0"].concat()),
        frame(b'E', b"\0\0\0\0\0"),
        frame(b'S', b""),
    ]
}

#[test]
fn the_client_of_a_held_statement_is_told_how_many_rows_it_is_about() {
    let stage = stage(|site| {
        site.policy(
            "bulk",
            "@id(\"bulk-is-held\") @approval(\"dba\")\n\
             forbid(principal, action in Action::\"read\", resource) when { context has estimated_rows && \
             context.estimated_rows > 100 };",
        )
    });
    let simple = |text: &str| vec![query(text)];
    let text = "delete from fresh where id <= $1";
    for (steps, told) in [
        (simple("delete from fresh where id <= 100"), "It touches about 100 rows, 50 % of the table"),
        (bound(text, 0, b"60"), "It touches about 60 rows, 30 % of the table"),
        (bound(text, 1, &[0, 0, 0, 20]), "It touches about 20 rows, 10 % of the table"),
        (simple("copy (select * from orders where id > 0) to stdout"), "It returns about "),
        (simple("begin; declare c cursor for select * from orders"), "It returns about "),
    ] {
        let notice = notice(&stage, &steps);
        assert!(notice.contains(told), "{told}: {notice}");
    }
    let mut waiting = wire(&stage);
    waiting.send(&query("delete from fresh where id <= 100"));
    waiting.until(b'Z');
    let pending = stage.bob.run(&["approvals", "ls", "--output", "json"]).success();
    assert!(pending.contains("\"estimated_rows\": 100"), "{pending}");
}

#[test]
fn a_predicate_on_a_tagged_column_is_not_answered_by_a_number() {
    let stage = stage(|site| site);
    let notice = notice(&stage, &[query("delete from customers where email like 'a%'")]);
    assert!(notice.contains("waiting for approval") && !notice.contains(" row"), "{notice}");
    assert_eq!(stage.database.value("select count(*) from customers"), "50");
}
