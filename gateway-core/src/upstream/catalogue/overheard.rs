//! What a database tells of others of its server: the texts that run there, with the values that somebody wrote in them.
//!
//! Owns which tags those texts may carry, and for which connections. Puts them on the columns that show texts, and on
//! nothing else: errors and code of a database without tags of its own stay as they are.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tokio_postgres::Client;

use super::{Catalogue, CatalogueError, views::SYSTEM_COLUMNS};
use crate::model::ConnectionFacts;

/// Relations with a `query` that shows what runs in every database of a server.
const TEXTS: &[&str] = &["pg_stat_activity", "pg_stat_statements"];

/// Tags of columns that other connections to the same server reach, each with the connections that tag it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overheard(BTreeMap<Arc<str>, Vec<ConnectionFacts>>);

impl Overheard {
    /// Notes a tag of another connection to the same server.
    pub(crate) fn add(&mut self, tag: &str, connection: &ConnectionFacts) {
        self.0.entry(Arc::from(tag)).or_default().push(connection.clone());
    }

    /// The connections that tag something so.
    pub(crate) fn taggers(&self, tag: &str) -> &[ConnectionFacts] {
        self.0.get(tag).map_or(&[], Vec::as_slice)
    }
}

impl Catalogue {
    /// Puts the tags of other databases on the columns that show texts of other databases.
    pub(super) async fn overhear(&mut self, client: &Client, overheard: &Overheard) -> Result<(), CatalogueError> {
        let tags: BTreeSet<Arc<str>> = overheard.0.keys().cloned().collect();
        if tags.is_empty() {
            return Ok(());
        }
        for row in client.query(SYSTEM_COLUMNS, &[]).await? {
            let (relation, column) = (row.try_get::<_, &str>(1)?, row.try_get::<_, &str>(3)?);
            if TEXTS.contains(&relation) && column == "query" {
                self.add_made(row.try_get::<_, u32>(0)?, row.try_get::<_, i16>(2)?, column, &tags);
            }
        }
        Ok(())
    }

    /// Whether some column shows texts that may carry tags of other databases only.
    pub fn overhears(&self) -> bool {
        self.tagged.values().flatten().any(|column| !self.own_tags().contains(&column.tag))
    }
}
