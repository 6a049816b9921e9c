//! What lineage knows of columns: values and what they depend on, and the FROM items that are visible.
//!
//! Owns name resolution for lineage, as PostgreSQL's parser does it: innermost level first, columns before whole rows.
//! Conservative where columns are not known: what could be a masked column, or a row that holds one, is.

use super::value::{Origin, Tags, Value};
use crate::sql::RawName;

/// Columns that every relation has beside its own.
const SYSTEM_COLUMNS: [&str; 6] = ["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"];

/// A column of a relation, as the catalogue knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationColumn {
    /// Its name.
    pub name: String,
    /// Where it stands, and its type.
    pub origin: Origin,
    /// What it is tagged with, as far as that counts.
    pub tags: Tags,
    /// Whether its values are made of tagged ones, so that it counts as an expression.
    pub is_made: bool,
}

/// The columns of a relation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RelationColumns {
    /// In the order of `*`.
    pub columns: Vec<RelationColumn>,
    /// Whether there may be others.
    pub is_open: bool,
}

/// One column of a query or of a FROM item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) value: Value,
}

/// A part of a target list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    /// One column.
    One(Column),
    /// Columns of unknown number and order: those that are known, and maybe others, of which none is masked.
    Open(Vec<Column>),
}

/// The outputs of a query or of a FROM item.
pub(super) type Items = Vec<Item>;

/// The columns of a base relation; nothing is known of one that the catalogue does not know.
pub(super) fn of_relation(known: Option<RelationColumns>) -> Items {
    let Some(relation) = known else { return vec![Item::Open(Vec::new())] };
    let columns = relation.columns.into_iter().map(|column| Column {
        value: {
            let value = Value::column(&column.name, column.tags, Some(column.origin));
            if column.is_made { value.made() } else { value }
        },
        name: column.name,
    });
    if relation.is_open { vec![Item::Open(columns.collect())] } else { columns.map(Item::One).collect() }
}

/// Every column that is known by name.
pub(super) fn known(items: &[Item]) -> impl Iterator<Item = &Column> {
    items.iter().flat_map(|item| match item {
        Item::One(column) => std::slice::from_ref(column),
        Item::Open(known) => known.as_slice(),
    })
}

/// Everything masked among the columns, as one made value; clean where there is none.
pub(super) fn whole(items: &[Item]) -> Value {
    let mut row = known(items).fold(Value::clean(), |row, column| row.join(&column.value));
    row.varies = true;
    row.made()
}

pub(super) fn is_masked(items: &[Item]) -> bool {
    known(items).any(|column| column.value.is_masked())
}

pub(super) fn is_open(items: &[Item]) -> bool {
    items.iter().any(|item| matches!(item, Item::Open(_)))
}

fn has(items: &[Item], name: &str) -> bool {
    known(items).any(|column| column.name == name)
}

/// The value of the column of this name, or `None` where there is no such column. Where several have it, or another
/// may, it depends on all of them.
pub(super) fn named(items: &[Item], name: &str) -> Option<Value> {
    let joined = |wanted: &str| {
        let mut found = known(items).filter(|column| column.name == wanted).map(|column| column.value.clone());
        found.next().map(|first| found.fold(first, |all, other| all.join(&other)))
    };
    // A column whose name is not known may have any.
    joined(name).or_else(|| joined("")).or_else(|| is_open(items).then(|| Value::column(name, Tags::new(), None)))
}

/// A FROM item under its alias, for qualified names.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) alias: String,
    pub(super) items: Items,
}

/// The FROM items of one query level.
#[derive(Debug, Default)]
pub(super) struct Level {
    pub(super) entries: Vec<Entry>,
    /// What unqualified names and `*` mean: join columns merged, in the server's order.
    pub(super) columns: Items,
}

impl Level {
    /// What a qualifier stands for here; more than one item only where the server asks for a schema.
    fn aliased(&self, alias: &str) -> Option<Items> {
        let mut found = self.entries.iter().filter(|entry| entry.alias == alias);
        let first = found.next()?.items.clone();
        let others: Vec<&Entry> = found.collect();
        if others.is_empty() {
            return Some(first);
        }
        let all = others.into_iter().fold(first, |mut all, entry| {
            all.extend(entry.items.iter().cloned());
            all
        });
        Some(vec![Item::Open(known(&all).cloned().collect())])
    }
}

/// Resolves a column reference without a star.
pub(super) fn resolve(levels: &[Level], parts: &[&str]) -> Value {
    let mut value = match parts {
        [] => everything(levels),
        [name] => unqualified(levels, name),
        [.., qualifier, name] => qualified(levels, qualifier, name),
    };
    value.varies |= !value.is_masked();
    value
}

/// What a name could be that nothing explains.
fn everything(levels: &[Level]) -> Value {
    let entries = levels.iter().flat_map(|level| &level.entries);
    entries.fold(Value::clean(), |all, entry| all.join(&whole(&entry.items))).made()
}

fn unqualified(levels: &[Level], name: &str) -> Value {
    let mut found: Option<Value> = None;
    for level in levels.iter().rev() {
        if let Some(value) = named(&level.columns, name) {
            let is_certain = has(&level.columns, name);
            found = Some(match found {
                Some(inner) if value.is_masked() => value.join(&inner),
                Some(inner) => inner,
                None => value,
            });
            if is_certain {
                return found.unwrap_or_else(Value::clean);
            }
        }
    }
    // SPEC: a name that is no column is the row of the FROM item that has it.
    let row = levels.iter().rev().find_map(|level| level.aliased(name)).map(|items| whole(&items));
    match (found, row) {
        (Some(column), Some(row)) if row.is_masked() => column.join(&row).made(),
        (Some(column), _) => column,
        (None, Some(row)) => row,
        (None, None) => Value::column(name, Tags::new(), None),
    }
}

/// `row.name` is a call of `name` on the row where the row has no such column.
fn qualified(levels: &[Level], qualifier: &str, name: &str) -> Value {
    let Some(items) = levels.iter().rev().find_map(|level| level.aliased(qualifier)) else {
        return everything(levels);
    };
    if has(&items, name) || SYSTEM_COLUMNS.contains(&name) {
        return named(&items, name).unwrap_or_else(|| Value::column(name, Tags::new(), None));
    }
    let row = whole(&items);
    if row.is_masked() { row } else { Value::column(name, Tags::new(), None) }
}

/// A field of a row: `(row).name`.
pub(super) fn field(levels: &[Level], row: &[&str], name: &str) -> Option<Value> {
    let [.., alias] = row else { return None };
    if let [only] = row
        && levels.iter().any(|level| has(&level.columns, only) || is_open(&level.columns))
    {
        return None;
    }
    let items = levels.iter().rev().find_map(|level| level.aliased(alias))?;
    (!is_open(&items) && has(&items, name)).then(|| named(&items, name)).flatten()
}

/// The outputs of `qualifier.*`.
pub(super) fn star_of(levels: &[Level], qualifier: &str) -> Items {
    let found = levels.iter().rev().find_map(|level| level.aliased(qualifier));
    found.unwrap_or_else(|| {
        let value = everything(levels);
        vec![Item::Open(vec![Column { name: String::new(), value }])]
    })
}

/// Gives the outputs new names; `None` where names and columns cannot be matched and a masked one is among them.
pub(super) fn renamed(items: Items, names: &[&str]) -> Option<Items> {
    if names.is_empty() {
        return Some(items);
    }
    let is_unclear = items.iter().take(names.len()).any(|item| matches!(item, Item::Open(_)));
    if is_unclear {
        if is_masked(&items) {
            return None;
        }
        let clean = |name: &&str| Column { name: (*name).to_owned(), value: Value::column(name, Tags::new(), None) };
        return Some(vec![Item::Open(names.iter().map(clean).collect())]);
    }
    let renamed = items.into_iter().enumerate().map(|(index, item)| match (item, names.get(index)) {
        (Item::One(column), Some(name)) => Item::One(Column { name: (*name).to_owned(), value: column.value }),
        (item, _) => item,
    });
    Some(renamed.collect())
}

/// What the caller's catalogue says of relations, by their names as written.
pub trait Relations {
    /// Whether some column of it counts as masked.
    fn is_tagged(&self, name: &RawName) -> bool;
    /// Its columns, where they are known.
    fn columns(&self, name: &RawName) -> Option<RelationColumns>;
}
