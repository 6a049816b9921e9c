//! The effect that the gateway gives to a statement, held against what the server does: each statement of a corpus runs
//! at the server in a transaction that is rolled back; one that changed something there is nothing that an agent who may
//! only read gets through.

use super::{
    super::harness::{End, Gateway, Person, Tunnel, Wire, cases},
    arena::{LOGIN, cluster, site},
};

/// Calls that leave a trace somewhere: rows, sequences, large objects, locks, settings, the log, transaction ids.
const TRACES: [&str; 13] = [
    "nextval('counter')",
    "setval('counter', 5)",
    "spend()",
    "liar(1)",
    "7::checked::integer",
    "pg_advisory_lock(9)",
    "pg_try_advisory_xact_lock(10, 11)",
    "set_config('role', 'arena_loot_member', true)",
    "lo_creat(-1)",
    "lo_from_bytea(0, 'x')",
    "lo_put(4242, 0, 'y')",
    "pg_logical_emit_message(true, 'a', 'b')",
    "query_to_xml('select spend()', true, true, '')",
];

/// Where a call can stand.
const PLACES: [&str; 24] = [
    "select @",
    "select 1 where (@) is not null",
    "select (@)::text || ''",
    "select * from plain where id = 1 and (@)::text <> ''",
    "with c as (select @ as x) select x from c",
    "with c as materialized (select @ as x) select 1 from c",
    "select case when true then (@)::text end",
    "select coalesce(null, (@)::text)",
    "values ((@)::text), ('x')",
    "select 1 from generate_series(1, 2) g order by (@)::text || g",
    "select count(*) from generate_series(1, 2) g group by (@)::text || g",
    "select array_agg((@)::text || g) from generate_series(1, 2) g",
    "select l.x from plain p, lateral (select (@)::text || p.id as x) l limit 1",
    "select id from plain limit length((@)::text) % 2 + 1",
    "explain analyze select (@)::text",
    "copy (select (@)::text) to stdout",
    "declare c cursor with hold for select (@)::text",
    "select row(1, @)",
    "select jsonb_build_object('a', (@)::text)",
    "select exists (select 1 where (@)::text <> '')",
    "select 'x' union all select (@)::text",
    "select 1 having (@)::text <> ''",
    "select sum(1) over (order by (@)::text)",
    "select * from (values (1)) v(a) where a in (select length((@)::text))",
];

fn corpus() -> Vec<String> {
    let places = PLACES.iter().flat_map(|place| TRACES.iter().map(|trace| place.replace('@', trace)));
    let files = ["evasions", "harmless"].into_iter().flat_map(cases);
    let plain = files.filter(|case| case.steps.len() == 1).filter_map(|case| {
        let text = case.steps.first()?.strip_prefix("Q ")?.replace('⏎', "\n");
        // What ends the transaction around it, or puts it outside of one, cannot be rolled back.
        let lower = text.to_lowercase();
        let ends = [
            "commit",
            "rollback",
            "begin",
            "end",
            "prepare transaction",
            "dblink",
            "program",
            "@data@",
            "@self@",
            "stdin",
        ];
        (!text.contains(';') && !ends.iter().any(|word| lower.contains(word))).then_some(text)
    });
    places.chain(plain).collect()
}

/// What a transaction has to show for itself, if anything: an id, a lock beyond reading, other eyes.
const TRACE: &str = "select concat_ws(' ', case when pg_current_xact_id_if_assigned() is not null then 'wrote' end, \
    (select 'locked ' || string_agg(distinct locktype || ':' || mode, ',') from pg_locks where pid = pg_backend_pid() \
     and (locktype in ('advisory', 'object') or (locktype = 'relation' and mode <> 'AccessShareLock')) having count(*) > 0), \
    case when current_user <> session_user then 'other role' end, \
    case when current_setting('session_replication_role') <> 'origin' then 'no triggers' end)";

fn failed(wire: &Wire, from: usize) -> bool {
    wire.replies.iter().skip(from).any(|reply| reply.tag == b'E')
}

#[test]
fn nothing_that_changes_something_at_the_server_is_taken_for_a_read() {
    // Not the one that others watch: a slot or a role is there for the whole server until it is rolled back.
    let cluster = cluster();
    let database = "arena_effects".to_owned();
    cluster.superuser("postgres").run(&format!("create database {database} template arena")).success();
    let site = site(cluster, std::slice::from_ref(&database));
    site.write("masking.toml", "");
    let gateway = Gateway::start(site);
    let crew = Person::login(&gateway, "crew");
    let tunnel = Tunnel::open(&crew, "arena-effects");
    let mut server = Wire::to_socket(&cluster.socket(), LOGIN, &database);
    assert_eq!(server.start(&[]), End::Reached);
    let mut reader = Wire::to_port(tunnel.port, "anyone", &tunnel.database);
    assert_eq!(reader.start(&[]), End::Reached);
    let (mut wrong, mut changing) = (Vec::new(), 0);
    let corpus = corpus();
    for text in &corpus {
        assert_eq!(server.query("begin"), End::Reached);
        let from = server.replies.len();
        assert_eq!(server.query(text), End::Reached, "{text}");
        let trace = if failed(&server, from) { String::new() } else { server.value(TRACE) };
        // Locks of the session outlive its transactions.
        assert_eq!(server.query("rollback; select pg_advisory_unlock_all()"), End::Reached);
        if trace.is_empty() {
            continue;
        }
        changing += 1;
        assert_eq!(reader.query("begin"), End::Reached);
        let from = reader.replies.len();
        let end = reader.query(text);
        if end == End::Reached && !failed(&reader, from) {
            wrong.push(format!("{text}\n    at the server it {trace}"));
        }
        assert_eq!(reader.query("rollback"), End::Reached, "{text}: {end:?}");
    }
    println!("{} statements, of which {changing} change something", corpus.len());
    assert!(changing > 250, "only {changing} of {} statements change something", corpus.len());
    assert!(wrong.is_empty(), "{} passed as reads:\n{}", wrong.len(), wrong.join("\n"));
}
