//! The walk over queries: every relation, function and constant at any depth, with the worst that is done to each.
//!
//! Owns SELECT, INSERT, UPDATE, DELETE, MERGE and all expressions. Knows no catalogue. Called by classification.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use pg_query::{
    Node, NodeEnum,
    protobuf::{AExpr, CoercionForm, ColumnRef, FuncCall, RangeVar, SelectStmt, SetOperation, TypeName, WithClause},
};

use super::{
    Literal, RawAccess, RawColumn, RawName, Rereads, direct, functions, literals::Constants, name::text_of,
    scope::Scopes, settings, tree,
};
use crate::model::Verb;

/// How deep the walk follows a tree; the decoder of the grammar's output stops before this.
const MAX_DEPTH: usize = 200;

/// Everything found below one statement.
#[derive(Debug)]
pub(super) struct Walk<'text> {
    pub(super) accesses: BTreeSet<RawAccess>,
    pub(super) functions: BTreeSet<RawName>,
    pub(super) attributes: BTreeSet<String>,
    pub(super) types: BTreeSet<RawName>,
    pub(super) has_where: bool,
    pub(super) literals: Vec<Literal>,
    pub(super) parameter_columns: BTreeMap<u32, RawColumn>,
    pub(super) parameter_places: BTreeMap<u32, Vec<Option<RawColumn>>>,
    /// Places of values that meet the column of `hint` directly.
    directs: BTreeSet<i32>,
    /// A node that this version does not know was met.
    pub(super) unknown: bool,
    pub(super) too_deep: bool,
    /// A prepared statement or a cursor is used by its name.
    pub(super) uses_names: bool,
    /// What has to be read again after it, beyond what the statement itself says.
    pub(super) rereads: Rereads,
    /// What is walked is planned, not run: EXPLAIN without ANALYZE.
    pub(super) explained: bool,
    constants: &'text Constants,
    span: Range<usize>,
    pub(super) scopes: Scopes,
    pub(super) hint: Option<RawColumn>,
    depth: usize,
}

impl<'text> Walk<'text> {
    pub(super) fn new(constants: &'text Constants, span: Range<usize>) -> Self {
        Self {
            accesses: BTreeSet::new(),
            functions: BTreeSet::new(),
            attributes: BTreeSet::new(),
            types: BTreeSet::new(),
            has_where: true,
            literals: Vec::new(),
            parameter_columns: BTreeMap::new(),
            parameter_places: BTreeMap::new(),
            directs: BTreeSet::new(),
            unknown: false,
            too_deep: false,
            uses_names: false,
            rereads: Rereads::Nothing,
            explained: false,
            constants,
            span,
            scopes: Scopes::default(),
            hint: None,
            depth: 0,
        }
    }

    pub(super) fn access(&mut self, verb: Verb, object: Option<RawName>) {
        let verb = if self.explained { Verb::Explain } else { verb };
        self.accesses.insert(RawAccess { verb, object });
    }

    pub(super) fn access_relation(&mut self, verb: Verb, relation: Option<&RangeVar>) {
        if let Some(relation) = relation {
            self.access(verb, Some(RawName::of_relation(relation)));
        }
    }

    /// Walks a statement that may stand in a CTE, after EXPLAIN, in COPY or in a cursor.
    pub(super) fn query(&mut self, node: &Node) {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            self.too_deep = true;
        } else {
            match node.node.as_ref() {
                Some(NodeEnum::SelectStmt(inner)) => self.select(inner, false, None),
                Some(NodeEnum::InsertStmt(inner)) => self.insert(inner),
                Some(NodeEnum::UpdateStmt(inner)) => self.update(inner),
                Some(NodeEnum::DeleteStmt(inner)) => self.delete(inner),
                Some(NodeEnum::MergeStmt(inner)) => self.merge(inner),
                Some(_) => self.unknown = true,
                None => {}
            }
        }
        self.depth -= 1;
    }

    pub(super) fn select(&mut self, select: &SelectStmt, locked: bool, target: Option<&[RawColumn]>) {
        self.scopes.enter();
        self.with(select.with_clause.as_ref());
        if let Some(into) = &select.into_clause {
            self.access_relation(Verb::Create, into.rel.as_ref());
        }
        let locked = locked || !select.locking_clause.is_empty();
        if select.op() != SetOperation::SetopNone {
            for branch in [&select.larg, &select.rarg].into_iter().flatten() {
                self.branch(branch, locked, target);
            }
        }
        for item in &select.from_clause {
            self.range_item(item, locked);
        }
        let outer = self.hint.take();
        self.assigned(&select.target_list, target);
        for row in &select.values_lists {
            if let Some(NodeEnum::List(row)) = row.node.as_ref() {
                self.assigned(&row.items, target);
            }
        }
        self.hint = None;
        let clauses = [&select.distinct_clause, &select.group_clause, &select.window_clause, &select.sort_clause];
        self.expressions(clauses.into_iter().flatten());
        self.expressions([&select.where_clause, &select.having_clause].into_iter().flatten().map(AsRef::as_ref));
        self.expressions([&select.limit_offset, &select.limit_count].into_iter().flatten().map(AsRef::as_ref));
        self.hint = outer;
        self.scopes.leave();
    }

    fn branch(&mut self, branch: &SelectStmt, locked: bool, target: Option<&[RawColumn]>) {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            self.too_deep = true;
        } else {
            self.select(branch, locked, target);
        }
        self.depth -= 1;
    }

    /// Values that stand for columns by position: INSERT's rows, or a query's outputs where it feeds one.
    pub(super) fn assigned(&mut self, values: &[Node], target: Option<&[RawColumn]>) {
        for (index, value) in values.iter().enumerate() {
            self.hint = target.and_then(|target| {
                target.get(index).or_else(|| target.first().filter(|only| only.column.is_none())).cloned()
            });
            self.assign(value);
        }
        self.hint = None;
    }

    /// A value that the column of `hint` is set to.
    pub(super) fn assign(&mut self, value: &Node) {
        self.directs.extend(direct::assigned(value).filter(|_| self.hint.is_some()));
        self.expression(value);
    }

    pub(super) fn with(&mut self, clause: Option<&WithClause>) {
        let Some(clause) = clause else { return };
        let expressions: Vec<_> = clause
            .ctes
            .iter()
            .filter_map(|node| match node.node.as_ref() {
                Some(NodeEnum::CommonTableExpr(expression)) => Some(expression),
                _ => None,
            })
            .collect();
        if clause.recursive {
            for expression in &expressions {
                self.scopes.define(&expression.ctename);
            }
        }
        for expression in expressions {
            if let Some(query) = &expression.ctequery {
                self.query(query);
            }
            if let Some(cycle) = &expression.cycle_clause {
                self.expressions(
                    cycle.cycle_mark_value.as_deref().into_iter().chain(cycle.cycle_mark_default.as_deref()),
                );
            }
            self.scopes.define(&expression.ctename);
        }
    }

    pub(super) fn range_item(&mut self, node: &Node, locked: bool) {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            self.too_deep = true;
        } else {
            self.range_item_inside(node, locked);
        }
        self.depth -= 1;
    }

    fn range_item_inside(&mut self, node: &Node, locked: bool) {
        match node.node.as_ref() {
            Some(NodeEnum::RangeVar(relation)) => self.read(relation, locked),
            Some(NodeEnum::JoinExpr(join)) => {
                for side in [&join.larg, &join.rarg].into_iter().flatten() {
                    self.range_item(side, locked);
                }
                self.expressions(join.quals.as_deref());
            }
            Some(NodeEnum::RangeSubselect(inner)) => {
                if let Some(NodeEnum::SelectStmt(select)) = inner.subquery.as_ref().and_then(|node| node.node.as_ref())
                {
                    self.select(select, locked, None);
                }
                self.scopes.range(inner.alias.as_ref().map_or("", |alias| alias.aliasname.as_str()), None);
            }
            Some(NodeEnum::RangeFunction(inner)) => {
                for function in &inner.functions {
                    self.range_function(function);
                }
                self.scopes.range(inner.alias.as_ref().map_or("", |alias| alias.aliasname.as_str()), None);
            }
            Some(NodeEnum::RangeTableFunc(inner)) => {
                self.expressions(inner.docexpr.as_deref().into_iter().chain(inner.rowexpr.as_deref()));
                self.expressions(inner.namespaces.iter().chain(&inner.columns));
                self.scopes.range("", None);
            }
            Some(NodeEnum::RangeTableSample(inner)) => {
                if let Some(relation) = &inner.relation {
                    self.range_item(relation, locked);
                }
                self.functions.extend(RawName::from_nodes(&inner.method));
                self.expressions(inner.args.iter().chain(inner.repeatable.as_deref()));
            }
            Some(NodeEnum::JsonTable(_)) => {
                self.expression(node);
                self.scopes.range("", None);
            }
            Some(_) => self.unknown = true,
            None => {}
        }
    }

    /// `ROWS FROM` items are lists: the call, then the columns it is said to return.
    fn range_function(&mut self, node: &Node) {
        let Some(NodeEnum::List(pair)) = node.node.as_ref() else { return self.expression(node) };
        for item in &pair.items {
            match item.node.as_ref() {
                Some(NodeEnum::List(_)) | None => {}
                Some(_) => self.expression(item),
            }
        }
    }

    fn read(&mut self, relation: &RangeVar, locked: bool) {
        let name = RawName::of_relation(relation);
        let alias = relation.alias.as_ref().map_or(relation.relname.as_str(), |alias| alias.aliasname.as_str());
        if self.scopes.is_expression(relation) {
            return self.scopes.range(alias, None);
        }
        self.access(Verb::Select, Some(name.clone()));
        if locked {
            self.access(Verb::Lock, Some(name.clone()));
        }
        self.scopes.range(alias, Some(name));
    }

    pub(super) fn expressions<'tree>(&mut self, nodes: impl IntoIterator<Item = &'tree Node>) {
        for node in nodes {
            self.expression(node);
        }
    }

    pub(super) fn expression(&mut self, node: &Node) {
        let Some(inner) = node.node.as_ref() else { return };
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            self.too_deep = true;
        } else {
            self.expression_inside(inner);
        }
        self.depth -= 1;
    }

    fn expression_inside(&mut self, inner: &NodeEnum) {
        match inner {
            NodeEnum::SelectStmt(select) => return self.select(select, false, None),
            NodeEnum::AExpr(expression) => return self.operator(expression),
            NodeEnum::AConst(constant) => {
                let direct = self.directs.contains(&constant.location);
                let literal = self.constants.literal(constant, self.hint.clone(), &self.span);
                self.literals.extend(literal.map(|literal| Literal { direct, ..literal }));
            }
            NodeEnum::ParamRef(parameter) => {
                if let Ok(number) = u32::try_from(parameter.number) {
                    let direct = self.hint.clone().filter(|_| self.directs.contains(&parameter.location));
                    self.parameter_places.entry(number).or_default().push(direct);
                    if let Some(column) = self.hint.clone() {
                        self.parameter_columns.entry(number).or_insert(column);
                    }
                }
            }
            NodeEnum::ColumnRef(column) => self.attribute(column),
            NodeEnum::AIndirection(indirection) => {
                self.attributes.extend(indirection.indirection.iter().filter_map(text_of).map(str::to_owned));
            }
            NodeEnum::FuncCall(call) => self.call(call),
            NodeEnum::TypeCast(cast) => self.type_name(cast.type_name.as_ref()),
            NodeEnum::SubLink(link) => self.operator_name(&link.oper_name),
            NodeEnum::SortBy(sort) => self.operator_name(&sort.use_op),
            NodeEnum::RangeTableFuncCol(column) => self.type_name(column.type_name.as_ref()),
            _ => self.functions.extend(syntax_function(inner).map(RawName::bare)),
        }
        match tree::children(inner) {
            Some(children) => self.expressions(children),
            None => self.unknown = true,
        }
    }

    fn operator(&mut self, expression: &AExpr) {
        self.operator_name(&expression.name);
        let (left, right) = (expression.lexpr.as_deref(), expression.rexpr.as_deref());
        self.directs.extend(direct::compared(expression));
        let outer = self.hint.clone();
        let left_column = left.and_then(first_column).and_then(|column| self.scopes.column(column));
        let right_column = right.and_then(first_column).and_then(|column| self.scopes.column(column));
        self.hint = right_column.or_else(|| outer.clone());
        self.expressions(left);
        self.hint = left_column.or_else(|| outer.clone());
        self.expressions(right);
        self.hint = outer;
    }

    /// An operator with a schema is a call of it; a bare one may mean one that users defined.
    fn operator_name(&mut self, name: &[Node]) {
        match name {
            [bare] => self.attributes.extend(text_of(bare).map(str::to_owned)),
            qualified => self.functions.extend(RawName::from_nodes(qualified)),
        }
    }

    fn attribute(&mut self, column: &ColumnRef) {
        if column.fields.len() > 1 {
            self.attributes.extend(column.fields.last().and_then(text_of).map(str::to_owned));
        }
    }

    pub(super) fn call(&mut self, call: &FuncCall) {
        let name = RawName::of_call(call);
        if name.name == "system_user" && call.funcformat() == CoercionForm::CoerceSqlSyntax {
            // Before PostgreSQL 16 the word is a column's name: what it means depends on the server.
            self.unknown = true;
        }
        if name.name == "set_config"
            && let Some((verb, rereads)) = settings::known_call(call)
        {
            self.rereads = self.rereads.max(rereads);
            self.accesses.extend([Verb::Select, verb].map(|verb| RawAccess { verb, object: None }));
            // Someone's own function of that name is looked for as one of an attribute's name is.
            match name.schema.as_deref() {
                None => self.attributes.extend([name.name]),
                Some("pg_catalog") => {}
                Some(_) => self.functions.extend([name]),
            }
            return;
        }
        if let Some(verb) = functions::classify(&name.name) {
            // Kept under EXPLAIN too: the planner itself runs stable functions.
            self.accesses.insert(RawAccess { verb, object: None });
        }
        self.functions.insert(name);
    }

    /// A cast may run its type's input function, or a function of somebody's making: the catalogue knows.
    pub(super) fn type_name(&mut self, type_name: Option<&TypeName>) {
        self.types.extend(type_name.and_then(|type_name| RawName::from_nodes(&type_name.names)));
    }
}

/// The first column below an expression, subqueries left out.
fn first_column(node: &Node) -> Option<&ColumnRef> {
    let mut pending = vec![node];
    while let Some(next) = pending.pop() {
        match next.node.as_ref()? {
            NodeEnum::ColumnRef(column) => return Some(column),
            inner => pending.extend(tree::children(inner).unwrap_or_default().into_iter().rev()),
        }
    }
    None
}

/// Syntax of newer grammars that an older server reads as a call of a function by that name.
fn syntax_function(node: &NodeEnum) -> Option<&'static str> {
    use pg_query::protobuf::JsonExprOp;
    Some(match node {
        NodeEnum::JsonFuncExpr(inner) => match inner.op() {
            JsonExprOp::JsonExistsOp => "json_exists",
            JsonExprOp::JsonQueryOp => "json_query",
            JsonExprOp::JsonValueOp => "json_value",
            JsonExprOp::JsonTableOp | JsonExprOp::Undefined => "json_table",
        },
        NodeEnum::JsonTable(_) => "json_table",
        NodeEnum::JsonScalarExpr(_) => "json_scalar",
        NodeEnum::JsonSerializeExpr(_) => "json_serialize",
        NodeEnum::JsonParseExpr(_) => "json",
        NodeEnum::JsonObjectConstructor(_) => "json_object",
        NodeEnum::JsonArrayConstructor(_) | NodeEnum::JsonArrayQueryConstructor(_) => "json_array",
        NodeEnum::JsonObjectAgg(_) => "json_objectagg",
        NodeEnum::JsonArrayAgg(_) => "json_arrayagg",
        NodeEnum::MergeSupportFunc(_) => "merge_action",
        _ => return None,
    })
}
