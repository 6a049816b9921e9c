//! Masked columns in statements that write: a masked value goes only where it is masked under the same tags.
//!
//! Called by the analysis, also for data-modifying CTEs. RETURNING is a target list like any other.

use pg_query::{
    Node, NodeEnum,
    protobuf::{DeleteStmt, InsertStmt, MergeStmt, MultiAssignRef, ReturningClause, UpdateStmt},
};

use super::{
    analysis::{Analysis, Outcome, copied, keeps_place},
    columns::{self, Items},
    value::Value,
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
        let source = insert.select_stmt.as_deref().map(|source| self.query(source)).transpose()?;
        let target = self.target(insert.relation.as_ref(), &["excluded", "old", "new"])?;
        if let Some(source) = source {
            stored(&source, &named_targets(&insert.cols, &target))?;
        }
        if let Some(conflict) = &insert.on_conflict_clause {
            if let Some(infer) = &conflict.infer {
                self.conditions(infer.where_clause.as_deref())?;
            }
            self.assignments(&conflict.target_list, &target)?;
            self.conditions(conflict.where_clause.as_deref())?;
        }
        self.returning(insert.returning_clause.as_ref())
    }

    fn update(&mut self, update: &UpdateStmt) -> Outcome<Items> {
        let target = self.target(update.relation.as_ref(), &["old", "new"])?;
        for item in &update.from_clause {
            self.range_item(item)?;
        }
        self.conditions(update.where_clause.as_deref())?;
        self.assignments(&update.target_list, &target)?;
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
        let target = self.target(merge.relation.as_ref(), &["old", "new"])?;
        if let Some(source) = &merge.source_relation {
            self.range_item(source)?;
        }
        self.conditions(merge.join_condition.as_deref())?;
        for node in &merge.merge_when_clauses {
            let Some(NodeEnum::MergeWhenClause(clause)) = node.node.as_ref() else {
                return Err("a part of MERGE is not understood".into());
            };
            self.conditions(clause.condition.as_deref())?;
            if clause.values.is_empty() {
                self.assignments(&clause.target_list, &target)?;
                continue;
            }
            let places = named_targets(&clause.target_list, &target);
            for (index, value) in clause.values.iter().enumerate() {
                let value = self.value(value)?;
                assigned(&value, places.get(index))?;
            }
        }
        self.returning(merge.returning_clause.as_ref())
    }

    fn assignments(&mut self, targets: &[Node], relation: &Items) -> Outcome<()> {
        for node in targets {
            let Some(NodeEnum::ResTarget(target)) = node.node.as_ref() else {
                return Err("an assignment is not understood".into());
            };
            for step in &target.indirection {
                assigned(&self.value(step)?, None)?;
            }
            let Some(value) = target.val.as_deref() else { continue };
            let mut value = match value.node.as_ref() {
                Some(NodeEnum::MultiAssignRef(part)) => self.part(part)?,
                _ => self.value(value)?,
            };
            if !target.indirection.is_empty() {
                value = value.made();
            }
            assigned(&value, columns::named(relation, &target.name).as_ref())?;
        }
        Ok(())
    }

    /// One column's part of `(a, b) = (…)`.
    fn part(&mut self, part: &MultiAssignRef) -> Outcome<Value> {
        let Some(source) = part.source.as_deref() else { return Ok(Value::clean()) };
        let place = usize::try_from(part.colno).ok().and_then(|number| number.checked_sub(1));
        match source.node.as_ref() {
            Some(NodeEnum::RowExpr(row)) => match place.and_then(|place| row.args.get(place)) {
                Some(value) => self.value(value),
                None => self.value(source).map(Value::made),
            },
            _ => self.value(source).map(Value::made),
        }
    }

    fn returning(&mut self, clause: Option<&ReturningClause>) -> Outcome<Items> {
        let Some(clause) = clause else { return Ok(Items::new()) };
        if !clause.options.is_empty() {
            return Err("RETURNING WITH cannot be masked yet; leave it out".into());
        }
        self.targets(&clause.exprs)
    }
}

/// What the columns of the target are now, in the order in which a statement names them; all where it names none.
fn named_targets(names: &[Node], target: &Items) -> Vec<Value> {
    if names.is_empty() {
        return if columns::is_open(target) {
            Vec::new()
        } else {
            columns::known(target).map(|column| column.value.clone()).collect()
        };
    }
    let value = |node: &Node| match node.node.as_ref() {
        Some(NodeEnum::ResTarget(target_column)) if target_column.indirection.is_empty() => {
            columns::named(target, &target_column.name).unwrap_or_else(Value::clean)
        }
        _ => Value::clean(),
    };
    names.iter().map(value).collect()
}

/// The rows of a query as they are stored, column by column.
fn stored(source: &Items, targets: &[Value]) -> Outcome<()> {
    if columns::is_open(source) {
        return match columns::known(source).find_map(|column| column.value.masked()) {
            Some(name) => Err(copied(name)),
            None => Ok(()),
        };
    }
    columns::known(source).enumerate().try_for_each(|(index, column)| assigned(&column.value, targets.get(index)))
}

/// A masked value may only go where at least the same tags are, and only as it is: a part of it, moved to where a
/// partial mask does not hide it, would be read back.
fn assigned(value: &Value, target: Option<&Value>) -> Outcome<()> {
    let Some(name) = value.masked() else { return Ok(()) };
    let is_kept = keeps_place(value.form) && target.is_some_and(|target| value.tags.is_subset(&target.tags));
    if is_kept { Ok(()) } else { Err(copied(name)) }
}
