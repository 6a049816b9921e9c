//! Which statements the planner may be asked about, and the text that asks it. Pure.
//!
//! EXPLAIN plans, and planning runs functions: stable ones to estimate, immutable ones to fold. So only a statement
//! in which every function, operator, cast and type is one of the server's own and known to be harmless is asked
//! about, on relations that carry no expression of users and no other server. The rest is not estimated.
//!
//! Of EXPLAIN ANALYZE, COPY and DECLARE the query inside is asked about. For a change of rows that no key narrows there
//! is a second question besides: a SELECT of the rows that it would change, which is counted where no statistics tell.
//!
//! Never more than one statement at a time; values stay parameters of the protocol, and the text is the statement's
//! own bytes behind a fixed word, read again by the grammar before it is used.

use std::collections::BTreeSet;

use super::{Sight, Understood, ahead::TEMPORARY, breadth, calls};
use crate::{
    model::{Effect, Operation, Verb},
    sql::{self, Statement},
    upstream::{PlannedChange, RelationKind},
};

/// A question for the planner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plannable {
    /// EXPLAIN of the statement.
    pub text: String,
    /// Names of the relations whose rows UPDATE, DELETE or MERGE touch, with EXPLAIN of a read of all their rows.
    pub targets: Vec<(String, String)>,
    /// Every change of existing rows that no key narrows.
    pub changes: Vec<PlannedChange>,
}

/// More relations than this in one statement are not asked about.
const MAX_TARGETS: usize = 4;
const EXPLAIN: &str = "explain (format json, costs on) ";

/// For each operation of a text, what to ask, where it may be asked.
pub fn plannable(understood: &Understood, sight: &Sight) -> Vec<Option<Plannable>> {
    let text = meant(understood);
    let statements = sql::inspect(text).unwrap_or_default();
    if statements.len() != understood.operations.len() {
        return understood.operations.iter().map(|_| None).collect();
    }
    // What a SET of the same text changes, another connection does not know.
    let set = statements.iter().position(|statement| statement.verb == Verb::Set).unwrap_or(statements.len());
    let pairs = statements.iter().zip(understood.operations.iter()).enumerate();
    pairs
        .map(|(index, (statement, operation))| {
            (index < set).then(|| question(text, statement, operation, sight)).flatten()
        })
        .collect()
}

/// For each operation of a text, whether keys narrow every change of rows that it makes, so that what nobody answers
/// does not matter.
pub fn is_sure(understood: &Understood, sight: &Sight) -> Vec<bool> {
    let statements = sql::inspect(meant(understood)).unwrap_or_default();
    let sure = |statement: &Statement| statement.narrowings.iter().all(|one| breadth::is_sure(one, sight));
    let count = understood.operations.len();
    if statements.len() == count { statements.iter().map(sure).collect() } else { vec![false; count] }
}

/// The text that says what is done: names of prepared statements stand for what they are.
fn meant(understood: &Understood) -> &str {
    understood.sent.as_deref().or(understood.resolved.as_deref()).unwrap_or(&understood.text)
}

/// Whether an operation is one that the planner says rows of.
pub fn has_rows(operation: &Operation) -> bool {
    let has = |verb| operation.accesses.iter().any(|access| access.verb == verb);
    matches!(operation.effect, Effect::Read | Effect::Write)
        && [Verb::Select, Verb::Insert, Verb::Update, Verb::Delete, Verb::Merge].into_iter().any(has)
}

fn question(text: &str, statement: &Statement, operation: &Operation, sight: &Sight) -> Option<Plannable> {
    // A temporary relation of the session is not there on another connection.
    let sees_same = !operation
        .accesses
        .iter()
        .any(|access| access.object.as_ref().is_some_and(|object| object.schema.starts_with(TEMPORARY)));
    if !sees_same || !has_rows(operation) || !is_safe(statement, operation, sight) {
        return None;
    }
    let query = if matches!(statement.verb, Verb::Explain | Verb::CopyOut | Verb::Declare) {
        statement.sources.contained()?
    } else if matches!(statement.verb, Verb::Select | Verb::Insert | Verb::Update | Verb::Delete | Verb::Merge) {
        text.get(statement.span.clone())?.to_owned()
    } else {
        return None;
    };
    let mut targets = BTreeSet::new();
    for access in &operation.accesses {
        if let (Verb::Update | Verb::Delete | Verb::Merge, Some(object)) = (access.verb, &access.object) {
            let whole = format!("{EXPLAIN}select from {}.{}", quoted(&object.schema), quoted(&object.name));
            targets.insert((object.name.clone(), whole));
        }
    }
    let asked = format!("{EXPLAIN}{query}");
    let read_again = sql::inspect(&asked).ok()?;
    let [one] = read_again.as_slice() else { return None };
    let only_explains = one.verb == Verb::Explain && &*one.kind == "explain" && one.effect == Effect::Read;
    (only_explains && targets.len() <= MAX_TARGETS).then(|| Plannable {
        text: asked,
        targets: targets.into_iter().collect(),
        changes: changes(statement, sight),
    })
}

fn changes(statement: &Statement, sight: &Sight) -> Vec<PlannedChange> {
    let narrowings = statement.narrowings.iter();
    let unsure = narrowings.zip(statement.sources.counts()).filter(|(one, _)| !breadth::is_sure(one, sight));
    unsure
        .filter_map(|(one, rows)| {
            let name = &one.relation;
            let found = sight.catalogue.resolve(name.schema.as_deref(), &name.name, &sight.search_path)?;
            Some(PlannedChange {
                schema: found.schema.to_string(),
                name: found.name.to_string(),
                compares: one.compares.as_ref().map(|columns| columns.iter().cloned().collect()),
                rows,
                all: format!("select from {}.{}", quoted(&found.schema), quoted(&found.name)),
            })
        })
        .collect()
}

/// Whether planning runs nothing but the server's own harmless code.
fn is_safe(statement: &Statement, operation: &Operation, sight: &Sight) -> bool {
    let catalogue = &sight.catalogue;
    let known = |verb| {
        let moves = matches!(verb, Verb::CopyOut | Verb::Declare);
        moves || matches!(verb, Verb::Select | Verb::Insert | Verb::Update | Verb::Delete | Verb::Merge | Verb::Lock)
    };
    // A call that may do more than read has left an access of its own.
    operation.accesses.iter().all(|access| known(access.verb))
        && statement
            .functions
            .iter()
            .all(|name| sql::functions::is_known_safe(name) || sql::functions::is_known_operator(name))
        && !statement.functions.iter().any(sql::functions::reads_session)
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
