//! A snapshot for deciding without a server: the relations that a text names are taken to be there, as plain tables,
//! with the columns that the site tags.

use std::sync::{Arc, atomic::Ordering};

use super::{Catalogue, Column, Relation, RelationKind, SERIALS};

/// Names the tagged columns of a relation (schema, name) with their tags.
pub(crate) type TaggedColumns<'site> = dyn Fn(&str, &str) -> Vec<(String, String)> + 'site;

impl Catalogue {
    /// Takes these relations (schema, name) to be there; `tags_of` names the tagged columns of each with their tags.
    pub(crate) fn assumed<'names>(
        relations: impl Iterator<Item = (&'names str, &'names str)>,
        tags_of: &TaggedColumns<'_>,
    ) -> Self {
        let mut catalogue = Self { serial: SERIALS.fetch_add(1, Ordering::Relaxed), ..Self::default() };
        for (oid, (schema, name)) in (FIRST_OID..).zip(relations) {
            let (schema, name): (Arc<str>, Arc<str>) = (schema.into(), name.into());
            let tagged = tags_of(&schema, &name);
            catalogue.add_relation(Relation { oid, schema, name, kind: RelationKind::Table });
            for (number, (column, tag)) in (1_i16..).zip(tagged) {
                let name = Arc::from(column.as_str());
                catalogue.columns.entry(oid).or_default().push(Column { number, name, type_oid: TEXT });
                catalogue.add_tag(oid, number, &column, Arc::from(tag));
            }
        }
        catalogue.derive(&[], &[]);
        catalogue
    }
}

/// As the first of a real server's for what users make.
const FIRST_OID: u32 = 16_384;
/// The type `text`.
const TEXT: u32 = 25;
