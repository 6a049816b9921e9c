//! Questions about a statement's rows, as texts: the query that it runs, and for each change of existing rows a SELECT
//! of the rows that it would change.
//!
//! Made from the grammar's tree, and to be read by the grammar again before anybody uses it. Pure. Called for the
//! planner's questions.

use std::collections::BTreeSet;

use pg_query::{
    DeparseOptions, Node, NodeEnum,
    protobuf::{
        AConst, BoolExpr, BoolExprType, Integer, LimitOption, RangeVar, ResTarget, SelectStmt, SetOperation, SubLink,
        SubLinkType, WithClause, a_const::Val,
    },
};

use super::{
    RawAccess, RawName,
    changes::{self, By, Change},
};
use crate::model::{Effect, Verb};

/// The text of the query inside of a statement, where it is not the statement itself.
pub(super) fn contained(node: &Node) -> Option<String> {
    changes::query(node)?.node.as_ref()?.deparse(DeparseOptions::default()).ok()
}

/// For every change of existing rows, in the order of [`changes::of`], a query that returns a row for each row that it
/// would change at most; `None` where there is no such query.
pub(super) fn counts(node: &Node) -> Vec<Option<String>> {
    changes::of(node).into_iter().map(|change| count(&change)).collect()
}

fn count(change: &Change<'_>) -> Option<String> {
    let (with, taken) = readable(change.with);
    // The target of a change is never a CTE; in a query its name would be one.
    if with.iter().flat_map(|with| &with.ctes).any(|cte| is_named(cte, change.target)) {
        return None;
    }
    let target = NodeEnum::RangeVar(change.target.clone());
    let mut select = match change.by {
        By::Predicate { ranges: [], predicate } => from(vec![target], predicate.cloned()),
        By::Predicate { ranges, predicate } => {
            from(vec![target], Some(exists(from_nodes(ranges.to_vec(), predicate.cloned()))))
        }
        By::Join { source, on, and } => {
            let condition = both(on.cloned(), and.cloned());
            from(vec![target], Some(exists(from_nodes(vec![source?.clone()], condition))))
        }
        By::Rows(rows) => rows.clone(),
        By::Anything => return None,
    };
    // Rows that a query brings have CTEs of their own.
    if select.with_clause.is_none() {
        select.with_clause = with;
    } else if change.with.is_some() {
        return None;
    }
    let mut counted = Node { node: Some(NodeEnum::SelectStmt(Box::new(select))) };
    unlock(&mut counted);
    let text = counted.node?.deparse(DeparseOptions::default()).ok()?;
    let read_again = super::inspect(&text).ok()?;
    let [one] = read_again.as_slice() else { return None };
    let names_taken = |access: &RawAccess| match &access.object {
        Some(RawName { schema: None, name }) => taken.contains(name),
        _ => false,
    };
    let only_reads = one.verb == Verb::Select && one.effect == Effect::Read;
    (only_reads && !one.accesses.iter().any(names_taken)).then_some(text)
}

fn is_named(cte: &Node, target: &RangeVar) -> bool {
    matches!(cte.node.as_ref(), Some(NodeEnum::CommonTableExpr(cte)) if cte.ctename == target.relname)
}

/// The CTEs that only read, and the names of the others.
fn readable(with: Option<&WithClause>) -> (Option<WithClause>, BTreeSet<String>) {
    let Some(with) = with else { return (None, BTreeSet::new()) };
    let (mut kept, mut taken) = (with.clone(), BTreeSet::new());
    kept.ctes.retain(|node| match node.node.as_ref() {
        Some(NodeEnum::CommonTableExpr(cte)) => {
            let query = cte.ctequery.as_deref().and_then(|query| query.node.as_ref());
            let reads = matches!(query, Some(NodeEnum::SelectStmt(_)));
            if !reads {
                taken.insert(cte.ctename.clone());
            }
            reads
        }
        _ => false,
    });
    ((!kept.ctes.is_empty()).then_some(kept), taken)
}

/// Takes row locks out, which a read cannot have, wherever they usually stand: a queue picks its next row with one.
fn unlock(node: &mut Node) {
    let inside: Vec<&mut Node> = match node.node.as_mut() {
        Some(NodeEnum::SelectStmt(select)) => {
            select.locking_clause.clear();
            let ranges = select.from_clause.iter_mut();
            let ctes = select.with_clause.iter_mut().flat_map(|with| &mut with.ctes);
            ranges.chain(select.where_clause.as_deref_mut()).chain(ctes).collect()
        }
        Some(NodeEnum::BoolExpr(expression)) => expression.args.iter_mut().collect(),
        Some(NodeEnum::AExpr(expression)) => {
            expression.lexpr.as_deref_mut().into_iter().chain(expression.rexpr.as_deref_mut()).collect()
        }
        Some(NodeEnum::SubLink(link)) => link.subselect.as_deref_mut().into_iter().collect(),
        Some(NodeEnum::AArrayExpr(array)) => array.elements.iter_mut().collect(),
        Some(NodeEnum::RangeSubselect(range)) => range.subquery.as_deref_mut().into_iter().collect(),
        Some(NodeEnum::CommonTableExpr(cte)) => cte.ctequery.as_deref_mut().into_iter().collect(),
        _ => Vec::new(),
    };
    inside.into_iter().for_each(unlock);
}

fn from(ranges: Vec<NodeEnum>, predicate: Option<Node>) -> SelectStmt {
    from_nodes(ranges.into_iter().map(|range| Node { node: Some(range) }).collect(), predicate)
}

/// `SELECT 1 FROM … WHERE …`
fn from_nodes(from_clause: Vec<Node>, predicate: Option<Node>) -> SelectStmt {
    let one = AConst { isnull: false, location: -1, val: Some(Val::Ival(Integer { ival: 1 })) };
    let value = Some(Box::new(Node { node: Some(NodeEnum::AConst(one)) }));
    let output = ResTarget { val: value, location: -1, ..ResTarget::default() };
    SelectStmt {
        target_list: vec![Node { node: Some(NodeEnum::ResTarget(Box::new(output))) }],
        from_clause,
        where_clause: predicate.map(Box::new),
        limit_option: LimitOption::Default.into(),
        op: SetOperation::SetopNone.into(),
        ..SelectStmt::default()
    }
}

fn exists(select: SelectStmt) -> Node {
    let subselect = Some(Box::new(Node { node: Some(NodeEnum::SelectStmt(Box::new(select))) }));
    let link =
        SubLink { sub_link_type: SubLinkType::ExistsSublink.into(), subselect, location: -1, ..SubLink::default() };
    Node { node: Some(NodeEnum::SubLink(Box::new(link))) }
}

fn both(one: Option<Node>, other: Option<Node>) -> Option<Node> {
    match (one, other) {
        (Some(one), Some(other)) => {
            let both = BoolExpr {
                boolop: BoolExprType::AndExpr.into(),
                args: vec![one, other],
                location: -1,
                ..BoolExpr::default()
            };
            Some(Node { node: Some(NodeEnum::BoolExpr(Box::new(both))) })
        }
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use crate::sql::inspect;

    fn counts(text: &str) -> Vec<Option<String>> {
        let statements = inspect(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        statements.iter().flat_map(|statement| statement.sources.counts()).collect()
    }

    #[test]
    fn the_rows_of_a_change_are_a_query() {
        for (text, expected) in [
            ("update t set x = $1 where abs(id) > $2", "SELECT 1 FROM t WHERE abs(id) > $2"),
            ("delete from only s.t a where a.id = 5", "SELECT 1 FROM ONLY s.t a WHERE a.id = 5"),
            (
                "update t set x = 1 from u, v where t.id = u.id",
                "SELECT 1 FROM t WHERE EXISTS (SELECT 1 FROM u, v WHERE t.id = u.id)",
            ),
            (
                "merge into t using (values (1)) v(id) on t.id = v.id when matched and t.a > 1 then delete",
                "SELECT 1 FROM t WHERE EXISTS (SELECT 1 FROM (VALUES (1)) v(id) WHERE t.id = v.id AND t.a > 1)",
            ),
            ("insert into t select id from u on conflict (id) do update set x = 1", "SELECT id FROM u"),
            (
                "with a as (select 1 as id) delete from t where id in (select id from a)",
                "WITH a AS (SELECT 1 AS id) SELECT 1 FROM t WHERE id IN (SELECT id FROM a)",
            ),
            (
                "update t set x = 1 where id = (select id from t where x = 0 limit 1 for update skip locked)",
                "SELECT 1 FROM t WHERE id = (SELECT id FROM t WHERE x = 0 LIMIT 1)",
            ),
            ("explain (analyze) update t set x = 1 where f(id)", "SELECT 1 FROM t WHERE f(id)"),
        ] {
            assert_eq!(counts(text), [Some(expected.to_owned())], "{text}");
        }
    }

    #[test]
    fn what_another_change_returns_is_not_known() {
        let text = "with a as (delete from u returning id) delete from t where id in (select id from a)";
        assert_eq!(counts(text), [None, Some("SELECT 1 FROM u".to_owned())]);
        assert_eq!(counts("with t as (select 1 as id) delete from t where abs(id) > 0"), [None]);
    }
}
