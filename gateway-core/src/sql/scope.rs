//! What names mean at one level of a query: which are CTEs, and which relation an alias stands for.
//!
//! Owns scoping for classification and literals; lineage has its own, which also carries columns.

use pg_query::protobuf::{ColumnRef, RangeVar};

use super::name::{RawColumn, RawName, texts_of};

/// The names visible at one query level.
#[derive(Debug, Default)]
struct Level {
    expressions: Vec<String>,
    relations: Vec<(String, Option<RawName>)>,
}

/// Nested query levels, innermost last.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    levels: Vec<Level>,
}

impl Scopes {
    pub(super) fn enter(&mut self) {
        self.levels.push(Level::default());
    }

    pub(super) fn leave(&mut self) {
        self.levels.pop();
    }

    /// Makes a CTE's name visible from here on.
    pub(super) fn define(&mut self, expression: &str) {
        if let Some(level) = self.levels.last_mut() {
            level.expressions.push(expression.to_owned());
        }
    }

    /// Whether an unqualified name is a CTE here.
    pub(super) fn is_expression(&self, relation: &RangeVar) -> bool {
        relation.schemaname.is_empty() && self.levels.iter().any(|level| level.expressions.contains(&relation.relname))
    }

    /// Adds a FROM item: its alias, and the relation it stands for where it is one.
    pub(super) fn range(&mut self, alias: &str, relation: Option<RawName>) {
        if let Some(level) = self.levels.last_mut() {
            level.relations.push((alias.to_owned(), relation));
        }
    }

    /// Which relation's column a reference is, as far as that is plain.
    pub(super) fn column(&self, reference: &ColumnRef) -> Option<RawColumn> {
        let parts = texts_of(&reference.fields);
        if parts.len() != reference.fields.len() {
            return None;
        }
        let (column, qualifiers) = parts.split_last()?;
        let column = Some((*column).to_owned());
        let relation = match qualifiers {
            [] => self.only_relation(),
            [alias] => self.aliased(alias),
            _ => RawName::from_parts(qualifiers),
        };
        Some(RawColumn { relation, column })
    }

    fn only_relation(&self) -> Option<RawName> {
        match self.levels.last()?.relations.as_slice() {
            [(_, relation)] => relation.clone(),
            _ => None,
        }
    }

    fn aliased(&self, alias: &str) -> Option<RawName> {
        let found = self.levels.iter().rev().find_map(|level| level.relations.iter().find(|(name, _)| name == alias));
        found.and_then(|(_, relation)| relation.clone())
    }
}
