//! The children of every expression node of the grammar, so that each walk visits all of them.
//!
//! Knows no meaning. A node that is not listed is reported as unknown, and its statement with it.

use pg_query::{
    Node, NodeEnum,
    protobuf::{JsonAggConstructor, JsonBehavior, JsonTablePathSpec, JsonValueExpr, SelectStmt, WindowDef},
};

/// The direct children of an expression node, or `None` for a node this version does not know.
///
/// Subqueries are not descended into: [`NodeEnum::SelectStmt`] has no children here.
pub(super) fn children(node: &NodeEnum) -> Option<Vec<&Node>> {
    let mut found = Vec::new();
    let known = leaf(node) || expression(node, &mut found) || clause(node, &mut found) || json(node, &mut found);
    known.then_some(found)
}

/// Whether `test` holds for any node below `node`, itself included; subqueries are entered through their clauses.
pub(super) fn any(node: &Node, test: &mut dyn FnMut(&NodeEnum) -> bool) -> bool {
    let mut pending = vec![node];
    while let Some(next) = pending.pop() {
        let Some(inner) = next.node.as_ref() else { continue };
        if test(inner) {
            return true;
        }
        if let NodeEnum::SelectStmt(select) = inner {
            select_children(select, &mut pending);
        } else {
            pending.extend(children(inner).unwrap_or_default());
        }
    }
    false
}

fn select_children<'tree>(select: &'tree SelectStmt, found: &mut Vec<&'tree Node>) {
    let mut pending = vec![select];
    while let Some(next) = pending.pop() {
        found.extend(next.target_list.iter().chain(&next.values_lists).chain(&next.group_clause));
        found.extend(next.where_clause.as_deref().into_iter().chain(next.having_clause.as_deref()));
        pending.extend(next.larg.as_deref().into_iter().chain(next.rarg.as_deref()));
    }
}

fn leaf(node: &NodeEnum) -> bool {
    matches!(
        node,
        NodeEnum::AConst(_)
            | NodeEnum::ColumnRef(_)
            | NodeEnum::ParamRef(_)
            | NodeEnum::AStar(_)
            | NodeEnum::SqlvalueFunction(_)
            | NodeEnum::SetToDefault(_)
            | NodeEnum::CurrentOfExpr(_)
            | NodeEnum::MergeSupportFunc(_)
            | NodeEnum::SelectStmt(_)
            | NodeEnum::TypeName(_)
            | NodeEnum::Integer(_)
            | NodeEnum::Float(_)
            | NodeEnum::Boolean(_)
            | NodeEnum::String(_)
            | NodeEnum::BitString(_)
            | NodeEnum::JsonFormat(_)
            | NodeEnum::JsonReturning(_)
    )
}

fn expression<'tree>(node: &'tree NodeEnum, found: &mut Vec<&'tree Node>) -> bool {
    match node {
        NodeEnum::AExpr(inner) => found.extend(inner.lexpr.as_deref().into_iter().chain(inner.rexpr.as_deref())),
        NodeEnum::BoolExpr(inner) => found.extend(&inner.args),
        NodeEnum::TypeCast(inner) => found.extend(inner.arg.as_deref()),
        NodeEnum::CollateClause(inner) => found.extend(inner.arg.as_deref()),
        NodeEnum::FuncCall(inner) => {
            found.extend(inner.args.iter().chain(&inner.agg_order).chain(inner.agg_filter.as_deref()));
            window(inner.over.as_deref(), found);
        }
        NodeEnum::AIndices(inner) => found.extend(inner.lidx.as_deref().into_iter().chain(inner.uidx.as_deref())),
        NodeEnum::AIndirection(inner) => found.extend(inner.arg.as_deref().into_iter().chain(&inner.indirection)),
        NodeEnum::AArrayExpr(inner) => found.extend(&inner.elements),
        NodeEnum::SubLink(inner) => {
            found.extend(inner.testexpr.as_deref().into_iter().chain(inner.subselect.as_deref()));
        }
        NodeEnum::CaseExpr(inner) => {
            found.extend(inner.arg.as_deref().into_iter().chain(&inner.args).chain(inner.defresult.as_deref()));
        }
        NodeEnum::CaseWhen(inner) => found.extend(inner.expr.as_deref().into_iter().chain(inner.result.as_deref())),
        NodeEnum::RowExpr(inner) => found.extend(&inner.args),
        NodeEnum::CoalesceExpr(inner) => found.extend(&inner.args),
        NodeEnum::MinMaxExpr(inner) => found.extend(&inner.args),
        NodeEnum::XmlExpr(inner) => found.extend(inner.named_args.iter().chain(&inner.args)),
        NodeEnum::XmlSerialize(inner) => found.extend(inner.expr.as_deref()),
        NodeEnum::NullTest(inner) => found.extend(inner.arg.as_deref()),
        NodeEnum::BooleanTest(inner) => found.extend(inner.arg.as_deref()),
        NodeEnum::NamedArgExpr(inner) => found.extend(inner.arg.as_deref()),
        NodeEnum::GroupingFunc(inner) => found.extend(&inner.args),
        _ => return false,
    }
    true
}

fn clause<'tree>(node: &'tree NodeEnum, found: &mut Vec<&'tree Node>) -> bool {
    match node {
        NodeEnum::List(inner) => found.extend(&inner.items),
        NodeEnum::ResTarget(inner) => found.extend(inner.val.as_deref().into_iter().chain(&inner.indirection)),
        NodeEnum::MultiAssignRef(inner) => found.extend(inner.source.as_deref()),
        NodeEnum::SortBy(inner) => found.extend(inner.node.as_deref()),
        NodeEnum::WindowDef(inner) => window(Some(inner), found),
        NodeEnum::GroupingSet(inner) => found.extend(&inner.content),
        NodeEnum::IndexElem(inner) => found.extend(inner.expr.as_deref()),
        NodeEnum::DefElem(inner) => found.extend(inner.arg.as_deref()),
        NodeEnum::PartitionElem(inner) => found.extend(inner.expr.as_deref()),
        NodeEnum::FunctionParameter(inner) => found.extend(inner.defexpr.as_deref()),
        NodeEnum::StatsElem(inner) => found.extend(inner.expr.as_deref()),
        NodeEnum::ReturnStmt(inner) => found.extend(inner.returnval.as_deref()),
        NodeEnum::RangeTableFuncCol(inner) => {
            found.extend(inner.colexpr.as_deref().into_iter().chain(inner.coldefexpr.as_deref()));
        }
        _ => return false,
    }
    true
}

fn json<'tree>(node: &'tree NodeEnum, found: &mut Vec<&'tree Node>) -> bool {
    match node {
        NodeEnum::JsonValueExpr(inner) => value(Some(inner), found),
        NodeEnum::JsonArgument(inner) => value(inner.val.as_deref(), found),
        NodeEnum::JsonKeyValue(inner) => {
            found.extend(inner.key.as_deref());
            value(inner.value.as_deref(), found);
        }
        NodeEnum::JsonIsPredicate(inner) => found.extend(inner.expr.as_deref()),
        NodeEnum::JsonParseExpr(inner) => value(inner.expr.as_deref(), found),
        NodeEnum::JsonScalarExpr(inner) => found.extend(inner.expr.as_deref()),
        NodeEnum::JsonSerializeExpr(inner) => value(inner.expr.as_deref(), found),
        NodeEnum::JsonObjectConstructor(inner) => found.extend(&inner.exprs),
        NodeEnum::JsonArrayConstructor(inner) => found.extend(&inner.exprs),
        NodeEnum::JsonArrayQueryConstructor(inner) => found.extend(inner.query.as_deref()),
        NodeEnum::JsonObjectAgg(inner) => {
            aggregate(inner.constructor.as_deref(), found);
            if let Some(pair) = inner.arg.as_deref() {
                found.extend(pair.key.as_deref());
                value(pair.value.as_deref(), found);
            }
        }
        NodeEnum::JsonArrayAgg(inner) => {
            aggregate(inner.constructor.as_deref(), found);
            value(inner.arg.as_deref(), found);
        }
        NodeEnum::JsonFuncExpr(inner) => {
            value(inner.context_item.as_deref(), found);
            found.extend(inner.pathspec.as_deref().into_iter().chain(&inner.passing));
            behavior(inner.on_empty.as_deref(), found);
            behavior(inner.on_error.as_deref(), found);
        }
        NodeEnum::JsonTable(inner) => {
            value(inner.context_item.as_deref(), found);
            path(inner.pathspec.as_deref(), found);
            found.extend(inner.passing.iter().chain(&inner.columns));
            behavior(inner.on_error.as_deref(), found);
        }
        NodeEnum::JsonTableColumn(inner) => {
            path(inner.pathspec.as_deref(), found);
            found.extend(&inner.columns);
            behavior(inner.on_empty.as_deref(), found);
            behavior(inner.on_error.as_deref(), found);
        }
        _ => return false,
    }
    true
}

fn window<'tree>(window: Option<&'tree WindowDef>, found: &mut Vec<&'tree Node>) {
    let Some(window) = window else { return };
    found.extend(window.partition_clause.iter().chain(&window.order_clause));
    found.extend(window.start_offset.as_deref().into_iter().chain(window.end_offset.as_deref()));
}

fn value<'tree>(value: Option<&'tree JsonValueExpr>, found: &mut Vec<&'tree Node>) {
    let Some(value) = value else { return };
    found.extend(value.raw_expr.as_deref().into_iter().chain(value.formatted_expr.as_deref()));
}

fn behavior<'tree>(behavior: Option<&'tree JsonBehavior>, found: &mut Vec<&'tree Node>) {
    found.extend(behavior.and_then(|behavior| behavior.expr.as_deref()));
}

fn path<'tree>(path: Option<&'tree JsonTablePathSpec>, found: &mut Vec<&'tree Node>) {
    found.extend(path.and_then(|path| path.string.as_deref()));
}

fn aggregate<'tree>(aggregate: Option<&'tree JsonAggConstructor>, found: &mut Vec<&'tree Node>) {
    let Some(aggregate) = aggregate else { return };
    found.extend(aggregate.agg_filter.as_deref().into_iter().chain(&aggregate.agg_order));
    window(aggregate.over.as_deref(), found);
}
