//! What names mean in this session, in the server's own words: role, schemas, prepared statements, cursors, relations.
//!
//! Says what to ask the session's backend and understands what it answers. Pure. Asked by `reading`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

use super::through::SqlNames;
use crate::{
    protocol::postgres::message::{Text, backend::DataRow},
    upstream::{Catalogue, Local, LocalColumn, LocalRelation},
};

/// Role, schemas, prepared statements, cursors, and what temporary tables there are.
///
/// Every function, operator and type is named with its schema: the client chose the search path.
macro_rules! names {
    ($relations:literal) => {
        concat!(
            "select '1'::pg_catalog.text, current_user::pg_catalog.text, null::pg_catalog.text, null::pg_catalog.text \
             union all select '2', w.s::pg_catalog.text, w.n::pg_catalog.text, null \
             from pg_catalog.unnest(pg_catalog.current_schemas(true)) with ordinality w(s, n) \
             union all select '3', p.name, \
             case when p.from_sql then pg_catalog.left(p.statement, 262144) end, \
             p.parameter_types::pg_catalog.oid[]::pg_catalog.text from pg_catalog.pg_prepared_statements p \
             union all select '4', c.name, pg_catalog.left(c.statement, 262144), null from pg_catalog.pg_cursors c ",
            $relations
        )
    };
}

/// What is read while no transaction of the session changed the catalogue.
pub(super) const NAMES: &str = names!(
    "union all select '5', c.oid::pg_catalog.text, c.relname::pg_catalog.text, pg_catalog.concat(c.relkind, n.nspname) \
     from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) c.relnamespace \
     where c.relnamespace operator(pg_catalog.=) pg_catalog.pg_my_temp_schema() \
     and c.relkind operator(pg_catalog.<>) 'i'::pg_catalog.\"char\" \
     union all select '6', a.attrelid::pg_catalog.text, a.attname::pg_catalog.text, pg_catalog.concat(a.attnum, ' ', a.atttypid) \
     from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid operator(pg_catalog.=) a.attrelid \
     where c.relnamespace operator(pg_catalog.=) pg_catalog.pg_my_temp_schema() \
     and a.attnum operator(pg_catalog.>) 0 and not a.attisdropped \
     and c.relkind operator(pg_catalog.<>) 'i'::pg_catalog.\"char\""
);

/// What is read inside a transaction that changed the catalogue: every relation of users, and what of the rest this
/// transaction, or one not long ago, made.
pub(super) const NAMES_IN_TRANSACTION: &str = names!(
    "union all select '5', c.oid::pg_catalog.text, c.relname::pg_catalog.text, pg_catalog.concat(c.relkind, n.nspname) \
     from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) c.relnamespace \
     where c.relkind operator(pg_catalog.<>) all (array['i', 'I', 't', 'c']::pg_catalog.\"char\"[]) \
     and n.nspname operator(pg_catalog.<>) all (array['pg_catalog', 'information_schema']::pg_catalog.name[]) \
     and (n.nspname operator(pg_catalog.!~) '^pg_(toast|temp)'::pg_catalog.text \
       or n.oid operator(pg_catalog.=) pg_catalog.pg_my_temp_schema()) \
     union all select '6', a.attrelid::pg_catalog.text, a.attname::pg_catalog.text, pg_catalog.concat(a.attnum, ' ', a.atttypid) \
     from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid operator(pg_catalog.=) a.attrelid \
     where a.attnum operator(pg_catalog.>) 0 and not a.attisdropped \
     and c.relkind operator(pg_catalog.<>) all (array['i', 'I', 't', 'c']::pg_catalog.\"char\"[]) \
     and (c.relnamespace operator(pg_catalog.=) pg_catalog.pg_my_temp_schema() \
       or exists (select from pg_catalog.pg_attribute f where f.attrelid operator(pg_catalog.=) c.oid \
         and pg_catalog.age(f.xmin) operator(pg_catalog.<=) pg_catalog.age((pg_catalog.txid_snapshot_xmin(\
           pg_catalog.txid_current_snapshot()) operator(pg_catalog.%) 4294967296)::pg_catalog.text::pg_catalog.xid))) \
     union all select '7', p.proname::pg_catalog.text, null, null from pg_catalog.pg_proc p \
     where pg_catalog.age(p.xmin) operator(pg_catalog.<=) pg_catalog.age((pg_catalog.txid_snapshot_xmin(\
       pg_catalog.txid_current_snapshot()) operator(pg_catalog.%) 4294967296)::pg_catalog.text::pg_catalog.xid) \
     union all select '7', o.oprname::pg_catalog.text, null, null from pg_catalog.pg_operator o \
     where pg_catalog.age(o.xmin) operator(pg_catalog.<=) pg_catalog.age((pg_catalog.txid_snapshot_xmin(\
       pg_catalog.txid_current_snapshot()) operator(pg_catalog.%) 4294967296)::pg_catalog.text::pg_catalog.xid)"
);

/// More than this of an answer is not kept: what a session's names mean is then not known.
const MAX_ANSWER_BYTES: usize = 32 << 20;

/// Longer texts of prepared statements and cursors are cut by the query, so they are not known.
const MAX_TEXT_CHARACTERS: usize = 262_144;

/// What the server said.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) role: String,
    pub(super) path: Vec<String>,
    /// Prepared statements: the text of the PREPARE where it was one, and the types of its parameters.
    pub(super) statements: BTreeMap<String, (Option<String>, Vec<u32>)>,
    /// Open cursors and named portals, with the whole text that made each.
    pub(super) cursors: BTreeMap<String, Option<String>>,
    pub(super) local: Local,
}

/// An answer under way.
#[derive(Debug, Default)]
pub(super) struct Answer {
    names: Names,
    bytes: usize,
    malformed: bool,
}

impl Answer {
    pub(super) fn new(is_complete: bool) -> Self {
        let local = Local { is_complete, ..Local::default() };
        Self { names: Names { local, ..Names::default() }, ..Self::default() }
    }

    /// Takes one row.
    pub(super) fn row(&mut self, body: &bytes::Bytes) {
        self.bytes = self.bytes.saturating_add(body.len());
        if self.bytes > MAX_ANSWER_BYTES || self.take(body).is_none() {
            self.malformed = true;
        }
    }

    fn take(&mut self, body: &bytes::Bytes) -> Option<()> {
        let mut row = DataRow::new(body).ok()?;
        let mut cell =
            || Some(row.next_cell().ok()??.and_then(|cell| std::str::from_utf8(cell).ok()).map(str::to_owned));
        let (kind, first, second, third) = (cell()??, cell()??, cell()?, cell()?);
        let names = &mut self.names;
        match kind.as_str() {
            "1" => names.role = first,
            "2" => names.path.push(first),
            "3" => drop(names.statements.insert(first, (whole(second), oids(&third?)))),
            "4" => drop(names.cursors.insert(first, whole(second))),
            "5" => {
                let (oid, name, third) = (first.parse().ok()?, second?, third?);
                let (kind, schema) = third.split_at_checked(1)?;
                names.local.relations.push(LocalRelation::new(oid, schema, &name, kind));
            }
            "6" => {
                let (relation, name, third) = (first.parse().ok()?, second?, third?);
                let (number, type_oid) = third.split_once(' ')?;
                let (number, type_oid) = (number.parse().ok()?, type_oid.parse().ok()?);
                names.local.columns.push(LocalColumn { relation, number, name, type_oid });
            }
            "7" => names.local.functions.push(first),
            _ => return None,
        }
        Some(())
    }

    /// Everything that was said; `None` where it cannot be all.
    pub(super) fn finish(self) -> Option<Names> {
        if self.malformed || self.names.role.is_empty() {
            return None;
        }
        Some(self.names)
    }
}

/// A text that was not cut.
fn whole(text: Option<String>) -> Option<String> {
    text.filter(|text| text.chars().count() < MAX_TEXT_CHARACTERS)
}

/// `{23,25}`.
fn oids(array: &str) -> Vec<u32> {
    array.trim_matches(['{', '}']).split(',').filter_map(|oid| oid.parse().ok()).collect()
}

/// How current what a session believes of its names is.
#[derive(Debug)]
pub(super) struct Meaning {
    /// Something was sent after which the backend must be asked again.
    pub(super) unread: bool,
    /// Such a thing was sent in the open transaction, whose end may undo it.
    touched: bool,
    /// Counts what may have changed names: what was bound under another number may mean something else by now.
    pub(super) epoch: u64,
    /// The shared snapshot that the session's own view is laid over.
    pub(super) base: Arc<Catalogue>,
    /// What the backend said last.
    pub(super) local: Local,
    /// Prepared statements and cursors that SQL made.
    pub(super) sql: SqlNames,
    /// Cursors of other making, such as those of functions.
    pub(super) other_cursors: BTreeSet<String>,
    /// The generation of the catalogue, and the moment, at which it was asked last.
    pub(super) read: (u64, Instant),
    /// The read that is under way.
    pub(super) answer: Option<Answer>,
    /// The SQLSTATE with which the last read failed, until the message that waits for it is told.
    pub(super) failed: Option<String>,
    /// The statement and portal that reads go through; no client knows the name.
    pub(super) name: Text,
}

impl Meaning {
    pub(super) fn new(base: Arc<Catalogue>, generation: u64, name: Text) -> Self {
        let read = (generation, Instant::now());
        Self {
            unread: false,
            touched: false,
            epoch: 0,
            base,
            local: Local::default(),
            sql: SqlNames::default(),
            other_cursors: BTreeSet::new(),
            read,
            answer: None,
            failed: None,
            name,
        }
    }

    /// A statement was sent that may change what names mean.
    pub(super) fn touch(&mut self) {
        (self.unread, self.touched) = (true, true);
        self.epoch += 1;
    }

    /// Whether the server said that SQL, or the code of a function, opened a cursor of this name.
    pub(super) fn has_cursor(&self, name: &Text) -> bool {
        self.sql.has_cursor(name) || self.other_cursors.contains(name.as_str())
    }

    /// Whether the end of the open transaction may change what names mean.
    pub(super) fn is_touched(&self) -> bool {
        self.touched
    }

    /// A statement was sent that may undo changes of the open transaction.
    pub(super) fn undone(&mut self) {
        self.unread |= self.touched;
        self.epoch += u64::from(self.touched);
    }

    /// A transaction ended: SET LOCAL is over, and what was rolled back is undone.
    pub(super) fn transaction_ended(&mut self) {
        self.undone();
        self.touched = false;
    }
}

#[cfg(test)]
mod tests {
    use bytes::{BufMut as _, Bytes, BytesMut};

    use super::*;

    fn row(cells: [Option<&str>; 4]) -> Bytes {
        let mut out = BytesMut::new();
        out.put_i16(4);
        for cell in cells {
            match cell {
                Some(text) => {
                    out.put_i32(i32::try_from(text.len()).unwrap());
                    out.put_slice(text.as_bytes());
                }
                None => out.put_i32(-1),
            }
        }
        out.freeze()
    }

    #[test]
    fn an_answer_is_read_row_by_row() {
        let mut answer = Answer::new(true);
        answer.row(&row([Some("1"), Some("app"), None, None]));
        answer.row(&row([Some("2"), Some("pg_catalog"), Some("1"), None]));
        answer.row(&row([Some("2"), Some("public"), Some("2"), None]));
        answer.row(&row([Some("3"), Some("p"), Some("prepare p as select $1"), Some("{23,25}")]));
        answer.row(&row([Some("4"), Some("c"), Some("declare c cursor for select 1"), None]));
        answer.row(&row([Some("5"), Some("7"), Some("v"), Some("vpublic")]));
        answer.row(&row([Some("6"), Some("7"), Some("a"), Some("1 23")]));
        let names = answer.finish().unwrap();
        assert_eq!((names.role.as_str(), names.path.len()), ("app", 2));
        assert_eq!(names.statements["p"], (Some("prepare p as select $1".to_owned()), vec![23, 25]));
        assert!(names.local.is_complete && names.local.relations[0].is_view() && names.local.columns[0].number == 1);
    }

    #[test]
    fn an_answer_that_is_not_whole_is_none() {
        assert_eq!(Answer::new(false).finish(), None);
        let mut strange = Answer::new(false);
        strange.row(&row([Some("1"), Some("app"), None, None]));
        strange.row(&row([Some("9"), Some("x"), None, None]));
        assert_eq!(strange.finish(), None);
        let mut cut = Answer::new(false);
        cut.row(&Bytes::from_static(b"\0\x04\0"));
        assert_eq!(cut.finish(), None);
        assert_eq!(whole(Some("x".repeat(MAX_TEXT_CHARACTERS))), None);
    }

    #[test]
    fn the_queries_name_a_schema_with_every_function_and_operator() {
        for query in [NAMES, NAMES_IN_TRANSACTION] {
            let statements = crate::sql::inspect(query).expect("the grammar takes it");
            let [statement] = statements.as_slice() else { panic!("one statement") };
            for function in &statement.functions {
                assert_eq!(function.schema.as_deref(), Some("pg_catalog"), "{function}");
            }
            let bare: Vec<_> = statement
                .attributes
                .iter()
                .filter(|name| !name.chars().all(|c| c.is_alphanumeric() || c == '_'))
                .collect();
            assert!(bare.is_empty(), "{bare:?}");
        }
    }

    #[test]
    fn the_end_of_a_transaction_asks_again_where_something_was_touched() {
        let mut meaning = Meaning::new(Arc::default(), 0, Text::default());
        meaning.transaction_ended();
        meaning.undone();
        assert!(!meaning.unread);
        meaning.touch();
        meaning.unread = false;
        meaning.undone();
        assert!(meaning.unread);
        meaning.unread = false;
        meaning.transaction_ended();
        assert!(meaning.unread && !meaning.touched);
    }
}
