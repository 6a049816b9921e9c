//! Which expressions never fail, whatever their values are.
//!
//! Conservative: what is not listed could fail. Knows no names but those of the server's own functions.

use pg_query::{
    Node, NodeEnum,
    protobuf::{AExprKind, SubLinkType},
};

use crate::sql::{RawName, name::texts_of, tree};

/// Functions of the server that give a result for any arguments of their types.
const FUNCTIONS: &[&str] = &[
    "array_agg",
    "array_to_json",
    "array_to_string",
    "bool_and",
    "bool_or",
    "btrim",
    "char_length",
    "concat",
    "concat_ws",
    "count",
    "every",
    "first_value",
    "initcap",
    "json_agg",
    "json_build_array",
    "jsonb_agg",
    "jsonb_build_array",
    "lag",
    "last_value",
    "lead",
    "left",
    "length",
    "lower",
    "ltrim",
    "max",
    "md5",
    "min",
    "nullif",
    "octet_length",
    "replace",
    "reverse",
    "right",
    "row_to_json",
    "rtrim",
    "starts_with",
    "string_agg",
    "strpos",
    "to_json",
    "to_jsonb",
    "translate",
    "upper",
];

/// Operators that do.
const OPERATORS: &[&str] = &["||", "=", "<>", "<", ">", "<=", ">=", "->", "->>"];

pub(super) fn is_total(node: &Node) -> bool {
    let mut pending = vec![node];
    while let Some(next) = pending.pop() {
        let Some(inner) = next.node.as_ref() else { continue };
        let is_known = match inner {
            NodeEnum::ColumnRef(_)
            | NodeEnum::AConst(_)
            | NodeEnum::ParamRef(_)
            | NodeEnum::String(_)
            | NodeEnum::AStar(_)
            | NodeEnum::BoolExpr(_)
            | NodeEnum::NullTest(_)
            | NodeEnum::BooleanTest(_)
            | NodeEnum::CaseExpr(_)
            | NodeEnum::CaseWhen(_)
            | NodeEnum::CoalesceExpr(_)
            | NodeEnum::MinMaxExpr(_)
            | NodeEnum::RowExpr(_)
            | NodeEnum::AArrayExpr(_)
            | NodeEnum::CollateClause(_)
            | NodeEnum::SortBy(_)
            | NodeEnum::WindowDef(_)
            | NodeEnum::NamedArgExpr(_)
            | NodeEnum::JsonObjectConstructor(_)
            | NodeEnum::JsonArrayConstructor(_)
            | NodeEnum::JsonKeyValue(_)
            | NodeEnum::JsonValueExpr(_)
            | NodeEnum::AIndirection(_) => true,
            NodeEnum::AExpr(expression) => {
                let is_plain = matches!(
                    expression.kind(),
                    AExprKind::AexprOp
                        | AExprKind::AexprDistinct
                        | AExprKind::AexprNotDistinct
                        | AExprKind::AexprNullif
                        | AExprKind::AexprIn
                        | AExprKind::AexprBetween
                        | AExprKind::AexprNotBetween
                );
                is_plain
                    && matches!(texts_of(&expression.name).as_slice(), [operator] if OPERATORS.contains(operator) || *operator == "BETWEEN" || *operator == "NOT BETWEEN")
            }
            NodeEnum::FuncCall(call) => {
                let name = RawName::of_call(call);
                let is_builtin = name.schema.as_deref().is_none_or(|schema| schema == "pg_catalog");
                is_builtin && (FUNCTIONS.contains(&name.name.as_str()) || builds_object(&name.name, &call.args))
            }
            NodeEnum::TypeCast(cast) => {
                cast.type_name.as_ref().is_some_and(|name| {
                    name.array_bounds.is_empty()
                        && texts_of(&name.names)
                            .last()
                            .is_some_and(|name| matches!(*name, "text" | "varchar" | "bpchar"))
                }) || cast.arg.as_deref().is_some_and(|argument| matches!(argument.node, Some(NodeEnum::AConst(_))))
            }
            NodeEnum::SubLink(link) => {
                if matches!(link.sub_link_type(), SubLinkType::ExprSublink | SubLinkType::RowcompareSublink) {
                    return false;
                }
                // What stands inside of it was followed by itself.
                pending.extend(link.testexpr.as_deref());
                continue;
            }
            _ => false,
        };
        if !is_known {
            return false;
        }
        pending.extend(tree::children(inner).unwrap_or_default());
    }
    true
}

/// An object built with constant keys: a key that is NULL or twice there would fail.
fn builds_object(name: &str, arguments: &[Node]) -> bool {
    let is_constant = |node: &Node| matches!(node.node, Some(NodeEnum::AConst(_)));
    matches!(name, "json_build_object" | "jsonb_build_object") && arguments.iter().step_by(2).all(is_constant)
}
