//! The schemas that a fresh session of the gateway's role looks names up in, asked on a connection of its own.

use tokio_postgres::NoTls;

use super::{CatalogueError, CatalogueRead};
use crate::record::{Own, Recorded};

/// The same words as a session's own backend is asked with.
const SCHEMAS: &str = "select s from pg_catalog.unnest(pg_catalog.current_schemas(true)) s";

/// Asks; the connection is closed behind it.
pub(crate) async fn default_path(order: Recorded<Own<CatalogueRead>>) -> Result<Vec<String>, CatalogueError> {
    let CatalogueRead { wire, login } = order.into_inner().into_message();
    let (client, connection) = login.connect_raw(wire, NoTls).await?;
    let driver = tokio::spawn(connection);
    let rows = client.query(SCHEMAS, &[]).await;
    drop(client);
    driver.abort();
    let mut schemas = Vec::new();
    for row in rows? {
        schemas.push(row.try_get::<_, String>(0)?);
    }
    Ok(schemas)
}
