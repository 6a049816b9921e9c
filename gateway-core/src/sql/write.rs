//! The part of the walk that writes: INSERT, UPDATE, DELETE, MERGE, and what each assigns to which column.
//!
//! Knows no catalogue. Called by the walk, also for data-modifying CTEs.

use pg_query::{
    Node, NodeEnum,
    protobuf::{
        CmdType, DeleteStmt, InsertStmt, MergeStmt, MergeWhenClause, OnConflictAction, OnConflictClause, RangeVar,
        ReturningClause, UpdateStmt,
    },
};

use super::{RawColumn, RawName, predicate, query::Walk};
use crate::model::Verb;

impl Walk<'_> {
    fn target(&mut self, verb: Verb, relation: Option<&RangeVar>) -> Option<RawName> {
        let relation = relation?;
        let name = RawName::of_relation(relation);
        let alias = relation.alias.as_ref().map_or(relation.relname.as_str(), |alias| alias.aliasname.as_str());
        self.access(verb, Some(name.clone()));
        self.scopes.range(alias, Some(name.clone()));
        Some(name)
    }

    pub(super) fn insert(&mut self, insert: &InsertStmt) {
        self.scopes.enter();
        self.with(insert.with_clause.as_ref());
        let relation = insert.relation.as_ref().map(RawName::of_relation);
        self.access(Verb::Insert, relation.clone());
        let columns = columns(relation.as_ref(), &insert.cols);
        if let Some(NodeEnum::SelectStmt(select)) = insert.select_stmt.as_ref().and_then(|node| node.node.as_ref()) {
            self.select(select, false, Some(&columns));
        }
        if let Some(relation) = &insert.relation {
            let alias = relation.alias.as_ref().map_or(relation.relname.as_str(), |alias| alias.aliasname.as_str());
            self.scopes.range(alias, Some(RawName::of_relation(relation)));
        }
        self.expressions(insert.cols.iter().filter(|column| has_indirection(column)));
        if let Some(conflict) = &insert.on_conflict_clause {
            self.conflict(conflict, relation.as_ref());
        }
        self.returning(insert.returning_clause.as_ref(), relation);
        self.scopes.leave();
    }

    fn conflict(&mut self, conflict: &OnConflictClause, relation: Option<&RawName>) {
        if conflict.action() == OnConflictAction::OnconflictUpdate {
            self.access(Verb::Update, relation.cloned());
        }
        if let Some(infer) = &conflict.infer {
            self.expressions(infer.index_elems.iter().chain(infer.where_clause.as_deref()));
        }
        self.assignments(&conflict.target_list, relation);
        self.expressions(conflict.where_clause.as_deref());
    }

    pub(super) fn update(&mut self, update: &UpdateStmt) {
        self.scopes.enter();
        self.with(update.with_clause.as_ref());
        let relation = self.target(Verb::Update, update.relation.as_ref());
        for item in &update.from_clause {
            self.range_item(item, false);
        }
        self.narrowed(update.where_clause.as_deref());
        self.assignments(&update.target_list, relation.as_ref());
        self.expressions(update.where_clause.as_deref());
        self.returning(update.returning_clause.as_ref(), relation);
        self.scopes.leave();
    }

    pub(super) fn delete(&mut self, delete: &DeleteStmt) {
        self.scopes.enter();
        self.with(delete.with_clause.as_ref());
        let relation = self.target(Verb::Delete, delete.relation.as_ref());
        for item in &delete.using_clause {
            self.range_item(item, false);
        }
        self.narrowed(delete.where_clause.as_deref());
        self.expressions(delete.where_clause.as_deref());
        self.returning(delete.returning_clause.as_ref(), relation);
        self.scopes.leave();
    }

    pub(super) fn merge(&mut self, merge: &MergeStmt) {
        self.scopes.enter();
        self.with(merge.with_clause.as_ref());
        let relation = self.target(Verb::Merge, merge.relation.as_ref());
        if let Some(source) = &merge.source_relation {
            self.range_item(source, false);
        }
        self.expressions(merge.join_condition.as_deref());
        for node in &merge.merge_when_clauses {
            match node.node.as_ref() {
                Some(NodeEnum::MergeWhenClause(clause)) => {
                    self.merge_action(clause, relation.as_ref(), merge.join_condition.as_deref());
                }
                _ => self.unknown = true,
            }
        }
        self.returning(merge.returning_clause.as_ref(), relation);
        self.scopes.leave();
    }

    fn merge_action(&mut self, clause: &MergeWhenClause, relation: Option<&RawName>, condition: Option<&Node>) {
        self.expressions(clause.condition.as_deref());
        match clause.command_type() {
            CmdType::CmdInsert => {
                self.access(Verb::Insert, relation.cloned());
                self.assigned(&clause.values, Some(&columns(relation, &clause.target_list)));
                return;
            }
            CmdType::CmdUpdate => self.access(Verb::Update, relation.cloned()),
            CmdType::CmdDelete => self.access(Verb::Delete, relation.cloned()),
            CmdType::CmdNothing => return,
            _ => self.unknown = true,
        }
        if !predicate::names_rows(clause.condition.as_deref()) {
            self.narrowed(condition);
        }
        self.assignments(&clause.target_list, relation);
    }

    fn narrowed(&mut self, predicate: Option<&Node>) {
        if !self.explained && !predicate::names_rows(predicate) {
            self.has_where = false;
        }
    }

    fn returning(&mut self, clause: Option<&ReturningClause>, relation: Option<RawName>) {
        let Some(clause) = clause else { return };
        self.access(Verb::Select, relation);
        self.expressions(&clause.exprs);
    }

    /// `SET column = value`, also `SET (a, b) = (…)`.
    fn assignments(&mut self, targets: &[Node], relation: Option<&RawName>) {
        for node in targets {
            let Some(NodeEnum::ResTarget(target)) = node.node.as_ref() else {
                self.unknown = true;
                continue;
            };
            self.expressions(&target.indirection);
            self.hint = Some(RawColumn { relation: relation.cloned(), column: Some(target.name.clone()) });
            if let Some(value) = target.val.as_deref() {
                self.assign(assigned_value(value));
            }
            self.hint = None;
        }
    }
}

fn columns(relation: Option<&RawName>, targets: &[Node]) -> Vec<RawColumn> {
    if targets.is_empty() {
        return vec![RawColumn { relation: relation.cloned(), column: None }];
    }
    let named = targets.iter().map(|node| match node.node.as_ref() {
        Some(NodeEnum::ResTarget(target)) => Some(target.name.clone()),
        _ => None,
    });
    named.map(|column| RawColumn { relation: relation.cloned(), column }).collect()
}

fn has_indirection(node: &Node) -> bool {
    matches!(node.node.as_ref(), Some(NodeEnum::ResTarget(target)) if !target.indirection.is_empty())
}

/// The value that one column of `(a, b) = (x, y)` gets; the whole source where it is not a row.
fn assigned_value(value: &Node) -> &Node {
    let Some(NodeEnum::MultiAssignRef(part)) = value.node.as_ref() else { return value };
    let row = part.source.as_ref().and_then(|source| source.node.as_ref());
    let Some(NodeEnum::RowExpr(row)) = row else { return value };
    let index = usize::try_from(part.colno).ok().and_then(|column| column.checked_sub(1));
    index.and_then(|index| row.args.get(index)).unwrap_or(value)
}
