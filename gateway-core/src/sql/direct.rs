//! Which constants and parameters are, by themselves, one side of an equality with a column, or what a column is set to.
//!
//! There, and nowhere else, a pseudonym can stand for its value without being shown by something that is computed from
//! it. Pure; called by the walk.

use pg_query::{
    Node, NodeEnum,
    protobuf::{AExpr, AExprKind, TypeName, a_const::Val},
};

use super::name::text_of;

/// Types a value may be cast to and stay what it is.
const TEXTS: [&str; 4] = ["text", "varchar", "bpchar", "name"];

/// The places of constants and parameters that an expression compares for equality with a bare column.
pub(super) fn compared(expression: &AExpr) -> Vec<i32> {
    let (Some(left), Some(right)) = (expression.lexpr.as_deref(), expression.rexpr.as_deref()) else {
        return Vec::new();
    };
    if !is_equality(expression) {
        return Vec::new();
    }
    match (is_column(left), is_column(right)) {
        (true, false) => values(right),
        (false, true) => values(left),
        (true, true) | (false, false) => Vec::new(),
    }
}

/// The place of a constant or parameter that is the whole of what a column is set to.
pub(super) fn assigned(node: &Node) -> Option<i32> {
    match node.node.as_ref()? {
        NodeEnum::ResTarget(target) => place(target.val.as_deref()?),
        _ => place(node),
    }
}

fn is_equality(expression: &AExpr) -> bool {
    let kind = expression.kind();
    let compares = matches!(
        kind,
        AExprKind::AexprOp
            | AExprKind::AexprIn
            | AExprKind::AexprOpAny
            | AExprKind::AexprOpAll
            | AExprKind::AexprDistinct
            | AExprKind::AexprNotDistinct
    );
    // An operator with a schema may be anybody's.
    let [name] = expression.name.as_slice() else { return false };
    compares && matches!(text_of(name), Some("=" | "<>"))
}

fn is_column(node: &Node) -> bool {
    matches!(node.node.as_ref(), Some(NodeEnum::ColumnRef(_)))
}

fn values(node: &Node) -> Vec<i32> {
    let many = match node.node.as_ref() {
        Some(NodeEnum::List(list)) => &list.items,
        Some(NodeEnum::AArrayExpr(array)) => &array.elements,
        _ => return place(node).into_iter().collect(),
    };
    many.iter().filter_map(place).collect()
}

fn place(node: &Node) -> Option<i32> {
    match node.node.as_ref()? {
        NodeEnum::AConst(constant) => matches!(constant.val, Some(Val::Sval(_))).then_some(constant.location),
        NodeEnum::ParamRef(parameter) => Some(parameter.location),
        NodeEnum::TypeCast(cast) if is_text(cast.type_name.as_ref()) => place(cast.arg.as_deref()?),
        _ => None,
    }
}

fn is_text(name: Option<&TypeName>) -> bool {
    let Some(name) = name.filter(|name| name.typmods.is_empty() && name.array_bounds.is_empty()) else { return false };
    match name.names.as_slice() {
        [only] => text_of(only).is_some_and(|only| TEXTS.contains(&only)),
        [schema, only] => {
            text_of(schema) == Some("pg_catalog") && text_of(only).is_some_and(|only| TEXTS.contains(&only))
        }
        _ => false,
    }
}
