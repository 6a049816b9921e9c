//! Whether a WHERE clause names rows, or is true for every row whatever they hold.
//!
//! Conservative: a predicate that uses no column at all counts as no predicate. Called for every UPDATE and DELETE.

use pg_query::{
    Node, NodeEnum,
    protobuf::{AExpr, AExprKind, BoolExprType, BoolTestType, ColumnRef, NullTestType, a_const::Val},
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
    if !tree::any(node, &mut |inner| uses_rows(inner)) || is_vacuous(node) {
        return true;
    }
    match inner {
        NodeEnum::BoolExpr(expression) => match expression.boolop() {
            BoolExprType::AndExpr => expression.args.iter().all(is_trivial),
            BoolExprType::NotExpr => expression.args.iter().all(|arg| is_trivial(arg) || is_never(arg)),
            BoolExprType::OrExpr => expression.args.iter().any(is_trivial) || covers_everything(&expression.args),
            BoolExprType::Undefined => true,
        },
        NodeEnum::AExpr(expression) => compares_with_itself(expression) || matches_anything(expression),
        NodeEnum::NullTest(test) => {
            test.nulltesttype() == NullTestType::IsNotNull && is_never_null(test.arg.as_deref())
        }
        NodeEnum::BooleanTest(test) => {
            test.booltesttype() == BoolTestType::IsNotUnknown || test.arg.as_deref().is_none_or(is_trivial)
        }
        NodeEnum::TypeCast(cast) => cast.arg.as_deref().is_none_or(is_trivial),
        NodeEnum::CoalesceExpr(coalesce) => {
            let first = coalesce.args.iter().find(|arg| !is_null(arg));
            first.is_some_and(is_constant) || coalesce.args.iter().any(is_trivial_side)
        }
        NodeEnum::CaseExpr(case) => {
            let whens = case.args.iter().filter_map(|arg| match arg.node.as_ref() {
                Some(NodeEnum::CaseWhen(when)) => Some(when),
                _ => None,
            });
            let results = || whens.clone().filter_map(|when| when.result.as_deref());
            let decided = whens.clone().next().and_then(|when| when.expr.as_deref()).is_some_and(is_constant);
            (decided && results().next().is_some_and(is_trivial))
                || (case.defresult.as_deref().is_some_and(is_trivial) && results().all(is_trivial))
        }
        _ => false,
    }
}

/// False for every row, or null: `x <> x`, `p and not p`.
fn is_never(node: &Node) -> bool {
    match node.node.as_ref() {
        Some(NodeEnum::BoolExpr(expression)) => match expression.boolop() {
            BoolExprType::AndExpr => expression.args.iter().any(is_never) || covers_everything(&expression.args),
            BoolExprType::OrExpr => expression.args.iter().all(is_never),
            BoolExprType::NotExpr => expression.args.iter().all(is_trivial),
            BoolExprType::Undefined => true,
        },
        Some(NodeEnum::AExpr(expression)) => compares_with_itself(expression),
        Some(NodeEnum::NullTest(test)) => {
            test.nulltesttype() == NullTestType::IsNull && is_never_null(test.arg.as_deref())
        }
        _ => false,
    }
}

/// A system column, or the outcome of a comparison.
fn is_never_null(arg: Option<&Node>) -> bool {
    let Some(arg) = arg else { return true };
    if matches!(arg.node.as_ref(), Some(NodeEnum::AExpr(_) | NodeEnum::BoolExpr(_) | NodeEnum::NullTest(_))) {
        return true;
    }
    let name = column(arg).and_then(|column| column.fields.last()).and_then(text_of);
    name.is_some_and(|name| SYSTEM_COLUMNS.contains(&name))
}

fn is_null(node: &Node) -> bool {
    matches!(node.node.as_ref(), Some(NodeEnum::AConst(constant)) if constant.isnull)
}

fn is_constant(node: &Node) -> bool {
    !tree::any(node, &mut |inner| matches!(inner, NodeEnum::ColumnRef(_) | NodeEnum::SubLink(_)))
}

/// Inside COALESCE a constant decides for every row whose column is null; `coalesce(x = x, true)` is trivial.
fn is_trivial_side(node: &Node) -> bool {
    let compares = |inner: &NodeEnum| matches!(inner, NodeEnum::AExpr(_) | NodeEnum::BoolExpr(_));
    node.node.as_ref().is_some_and(compares) && is_trivial(node)
}

/// `x = x`, `x is not distinct from x`, `x in (1, x)`, `x between x and x`, with casts looked through; and any two
/// sides that are the same expression: `lower(x) = lower(x)`, `(a, b) = (a, b)`, `x - x = 0` is its planner's.
fn compares_with_itself(expression: &AExpr) -> bool {
    let (Some(left), Some(right)) = (expression.lexpr.as_deref(), expression.rexpr.as_deref()) else { return false };
    let same = |right: &Node| match (column(left), column(right)) {
        (Some(left), Some(right)) => same_column(left, right),
        _ => is_same(left, right),
    };
    match right.node.as_ref() {
        Some(NodeEnum::List(list)) => list.items.iter().any(same) || spans_everything(expression.kind(), &list.items),
        Some(NodeEnum::AArrayExpr(array)) => array.elements.iter().any(same),
        _ => same(right),
    }
}

/// `x between '-infinity' and 'infinity'`.
fn spans_everything(kind: AExprKind, bounds: &[Node]) -> bool {
    let is = |bound: Option<&Node>, word: &str| bound.and_then(constant_text).is_some_and(|text| text == word);
    matches!(kind, AExprKind::AexprBetween | AExprKind::AexprBetweenSym)
        && is(bounds.first(), "-infinity")
        && is(bounds.get(1), "infinity")
}

/// The same expression, wherever each stands in the text.
fn is_same(left: &Node, right: &Node) -> bool {
    /// Larger expressions are not compared.
    const MAX_SHAPE: usize = 16 * 1024;
    let shape = |node: &Node| {
        let written = format!("{node:?}");
        let mut parts = written.split("location: ");
        let mut shape = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            shape.push_str(part.trim_start_matches(|digit: char| digit.is_ascii_digit() || digit == '-'));
        }
        shape
    };
    let kinds = (left.node.as_ref().map(std::mem::discriminant), right.node.as_ref().map(std::mem::discriminant));
    let (left, right) = if kinds.0 == kinds.1 { (shape(left), shape(right)) } else { return false };
    left.len() <= MAX_SHAPE && left == right
}

/// The same for every row although it names columns: `x - x = 0`, `x * 0 < 1`, `abs(x - x) = 0`.
fn is_vacuous(node: &Node) -> bool {
    let Some(inner) = node.node.as_ref() else { return true };
    match inner {
        NodeEnum::ColumnRef(_) | NodeEnum::SubLink(_) | NodeEnum::CurrentOfExpr(_) => return false,
        NodeEnum::AExpr(expression) if expression.kind() == AExprKind::AexprOp => {
            let sides = (expression.lexpr.as_deref(), expression.rexpr.as_deref());
            let operator = expression.name.first().and_then(text_of);
            if let ((Some(left), Some(right)), Some(operator)) = (sides, operator) {
                let cancels = matches!(operator, "-" | "/" | "%" | "#") && is_same(left, right);
                let empties = matches!(operator, "*" | "&") && (is_zero(left) || is_zero(right));
                if cancels || empties {
                    return true;
                }
            }
        }
        _ => {}
    }
    tree::children(inner).is_some_and(|children| children.into_iter().all(is_vacuous))
}

fn is_zero(node: &Node) -> bool {
    matches!(node.node.as_ref(), Some(NodeEnum::AConst(constant))
        if matches!(&constant.val, Some(Val::Ival(number)) if number.ival == 0))
}

/// A string constant, with casts looked through.
fn constant_text(node: &Node) -> Option<&str> {
    match node.node.as_ref()? {
        NodeEnum::AConst(constant) => match &constant.val {
            Some(Val::Sval(text)) => Some(&text.sval),
            _ => None,
        },
        NodeEnum::TypeCast(cast) => constant_text(cast.arg.as_deref()?),
        _ => None,
    }
}

/// `p or not p`, `x is null or x is not null`, `x > 5 or x <= 5`.
fn covers_everything(args: &[Node]) -> bool {
    let negated = |arg: &Node| match arg.node.as_ref() {
        Some(NodeEnum::BoolExpr(expression)) if expression.boolop() == BoolExprType::NotExpr => {
            expression.args.first().cloned()
        }
        _ => None,
    };
    let opposite = |arg: &Node| negated(arg).is_some_and(|inner| args.iter().any(|other| is_same(other, &inner)));
    args.iter().any(opposite) || covers_null(args) || covers_range(args)
}

/// Two comparisons of the same things of which one always holds.
fn covers_range(args: &[Node]) -> bool {
    let comparisons: Vec<(&str, &Node, &Node)> = args
        .iter()
        .filter_map(|arg| match arg.node.as_ref() {
            Some(NodeEnum::AExpr(expression)) if expression.kind() == AExprKind::AexprOp => {
                let operator = expression.name.first().and_then(text_of)?;
                Some((operator, expression.lexpr.as_deref()?, expression.rexpr.as_deref()?))
            }
            _ => None,
        })
        .collect();
    let covers = |one: &str, other: &str| matches!((one, other), ("=", "<>") | ("<", ">=") | ("<=", ">" | ">="));
    comparisons.iter().enumerate().any(|(index, (one, left, right))| {
        comparisons.iter().skip(index + 1).any(|(other, other_left, other_right)| {
            (covers(one, other) || covers(other, one)) && is_same(left, other_left) && is_same(right, other_right)
        })
    })
}

/// `x like '%'`, `x ~ ''`, `x ~ '.*'`, `x <@ '(,)'`.
fn matches_anything(expression: &AExpr) -> bool {
    let Some(pattern) = expression.rexpr.as_deref().and_then(constant_text) else { return false };
    match expression.kind() {
        AExprKind::AexprLike | AExprKind::AexprIlike | AExprKind::AexprSimilar => {
            pattern.bytes().all(|byte| byte == b'%')
        }
        AExprKind::AexprOp => {
            let operator = expression.name.first().and_then(text_of);
            let is_range = pattern.bytes().all(|byte| matches!(byte, b'[' | b'(' | b',' | b']' | b')' | b' '));
            match operator {
                Some("~" | "~*") => matches!(pattern, "" | ".*" | "^" | "$" | "^.*$" | "^.*"),
                Some("<@" | "&&") => is_range && pattern.contains(','),
                _ => false,
            }
        }
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

#[cfg(test)]
mod tests {
    use crate::sql::inspect;

    fn has_where(predicate: &str) -> bool {
        let text = format!("delete from t where {predicate}");
        let statements = inspect(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        statements.iter().all(|statement| statement.has_where)
    }

    #[test]
    fn what_is_true_of_every_row_names_none() {
        for predicate in [
            "true",
            "1 = 1",
            "'a' = 'a'",
            "not false",
            "1 in (1)",
            "exists (select 1)",
            "random() >= 0",
            "now() > '1970-01-01'",
            "true or id = 5",
            "id = id",
            "t.id = id",
            "id::text = id::text",
            "id >= id",
            "id in (1, id)",
            "id is not distinct from id",
            "id between id and id",
            "id = any(array[1, id])",
            "lower(name) = lower(name)",
            "(id, name) = (id, name)",
            "id + 1 = id + 1",
            "not (id <> id)",
            "not (id = 5 and id <> 5)",
            "not (ctid is null)",
            "id is null or id is not null",
            "id = 5 or id <> 5",
            "id = 5 or not (id = 5)",
            "id > 5 or id <= 5",
            "id < 5 or name = 'x' or id >= 5",
            "name like '%'",
            "name ilike '%%'",
            "name ~ ''",
            "name ~* '.*'",
            "ctid is not null",
            "(id = 5) is not null",
            "(id = 5) is not unknown",
            "(id = id) is true",
            "coalesce(true, id = 5)",
            "coalesce(null, true, id = 5)",
            "coalesce(id = id, true)",
            "case when true then true else id = 5 end",
            "case when id = 5 then true else true end",
            "at between '-infinity' and 'infinity'",
            "at between '-infinity'::timestamptz and 'infinity'::timestamptz",
            "id = 5 or true",
            "(id = 5 or true) and (name = 'x' or 1 = 1)",
            "((((true))))",
            "$1 = $1",
            "id <@ '[,]'::int4range",
            "id - id = 0",
            "id * 0 < 1",
            "abs(id - id) = 0",
            "case when id > 5 then true else true end",
        ] {
            assert!(!has_where(predicate), "{predicate}");
        }
    }

    #[test]
    fn what_depends_on_the_row_names_rows() {
        for predicate in [
            "id = 5",
            "id = $1",
            "true and id = 5",
            "not (id = 5)",
            "id <> 5",
            "id is null",
            "deleted_at is not null",
            "id in (1, 2)",
            "id in (select id from other where x = 1)",
            "lower(name) = 'x'",
            "lower(name) = upper(name)",
            "id + 1 = id + 2",
            "id = 5 or id = 6",
            "id > 5 or id < 5",
            "id > 5 or id <= 6",
            "name like 'a%'",
            "name ~ '^a'",
            "coalesce(id = 5, true)",
            "coalesce(name, 'x') = 'y'",
            "case when id = 5 then true else false end and id = 5",
            "at between '2020-01-01' and 'infinity'",
            "(id, name) = (5, 'x')",
            "(id = 5) is true",
            "current of c",
            "a = b",
            "id - x = 0",
            "id * 1 = 0",
        ] {
            assert!(has_where(predicate), "{predicate}");
        }
    }
}
