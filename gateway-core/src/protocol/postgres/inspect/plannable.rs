//! Which statements the planner may be asked about, and the text that asks it. Pure.
//!
//! EXPLAIN plans, and planning runs functions: stable ones to estimate, immutable ones to fold. So only a statement
//! in which every function, operator, cast and type is one of the server's own and known to be harmless is asked
//! about, on relations that carry no expression of users and no other server. The rest is not estimated.
//!
//! Never more than one statement at a time; values stay parameters of the protocol, and the text is the statement's
//! own bytes behind a fixed word, read again by the grammar before it is used.

use std::collections::BTreeSet;

use super::{Sight, Understood, calls};
use crate::{
    model::{Effect, Operation, Verb},
    sql::{self, Statement},
    upstream::RelationKind,
};

/// A question for the planner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plannable {
    /// EXPLAIN of the statement.
    pub text: String,
    /// Names of the relations whose rows UPDATE, DELETE or MERGE touch, with EXPLAIN of a read of all their rows.
    pub targets: Vec<(String, String)>,
}

/// More relations than this in one statement are not asked about.
const MAX_TARGETS: usize = 4;
const EXPLAIN: &str = "explain (format json, costs on) ";

/// For each operation of a text, what to ask, where it may be asked.
pub fn plannable(understood: &Understood, sight: &Sight) -> Vec<Option<Plannable>> {
    let statements = sql::inspect(&understood.text).unwrap_or_default();
    if statements.len() != understood.operations.len() {
        return understood.operations.iter().map(|_| None).collect();
    }
    let pairs = statements.iter().zip(understood.operations.iter());
    pairs.map(|(statement, operation)| question(&understood.text, statement, operation, sight)).collect()
}

/// Whether an operation is one that the planner says rows of.
pub fn has_rows(operation: &Operation) -> bool {
    let has = |verb| operation.accesses.iter().any(|access| access.verb == verb);
    matches!(operation.effect, Effect::Read | Effect::Write)
        && [Verb::Select, Verb::Insert, Verb::Update, Verb::Delete, Verb::Merge].into_iter().any(has)
}

fn question(text: &str, statement: &Statement, operation: &Operation, sight: &Sight) -> Option<Plannable> {
    let is_plain_query =
        matches!(statement.verb, Verb::Select | Verb::Insert | Verb::Update | Verb::Delete | Verb::Merge);
    // A temporary relation of the session is not there on another connection.
    let sees_same = !sight.search_path.iter().any(|schema| schema.starts_with("pg_temp"));
    if !is_plain_query || !sees_same || !has_rows(operation) || !is_safe(statement, operation, sight) {
        return None;
    }
    let mut targets = BTreeSet::new();
    for access in &operation.accesses {
        if let (Verb::Update | Verb::Delete | Verb::Merge, Some(object)) = (access.verb, &access.object) {
            let whole = format!("{EXPLAIN}select from {}.{}", quoted(&object.schema), quoted(&object.name));
            targets.insert((object.name.clone(), whole));
        }
    }
    let asked = format!("{EXPLAIN}{}", text.get(statement.span.clone())?);
    let read_again = sql::inspect(&asked).ok()?;
    let [one] = read_again.as_slice() else { return None };
    let only_explains = one.verb == Verb::Explain && &*one.kind == "explain" && one.effect == Effect::Read;
    (only_explains && targets.len() <= MAX_TARGETS)
        .then(|| Plannable { text: asked, targets: targets.into_iter().collect() })
}

/// Whether planning runs nothing but the server's own harmless code.
fn is_safe(statement: &Statement, operation: &Operation, sight: &Sight) -> bool {
    let catalogue = &sight.catalogue;
    let known =
        |verb| matches!(verb, Verb::Select | Verb::Insert | Verb::Update | Verb::Delete | Verb::Merge | Verb::Lock);
    // A call that may do more than read has left an access of its own.
    operation.accesses.iter().all(|access| known(access.verb))
        && statement
            .functions
            .iter()
            .all(|name| sql::functions::is_known_safe(name) || sql::functions::is_known_operator(name))
        && statement.types.iter().all(sql::functions::is_known_type)
        && operation.accesses.iter().filter(|access| access.object.is_some()).all(|access| {
            calls::relation(access, catalogue).is_some_and(|oid| {
                let is_local = catalogue.relation(oid).is_some_and(|relation| relation.kind != RelationKind::Foreign);
                is_local
                    && !catalogue.plans_code(oid)
                    && catalogue.columns_of(oid).iter().all(|column| catalogue.is_plain_type(column.type_oid))
            })
        })
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
