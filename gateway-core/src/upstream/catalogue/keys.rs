//! Which columns are keys: with all of them given, at most one row of the relation is meant.
//!
//! Unique indexes of plain columns, without a predicate, that the server holds for valid. And which relations nobody
//! but one session sees yet.

use std::collections::{BTreeSet, HashMap};

use tokio_postgres::Row;

use super::{Catalogue, CatalogueError};

/// By relation, the `attnum`s of each key.
pub(super) type Keys = HashMap<u32, Vec<BTreeSet<i16>>>;

impl Catalogue {
    pub(super) fn load_keys(&mut self, rows: &[Row]) -> Result<(), CatalogueError> {
        for row in rows {
            let columns: Vec<i16> = row.try_get(1)?;
            self.add_key(row.try_get::<_, u32>(0)?, columns.into_iter().collect());
        }
        Ok(())
    }

    pub(super) fn add_key(&mut self, relation: u32, columns: BTreeSet<i16>) {
        if !columns.is_empty() {
            self.keys.entry(relation).or_default().push(columns);
        }
    }

    /// Whether these columns of a relation hold a key of it.
    pub fn holds_key(&self, relation: u32, names: &BTreeSet<String>) -> bool {
        let columns = self.columns_of(relation).iter();
        let numbers: BTreeSet<i16> =
            columns.filter(|column| names.contains(&*column.name)).map(|column| column.number).collect();
        self.keys.get(&relation).into_iter().flatten().any(|key| key.is_subset(&numbers))
    }

    /// Whether nobody but one session sees the relation: it is temporary, or its open transaction made it.
    pub fn is_private(&self, relation: u32) -> bool {
        self.private.contains(&relation)
    }
}

pub(super) const KEYS: &str = "select i.indrelid, array(select k.number from pg_catalog.unnest(i.indkey::pg_catalog.int2[]) \
       with ordinality k(number, place) where k.place <= i.indnkeyatts order by 1) \
     from pg_catalog.pg_index i where i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null \
     and i.indrelid >= 16384";
