//! Routines that are not the server's own: functions, procedures, aggregates, the functions behind operators and
//! casts, and those that event triggers run. Which of them a name may mean along a search path.
//!
//! Those of extensions count too: they are not in the shipped list of safe functions, so a policy permits them by
//! name. What runs them without being named in a statement is in `hooks`.

use std::{collections::HashMap, sync::Arc};

use tokio_postgres::{Client, Error, Row};

use super::{Catalogue, CatalogueError};

/// The most routines, operators and casts that a snapshot holds.
const MAX_ROUTINES: usize = 200_000;

/// What a routine promised to do when it was made. Only a promise: nothing checks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Volatility {
    /// The same for the same arguments, forever: the planner runs it.
    Immutable,
    /// The same within one statement: the planner runs it to estimate.
    Stable,
    /// Anything.
    Volatile,
}

/// A routine that is not one of the server's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routine {
    /// The schema in which its name, or its operator's, is found.
    pub found_in: Arc<str>,
    /// Its own schema.
    pub schema: Arc<str>,
    /// Its own name.
    pub name: Arc<str>,
    /// What it promises.
    pub volatility: Volatility,
    /// Whether it runs with the rights of its owner rather than of its caller.
    pub is_definer: bool,
    /// Whether an extension brought it.
    pub of_extension: bool,
}

/// A cast whose function is not one of the server's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cast {
    /// The object id of the type that is cast.
    pub source: u32,
    /// The object id of the type that comes out.
    pub target: u32,
    /// Names of both, without schema.
    pub names: [Arc<str>; 2],
    /// Whether an expression or an assignment uses it without naming it.
    pub is_implicit: bool,
    /// The function's schema and name.
    pub function: (Arc<str>, Arc<str>),
}

/// Everything that is known of routines.
#[derive(Debug, Clone, Default)]
pub(super) struct Routines {
    pub(super) by_name: HashMap<Arc<str>, Vec<Routine>>,
    pub(super) casts: Vec<Cast>,
    pub(super) on_definition: Vec<(Arc<str>, Arc<str>)>,
}

/// What the server says of routines.
pub(super) struct RoutineRows {
    routines: Vec<Row>,
    casts: Vec<Row>,
    event_triggers: Vec<Row>,
}

pub(super) async fn read(client: &Client) -> Result<RoutineRows, Error> {
    let (routines, casts, event_triggers) =
        tokio::try_join!(client.query(ROUTINES, &[]), client.query(CASTS, &[]), client.query(EVENT_TRIGGERS, &[]))?;
    Ok(RoutineRows { routines, casts, event_triggers })
}

impl Catalogue {
    pub(super) fn load_routines(&mut self, rows: &RoutineRows) -> Result<(), CatalogueError> {
        if rows.routines.len() > MAX_ROUTINES {
            return Err(CatalogueError::TooManyRoutines);
        }
        for row in &rows.routines {
            let volatility = match row.try_get::<_, &str>(4)? {
                "i" => Volatility::Immutable,
                "s" => Volatility::Stable,
                _ => Volatility::Volatile,
            };
            self.add_routine(
                Arc::from(row.try_get::<_, &str>(1)?),
                Routine {
                    found_in: Arc::from(row.try_get::<_, &str>(0)?),
                    schema: Arc::from(row.try_get::<_, &str>(2)?),
                    name: Arc::from(row.try_get::<_, &str>(3)?),
                    volatility,
                    is_definer: row.try_get::<_, bool>(5)?,
                    of_extension: row.try_get::<_, bool>(6)?,
                },
            );
        }
        for row in &rows.casts {
            self.routines.casts.push(Cast {
                source: row.try_get::<_, u32>(0)?,
                target: row.try_get::<_, u32>(1)?,
                names: [Arc::from(row.try_get::<_, &str>(2)?), Arc::from(row.try_get::<_, &str>(3)?)],
                is_implicit: row.try_get::<_, bool>(4)?,
                function: (Arc::from(row.try_get::<_, &str>(5)?), Arc::from(row.try_get::<_, &str>(6)?)),
            });
        }
        for row in &rows.event_triggers {
            let function = (Arc::from(row.try_get::<_, &str>(0)?), Arc::from(row.try_get::<_, &str>(1)?));
            self.routines.on_definition.push(function);
        }
        Ok(())
    }

    pub(super) fn add_routine(&mut self, named: Arc<str>, routine: Routine) {
        let others = self.routines.by_name.entry(named).or_default();
        // Overloads of one name have one name in policies: the worst of each fact is kept.
        match others.iter_mut().find(|other| {
            (&other.found_in, &other.schema, &other.name) == (&routine.found_in, &routine.schema, &routine.name)
        }) {
            Some(other) => {
                other.is_definer |= routine.is_definer;
                other.of_extension &= routine.of_extension;
                if routine.volatility != Volatility::Immutable {
                    other.volatility = routine.volatility;
                }
            }
            None => others.push(routine),
        }
    }

    /// The routines that are not the server's own which a function's or operator's name may mean: in `schema` where it
    /// is given, else in every schema of the search path, since the best match of argument types wins and not the
    /// first schema.
    pub fn routines<'found>(
        &'found self,
        schema: Option<&'found str>,
        name: &str,
        search_path: &'found [String],
    ) -> impl Iterator<Item = &'found Routine> {
        let named = self.routines.by_name.get(name).map_or(&[][..], Vec::as_slice);
        named.iter().filter(move |routine| match schema {
            Some(schema) => *routine.found_in == *schema,
            None => search_path.iter().any(|schema| *routine.found_in == **schema),
        })
    }

    /// Whether the session's open transaction made a function or operator of this name: which, is not known.
    pub fn is_user_function(&self, name: &str) -> bool {
        self.user_functions.contains(name)
    }

    /// Whether the session's open transaction made functions, which triggers that it made too may run.
    pub fn has_unseen_functions(&self) -> bool {
        !self.user_functions.is_empty()
    }

    /// A routine by its own schema and name.
    pub fn routine(&self, schema: &str, name: &str) -> Option<&Routine> {
        self.routines.by_name.get(name)?.iter().find(|routine| *routine.schema == *schema && *routine.name == *name)
    }

    /// Casts that run functions of users; those of extensions are left out, as conversions of their own types.
    pub fn casts(&self) -> &[Cast] {
        &self.routines.casts
    }

    /// Functions, by schema and name, that event triggers run at definitions.
    pub fn event_triggers(&self) -> &[(Arc<str>, Arc<str>)] {
        &self.routines.on_definition
    }
}

/// Functions by name, and operators by theirs with the function behind them. An operator of an extension whose name
/// the server has too is the extension's way of comparing its own types, and left out.
const ROUTINES: &str = "with extended as (\
       select d.classid, d.objid from pg_catalog.pg_depend d where d.deptype = 'e' \
       and d.classid in ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass)), \
     named as (\
       select n.nspname as found_in, p.proname as named, p.oid as routine \
       from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace \
       where n.nspname not in ('pg_catalog', 'information_schema') \
       union all \
       select n.nspname, o.oprname, o.oprcode::oid \
       from pg_catalog.pg_operator o join pg_catalog.pg_namespace n on n.oid = o.oprnamespace \
       where n.nspname not in ('pg_catalog', 'information_schema') and o.oprcode <> 0 \
       and not (exists (select from extended e where e.objid = o.oid \
           and e.classid = 'pg_catalog.pg_operator'::regclass) \
         and exists (select from pg_catalog.pg_operator b where b.oprname = o.oprname \
           and b.oprnamespace = 'pg_catalog'::regnamespace))) \
     select m.found_in::text, m.named::text, n.nspname::text, p.proname::text, p.provolatile::text, p.prosecdef, \
       exists (select from extended e where e.objid = p.oid and e.classid = 'pg_catalog.pg_proc'::regclass) \
     from named m join pg_catalog.pg_proc p on p.oid = m.routine \
     join pg_catalog.pg_namespace n on n.oid = p.pronamespace";

const CASTS: &str = "select c.castsource, c.casttarget, s.typname::text, t.typname::text, c.castcontext in ('i', 'a'), \
       n.nspname::text, p.proname::text \
     from pg_catalog.pg_cast c join pg_catalog.pg_proc p on p.oid = c.castfunc \
     join pg_catalog.pg_namespace n on n.oid = p.pronamespace \
     join pg_catalog.pg_type s on s.oid = c.castsource join pg_catalog.pg_type t on t.oid = c.casttarget \
     where n.nspname <> 'pg_catalog' and not exists (select from pg_catalog.pg_depend d where d.objid = c.oid \
       and d.classid = 'pg_catalog.pg_cast'::regclass and d.deptype = 'e')";

const EVENT_TRIGGERS: &str = "select n.nspname::text, p.proname::text from pg_catalog.pg_event_trigger e \
     join pg_catalog.pg_proc p on p.oid = e.evtfoid join pg_catalog.pg_namespace n on n.oid = p.pronamespace \
     where e.evtenabled <> 'D'";
