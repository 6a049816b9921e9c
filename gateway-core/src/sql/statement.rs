//! What inspection says of one statement, as plain values with names as written.
//!
//! Knows no catalogue and no policy. The protocol's `inspect` turns it into a `model::Operation`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::Range,
    sync::Arc,
};

use super::{Lineage, Narrowing, RawColumn, RawName};
use crate::model::{Effect, Verb};

/// One verb on one name; no name means the connection itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RawAccess {
    /// What is done.
    pub verb: Verb,
    /// To what, as written.
    pub object: Option<RawName>,
}

/// What a transaction statement does to the state that the relay follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransactionWord {
    /// BEGIN, START TRANSACTION.
    Begin,
    /// COMMIT, END.
    Commit,
    /// ROLLBACK, ABORT.
    Rollback,
    /// SAVEPOINT.
    Savepoint,
    /// RELEASE SAVEPOINT.
    Release,
    /// ROLLBACK TO SAVEPOINT.
    RollbackTo,
    /// PREPARE TRANSACTION, COMMIT PREPARED, ROLLBACK PREPARED.
    TwoPhase,
}

/// What a statement may change in what later names of its session mean. The order is the order of reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Rereads {
    /// Nothing.
    #[default]
    Nothing,
    /// Which prepared statements and cursors there are.
    Names,
    /// The search path or the role, so what every unqualified name means.
    Path,
}

/// Where a COPY moves rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CopyKind {
    /// TO STDOUT as text.
    Out,
    /// TO STDOUT as csv.
    OutCsv,
    /// TO STDOUT in a way in which a value may be cut up or written in other bytes: binary, or with a delimiter,
    /// quote, escape or encoding of its own.
    OutOther,
    /// FROM STDIN.
    In,
    /// To or from a file on the server.
    File,
    /// To or from a program on the server.
    Program,
}

/// A format of COPY.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyFormat {
    /// Lines with backslash escapes.
    Text,
    /// Lines with quotes.
    Csv,
    /// Rows as in results.
    Binary,
}

/// How a COPY … TO STDOUT writes its rows, where its columns can be told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyOut {
    /// The format.
    pub format: CopyFormat,
    /// What stands between two fields.
    pub delimiter: u8,
    /// What stands for NULL.
    pub null: String,
    /// Whether the first line names the columns.
    pub has_header: bool,
}

/// A constant in the text, with the column it is compared with or assigned to where that is plain.
#[derive(Clone, PartialEq, Eq)]
pub struct Literal {
    /// Byte offsets of the constant in the inspected text.
    pub span: Range<usize>,
    /// Its value.
    pub value: String,
    /// The column it belongs to; `None` where that is not plain.
    pub column: Option<RawColumn>,
    /// Whether it is, by itself, what that column is compared with for equality or set to.
    pub direct: bool,
}

impl fmt::Debug for Literal {
    /// Shows place and column, never the value.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Literal")
            .field("span", &self.span)
            .field("column", &self.column)
            .finish_non_exhaustive()
    }
}

/// One statement, classified by the worst that any part of its tree does.
#[derive(Debug, Clone)]
pub struct Statement {
    /// The word for what it is: `delete`, `drop_table`, `create_index`, …
    pub kind: Arc<str>,
    /// The verb of the statement itself.
    pub verb: Verb,
    /// The worst effect over the whole tree.
    pub effect: Effect,
    /// Every verb on every name, never empty.
    pub accesses: BTreeSet<RawAccess>,
    /// False when any UPDATE or DELETE in it has no predicate, or one that is trivially true.
    pub has_where: bool,
    /// What narrows each change of existing rows.
    pub narrowings: Vec<Narrowing>,
    /// 0 to 100.
    pub risk: u8,
    /// Why.
    pub risk_reasons: Vec<&'static str>,
    /// The smallest rewrite that would be easier to permit.
    pub advice: Option<String>,
    /// Every function called, and every operator or method named with a schema: for the catalogue to decide.
    pub functions: BTreeSet<RawName>,
    /// Every type that a cast or a definition names: a cast may run code of users.
    pub types: BTreeSet<RawName>,
    /// Last parts of `a.b` column references: `row.function` calls a function where no such column exists, so a
    /// caller that knows the catalogue must look for one-argument functions of these names.
    pub attributes: BTreeSet<String>,
    /// Byte offsets of the statement in the inspected text.
    pub span: Range<usize>,
    /// What it does to the transaction.
    pub transaction: Option<TransactionWord>,
    /// What of the session has to be read again after it.
    pub rereads: Rereads,
    /// Whether it uses a prepared statement or a cursor by its name.
    pub uses_names: bool,
    /// Whether relations or schemas may have other names after it.
    pub renames: bool,
    /// Where it copies.
    pub copy: Option<CopyKind>,
    /// Constants, for sealing.
    pub literals: Vec<Literal>,
    /// The columns that `$n` are compared with or assigned to, where that is plain.
    pub parameter_columns: BTreeMap<u32, RawColumn>,
    /// For each place of `$n`, the column that it is by itself compared with for equality, or that is set to it; `None`
    /// for a place of any other kind.
    pub parameter_places: BTreeMap<u32, Vec<Option<RawColumn>>>,
    /// Byte offsets of passwords and connection strings: never stored.
    pub secret_spans: Vec<Range<usize>>,
    /// Where its result columns come from.
    pub sources: Lineage,
}
