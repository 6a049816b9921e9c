//! Prepared statements and cursors by name, in SQL and by the protocol: each use is decided, and masked, as what the name
//! stands for.

use super::{
    evasions::raw::{Raw, bind, execute, parse, query, shown, sync, tags, target},
    harness::{Cluster, Gateway, Outcome, Person, Site, Tunnel},
    names::{ALL_BUT_SECRETS, SCHEMAS},
};

struct Stage {
    _gateway: Gateway,
    tunnel: Tunnel,
}

fn stage(change: impl FnOnce(&Site)) -> Stage {
    let database = Cluster::shared().database();
    database.direct().run(SCHEMAS).success();
    let site = Site::new(&database);
    change(&site);
    let gateway = Gateway::start(site);
    let alice = Person::login(&gateway, "alice");
    let tunnel = Tunnel::open(&alice, "pg-prod");
    Stage { _gateway: gateway, tunnel }
}

fn open() -> Stage {
    stage(|site| {
        site.write("policies/shop.cedar", ALL_BUT_SECRETS);
        site.write("masking.toml", "");
    })
}

impl Stage {
    fn run(&self, script: &str) -> Outcome {
        self.tunnel.psql().going_on().run(script)
    }
}

#[test]
fn an_execute_is_decided_as_what_it_runs() {
    let stage = open();
    let outcome = stage.run(
        "prepare p(text) as select v from t where v = $1;\nexecute p('open');\nexplain (costs off) execute p('open');\n\
         create temp table copy as execute p('open');\nselect * from copy;\n\
         prepare hidden as select v from secrets.t;\nexecute hidden;\nexecute nobody;\n\
         begin;\nprepare kept as select 7;\nrollback;\nexecute kept;\ndeallocate kept;\nexecute kept;\n\
         deallocate all;\nexecute p('open');\n",
    );
    let lines: Vec<&str> = outcome.output.lines().collect();
    assert_eq!((lines.first(), lines.last()), (Some(&"open"), Some(&"7")), "{outcome:?}");
    assert!(!outcome.output.contains("hidden") && outcome.errors.contains("closed"), "{outcome:?}");
    assert!(outcome.errors.contains("prepared statement \"nobody\" does not exist"), "{outcome:?}");
    assert!(outcome.errors.contains("prepared statement \"kept\" does not exist"), "{outcome:?}");
}

#[test]
fn a_name_means_what_it_means_when_it_is_executed() {
    let stage = open();
    let outcome = stage.run("prepare p as select v from t;\nexecute p;\nset search_path = secrets;\nexecute p;\n");
    assert_eq!(outcome.output, "open\n", "{outcome:?}");
    assert!(outcome.errors.contains("closed"), "{outcome:?}");
    let redefined = stage.run(
        "prepare p as select v from t;\ndeallocate p;\nprepare p as select v from secrets.t;\nexecute p;\n\
         prepare q as select v from secrets.t;\n",
    );
    assert_eq!(redefined.output, "", "{redefined:?}");
}

#[test]
fn a_fetch_goes_on_with_the_query_of_its_cursor() {
    let stage = open();
    let outcome = stage.run(
        "begin;\ndeclare c scroll cursor for select n from generate_series(1, 5) n;\nfetch c;\nfetch 2 from c;\nmove c;\n\
         fetch backward 1 from c;\nclose c;\nfetch c;\nrollback;\n\
         declare h cursor with hold for select v from t;\nfetch all from h;\nclose h;\nfetch h;\n\
         begin;\ndeclare s cursor for select v from secrets.t;\nfetch s;\nrollback;\n",
    );
    assert_eq!(outcome.output, "1\n2\n3\n3\nopen\n", "{outcome:?}");
    assert!(outcome.errors.contains("cursor \"h\" does not exist") && outcome.errors.contains("closed"), "{outcome:?}");
}

#[test]
fn what_a_cursor_or_a_prepared_statement_shows_is_masked() {
    let stage = stage(|_| {});
    let direct = stage.run("select email from customers where id = 1;\n").output;
    assert!(direct.contains('*'), "{direct}");
    for script in [
        "prepare p as select email from customers where id = $1;\nexecute p(1);\n",
        "begin;\ndeclare c cursor for select email from customers where id = 1;\nfetch c;\ncommit;\n",
        "begin;\ndeclare c binary cursor for select email from customers where id = 1;\nfetch c;\ncommit;\n",
    ] {
        let shown = stage.run(script);
        assert!(!shown.output.contains('@') || shown.output.contains('*'), "{script}: {shown:?}");
        assert!(
            shown.output.lines().any(|line| line.contains('*') || line.contains("redacted")),
            "{script}: {shown:?}"
        );
    }
}

#[test]
fn sql_and_the_protocol_share_their_names() {
    let stage = open();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (port, database) = (stage.tunnel.port, &stage.tunnel.database);
    runtime.block_on(async {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(port).user("x").dbname(database);
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.expect("connected");
        let connection = tokio::spawn(connection);
        let prepared = client.prepare("select v from t").await.expect("prepared");
        let names = client
            .query("select name from pg_prepared_statements where statement = 'select v from t'", &[])
            .await
            .expect("listed");
        let name: String = names.first().expect("one").get(0);
        let rows = client.simple_query(&format!("execute {name}")).await.expect("executed");
        assert!(format!("{rows:?}").contains("open"), "{rows:?}");
        let rows = client.query(&prepared, &[]).await.expect("still there");
        assert_eq!(rows.first().expect("a row").get::<_, &str>(0), "open");
        drop((client, prepared));
        connection.await.expect("joined").expect("ended well");
    });
}

#[test]
fn a_cursor_that_sql_declared_is_run_by_the_protocol() {
    let stage = open();
    let mut raw = Raw::open(&stage.tunnel);
    raw.query("begin");
    assert_eq!(tags(&raw.query("declare c cursor for select n from generate_series(1, 5) n")), "CZ");
    raw.send(&[target(b'D', 'P', "c"), execute("c", 2), execute("c", 0), execute("c", 1), sync()].concat());
    assert_eq!(tags(&raw.until('Z')), "TDDsDDDCCZ");
    // Sent together with what declares it, and closed by either.
    raw.send(
        &[query("declare d cursor for select v from t"), execute("d", 0), sync(), target(b'C', 'P', "d"), sync()]
            .concat(),
    );
    let replies = [raw.until('Z'), raw.until('Z'), raw.until('Z')];
    assert_eq!(replies.each_ref().map(|replies| tags(replies)), ["CZ", "DCZ", "3Z"], "{replies:?}");
    assert!(shown(&replies[1]).contains("open"), "{replies:?}");
    raw.query("close c");
    for name in ["c", "d", "nobody"] {
        raw.query("savepoint s");
        raw.send(&[execute(name, 0), sync()].concat());
        let replies = raw.until('Z');
        assert!(tags(&replies) == "EZ" && shown(&replies).contains("34000"), "{name}: {replies:?}");
        raw.query("rollback to s");
    }
    assert_eq!(tags(&raw.query("commit")), "CZ");
}

#[test]
fn an_execute_of_a_cursor_is_decided_as_a_fetch() {
    let stage = stage(|site| {
        let fetches = "@id(\"no-fetches\")\nforbid(principal, action == Action::\"fetch\", resource);\n";
        site.write("policies/shop.cedar", &format!("{ALL_BUT_SECRETS}{fetches}"));
        site.write("masking.toml", "");
    });
    let mut raw = Raw::open(&stage.tunnel);
    raw.query("begin");
    raw.query("declare c cursor for select v from t");
    raw.send(&[execute("c", 0), sync()].concat());
    let replies = raw.until('Z');
    assert!(tags(&replies) == "EZ" && shown(&replies).contains("no-fetches"), "{replies:?}");
    assert_eq!(replies[replies.len() - 1].body, b"E");
    assert_eq!(tags(&raw.query("rollback")), "CZ");
}

#[test]
fn a_cursor_is_masked_whoever_runs_it_and_whoever_had_its_name_before() {
    let stage = stage(|_| {});
    let declare = query("declare p cursor for select email from customers where id = 1");
    let run = [execute("p", 0), sync()].concat();
    for (name, before) in [
        ("declared", declare.clone()),
        (
            "declared under the name of a portal",
            [parse("", "select 'harmless' where true"), bind("p", "", &[], 0), sync(), query("close p"), declare]
                .concat(),
        ),
    ] {
        let mut raw = Raw::open(&stage.tunnel);
        raw.query("begin");
        raw.send(&[before, run.clone(), query("select 'the end'")].concat());
        let mut replies = Vec::new();
        while !shown(&replies).contains("the end") {
            replies.extend(raw.until('Z'));
        }
        let told = shown(&replies);
        assert!(told.contains('*') && !told.contains("ada@example.com"), "{name}: {told}");
    }
}
