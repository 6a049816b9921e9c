//! The relations of a database by object id and by name, and the columns of those that users made.
//!
//! Owns the resolution of a relation's name along a search path. Knows no tags.

use std::{collections::BTreeSet, sync::Arc};

use tokio_postgres::Row;

use super::{Catalogue, CatalogueError, MAX_COLUMNS};

/// A relation of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// Its object id, as RowDescription gives it.
    pub oid: u32,
    /// Its schema.
    pub schema: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// What it is.
    pub kind: RelationKind,
}

/// What a relation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RelationKind {
    /// A table, partitioned or not.
    Table,
    /// A view.
    View,
    /// A materialized view.
    MaterializedView,
    /// A foreign table.
    Foreign,
    /// A sequence.
    Sequence,
}

impl RelationKind {
    /// The kind that a `pg_class.relkind` stands for.
    pub(super) fn of(relkind: &str) -> Self {
        match relkind {
            "v" => Self::View,
            "m" => Self::MaterializedView,
            "f" => Self::Foreign,
            "S" => Self::Sequence,
            _ => Self::Table,
        }
    }
}

/// A column of a relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// `attnum`, as RowDescription gives it.
    pub number: i16,
    /// Its name.
    pub name: Arc<str>,
    /// The object id of its type.
    pub type_oid: u32,
}

impl Catalogue {
    pub(super) fn load_relations(&mut self, rows: &[Row]) -> Result<(), CatalogueError> {
        for row in rows {
            self.add_relation(Relation {
                oid: row.try_get::<_, u32>(0)?,
                schema: Arc::from(row.try_get::<_, &str>(1)?),
                name: Arc::from(row.try_get::<_, &str>(2)?),
                kind: RelationKind::of(row.try_get::<_, &str>(3)?),
            });
        }
        Ok(())
    }

    pub(super) fn load_columns(&mut self, rows: &[Row]) -> Result<(), CatalogueError> {
        if rows.len() > MAX_COLUMNS {
            return Err(CatalogueError::TooLarge);
        }
        for row in rows {
            self.columns.entry(row.try_get::<_, u32>(0)?).or_default().push(Column {
                number: row.try_get::<_, i16>(1)?,
                name: Arc::from(row.try_get::<_, &str>(2)?),
                type_oid: row.try_get::<_, u32>(3)?,
            });
        }
        Ok(())
    }

    pub(super) fn add_relation(&mut self, relation: Relation) {
        self.by_name.entry(Arc::clone(&relation.name)).or_default().push(relation.oid);
        self.by_oid.insert(relation.oid, relation);
    }

    /// The relation that `name` means, as the server resolves it: in `schema` where given, else along `search_path`.
    pub fn resolve(&self, schema: Option<&str>, name: &str, search_path: &[String]) -> Option<&Relation> {
        let candidates = self.by_name.get(name)?;
        let in_schema = |wanted: &str| {
            candidates.iter().filter_map(|oid| self.by_oid.get(oid)).find(|relation| &*relation.schema == wanted)
        };
        match schema {
            // The session's own temporary schema, by the name that stands for it in every session.
            Some("pg_temp") => {
                search_path.iter().find(|schema| schema.starts_with("pg_temp_")).and_then(|own| in_schema(own))
            }
            Some(schema) => in_schema(schema),
            None => search_path.iter().find_map(|schema| in_schema(schema)),
        }
    }

    /// The relation with this object id.
    pub fn relation(&self, oid: u32) -> Option<&Relation> {
        self.by_oid.get(&oid)
    }

    /// Whether the snapshot knows the relation with this object id.
    pub fn knows(&self, oid: u32) -> bool {
        self.by_oid.contains_key(&oid)
    }

    /// The columns of a relation that users made, in the order of their numbers, dropped ones left out; empty for a
    /// sequence and for what the server brings.
    pub fn columns_of(&self, oid: u32) -> &[Column] {
        self.columns.get(&oid).map_or(&[], Vec::as_slice)
    }

    /// Every column name of a relation that users made.
    pub fn columns(&self, oid: u32) -> BTreeSet<String> {
        self.columns_of(oid).iter().map(|column| column.name.to_string()).collect()
    }
}

pub(super) const RELATIONS: &str = "select c.oid, n.nspname::text, c.relname::text, c.relkind::text from pg_catalog.pg_class c \
     join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
     where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and n.nspname !~ '^pg_(toast|temp)'";

pub(super) const COLUMNS: &str = "select c.oid, a.attnum, a.attname::text, a.atttypid \
     from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid \
     join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
     where c.relkind in ('r', 'p', 'v', 'm', 'f') and a.attnum > 0 and not a.attisdropped \
     and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)' \
     order by c.oid, a.attnum";
