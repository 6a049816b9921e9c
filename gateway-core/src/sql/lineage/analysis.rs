//! Follows masked columns through queries: subqueries, CTEs, joins, set operations, RETURNING and assignments.
//!
//! An `Err` is a reason to refuse. Conservative: what is not understood is refused. Called by `mask_check`.

use pg_query::{
    Node, NodeEnum,
    protobuf::{
        Alias, ColumnRef, CommonTableExpr, FuncCall, JoinExpr, RangeVar, ResTarget, SelectStmt, SetOperation, SubLink,
        SubLinkType, WithClause,
    },
};

use super::{
    TaggedColumns,
    columns::{self, Column, Entry, Item, Items, Level, Taint},
};
use crate::sql::{
    RawName, functions,
    name::{text_of, texts_of},
    tree,
};

pub(super) type Outcome<T> = Result<T, String>;

/// The state of one analysis.
pub(super) struct Analysis<'tags> {
    tagged: &'tags dyn Fn(&RawName) -> Option<TaggedColumns>,
    pub(super) levels: Vec<Level>,
    /// Visible CTEs, innermost last; `None` for one that is referred to before its body was followed.
    expressions: Vec<(String, Option<Items>)>,
}

pub(super) fn over(name: &str) -> String {
    format!("an expression over the masked column `{name}` cannot be masked yet; select the column itself")
}

pub(super) fn copied(name: &str) -> String {
    format!("the masked column `{name}` would be copied to where it is not masked; leave it out")
}

impl<'tags> Analysis<'tags> {
    pub(super) fn new(tagged: &'tags dyn Fn(&RawName) -> Option<TaggedColumns>) -> Self {
        Self { tagged, levels: Vec::new(), expressions: Vec::new() }
    }

    /// The outputs of a query or of a data-modifying statement.
    pub(super) fn query(&mut self, node: &Node) -> Outcome<Items> {
        match node.node.as_ref() {
            Some(NodeEnum::SelectStmt(select)) => self.select(select),
            Some(inner) => self.writing(inner),
            None => Err("a part of the statement is missing".into()),
        }
    }

    /// Runs `inside` in a query level of its own.
    pub(super) fn level<T>(
        &mut self,
        with: Option<&WithClause>,
        inside: impl FnOnce(&mut Self) -> Outcome<T>,
    ) -> Outcome<T> {
        let (levels, expressions) = (self.levels.len(), self.expressions.len());
        let outcome = self.with(with).and_then(|()| {
            self.levels.push(Level::default());
            inside(self)
        });
        self.levels.truncate(levels);
        self.expressions.truncate(expressions);
        outcome
    }

    pub(super) fn select(&mut self, select: &SelectStmt) -> Outcome<Items> {
        self.level(select.with_clause.as_ref(), |analysis| analysis.select_inside(select))
    }

    fn select_inside(&mut self, select: &SelectStmt) -> Outcome<Items> {
        if select.op() != SetOperation::SetopNone {
            return self.set_operation(select);
        }
        for item in &select.from_clause {
            self.range_item(item)?;
        }
        let clauses = [&select.distinct_clause, &select.group_clause, &select.sort_clause];
        self.keys(clauses.into_iter().flatten())?;
        for window in &select.window_clause {
            match window.node.as_ref() {
                Some(NodeEnum::WindowDef(window)) => self.window(window)?,
                _ => return Err("a WINDOW clause is not understood".into()),
            }
        }
        self.conditions([&select.where_clause, &select.having_clause].into_iter().flatten().map(AsRef::as_ref))?;
        self.limits(select)?;
        if select.values_lists.is_empty() {
            return self.targets(&select.target_list);
        }
        let mut width = 0;
        for row in &select.values_lists {
            let Some(NodeEnum::List(row)) = row.node.as_ref() else { return Err("VALUES is not understood".into()) };
            width = row.items.len();
            for value in &row.items {
                self.clean(value)?;
            }
        }
        let column = |index| Item::One(Column { name: format!("column{index}"), taint: Taint::Clean });
        Ok((1..=width).map(column).collect())
    }

    /// How many rows come is shown: nothing masked may say so.
    fn limits(&mut self, select: &SelectStmt) -> Outcome<()> {
        let limits = [&select.limit_offset, &select.limit_count];
        limits.into_iter().flatten().try_for_each(|limit| self.clean(limit))
    }

    /// The server gives no table oid for a set operation's outputs, so none of them may be masked.
    fn set_operation(&mut self, select: &SelectStmt) -> Outcome<Items> {
        let mut branches = Vec::new();
        for branch in [&select.larg, &select.rarg].into_iter().flatten() {
            let items = self.select(branch)?;
            if let Some(name) = columns::masked(&items) {
                return Err(format!(
                    "the masked column `{name}` in UNION, INTERSECT or EXCEPT cannot be masked yet; run the queries one by one"
                ));
            }
            branches.push(items);
        }
        self.keys(select.sort_clause.iter())?;
        self.limits(select)?;
        let is_star = |items: &Items| items.iter().any(|item| matches!(item, Item::Star { .. }));
        if branches.iter().any(is_star) {
            return Ok(vec![columns::open()]);
        }
        let first = branches.into_iter().next().unwrap_or_default();
        let clean = |item| match item {
            Item::One(column) => Item::One(Column { name: column.name, taint: Taint::Clean }),
            star @ Item::Star { .. } => star,
        };
        Ok(first.into_iter().map(clean).collect())
    }

    fn with(&mut self, clause: Option<&WithClause>) -> Outcome<()> {
        let Some(clause) = clause else { return Ok(()) };
        let mut bodies = Vec::new();
        for node in &clause.ctes {
            match node.node.as_ref() {
                Some(NodeEnum::CommonTableExpr(expression)) => bodies.push(expression),
                _ => return Err("a WITH clause is not understood".into()),
            }
        }
        if clause.recursive {
            self.expressions.extend(bodies.iter().map(|expression| (expression.ctename.clone(), None)));
        }
        for expression in bodies {
            let items = self.expression_body(expression, clause.recursive)?;
            self.expressions.push((expression.ctename.clone(), Some(items)));
        }
        Ok(())
    }

    fn expression_body(&mut self, expression: &CommonTableExpr, recursive: bool) -> Outcome<Items> {
        let Some(query) = &expression.ctequery else { return Err("a WITH clause has no body".into()) };
        if expression.search_clause.is_some() || expression.cycle_clause.is_some() {
            return Err("SEARCH and CYCLE over masked columns cannot be masked yet".into());
        }
        let names = texts_of(&expression.aliascolnames);
        let rename = |items| columns::renamed(items, &names).ok_or_else(|| alias_reason(&expression.ctename));
        if let (true, Some(NodeEnum::SelectStmt(select))) = (recursive, query.node.as_ref())
            && let Some(first) = &select.larg
        {
            // The first branch says what the recursive one sees of itself.
            let first = rename(self.select(first)?)?;
            let depth = self.expressions.len();
            self.expressions.push((expression.ctename.clone(), Some(first)));
            let items = self.select(select);
            self.expressions.truncate(depth);
            return rename(items?);
        }
        rename(self.query(query)?)
    }

    /// Adds a FROM item to the innermost level.
    pub(super) fn range_item(&mut self, node: &Node) -> Outcome<()> {
        match node.node.as_ref() {
            Some(NodeEnum::RangeVar(relation)) => self.relation(relation),
            Some(NodeEnum::JoinExpr(join)) => self.join(join),
            Some(NodeEnum::RangeSubselect(inner)) => {
                let Some(query) = &inner.subquery else { return Err("a subquery is missing".into()) };
                let items = self.query(query)?;
                self.enter("", inner.alias.as_ref(), items)
            }
            Some(NodeEnum::RangeFunction(inner)) => {
                for function in &inner.functions {
                    let Some(NodeEnum::List(pair)) = function.node.as_ref() else {
                        return Err("a function in FROM is not understood".into());
                    };
                    if let Some(call) = pair.items.first() {
                        self.clean(call)?;
                        let name = call_name(call).unwrap_or_default();
                        self.enter(&name, inner.alias.as_ref(), vec![columns::open()])?;
                    }
                }
                Ok(())
            }
            Some(NodeEnum::RangeTableFunc(inner)) => {
                for part in inner.docexpr.iter().chain(&inner.rowexpr) {
                    self.clean(part)?;
                }
                for part in inner.namespaces.iter().chain(&inner.columns) {
                    self.clean(part)?;
                }
                self.enter("", inner.alias.as_ref(), vec![columns::open()])
            }
            Some(NodeEnum::JsonTable(inner)) => {
                self.clean(node)?;
                self.enter("", inner.alias.as_ref(), vec![columns::open()])
            }
            Some(NodeEnum::RangeTableSample(inner)) => {
                inner.args.iter().chain(inner.repeatable.as_deref()).try_for_each(|argument| self.clean(argument))?;
                inner.relation.as_ref().map_or(Ok(()), |relation| self.range_item(relation))
            }
            _ => Err("a part of FROM is not understood".into()),
        }
    }

    fn relation(&mut self, relation: &RangeVar) -> Outcome<()> {
        let is_bare = relation.schemaname.is_empty();
        let found = self.expressions.iter().rev().find(|(name, _)| is_bare && *name == relation.relname);
        let items = match found {
            Some((_, Some(items))) => items.clone(),
            Some((name, None)) => {
                return Err(format!("`{name}` is used before its own WITH clause; put it first"));
            }
            None => columns::of_relation((self.tagged)(&RawName::of_relation(relation))),
        };
        self.enter(&relation.relname, relation.alias.as_ref(), items)
    }

    /// Adds the target of a writing statement; it is never a CTE.
    pub(super) fn target(&mut self, relation: Option<&RangeVar>, aliases: &[&str]) -> Outcome<()> {
        let Some(relation) = relation else { return Err("a target is missing".into()) };
        let items = columns::of_relation((self.tagged)(&RawName::of_relation(relation)));
        self.enter(&relation.relname, relation.alias.as_ref(), items.clone())?;
        for alias in aliases {
            // Visible by name only, not through `*`.
            let entry = Entry { alias: (*alias).to_owned(), items: items.clone() };
            let place = self.levels.len().saturating_sub(1);
            self.levels.insert(place, Level { entries: vec![entry], merged: false });
        }
        Ok(())
    }

    fn enter(&mut self, name: &str, alias: Option<&Alias>, items: Items) -> Outcome<()> {
        let (name, names) =
            alias.map_or((name, Vec::new()), |alias| (alias.aliasname.as_str(), texts_of(&alias.colnames)));
        let items = columns::renamed(items, &names).ok_or_else(|| alias_reason(name))?;
        if let Some(level) = self.levels.last_mut() {
            level.entries.push(Entry { alias: name.to_owned(), items });
        }
        Ok(())
    }

    fn join(&mut self, join: &JoinExpr) -> Outcome<()> {
        let entries = |levels: &[Level]| levels.last().map_or(0, |level| level.entries.len());
        let before = entries(&self.levels);
        join.larg.as_ref().map_or(Ok(()), |side| self.range_item(side))?;
        let middle = entries(&self.levels);
        join.rarg.as_ref().map_or(Ok(()), |side| self.range_item(side))?;
        self.merged_columns(join, before, middle)?;
        self.conditions(join.quals.as_deref())?;
        let aliases = [join.alias.as_ref(), join.join_using_alias.as_ref()];
        let Some(level) = self.levels.last_mut() else { return Ok(()) };
        level.merged |= join.is_natural || !join.using_clause.is_empty() || aliases.iter().any(Option::is_some);
        let both: Items = level.entries.iter().skip(before).flat_map(|entry| entry.items.clone()).collect();
        let known: Vec<Column> = columns::known(&both).cloned().collect();
        let items = vec![Item::Star { known, open: columns::is_open(&both) }];
        for alias in aliases.into_iter().flatten() {
            self.enter("", Some(alias), items.clone())?;
        }
        Ok(())
    }

    /// The outputs of a target list or of RETURNING.
    pub(super) fn targets(&mut self, targets: &[Node]) -> Outcome<Items> {
        let mut items = Items::new();
        for node in targets {
            let Some(NodeEnum::ResTarget(target)) = node.node.as_ref() else {
                return Err("a target list is not understood".into());
            };
            items.extend(self.one_target(target)?);
        }
        Ok(items)
    }

    fn one_target(&mut self, target: &ResTarget) -> Outcome<Items> {
        let Some(value) = target.val.as_deref() else { return Err("a target is missing".into()) };
        let Some(NodeEnum::ColumnRef(column)) = value.node.as_ref() else {
            self.clean(value)?;
            let name = if target.name.is_empty() { call_name(value).unwrap_or_default() } else { target.name.clone() };
            return Ok(vec![Item::One(Column { name, taint: Taint::Clean })]);
        };
        let parts = texts_of(&column.fields);
        if parts.len() < column.fields.len() {
            return Ok(match parts.last() {
                Some(qualifier) => columns::star_of(&self.levels, qualifier),
                None => self.levels.last().map(Level::star).unwrap_or_default(),
            });
        }
        let taint = columns::resolve(&self.levels, &parts);
        if let Taint::Row(name) = &taint {
            return Err(format!("a whole row of `{name}` cannot be masked yet; name its columns"));
        }
        let name = if target.name.is_empty() {
            parts.last().map(ToString::to_string).unwrap_or_default()
        } else {
            target.name.clone()
        };
        Ok(vec![Item::One(Column { name, taint })])
    }

    /// Refuses an expression that holds anything masked.
    pub(super) fn clean(&mut self, node: &Node) -> Outcome<()> {
        self.taint(node)?.masked().map_or(Ok(()), |name| Err(over(name)))
    }

    pub(super) fn taint(&mut self, node: &Node) -> Outcome<Taint> {
        let Some(inner) = node.node.as_ref() else { return Ok(Taint::Clean) };
        match inner {
            NodeEnum::ColumnRef(column) => Ok(self.reference(column)),
            NodeEnum::SelectStmt(select) => {
                let items = self.select(select)?;
                Ok(columns::masked(&items).map_or(Taint::Clean, |name| Taint::Tagged(name.to_owned())))
            }
            NodeEnum::NullTest(test) => {
                test.arg.as_deref().map_or(Ok(Taint::Clean), |argument| self.steady(argument))?;
                Ok(Taint::Clean)
            }
            NodeEnum::FuncCall(call) => self.call(call),
            NodeEnum::SubLink(link) => self.sublink(link),
            _ => {
                let Some(children) = tree::children(inner) else {
                    return Err("a part of the statement is not understood".into());
                };
                self.joined(children)
            }
        }
    }

    fn joined<'tree>(&mut self, nodes: impl IntoIterator<Item = &'tree Node>) -> Outcome<Taint> {
        let mut all = Taint::Clean;
        for node in nodes {
            all = all.join(self.taint(node)?);
        }
        Ok(all)
    }

    fn reference(&self, column: &ColumnRef) -> Taint {
        let parts = texts_of(&column.fields);
        if parts.len() == column.fields.len() {
            return columns::resolve(&self.levels, &parts);
        }
        let items = match parts.last() {
            Some(qualifier) => columns::star_of(&self.levels, qualifier),
            None => self.levels.iter().flat_map(Level::star).collect(),
        };
        columns::masked(&items).map_or(Taint::Clean, |name| Taint::Row(name.to_owned()))
    }

    /// A call; one that is not known to keep its arguments to itself may not be given a masked column anywhere.
    fn call(&mut self, call: &FuncCall) -> Outcome<Taint> {
        let name = RawName::of_call(call);
        let arguments = self.joined(&call.args)?;
        let order = self.joined(&call.agg_order)?;
        self.keys(&call.agg_order)?;
        self.conditions(call.agg_filter.as_deref())?;
        if let Some(window) = &call.over {
            self.window(window)?;
        }
        let taint = if call.agg_within_group { arguments.join(order) } else { arguments };
        match taint.masked() {
            Some(column) if !functions::is_known_safe(&name) => Err(format!(
                "the masked column `{column}` is passed to `{name}`, which could carry it away; leave it out"
            )),
            Some(_) if name.name == "count" => self.keys(&call.args).map(|()| Taint::Clean),
            _ => Ok(taint),
        }
    }

    fn sublink(&mut self, link: &SubLink) -> Outcome<Taint> {
        let test = self.joined(link.testexpr.as_deref())?;
        let rows = self.joined(link.subselect.as_deref())?;
        let is_existence = link.sub_link_type() == SubLinkType::ExistsSublink;
        Ok(if is_existence { Taint::Clean } else { test.join(rows) })
    }
}

fn alias_reason(name: &str) -> String {
    format!("column aliases of `{name}` would rename a masked column; leave them out")
}

/// The name that the server gives an output that is a call.
fn call_name(node: &Node) -> Option<String> {
    match node.node.as_ref()? {
        NodeEnum::FuncCall(call) => call.funcname.last().and_then(text_of).map(str::to_owned),
        _ => None,
    }
}
