//! Whether a WHERE clause names rows, or is true for every row whatever they hold.
//!
//! Conservative: a predicate that uses no column at all counts as no predicate. Called for every UPDATE and DELETE.

use pg_query::{
    Node, NodeEnum,
    protobuf::{AExpr, AExprKind, BoolExprType, ColumnRef, NullTestType},
};

use super::{name::text_of, tree};

/// Columns that every row has and that are never null.
const SYSTEM_COLUMNS: [&str; 6] = ["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"];

/// Whether the predicate is there and is not trivially true.
pub(super) fn names_rows(predicate: Option<&Node>) -> bool {
    predicate.is_some_and(|predicate| !is_trivial(predicate))
}

fn is_trivial(node: &Node) -> bool {
    let Some(inner) = node.node.as_ref() else { return true };
    let uses_rows = |inner: &NodeEnum| matches!(inner, NodeEnum::ColumnRef(_) | NodeEnum::CurrentOfExpr(_));
    if !tree::any(node, &mut |inner| uses_rows(inner)) {
        return true;
    }
    match inner {
        NodeEnum::BoolExpr(expression) => match expression.boolop() {
            BoolExprType::AndExpr | BoolExprType::NotExpr => expression.args.iter().all(is_trivial),
            BoolExprType::OrExpr => expression.args.iter().any(is_trivial) || covers_null(&expression.args),
            BoolExprType::Undefined => true,
        },
        NodeEnum::AExpr(expression) => compares_with_itself(expression) || matches_anything(expression),
        NodeEnum::NullTest(test) => {
            test.nulltesttype() == NullTestType::IsNotNull
                && test
                    .arg
                    .as_deref()
                    .and_then(column)
                    .and_then(|column| column.fields.last())
                    .and_then(text_of)
                    .is_some_and(|name| SYSTEM_COLUMNS.contains(&name))
        }
        NodeEnum::BooleanTest(test) => test.arg.as_deref().is_none_or(is_trivial),
        NodeEnum::TypeCast(cast) => cast.arg.as_deref().is_none_or(is_trivial),
        NodeEnum::CoalesceExpr(coalesce) => coalesce.args.iter().any(is_trivial_side),
        _ => false,
    }
}

/// Inside COALESCE a constant decides for every row whose column is null; `coalesce(x = x, true)` is trivial.
fn is_trivial_side(node: &Node) -> bool {
    let compares = |inner: &NodeEnum| matches!(inner, NodeEnum::AExpr(_) | NodeEnum::BoolExpr(_));
    node.node.as_ref().is_some_and(compares) && is_trivial(node)
}

/// `x = x`, `x is not distinct from x`, `x in (1, x)`, `x between x and x`, with casts looked through.
fn compares_with_itself(expression: &AExpr) -> bool {
    let (Some(left), Some(right)) = (expression.lexpr.as_deref(), expression.rexpr.as_deref()) else { return false };
    let Some(left) = column(left) else { return false };
    match right.node.as_ref() {
        Some(NodeEnum::List(list)) => list.items.iter().filter_map(column).any(|right| same_column(left, right)),
        Some(NodeEnum::AArrayExpr(array)) => {
            array.elements.iter().filter_map(column).any(|right| same_column(left, right))
        }
        _ => column(right).is_some_and(|right| same_column(left, right)),
    }
}

/// `x like '%'`.
fn matches_anything(expression: &AExpr) -> bool {
    let pattern = match expression.kind() {
        AExprKind::AexprLike | AExprKind::AexprIlike | AExprKind::AexprSimilar => expression.rexpr.as_deref(),
        _ => None,
    };
    let Some(NodeEnum::AConst(constant)) = pattern.and_then(|pattern| pattern.node.as_ref()) else { return false };
    match &constant.val {
        Some(pg_query::protobuf::a_const::Val::Sval(text)) => text.sval.bytes().all(|byte| byte == b'%'),
        _ => false,
    }
}

/// `x is null or x is not null`.
fn covers_null(args: &[Node]) -> bool {
    let tests: Vec<_> = args
        .iter()
        .filter_map(|arg| match arg.node.as_ref() {
            Some(NodeEnum::NullTest(test)) => Some((test.nulltesttype(), test.arg.as_deref().and_then(column)?)),
            _ => None,
        })
        .collect();
    tests.iter().any(|(kind, column)| {
        tests.iter().any(|(other, other_column)| kind != other && same_column(column, other_column))
    })
}

/// The column that a node is, with casts and collations looked through.
pub(super) fn column(node: &Node) -> Option<&ColumnRef> {
    let mut next = node;
    loop {
        next = match next.node.as_ref()? {
            NodeEnum::ColumnRef(column) => return Some(column),
            NodeEnum::TypeCast(cast) => cast.arg.as_deref()?,
            NodeEnum::CollateClause(collate) => collate.arg.as_deref()?,
            _ => return None,
        };
    }
}

/// The same last component, and qualifiers that do not differ.
fn same_column(left: &ColumnRef, right: &ColumnRef) -> bool {
    let mut left = left.fields.iter().rev().map(text_of);
    let mut right = right.fields.iter().rev().map(text_of);
    loop {
        match (left.next(), right.next()) {
            (Some(Some(one)), Some(Some(other))) if one == other => {}
            (None, _) | (_, None) => return true,
            _ => return false,
        }
    }
}
