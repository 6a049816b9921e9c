//! What a run uses up, counted over all its sessions: the one place that relays of every protocol report to.
//!
//! Counts only grow. What was reported before a decision is in it; what is on its way is not: a budget is exact to the
//! operation, not to the row.

use std::{
    collections::HashSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::model::{ConnectionName, ObjectKind, ObjectName, Operation, RunId, Usage};

/// Distinct tables are told apart up to so many; beyond them each one that is touched counts as another.
const MOST_TABLES: usize = 4_096;

/// The counters of one run. Cheap to report to, from any task.
#[derive(Debug)]
pub struct Meter {
    run: RunId,
    statements: AtomicU64,
    rows_read: AtomicU64,
    rows_changed: AtomicU64,
    bytes: AtomicU64,
    tokens: AtomicU64,
    spend_microdollars: AtomicU64,
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    known: HashSet<(ConnectionName, ObjectName)>,
    beyond: u64,
}

impl Meter {
    /// Nothing was used up yet.
    pub fn new(run: RunId) -> Self {
        let zero = AtomicU64::default;
        let (statements, rows_read, rows_changed) = (zero(), zero(), zero());
        let (bytes, tokens, spend_microdollars) = (zero(), zero(), zero());
        Self { run, statements, rows_read, rows_changed, bytes, tokens, spend_microdollars, tables: Mutex::default() }
    }

    /// Of which run.
    pub fn run(&self) -> &RunId {
        &self.run
    }

    /// Operations of one message were let through.
    pub fn operations(&self, connection: &ConnectionName, operations: &[Operation]) {
        add(&self.statements, u64::try_from(operations.len()).unwrap_or(u64::MAX));
        let accesses = operations.iter().flat_map(|one| &one.accesses);
        let tables = accesses.filter(|access| access.verb.object() == ObjectKind::Table);
        let touched = tables.filter_map(|access| access.object.as_ref());
        let mut touched = touched.peekable();
        if touched.peek().is_none() {
            return;
        }
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        for object in touched {
            let place = (connection.clone(), object.clone());
            if tables.known.len() < MOST_TABLES {
                tables.known.insert(place);
            } else if !tables.known.contains(&place) {
                // FAIL-CLOSED: what cannot be told apart any more counts too often rather than too seldom.
                tables.beyond = tables.beyond.saturating_add(1);
            }
        }
    }

    /// Rows came back from a target.
    pub fn rows_read(&self, rows: u64) {
        add(&self.rows_read, rows);
    }

    /// Rows were changed at a target.
    pub fn rows_changed(&self, rows: u64) {
        add(&self.rows_changed, rows);
    }

    /// Bytes went to the client.
    pub fn bytes(&self, bytes: u64) {
        add(&self.bytes, bytes);
    }

    /// What that cost, in millionths of a dollar.
    pub fn spend(&self, microdollars: u64) {
        add(&self.spend_microdollars, microdollars);
    }

    /// A model was asked with, and answered with, so many tokens.
    pub fn tokens(&self, tokens: u64) {
        add(&self.tokens, tokens);
    }

    /// Everything so far, for a run that is this many seconds old.
    pub fn read(&self, wall_seconds: u64) -> Usage {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let known = u64::try_from(tables.known.len()).unwrap_or(u64::MAX);
        Usage {
            statements: self.statements.load(Ordering::SeqCst),
            rows_read: self.rows_read.load(Ordering::SeqCst),
            rows_changed: self.rows_changed.load(Ordering::SeqCst),
            tables: known.saturating_add(tables.beyond),
            bytes: self.bytes.load(Ordering::SeqCst),
            tokens: self.tokens.load(Ordering::SeqCst),
            spend_microdollars: self.spend_microdollars.load(Ordering::SeqCst),
            wall_seconds,
        }
    }
}

/// Adds without ever wrapping round: a budget that was reached stays reached.
fn add(counter: &AtomicU64, more: u64) {
    let added = counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |now| Some(now.saturating_add(more)));
    debug_assert!(added.is_ok(), "the update always has a value");
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::Arc};

    use super::*;
    use crate::model::{Access, Effect, Verb};

    fn select(tables: &[&str]) -> Operation {
        let object = |name: &&str| Some(ObjectName { schema: "public".into(), name: (*name).into() });
        Operation {
            text: Arc::from("select 1"),
            kind: Arc::from("select"),
            effect: Effect::Read,
            accesses: tables.iter().map(|name| Access { verb: Verb::Select, object: object(name) }).collect(),
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
    fn counts_operations_and_tables_once_for_each_connection() {
        let meter = Meter::new(RunId::new(1, [1; 10]));
        let (prod, dev) = (ConnectionName::new("pg-prod").unwrap(), ConnectionName::new("pg-dev").unwrap());
        meter.operations(&prod, &[select(&["orders", "customers"]), select(&["orders"]), select(&[])]);
        meter.operations(&dev, &[select(&["orders"])]);
        meter.rows_read(7);
        meter.rows_changed(2);
        meter.bytes(100);
        meter.tokens(9);
        meter.spend(21);
        let expected = Usage {
            statements: 4,
            rows_read: 7,
            rows_changed: 2,
            tables: 3,
            bytes: 100,
            tokens: 9,
            spend_microdollars: 21,
            wall_seconds: 5,
        };
        assert_eq!(meter.read(5), expected);
    }

    #[test]
    fn a_budget_that_was_reached_stays_reached() {
        let meter = Meter::new(RunId::new(1, [1; 10]));
        meter.rows_read(u64::MAX);
        meter.rows_read(1);
        assert_eq!(meter.read(0).rows_read, u64::MAX);
        let prod = ConnectionName::new("pg-prod").unwrap();
        let names: Vec<String> = (0..MOST_TABLES + 3).map(|number| format!("t{number}")).collect();
        for name in &names {
            meter.operations(&prod, &[select(&[name])]);
        }
        meter.operations(&prod, &[select(&["t0"])]);
        assert_eq!(meter.read(0).tables, names.len() as u64);
    }
}
