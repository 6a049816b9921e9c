//! What a PostgreSQL session reports of what it uses up: rows as they come, changes as the server counts them.
//!
//! Outside of runs there is nothing to report to, and nothing is counted.

use std::sync::Arc;

use super::{registry::Registry, usage::Meter};
use crate::model::{ConnectionName, Operation, RunId, Verb};

/// The run of a session, with its meter; nothing outside of runs.
#[derive(Debug, Default)]
pub(super) struct SessionMeter(Option<Arc<Meter>>);

impl SessionMeter {
    pub(super) fn of(run: Option<&RunId>, registry: &Registry) -> Self {
        // A run that ended this moment ends the session too; until then it is one of that run all the same.
        Self(run.map(|run| registry.meter(run).unwrap_or_else(|| Arc::new(Meter::new(run.clone())))))
    }

    /// The run, where there is one.
    pub(super) fn run(&self) -> Option<&RunId> {
        self.0.as_deref().map(Meter::run)
    }

    pub(super) fn operations(&self, connection: &ConnectionName, operations: &[Operation]) {
        if let Some(meter) = &self.0 {
            meter.operations(connection, operations);
        }
    }

    pub(super) fn rows_read(&self, rows: u64) {
        if let Some(meter) = &self.0 {
            meter.rows_read(rows);
        }
    }

    pub(super) fn bytes(&self, bytes: u64) {
        if let Some(meter) = &self.0 {
            meter.bytes(bytes);
        }
    }

    /// A statement ended with this CommandComplete.
    pub(super) fn completed(&self, operation: Option<&Operation>, body: &[u8]) {
        if let Some(meter) = &self.0 {
            meter.rows_changed(changed(operation, body));
        }
    }
}

/// The rows that a statement changed, as its command tag says. A change that the tag does not count, as that of a WITH
/// before a SELECT, may have been of any number.
fn changed(operation: Option<&Operation>, body: &[u8]) -> u64 {
    let tag = body.split(|byte| *byte == 0).next().unwrap_or_default();
    let tag = String::from_utf8_lossy(tag);
    let mut words = tag.split(' ');
    let (verb, rows) = (words.next().unwrap_or_default(), words.next_back().and_then(|word| word.parse().ok()));
    let changes = |verb: Verb| matches!(verb, Verb::Insert | Verb::Update | Verb::Delete | Verb::Merge | Verb::CopyIn);
    let asked: Vec<Verb> = operation.iter().flat_map(|one| &one.accesses).map(|access| access.verb).collect();
    let written: Vec<Verb> = asked.iter().copied().filter(|verb| changes(*verb)).collect();
    // Without one of these words there is one change, however many verbs it needs: ON CONFLICT, MERGE.
    let text = operation.map(|one| one.text.to_ascii_lowercase()).unwrap_or_default();
    let is_one = written.len() == 1 || !(text.contains("with") || text.contains("execute"));
    match (verb, written.as_slice()) {
        ("INSERT" | "UPDATE" | "DELETE" | "MERGE", [_, ..]) if is_one => rows.unwrap_or(u64::MAX),
        ("COPY", [Verb::CopyIn]) => rows.unwrap_or(u64::MAX),
        // CREATE TABLE AS and SELECT INTO say how many rows they wrote.
        ("SELECT", []) if asked.contains(&Verb::Create) => rows.unwrap_or(u64::MAX),
        // Nothing was run by these, whatever they speak of.
        (_, []) | ("EXPLAIN" | "PREPARE" | "DECLARE" | "CREATE", _) => 0,
        // FAIL-CLOSED: what nobody counts reaches every budget.
        _ => u64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::{Access, Effect, ObjectName};

    fn operation(text: &str, verbs: &[(Verb, &str)]) -> Operation {
        let access = |(verb, table): &(Verb, &str)| Access {
            verb: *verb,
            object: Some(ObjectName { schema: "public".into(), name: (*table).into() }),
        };
        Operation {
            text: Arc::from(text),
            kind: Arc::from("x"),
            effect: Effect::Write,
            accesses: verbs.iter().map(access).collect::<BTreeSet<_>>(),
            has_where: true,
            names_rows: true,
            risk: 0,
            risk_reasons: Vec::new(),
            statements: 1,
            estimated_rows: None,
            estimated_percent: None,
            export: false,
            filters_on: BTreeSet::new(),
            facts: BTreeSet::new(),
            advice: None,
            request: None,
        }
    }

    #[test]
    fn counts_what_the_server_counts_and_nothing_less_where_it_does_not() {
        use Verb::{CopyIn, Create, Delete, Explain, Insert, Select, Update};
        for (text, verbs, tag, rows) in [
            ("delete", &[(Delete, "orders")][..], "DELETE 3", 3),
            ("insert … select", &[(Insert, "orders"), (Select, "customers")], "INSERT 0 7", 7),
            ("update", &[(Update, "orders")], "UPDATE 0", 0),
            ("copy", &[(CopyIn, "orders")], "COPY 9", 9),
            ("select", &[(Select, "orders")], "SELECT 100", 0),
            ("create table as", &[(Select, "orders"), (Create, "copy")], "SELECT 100", 100),
            ("insert … on conflict do update", &[(Insert, "orders"), (Update, "orders")], "INSERT 0 2", 2),
            // The tag tells of one half only.
            ("WITH d AS (DELETE …) SELECT", &[(Delete, "orders"), (Select, "orders")], "SELECT 1", u64::MAX),
            ("WITH d AS (DELETE …) INSERT", &[(Delete, "orders"), (Insert, "archive")], "INSERT 0 1", u64::MAX),
            ("execute p", &[(Delete, "orders"), (Insert, "archive")], "INSERT 0 1", u64::MAX),
            ("delete", &[(Delete, "orders")], "DELETE", u64::MAX),
            ("explain", &[(Explain, "orders")], "EXPLAIN", 0),
        ] {
            let body = [tag.as_bytes(), &b"\0"[..]].concat();
            assert_eq!(changed(Some(&operation(text, verbs)), &body), rows, "{text}: {tag}");
        }
        assert_eq!(changed(None, b"BEGIN\0"), 0);
    }
}
