//! What a database says of itself: its relations and their columns, which of them are tagged, which views show those,
//! which routines are not the server's own, and what runs them.
//!
//! A snapshot, read over a side connection with the gateway's own credential; each part stands in a file of its own
//! with the query that fills it. Pure once loaded. Knows no principal: whether a tag is masked for somebody is
//! `policy`'s word.

mod assumed;
mod conversions;
mod hooks;
mod keys;
mod local;
mod overheard;
mod relations;
mod routines;
#[cfg(test)]
mod sample;
mod tags;
#[cfg(test)]
mod tests;
mod types;
mod views;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio_postgres::{Client, NoTls};

pub use conversions::Conversion;
pub use hooks::{Events, Runs};
pub use local::{Local, LocalColumn, LocalRelation};
pub(crate) use overheard::Overheard;
pub use relations::{Column, Relation, RelationKind};
pub use routines::{Cast, Routine, Volatility};
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
    /// More routines than the gateway keeps.
    #[error("the database has more routines and operators than the gateway keeps")]
    TooManyRoutines,
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
    /// The tags that this database's own columns carry.
    own_tags: BTreeSet<Arc<str>>,
    derived: HashMap<u32, BTreeSet<Arc<str>>>,
    routines: routines::Routines,
    /// Names of functions and operators that one session's open transaction made.
    user_functions: HashSet<String>,
    conversions: conversions::Conversions,
    hooks: hooks::Hooks,
    planned_code: HashSet<u32>,
    types: types::Types,
    keys: keys::Keys,
    /// Relations that one session alone sees.
    private: HashSet<u32>,
}

impl Catalogue {
    /// Reads a snapshot. `tag_of` says which tags a column (schema, table, column) carries; `overheard` which are carried
    /// in other databases of the server.
    pub(crate) async fn read(
        order: Recorded<Own<CatalogueRead>>,
        tag_of: &TagsOf<'_>,
        overheard: &Overheard,
    ) -> Result<Self, CatalogueError> {
        let CatalogueRead { wire, login } = order.into_inner().into_message();
        let (client, connection) = login.connect_raw(wire, NoTls).await?;
        let driver = tokio::spawn(connection);
        let loaded = Box::pin(Self::load(&client, tag_of, overheard)).await;
        drop(client);
        driver.abort();
        loaded
    }

    async fn load(client: &Client, tag_of: &TagsOf<'_>, overheard: &Overheard) -> Result<Self, CatalogueError> {
        let mut catalogue = Self { serial: SERIALS.fetch_add(1, Ordering::Relaxed), ..Self::default() };
        // Compiling the catalogue's queries was measured to take a second, and running them some milliseconds. Said here
        // and not at start-up, where pgbouncer takes no options.
        client.batch_execute("set jit = off").await?;
        // Sent together: what each takes is the server's time, not a round trip.
        let (superuser, relations, columns, tags, routines, conversions, hooks, types, keys) = tokio::try_join!(
            client.query(SUPERUSER, &[]),
            client.query(relations::RELATIONS, &[]),
            client.query(relations::COLUMNS, &[]),
            tags::read(client),
            routines::read(client),
            conversions::read(client),
            hooks::read(client),
            client.query(types::TYPES, &[]),
            client.query(keys::KEYS, &[]),
        )?;
        for row in superuser {
            catalogue.superuser = row.try_get::<_, bool>(0)?;
        }
        catalogue.load_relations(&relations)?;
        catalogue.load_columns(&columns)?;
        catalogue.overhear(client, overheard).await?;
        let opaque = catalogue.load_tags(&tags, tag_of)?;
        catalogue.load_routines(&routines)?;
        catalogue.load_conversions(&conversions)?;
        catalogue.load_hooks(&hooks)?;
        catalogue.load_types(&types)?;
        catalogue.load_keys(&keys)?;
        if catalogue.has_tags() || catalogue.overhears() {
            catalogue.load_shown(client, &opaque).await?;
        }
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

pub(super) fn reason(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), |db| format!("{} ({})", db.message(), db.code().code()))
}

/// A role that may become a superuser with `SET ROLE` is one.
const SUPERUSER: &str = "select coalesce(pg_catalog.bool_or(rolsuper), false) from pg_catalog.pg_roles \
     where pg_catalog.pg_has_role(current_user, oid, 'member')";
