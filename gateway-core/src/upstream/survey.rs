//! Samples the tables of a database over a side connection of the gateway's own, and says which classes of values the
//! detectors find in which column. Only counts leave: no value is kept, logged or returned.
//!
//! Reads tables in a read-only transaction with short timeouts. Columns of types that users made are not read, and
//! neither are tables with row security, views and foreign tables: reading those could run code.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use super::Wire;
use crate::{
    mask::{DetectedClass, Detectors, Hit},
    record::{Own, Recorded},
};

/// The proof-carrying order to sample a database.
#[derive(Debug)]
pub struct SurveyOrder {
    /// The dialled stream.
    pub wire: Wire,
    /// The login, database and password.
    pub login: tokio_postgres::Config,
    /// How much is read.
    pub limits: SurveyLimits,
    /// What is looked for.
    pub detectors: Detectors,
}

/// How much a survey reads at most.
#[derive(Debug, Clone, Copy)]
pub struct SurveyLimits {
    /// Rows of one table.
    pub rows: u32,
    /// Tables.
    pub tables: usize,
    /// All of it together.
    pub time: Duration,
}

impl Default for SurveyLimits {
    fn default() -> Self {
        Self { rows: 200, tables: 2_000, time: Duration::from_mins(1) }
    }
}

/// Columns of one table that are read.
const MOST_COLUMNS: usize = 200;
/// Of each value.
const VALUE_BYTES: usize = 1024;
const STATEMENT_TIME: &str = "set statement_timeout = '3s'; set lock_timeout = '200ms'; \
    set default_transaction_read_only = on; set row_security = off; set search_path = pg_catalog";

/// Why a database could not be sampled.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// Login or the list of tables failed.
    #[error("the tables cannot be listed: {}", super::catalogue::reason(.0))]
    Read(#[from] tokio_postgres::Error),
}

/// What was found in one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnSample {
    /// The schema.
    pub schema: String,
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    /// Values read, NULLs left out.
    pub values: u32,
    /// Values in which each class was found.
    pub found: BTreeMap<DetectedClass, u32>,
}

/// What a survey found, and how much of the database it saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Every column that was read.
    pub columns: Vec<ColumnSample>,
    /// Tables that were read.
    pub tables: usize,
    /// Tables that were not: time ran out, no right to read, a lock.
    pub skipped: usize,
}

struct Table {
    schema: String,
    name: String,
    source: String,
    columns: Vec<(String, String)>,
}

impl Survey {
    /// Samples a database.
    pub async fn read(order: Recorded<Own<SurveyOrder>>) -> Result<Self, SurveyError> {
        let SurveyOrder { wire, login, limits, detectors } = order.into_inner().into_message();
        let (client, connection) = login.connect_raw(wire, NoTls).await?;
        let driver = tokio::spawn(connection);
        let survey = Self::take(&client, limits, &detectors).await;
        drop(client);
        driver.abort();
        survey
    }

    async fn take(client: &Client, limits: SurveyLimits, detectors: &Detectors) -> Result<Self, SurveyError> {
        let started = Instant::now();
        client.batch_execute(STATEMENT_TIME).await?;
        let mut survey = Self::default();
        for table in tables(client, limits).await? {
            if started.elapsed() > limits.time || survey.tables >= limits.tables {
                survey.skipped += 1;
                continue;
            }
            match sample(client, &table, limits.rows, detectors).await {
                Ok(columns) => {
                    survey.columns.extend(columns);
                    survey.tables += 1;
                }
                // A table that cannot be read now says nothing; the count of them does.
                Err(_unreadable) => survey.skipped += 1,
            }
        }
        Ok(survey)
    }
}

async fn tables(client: &Client, limits: SurveyLimits) -> Result<Vec<Table>, SurveyError> {
    let mut tables: Vec<Table> = Vec::new();
    for row in client.query(COLUMNS, &[]).await? {
        let (schema, name): (&str, &str) = (row.try_get(0)?, row.try_get(1)?);
        let rows: f32 = row.try_get(3)?;
        let is_same = tables.last().is_some_and(|table| table.schema == schema && table.name == name);
        if !is_same {
            let quoted: &str = row.try_get(2)?;
            let wanted = f64::from(limits.rows) * 10.0;
            // Blocks all over a large table, the first rows of a small one.
            let source = if f64::from(rows) > wanted * 10.0 {
                let share = (wanted / f64::from(rows) * 100.0).clamp(0.000_1, 100.0);
                format!("{quoted} tablesample system ({share:.4})")
            } else {
                quoted.to_owned()
            };
            tables.push(Table { schema: schema.to_owned(), name: name.to_owned(), source, columns: Vec::new() });
        }
        if let Some(table) = tables.last_mut().filter(|table| table.columns.len() < MOST_COLUMNS) {
            table.columns.push((row.try_get(4)?, row.try_get(5)?));
        }
    }
    Ok(tables)
}

async fn sample(
    client: &Client,
    table: &Table,
    rows: u32,
    detectors: &Detectors,
) -> Result<Vec<ColumnSample>, tokio_postgres::Error> {
    let columns: Vec<String> =
        table.columns.iter().map(|(_, quoted)| format!("left({quoted}::text, {VALUE_BYTES})")).collect();
    let query = format!("select {} from {} limit {rows}", columns.join(", "), table.source);
    let mut found: Vec<ColumnSample> = table
        .columns
        .iter()
        .map(|(column, _)| ColumnSample {
            schema: table.schema.clone(),
            table: table.name.clone(),
            column: column.clone(),
            values: 0,
            found: BTreeMap::new(),
        })
        .collect();
    let mut hits: Vec<Hit> = Vec::new();
    for message in client.simple_query(&query).await? {
        let SimpleQueryMessage::Row(row) = message else { continue };
        for (index, column) in found.iter_mut().enumerate() {
            let Some(value) = row.try_get(index)? else { continue };
            column.values += 1;
            detectors.find(value.as_bytes(), &mut hits);
            let classes: std::collections::BTreeSet<DetectedClass> = hits.iter().map(|hit| hit.class).collect();
            for class in classes {
                *column.found.entry(class).or_default() += 1;
            }
        }
    }
    Ok(found)
}

/// Columns of built-in types whose values are texts, numbers of card size, addresses or documents, in tables of users
/// that the login may read whole.
const COLUMNS: &str = "select n.nspname::text, c.relname::text, \
       pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname), c.reltuples, \
       a.attname::text, pg_catalog.quote_ident(a.attname) \
     from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid \
     join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
     join pg_catalog.pg_type t on t.oid = a.atttypid \
     where c.relkind in ('r', 'p', 'm') and not c.relrowsecurity and not c.relispartition \
     and a.attnum > 0 and not a.attisdropped \
     and t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace \
     and (t.typcategory in ('S', 'I') or t.typname in ('json', 'jsonb', 'xml', 'int8', 'numeric', '_text', '_varchar')) \
     and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)' \
     and pg_catalog.has_column_privilege(c.oid, a.attnum, 'select') \
     order by 1, 2, a.attnum";
