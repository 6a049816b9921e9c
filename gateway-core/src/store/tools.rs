//! Definitions of tools as they were pinned, a row for each tool of a connection, and the changed one that waits for a
//! review where there is one.
//!
//! Called while a list of tools goes by, and for each call; both are one short statement.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Store, StoreError};
use crate::{
    model::{ConnectionName, PrincipalName},
    protocol::mcp::tools::{Standing, ToolBook, ToolBookError, ToolDefinition},
};

/// How many tools of a connection are kept.
const MOST_TOOLS: i64 = 2_000;

/// The definitions of every connection's tools; cheap to clone.
#[derive(Debug, Clone)]
pub struct ToolShelf(Store);

impl ToolShelf {
    /// Those that this store keeps.
    pub fn new(store: Store) -> Self {
        Self(store)
    }

    /// Those of one connection.
    pub fn of(&self, connection: ConnectionName) -> StoredTools {
        StoredTools::new(self.0.clone(), connection)
    }
}

/// The definitions of one connection's tools.
#[derive(Debug, Clone)]
pub struct StoredTools {
    store: Store,
    connection: ConnectionName,
}

/// A tool as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptTool {
    /// Its name.
    pub name: String,
    /// The digest of the definition that is in force.
    pub digest: String,
    /// That definition.
    pub definition: String,
    /// The digest and definition that the server lists now, where they differ.
    pub changed: Option<(String, String)>,
    /// Who reviewed the one in force; nobody, where it was pinned when it was first seen.
    pub reviewed_by: Option<String>,
}

impl StoredTools {
    /// Those of this connection.
    pub fn new(store: Store, connection: ConnectionName) -> Self {
        Self { store, connection }
    }

    /// Every tool that was seen.
    pub fn all(&self) -> Result<Vec<KeptTool>, StoreError> {
        self.store.run(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT name, digest, definition, changed_digest, changed_definition, reviewed_by
                 FROM tool WHERE connection = ?1 ORDER BY name",
            )?;
            let rows = statement.query_map([self.connection.as_str()], |row| {
                let changed: (Option<String>, Option<String>) = (row.get(3)?, row.get(4)?);
                Ok(KeptTool {
                    name: row.get(0)?,
                    digest: row.get(1)?,
                    definition: row.get(2)?,
                    changed: changed.0.zip(changed.1),
                    reviewed_by: row.get(5)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Puts the changed definition with this digest in force; false where there is none such.
    pub fn accept(&self, name: &str, digest: &str, by: &PrincipalName) -> Result<bool, StoreError> {
        self.store.run(|connection| {
            let accepted = connection.execute(
                "UPDATE tool SET digest = changed_digest, definition = changed_definition, changed_digest = NULL,
                 changed_definition = NULL, reviewed_by = ?4
                 WHERE connection = ?1 AND name = ?2 AND changed_digest = ?3",
                params![self.connection.as_str(), name, digest, by.as_str()],
            )?;
            Ok(accepted == 1)
        })
    }

    fn judge(&self, connection: &Connection, tool: &ToolDefinition) -> Result<Standing, rusqlite::Error> {
        let place = self.connection.as_str();
        let known: Option<(String, Option<String>)> = connection
            .prepare_cached("SELECT digest, changed_digest FROM tool WHERE connection = ?1 AND name = ?2")?
            .query_row(params![place, tool.name], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        match known {
            None => {
                let count: i64 =
                    connection
                        .query_row("SELECT count(*) FROM tool WHERE connection = ?1", [place], |row| row.get(0))?;
                if count >= MOST_TOOLS {
                    return Ok(Standing::Unseen);
                }
                connection.execute(
                    "INSERT INTO tool (connection, name, digest, definition) VALUES (?1, ?2, ?3, ?4)",
                    params![place, tool.name, tool.digest, tool.text],
                )?;
                Ok(Standing::Known)
            }
            Some((digest, None)) if digest == tool.digest => Ok(Standing::Known),
            Some((digest, Some(_))) if digest == tool.digest => {
                connection.execute(
                    "UPDATE tool SET changed_digest = NULL, changed_definition = NULL
                     WHERE connection = ?1 AND name = ?2",
                    params![place, tool.name],
                )?;
                Ok(Standing::Known)
            }
            Some((_, changed)) => {
                if changed.as_deref() != Some(tool.digest.as_str()) {
                    connection.execute(
                        "UPDATE tool SET changed_digest = ?3, changed_definition = ?4
                         WHERE connection = ?1 AND name = ?2",
                        params![place, tool.name, tool.digest, tool.text],
                    )?;
                }
                Ok(Standing::Changed)
            }
        }
    }
}

impl ToolBook for StoredTools {
    fn listed(&self, tools: &[ToolDefinition]) -> Result<Vec<Standing>, ToolBookError> {
        let judged = self.store.run(|connection| {
            let transaction = connection.transaction()?;
            let standings: Result<Vec<_>, _> = tools.iter().map(|tool| self.judge(&transaction, tool)).collect();
            let standings = standings?;
            transaction.commit()?;
            Ok(standings)
        });
        judged.map_err(|error| failed(&error))
    }

    fn standing(&self, name: &str) -> Result<Standing, ToolBookError> {
        let found = self.store.run(|connection| {
            let changed: Option<bool> = connection
                .prepare_cached("SELECT changed_digest IS NOT NULL FROM tool WHERE connection = ?1 AND name = ?2")?
                .query_row(params![self.connection.as_str(), name], |row| row.get(0))
                .optional()?;
            Ok(match changed {
                None => Standing::Unseen,
                Some(true) => Standing::Changed,
                Some(false) => Standing::Known,
            })
        });
        found.map_err(|error| failed(&error))
    }
}

fn failed(error: &StoreError) -> ToolBookError {
    tracing::error!(%error, "definitions of tools cannot be kept");
    ToolBookError
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::json::Json;

    fn tool(description: &str) -> ToolDefinition {
        let text = format!(r#"{{"name":"read","description":"{description}"}}"#);
        ToolDefinition::of(&Json::parse(text.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn a_changed_definition_waits_until_it_is_reviewed() {
        let store = Store::in_memory().unwrap();
        let tools = StoredTools::new(store.clone(), ConnectionName::new("tools").unwrap());
        let other = StoredTools::new(store, ConnectionName::new("other").unwrap());
        assert_eq!(tools.standing("read"), Ok(Standing::Unseen));
        assert_eq!(tools.listed(&[tool("reads")]), Ok(vec![Standing::Known]));
        assert_eq!(tools.listed(&[tool("reads and sends")]), Ok(vec![Standing::Changed]));
        assert_eq!(tools.standing("read"), Ok(Standing::Changed));
        assert_eq!(other.standing("read"), Ok(Standing::Unseen), "each connection has its own");
        let bob = PrincipalName::new("bob").unwrap();
        assert!(!tools.accept("read", &tool("another").digest, &bob).unwrap(), "only what was seen is accepted");
        assert!(tools.accept("read", &tool("reads and sends").digest, &bob).unwrap());
        assert_eq!(tools.standing("read"), Ok(Standing::Known));
        assert_eq!(tools.listed(&[tool("reads")]), Ok(vec![Standing::Changed]), "the old one is not good any more");
        let kept = tools.all().unwrap();
        assert_eq!((kept.len(), kept[0].reviewed_by.as_deref()), (1, Some("bob")));
    }
}
