//! What runs without being named in a statement: triggers, rules, and the functions in views, column defaults,
//! generated columns, checks, indexes and row-level policies.
//!
//! The rule: a statement that touches a relation is taken to call every routine that its relation may run for that
//! event, however far away: through views, partitions, and the cascades of foreign keys. A policy permits such a call
//! by the routine's name. A rule (not the one that makes a view) adds statements that are not read: it is unknown.
//!
//! The functions are found in the server's own parsed expressions, by object id, so no name is resolved twice.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use tokio_postgres::{Client, Error, Row};

use super::{Catalogue, CatalogueError, RelationKind};

/// What may be done to a relation, as a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Events(u8);

impl Events {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Its rows are read.
    pub const READ: Self = Self(1);
    /// Rows are added.
    pub const INSERT: Self = Self(4);
    /// Rows are removed.
    pub const DELETE: Self = Self(8);
    /// Rows are changed.
    pub const UPDATE: Self = Self(16);
    /// Every row is removed at once.
    pub const TRUNCATE: Self = Self(32);
    /// It is analyzed, reindexed or refreshed.
    pub const MAINTAIN: Self = Self(64);
    const EACH: [Self; 6] = [Self::READ, Self::INSERT, Self::DELETE, Self::UPDATE, Self::TRUNCATE, Self::MAINTAIN];
    const ALL: Self = Self(1 | 4 | 8 | 16 | 32 | 64);
    const STORES: Self = Self(4 | 16);

    /// The events of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether some event is in both.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// What a relation runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Runs {
    /// A routine, by schema and name; also one of the server's own that is volatile.
    Routine(Arc<str>, Arc<str>),
    /// The statements of a rule.
    Rule,
    /// Another server.
    Foreign,
}

/// By relation, what it runs at which events.
pub(super) type Hooks = HashMap<u32, BTreeMap<Runs, Events>>;

/// Doing the event to the first relation does these events to the second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach {
    pub(super) from: u32,
    pub(super) event: Events,
    pub(super) to: u32,
    pub(super) events: Events,
}

/// What the server says of stored expressions, triggers and rules.
pub(super) struct HookRows {
    calls: Vec<Row>,
    triggers: Vec<Row>,
    rules: Vec<Row>,
    reaches: Vec<Row>,
}

pub(super) async fn read(client: &Client) -> Result<HookRows, Error> {
    let (calls, triggers, rules, reaches) = tokio::try_join!(
        client.query(CALLS, &[]),
        client.query(TRIGGERS, &[]),
        client.query(RULES, &[]),
        client.query(REACHES, &[])
    )?;
    Ok(HookRows { calls, triggers, rules, reaches })
}

impl Catalogue {
    pub(super) fn load_hooks(&mut self, rows: &HookRows) -> Result<(), CatalogueError> {
        for row in &rows.calls {
            let (relation, what) = (row.try_get::<_, u32>(0)?, row.try_get::<_, &str>(1)?);
            if row.try_get::<_, &str>(2)? != "pg_catalog" {
                self.planned_code.insert(relation);
            }
            let events = self.events_of(relation, what);
            let routine = Runs::Routine(Arc::from(row.try_get::<_, &str>(2)?), Arc::from(row.try_get::<_, &str>(3)?));
            self.add_hook(relation, routine, events);
        }
        for row in &rows.triggers {
            let bits = u8::try_from(row.try_get::<_, i16>(1)? & 0b11_1100).unwrap_or(Events::ALL.0);
            let routine = Runs::Routine(Arc::from(row.try_get::<_, &str>(2)?), Arc::from(row.try_get::<_, &str>(3)?));
            self.add_hook(row.try_get::<_, u32>(0)?, routine, Events(bits));
        }
        for row in &rows.rules {
            let events = match row.try_get::<_, &str>(1)? {
                "2" => Events::UPDATE,
                "3" => Events::INSERT,
                "4" => Events::DELETE,
                _ => Events::ALL,
            };
            self.add_hook(row.try_get::<_, u32>(0)?, Runs::Rule, events);
        }
        let foreign: Vec<u32> =
            self.by_oid.values().filter(|r| r.kind == RelationKind::Foreign).map(|relation| relation.oid).collect();
        for relation in foreign {
            self.planned_code.insert(relation);
            self.add_hook(relation, Runs::Foreign, Events::ALL);
        }
        if !self.hooks.is_empty() {
            let reaches = self.reaches(&rows.reaches)?;
            self.spread(&reaches);
        }
        Ok(())
    }

    /// At which events an expression of this kind is evaluated.
    fn events_of(&self, relation: u32, what: &str) -> Events {
        match what {
            "view" if self.relation(relation).is_some_and(|r| r.kind == RelationKind::MaterializedView) => {
                Events::MAINTAIN
            }
            "default" | "check" => Events::STORES,
            "index" => Events::STORES.and(Events::MAINTAIN),
            "statistics" => Events::MAINTAIN,
            // A view, a row-level policy, the condition of a trigger, and whatever else.
            _ => Events::ALL,
        }
    }

    fn reaches(&self, rows: &[Row]) -> Result<Vec<Reach>, CatalogueError> {
        let mut reaches = Vec::new();
        for row in rows {
            let (from, to, how) = (row.try_get::<_, u32>(0)?, row.try_get::<_, u32>(1)?, row.try_get::<_, &str>(2)?);
            let mut reach = |event, events| reaches.push(Reach { from, event, to, events });
            match how {
                "view" if self.relation(from).is_some_and(|r| r.kind == RelationKind::MaterializedView) => {
                    reach(Events::MAINTAIN, Events::READ);
                }
                "view" => Events::EACH.into_iter().for_each(|event| reach(event, event.and(Events::READ))),
                "part" => Events::EACH.into_iter().for_each(|event| reach(event, event)),
                _ => {
                    let (on_delete, on_update) = how.split_at(how.len().min(1));
                    match on_delete {
                        "c" => reach(Events::DELETE, Events::DELETE),
                        "n" | "d" => reach(Events::DELETE, Events::UPDATE),
                        _ => {}
                    }
                    if matches!(on_update, "c" | "n" | "d") {
                        reach(Events::UPDATE, Events::UPDATE);
                    }
                    reach(Events::TRUNCATE, Events::TRUNCATE);
                }
            }
        }
        Ok(reaches)
    }

    pub(super) fn add_hook(&mut self, relation: u32, runs: Runs, events: Events) {
        let known = self.hooks.entry(relation).or_default().entry(runs).or_default();
        *known = known.and(events);
    }

    /// What a relation reaches, it runs, and what is reached is planned too. Ends because events are only added.
    pub(super) fn spread(&mut self, reaches: &[Reach]) {
        loop {
            let mut changed = false;
            for Reach { from, event, to, events } in reaches {
                changed |= self.planned_code.contains(to) && self.planned_code.insert(*from);
                let Some(far) = self.hooks.get(to) else { continue };
                let new: Vec<Runs> =
                    far.iter().filter(|(_, at)| at.meets(*events)).map(|(runs, _)| runs.clone()).collect();
                for runs in new {
                    let near = self.hooks.entry(*from).or_default().entry(runs).or_default();
                    changed |= !near.meets(*event);
                    *near = near.and(*event);
                }
            }
            if !changed {
                return;
            }
        }
    }

    /// What the relation runs when one of these events happens to it.
    pub fn hooks(&self, relation: u32, events: Events) -> impl Iterator<Item = &Runs> {
        let all = self.hooks.get(&relation).into_iter().flatten();
        all.filter(move |(_, at)| at.meets(events)).map(|(runs, _)| runs)
    }

    /// Whether planning a statement on the relation may run code that is not the server's own, or ask another server.
    /// The functions of triggers do not count: the planner never runs them.
    pub fn plans_code(&self, relation: u32) -> bool {
        self.planned_code.contains(&relation)
    }
}

/// Functions in stored expressions, by the object ids in the server's own node trees: those of users, and volatile
/// ones of the server. A sequence's default is not told: an INSERT is a write already.
const CALLS: &str = "with kept(relation, what, tree) as (\
       select r.ev_class, 'view', r.ev_action::text || coalesce(r.ev_qual::text, '') from pg_catalog.pg_rewrite r \
         where r.rulename = '_RETURN' and r.oid >= 16384 \
       union all select d.adrelid, 'default', d.adbin::text from pg_catalog.pg_attrdef d \
       union all select c.conrelid, 'check', c.conbin::text from pg_catalog.pg_constraint c \
         where c.conbin is not null and c.conrelid >= 16384 \
       union all select a.attrelid, 'check', c.conbin::text from pg_catalog.pg_constraint c \
         join pg_catalog.pg_attribute a on a.atttypid = c.contypid and a.attnum > 0 \
         where c.conbin is not null and c.contypid >= 16384 \
       union all select i.indrelid, 'index', coalesce(i.indexprs::text, '') || coalesce(i.indpred::text, '') \
         from pg_catalog.pg_index i where i.indexrelid >= 16384 and (i.indexprs is not null or i.indpred is not null) \
       union all select s.stxrelid, 'statistics', pg_catalog.to_jsonb(s) ->> 'stxexprs' \
         from pg_catalog.pg_statistic_ext s \
       union all select p.polrelid, 'policy', coalesce(p.polqual::text, '') || coalesce(p.polwithcheck::text, '') \
         from pg_catalog.pg_policy p \
       union all select t.partrelid, 'check', t.partexprs::text from pg_catalog.pg_partitioned_table t \
         where t.partexprs is not null \
       union all select t.tgrelid, 'trigger', t.tgqual::text from pg_catalog.pg_trigger t \
         where t.tgqual is not null and not t.tgisinternal and t.tgenabled <> 'D'), \
     called as (select relation, what, (m.found)[1]::oid as routine from kept, \
       lateral pg_catalog.regexp_matches(tree, ':(?:funcid|opfuncid|aggfnoid|winfnoid) (\\d+)', 'g') as m(found)) \
     select distinct c.relation, c.what, n.nspname::text, p.proname::text from called c \
     join pg_catalog.pg_proc p on p.oid = c.routine join pg_catalog.pg_namespace n on n.oid = p.pronamespace \
     where (p.oid >= 16384 or p.provolatile = 'v') and not (c.what = 'default' and p.proname = 'nextval' \
       and p.oid < 16384)";

/// The bits of `tgtype` from 4 to 32 are the events. Internal triggers are those of foreign keys.
const TRIGGERS: &str = "select t.tgrelid, t.tgtype, n.nspname::text, p.proname::text from pg_catalog.pg_trigger t \
     join pg_catalog.pg_proc p on p.oid = t.tgfoid join pg_catalog.pg_namespace n on n.oid = p.pronamespace \
     where not t.tgisinternal and t.tgenabled <> 'D' and n.nspname <> 'pg_catalog'";

const RULES: &str = "select r.ev_class, r.ev_type::text from pg_catalog.pg_rewrite r \
     where r.rulename <> '_RETURN' and r.oid >= 16384 and r.ev_enabled <> 'D'";

const REACHES: &str = "select distinct r.ev_class, d.refobjid, 'view' from pg_catalog.pg_rewrite r \
       join pg_catalog.pg_depend d on d.objid = r.oid and d.classid = 'pg_catalog.pg_rewrite'::regclass \
       and d.refclassid = 'pg_catalog.pg_class'::regclass where d.refobjid <> r.ev_class and r.oid >= 16384 \
     union all select i.inhparent, i.inhrelid, 'part' from pg_catalog.pg_inherits i \
     union all select c.confrelid, c.conrelid, c.confdeltype::text || c.confupdtype::text \
       from pg_catalog.pg_constraint c where c.contype = 'f'";
