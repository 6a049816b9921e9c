//! SQL text → statements: what each does at worst, to which relations, and how its result columns descend from theirs.
//!
//! Owns PostgreSQL's own grammar (through `pg_query`), classification and lineage. Pure: no socket, no clock, no
//! catalogue; names stay as written and are resolved by the caller. Called by a protocol's `inspect`, by policy tests
//! and by `hoop can`. Whatever the walk does not understand is [`Verb::Unknown`](crate::model::Verb::Unknown).

mod classify;
mod lineage;
mod name;
mod statement;
mod syntax;

pub use lineage::{Lineage, MaskScope, OutputKind, OutputLineage, TaggedColumns};
pub use name::{RawColumn, RawName};
pub use statement::{CopyKind, Literal, RawAccess, Statement, TransactionWord};
pub use syntax::{MAX_TEXT_BYTES, SyntaxError};

/// Parses `text` and says what every statement in it does. Empty for an empty query.
///
/// Fails with the grammar's own message and position for text that PostgreSQL's grammar rejects, and for text that is
/// too long, too deeply nested, or holds a NUL.
pub fn inspect(text: &str) -> Result<Vec<Statement>, SyntaxError> {
    syntax::parse(text)?.into_iter().map(|(span, node)| classify::statement(text, span, node)).collect()
}
