//! What the statements of one text change for those behind them in it: relations made and dropped, and whether names
//! still mean what the session's sight says. Pure.
//!
//! What is provably right is resolved; what is not is unknown, with the advice to send the statements apart.

use crate::{
    model::{Access, Effect, ObjectName, Operation, Verb},
    sql::{RawName, Rereads, Statement, TransactionWord},
};

use super::Sight;

/// What a policy and a record see of every temporary schema.
pub(super) const TEMPORARY: &str = "pg_temp";

const ADVICE: &str = "send the statements apart: an earlier one may change what the names in this one mean";

/// The statements so far.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    made: Vec<ObjectName>,
    gone: Vec<ObjectName>,
    /// Unqualified names may mean something else now.
    path_unsure: bool,
    /// So may every name.
    names_unsure: bool,
}

impl Ahead {
    /// Notes what a statement leaves to those behind it.
    pub(super) fn pass(&mut self, statement: &Statement, operation: &Operation) {
        let undoes = matches!(statement.transaction, Some(TransactionWord::Rollback | TransactionWord::RollbackTo));
        let changed = self.path_unsure || !self.made.is_empty() || !self.gone.is_empty();
        let runs = matches!(operation.effect, Effect::Exec | Effect::Unknown);
        self.names_unsure |= runs || (undoes && changed) || statement.renames;
        self.path_unsure |= statement.rereads == Rereads::Path;
        for access in &operation.accesses {
            let Some(object) = &access.object else { continue };
            if access.verb == Verb::Create && makes_relation(&operation.kind) {
                self.gone.retain(|other| other != object);
                self.made.push(object.clone());
            } else if access.verb == Verb::Drop && drops_relation(&operation.kind) {
                self.made.retain(|other| other != object);
                self.gone.push(object.clone());
            }
        }
    }

    /// Whether the name, as written, may mean something that cannot be told.
    pub(super) fn is_unsure(&self, name: &RawName) -> bool {
        self.names_unsure || (self.path_unsure && name.schema.is_none())
    }

    /// Whether functions may mean something that cannot be told. Those of users are never taken for built-in ones,
    /// whatever the path.
    pub(super) fn is_unsure_of_functions(&self) -> bool {
        self.names_unsure
    }

    /// The relation that a name means.
    pub(super) fn find(&self, name: &RawName, sight: &Sight) -> Option<ObjectName> {
        let own = sight.search_path.iter().find(|schema| schema.starts_with("pg_temp_")).map(String::as_str);
        let among = |schema: &str| {
            let shown = if schema.starts_with("pg_temp_") { TEMPORARY } else { schema };
            let object = ObjectName { schema: shown.to_owned(), name: name.name.clone() };
            if self.made.contains(&object) {
                return Some(object);
            }
            let real = if shown == TEMPORARY { own.unwrap_or(schema) } else { schema };
            let known = sight.catalogue.resolve(Some(real), &name.name, &[]).is_some();
            (known && !self.gone.contains(&object)).then_some(object)
        };
        match name.schema.as_deref() {
            Some(schema) => among(schema),
            // The first temporary table of a session brings its schema with it, in front of all others.
            None => own
                .is_none()
                .then(|| among(TEMPORARY))
                .flatten()
                .or_else(|| sight.search_path.iter().find_map(|schema| among(schema))),
        }
    }
}

/// Makes an operation unknown whose names cannot be told.
pub(super) fn make_unknown(operation: &mut Operation) {
    operation.accesses.insert(Access { verb: Verb::Unknown, object: None });
    operation.effect = Effect::Unknown;
    operation.risk = operation.risk.max(90);
    operation.risk_reasons.push("an earlier statement of the message may change what its names mean");
    operation.advice = Some(ADVICE.to_owned());
}

fn drops_relation(kind: &str) -> bool {
    matches!(kind, "drop_table" | "drop_view" | "drop_materialized_view" | "drop_sequence" | "drop_foreign_table")
}

/// Whether the statement makes a relation that was not there.
pub(super) fn makes_relation(kind: &str) -> bool {
    matches!(
        kind,
        "create_table"
            | "create_table_as"
            | "create_view"
            | "create_materialized_view"
            | "create_sequence"
            | "create_foreign_table"
            | "select_into"
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::{
        model::Effect,
        protocol::postgres::inspect::{Sight, through, understand, unresolved},
        sql::{NameUse, resolved, uses},
        upstream::Catalogue,
    };

    fn sight(hides: bool) -> Sight {
        let relations: &[(u32, &str, &str, &[&str])] = &[(1, "a", "t", &["id"]), (2, "b", "t", &["id"])];
        Sight {
            catalogue: Arc::new(Catalogue::sample(relations, &[], &[], &[])),
            search_path: Arc::from(["pg_catalog".to_owned(), "a".to_owned(), "b".to_owned()]),
            hides,
            ..crate::protocol::postgres::inspect::tests::sight(&[], &[])
        }
    }

    fn objects(text: &str, index: usize) -> (Effect, Vec<String>) {
        let understood = understand(text, &sight(false)).unwrap();
        let operation = &understood.operations[index];
        let objects = operation.accesses.iter().filter_map(|access| access.object.as_ref());
        (operation.effect, objects.map(ToString::to_string).collect())
    }

    #[test]
    fn a_later_statement_means_what_the_earlier_ones_left() {
        for (text, expected) in [
            ("create table x (n int); select n from x", "a.x"),
            ("create temp table t (n int); select n from t", "pg_temp.t"),
            ("drop table t; select id from t", "b.t"),
            ("drop table t; create table t (n int); select n from t", "a.t"),
            ("begin; create table x (n int); insert into x values (1); select n from x; commit", "a.x"),
        ] {
            let last = text.matches(';').count() - usize::from(text.ends_with("commit"));
            assert_eq!(objects(text, last), (Effect::Read, vec![expected.to_owned()]), "{text}");
        }
    }

    #[test]
    fn what_an_earlier_statement_may_have_changed_is_unknown() {
        for text in [
            "set search_path = b; select id from t",
            "select set_config('search_path', 'b', false); select id from t",
            "alter table t rename to u; select id from t",
            "alter schema b rename to a; select id from a.t",
            "do $$ begin end $$; select id from a.t",
            "reset all; select id from t",
            "create table x (n int); rollback; select n from x",
        ] {
            let last = text.matches("; ").count();
            let understood = understand(text, &sight(false)).unwrap();
            assert_eq!(understood.operations[last].effect, Effect::Unknown, "{text}");
        }
        assert_eq!(objects("set search_path = b; select id from a.t", 1), (Effect::Read, vec!["a.t".to_owned()]));
    }

    fn read_as(text: &str, stands_for: &str) -> crate::protocol::postgres::inspect::Understood {
        let sight = sight(false);
        let outer = understand(text, &sight).unwrap();
        let uses: Vec<NameUse> = uses(text).unwrap();
        let inner = resolved(text, &uses, &|_| Some(stands_for.to_owned())).unwrap();
        through(&outer, &understand(&inner, &sight).unwrap(), &uses)
    }

    #[test]
    fn a_use_of_a_name_asks_for_what_it_stands_for() {
        let asked = |text, stands_for| {
            let understood = read_as(text, stands_for);
            let operation = &understood.operations[0];
            let accesses = operation.accesses.iter().map(|access| match &access.object {
                Some(object) => format!("{} {object}", access.verb),
                None => access.verb.to_string(),
            });
            (operation.kind.to_string(), accesses.collect::<Vec<_>>().join(", "))
        };
        assert_eq!(asked("execute p(1)", "delete from t where id = $1"), ("delete".into(), "delete a.t".into()));
        assert_eq!(asked("fetch c", "select id from t"), ("fetch".into(), "fetch a.t".into()));
        assert_eq!(asked("move all in c", "select id from t"), ("move".into(), "fetch a.t".into()));
        assert!(asked("execute p", "drop table t").1.contains("drop a.t"));
    }

    #[test]
    fn a_name_that_nothing_is_known_of_is_unknown_and_shows_nothing_where_something_is_hidden() {
        use crate::protocol::postgres::inspect::Masking;
        for text in ["execute p", "fetch c", "explain analyze execute p", "create table x as execute p"] {
            let outer = understand(text, &sight(true)).unwrap();
            assert!(outer.uses_names, "{text}");
            let unknown = unresolved(&outer, &sight(true));
            assert!(unknown.operations.iter().all(|operation| operation.effect == Effect::Unknown), "{text}");
            assert!(matches!(unknown.masking, Masking::Refused(_)), "{text}");
        }
    }
}
