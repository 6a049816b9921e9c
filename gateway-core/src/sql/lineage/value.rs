//! What one value of a query depends on, and how much of a masked column it still is.
//!
//! Owns the little algebra of lineage; knows no names and no trees.

use std::{collections::BTreeSet, sync::Arc};

/// Tags and data classes.
pub type Tags = BTreeSet<Arc<str>>;

/// A column of a relation of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Origin {
    /// The relation's object id.
    pub relation: u32,
    /// `attnum`.
    pub number: i16,
    /// The object id of its type.
    pub type_oid: u32,
}

/// What a value is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// An expression's result.
    Made,
    /// A column's value in another case or without blanks: nothing that a partial mask hides moves.
    Folded,
    /// A column's own value.
    Column(Option<Origin>),
}

/// A value: which masked columns it depends on, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) tags: Tags,
    pub(super) form: Form,
    /// Whether anything but masked columns makes it differ from row to row.
    pub(super) varies: bool,
    /// A masked column among those it depends on, for sentences.
    pub(super) name: String,
}

impl Value {
    /// A constant.
    pub(super) const fn clean() -> Self {
        Self { tags: Tags::new(), form: Form::Made, varies: false, name: String::new() }
    }

    /// What differs from row to row and holds nothing masked.
    pub(super) const fn varying() -> Self {
        Self { tags: Tags::new(), form: Form::Made, varies: true, name: String::new() }
    }

    pub(super) fn column(name: &str, tags: Tags, origin: Option<Origin>) -> Self {
        let varies = tags.is_empty();
        Self { tags, form: Form::Column(origin), varies, name: name.to_owned() }
    }

    pub(super) fn is_masked(&self) -> bool {
        !self.tags.is_empty()
    }

    /// The name of a masked column it depends on, if it does.
    pub(super) fn masked(&self) -> Option<&str> {
        self.is_masked().then_some(self.name.as_str())
    }

    /// Whether something masked stands beside something that varies.
    pub(super) fn is_mixed(&self) -> bool {
        self.is_masked() && self.varies
    }

    pub(super) fn made(mut self) -> Self {
        self.form = Form::Made;
        self
    }

    /// One value that depends on both.
    pub(super) fn join(&self, other: &Self) -> Self {
        let mut tags = self.tags.clone();
        tags.extend(other.tags.iter().cloned());
        let name = if self.is_masked() { self.name.clone() } else { other.name.clone() };
        Self { tags, form: Form::Made, varies: self.varies || other.varies, name }
    }

    /// A value that is the one or the other, as the rows of a set operation are.
    pub(super) fn either(&self, other: &Self) -> Self {
        let mut both = self.join(other);
        let is_own = |value: &Self| !value.is_masked() || matches!(value.form, Form::Column(_));
        if both.is_masked() && is_own(self) && is_own(other) {
            both.form = Form::Column(None);
        }
        both
    }
}
