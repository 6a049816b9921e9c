//! FROM: relations, CTEs, subqueries, functions and joins, and what their columns are called.
//!
//! Called by the analysis for each query level.

use pg_query::{
    Node, NodeEnum,
    protobuf::{Alias, JoinExpr, JoinType, RangeFunction, RangeSubselect, RangeVar},
};

use super::{
    analysis::{Analysis, Outcome, alias_reason},
    columns::{self, Column, Entry, Item, Items, Level},
    value::Value,
};
use crate::sql::{
    RawName,
    name::{text_of, texts_of},
};

impl Analysis<'_> {
    /// Adds a FROM item to the innermost level.
    pub(super) fn range_item(&mut self, node: &Node) -> Outcome<()> {
        match node.node.as_ref() {
            Some(NodeEnum::RangeVar(relation)) => self.relation(relation),
            Some(NodeEnum::JoinExpr(join)) => self.join(join),
            Some(NodeEnum::RangeSubselect(inner)) => self.subquery(inner),
            Some(NodeEnum::RangeFunction(inner)) => self.function(inner),
            Some(NodeEnum::RangeTableFunc(inner)) => {
                let parts = inner.docexpr.iter().chain(&inner.rowexpr).map(AsRef::as_ref);
                for part in parts.chain(&inner.namespaces).chain(&inner.columns) {
                    self.countless(part)?;
                }
                self.enter("xmltable", inner.alias.as_ref(), vec![Item::Open(Vec::new())])
            }
            Some(NodeEnum::JsonTable(inner)) => {
                self.countless(node)?;
                self.enter("json_table", inner.alias.as_ref(), vec![Item::Open(Vec::new())])
            }
            Some(NodeEnum::RangeTableSample(inner)) => {
                inner.args.iter().chain(inner.repeatable.as_deref()).try_for_each(|part| self.countless(part))?;
                inner.relation.as_ref().map_or(Ok(()), |relation| self.range_item(relation))
            }
            _ => Err("a part of FROM is not understood".into()),
        }
    }

    /// Refuses something masked where it would say how many rows there are.
    fn countless(&mut self, node: &Node) -> Outcome<()> {
        match self.value(node)?.masked() {
            Some(name) => Err(format!(
                "the masked column `{name}` would say how many rows a function in FROM gives; leave it out there"
            )),
            None => Ok(()),
        }
    }

    /// A subquery sees the items before it only where it is LATERAL.
    fn subquery(&mut self, inner: &RangeSubselect) -> Outcome<()> {
        let Some(query) = &inner.subquery else { return Err("a subquery is missing".into()) };
        let hidden = (!inner.lateral).then(|| self.levels.last_mut().map(std::mem::take)).flatten();
        let items = self.query(query);
        if let (Some(hidden), Some(level)) = (hidden, self.levels.last_mut()) {
            *level = hidden;
        }
        self.enter("", inner.alias.as_ref(), items?)
    }

    fn function(&mut self, inner: &RangeFunction) -> Outcome<()> {
        let mut items = Items::new();
        let mut called = String::new();
        for function in &inner.functions {
            let Some(NodeEnum::List(pair)) = function.node.as_ref() else {
                return Err("a function in FROM is not understood".into());
            };
            let Some(call) = pair.items.first() else { continue };
            self.countless(call)?;
            let name = call_name(call).unwrap_or_default();
            if called.is_empty() {
                called.clone_from(&name);
            }
            // A function's only column is called like its alias.
            let column = inner.alias.as_ref().map_or(name, |alias| alias.aliasname.clone());
            items.push(Item::Open(vec![Column { name: column, value: Value::varying() }]));
        }
        self.enter(&called, inner.alias.as_ref(), items)
    }

    fn relation(&mut self, relation: &RangeVar) -> Outcome<()> {
        let is_bare = relation.schemaname.is_empty();
        let found = self.expressions.iter().rev().find(|(name, _)| is_bare && *name == relation.relname);
        let items = match found {
            Some((_, Some(items))) => items.clone(),
            Some((name, None)) => {
                return Err(format!("`{name}` is used before its own WITH clause; put it first"));
            }
            None => columns::of_relation(self.relations.columns(&RawName::of_relation(relation))),
        };
        self.enter(&relation.relname, relation.alias.as_ref(), items)
    }

    /// Adds the target of a writing statement, which is never a CTE, and its other names, which only qualify.
    pub(super) fn target(&mut self, relation: Option<&RangeVar>, aliases: &[&str]) -> Outcome<Items> {
        let Some(relation) = relation else { return Err("a target is missing".into()) };
        let items = columns::of_relation(self.relations.columns(&RawName::of_relation(relation)));
        self.enter(&relation.relname, relation.alias.as_ref(), items.clone())?;
        if let Some(level) = self.levels.last_mut() {
            let named = |alias: &&str| Entry { alias: (*alias).to_owned(), items: items.clone() };
            level.entries.extend(aliases.iter().map(named));
        }
        Ok(items)
    }

    fn enter(&mut self, name: &str, alias: Option<&Alias>, items: Items) -> Outcome<()> {
        let (name, names) =
            alias.map_or((name, Vec::new()), |alias| (alias.aliasname.as_str(), texts_of(&alias.colnames)));
        let items = columns::renamed(items, &names).ok_or_else(|| alias_reason(name))?;
        if let Some(level) = self.levels.last_mut() {
            level.columns.extend(items.iter().cloned());
            level.entries.push(Entry { alias: name.to_owned(), items });
        }
        Ok(())
    }

    fn join(&mut self, join: &JoinExpr) -> Outcome<()> {
        let place = |levels: &[Level]| levels.last().map_or((0, 0), |level| (level.columns.len(), level.entries.len()));
        let (before, entries) = place(&self.levels);
        join.larg.as_ref().map_or(Ok(()), |side| self.range_item(side))?;
        let (middle, _) = place(&self.levels);
        join.rarg.as_ref().map_or(Ok(()), |side| self.range_item(side))?;
        self.conditions(join.quals.as_deref())?;
        let Some(level) = self.levels.last_mut() else { return Ok(()) };
        let right = level.columns.split_off(middle);
        let left = level.columns.split_off(before);
        let is_merged = join.is_natural || !join.using_clause.is_empty();
        let columns = if is_merged {
            let names = self.merged_names(join, &left, &right)?;
            merged_columns(join, left, right, names)
        } else {
            [left, right].concat()
        };
        let Some(level) = self.levels.last_mut() else { return Ok(()) };
        if let Some(alias) = &join.join_using_alias {
            let names = texts_of(&join.using_clause);
            let common = columns::known(&columns).filter(|column| names.contains(&column.name.as_str()));
            let items = common.cloned().map(Item::One).collect();
            level.entries.push(Entry { alias: alias.aliasname.clone(), items });
        }
        if let Some(alias) = &join.alias {
            // An alias hides the names inside.
            level.entries.truncate(entries);
            return self.enter("", Some(alias), columns);
        }
        level.columns.extend(columns);
        Ok(())
    }
}

/// The columns of a join with USING or NATURAL: those in common first, then the others of each side.
fn merged_columns(join: &JoinExpr, left: Items, right: Items, names: Option<Vec<String>>) -> Items {
    let Some(names) = names else {
        let both: Items = [left, right].concat();
        return vec![Item::Open(columns::known(&both).cloned().collect())];
    };
    let value = |side: &Items, name: &str| columns::named(side, name).unwrap_or_else(Value::varying);
    let common = names.iter().map(|name| {
        let (left, right) = (value(&left, name), value(&right, name));
        let value = match join.jointype() {
            JoinType::JoinFull => left.either(&right),
            JoinType::JoinRight => right,
            _ => left,
        };
        Item::One(Column { name: name.clone(), value })
    });
    let is_other = |item: &Item| !matches!(item, Item::One(column) if names.contains(&column.name));
    let merged: Items = common.collect();
    let others = left.into_iter().chain(right).filter(is_other);
    merged.into_iter().chain(others).collect()
}

/// The name that the server gives a function in FROM.
fn call_name(node: &Node) -> Option<String> {
    match node.node.as_ref()? {
        NodeEnum::FuncCall(call) => call.funcname.last().and_then(text_of).map(str::to_owned),
        _ => None,
    }
}
