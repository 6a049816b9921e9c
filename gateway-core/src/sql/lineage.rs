//! Where result columns come from, for masking: which outputs the server's own table oid answers for, which are
//! proven clean, and which statements would let a masked value escape in a form that cannot be masked.
//!
//! Owns name-based lineage over the grammar's tree. Knows no catalogue: the caller says which relations hold masked
//! columns. Whatever is not proven clean counts as masked or is refused.

use std::{collections::BTreeSet, fmt, sync::Arc};

use pg_query::Node;

use super::RawName;

/// The tree of one statement, from which lineage is answered when the masked columns are known.
#[derive(Clone)]
pub struct Lineage {
    tree: Arc<Node>,
}

impl fmt::Debug for Lineage {
    /// Shows nothing: the tree holds the statement's constants.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Lineage(..)")
    }
}

/// The columns of a relation that has masked ones.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaggedColumns {
    /// The columns to mask.
    pub tagged: BTreeSet<String>,
    /// Every column of the relation, so that `row.function` is told from `row.column`; must include `tagged`.
    pub all: BTreeSet<String>,
}

/// What masking has to do with a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MaskScope {
    /// No relation with masked columns is in scope.
    Untouched,
    /// Rows come back; each output says how far the server's table oid is to be trusted.
    Rows {
        /// The outputs.
        outputs: OutputLineage,
    },
    /// A masked value would leave in a form that cannot be masked; the reason is a sentence for HINT.
    Refuse(String),
}

/// How one output column is to be treated. A table oid that names a masked column always masks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputKind {
    /// A plain column: mask by the server's table oid and column number; without a table oid it counts as masked.
    Plain,
    /// Proven to hold nothing from a masked column: without a table oid it is shown.
    Clean,
    /// Not proven: treated as [`OutputKind::Plain`].
    Unknown,
}

/// The outputs of the top-level target list, with at most one stretch of unknown width in the middle.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OutputLineage {
    leading: Vec<OutputKind>,
    /// `Some` when a star of unknown width follows `leading`.
    trailing: Option<Vec<OutputKind>>,
}

impl OutputLineage {
    /// The kind of output `index` of `total`; unknown where the widths do not agree.
    pub fn at(&self, index: usize, total: usize) -> OutputKind {
        let found = match &self.trailing {
            None if total == self.leading.len() => self.leading.get(index),
            None => None,
            Some(trailing) if total < self.leading.len() + trailing.len() => None,
            Some(trailing) => match (total - trailing.len()).checked_sub(index) {
                None | Some(0) => trailing.get(index + trailing.len() - total),
                Some(_) => self.leading.get(index),
            },
        };
        found.copied().unwrap_or(OutputKind::Unknown)
    }
}

impl Lineage {
    pub(super) fn new(tree: Node) -> Self {
        Self { tree: Arc::new(tree) }
    }

    /// Says what masking has to do with the statement. `tagged` answers for each relation named in it, as written,
    /// which of its columns are masked; it must also answer for views and functions that depend on such relations.
    pub fn mask_check(&self, tagged: &dyn Fn(&RawName) -> Option<TaggedColumns>) -> MaskScope {
        let _ = (&self.tree, tagged);
        MaskScope::Refuse("lineage is not built yet".into())
    }
}
