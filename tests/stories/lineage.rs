//! Queries that nobody wrote: thousands of random ones over a table with one masked column, through the gateway to a
//! real server. Nothing that comes back may hold a secret, or a piece of one, in whatever form.

use super::harness::{Cluster, Gateway, Person, Site, Tunnel};

const MASKING: &str = r#"
[[column]]
connection = "pg-prod"
columns = ["public.vault.secret"]
tag = "email"
"#;

const VAULT: &str = "
create table vault (id integer primary key, secret text, plain text);
create table other (id integer primary key, plain text, secret text);
insert into vault select n, 'Q' || substr(upper(translate(md5(n::text), '0123456789', 'ghijklmnop')), 1, 15), 'p' || n
    from generate_series(1, 12) n;
insert into other select n, 'o' || n, 'not ' || n from generate_series(1, 12) n;
create view vault_view as select id, secret as word, plain, lower(secret) as folded from vault;
analyze vault;
alter table vault owner to hoop_app;
alter table other owner to hoop_app;
alter view vault_view owner to hoop_app;
";

/// A generator of choices that is the same each time.
struct Choices(u64);

impl Choices {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }

    fn pick<'list>(&mut self, list: &[&'list str]) -> &'list str {
        list[self.below(list.len())]
    }

    /// A text expression over the columns of `t` (vault or a query with its columns) and `o`.
    fn text(&mut self, depth: usize) -> String {
        let leaves = ["t.secret", "t.secret", "t.plain", "o.plain", "o.secret", "'c'", "t.id::text"];
        if depth == 0 {
            return self.pick(&leaves).to_owned();
        }
        let one = self.text(depth - 1);
        let two = self.text(depth - 1);
        match self.below(18) {
            0 => format!("upper({one})"),
            1 => format!("({one} || {two})"),
            2 => format!("coalesce({one}, {two})"),
            3 => format!("substr({one}, 2, 5)"),
            4 => format!("reverse({one})"),
            5 => format!("({one})::text"),
            6 => format!("case when {one} = {two} then {one} else {two} end"),
            7 => format!("(select max({one}))"),
            8 => format!("(array[{one}, {two}])[1]"),
            9 => format!("(row({one}, {two}))::text"),
            10 => format!("jsonb_build_object('k', {one})::text"),
            11 => format!("to_json({one})::text"),
            12 => format!("replace({one}, 'A', 'A')"),
            13 => format!("greatest({one}, {two})"),
            14 => format!("(select x from (select {one} as x) q)"),
            15 => format!("encode(({one})::bytea, 'hex')"),
            16 => format!("nullif({one}, {two})"),
            _ => one,
        }
    }

    fn source(&mut self) -> &'static str {
        [
            "vault t, other o",
            "vault t join other o on o.id = t.id",
            "(select * from vault) t, other o",
            "(select v.*, 1 from vault v) t join other o using (id)",
            "(select id, word as secret, plain from vault_view) t, other o",
            "(select id, folded as secret, plain from vault_view) t, other o",
            "other o, lateral (select * from vault v where v.id = o.id) t",
            "(select * from vault union all select * from vault) t, other o",
            "(select id, plain as secret, secret as plain from vault) t, other o",
            "(select * from other) t, vault o",
            "vault o(id, plain, secret), vault t(id, secret, plain)",
        ][self.below(11)]
    }

    fn query(&mut self) -> String {
        let depth = 1 + self.below(3);
        let (one, two, from) = (self.text(depth), self.text(1), self.source());
        match self.below(16) {
            0 => format!("select {one}, o.id from {from} where t.id < 3 limit 5"),
            1 => format!("select {one} as a, {two} as b from {from} order by o.id limit 4"),
            2 => format!("select string_agg({one}, ',') from {from}"),
            3 => format!("with w as (select {one} as x, o.id from {from}) select x, id from w limit 5"),
            4 => format!("with w as (select {one} as x from {from}) select row_to_json(w) from w limit 5"),
            5 => format!("select * from {from} limit 3"),
            6 => format!("select t from {from} limit 3"),
            7 => format!("select {one} from {from} union select {two} from {from} limit 6"),
            8 => format!("copy (select {one}, o.id from {from} limit 4) to stdout"),
            9 => format!("copy (select {one}, {two} from {from} limit 4) to stdout with csv"),
            10 => format!("explain (analyze, verbose) select {one} from {from} limit 2"),
            11 => format!(
                "update other set plain = {two} from vault t, other o where other.id = 1 and t.id = 1 returning other.*"
            ),
            12 => format!("select ({one})::int from {from} limit 1"),
            13 => format!("select first_value({one}) over (order by o.id), count(*) over () from {from} limit 4"),
            14 => format!("values (1, (select {one} from {from} limit 1))"),
            _ => format!("select o.id, {one}, {two} from {from} group by 1, 2, 3 limit 4"),
        }
    }
}

/// Pieces of a secret that must not be seen: any six letters of it, backwards and in hexadecimal too.
fn pieces(secrets: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for secret in secrets {
        for window in secret.as_bytes().windows(5) {
            let piece = String::from_utf8_lossy(window).to_ascii_lowercase();
            found.push(piece.chars().rev().collect());
            found.push(piece.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}")));
            found.push(piece.to_ascii_uppercase().bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}")));
            found.push(piece);
        }
    }
    found
}

#[test]
fn no_random_query_shows_a_piece_of_a_secret() {
    let database = Cluster::shared().database();
    database.direct().run(VAULT).success();
    let secrets: Vec<String> =
        database.value("select string_agg(secret, ' ') from vault").split(' ').map(str::to_owned).collect();
    let forbidden = pieces(&secrets);
    let site = Site::new(&database);
    site.write("masking.toml", MASKING);
    let gateway = Gateway::start(site);
    let alice = Person::login(&gateway, "alice");
    let tunnel = Tunnel::open(&alice, "pg-prod");
    let mut choices = Choices(20_261_121);
    let (mut refused, mut failed, mut answered, mut escaped) = (0, 0, 0, Vec::new());
    for _ in 0..40 {
        let script: Vec<String> = (0..50).map(|_| choices.query()).collect();
        let outcome = tunnel.psql().going_on().run(&format!("{};\n", script.join(";\n")));
        let shown = format!("{}{}", outcome.output, outcome.errors).to_ascii_lowercase();
        let errors = outcome.errors.matches("ERROR:").count();
        let own = outcome.errors.matches("42501").count();
        refused += own;
        failed += errors.saturating_sub(own);
        answered += script.len() - errors.min(script.len());
        if let Some(piece) = forbidden.iter().find(|piece| shown.contains(*piece)) {
            escaped.push((piece.clone(), script, outcome));
            break;
        }
    }
    assert!(escaped.is_empty(), "{escaped:#?}");
    assert!(answered > 600, "usable: {answered} answered, {refused} refused, {failed} failed");
    eprintln!("{answered} answered, {refused} refused, {failed} failed");
    let copied =
        database.value("select count(*) from other o join vault v on o.plain ~* v.secret or o.secret ~* v.secret");
    assert_eq!(copied, "0", "a secret was copied");
}
