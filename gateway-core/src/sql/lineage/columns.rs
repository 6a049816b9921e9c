//! What lineage knows of columns: names, taints, and the FROM items and CTEs that are visible.
//!
//! Owns name resolution for lineage. Conservative: what could be a masked column or a row that holds one is.

use super::TaggedColumns;

/// Columns that every relation has beside its own.
const SYSTEM_COLUMNS: [&str; 6] = ["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"];

/// What a value may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Taint {
    /// Proven to hold nothing masked, and made by an expression.
    Clean,
    /// A plain column that is not masked.
    Plain,
    /// A plain masked column.
    Tagged(String),
    /// A whole row that holds a masked column, or a call on one written like a column.
    Row(String),
}

impl Taint {
    /// The masked thing, if there is one.
    pub(super) fn masked(&self) -> Option<&str> {
        match self {
            Self::Clean | Self::Plain => None,
            Self::Tagged(name) | Self::Row(name) => Some(name),
        }
    }

    pub(super) fn join(self, other: Self) -> Self {
        if self.masked().is_some() { self } else { other }
    }
}

/// One output column of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) taint: Taint,
}

/// A part of a target list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    /// One column.
    One(Column),
    /// A star of unknown width: the columns that are known, and whether there may be others.
    Star { known: Vec<Column>, open: bool },
}

/// The outputs of a query or of a FROM item.
pub(super) type Items = Vec<Item>;

pub(super) const fn open() -> Item {
    Item::Star { known: Vec::new(), open: true }
}

/// The columns of a base relation: masked ones tagged; all known only where the caller knows the relation.
pub(super) fn of_relation(tagged: Option<TaggedColumns>) -> Items {
    let Some(columns) = tagged else { return vec![open()] };
    let names = columns.all.union(&columns.tagged).cloned();
    let known = names.map(|name| {
        let taint = if columns.tagged.contains(&name) { Taint::Tagged(name.clone()) } else { Taint::Plain };
        Column { name, taint }
    });
    vec![Item::Star { known: known.collect(), open: false }]
}

/// Every column that is known by name.
pub(super) fn known(items: &[Item]) -> impl Iterator<Item = &Column> {
    items.iter().flat_map(|item| match item {
        Item::One(column) => std::slice::from_ref(column),
        Item::Star { known, .. } => known.as_slice(),
    })
}

/// The first masked column among the outputs.
pub(super) fn masked(items: &[Item]) -> Option<&str> {
    known(items).find_map(|column| column.taint.masked())
}

pub(super) fn is_open(items: &[Item]) -> bool {
    items.iter().any(|item| matches!(item, Item::Star { open: true, .. }))
}

/// The taint of the column of this name, or `None` where there is no such column.
pub(super) fn named(items: &[Item], name: &str) -> Option<Taint> {
    let found =
        known(items).filter(|column| column.name == name).map(|column| column.taint.clone()).reduce(Taint::join);
    found.or_else(|| is_open(items).then_some(Taint::Plain))
}

/// A FROM item under its alias.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) alias: String,
    pub(super) items: Items,
}

/// The FROM items of one query level.
#[derive(Debug, Default)]
pub(super) struct Level {
    pub(super) entries: Vec<Entry>,
    /// USING, NATURAL or a join alias: `*` is not the entries one after the other.
    pub(super) merged: bool,
}

impl Level {
    /// The outputs of `*`.
    pub(super) fn star(&self) -> Items {
        let items: Items = self.entries.iter().flat_map(|entry| entry.items.clone()).collect();
        if self.merged {
            let open = is_open(&items);
            return vec![Item::Star { known: known(&items).cloned().collect(), open }];
        }
        items
    }
}

/// Resolves a column reference without a star.
pub(super) fn resolve(levels: &[Level], parts: &[&str]) -> Taint {
    match parts {
        [] => Taint::Row("?".into()),
        [name] => unqualified(levels, name),
        [.., qualifier, name] => qualified(levels, qualifier, name),
    }
}

fn unqualified(levels: &[Level], name: &str) -> Taint {
    let entries = || levels.iter().rev().flat_map(|level| &level.entries);
    let found: Vec<Taint> = entries().filter_map(|entry| named(&entry.items, name)).collect();
    if let Some(tagged) = found.iter().find(|taint| taint.masked().is_some()) {
        return tagged.clone();
    }
    let is_known = entries().any(|entry| known(&entry.items).any(|column| column.name == name));
    let row = entries().find(|entry| entry.alias == name && masked(&entry.items).is_some());
    match row {
        Some(_) if !is_known => Taint::Row(name.to_owned()),
        _ if !found.is_empty() && found.iter().all(|taint| *taint == Taint::Clean) => Taint::Clean,
        _ => Taint::Plain,
    }
}

/// `row.name` is a call of `name` on the row where the row has no such column.
fn qualified(levels: &[Level], qualifier: &str, name: &str) -> Taint {
    let mut entries = levels.iter().rev().flat_map(|level| &level.entries);
    let Some(entry) = entries.find(|entry| entry.alias == qualifier) else {
        let any = levels.iter().flat_map(|level| &level.entries).any(|entry| masked(&entry.items).is_some());
        return if any { Taint::Row(qualifier.to_owned()) } else { Taint::Plain };
    };
    let is_known = known(&entry.items).any(|column| column.name == name);
    if !is_known && masked(&entry.items).is_some() && !SYSTEM_COLUMNS.contains(&name) {
        return Taint::Row(qualifier.to_owned());
    }
    named(&entry.items, name).unwrap_or(Taint::Plain)
}

/// The outputs of `qualifier.*`.
pub(super) fn star_of(levels: &[Level], qualifier: &str) -> Items {
    let mut entries = levels.iter().rev().flat_map(|level| &level.entries);
    entries.find(|entry| entry.alias == qualifier).map_or_else(|| vec![open()], |entry| entry.items.clone())
}

/// Gives the outputs new names; `None` where names and columns cannot be matched and a masked one is among them.
pub(super) fn renamed(items: Items, names: &[&str]) -> Option<Items> {
    if names.is_empty() {
        return Some(items);
    }
    if items.iter().any(|item| matches!(item, Item::Star { .. })) {
        return if masked(&items).is_some() { None } else { Some(vec![open()]) };
    }
    let renamed = items.into_iter().enumerate().map(|(index, item)| match (item, names.get(index)) {
        (Item::One(column), Some(name)) => Item::One(Column { name: (*name).to_owned(), taint: column.taint }),
        (item, _) => item,
    });
    Some(renamed.collect())
}
