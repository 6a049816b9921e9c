//! SQL text → statements: what each does at worst, to which relations, and how its result columns descend from theirs.
//!
//! Owns PostgreSQL's own grammar (through `pg_query`), classification and lineage. Pure: no socket, no clock, no
//! catalogue; names stay as written and are resolved by the caller. Called by a protocol's `inspect`, by policy tests
//! and by `hoop can`. Whatever the walk does not understand is [`Verb::Unknown`](crate::model::Verb::Unknown).

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the grammar has 270 node types; every wildcard arm here leads to `Unknown` or to a refusal"
)]

mod changes;
mod classify;
mod counting;
mod definition;
mod direct;
pub mod functions;
mod kinds;
mod lineage;
mod literals;
mod name;
mod narrowing;
mod predicate;
mod privilege;
mod query;
pub(crate) mod risk;
mod scope;
mod secrets;
mod session_names;
mod settings;
mod shape;
mod statement;
mod syntax;
mod tokens;
mod tree;
mod utility;
mod write;

pub use lineage::{
    Lineage, MaskScope, Origin, Output, OutputLineage, RelationColumn, RelationColumns, Relations, Tags,
};
pub use name::{RawColumn, RawName};
pub use narrowing::{Narrowing, ROW};
pub use session_names::{Definition, NameUse, definition, resolved, uses};
pub use shape::without_constants;
pub use statement::{CopyFormat, CopyKind, CopyOut, Literal, RawAccess, Rereads, Statement, TransactionWord};
pub use syntax::{MAX_TEXT_BYTES, SyntaxError};
pub use tokens::{MAX_TOKENED_BYTES, Token, TokenKind, tokens};

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

/// Any text is refused or classified, and every place that is named lies within it.
pub(crate) fn fuzz_inspect(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    for statement in inspect(text).unwrap_or_default() {
        assert!(!statement.accesses.is_empty(), "a statement asks for nothing");
        let literals = statement.literals.iter().map(|literal| &literal.span);
        for span in literals.chain(&statement.secret_spans).chain([&statement.span]) {
            assert!(text.get(span.clone()).is_some(), "a span is outside of the text");
        }
        let _scope = statement.sources.mask_check(&Everything);
        assert_eq!(statement.sources.counts().len(), statement.narrowings.len(), "a change without its question");
        let _query = statement.sources.contained();
    }
}

#[cfg(test)]
mod tests;

/// A catalogue in which every relation has a masked column.
struct Everything;

impl Relations for Everything {
    fn is_tagged(&self, _name: &RawName) -> bool {
        true
    }

    fn columns(&self, _name: &RawName) -> Option<RelationColumns> {
        let tags = Tags::from([std::sync::Arc::from("any")]);
        let column = RelationColumn { name: "a".to_owned(), origin: Origin::default(), tags, is_made: false };
        Some(RelationColumns { columns: vec![column], is_open: false })
    }
}
