//! Where result columns come from, for masking: which outputs are a masked column, which are made of one, which are
//! proven clean, and which statements would let a masked value escape in a form that cannot be masked.
//!
//! Owns name-based lineage over the grammar's tree. Knows no catalogue: the caller says which columns a relation has
//! and which are masked. Whatever is not proven clean counts as masked or is refused.

mod analysis;
mod columns;
mod conditions;
mod outputs;
mod ranges;
mod total;
mod utility;
mod value;
mod values;
mod writes;

use std::{fmt, sync::Arc};

use pg_query::{Node, NodeEnum};

pub use columns::{RelationColumn, RelationColumns, Relations};
pub use outputs::{Output, OutputLineage};
pub use value::{Origin, Tags};

use self::analysis::Analysis;
use super::{CopyOut, RawName, counting};

/// The tree of one statement, from which lineage is answered when the masked columns are known.
#[derive(Clone)]
pub struct Lineage {
    tree: Arc<Node>,
    /// Every relation that the statement names, as classification found them.
    relations: Arc<[RawName]>,
}

impl fmt::Debug for Lineage {
    /// Shows nothing: the tree holds the statement's constants.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Lineage(..)")
    }
}

/// What masking has to do with a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MaskScope {
    /// No relation with masked columns is in scope.
    Untouched,
    /// Rows may come back: what each output holds, and the tags of columns by which rows are chosen or ordered.
    Rows {
        /// The outputs.
        outputs: OutputLineage,
        /// Tags of columns in WHERE, ON, HAVING, GROUP BY, ORDER BY, DISTINCT and PARTITION BY.
        filters: Tags,
    },
    /// A masked value would leave in a form that cannot be masked; the reason is a sentence for HINT.
    Refuse(String),
}

impl Lineage {
    pub(super) fn new(tree: Node, relations: impl IntoIterator<Item = RawName>) -> Self {
        Self { tree: Arc::new(tree), relations: relations.into_iter().collect() }
    }

    /// Says what masking has to do with the statement.
    pub fn mask_check(&self, relations: &dyn Relations) -> MaskScope {
        let Some(inner) = self.tree.node.as_ref() else { return MaskScope::Refuse("the statement is empty".into()) };
        if let Some(scope) = utility::opaque(inner) {
            return scope;
        }
        if !self.relations.iter().any(|relation| relations.is_tagged(relation)) {
            return MaskScope::Untouched;
        }
        let mut analysis = Analysis::new(relations);
        match utility::statement(&mut analysis, &self.tree) {
            Ok(outputs) => MaskScope::Rows { outputs, filters: analysis.filters },
            Err(reason) => MaskScope::Refuse(reason),
        }
    }

    /// How it writes its rows, if it is a COPY … TO STDOUT whose columns can be told apart.
    pub fn copy_out(&self) -> Option<CopyOut> {
        match self.tree.node.as_ref()? {
            NodeEnum::CopyStmt(copy) => utility::copy_out(copy),
            _ => None,
        }
    }

    /// For every change of existing rows, in the order of the statement's narrowings, a query that returns a row for each
    /// row that it would change at most; `None` where there is no such query.
    pub fn counts(&self) -> Vec<Option<String>> {
        counting::counts(&self.tree)
    }

    /// The text of the query inside of EXPLAIN ANALYZE, COPY or DECLARE.
    pub fn contained(&self) -> Option<String> {
        counting::contained(&self.tree)
    }

    /// The outputs of the statement as a query, whatever it names: for the definition of a view.
    pub fn outputs(&self, relations: &dyn Relations) -> Option<OutputLineage> {
        let NodeEnum::SelectStmt(select) = self.tree.node.as_ref()? else { return None };
        let items = Analysis::new(relations).select(select).ok()?;
        Some(outputs::outputs(&items))
    }
}
