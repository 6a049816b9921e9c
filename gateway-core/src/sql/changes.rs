//! Every change of existing rows in a statement: UPDATE, DELETE, what MERGE does where it matches, and ON CONFLICT DO
//! UPDATE; at the top, in a CTE, and inside EXPLAIN ANALYZE, COPY and DECLARE.
//!
//! Finds them and what narrows each. Knows no meaning of a predicate. Called by `narrowing` and `counting`.

use pg_query::{
    Node, NodeEnum,
    protobuf::{
        CmdType, InsertStmt, MergeMatchKind, MergeStmt, MergeWhenClause, OnConflictAction, RangeVar, SelectStmt,
        SetOperation, WithClause,
    },
};

use super::{RawName, narrowing, tree, utility};

/// One change of existing rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change<'tree> {
    /// Whose rows.
    pub(super) target: &'tree RangeVar,
    /// The CTEs of the statement that makes the change.
    pub(super) with: Option<&'tree WithClause>,
    /// What says which rows.
    pub(super) by: By<'tree>,
}

/// What says which rows are changed.
#[derive(Debug, Clone, Copy)]
pub(super) enum By<'tree> {
    /// A predicate over the target and other ranges.
    Predicate {
        /// FROM or USING.
        ranges: &'tree [Node],
        /// WHERE.
        predicate: Option<&'tree Node>,
    },
    /// A join with a source, and a further condition.
    Join {
        /// The source.
        source: Option<&'tree Node>,
        /// ON.
        on: Option<&'tree Node>,
        /// AND, behind WHEN MATCHED.
        and: Option<&'tree Node>,
    },
    /// Rows that a query brings and that are there already.
    Rows(&'tree SelectStmt),
    /// What is not narrowed by anything that is looked into.
    Anything,
}

/// The query that a statement runs: itself, or the one inside of EXPLAIN ANALYZE, COPY and DECLARE; `None` for any
/// other statement.
pub(super) fn query(node: &Node) -> Option<&Node> {
    match node.node.as_ref()? {
        NodeEnum::SelectStmt(_)
        | NodeEnum::InsertStmt(_)
        | NodeEnum::UpdateStmt(_)
        | NodeEnum::DeleteStmt(_)
        | NodeEnum::MergeStmt(_) => Some(node),
        NodeEnum::ExplainStmt(explain) if utility::runs(explain) => query(explain.query.as_deref()?),
        NodeEnum::CopyStmt(copy) => query(copy.query.as_deref()?),
        NodeEnum::DeclareCursorStmt(declare) => query(declare.query.as_deref()?),
        _ => None,
    }
}

/// Every change that a statement makes. A grammar's tree that the server refuses may hold more.
pub(super) fn of(node: &Node) -> Vec<Change<'_>> {
    let mut found = Vec::new();
    let mut pending: Vec<&Node> = query(node).into_iter().collect();
    while let Some(next) = pending.pop() {
        let with = with_of(next);
        pending.extend(queries(with));
        match next.node.as_ref() {
            Some(NodeEnum::UpdateStmt(update)) => {
                let by = By::Predicate { ranges: &update.from_clause, predicate: update.where_clause.as_deref() };
                found.extend(update.relation.as_ref().map(|target| Change { target, with, by }));
            }
            Some(NodeEnum::DeleteStmt(delete)) => {
                let by = By::Predicate { ranges: &delete.using_clause, predicate: delete.where_clause.as_deref() };
                found.extend(delete.relation.as_ref().map(|target| Change { target, with, by }));
            }
            Some(NodeEnum::MergeStmt(merge)) => found.extend(merged(merge)),
            Some(NodeEnum::InsertStmt(insert)) => found.extend(upserted(insert)),
            _ => {}
        }
    }
    found
}

/// The CTEs of a query.
pub(super) fn with_of(node: &Node) -> Option<&WithClause> {
    match node.node.as_ref()? {
        NodeEnum::SelectStmt(inner) => inner.with_clause.as_ref(),
        NodeEnum::InsertStmt(inner) => inner.with_clause.as_ref(),
        NodeEnum::UpdateStmt(inner) => inner.with_clause.as_ref(),
        NodeEnum::DeleteStmt(inner) => inner.with_clause.as_ref(),
        NodeEnum::MergeStmt(inner) => inner.with_clause.as_ref(),
        _ => None,
    }
}

fn queries(with: Option<&WithClause>) -> impl Iterator<Item = &Node> {
    with.into_iter().flat_map(|with| &with.ctes).filter_map(|cte| match cte.node.as_ref() {
        Some(NodeEnum::CommonTableExpr(cte)) => cte.ctequery.as_deref(),
        _ => None,
    })
}

fn merged(merge: &MergeStmt) -> impl Iterator<Item = Change<'_>> {
    merge.merge_when_clauses.iter().filter_map(move |node| {
        let Some(NodeEnum::MergeWhenClause(clause)) = node.node.as_ref() else { return None };
        let changes = matches!(clause.command_type(), CmdType::CmdUpdate | CmdType::CmdDelete);
        let by = joined(merge, clause);
        changes.then_some(Change { target: merge.relation.as_ref()?, with: merge.with_clause.as_ref(), by })
    })
}

fn joined<'tree>(merge: &'tree MergeStmt, clause: &'tree MergeWhenClause) -> By<'tree> {
    match clause.match_kind() {
        MergeMatchKind::MergeWhenMatched => By::Join {
            source: merge.source_relation.as_deref(),
            on: merge.join_condition.as_deref(),
            and: clause.condition.as_deref(),
        },
        MergeMatchKind::MergeWhenNotMatchedBySource => {
            By::Predicate { ranges: &[], predicate: clause.condition.as_deref() }
        }
        MergeMatchKind::MergeWhenNotMatchedByTarget | MergeMatchKind::Undefined => By::Anything,
    }
}

/// ON CONFLICT DO UPDATE changes at most the rows that it brings. Rows that are written out, as VALUES or as what
/// `unnest` makes of given arrays, name what they change.
fn upserted(insert: &InsertStmt) -> Option<Change<'_>> {
    let updates = insert.on_conflict_clause.as_ref()?.action() == OnConflictAction::OnconflictUpdate;
    let target = insert.relation.as_ref().filter(|_| updates)?;
    let by = match insert.select_stmt.as_ref().and_then(|node| node.node.as_ref()) {
        Some(NodeEnum::SelectStmt(select)) if is_written_out(select) => return None,
        Some(NodeEnum::SelectStmt(select)) => By::Rows(select),
        // DEFAULT VALUES is one row.
        None => return None,
        Some(_) => By::Anything,
    };
    Some(Change { target, with: insert.with_clause.as_ref(), by })
}

/// Whether the rows of a query are no more than what its text and parameters hold.
fn is_written_out(select: &SelectStmt) -> bool {
    let given_range = |node: &Node| match node.node.as_ref() {
        Some(NodeEnum::RangeFunction(range)) => range.functions.iter().all(|function| match function.node.as_ref() {
            Some(NodeEnum::List(pair)) => pair.items.iter().all(|item| item.node.is_none() || is_plain(item, true)),
            _ => false,
        }),
        _ => false,
    };
    let is_query = select.op() == SetOperation::SetopNone && select.with_clause.is_none();
    !select.values_lists.is_empty()
        || (is_query
            && select.from_clause.iter().all(given_range)
            && select.target_list.iter().all(|output| is_plain(output, false)))
}

/// Whether an expression makes rows of given values only, if it makes rows at all.
fn is_plain(node: &Node, makes_rows: bool) -> bool {
    const ROWS: [&str; 5] =
        ["unnest", "json_to_recordset", "jsonb_to_recordset", "json_populate_recordset", "jsonb_populate_recordset"];
    const SINGLE: [&str; 6] = ["now", "gen_random_uuid", "lower", "upper", "md5", "to_timestamp"];
    let mut plain = true;
    let mut rows = false;
    let _found = tree::any(node, &mut |inner| {
        match inner {
            NodeEnum::FuncCall(call) => {
                let name = RawName::of_call(call).name;
                let opens = ROWS.contains(&name.as_str()) && call.args.iter().all(narrowing::is_given);
                rows |= opens;
                plain &= opens || SINGLE.contains(&name.as_str());
            }
            NodeEnum::SubLink(_) | NodeEnum::SelectStmt(_) => plain = false,
            _ => {}
        }
        false
    });
    plain && (rows || !makes_rows)
}
