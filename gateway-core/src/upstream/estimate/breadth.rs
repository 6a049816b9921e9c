//! How much of a table a change keeps: whether statistics tell, and the rows themselves where they do not.
//!
//! Called within the transaction of a question, whose timeouts bound each count.

use bytes::Bytes;
use tokio_postgres::{Client, types::Type};

use super::{borrowed, given};

/// One change of existing rows that no key narrows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedChange {
    /// The schema of the relation whose rows are changed.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// The columns that are compared with values, where nothing else narrows it.
    pub compares: Option<Vec<String>>,
    /// A query of the rows that it would change at most; `None` where there is none.
    pub rows: Option<String>,
    /// A query of every row of the relation.
    pub all: String,
}

/// Rows of a table that are counted for the sake of the number that people read.
const COUNTED_ANYWAY: u64 = 10_000;

/// What was found out about the changes of one statement.
#[derive(Debug, Default)]
pub(super) struct Breadths {
    /// By name of the relation: rows that were counted, and how many the relation has.
    pub(super) counted: Vec<(String, u64, u64)>,
    /// Whether everything is known that the planner does not know.
    pub(super) is_sure: bool,
}

impl Breadths {
    pub(super) fn has_counted(&self, relation: &str) -> bool {
        self.counted.iter().any(|(name, ..)| name == relation)
    }
}

/// What a plan was made with.
pub(super) struct Planned<'plan> {
    /// The types of all parameters.
    pub(super) types: &'plan [Type],
    /// Their values.
    pub(super) parameters: &'plan [(bool, Option<Bytes>)],
    /// How many rows the planner thinks that a relation has.
    pub(super) whole: &'plan (dyn Fn(&str) -> Option<u64> + Sync),
}

impl Planned<'_> {
    pub(super) async fn breadths(&self, client: &Client, changes: &[PlannedChange]) -> Breadths {
        let mut found = Breadths { counted: Vec::new(), is_sure: true };
        for change in changes {
            if has_statistics(client, change).await.unwrap_or(false) {
                continue;
            }
            match self.count(client, change).await {
                Some((rows, whole)) => found.counted.push((change.name.clone(), rows, whole)),
                // A question that failed ends the transaction: there is nothing more to ask.
                None => return Breadths { is_sure: false, ..found },
            }
        }
        found
    }

    /// The rows that a change keeps, and how many there are at least: no more are counted than tell nine tenths.
    async fn count(&self, client: &Client, change: &PlannedChange) -> Option<(u64, u64)> {
        let rows = format!("select pg_catalog.count(*) from ({}) as counted", change.rows.as_ref()?);
        let statement = client.prepare_typed(&rows, self.types).await.ok()?;
        // What was inferred here must be what was inferred for the statement itself.
        if statement.params() != self.types {
            return None;
        }
        let values = given(self.parameters);
        let rows: i64 = client.query_one(&statement, &borrowed(&values)).await.ok()?.try_get(0).ok()?;
        let rows = u64::try_from(rows).ok()?;
        let enough = rows.saturating_mul(10).div_ceil(9).saturating_add(2).max(COUNTED_ANYWAY);
        let whole = format!("select pg_catalog.count(*) from ({} limit {enough}) as counted", change.all);
        let whole: i64 = client.query_one(&whole, &[]).await.ok()?.try_get(0).ok()?;
        let whole = u64::try_from(whole).ok()?;
        let guessed = (self.whole)(&change.name).unwrap_or(0);
        Some((rows, if whole >= enough { whole.max(guessed) } else { whole }))
    }
}

/// Whether the table was analyzed, every compared column with it.
async fn has_statistics(client: &Client, change: &PlannedChange) -> Option<bool> {
    let compares = change.compares.as_ref()?;
    let row = client.query_one(STATISTICS, &[&change.schema, &change.name, compares]).await.ok()?;
    let (rows, columns): (f32, i64) = (row.try_get(0).ok()?, row.try_get(1).ok()?);
    Some(rows > 0.0 && usize::try_from(columns).ok()? == compares.len() && !compares.is_empty())
}

/// Statistics of columns that the login may not read are not shown.
const STATISTICS: &str = "select c.reltuples, (select pg_catalog.count(distinct s.attname) from pg_catalog.pg_stats s \
       where s.schemaname operator(pg_catalog.=) n.nspname and s.tablename operator(pg_catalog.=) c.relname \
       and s.attname::pg_catalog.text operator(pg_catalog.=) any ($3::pg_catalog.text[])) \
     from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) c.relnamespace \
     where n.nspname operator(pg_catalog.=) $1::pg_catalog.text::pg_catalog.name \
     and c.relname operator(pg_catalog.=) $2::pg_catalog.text::pg_catalog.name";
