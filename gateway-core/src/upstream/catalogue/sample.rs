//! Snapshots for tests, made by hand.

use super::*;

impl Catalogue {
    /// A snapshot for tests, with relations by (object id, schema, name, columns), tags by (object id, number, column,
    /// tag), what views read by (view, source), and functions of users. Columns have no type.
    pub(crate) fn sample(
        relations: &[(u32, &str, &str, &[&str])],
        tags: &[(u32, i16, &str, &str)],
        views: &[(u32, u32)],
        functions: &[&str],
    ) -> Self {
        let mut catalogue = Self::default();
        for (oid, schema, name, columns) in relations {
            let kind = if views.iter().any(|(view, _)| view == oid) { RelationKind::View } else { RelationKind::Table };
            catalogue.add_relation(Relation { oid: *oid, schema: Arc::from(*schema), name: Arc::from(*name), kind });
            let numbered = (1..).zip(*columns);
            let columns = numbered.map(|(number, name)| Column { number, name: Arc::from(*name), type_oid: 0 });
            catalogue.columns.insert(*oid, columns.collect());
        }
        for (relation, number, column, tag) in tags {
            catalogue.add_tag(*relation, *number, column, Arc::from(*tag));
        }
        catalogue.derive(views, &[]);
        catalogue.user_functions = functions.iter().map(|&name| name.to_owned()).collect();
        catalogue
    }
}
