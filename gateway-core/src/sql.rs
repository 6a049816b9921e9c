//! SQL text → statements: what each does at worst, to which relations, and how its result columns descend from theirs.
//!
//! Owns PostgreSQL's own grammar (through `pg_query`), classification and lineage. Pure: no socket, no clock, no
//! catalogue; names stay as written and are resolved by the caller. Called by a protocol's `inspect`, by policy tests
//! and by `hoop can`. Whatever the walk does not understand is [`Verb::Unknown`](crate::model::Verb::Unknown).

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the grammar has 270 node types; every wildcard arm here leads to `Unknown` or to a refusal"
)]

mod classify;
mod definition;
pub mod functions;
mod kinds;
mod lineage;
mod literals;
mod name;
mod predicate;
mod privilege;
mod query;
mod risk;
mod scope;
mod secrets;
mod settings;
mod statement;
mod syntax;
mod tree;
mod utility;

pub use lineage::{Lineage, MaskScope, OutputKind, OutputLineage, TaggedColumns};
pub use name::{RawColumn, RawName};
pub use statement::{CopyKind, Literal, RawAccess, Statement, TransactionWord};
pub use syntax::{MAX_TEXT_BYTES, SyntaxError};

/// Parses `text` and says what every statement in it does. Empty for an empty query.
///
/// Fails with the grammar's own message and position for text that PostgreSQL's grammar rejects, and for text that is
/// too long, too deeply nested, or holds a NUL.
pub fn inspect(text: &str) -> Result<Vec<Statement>, SyntaxError> {
    let parsed = syntax::parse(text)?;
    if parsed.is_empty() {
        return Ok(Vec::new());
    }
    let constants = literals::Constants::scan(text);
    parsed.into_iter().map(|(span, node)| classify::statement(text, &constants, span, node)).collect()
}

#[cfg(test)]
mod tests;
