//! Which names mean code of users: functions, and operators that are not an extension's own.

use tokio_postgres::Client;

use super::{Catalogue, CatalogueError};

impl Catalogue {
    pub(super) async fn load_routines(&mut self, client: &Client) -> Result<(), CatalogueError> {
        for row in client.query(FUNCTIONS, &[]).await? {
            self.user_functions.insert(row.try_get::<_, String>(0)?);
        }
        Ok(())
    }

    /// Whether any schema but `pg_catalog` has a function or operator of this name, so that it may not mean a built-in one.
    pub fn is_user_function(&self, name: &str) -> bool {
        self.user_functions.contains(name)
    }
}

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
