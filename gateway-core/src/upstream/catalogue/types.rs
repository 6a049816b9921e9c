//! Types by object id, as far as masks must know them: what a domain is over, and what an array holds.
//!
//! A type that the snapshot does not know is taken for its bare object id, so its values are masked as NULL.

use std::collections::HashMap;

use tokio_postgres::Row;

use super::{Catalogue, CatalogueError};
use crate::protocol::postgres::reframe::{CellType, TEXT};

/// Domains over domains are followed this far.
const MOST_DOMAINS: usize = 32;
/// Types kept; the rest is not known.
const MOST_TYPES: usize = 500_000;

/// What is known of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TypeFact {
    /// A domain over this type.
    Domain(u32),
    /// An array of this type.
    Array {
        /// The type of its elements.
        element: u32,
        /// What stands between them.
        delimiter: u8,
    },
    /// A base type that is text, such as citext.
    Text,
}

pub(super) type Types = HashMap<u32, TypeFact>;

impl Catalogue {
    pub(super) fn load_types(&mut self, rows: &[Row]) -> Result<(), CatalogueError> {
        for row in rows.iter().take(MOST_TYPES) {
            let (oid, kind) = (row.try_get::<_, u32>(0)?, row.try_get::<_, &str>(1)?);
            let related = row.try_get::<_, u32>(2)?;
            let delimiter = row.try_get::<_, &str>(3)?.bytes().next().unwrap_or(b',');
            let fact = match kind {
                "domain" => TypeFact::Domain(related),
                "array" => TypeFact::Array { element: related, delimiter },
                _ => TypeFact::Text,
            };
            self.types.insert(oid, fact);
        }
        Ok(())
    }

    /// A type as masks see it.
    pub fn cell_type(&self, type_oid: u32) -> CellType {
        match self.types.get(&self.undomained(type_oid)) {
            Some(TypeFact::Array { element, delimiter }) => {
                let element = self.undomained(*element);
                let base = if self.types.get(&element) == Some(&TypeFact::Text) { TEXT } else { element };
                CellType { base, array: Some(*delimiter), plain: false }
            }
            Some(TypeFact::Text) => CellType { base: TEXT, array: None, plain: false },
            Some(TypeFact::Domain(_)) | None => CellType::from(self.undomained(type_oid)),
        }
    }

    fn undomained(&self, type_oid: u32) -> u32 {
        let mut base = type_oid;
        for _ in 0..MOST_DOMAINS {
            match self.types.get(&base) {
                Some(TypeFact::Domain(over)) => base = *over,
                Some(TypeFact::Array { .. } | TypeFact::Text) | None => break,
            }
        }
        base
    }
}

/// Domains, true arrays, and types of extensions that are texts.
pub(super) const TYPES: &str = "select t.oid, 'domain', t.typbasetype, ','::text from pg_catalog.pg_type t where t.typtype = 'd' \
     union all select a.oid, 'array', t.oid, t.typdelim::text from pg_catalog.pg_type t \
     join pg_catalog.pg_type a on a.oid = t.typarray and a.typelem = t.oid \
     union all select t.oid, 'text', 0::oid, ','::text from pg_catalog.pg_type t \
     where t.typtype = 'b' and t.typcategory = 'S' and t.typlen = -1 and t.oid >= 16384";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_and_arrays_are_known_by_what_they_hold() {
        let citext = 20_000;
        let facts = [
            (citext, TypeFact::Text),
            (20_001, TypeFact::Array { element: citext, delimiter: b',' }),
            (20_002, TypeFact::Domain(20_001)),
            (20_003, TypeFact::Domain(1043)),
            (20_004, TypeFact::Array { element: 20_003, delimiter: b';' }),
            (20_005, TypeFact::Domain(20_005)),
        ];
        let catalogue = Catalogue { types: facts.into_iter().collect(), ..Catalogue::default() };
        let of = |oid| catalogue.cell_type(oid);
        assert_eq!(of(citext), CellType { base: TEXT, array: None, plain: false });
        assert_eq!(of(20_002), CellType { base: TEXT, array: Some(b','), plain: false });
        assert_eq!(of(20_003), CellType { base: 1043, array: None, plain: false });
        assert_eq!(of(20_004), CellType { base: 1043, array: Some(b';'), plain: false });
        assert_eq!(of(20_005), CellType { base: 20_005, array: None, plain: false });
        assert_eq!(of(99_999), CellType { base: 99_999, array: None, plain: false });
    }
}
