//! Where result columns come from, for masking: which outputs the server's own table oid answers for, which are
//! proven clean, and which statements would let a masked value escape in a form that cannot be masked.
//!
//! Owns name-based lineage over the grammar's tree. Knows no catalogue: the caller says which relations hold masked
//! columns. Whatever is not proven clean counts as masked or is refused.

mod analysis;
mod columns;
mod conditions;
mod writes;

use std::{collections::BTreeSet, fmt, sync::Arc};

use pg_query::{
    Node, NodeEnum,
    protobuf::{AlterTableStmt, AlterTableType, CopyStmt, ExplainStmt},
};

use self::{
    analysis::{Analysis, Outcome, copied},
    columns::{Item, Items, Taint},
};
use super::{RawName, classify, utility};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    pub(super) fn new(tree: Node, relations: impl IntoIterator<Item = RawName>) -> Self {
        Self { tree: Arc::new(tree), relations: relations.into_iter().collect() }
    }

    /// Says what masking has to do with the statement. `tagged` answers for each relation named in it, as written,
    /// which of its columns are masked; it must also answer for views that depend on such relations.
    pub fn mask_check(&self, tagged: &dyn Fn(&RawName) -> Option<TaggedColumns>) -> MaskScope {
        let Some(inner) = self.tree.node.as_ref() else { return MaskScope::Refuse("the statement is empty".into()) };
        if let Some(scope) = opaque(inner) {
            return scope;
        }
        if !self.relations.iter().any(|relation| tagged(relation).is_some()) {
            return MaskScope::Untouched;
        }
        match statement(&self.tree, inner, tagged) {
            Ok(outputs) => MaskScope::Rows { outputs },
            Err(reason) => MaskScope::Refuse(reason),
        }
    }
}

/// Statements whose reads their text does not show.
fn opaque(inner: &NodeEnum) -> Option<MaskScope> {
    match inner {
        // It shows nothing; what it prepares is checked each time it is executed.
        NodeEnum::PrepareStmt(_) => Some(MaskScope::Untouched),
        NodeEnum::DoStmt(_) | NodeEnum::CallStmt(_) | NodeEnum::ExecuteStmt(_) => {
            Some(MaskScope::Refuse("what this statement reads is not known, so it cannot be masked".into()))
        }
        NodeEnum::ExplainStmt(explain) => explain.query.as_ref()?.node.as_ref().and_then(opaque),
        NodeEnum::CreateTableAsStmt(create) => create.query.as_ref()?.node.as_ref().and_then(opaque),
        NodeEnum::FetchStmt(_) => {
            let outputs = OutputLineage { leading: Vec::new(), trailing: Some(Vec::new()) };
            Some(MaskScope::Rows { outputs })
        }
        _ => None,
    }
}

/// The outputs of a statement that names a relation with masked columns, or why it is refused.
fn statement(
    tree: &Node,
    inner: &NodeEnum,
    tagged: &dyn Fn(&RawName) -> Option<TaggedColumns>,
) -> Outcome<OutputLineage> {
    let mut analysis = Analysis::new(tagged);
    match inner {
        NodeEnum::SelectStmt(select) => {
            let items = analysis.select(select)?;
            match columns::masked(&items) {
                Some(name) if classify::creates(select) => Err(copied(name)),
                _ => Ok(outputs(&items)),
            }
        }
        NodeEnum::InsertStmt(_) | NodeEnum::UpdateStmt(_) | NodeEnum::DeleteStmt(_) | NodeEnum::MergeStmt(_) => {
            analysis.query(tree).map(|items| outputs(&items))
        }
        NodeEnum::CreateTableAsStmt(create) => {
            let Some(query) = &create.query else { return Err("the query is missing".into()) };
            let items = analysis.query(query)?;
            columns::masked(&items).map_or(Ok(OutputLineage::default()), |name| Err(copied(name)))
        }
        NodeEnum::ExplainStmt(explain) => plan(explain, tagged),
        NodeEnum::CopyStmt(copy) => Err(copy_reason(copy).into()),
        // It shows nothing; each FETCH is read as the query behind the cursor.
        NodeEnum::DeclareCursorStmt(declare) => {
            let Some(query) = &declare.query else { return Err("the query is missing".into()) };
            analysis.query(query).map(|_items| OutputLineage::default())
        }
        _ => utility(inner),
    }
}

fn copy_reason(copy: &CopyStmt) -> &'static str {
    if copy.is_from {
        "COPY into a relation with masked columns cannot be masked yet; use INSERT"
    } else {
        "COPY from a relation with masked columns cannot be masked yet; use SELECT"
    }
}

/// A plan shows no row, but EXPLAIN ANALYZE runs what it explains.
fn plan(explain: &ExplainStmt, tagged: &dyn Fn(&RawName) -> Option<TaggedColumns>) -> Outcome<OutputLineage> {
    if utility::runs(explain) {
        let Some(query) = &explain.query else { return Err("the query is missing".into()) };
        let Some(inner) = query.node.as_ref() else { return Err("the query is missing".into()) };
        statement(query, inner, tagged)?;
    }
    Ok(OutputLineage { leading: vec![OutputKind::Clean], trailing: None })
}

/// Statements that return no rows: those that neither copy a masked value nor take the mask off its name.
fn utility(inner: &NodeEnum) -> Outcome<OutputLineage> {
    let keeps_masks = match inner {
        NodeEnum::TruncateStmt(_)
        | NodeEnum::LockStmt(_)
        | NodeEnum::DropStmt(_)
        | NodeEnum::CommentStmt(_)
        | NodeEnum::VacuumStmt(_)
        | NodeEnum::ClusterStmt(_)
        | NodeEnum::ReindexStmt(_)
        | NodeEnum::GrantStmt(_) => true,
        NodeEnum::IndexStmt(index) => index.index_params.iter().all(
            |element| matches!(element.node.as_ref(), Some(NodeEnum::IndexElem(element)) if element.expr.is_none()),
        ),
        NodeEnum::AlterTableStmt(alter) => keeps_columns(alter),
        _ => false,
    };
    if keeps_masks {
        Ok(OutputLineage::default())
    } else {
        Err("this would let a masked column be read under another name; it is not done while columns are masked".into())
    }
}

fn keeps_columns(alter: &AlterTableStmt) -> bool {
    alter.cmds.iter().all(|node| match node.node.as_ref() {
        Some(NodeEnum::AlterTableCmd(command)) => {
            match (command.subtype(), command.def.as_ref().and_then(|def| def.node.as_ref())) {
                (AlterTableType::AtAddColumn, Some(NodeEnum::ColumnDef(column))) => {
                    column.raw_default.is_none() && column.constraints.is_empty()
                }
                (
                    AlterTableType::AtDropColumn
                    | AlterTableType::AtDropNotNull
                    | AlterTableType::AtSetNotNull
                    | AlterTableType::AtDropConstraint
                    | AlterTableType::AtValidateConstraint
                    | AlterTableType::AtSetStatistics,
                    _,
                ) => true,
                _ => false,
            }
        }
        _ => false,
    })
}

/// Widths and kinds of the outputs; one star of unknown width keeps what stands before and after it.
fn outputs(items: &Items) -> OutputLineage {
    let mut found = OutputLineage::default();
    for item in items {
        match (item, &mut found.trailing) {
            (Item::One(column), None) => found.leading.push(kind(&column.taint)),
            (Item::One(column), Some(trailing)) => trailing.push(kind(&column.taint)),
            (Item::Star { .. }, trailing) => *trailing = Some(Vec::new()),
        }
    }
    found
}

const fn kind(taint: &Taint) -> OutputKind {
    match taint {
        Taint::Clean => OutputKind::Clean,
        Taint::Plain | Taint::Tagged(_) | Taint::Row(_) => OutputKind::Plain,
    }
}
