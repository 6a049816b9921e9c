//! What a database says of itself: its relations, which of their columns are tagged, which views show those columns,
//! and which function names its users defined.
//!
//! A snapshot, read over a side connection with the gateway's own credential. Pure once loaded. Knows no principal:
//! whether a tag is masked for somebody is `policy`'s word.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio_postgres::{Client, NoTls};

use super::Wire;
use crate::record::{Own, Recorded};

/// The proof-carrying order to read a catalogue: a side connection that is already logged in as the gateway's role.
#[derive(Debug)]
pub struct CatalogueRead {
    /// The dialled stream.
    pub wire: Wire,
    /// The login, database and password.
    pub login: tokio_postgres::Config,
}

/// Says which tags a column (schema, table, column) carries.
pub(crate) type TagsOf<'site> = dyn Fn(&str, &str, &str) -> Vec<Arc<str>> + Send + Sync + 'site;

/// Why a catalogue could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// Login or a query failed.
    #[error("the upstream's catalogue cannot be read: {}", reason(.0))]
    Read(#[from] tokio_postgres::Error),
    /// More relations than the gateway keeps.
    #[error("the database has more than {MAX_COLUMNS} columns, more than the gateway keeps")]
    TooLarge,
}

/// The most columns a snapshot holds.
const MAX_COLUMNS: usize = 2_000_000;

/// A relation of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// Its object id, as RowDescription gives it.
    pub oid: u32,
    /// Its schema.
    pub schema: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

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
}

/// A snapshot of one database.
#[derive(Debug, Default)]
pub struct Catalogue {
    serial: u64,
    superuser: bool,
    by_oid: HashMap<u32, Relation>,
    by_name: HashMap<Arc<str>, Vec<u32>>,
    tagged: HashMap<u32, Vec<TaggedColumn>>,
    columns: HashMap<u32, BTreeSet<String>>,
    derived: HashMap<u32, BTreeSet<Arc<str>>>,
    user_functions: HashSet<String>,
}

impl Catalogue {
    /// Reads a snapshot. `tag_of` says which tags a column (schema, table, column) carries.
    pub(crate) async fn read(order: Recorded<Own<CatalogueRead>>, tag_of: &TagsOf<'_>) -> Result<Self, CatalogueError> {
        let CatalogueRead { wire, login } = order.into_inner().into_message();
        let (client, connection) = login.connect_raw(wire, NoTls).await?;
        let driver = tokio::spawn(connection);
        let loaded = Self::load(&client, tag_of).await;
        drop(client);
        driver.abort();
        loaded
    }

    async fn load(client: &Client, tag_of: &TagsOf<'_>) -> Result<Self, CatalogueError> {
        static SERIALS: AtomicU64 = AtomicU64::new(1);
        let mut catalogue = Self { serial: SERIALS.fetch_add(1, Ordering::Relaxed), ..Self::default() };
        for row in client.query(SUPERUSER, &[]).await? {
            catalogue.superuser = row.try_get::<_, bool>(0)?;
        }
        for row in client.query(RELATIONS, &[]).await? {
            let relation = Relation {
                oid: row.try_get::<_, u32>(0)?,
                schema: Arc::from(row.try_get::<_, &str>(1)?),
                name: Arc::from(row.try_get::<_, &str>(2)?),
            };
            catalogue.by_name.entry(Arc::clone(&relation.name)).or_default().push(relation.oid);
            catalogue.by_oid.insert(relation.oid, relation);
        }
        let columns = client.query(COLUMNS, &[]).await?;
        if columns.len() > MAX_COLUMNS {
            return Err(CatalogueError::TooLarge);
        }
        for row in columns {
            let (schema, table, column) =
                (row.try_get::<_, &str>(1)?, row.try_get::<_, &str>(2)?, row.try_get::<_, &str>(4)?);
            let relation = row.try_get::<_, u32>(0)?;
            catalogue.columns.entry(relation).or_default().insert(column.to_owned());
            for tag in tag_of(schema, table, column) {
                catalogue.add_tag(relation, row.try_get::<_, i16>(3)?, column, tag);
            }
        }
        for row in client.query(FUNCTIONS, &[]).await? {
            catalogue.user_functions.insert(row.try_get::<_, String>(0)?);
        }
        catalogue.inherit(client).await?;
        let Self { columns, tagged, .. } = &mut catalogue;
        columns.retain(|relation, _| tagged.contains_key(relation));
        let edges = client.query(VIEW_EDGES, &[]).await?;
        let mut views = Vec::with_capacity(edges.len());
        for row in edges {
            views.push((row.try_get::<_, u32>(0)?, row.try_get::<_, u32>(1)?));
        }
        let mut opaque = Vec::new();
        for row in client.query(OPAQUE_VIEWS, &[]).await? {
            opaque.push(row.try_get::<_, u32>(0)?);
        }
        catalogue.derive(&views, &opaque);
        Ok(catalogue)
    }

    /// Partitions and inheritance: a tag holds for the column of that name in every relative, up and down.
    async fn inherit(&mut self, client: &Client) -> Result<(), CatalogueError> {
        loop {
            let mut added = false;
            for row in client.query(INHERITED_COLUMNS, &[]).await? {
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

    fn add_tag(&mut self, relation: u32, number: i16, column: &str, tag: Arc<str>) {
        let tagged = TaggedColumn { relation, number, name: Arc::from(column), tag };
        self.tagged.entry(relation).or_default().push(tagged);
    }

    /// Closes "shows a tagged relation" over views of views. What `opaque` views read is not known: it counts as all.
    fn derive(&mut self, edges: &[(u32, u32)], opaque: &[u32]) {
        let mut derived: HashMap<u32, BTreeSet<Arc<str>>> = HashMap::new();
        let all = self.all_tags();
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

    /// A snapshot for tests, with relations by (object id, schema, name, columns), tags by (object id, number, column,
    /// tag), what views read by (view, source), and functions of users. As when it is read, columns are kept for
    /// tagged relations only.
    #[cfg(test)]
    pub(crate) fn sample(
        relations: &[(u32, &str, &str, &[&str])],
        tags: &[(u32, i16, &str, &str)],
        views: &[(u32, u32)],
        functions: &[&str],
    ) -> Self {
        let mut catalogue = Self::default();
        for (oid, schema, name, columns) in relations {
            let relation = Relation { oid: *oid, schema: Arc::from(*schema), name: Arc::from(*name) };
            catalogue.by_name.entry(Arc::clone(&relation.name)).or_default().push(*oid);
            catalogue.by_oid.insert(*oid, relation);
            catalogue.columns.insert(*oid, columns.iter().map(|&column| column.to_owned()).collect());
        }
        for (relation, number, column, tag) in tags {
            catalogue.add_tag(*relation, *number, column, Arc::from(*tag));
        }
        let Self { columns, tagged, .. } = &mut catalogue;
        columns.retain(|relation, _| tagged.contains_key(relation));
        catalogue.derive(views, &[]);
        catalogue.user_functions = functions.iter().map(|&name| name.to_owned()).collect();
        catalogue
    }

    /// Distinguishes snapshots of this process.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// Whether the gateway's login is a superuser of this server.
    pub fn is_superuser(&self) -> bool {
        self.superuser
    }

    /// The relation that `name` means, as the server resolves it: in `schema` where given, else along `search_path`.
    pub fn resolve(&self, schema: Option<&str>, name: &str, search_path: &[String]) -> Option<&Relation> {
        let candidates = self.by_name.get(name)?;
        let in_schema = |wanted: &str| {
            candidates.iter().filter_map(|oid| self.by_oid.get(oid)).find(|relation| &*relation.schema == wanted)
        };
        match schema {
            Some(schema) => in_schema(schema),
            None => search_path.iter().find_map(|schema| in_schema(schema)),
        }
    }

    /// Whether the snapshot knows the relation with this object id.
    pub fn knows(&self, oid: u32) -> bool {
        self.by_oid.contains_key(&oid)
    }

    /// The tagged columns of a relation.
    pub fn tags(&self, oid: u32) -> &[TaggedColumn] {
        self.tagged.get(&oid).map_or(&[], Vec::as_slice)
    }

    /// Every column name of a relation that has tagged ones; empty for others.
    pub fn columns(&self, oid: u32) -> BTreeSet<String> {
        self.columns.get(&oid).cloned().unwrap_or_default()
    }

    /// Tags that a column of this name carries anywhere in the database.
    pub fn tags_of_name<'catalogue>(&'catalogue self, column: &str) -> impl Iterator<Item = &'catalogue Arc<str>> {
        let column = column.to_owned();
        self.tagged.values().flatten().filter(move |tagged| *tagged.name == column).map(|tagged| &tagged.tag)
    }

    /// The tags of one column, one entry each.
    pub fn tags_at(&self, oid: u32, number: i16) -> impl Iterator<Item = &TaggedColumn> {
        self.tags(oid).iter().filter(move |tagged| tagged.number == number)
    }

    /// The tags that a view shows, through however many views.
    pub fn derived_tags(&self, oid: u32) -> Option<&BTreeSet<Arc<str>>> {
        self.derived.get(&oid)
    }

    /// Whether any column is tagged.
    pub fn has_tags(&self) -> bool {
        !self.tagged.is_empty()
    }

    /// Every tag that some column of this database carries.
    pub fn all_tags(&self) -> BTreeSet<Arc<str>> {
        self.tagged.values().flatten().map(|tagged| Arc::clone(&tagged.tag)).collect()
    }

    /// Whether any schema but `pg_catalog` has a function or operator of this name, so that it may not mean a built-in one.
    pub fn is_user_function(&self, name: &str) -> bool {
        self.user_functions.contains(name)
    }

    /// Relations and their tags by name, for tests and for `hoop classify`.
    pub fn tagged_relations(&self) -> BTreeMap<String, Vec<&TaggedColumn>> {
        let of = |oid: &u32| self.by_oid.get(oid).map(|r| format!("{}.{}", r.schema, r.name));
        self.tagged.iter().filter_map(|(oid, columns)| Some((of(oid)?, columns.iter().collect()))).collect()
    }
}

fn reason(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), |db| format!("{} ({})", db.message(), db.code().code()))
}

const SUPERUSER: &str = "select rolsuper from pg_catalog.pg_roles where rolname = current_user";

const RELATIONS: &str = "select c.oid, n.nspname::text, c.relname::text from pg_catalog.pg_class c \
     join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
     where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and n.nspname !~ '^pg_(toast|temp)'";

const COLUMNS: &str = "select c.oid, n.nspname::text, c.relname::text, a.attnum, a.attname::text \
     from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid \
     join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
     where c.relkind in ('r', 'p', 'm', 'f') and a.attnum > 0 and not a.attisdropped \
     and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'";

const INHERITED_COLUMNS: &str = "with relatives as (\
       select inhrelid as relation, inhparent as relative from pg_catalog.pg_inherits \
       union all select inhparent, inhrelid from pg_catalog.pg_inherits) \
     select r.relation, a.attnum, a.attname::text, r.relative from relatives r \
     join pg_catalog.pg_attribute a on a.attrelid = r.relation and a.attnum > 0 and not a.attisdropped";

const FUNCTIONS: &str = "select distinct p.proname::text from pg_catalog.pg_proc p \
     join pg_catalog.pg_namespace n on n.oid = p.pronamespace \
     where n.nspname not in ('pg_catalog', 'information_schema') \
     union select o.oprname::text from pg_catalog.pg_operator o \
     join pg_catalog.pg_namespace n on n.oid = o.oprnamespace \
     where n.nspname not in ('pg_catalog', 'information_schema') \
     and not exists (select from pg_catalog.pg_depend d where d.objid = o.oid \
       and d.classid = 'pg_catalog.pg_operator'::regclass and d.deptype = 'e' \
       and exists (select from pg_catalog.pg_operator b where b.oprname = o.oprname \
         and b.oprnamespace = 'pg_catalog'::regnamespace))";

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

#[cfg(test)]
mod tests;
