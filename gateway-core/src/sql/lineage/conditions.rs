//! Masked columns where no value is shown: conditions, orderings, groups and counts.
//!
//! A masked column may be compared with constants, parameters and other masked columns. Beside anything else that
//! varies it is refused: comparing it with everything it could be would spell it out in one statement.

use pg_query::{
    Node, NodeEnum,
    protobuf::{JoinExpr, WindowDef},
};

use super::{
    analysis::{Analysis, Outcome},
    columns::{self, Entry, Item, Taint},
};
use crate::sql::{name::texts_of, tree};

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
            _ => self.steady(node).map(|_| ()),
        })
    }

    /// Partitions, orders and frames of a window.
    pub(super) fn window(&mut self, window: &WindowDef) -> Outcome<()> {
        self.keys(window.partition_clause.iter().chain(&window.order_clause))?;
        window.start_offset.iter().chain(&window.end_offset).try_for_each(|offset| self.clean(offset))
    }

    /// The taint of an expression, refused where something masked stands beside something else that varies.
    pub(super) fn steady(&mut self, node: &Node) -> Outcome<Taint> {
        let taint = self.taint(node)?;
        if let Some(name) = taint.masked()
            && self.varies(node)?
        {
            return Err(beside(name));
        }
        Ok(taint)
    }

    /// Whether anything but masked columns makes the expression differ from row to row.
    fn varies(&mut self, node: &Node) -> Outcome<bool> {
        let Some(inner) = node.node.as_ref() else { return Ok(false) };
        match inner {
            NodeEnum::ColumnRef(_) | NodeEnum::SelectStmt(_) => Ok(self.taint(node)?.masked().is_none()),
            NodeEnum::SubLink(link) => {
                let parts = link.testexpr.as_deref().into_iter().chain(link.subselect.as_deref());
                self.any_varies(parts)
            }
            _ => {
                let children = tree::children(inner).ok_or("a part of the statement is not understood")?;
                self.any_varies(children)
            }
        }
    }

    fn any_varies<'tree>(&mut self, nodes: impl IntoIterator<Item = &'tree Node>) -> Outcome<bool> {
        for node in nodes {
            if self.varies(node)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// USING and NATURAL compare columns by name: a masked one only with another masked one.
    pub(super) fn merged_columns(&self, join: &JoinExpr, before: usize, middle: usize) -> Outcome<()> {
        let Some(level) = self.levels.last() else { return Ok(()) };
        let left = level.entries.get(before..middle).unwrap_or_default();
        let right = level.entries.get(middle..).unwrap_or_default();
        if join.is_natural {
            return natural(left, right).and_then(|()| natural(right, left));
        }
        for name in texts_of(&join.using_clause) {
            match (masks(left, name), masks(right, name)) {
                (true, false) | (false, true) => return Err(beside(name)),
                (true, true) | (false, false) => {}
            }
        }
        Ok(())
    }
}

fn masks(side: &[Entry], name: &str) -> bool {
    side.iter().filter_map(|entry| columns::named(&entry.items, name)).any(|taint| taint.masked().is_some())
}

fn natural(side: &[Entry], other: &[Entry]) -> Outcome<()> {
    let is_open = other.iter().any(|entry| columns::is_open(&entry.items));
    let has = |name: &str| other.iter().any(|entry| columns::known(&entry.items).any(|column| column.name == name));
    let masked = |item: &Item| {
        let columns = columns::known(std::slice::from_ref(item)).filter(|column| column.taint.masked().is_some());
        columns.map(|column| column.name.clone()).collect::<Vec<_>>()
    };
    for name in side.iter().flat_map(|entry| &entry.items).flat_map(masked) {
        if (is_open || has(&name)) && !masks(other, &name) {
            return Err(format!(
                "a NATURAL JOIN could compare the masked column `{name}`; name the columns with USING"
            ));
        }
    }
    Ok(())
}
