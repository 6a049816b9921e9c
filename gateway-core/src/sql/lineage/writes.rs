//! Masked columns in statements that write: nothing masked may be assigned, inserted or merged anywhere.
//!
//! Called by the analysis, also for data-modifying CTEs. RETURNING is a target list like any other.

use pg_query::{
    Node, NodeEnum,
    protobuf::{DeleteStmt, InsertStmt, MergeStmt, ReturningClause, UpdateStmt},
};

use super::{
    analysis::{Analysis, Outcome, copied},
    columns::{self, Items},
};

impl Analysis<'_> {
    /// The outputs of a writing statement.
    pub(super) fn writing(&mut self, inner: &NodeEnum) -> Outcome<Items> {
        match inner {
            NodeEnum::InsertStmt(insert) => self.level(insert.with_clause.as_ref(), |analysis| analysis.insert(insert)),
            NodeEnum::UpdateStmt(update) => self.level(update.with_clause.as_ref(), |analysis| analysis.update(update)),
            NodeEnum::DeleteStmt(delete) => self.level(delete.with_clause.as_ref(), |analysis| analysis.delete(delete)),
            NodeEnum::MergeStmt(merge) => self.level(merge.with_clause.as_ref(), |analysis| analysis.merge(merge)),
            _ => Err("a part of the statement is not understood".into()),
        }
    }

    fn insert(&mut self, insert: &InsertStmt) -> Outcome<Items> {
        if let Some(source) = &insert.select_stmt {
            let items = self.query(source)?;
            if let Some(name) = columns::masked(&items) {
                return Err(copied(name));
            }
        }
        self.target(insert.relation.as_ref(), &["excluded", "old", "new"])?;
        if let Some(conflict) = &insert.on_conflict_clause {
            self.assignments(&conflict.target_list)?;
            self.conditions(conflict.where_clause.as_deref())?;
        }
        self.returning(insert.returning_clause.as_ref())
    }

    fn update(&mut self, update: &UpdateStmt) -> Outcome<Items> {
        self.target(update.relation.as_ref(), &["old", "new"])?;
        for item in &update.from_clause {
            self.range_item(item)?;
        }
        self.conditions(update.where_clause.as_deref())?;
        self.assignments(&update.target_list)?;
        self.returning(update.returning_clause.as_ref())
    }

    fn delete(&mut self, delete: &DeleteStmt) -> Outcome<Items> {
        self.target(delete.relation.as_ref(), &["old", "new"])?;
        for item in &delete.using_clause {
            self.range_item(item)?;
        }
        self.conditions(delete.where_clause.as_deref())?;
        self.returning(delete.returning_clause.as_ref())
    }

    fn merge(&mut self, merge: &MergeStmt) -> Outcome<Items> {
        self.target(merge.relation.as_ref(), &["old", "new"])?;
        if let Some(source) = &merge.source_relation {
            self.range_item(source)?;
        }
        self.conditions(merge.join_condition.as_deref())?;
        for node in &merge.merge_when_clauses {
            let Some(NodeEnum::MergeWhenClause(clause)) = node.node.as_ref() else {
                return Err("a part of MERGE is not understood".into());
            };
            self.conditions(clause.condition.as_deref())?;
            self.assignments(&clause.target_list)?;
            for value in &clause.values {
                self.assigned(value)?;
            }
        }
        self.returning(merge.returning_clause.as_ref())
    }

    fn assignments(&mut self, targets: &[Node]) -> Outcome<()> {
        for node in targets {
            let Some(NodeEnum::ResTarget(target)) = node.node.as_ref() else {
                return Err("an assignment is not understood".into());
            };
            for value in target.val.as_deref().into_iter().chain(&target.indirection) {
                self.assigned(value)?;
            }
        }
        Ok(())
    }

    fn assigned(&mut self, value: &Node) -> Outcome<()> {
        self.taint(value)?.masked().map_or(Ok(()), |name| Err(copied(name)))
    }

    fn returning(&mut self, clause: Option<&ReturningClause>) -> Outcome<Items> {
        let Some(clause) = clause else { return Ok(Items::new()) };
        if !clause.options.is_empty() {
            return Err("RETURNING WITH cannot be masked yet; leave it out".into());
        }
        self.targets(&clause.exprs)
    }
}
