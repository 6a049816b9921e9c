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

fn makes_relation(kind: &str) -> bool {
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
