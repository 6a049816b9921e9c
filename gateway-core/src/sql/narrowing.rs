//! How surely a predicate leaves rows out: whether it names rows by columns that may be a key, whether it is of the
//! kind that statistics of columns tell everything about, or neither.
//!
//! Lexical and conservative: only what stands in the text counts, so a column is the target's only where nothing else
//! can have it. Knows no catalogue: whether the named columns are a key, and whether there are statistics, is the
//! caller's to find out.

use std::collections::BTreeSet;

use pg_query::{
    Node, NodeEnum,
    protobuf::{AExpr, AExprKind, BoolExprType, ColumnRef, RangeVar},
};

use super::{
    RawName,
    changes::{self, By},
    name::text_of,
};

/// One change of existing rows, and what narrows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Narrowing {
    /// Whose rows are changed, as written.
    pub relation: RawName,
    /// Columns that must equal a value given in the text or as a parameter, or one of a list of such.
    pub names: BTreeSet<String>,
    /// Whether each of these columns must equal one value: with a key among them, at most one row is changed.
    pub names_one: bool,
    /// Every column that is compared, where each comparison is one that the planner knows by the statistics of the
    /// column alone; `None` where something else is asked of the rows.
    pub compares: Option<BTreeSet<String>>,
}

/// For every change of existing rows what narrows it, in the order of [`changes::of`].
pub(super) fn of(node: &Node) -> Vec<Narrowing> {
    changes::of(node)
        .into_iter()
        .map(|change| {
            let relation = RawName::of_relation(change.target);
            let nothing = Named::default();
            let (named, compares) = match change.by {
                By::Predicate { ranges, predicate: Some(predicate) } => {
                    let target = Target { relation: change.target, is_alone: ranges.is_empty() };
                    let mut columns = BTreeSet::new();
                    let simple = ranges.is_empty() && target.compares(predicate, &mut columns);
                    (target.named(predicate), simple.then_some(columns))
                }
                By::Join { on, and, .. } => {
                    let target = Target { relation: change.target, is_alone: false };
                    let parts = [on, and].into_iter().flatten().map(|part| target.named(part));
                    (parts.fold(nothing, Named::both), None)
                }
                By::Predicate { predicate: None, .. } | By::Rows(_) | By::Anything => (nothing, None),
            };
            Narrowing { relation, names_one: !named.is_list, names: named.columns, compares }
        })
        .collect()
}

/// Columns that equal given values.
#[derive(Debug, Clone, Default)]
struct Named {
    columns: BTreeSet<String>,
    is_list: bool,
}

impl Named {
    /// Of two predicates that both hold.
    fn both(mut self, other: Self) -> Self {
        self.columns.extend(other.columns);
        self.is_list |= other.is_list;
        self
    }

    /// Of two predicates of which one holds.
    fn either(self, other: &Self) -> Self {
        Self { columns: self.columns.intersection(&other.columns).cloned().collect(), is_list: true }
    }
}

struct Target<'tree> {
    relation: &'tree RangeVar,
    /// No other range is in scope, so that a bare name is a column of the target.
    is_alone: bool,
}

impl Target<'_> {
    /// The target's column that a node is, nothing around it.
    fn column<'node>(&self, node: &'node Node) -> Option<&'node str> {
        let Some(NodeEnum::ColumnRef(ColumnRef { fields, .. })) = node.node.as_ref() else { return None };
        let alias = self.relation.alias.as_ref().map_or(&self.relation.relname, |alias| &alias.aliasname);
        match fields.as_slice() {
            [column] if self.is_alone => text_of(column),
            [range, column] if text_of(range) == Some(alias.as_str()) => text_of(column),
            _ => None,
        }
    }

    fn named(&self, node: &Node) -> Named {
        match node.node.as_ref() {
            Some(NodeEnum::BoolExpr(expression)) => {
                let mut parts = expression.args.iter().map(|part| self.named(part));
                match expression.boolop() {
                    BoolExprType::AndExpr => parts.fold(Named::default(), Named::both),
                    BoolExprType::OrExpr => {
                        let first = parts.next().unwrap_or_default();
                        parts.fold(first, |all, part| all.either(&part))
                    }
                    BoolExprType::NotExpr | BoolExprType::Undefined => Named::default(),
                }
            }
            Some(NodeEnum::AExpr(expression)) => self.equals(expression),
            // The row that a cursor is at.
            Some(NodeEnum::CurrentOfExpr(_)) => Named { columns: BTreeSet::from([ROW.to_owned()]), is_list: false },
            _ => Named::default(),
        }
    }

    fn equals(&self, expression: &AExpr) -> Named {
        let (Some(left), Some(right)) = (expression.lexpr.as_deref(), expression.rexpr.as_deref()) else {
            return Named::default();
        };
        if !is_operator(expression, "=") {
            return Named::default();
        }
        match expression.kind() {
            AExprKind::AexprOp if is_given(right) => self.members(left, false),
            AExprKind::AexprOp if is_given(left) => self.members(right, false),
            AExprKind::AexprIn => match right.node.as_ref() {
                Some(NodeEnum::List(list)) if list.items.iter().all(is_given) => {
                    self.members(left, list.items.len() > 1)
                }
                _ => Named::default(),
            },
            AExprKind::AexprOpAny if is_given(right) => self.members(left, true),
            _ => Named::default(),
        }
    }

    /// A column, or the columns of a row.
    fn members(&self, node: &Node, is_list: bool) -> Named {
        let items = match node.node.as_ref() {
            Some(NodeEnum::RowExpr(row)) => row.args.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let columns = items.iter().filter_map(|item| self.column(item)).map(str::to_owned).collect();
        Named { columns, is_list }
    }

    /// Whether the predicate is made of nothing but comparisons of columns with given values.
    fn compares(&self, node: &Node, columns: &mut BTreeSet<String>) -> bool {
        let mut compared = |node: Option<&Node>| {
            let column = node.and_then(|node| self.column(node));
            columns.extend(column.map(str::to_owned));
            column.is_some()
        };
        match node.node.as_ref() {
            Some(NodeEnum::BoolExpr(expression)) => expression.args.iter().all(|part| self.compares(part, columns)),
            Some(NodeEnum::NullTest(test)) => compared(test.arg.as_deref()),
            Some(NodeEnum::BooleanTest(test)) => compared(test.arg.as_deref()),
            Some(NodeEnum::ColumnRef(_)) => compared(Some(node)),
            Some(NodeEnum::AExpr(expression)) if COMPARISONS.iter().any(|name| is_operator(expression, name)) => {
                let (left, right) = (expression.lexpr.as_deref(), expression.rexpr.as_deref());
                let has_list = matches!(
                    expression.kind(),
                    AExprKind::AexprIn
                        | AExprKind::AexprBetween
                        | AExprKind::AexprNotBetween
                        | AExprKind::AexprBetweenSym
                        | AExprKind::AexprNotBetweenSym
                );
                match right.and_then(|right| right.node.as_ref()) {
                    Some(NodeEnum::List(list)) if has_list => list.items.iter().all(is_known) && compared(left),
                    _ if expression.kind() != AExprKind::AexprOp => false,
                    _ if right.is_some_and(is_known) => compared(left),
                    _ => left.is_some_and(is_known) && compared(right),
                }
            }
            _ => false,
        }
    }
}

/// Stands for the row itself, which every relation has.
pub const ROW: &str = "ctid";

/// Comparisons that the planner estimates from the statistics of a column.
const COMPARISONS: [&str; 10] = ["=", "<>", "!=", "<", "<=", ">", ">=", "BETWEEN", "NOT BETWEEN", "BETWEEN SYMMETRIC"];

fn is_operator(expression: &AExpr, name: &str) -> bool {
    matches!(expression.name.as_slice(), [only] if text_of(only) == Some(name))
}

/// A value that stands in the text or is a parameter; also an array or a row of such.
pub(super) fn is_given(node: &Node) -> bool {
    match node.node.as_ref() {
        Some(NodeEnum::AConst(_) | NodeEnum::ParamRef(_)) => true,
        Some(NodeEnum::TypeCast(cast)) => cast.arg.as_deref().is_some_and(is_given),
        Some(NodeEnum::AArrayExpr(array)) => array.elements.iter().all(is_given),
        Some(NodeEnum::RowExpr(row)) => row.args.iter().all(is_given),
        Some(NodeEnum::AExpr(negated)) => {
            negated.lexpr.is_none() && is_operator(negated, "-") && negated.rexpr.as_deref().is_some_and(is_given)
        }
        _ => false,
    }
}

/// A value that the planner knows when it plans: a given one, the time of the transaction, and sums of such.
fn is_known(node: &Node) -> bool {
    const TIMES: [&str; 3] = ["now", "transaction_timestamp", "statement_timestamp"];
    match node.node.as_ref() {
        Some(NodeEnum::SqlvalueFunction(_)) => true,
        Some(NodeEnum::FuncCall(call)) => call.args.is_empty() && TIMES.contains(&RawName::of_call(call).name.as_str()),
        Some(NodeEnum::TypeCast(cast)) => cast.arg.as_deref().is_some_and(is_known),
        Some(NodeEnum::AExpr(sum)) if is_operator(sum, "+") || is_operator(sum, "-") => {
            sum.lexpr.as_deref().is_none_or(is_known) && sum.rexpr.as_deref().is_some_and(is_known)
        }
        _ => is_given(node),
    }
}

#[cfg(test)]
mod tests {
    use crate::sql::inspect;

    /// Columns that name rows (with `*` where there may be several), and those that are compared.
    fn narrowed(text: &str) -> String {
        let statements = inspect(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let all = statements.iter().flat_map(|statement| &statement.narrowings).map(|one| {
            let names = one.names.iter().map(String::as_str).collect::<Vec<_>>().join("+");
            let several = if one.names_one { "" } else { "*" };
            let compares = one
                .compares
                .as_ref()
                .map_or("?".to_owned(), |columns| columns.iter().map(String::as_str).collect::<Vec<_>>().join("+"));
            format!("{}:{names}{several}:{compares}", one.relation)
        });
        all.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_predicate_names_rows_by_equality_with_what_is_given() {
        for (predicate, expected) in [
            ("id = 5", "t:id:id"),
            ("5 = id and a > 3", "t:id:a+id"),
            ("id = $1 and org = 'x'::text", "t:id+org:id+org"),
            ("(id, org) = (1, -2)", "t:id+org:?"),
            ("id in (1, 2)", "t:id*:id"),
            ("id = any($1)", "t:id*:?"),
            ("id = any(array[1, 2])", "t:id*:?"),
            ("id = 5 or id = 6", "t:id*:id"),
            ("id = 5 or a = 6", "t:*:a+id"),
            ("not (id = 5)", "t::id"),
            ("t.id = 5", "t:id:id"),
            ("other.id = 5", "t::?"),
            ("id = a", "t::?"),
            ("id = (select 1)", "t::?"),
            ("id in (select 5)", "t::?"),
            ("id = any(array(select 5))", "t::?"),
            ("id + 0 = 5", "t::?"),
            ("id::text = '5'", "t::?"),
            ("id > -1", "t::id"),
            ("at < now() - interval '1 day'", "t::at"),
            ("at < current_date", "t::at"),
            ("at > random()", "t::?"),
            ("abs(id) > -1", "t::?"),
            ("a between 1 and 5", "t::a"),
            ("a is not null and gone", "t::a+gone"),
            ("name like 'a%'", "t::?"),
            ("id <@ '[,]'::int4range", "t::?"),
            ("current of c", "t:ctid:?"),
        ] {
            assert_eq!(narrowed(&format!("delete from t where {predicate}")), expected, "{predicate}");
            assert_eq!(narrowed(&format!("update t set x = 1 where {predicate}")), expected, "{predicate}");
        }
    }

    #[test]
    fn a_column_belongs_to_the_target_only_where_nothing_else_can_have_it() {
        assert_eq!(narrowed("update t set x = 1 from u where id = 5"), "t::?");
        assert_eq!(narrowed("update t set x = 1 from u where t.id = 5 and u.id = t.id"), "t:id:?");
        assert_eq!(narrowed("update t a set x = 1 from u t where t.id = 5"), "t::?");
        assert_eq!(narrowed("delete from t a using u where a.id = 5"), "t:id:?");
    }

    #[test]
    fn every_change_is_found() {
        assert_eq!(narrowed("with d as (delete from t where id = 5) update u set x = 1 where a > 3"), "u::a t:id:id");
        assert_eq!(narrowed("explain analyze delete from t where id = 5"), "t:id:id");
        assert_eq!(narrowed("explain delete from t where id = 5"), "");
        assert_eq!(narrowed("copy (delete from t where id > 5 returning 1) to stdout"), "t::id");
        assert_eq!(narrowed("merge into t using u on t.id = 5 when matched then delete"), "t:id:?");
        assert_eq!(narrowed("merge into t using u on t.id = u.id when matched and t.a = 1 then delete"), "t:a:?");
        assert_eq!(narrowed("merge into t using u on t.id = 5 when not matched by source then delete"), "t::?");
        assert_eq!(narrowed("insert into t values (1) on conflict (id) do update set x = 1"), "");
        assert_eq!(narrowed("insert into t select 1 on conflict (id) do nothing"), "");
        assert_eq!(narrowed("insert into t select id from u on conflict (id) do update set x = 1"), "t::?");
    }

    #[test]
    fn rows_that_are_written_out_name_what_they_change() {
        for source in [
            "values (1, 'a'), ($1, $2)",
            "default values",
            "select 1, $1",
            "select unnest($1::int[]), now()",
            "select * from unnest($1::int[], array['a', 'b'])",
            "select id, lower(name) from jsonb_to_recordset($1) as r(id int, name text) where id > 5",
        ] {
            assert_eq!(
                narrowed(&format!("insert into t {source} on conflict (id) do update set x = 1")),
                "",
                "{source}"
            );
        }
        for source in [
            "table u",
            "select generate_series(1, 100)",
            "select g from generate_series(1, 100) g",
            "select unnest(array(select id from t))",
            "select unnest(array_fill(1, array[100]))",
            "select * from unnest($1::int[]) g, u",
            "select 1 union select id from t",
            "select * from (values (1)) v, generate_series(1, 100) g",
        ] {
            let text = format!("insert into t {source} on conflict (id) do update set x = 1");
            assert_eq!(narrowed(&text), "t::?", "{source}");
        }
    }
}
