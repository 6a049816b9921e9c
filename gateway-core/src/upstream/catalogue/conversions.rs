//! Which types of users run code when a value becomes one of them: domains whose checks call functions, base types of
//! users, and what is made of those. An enum, a range or a plain composite runs only the server's own code.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use tokio_postgres::{Client, Error, Row};

use super::{Catalogue, CatalogueError};

/// What a cast to a type runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conversion {
    /// Nothing but the server's own code.
    Plain,
    /// Code of users.
    RunsCode,
    /// The snapshot does not know the type.
    Unknown,
}

/// The types of users by name.
#[derive(Debug, Clone, Default)]
pub(super) struct Conversions {
    by_name: HashMap<Arc<str>, Vec<(Arc<str>, u32)>>,
    coded: HashSet<u32>,
    known: HashSet<u32>,
}

/// Types below this object id are the server's own.
const FIRST_USER_OID: u32 = 16384;

/// What the server says of types.
pub(super) struct ConversionRows {
    types: Vec<Row>,
    coded: Vec<Row>,
}

pub(super) async fn read(client: &Client) -> Result<ConversionRows, Error> {
    let (types, coded) = tokio::try_join!(client.query(TYPES, &[]), client.query(CODED, &[]))?;
    Ok(ConversionRows { types, coded })
}

impl Catalogue {
    pub(super) fn load_conversions(&mut self, rows: &ConversionRows) -> Result<(), CatalogueError> {
        for row in &rows.types {
            self.add_type(row.try_get::<_, u32>(0)?, row.try_get::<_, &str>(1)?, row.try_get::<_, &str>(2)?, false);
        }
        for row in &rows.coded {
            self.conversions.coded.insert(row.try_get::<_, u32>(0)?);
        }
        Ok(())
    }

    pub(super) fn add_type(&mut self, oid: u32, schema: &str, name: &str, is_coded: bool) {
        self.conversions.by_name.entry(Arc::from(name)).or_default().push((Arc::from(schema), oid));
        self.conversions.known.insert(oid);
        if is_coded {
            self.conversions.coded.insert(oid);
        }
    }

    /// What a cast to the type of this name runs; the server's own types are not looked at.
    pub fn conversion(&self, schema: Option<&str>, name: &str, search_path: &[String]) -> Conversion {
        let Some(named) = self.conversions.by_name.get(name) else { return Conversion::Unknown };
        let in_schema = |wanted: &str| named.iter().find(|(schema, _)| &**schema == wanted).map(|(_, oid)| *oid);
        let found = match schema {
            Some(schema) => in_schema(schema),
            None => search_path.iter().find_map(|schema| in_schema(schema)),
        };
        match found {
            Some(oid) if self.conversions.coded.contains(&oid) => Conversion::RunsCode,
            Some(_) => Conversion::Plain,
            None => Conversion::Unknown,
        }
    }

    /// Whether values of the type with this object id are read, compared and written by the server's own code only.
    pub fn is_plain_type(&self, oid: u32) -> bool {
        oid < FIRST_USER_OID || (self.conversions.known.contains(&oid) && !self.conversions.coded.contains(&oid))
    }
}

/// Types that users made, and the row types of their tables. Arrays are written as their elements.
const TYPES: &str = "select t.oid, n.nspname::text, t.typname::text from pg_catalog.pg_type t \
     join pg_catalog.pg_namespace n on n.oid = t.typnamespace \
     where t.oid >= 16384 and t.typelem = 0 and n.nspname !~ '^pg_(toast|temp)'";

const CODED: &str = "with recursive coded(oid) as (\
       select c.contypid from pg_catalog.pg_constraint c, \
         lateral pg_catalog.regexp_matches(c.conbin::text, ':(?:funcid|opfuncid) (\\d+)', 'g') as m(found), \
         pg_catalog.pg_proc p \
         where c.contypid >= 16384 and p.oid = (m.found)[1]::oid and (p.oid >= 16384 or p.provolatile = 'v') \
       union select t.oid from pg_catalog.pg_type t where t.oid >= 16384 and t.typtype = 'b' and t.typelem = 0 \
         and not exists (select from pg_catalog.pg_depend d where d.objid = t.oid \
           and d.classid = 'pg_catalog.pg_type'::regclass and d.deptype = 'e') \
       union select made.oid from coded c, lateral (\
         select t.oid from pg_catalog.pg_type t where t.typbasetype = c.oid or t.typelem = c.oid \
         union all select r.reltype from pg_catalog.pg_attribute a \
           join pg_catalog.pg_class r on r.oid = a.attrelid where a.atttypid = c.oid and r.reltype <> 0) made) \
     select oid from coded";
