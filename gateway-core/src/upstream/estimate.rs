//! Asking the planner, on connections of the gateway's own: what a statement would touch, before anybody decides.
//!
//! Each question runs in a transaction that is read-only and rolled back, with the session's search path, the same
//! role, and 200 ms for locks and for each answer. Whatever goes wrong, there is no estimate. What may be asked about is
//! the caller's to know: planning runs functions, and so does counting.
//!
//! How many rows of a table a change keeps is the planner's word only where every compared column has statistics.
//! Without them its numbers are constants: there the rows are counted, and where that takes too long nobody knows.

mod breadth;

use std::{
    error::Error,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::{BufMut as _, Bytes, BytesMut};
use tokio_postgres::{
    Client, NoTls,
    types::{Format, FromSql, IsNull, Kind, ToSql, Type},
};

use breadth::Planned;
pub use breadth::PlannedChange;

use super::CatalogueRead;
use crate::record::{Own, Recorded};

/// A question for the planner; the texts are EXPLAIN and nothing else.
#[derive(Debug)]
pub struct PlanOrder {
    /// EXPLAIN of the statement.
    pub text: String,
    /// Names of touched relations, with EXPLAIN of a read of all their rows.
    pub targets: Vec<(String, String)>,
    /// Every change of existing rows that no key narrows.
    pub changes: Vec<PlannedChange>,
    /// The session's search path.
    pub search_path: Vec<String>,
    /// Settings of the session that change what values mean.
    pub settings: Vec<(&'static str, String)>,
    /// The object ids of the parameters' types, as far as the client said them.
    pub types: Vec<u32>,
    /// The parameters as the client sent them: whether binary, and the value.
    pub parameters: Vec<(bool, Option<Bytes>)>,
}

/// What the planner expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Rows touched, or returned where nothing is touched.
    pub rows: u64,
    /// The greatest share of a relation whose rows UPDATE, DELETE or MERGE touch, in per cent.
    pub percent: Option<u8>,
    /// Whether that share is known of every change: by statistics, by counting, or because a key narrows it.
    pub is_sure: bool,
}

/// Connections of the gateway's own to one database, on which it asks the planner.
#[derive(Debug)]
pub struct Planner {
    /// None once it is closed.
    idle: Mutex<Option<Vec<Client>>>,
}

impl Default for Planner {
    fn default() -> Self {
        Self { idle: Mutex::new(Some(Vec::new())) }
    }
}

/// Idle connections that are kept.
const MAX_IDLE: usize = 4;
/// How long one question may take, connecting included.
const PATIENCE: Duration = Duration::from_secs(1);
/// Types below this are the server's own.
const FIRST_USER_OID: u32 = 16384;
const BEGIN: &str = "begin transaction read only; set local lock_timeout = '200ms'; \
     set local statement_timeout = '200ms'; set local idle_in_transaction_session_timeout = '2s'";

impl Planner {
    /// Asks. `connect` makes the order for a connection, where none is idle.
    pub(crate) async fn ask(
        &self,
        order: Recorded<Own<PlanOrder>>,
        connect: impl AsyncFnOnce() -> Option<Recorded<Own<CatalogueRead>>>,
    ) -> Option<Estimate> {
        let order = order.into_inner().into_message();
        let asked = async {
            let idle = self.idle().as_mut().and_then(Vec::pop).filter(|client| !client.is_closed());
            let mut client = match idle {
                Some(client) => client,
                None => open(connect().await?).await?,
            };
            let answer = in_transaction(&mut client, &order).await;
            if let Some(idle) = &mut *self.idle()
                && !client.is_closed()
                && idle.len() < MAX_IDLE
            {
                idle.push(client);
            }
            answer
        };
        // A connection that is given up half-way is dropped, and its transaction with it.
        tokio::time::timeout(PATIENCE, asked).await.ok()?
    }

    /// Keeps no connection any more: the site names the database no more, or otherwise.
    pub fn close(&self) {
        drop(self.idle().take());
    }

    fn idle(&self) -> MutexGuard<'_, Option<Vec<Client>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn open(order: Recorded<Own<CatalogueRead>>) -> Option<Client> {
    let CatalogueRead { wire, login } = order.into_inner().into_message();
    let (client, connection) = login.connect_raw(wire, NoTls).await.ok()?;
    tokio::spawn(connection);
    Some(client)
}

async fn in_transaction(client: &mut Client, order: &PlanOrder) -> Option<Estimate> {
    client.batch_execute(BEGIN).await.ok()?;
    let answer = question(client, order).await;
    client.batch_execute("rollback").await.ok()?;
    answer
}

async fn question(client: &Client, order: &PlanOrder) -> Option<Estimate> {
    // Nobody else has this session's temporary tables, and none is asked about.
    let path = order.search_path.iter().filter(|schema| !schema.starts_with("pg_temp"));
    let path = path.map(|schema| format!("\"{}\"", schema.replace('"', "\"\""))).collect::<Vec<_>>().join(", ");
    for (name, value) in order.settings.iter().chain(&[("search_path", path)]) {
        client.execute("select pg_catalog.set_config($1, $2, true)", &[name, value]).await.ok()?;
    }
    let (plan, types) = explain(client, &order.text, &order.types, &order.parameters).await?;
    let mut touched = Vec::new();
    modifications(plan.pointer("/0/Plan")?, &mut touched);
    if touched.is_empty() {
        return Some(Estimate { rows: rows_of(plan.pointer("/0/Plan")?)?, percent: None, is_sure: true });
    }
    let mut wholes = Vec::with_capacity(order.targets.len());
    for (name, text) in &order.targets {
        let (whole, _) = explain(client, text, &[], &[]).await?;
        wholes.push((name.as_str(), rows_of(whole.pointer("/0/Plan")?)?));
    }
    let whole = |relation: &str| {
        let named = wholes.iter().find(|(name, _)| *name == relation).map(|(_, rows)| *rows);
        named.or_else(|| wholes.iter().map(|(_, rows)| *rows).min())
    };
    let planned = Planned { types: &types, parameters: &order.parameters, whole: &whole };
    let breadths = planned.breadths(client, &order.changes).await;
    let rows = touched.iter().map(|one| one.rows).fold(0, u64::saturating_add);
    let rows = match (touched.as_slice(), breadths.counted.as_slice()) {
        ([_], [(_, counted, _)]) => *counted,
        _ => rows,
    };
    // Where rows were counted, what the planner guesses of them does not matter.
    let guessed = touched.iter().filter(|one| !one.adds && !breadths.has_counted(one.relation));
    let percents = guessed.filter_map(|one| percent(one.rows, whole(one.relation)?));
    let percent = percents.chain(breadths.counted.iter().filter_map(|(_, rows, whole)| percent(*rows, *whole))).max();
    Some(Estimate { rows, percent, is_sure: breadths.is_sure })
}

fn percent(rows: u64, whole: u64) -> Option<u8> {
    u8::try_from(rows.saturating_mul(100).checked_div(whole)?.min(100)).ok()
}

async fn explain(
    client: &Client,
    text: &str,
    types: &[u32],
    parameters: &[(bool, Option<Bytes>)],
) -> Option<(serde_json::Value, Vec<Type>)> {
    if types.iter().any(|oid| *oid >= FIRST_USER_OID) {
        return None;
    }
    let named = |oid: &u32| {
        Type::from_oid(*oid).unwrap_or_else(|| Type::new(String::new(), *oid, Kind::Simple, "pg_catalog".to_owned()))
    };
    let types: Vec<Type> = types.iter().take(parameters.len()).map(named).collect();
    let statement = client.prepare_typed(text, &types).await.ok()?;
    // What the server inferred may be a type of users, whose input function would run.
    let is_own = statement.params().iter().all(|kind| kind.oid() < FIRST_USER_OID);
    if !is_own || statement.params().len() != parameters.len() {
        return None;
    }
    let values = given(parameters);
    let row = client.query_one(&statement, &borrowed(&values)).await.ok()?;
    let Plan(plan) = row.try_get::<_, Plan>(0).ok()?;
    Some((plan, statement.params().to_vec()))
}

fn given(parameters: &[(bool, Option<Bytes>)]) -> Vec<Given> {
    parameters.iter().map(|(binary, value)| Given(*binary, value.clone())).collect()
}

fn borrowed(values: &[Given]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

/// One modification of a plan, its node `ModifyTable`.
struct Modified<'plan> {
    relation: &'plan str,
    rows: u64,
    adds: bool,
}

/// Every `ModifyTable` below a node, with the rows that its own input brings.
fn modifications<'plan>(node: &'plan serde_json::Value, found: &mut Vec<Modified<'plan>>) {
    let text = |key| node.get(key).and_then(serde_json::Value::as_str).unwrap_or_default();
    let children = node.get("Plans").and_then(serde_json::Value::as_array).map_or(&[][..], Vec::as_slice);
    if text("Node Type") == "ModifyTable" {
        let feeds = |child: &&serde_json::Value| {
            let how = child.get("Parent Relationship").and_then(serde_json::Value::as_str);
            matches!(how, Some("Outer" | "Member"))
        };
        let rows = children.iter().filter(feeds).filter_map(rows_of).fold(0, u64::saturating_add);
        // ON CONFLICT DO UPDATE changes as many rows as it brings, at worst.
        let adds = text("Operation") == "Insert" && text("Conflict Resolution") != "UPDATE";
        found.push(Modified { relation: text("Relation Name"), rows, adds });
    }
    for child in children {
        modifications(child, found);
    }
}

fn rows_of(plan: &serde_json::Value) -> Option<u64> {
    let rows = plan.get("Plan Rows")?;
    rows.as_u64().or_else(|| rows.as_f64().map(|_huge| u64::MAX))
}

/// A parameter exactly as the client sent it.
#[derive(Debug)]
struct Given(bool, Option<Bytes>);

impl ToSql for Given {
    fn to_sql(&self, _kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let Some(value) = &self.1 else { return Ok(IsNull::Yes) };
        out.put_slice(value);
        Ok(IsNull::No)
    }

    fn accepts(_kind: &Type) -> bool {
        true
    }

    fn encode_format(&self, _kind: &Type) -> Format {
        if self.0 { Format::Binary } else { Format::Text }
    }

    tokio_postgres::types::to_sql_checked!();
}

struct Plan(serde_json::Value);

impl<'row> FromSql<'row> for Plan {
    fn from_sql(_kind: &Type, raw: &'row [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(serde_json::from_slice(raw)?))
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::JSON
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_touched_is_what_feeds_a_modification() {
        let plan = json!({
            "Node Type": "ModifyTable", "Operation": "Delete", "Relation Name": "orders", "Plan Rows": 0,
            "Plans": [
                {"Node Type": "ModifyTable", "Operation": "Insert", "Relation Name": "log", "Plan Rows": 3,
                 "Parent Relationship": "InitPlan",
                 "Plans": [{"Node Type": "Result", "Parent Relationship": "Outer", "Plan Rows": 3}]},
                {"Node Type": "Seq Scan", "Parent Relationship": "Outer", "Plan Rows": 96}
            ]
        });
        let mut found = Vec::new();
        modifications(&plan, &mut found);
        let found: Vec<_> = found.iter().map(|one| (one.relation, one.rows, one.adds)).collect();
        assert_eq!(found, [("orders", 96, false), ("log", 3, true)]);
        assert_eq!(rows_of(&json!({"Plan Rows": 1e30})), Some(u64::MAX));
    }
}
