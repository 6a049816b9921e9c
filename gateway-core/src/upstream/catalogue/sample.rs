//! Snapshots for tests, made by hand.

use super::*;

impl Catalogue {
    /// A snapshot for tests, with relations by (object id, schema, name, columns), tags by (object id, number, column,
    /// tag), what views read by (view, source), and functions of users in schema `public`. Columns have no type.
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
        for name in functions {
            catalogue = catalogue.with_routine("public", name, name);
        }
        catalogue
    }

    /// The same with a volatile function of users in this schema, called by its own name or as an operator.
    pub(crate) fn with_routine(mut self, schema: &str, named: &str, name: &str) -> Self {
        let schema: Arc<str> = Arc::from(schema);
        let routine = Routine {
            found_in: Arc::clone(&schema),
            schema,
            name: Arc::from(name),
            volatility: Volatility::Volatile,
            is_definer: false,
            of_extension: false,
        };
        self.add_routine(Arc::from(named), routine);
        self
    }

    /// The same with a key of a relation.
    pub(crate) fn with_key(mut self, relation: u32, numbers: &[i16]) -> Self {
        self.add_key(relation, numbers.iter().copied().collect());
        self
    }

    /// The same with a relation that runs something.
    pub(crate) fn with_hook(mut self, relation: u32, runs: Runs, events: Events) -> Self {
        self.add_hook(relation, runs, events);
        self
    }

    /// The same with a type of users in schema `public`.
    pub(crate) fn with_type(mut self, oid: u32, name: &str, runs_code: bool) -> Self {
        self.add_type(oid, "public", name, runs_code);
        self
    }

    /// The same with a cast of users between types of these object ids and names.
    pub(crate) fn with_cast(mut self, from: (u32, &str), to: (u32, &str), is_implicit: bool, function: &str) -> Self {
        self.routines.casts.push(Cast {
            source: from.0,
            target: to.0,
            names: [Arc::from(from.1), Arc::from(to.1)],
            is_implicit,
            function: (Arc::from("public"), Arc::from(function)),
        });
        self
    }

    /// The same with a function that an event trigger runs.
    pub(crate) fn with_event_trigger(mut self, function: &str) -> Self {
        self.routines.on_definition.push((Arc::from("public"), Arc::from(function)));
        self
    }
}
