//! Which columns of views show tagged columns, by the definitions that the server gives; and what else the server
//! derives from tagged values: generated columns, statistics, texts of other sessions.
//!
//! A view whose definition cannot be followed shows every tag it could in every column. Knows no principal.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tokio_postgres::Client;

use super::{Catalogue, CatalogueError, TaggedColumn};
use crate::sql::{
    self, Lineage, Origin, Output, OutputLineage, RawName, RelationColumn, RelationColumns, Relations, Tags,
};

/// Columns of the server's own relations that show values of other tables, or texts of other sessions.
const TELLTALES: &[(&str, &[&str])] = &[
    ("pg_cursors", &["statement"]),
    ("pg_largeobject", &["data"]),
    ("pg_prepared_statements", &["statement"]),
    ("pg_stat_activity", &["query"]),
    ("pg_stat_statements", &["query"]),
    ("pg_statistic", &["stavalues1", "stavalues2", "stavalues3", "stavalues4", "stavalues5"]),
    ("pg_statistic_ext_data", &["stxdmcv", "stxdexpr"]),
    ("pg_stats", &["most_common_vals", "histogram_bounds", "most_common_elems"]),
    ("pg_stats_ext", &["most_common_vals"]),
    ("pg_stats_ext_exprs", &["most_common_vals", "histogram_bounds", "most_common_elems"]),
];

/// A longer definition is not followed.
const MAX_DEFINITION_BYTES: usize = 1 << 20;

impl Catalogue {
    /// Follows the tags of tables to what the server derives from them.
    pub(super) async fn load_shown(&mut self, client: &Client, opaque: &[u32]) -> Result<(), CatalogueError> {
        self.tag_generated(client).await?;
        self.tag_views(client, opaque).await?;
        self.tag_telltales(client).await
    }

    /// Puts every tag on what the server shows of all tables.
    async fn tag_telltales(&mut self, client: &Client) -> Result<(), CatalogueError> {
        let all = self.own_tags().clone();
        if all.is_empty() {
            return Ok(());
        }
        for row in client.query(SYSTEM_COLUMNS, &[]).await? {
            let (oid, relation) = (row.try_get::<_, u32>(0)?, row.try_get::<_, &str>(1)?);
            let (number, column) = (row.try_get::<_, i16>(2)?, row.try_get::<_, &str>(3)?);
            if TELLTALES.iter().any(|(name, columns)| *name == relation && columns.contains(&column)) {
                self.add_made(oid, number, column, &all);
            }
        }
        Ok(())
    }

    /// A column that the server computes from others of its row carries their tags.
    async fn tag_generated(&mut self, client: &Client) -> Result<(), CatalogueError> {
        for row in client.query(GENERATED_COLUMNS, &[]).await? {
            let (oid, source) = (row.try_get::<_, u32>(0)?, row.try_get::<_, i32>(3)?);
            let source = i16::try_from(source).unwrap_or_default();
            let tags: BTreeSet<Arc<str>> = self.tags_at(oid, source).map(|column| Arc::clone(&column.tag)).collect();
            self.add_made(oid, row.try_get::<_, i16>(1)?, row.try_get::<_, &str>(2)?, &tags);
        }
        Ok(())
    }

    /// Reads the definitions of the views that could show a tag, and follows each of their columns.
    async fn tag_views(&mut self, client: &Client, opaque: &[u32]) -> Result<(), CatalogueError> {
        let is_ours = |oid: &&u32| !self.columns_of(**oid).is_empty();
        let shown: Vec<u32> = self.derived.keys().filter(is_ours).copied().collect();
        if shown.is_empty() {
            return Ok(());
        }
        // With this search path every name that is not the server's own comes out with its schema.
        client.batch_execute("set search_path = pg_catalog").await?;
        let mut followed = BTreeMap::new();
        for row in client.query(DEFINITIONS, &[&shown]).await? {
            let oid = row.try_get::<_, u32>(0)?;
            if let Some(definition) = row.try_get::<_, Option<&str>>(1)?
                && !opaque.contains(&oid)
                && let Some(lineage) = parsed(definition)
            {
                followed.insert(oid, lineage);
            }
        }
        self.follow_views(&shown, &followed);
        Ok(())
    }

    /// Closes the tags of views over each other, by their definitions.
    pub(super) fn follow_views(&mut self, views: &[u32], definitions: &BTreeMap<u32, Lineage>) {
        for view in views.iter().filter(|view| !definitions.contains_key(view)) {
            self.tag_whole(*view);
        }
        // Each round adds a tag to some column, or a view of views is done.
        for _ in 0..=definitions.len() {
            let mut added = false;
            for (view, lineage) in definitions {
                added |= self.follow_view(*view, lineage.outputs(&*self).as_ref());
            }
            if !added {
                return;
            }
        }
    }

    fn follow_view(&mut self, view: u32, outputs: Option<&OutputLineage>) -> bool {
        let columns = self.columns_of(view).to_vec();
        let Some(outputs) = outputs.filter(|outputs| outputs.width() == Some(columns.len())) else {
            return self.tag_whole(view);
        };
        let mut added = false;
        for (index, column) in columns.iter().enumerate() {
            let (tags, is_made) = match outputs.at(index, columns.len()) {
                Output::Clean => continue,
                Output::Column { tags, .. } | Output::Masked(tags) => (tags.clone(), false),
                Output::Computed(tags) => (tags.clone(), true),
                Output::Unknown => (self.derived_tags(view).cloned().unwrap_or_default(), true),
            };
            added |= self.add_derived(view, column.number, &column.name, &tags, is_made);
        }
        added
    }

    /// Every column of a view that cannot be followed shows all that it could.
    pub(super) fn tag_whole(&mut self, view: u32) -> bool {
        let tags = self.derived_tags(view).cloned().unwrap_or_default();
        let mut added = false;
        for column in self.columns_of(view).to_vec() {
            added |= self.add_made(view, column.number, &column.name, &tags);
        }
        added
    }

    pub(super) fn add_made(&mut self, relation: u32, number: i16, name: &str, tags: &Tags) -> bool {
        self.add_derived(relation, number, name, tags, true)
    }

    fn add_derived(&mut self, relation: u32, number: i16, name: &str, tags: &Tags, is_made: bool) -> bool {
        let known = self.tagged.entry(relation).or_default();
        let mut added = false;
        for tag in tags {
            if known.iter().any(|one| one.number == number && one.tag == *tag && one.is_made >= is_made) {
                continue;
            }
            known.retain(|one| one.number != number || one.tag != *tag);
            known.push(TaggedColumn { relation, number, name: Arc::from(name), tag: Arc::clone(tag), is_made });
            added = true;
        }
        if known.is_empty() {
            self.tagged.remove(&relation);
        }
        added
    }
}

/// The definition's own lineage, where it is one query that the grammar knows.
fn parsed(definition: &str) -> Option<Lineage> {
    if definition.len() > MAX_DEFINITION_BYTES {
        return None;
    }
    let mut statements = sql::inspect(definition).ok()?.into_iter();
    let only = statements.next()?;
    statements.next().is_none().then_some(only.sources)
}

/// A definition names relations with their schema; without one it means the server's own.
impl Relations for Catalogue {
    fn is_tagged(&self, name: &RawName) -> bool {
        let relation = self.resolve(Some(name.schema.as_deref().unwrap_or("pg_catalog")), &name.name, &[]);
        relation.is_some_and(|relation| !self.tags(relation.oid).is_empty())
    }

    fn columns(&self, name: &RawName) -> Option<RelationColumns> {
        let schema = name.schema.as_deref().unwrap_or("pg_catalog");
        let oid = self.resolve(Some(schema), &name.name, &[])?.oid;
        Some(self.columns_counting(oid, &|_tag| true))
    }
}

impl Catalogue {
    /// The columns of a relation as lineage needs them, with the tags that `counts`.
    pub fn columns_counting(&self, oid: u32, counts: &dyn Fn(&Arc<str>) -> bool) -> RelationColumns {
        let tags_at = |number: i16| {
            let tagged = self.tags_at(oid, number).filter(|column| counts(&column.tag));
            tagged.map(|column| Arc::clone(&column.tag)).collect::<Tags>()
        };
        let is_made = |number: i16| self.tags_at(oid, number).any(|column| column.is_made && counts(&column.tag));
        let known = self.columns_of(oid).iter().map(|column| RelationColumn {
            name: column.name.to_string(),
            origin: Origin { relation: oid, number: column.number, type_oid: column.type_oid },
            tags: tags_at(column.number),
            is_made: is_made(column.number),
        });
        let columns: Vec<RelationColumn> = known.collect();
        if !columns.is_empty() {
            return RelationColumns { columns, is_open: false };
        }
        // Of the server's own relations only the tagged columns are kept.
        let mut tagged: Vec<RelationColumn> = Vec::new();
        for column in self.tags(oid).iter().filter(|column| counts(&column.tag)) {
            if tagged.iter().all(|known| known.origin.number != column.number) {
                let origin = Origin { relation: oid, number: column.number, type_oid: 0 };
                let (tags, is_made) = (tags_at(column.number), is_made(column.number));
                tagged.push(RelationColumn { name: column.name.to_string(), origin, tags, is_made });
            }
        }
        RelationColumns { columns: tagged, is_open: true }
    }
}

pub(super) const SYSTEM_COLUMNS: &str = "select c.oid, c.relname::text, a.attnum, a.attname::text from pg_catalog.pg_class c \
     join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
     where c.relnamespace = 'pg_catalog'::regnamespace or c.relname = 'pg_stat_statements'";

const GENERATED_COLUMNS: &str = "select distinct d.adrelid, d.adnum, a.attname::text, s.refobjsubid \
     from pg_catalog.pg_attrdef d \
     join pg_catalog.pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum and a.attgenerated <> '' \
     join pg_catalog.pg_depend s on s.refclassid = 'pg_catalog.pg_class'::regclass and s.refobjid = d.adrelid \
       and s.refobjsubid not in (0, d.adnum) \
       and (s.classid = 'pg_catalog.pg_attrdef'::regclass and s.objid = d.oid \
         or s.classid = 'pg_catalog.pg_class'::regclass and s.objid = d.adrelid and s.objsubid = d.adnum)";

const DEFINITIONS: &str = "select c.oid, pg_catalog.pg_get_viewdef(c.oid) from pg_catalog.pg_class c \
     where c.relkind in ('v', 'm') and c.oid = any($1)";
