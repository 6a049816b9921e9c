//! What one session sees other than the shared snapshot: its temporary tables, and what its open transaction changed.
//!
//! Read on the session's own backend, whose word it is. Makes a snapshot of its own; the shared one stays as it is.

use std::{
    collections::{BTreeSet, HashSet},
    sync::{Arc, atomic::Ordering},
};

use super::{Catalogue, Column, Relation, RelationKind, SERIALS, TagsOf};

/// What a session's own backend says of its names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Local {
    /// Whether every relation of users was asked for, so that one that is not named is gone.
    pub is_complete: bool,
    /// Relations.
    pub relations: Vec<LocalRelation>,
    /// Columns of the relations that the snapshot may not know as they are now.
    pub columns: Vec<LocalColumn>,
    /// Names of functions and operators that the snapshot may not know.
    pub functions: Vec<String>,
}

/// A relation as the session sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalRelation {
    /// Its object id.
    pub oid: u32,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    kind: RelationKind,
}

impl LocalRelation {
    /// A relation of the kind that a `pg_class.relkind` stands for.
    pub fn new(oid: u32, schema: &str, name: &str, relkind: &str) -> Self {
        Self { oid, schema: schema.to_owned(), name: name.to_owned(), kind: RelationKind::of(relkind) }
    }

    /// Whether it shows what other relations hold.
    pub fn is_view(&self) -> bool {
        matches!(self.kind, RelationKind::View | RelationKind::MaterializedView)
    }
}

/// A column as the session sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalColumn {
    /// Its relation.
    pub relation: u32,
    /// `attnum`.
    pub number: i16,
    /// Its name.
    pub name: String,
    /// The object id of its type.
    pub type_oid: u32,
}

impl Local {
    /// Whether there is nothing that the snapshot does not say.
    pub fn is_empty(&self) -> bool {
        !self.is_complete && self.relations.is_empty() && self.functions.is_empty()
    }
}

impl Catalogue {
    /// The snapshot as this session sees it.
    pub(crate) fn with_local(&self, local: &Local, tag_of: &TagsOf<'_>) -> Self {
        let mut own = self.clone();
        own.serial = SERIALS.fetch_add(1, Ordering::Relaxed);
        if local.is_complete {
            let seen: HashSet<u32> = local.relations.iter().map(|relation| relation.oid).collect();
            let is_gone = |relation: &&Relation| !is_system(&relation.schema) && !seen.contains(&relation.oid);
            let gone: Vec<u32> = self.by_oid.values().filter(is_gone).map(|relation| relation.oid).collect();
            for oid in gone {
                own.forget(oid);
            }
        }
        let all_tags = self.own_tags().clone();
        let mut unfollowed = Vec::new();
        for relation in &local.relations {
            let known = self.by_oid.get(&relation.oid);
            if known.is_some_and(|known| *known.schema == *relation.schema && *known.name == *relation.name) {
                continue;
            }
            // FAIL-CLOSED: what a view of this session shows is not followed; it counts as everything.
            if relation.is_view() && known.is_none() && !all_tags.is_empty() {
                own.derived.insert(relation.oid, all_tags.clone());
                unfollowed.push(relation.oid);
            }
            // What the shared snapshot does not know, this session made.
            if known.is_none() {
                own.private.insert(relation.oid);
            }
            own.forget(relation.oid);
            own.add_relation(Relation {
                oid: relation.oid,
                schema: Arc::from(relation.schema.as_str()),
                name: Arc::from(relation.name.as_str()),
                kind: relation.kind,
            });
        }
        own.add_columns(local, tag_of);
        for view in unfollowed {
            own.tag_whole(view);
        }
        own.user_functions.extend(local.functions.iter().cloned());
        own
    }

    /// Takes a relation's name away; its tags stay with its object id.
    fn forget(&mut self, oid: u32) {
        let Some(relation) = self.by_oid.remove(&oid) else { return };
        if let Some(named) = self.by_name.get_mut(&relation.name) {
            named.retain(|other| *other != oid);
        }
    }

    fn add_columns(&mut self, local: &Local, tag_of: &TagsOf<'_>) {
        for column in &local.columns {
            let Some(relation) = self.by_oid.get(&column.relation) else { continue };
            let (schema, name) = (Arc::clone(&relation.schema), Arc::clone(&relation.name));
            for tag in tag_of(&schema, &name, &column.name) {
                let known = self.tags_at(column.relation, column.number);
                if !known.into_iter().any(|tagged| tagged.tag == tag && *tagged.name == *column.name) {
                    self.add_tag(column.relation, column.number, &column.name, tag);
                }
            }
        }
        let touched: BTreeSet<u32> = local.columns.iter().map(|column| column.relation).collect();
        for oid in touched {
            self.columns.remove(&oid);
        }
        for column in &local.columns {
            self.columns.entry(column.relation).or_default().push(Column {
                number: column.number,
                name: Arc::from(column.name.as_str()),
                type_oid: column.type_oid,
            });
        }
        self.columns.values_mut().for_each(|columns| columns.sort_by_key(|column| column.number));
    }
}

fn is_system(schema: &str) -> bool {
    matches!(schema, "pg_catalog" | "information_schema")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Catalogue {
        let relations: &[(u32, &str, &str, &[&str])] = &[
            (1, "public", "customers", &["id", "email"]),
            (2, "archive", "customers", &["id"]),
            (3, "pg_catalog", "pg_class", &["oid"]),
        ];
        Catalogue::sample(relations, &[(1, 2, "email", "pii")], &[], &[])
    }

    fn relation(oid: u32, schema: &str, name: &str) -> LocalRelation {
        LocalRelation::new(oid, schema, name, "r")
    }

    fn path(schemas: &[&str]) -> Vec<String> {
        schemas.iter().map(|&schema| schema.to_owned()).collect()
    }

    #[test]
    fn a_temporary_table_hides_the_one_behind_it() {
        let local = Local { relations: vec![relation(9, "pg_temp_3", "customers")], ..Local::default() };
        let own = base().with_local(&local, &|_, _, _| Vec::new());
        let path = path(&["pg_temp_3", "pg_catalog", "public"]);
        assert_eq!(own.resolve(None, "customers", &path).map(|found| found.oid), Some(9));
        assert_eq!(base().resolve(None, "customers", &path).map(|found| found.oid), Some(1));
        assert!(own.serial() != base().serial() && own.knows(9));
        assert!(own.is_private(9) && !own.is_private(1));
    }

    #[test]
    fn what_the_transaction_dropped_is_gone_and_what_it_renamed_keeps_its_tags() {
        let local = Local { is_complete: true, relations: vec![relation(1, "public", "people")], ..Local::default() };
        let own = base().with_local(&local, &|_, _, _| Vec::new());
        let path = path(&["public", "archive"]);
        assert_eq!(own.resolve(None, "customers", &path), None);
        assert_eq!(own.resolve(None, "people", &path).map(|found| found.oid), Some(1));
        assert_eq!(own.tags(1).len(), 1);
        assert!(own.resolve(Some("pg_catalog"), "pg_class", &path).is_some());
    }

    #[test]
    fn tags_follow_the_names_of_new_columns() {
        let column = LocalColumn { relation: 9, number: 1, name: "email".to_owned(), type_oid: 25 };
        let local = Local {
            relations: vec![relation(9, "public", "fresh")],
            columns: vec![column],
            functions: vec!["lower".to_owned()],
            ..Local::default()
        };
        let own = base().with_local(&local, &|_, table, column| {
            if table == "fresh" && column == "email" { vec![Arc::from("pii")] } else { Vec::new() }
        });
        assert_eq!(own.tags_at(9, 1).count(), 1);
        assert!(own.is_user_function("lower") && !base().is_user_function("lower"));
    }
}
