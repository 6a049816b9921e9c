//! What a database says of itself: its relations and their columns, which of them are tagged, which views show those,
//! and which names its users gave to functions and operators.
//!
//! A snapshot, read over a side connection with the gateway's own credential; each part stands in a file of its own
//! with the query that fills it. Pure once loaded. Knows no principal: whether a tag is masked for somebody is
//! `policy`'s word.

mod local;
mod relations;
mod routines;
#[cfg(test)]
mod sample;
mod tags;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio_postgres::{Client, NoTls};

pub use local::{Local, LocalColumn, LocalRelation};
pub use relations::{Column, Relation, RelationKind};
pub use tags::TaggedColumn;

use super::Wire;
use crate::record::{Own, Recorded};

/// The proof-carrying order to read a catalogue: a side connection that is already logged in as the gateway's role.
#[derive(Debug)]
pub struct CatalogueRead {
    /// The dialled stream.
    pub wire: Wire,
    /// The login, database and password.
    pub login: tokio_postgres::Config,
}

/// Says which tags a column (schema, table, column) carries.
pub(crate) type TagsOf<'site> = dyn Fn(&str, &str, &str) -> Vec<Arc<str>> + Send + Sync + 'site;

/// Why a catalogue could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// Login or a query failed.
    #[error("the upstream's catalogue cannot be read: {}", reason(.0))]
    Read(#[from] tokio_postgres::Error),
    /// More relations than the gateway keeps.
    #[error("the database has more than {MAX_COLUMNS} columns, more than the gateway keeps")]
    TooLarge,
}

/// Distinguishes snapshots of this process.
static SERIALS: AtomicU64 = AtomicU64::new(1);

/// The most columns a snapshot holds.
const MAX_COLUMNS: usize = 2_000_000;

/// A snapshot of one database.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    serial: u64,
    superuser: bool,
    by_oid: HashMap<u32, Relation>,
    by_name: HashMap<Arc<str>, Vec<u32>>,
    columns: HashMap<u32, Vec<Column>>,
    tagged: HashMap<u32, Vec<TaggedColumn>>,
    derived: HashMap<u32, BTreeSet<Arc<str>>>,
    user_functions: HashSet<String>,
}

impl Catalogue {
    /// Reads a snapshot. `tag_of` says which tags a column (schema, table, column) carries.
    pub(crate) async fn read(order: Recorded<Own<CatalogueRead>>, tag_of: &TagsOf<'_>) -> Result<Self, CatalogueError> {
        let CatalogueRead { wire, login } = order.into_inner().into_message();
        let (client, connection) = login.connect_raw(wire, NoTls).await?;
        let driver = tokio::spawn(connection);
        let loaded = Self::load(&client, tag_of).await;
        drop(client);
        driver.abort();
        loaded
    }

    async fn load(client: &Client, tag_of: &TagsOf<'_>) -> Result<Self, CatalogueError> {
        let mut catalogue = Self { serial: SERIALS.fetch_add(1, Ordering::Relaxed), ..Self::default() };
        for row in client.query(SUPERUSER, &[]).await? {
            catalogue.superuser = row.try_get::<_, bool>(0)?;
        }
        catalogue.load_relations(client).await?;
        catalogue.load_columns(client).await?;
        catalogue.load_tags(client, tag_of).await?;
        catalogue.load_routines(client).await?;
        Ok(catalogue)
    }

    /// Distinguishes snapshots of this process.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// Whether the gateway's login is a superuser of this server.
    pub fn is_superuser(&self) -> bool {
        self.superuser
    }
}

fn reason(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), |db| format!("{} ({})", db.message(), db.code().code()))
}

const SUPERUSER: &str = "select rolsuper from pg_catalog.pg_roles where rolname = current_user";
