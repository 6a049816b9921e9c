//! Every statement node of the grammar has a rule of its own; what a newer grammar adds is unknown until it gets one.

use std::collections::BTreeSet;

use super::one;
use crate::{model::Effect, sql::inspect};

/// Statements that the table of classifications leaves out, with the worst that each does.
const OTHERS: &[(&str, Effect)] = &[
    ("alter collation c refresh version", Effect::Schema),
    ("alter database d connection limit 5", Effect::Admin),
    ("alter database d refresh collation version", Effect::Admin),
    ("alter domain d drop not null", Effect::Schema),
    ("alter event trigger e disable", Effect::Schema),
    ("alter extension e update", Effect::Exec),
    ("alter extension e add table t", Effect::Exec),
    ("alter foreign data wrapper w options (add a 'b')", Effect::Admin),
    ("alter server s options (set a 'b')", Effect::Admin),
    ("alter function f() depends on extension e", Effect::Schema),
    ("alter operator family f using btree add function 1 f(int)", Effect::Schema),
    ("alter operator + (int, int) set (restrict = none)", Effect::Schema),
    ("alter function f() owner to bob", Effect::Grant),
    ("alter table t replica identity full", Effect::Schema),
    ("create language l handler h", Effect::Exec),
    ("alter publication p add table t", Effect::Schema),
    ("alter role all set work_mem = '1MB'", Effect::Grant),
    ("alter statistics s set statistics 5", Effect::Schema),
    ("alter subscription s disable", Effect::Admin),
    ("alter text search configuration c drop mapping for word", Effect::Schema),
    ("alter text search dictionary d (a = 'b')", Effect::Schema),
    ("alter type t set (receive = f)", Effect::Schema),
    ("alter user mapping for r server s options (set a 'b')", Effect::Grant),
    ("alter tablespace x set (seq_page_cost = 1)", Effect::Admin),
    ("alter table all in tablespace x set tablespace y", Effect::Admin),
    ("create access method a type index handler h", Effect::Schema),
    ("create conversion c for 'a' to 'b' from f", Effect::Schema),
    ("create foreign data wrapper w", Effect::Admin),
    ("create operator class c for type int using btree as operator 1 <", Effect::Schema),
    ("create operator family f using btree", Effect::Schema),
    ("create type r as range (subtype = int)", Effect::Schema),
    ("create transform for int language l (from sql with function f(internal))", Effect::Schema),
    ("create function f() returns int return 1", Effect::Schema),
    ("drop subscription s", Effect::Admin),
    ("drop tablespace x", Effect::Admin),
    ("drop user mapping for r server s", Effect::Grant),
    ("import foreign schema s from server f into l", Effect::Schema),
];

/// Every `…Stmt` node in the tree of a text.
fn nodes(text: &str) -> BTreeSet<String> {
    let tree = format!("{:?}", pg_query::parse(text, pg_query::ParserOptions::DEFAULT).unwrap().protobuf);
    let words = tree.split(|letter: char| !letter.is_ascii_alphanumeric());
    words.filter(|word| word.ends_with("Stmt")).map(str::to_ascii_lowercase).collect()
}

#[test]
fn every_statement_node_of_the_grammar_has_a_rule() {
    let table = include_str!("classification.txt");
    let lines = table.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', ' ']));
    let mut seen = BTreeSet::new();
    for text in lines.chain(OTHERS.iter().map(|(text, _)| *text)) {
        seen.extend(nodes(text));
    }
    let all = include_str!("statement_nodes.txt").lines();
    let missing: Vec<&str> = all.filter(|node| !seen.contains(&node.to_ascii_lowercase())).collect();
    assert!(missing.is_empty(), "no statement is classified for {missing:?}");
    for (text, effect) in OTHERS {
        assert_eq!(one(text).effect, *effect, "{text}");
    }
}

#[test]
fn a_word_that_an_older_server_reads_as_a_column_is_unknown() {
    assert_eq!(one("select system_user from t").effect, Effect::Unknown);
    assert_eq!(one("select \"system_user\", t.system_user from t").effect, Effect::Read);
    assert!(inspect("select current_user, session_user").unwrap().iter().all(|one| one.effect == Effect::Read));
}
