//! Tables of statements with what they must be, and properties that hold for any text.

mod evasions;
mod lineage_refused;
mod lineage_table;
mod literal_places;
mod nodes;

use proptest::prelude::*;

use super::*;
use crate::model::{Effect, Verb};

/// One line per statement: kind, effect, `!` where no rows are named, then every verb on every name.
pub(super) fn describe(statement: &Statement) -> String {
    let accesses: Vec<String> = statement
        .accesses
        .iter()
        .map(|access| match &access.object {
            Some(object) => format!("{} {object}", access.verb),
            None => access.verb.to_string(),
        })
        .collect();
    let bang = if statement.has_where { "" } else { " !" };
    format!("{} {}{bang}: {}", statement.kind, statement.effect, accesses.join(", "))
}

pub(super) fn one(text: &str) -> Statement {
    let mut statements = inspect(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(statements.len(), 1, "{text}");
    statements.remove(0)
}

/// The table is read by people: a statement, then indented what it must be.
#[test]
fn classifies_every_statement_of_the_table() {
    let mut count = 0;
    let mut wrong = Vec::new();
    let mut lines =
        include_str!("tests/classification.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    while let (Some(text), Some(expected)) = (lines.next(), lines.next()) {
        let found = describe(&one(text));
        if found != expected.trim_start() {
            wrong.push(format!("{text}\n    {found}"));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 150, "{count}");
}

#[test]
fn an_empty_text_has_no_statement() {
    assert!(inspect("").unwrap().is_empty());
    assert!(inspect(" ; -- nothing\n /* at all */ ;").unwrap().is_empty());
}

#[test]
fn debug_shows_no_constant() {
    let shown = format!("{:?}", one("select 1 from t where email = 'bob@example.com'"));
    assert!(!shown.contains("bob@"), "{shown}");
}

#[test]
fn dangerous_functions_are_known_wherever_they_stand() {
    for (text, verb) in [
        ("select pg_read_file('/etc/passwd')", Verb::CopyFile),
        ("select 1 from t order by pg_catalog.pg_terminate_backend(1)", Verb::AlterSystem),
        ("select * from dblink('host=x', 'drop table t') as x(a int)", Verb::CallFunction),
        ("update t set a = nextval('s') where id = 1", Verb::Update),
        ("select 1 where exists (select set_config('role', 'x', false))", Verb::Unknown),
        ("insert into t values (query_to_xml('select 1', true, true, ''))", Verb::CallFunction),
        ("create table t (a text default pg_ls_dir('/'))", Verb::CopyFile),
        ("create index i on t (pg_read_file(a))", Verb::CopyFile),
        ("explain select lo_import('/etc/passwd')", Verb::CopyFile),
    ] {
        let statement = one(text);
        assert!(statement.accesses.iter().any(|access| access.verb == verb), "{text}: {}", describe(&statement));
    }
}

#[test]
fn collects_functions_operators_and_types_for_the_catalogue() {
    let statement =
        one("select f(a), s.g(b), a operator(s.+) b, c::s.t, d::jsonb from t order by a using operator(s.<)");
    let names: Vec<_> = statement.functions.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["f", "s.+", "s.<", "s.g"]);
    assert_eq!(statement.types.iter().map(ToString::to_string).collect::<Vec<_>>(), ["jsonb", "s.t"]);
    assert!(one("select c.hidden, (c).other from customers c").attributes.contains("hidden"));
    assert!(one("select (c).other from customers c").attributes.contains("other"));
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,200}") {
        let _statements = inspect(&text);
    }

    #[test]
    fn every_span_lies_within_its_text(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..24)) {
        let text = pieces.join(" ");
        for statement in inspect(&text).unwrap_or_default() {
            prop_assert!(text.get(statement.span.clone()).is_some(), "{text}");
            prop_assert!(!statement.accesses.is_empty());
            for span in statement.literals.iter().map(|literal| &literal.span).chain(&statement.secret_spans) {
                prop_assert!(text.get(span.clone()).is_some(), "{text}");
            }
            prop_assert!(statement.effect != Effect::Session || statement.verb.effect() == Effect::Session);
            let _scope = statement.sources.mask_check(&Everything);
        }
    }
}

const PIECES: &[&str] = &[
    "select",
    "*",
    "a",
    "b.c",
    ",",
    "from",
    "t",
    "s.t",
    "where",
    "=",
    "1",
    "'é'",
    "$$x$$",
    "$1",
    "(",
    ")",
    "with",
    "x",
    "as",
    "delete",
    "update",
    "set",
    "insert",
    "into",
    "values",
    "returning",
    "union",
    "all",
    ";",
    "-- c\n",
    "/* d */",
    "and",
    "or",
    "not",
    "null",
    "join",
    "on",
    "true",
    "using",
    "group",
    "by",
    "order",
    "count(*)",
    "u&'\\0041'",
    "e'\\''",
    "-1",
    "is",
    "in",
    "case",
    "when",
    "then",
    "end",
    "explain",
    "analyze",
    "copy",
    "to",
    "stdout",
    "begin",
    "::text",
];
