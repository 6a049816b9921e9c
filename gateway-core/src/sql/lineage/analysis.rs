//! Follows masked columns through queries: subqueries, CTEs, set operations, target lists and RETURNING.
//!
//! An `Err` is a reason to refuse. Conservative: what is not understood is refused. Called by `mask_check`.

use pg_query::{
    Node, NodeEnum,
    protobuf::{CommonTableExpr, ResTarget, SelectStmt, SetOperation, WithClause},
};

use super::{
    columns::{self, Column, Item, Items, Level, Relations},
    value::{Form, Tags, Value},
};
use crate::sql::name::{text_of, texts_of};

pub(super) type Outcome<T> = Result<T, String>;

/// The state of one analysis.
pub(super) struct Analysis<'catalogue> {
    pub(super) relations: &'catalogue dyn Relations,
    pub(super) levels: Vec<Level>,
    /// Visible CTEs, innermost last; `None` for one that is referred to before its body was followed.
    pub(super) expressions: Vec<(String, Option<Items>)>,
    /// The tags of columns that rows are chosen, joined, grouped or ordered by.
    pub(super) filters: Tags,
}

pub(super) fn copied(name: &str) -> String {
    format!("the masked column `{name}` would be copied to where it is not masked; leave it out")
}

impl<'catalogue> Analysis<'catalogue> {
    pub(super) fn new(relations: &'catalogue dyn Relations) -> Self {
        Self { relations, levels: Vec::new(), expressions: Vec::new(), filters: Tags::new() }
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
        self.conditions([&select.where_clause, &select.having_clause].into_iter().flatten().map(AsRef::as_ref))?;
        for window in &select.window_clause {
            match window.node.as_ref() {
                Some(NodeEnum::WindowDef(window)) => self.window(window)?,
                _ => return Err("a WINDOW clause is not understood".into()),
            }
        }
        self.limits(select)?;
        if !select.values_lists.is_empty() {
            return self.rows_of_values(select);
        }
        let outputs = self.targets(&select.target_list)?;
        let clauses = [&select.distinct_clause, &select.group_clause, &select.sort_clause];
        for key in clauses.into_iter().flatten() {
            self.output_key(key, &outputs)?;
        }
        Ok(outputs)
    }

    fn rows_of_values(&mut self, select: &SelectStmt) -> Outcome<Items> {
        let mut columns: Vec<Value> = Vec::new();
        for (index, row) in select.values_lists.iter().enumerate() {
            let Some(NodeEnum::List(row)) = row.node.as_ref() else { return Err("VALUES is not understood".into()) };
            for (place, value) in row.items.iter().enumerate() {
                let mut value = self.shown(value)?;
                value.varies |= index > 0;
                match columns.get_mut(place) {
                    Some(column) => *column = column.either(&value),
                    None => columns.push(value),
                }
            }
        }
        let named = (1..).zip(columns).map(|(number, value)| Column { name: format!("column{number}"), value });
        let outputs: Items = named.map(Item::One).collect();
        for key in &select.sort_clause {
            self.output_key(key, &outputs)?;
        }
        Ok(outputs)
    }

    /// How many rows come is shown: nothing masked may say so.
    fn limits(&mut self, select: &SelectStmt) -> Outcome<()> {
        let limits = [&select.limit_offset, &select.limit_count];
        limits.into_iter().flatten().try_for_each(|limit| match self.value(limit)?.masked() {
            Some(name) => {
                Err(format!("the masked column `{name}` would say how many rows come; leave it out of LIMIT"))
            }
            None => Ok(()),
        })
    }

    fn set_operation(&mut self, select: &SelectStmt) -> Outcome<Items> {
        let mut branches = Vec::new();
        for branch in [&select.larg, &select.rarg].into_iter().flatten() {
            branches.push(self.select(branch)?);
        }
        let keeps_all = select.all && select.op() == SetOperation::SetopUnion;
        let mut branches = branches.into_iter();
        let (Some(left), Some(right)) = (branches.next(), branches.next()) else {
            return Err("a set operation is not understood".into());
        };
        let outputs = merged(&left, &right, keeps_all);
        for key in &select.sort_clause {
            self.output_key(key, &outputs)?;
        }
        self.limits(select)?;
        Ok(outputs)
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
        let names = texts_of(&expression.aliascolnames);
        let rename = |items| columns::renamed(items, &names).ok_or_else(|| alias_reason(&expression.ctename));
        let items = match query.node.as_ref() {
            Some(NodeEnum::SelectStmt(select)) if recursive && select.larg.is_some() => {
                self.recursive(&expression.ctename, select, &rename)?
            }
            _ => rename(self.query(query)?)?,
        };
        if expression.search_clause.is_none() && expression.cycle_clause.is_none() {
            return Ok(items);
        }
        if columns::is_masked(&items) {
            return Err("SEARCH and CYCLE over masked columns cannot be masked yet".into());
        }
        // Columns that the clauses add.
        Ok(vec![Item::Open(columns::known(&items).cloned().collect())])
    }

    /// The first branch says what the recursive one sees of itself; what that adds, it sees as well: until no more is
    /// added.
    fn recursive(
        &mut self,
        name: &str,
        select: &SelectStmt,
        rename: &dyn Fn(Items) -> Outcome<Items>,
    ) -> Outcome<Items> {
        let depth = self.expressions.len();
        let Some(first) = &select.larg else { return Err("a WITH clause has no body".into()) };
        let mut seen = match self.select(first) {
            Ok(items) => rename(items)?,
            Err(reason) => return Err(reason),
        };
        for _ in 0..MOST_ROUNDS {
            self.expressions.push((name.to_owned(), Some(seen.clone())));
            let items = self.select(select);
            self.expressions.truncate(depth);
            let items = rename(items?)?;
            if items == seen {
                return Ok(items);
            }
            seen = items;
        }
        Err(format!("`{name}` refers to itself in a way that cannot be followed"))
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
        if let Some(items) = self.star(value)? {
            return Ok(items);
        }
        let shown = self.shown(value)?;
        let name = if target.name.is_empty() { output_name(value) } else { target.name.clone() };
        Ok(vec![Item::One(Column { name, value: shown })])
    }

    /// `*`, `t.*`, or `(row).*`; `None` for what is one column.
    fn star(&mut self, value: &Node) -> Outcome<Option<Items>> {
        match value.node.as_ref() {
            Some(NodeEnum::ColumnRef(column)) => {
                let parts = texts_of(&column.fields);
                Ok((parts.len() < column.fields.len()).then(|| match parts.last() {
                    Some(qualifier) => columns::star_of(&self.levels, qualifier),
                    None => self.levels.last().map(|level| level.columns.clone()).unwrap_or_default(),
                }))
            }
            Some(NodeEnum::AIndirection(inner))
                if inner.indirection.iter().any(|step| matches!(step.node, Some(NodeEnum::AStar(_)))) =>
            {
                let value = self.shown(value)?;
                Ok(Some(vec![Item::Open(vec![Column { name: String::new(), value }])]))
            }
            _ => Ok(None),
        }
    }
}

/// How often a recursive body is followed; each round adds a tag to some column at least.
const MOST_ROUNDS: usize = 32;

/// The outputs of a set operation, column by column.
fn merged(left: &Items, right: &Items, keeps_all: bool) -> Items {
    let is_closed = |items: &Items| !columns::is_open(items);
    if !is_closed(left) || !is_closed(right) || left.len() != right.len() {
        // Which column meets which is not known.
        let all = columns::whole(left).join(&columns::whole(right));
        return vec![Item::Open(
            columns::known(left).map(|column| Column { name: column.name.clone(), value: all.clone() }).collect(),
        )];
    }
    // Rows that are compared show in every column which of them were the same.
    let pairs = || columns::known(left).zip(columns::known(right));
    let compares = |(left, right): (&Column, &Column)| {
        let (left, right) = (&left.value, &right.value);
        left.is_mixed() || right.is_mixed() || left.is_masked() && right.varies || right.is_masked() && left.varies
    };
    let spelled = !keeps_all && pairs().any(compares);
    let all = columns::whole(left).join(&columns::whole(right)).made();
    let output = |(left, right): (&Column, &Column)| {
        let value = if spelled { all.clone() } else { left.value.either(&right.value) };
        Item::One(Column { name: left.name.clone(), value })
    };
    pairs().map(output).collect()
}

pub(super) fn alias_reason(name: &str) -> String {
    format!("column aliases of `{name}` would rename a masked column whose place is not known; leave them out")
}

/// The name that the server gives an output.
pub(super) fn output_name(node: &Node) -> String {
    match node.node.as_ref() {
        Some(NodeEnum::FuncCall(call)) => call.funcname.last().and_then(text_of).unwrap_or_default().to_owned(),
        Some(NodeEnum::ColumnRef(column)) => texts_of(&column.fields).last().copied().unwrap_or_default().to_owned(),
        Some(NodeEnum::AIndirection(inner)) => inner
            .indirection
            .iter()
            .rev()
            .find_map(text_of)
            .map_or_else(|| inner.arg.as_deref().map(output_name).unwrap_or_default(), str::to_owned),
        Some(NodeEnum::CollateClause(inner)) => inner.arg.as_deref().map(output_name).unwrap_or_default(),
        Some(NodeEnum::TypeCast(inner)) => {
            let of_argument = inner.arg.as_deref().map(output_name).unwrap_or_default();
            let of_type = || inner.type_name.as_ref().and_then(|name| name.names.last()).and_then(text_of);
            if of_argument.is_empty() { of_type().unwrap_or_default().to_owned() } else { of_argument }
        }
        Some(NodeEnum::CaseExpr(inner)) => {
            let of_default = inner.defresult.as_deref().map(output_name).unwrap_or_default();
            if of_default.is_empty() { "case".to_owned() } else { of_default }
        }
        Some(NodeEnum::CoalesceExpr(_)) => "coalesce".to_owned(),
        Some(NodeEnum::AArrayExpr(_)) => "array".to_owned(),
        Some(NodeEnum::RowExpr(_)) => "row".to_owned(),
        Some(NodeEnum::SubLink(link)) => sublink_name(link),
        // What other expressions are called is left open: a name that is not found counts as any masked one.
        _ => String::new(),
    }
}

fn sublink_name(link: &pg_query::protobuf::SubLink) -> String {
    use pg_query::protobuf::SubLinkType;
    match link.sub_link_type() {
        SubLinkType::ExistsSublink => "exists".to_owned(),
        SubLinkType::ArraySublink => "array".to_owned(),
        _ => match link.subselect.as_deref().and_then(|query| query.node.as_ref()) {
            Some(NodeEnum::SelectStmt(select)) => {
                match select.target_list.first().and_then(|node| node.node.as_ref()) {
                    Some(NodeEnum::ResTarget(target)) if target.name.is_empty() => {
                        target.val.as_deref().map(output_name).unwrap_or_default()
                    }
                    Some(NodeEnum::ResTarget(target)) => target.name.clone(),
                    _ => String::new(),
                }
            }
            _ => String::new(),
        },
    }
}

/// Whether an assignment may keep this value: a masked column's own, or one folded, so that nothing hidden moves.
pub(super) const fn keeps_place(form: Form) -> bool {
    matches!(form, Form::Column(_) | Form::Folded)
}
