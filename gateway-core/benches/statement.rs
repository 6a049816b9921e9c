//! What one statement costs: `cargo bench -p hoop-gateway-core --bench statement`. Prints, for typical texts,
//! microseconds (the least of many batches, so that other work on the machine hardly shows) and allocations for the
//! grammar alone, for all that is understood of a text, for a decision, and for both from the caches.

#![allow(clippy::expect_used, clippy::print_stdout, reason = "a bench stops and speaks where a program may not")]

use std::{
    collections::{BTreeMap, BTreeSet},
    hint::black_box,
    path::PathBuf,
    sync::Arc,
    time::Instant,
};

use bytes::BytesMut;
use hoop_gateway_core::{
    mask::Detectors,
    model::{ConnectionFacts, ConnectionKind, Principal, PrincipalKind},
    policy::{Circumstances, PolicySet, PolicySource, Source, TagNames},
    protocol::postgres::{
        codec::{FrameDecoder, Piece, encode_frontend, parse_frontend},
        inspect::{Sight, understand},
        message::{Frontend, Query, Text},
    },
    session::Understandings,
    sql,
    upstream::Catalogue,
};

const TEXTS: &[(&str, &str)] = &[
    ("select 1", "select 1"),
    ("pgbench -S", "SELECT abalance FROM pgbench_accounts WHERE aid = 4711;"),
    ("insert", "insert into orders (id, name, total) values (1, 'a', 3), (2, 'b', 4)"),
    (
        "join",
        "select c.id, lower(c.name) as n, count(*) from customers c join orders o on o.customer = c.id \
         where o.total > 100 and c.created >= '2026-01-01' group by c.id, c.name order by 3 desc limit 10",
    ),
    (
        "cte",
        "with recent as (select id, total from orders where placed > now() - interval '7 days'), best as (select \
         max(total) m from recent) select r.id, case when r.total = b.m then 'best' else 'other' end from recent r, \
         best b where exists (select 1 from customers c where c.id = r.id) union all select 0, 'none'",
    ),
];

const POLICIES: &str = r#"
@id("connect") permit(principal, action == Action::"connect", resource) when { principal in Group::"engineers" };
@id("work") permit(principal, action in [Action::"read", Action::"write", Action::"session"], resource)
  when { principal in Group::"engineers" || principal in Group::"dba" };
@id("agents") permit(principal in Group::"agents", action in [Action::"read", Action::"session"], resource);
@id("no-drop") forbid(principal, action in [Action::"drop", Action::"truncate"], resource);
@id("where") forbid(principal, action in [Action::"update", Action::"delete"], resource) unless { context.has_where };
@id("held") @approval("dba") @expires("15m") forbid(principal, action == Action::"delete", resource);
@id("masked") @mask("partial") forbid(principal, action == Action::"reveal", resource in DataClass::"pii");
"#;

fn main() {
    let sight = sight();
    let policies = PolicySource { path: PathBuf::from("bench.cedar"), text: POLICIES.to_owned() };
    let policies = PolicySet::load(&[policies], &TagNames::default()).expect("valid policies");
    let (who, to) = (principal(), connection());
    let now = Circumstances::at(1_800_000_000, Source::Tunnel);
    println!(
        "{:<12} {:>16} {:>16} {:>16} {:>16} {:>16}",
        "µs (allocs)", "grammar", "inspect", "understand", "decide", "both, cached"
    );
    for (name, text) in TEXTS {
        let grammar = figure(&mut || drop(black_box(pg_query::parse(text, 0))));
        let inspect = figure(&mut || drop(black_box(sql::inspect(text))));
        let cold = figure(&mut || drop(black_box(understand(text, &sight))));
        let operations = understand(text, &sight).expect("understood").operations;
        let decide = figure(&mut || {
            for operation in operations.iter() {
                black_box(policies.weigh_approved(&who, &to, operation, &now, &[]));
            }
        });
        let cache = Understandings::default();
        let cached = figure(&mut || {
            let understood = cache.of(text, &sight).expect("understood");
            for operation in understood.operations.iter() {
                black_box(policies.weigh(&who, &to, operation, &now));
            }
        });
        println!("{name:<12} {grammar:>16} {inspect:>16} {cold:>16} {decide:>16} {cached:>16}");
    }
    let mut wire = BytesMut::new();
    let text = Text::copied(TEXTS.get(1).expect("there").1).expect("no NUL");
    encode_frontend(&Frontend::Query(Query { text }), &mut wire);
    let (mut decoder, mut buffer, mut out) = (FrameDecoder::frontend(), BytesMut::new(), BytesMut::new());
    let codec = figure(&mut || {
        buffer.extend_from_slice(&wire);
        out.clear();
        let Ok(Some(Piece::Frame(frame))) = decoder.next(&mut buffer) else { return };
        encode_frontend(&parse_frontend(&frame).expect("parses"), &mut out);
    });
    println!("{:<12} {codec:>16}", "codec");
}

/// The least µs of a call over many small batches, and its allocations.
fn figure(work: &mut dyn FnMut()) -> String {
    const BATCH: u32 = 20;
    for _ in 0..BATCH {
        work();
    }
    let mut least = f64::MAX;
    for _ in 0..200 {
        let began = Instant::now();
        for _ in 0..BATCH {
            work();
        }
        least = least.min(began.elapsed().as_secs_f64() * 1e6 / f64::from(BATCH));
    }
    format!("{least:.2} ({})", allocation_counter::measure(work).count_total)
}

fn sight() -> Sight {
    Sight {
        catalogue: Arc::new(Catalogue::default()),
        search_path: Arc::from(["pg_catalog".to_owned(), "public".to_owned()]),
        veils: Arc::default(),
        overhears: false,
        hides: false,
        detectors: Detectors::none(),
        record_detectors: Detectors::builtin(),
        fingerprint: 1,
    }
}

fn principal() -> Principal {
    Principal {
        kind: PrincipalKind::User,
        name: "alice".parse().expect("a name"),
        groups: ["engineers", "staff", "all"].iter().map(|name| name.parse().expect("a name")).collect::<BTreeSet<_>>(),
        claims: BTreeMap::from([("email".to_owned(), "alice@example.com".to_owned())]),
        owner: None,
        lent_by: None,
    }
}

fn connection() -> ConnectionFacts {
    ConnectionFacts {
        name: "pg-prod".parse().expect("a name"),
        kind: ConnectionKind::Postgres,
        labels: BTreeMap::from([("env".to_owned(), "prod".to_owned())]),
        database: "shop".to_owned(),
    }
}
