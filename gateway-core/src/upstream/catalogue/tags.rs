//! Which columns carry which tag, by the site's word, by inheritance, and through views.
//!
//! Owns what is known of tags. Knows no principal.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use tokio_postgres::{Client, Error, Row};

use super::{Catalogue, CatalogueError, TagsOf};

/// A column with a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaggedColumn {
    /// The relation's object id.
    pub relation: u32,
    /// `attnum`, as RowDescription gives it.
    pub number: i16,
    /// Its name.
    pub name: Arc<str>,
    /// Its tag: a data class or a name of the site's own.
    pub tag: Arc<str>,
    /// Whether its values are made of tagged ones, so that a partial mask could show what it should hide.
    pub is_made: bool,
}

/// What the server says of views and relatives.
pub(super) struct TagRows {
    inherited_columns: Vec<Row>,
    view_edges: Vec<Row>,
    opaque_views: Vec<Row>,
}

pub(super) async fn read(client: &Client) -> Result<TagRows, Error> {
    let (inherited_columns, view_edges, opaque_views) = tokio::try_join!(
        client.query(INHERITED_COLUMNS, &[]),
        client.query(VIEW_EDGES, &[]),
        client.query(OPAQUE_VIEWS, &[])
    )?;
    Ok(TagRows { inherited_columns, view_edges, opaque_views })
}

impl Catalogue {
    /// Puts the site's tags on columns, and follows them to relatives and views. Gives the views that cannot be followed.
    pub(super) fn load_tags(&mut self, rows: &TagRows, tag_of: &TagsOf<'_>) -> Result<Vec<u32>, CatalogueError> {
        let mut found = Vec::new();
        for (oid, columns) in &self.columns {
            let Some(relation) = self.by_oid.get(oid) else { continue };
            for column in columns {
                let tags = tag_of(&relation.schema, &relation.name, &column.name);
                found.extend(tags.into_iter().map(|tag| (*oid, column.number, Arc::clone(&column.name), tag)));
            }
        }
        for (relation, number, column, tag) in found {
            self.add_tag(relation, number, &column, tag);
        }
        self.inherit(&rows.inherited_columns)?;
        let mut views = Vec::new();
        for row in &rows.view_edges {
            views.push((row.try_get::<_, u32>(0)?, row.try_get::<_, u32>(1)?));
        }
        let mut opaque = Vec::new();
        for row in &rows.opaque_views {
            opaque.push(row.try_get::<_, u32>(0)?);
        }
        self.derive(&views, &opaque);
        Ok(opaque)
    }

    /// Partitions and inheritance: a tag holds for the column of that name in every relative, up and down.
    fn inherit(&mut self, rows: &[Row]) -> Result<(), CatalogueError> {
        loop {
            let mut added = false;
            for row in rows {
                let (relation, number, column, relative) = (
                    row.try_get::<_, u32>(0)?,
                    row.try_get::<_, i16>(1)?,
                    row.try_get::<_, &str>(2)?,
                    row.try_get::<_, u32>(3)?,
                );
                let named = self.tags(relative).iter().filter(|tagged| &*tagged.name == column);
                let known = |tag: &Arc<str>| self.tags_at(relation, number).any(|tagged| tagged.tag == *tag);
                let missing: Vec<Arc<str>> = named.map(|t| Arc::clone(&t.tag)).filter(|tag| !known(tag)).collect();
                added |= !missing.is_empty();
                for tag in missing {
                    self.add_tag(relation, number, column, tag);
                }
            }
            if !added {
                return Ok(());
            }
        }
    }

    pub(super) fn add_tag(&mut self, relation: u32, number: i16, column: &str, tag: Arc<str>) {
        self.own_tags.insert(Arc::clone(&tag));
        let tagged = TaggedColumn { relation, number, name: Arc::from(column), tag, is_made: false };
        self.tagged.entry(relation).or_default().push(tagged);
    }

    /// Closes "shows a tagged relation" over views of views. What `opaque` views read is not known: it counts as all.
    pub(super) fn derive(&mut self, edges: &[(u32, u32)], opaque: &[u32]) {
        let mut derived: HashMap<u32, BTreeSet<Arc<str>>> = HashMap::new();
        let all = self.own_tags.clone();
        if !all.is_empty() {
            derived.extend(opaque.iter().map(|view| (*view, all.clone())));
        }
        loop {
            let mut changed = false;
            for (view, source) in edges {
                let mut tags: BTreeSet<Arc<str>> = self.tags(*source).iter().map(|t| Arc::clone(&t.tag)).collect();
                tags.extend(derived.get(source).into_iter().flatten().cloned());
                if tags.is_empty() {
                    continue;
                }
                let of_view = derived.entry(*view).or_default();
                let before = of_view.len();
                of_view.extend(tags);
                changed |= of_view.len() > before;
            }
            if !changed {
                break;
            }
        }
        self.derived = derived;
    }

    /// The tagged columns of a relation.
    pub fn tags(&self, oid: u32) -> &[TaggedColumn] {
        self.tagged.get(&oid).map_or(&[], Vec::as_slice)
    }

    /// Tags that a column of this name carries anywhere in the database.
    pub fn tags_of_name<'catalogue>(&'catalogue self, column: &str) -> impl Iterator<Item = &'catalogue Arc<str>> {
        let column = column.to_owned();
        self.tagged
            .values()
            .flatten()
            .filter(move |tagged| *tagged.name == column && !tagged.is_made)
            .map(|tagged| &tagged.tag)
    }

    /// The tags of one column, one entry each.
    pub fn tags_at(&self, oid: u32, number: i16) -> impl Iterator<Item = &TaggedColumn> {
        self.tags(oid).iter().filter(move |tagged| tagged.number == number)
    }

    /// The tags that a view shows, through however many views.
    pub fn derived_tags(&self, oid: u32) -> Option<&BTreeSet<Arc<str>>> {
        self.derived.get(&oid)
    }

    /// Whether any column of this database is tagged.
    pub fn has_tags(&self) -> bool {
        !self.own_tags.is_empty()
    }

    /// The tags that this database's own columns carry: what is derived from them has no others, but for what is
    /// overheard of other databases.
    pub fn own_tags(&self) -> &BTreeSet<Arc<str>> {
        &self.own_tags
    }

    /// Every tag that some column of this database carries.
    pub fn all_tags(&self) -> BTreeSet<Arc<str>> {
        self.tagged.values().flatten().map(|tagged| Arc::clone(&tagged.tag)).collect()
    }

    /// Relations and their tags by name, for tests and for `hoop classify`.
    pub fn tagged_relations(&self) -> BTreeMap<String, Vec<&TaggedColumn>> {
        let of = |oid: &u32| self.by_oid.get(oid).map(|r| format!("{}.{}", r.schema, r.name));
        self.tagged.iter().filter_map(|(oid, columns)| Some((of(oid)?, columns.iter().collect()))).collect()
    }
}

const INHERITED_COLUMNS: &str = "with relatives as (\
       select inhrelid as relation, inhparent as relative from pg_catalog.pg_inherits \
       union all select inhparent, inhrelid from pg_catalog.pg_inherits) \
     select r.relation, a.attnum, a.attname::text, r.relative from relatives r \
     join pg_catalog.pg_attribute a on a.attrelid = r.relation and a.attnum > 0 and not a.attisdropped";

/// Views that call code of users, or show what the server keeps of other tables' values.
const OPAQUE_VIEWS: &str = "select distinct r.ev_class from pg_catalog.pg_rewrite r \
     join pg_catalog.pg_class v on v.oid = r.ev_class \
     join pg_catalog.pg_depend d on d.objid = r.oid and d.classid = 'pg_catalog.pg_rewrite'::regclass \
     left join pg_catalog.pg_proc p on d.refclassid = 'pg_catalog.pg_proc'::regclass and p.oid = d.refobjid \
     left join pg_catalog.pg_operator o on d.refclassid = 'pg_catalog.pg_operator'::regclass and o.oid = d.refobjid \
     left join pg_catalog.pg_class c on d.refclassid = 'pg_catalog.pg_class'::regclass and c.oid = d.refobjid \
     join pg_catalog.pg_namespace n on n.oid = coalesce(p.pronamespace, o.oprnamespace, c.relnamespace) \
     where v.relnamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) \
     and (c.oid is null and n.nspname not in ('pg_catalog', 'information_schema') \
       or c.relname in ('pg_stats', 'pg_stats_ext', 'pg_stats_ext_exprs', 'pg_stat_activity', 'pg_cursors', \
         'pg_prepared_statements', 'pg_stat_statements'))";

const VIEW_EDGES: &str = "select distinct r.ev_class, d.refobjid from pg_catalog.pg_rewrite r \
     join pg_catalog.pg_depend d on d.objid = r.oid and d.classid = 'pg_catalog.pg_rewrite'::regclass \
     and d.refclassid = 'pg_catalog.pg_class'::regclass where d.refobjid <> r.ev_class";
