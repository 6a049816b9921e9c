//! Masked columns where no value is shown: conditions, orderings, groups and counts.
//!
//! A masked column may be compared with constants, parameters and other masked columns. Beside anything else that
//! varies it is refused: comparing it with everything it could be would spell it out in one statement.

use pg_query::{
    Node, NodeEnum,
    protobuf::{JoinExpr, WindowDef, a_const::Val},
};

use super::{
    analysis::{Analysis, Outcome},
    columns::{self, Items},
    value::Value,
};
use crate::sql::name::texts_of;

pub(super) fn beside(name: &str) -> String {
    format!(
        "the masked column `{name}` is compared with something that varies, which could spell it out; compare it with \
         constants or parameters"
    )
}

impl Analysis<'_> {
    /// WHERE, ON, HAVING, FILTER: each condition by itself.
    pub(super) fn conditions<'tree>(&mut self, nodes: impl IntoIterator<Item = &'tree Node>) -> Outcome<()> {
        nodes.into_iter().try_for_each(|node| match node.node.as_ref() {
            Some(NodeEnum::BoolExpr(all)) => self.conditions(&all.args),
            _ => self.steady(node).map(|_| ()),
        })
    }

    /// ORDER BY, GROUP BY, DISTINCT ON, PARTITION BY: each key by itself.
    pub(super) fn keys<'tree>(&mut self, nodes: impl IntoIterator<Item = &'tree Node>) -> Outcome<()> {
        nodes.into_iter().try_for_each(|node| match node.node.as_ref() {
            Some(NodeEnum::GroupingSet(set)) => self.keys(&set.content),
            Some(NodeEnum::RowExpr(row)) => self.keys(&row.args),
            _ => self.steady(node).map(|_| ()),
        })
    }

    /// A key that may name an output or its place, as ORDER BY and GROUP BY do; DISTINCT compares every output.
    pub(super) fn output_key(&mut self, key: &Node, outputs: &Items) -> Outcome<()> {
        let expression = match key.node.as_ref() {
            None => return columns::known(outputs).try_for_each(|column| self.compared(&column.value)),
            Some(NodeEnum::GroupingSet(set)) => {
                return set.content.iter().try_for_each(|key| self.output_key(key, outputs));
            }
            Some(NodeEnum::SortBy(sort)) => sort.node.as_deref(),
            Some(_) => Some(key),
        };
        let Some(expression) = expression else { return Ok(()) };
        match expression.node.as_ref() {
            Some(NodeEnum::AConst(constant)) => {
                let Some(Val::Ival(place)) = &constant.val else { return Ok(()) };
                let place = usize::try_from(place.ival).ok().and_then(|place| place.checked_sub(1));
                let is_plain = !columns::is_open(outputs);
                match place.and_then(|place| columns::known(outputs).nth(place)).filter(|_| is_plain) {
                    Some(column) => self.compared(&column.value),
                    None => columns::known(outputs).try_for_each(|column| self.compared(&column.value)),
                }
            }
            Some(NodeEnum::ColumnRef(reference)) => {
                if let [name] = texts_of(&reference.fields).as_slice()
                    && reference.fields.len() == 1
                {
                    for column in columns::known(outputs) {
                        if column.name == *name || column.name.is_empty() {
                            self.compared(&column.value)?;
                        }
                    }
                }
                self.keys([expression])
            }
            _ => self.keys([expression]),
        }
    }

    /// Partitions, orders and frames of a window.
    pub(super) fn window(&mut self, window: &WindowDef) -> Outcome<()> {
        self.keys(window.partition_clause.iter().chain(&window.order_clause))?;
        window.start_offset.iter().chain(&window.end_offset).try_for_each(|offset| {
            let value = self.value(offset)?;
            value.masked().map_or(Ok(()), |name| Err(beside(name)))
        })
    }

    /// The value of an expression by which rows are chosen, refused where something masked stands beside something
    /// else that varies.
    pub(super) fn steady(&mut self, node: &Node) -> Outcome<Value> {
        let value = self.value(node)?;
        self.compared(&value)?;
        Ok(value)
    }

    fn compared(&mut self, value: &Value) -> Outcome<()> {
        self.filters.extend(value.tags.iter().cloned());
        match value.masked() {
            Some(name) if value.is_mixed() => Err(beside(name)),
            _ => Ok(()),
        }
    }

    /// USING and NATURAL compare columns by name: a masked one only with another masked one. Says which names are
    /// compared; `None` where the columns of a side are not known.
    pub(super) fn merged_names(
        &mut self,
        join: &JoinExpr,
        left: &Items,
        right: &Items,
    ) -> Outcome<Option<Vec<String>>> {
        let is_open = columns::is_open(left) || columns::is_open(right);
        let names: Vec<String> = if join.is_natural {
            let is_common = |name: &&str| is_open || columns::known(right).any(|column| column.name == **name);
            let names = columns::known(left).map(|column| column.name.as_str()).filter(is_common);
            let mut names: Vec<String> = names.map(str::to_owned).collect();
            if is_open {
                names.extend(columns::known(right).map(|column| column.name.clone()));
            }
            names
        } else {
            texts_of(&join.using_clause).into_iter().map(str::to_owned).collect()
        };
        for name in &names {
            let sides = [left, right].map(|side| columns::named(side, name));
            let tags = sides.iter().flatten().flat_map(|value| value.tags.iter().cloned());
            self.filters.extend(tags);
            match sides.map(|side| side.filter(Value::is_masked)) {
                [None, Some(value)] | [Some(value), None] => return Err(beside(value.masked().unwrap_or(name))),
                [Some(one), Some(other)] if one.is_mixed() || other.is_mixed() => return Err(beside(name)),
                _ => {}
            }
        }
        Ok((!is_open).then_some(names))
    }
}
