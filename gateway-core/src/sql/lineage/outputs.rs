//! The outputs of a statement, as masking needs them.

use super::{
    columns::{Item, Items},
    value::{Form, Origin, Tags, Value},
};

/// What one output column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Proven to hold nothing masked.
    Clean,
    /// A column's own value, from here, with these tags if it is masked.
    Column {
        /// Where it comes from; the server's own word must agree.
        origin: Origin,
        /// Its tags; empty where it is not masked.
        tags: Tags,
    },
    /// The own value of one of several masked columns.
    Masked(Tags),
    /// Made of masked columns: nothing of it may be shown, not even whether it is NULL.
    Computed(Tags),
    /// Not proven.
    Unknown,
}

/// The outputs of the top-level target list, with at most one stretch of unknown width in the middle.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OutputLineage {
    leading: Vec<Output>,
    /// `Some` when columns of unknown number follow `leading`.
    trailing: Option<Vec<Output>>,
}

impl OutputLineage {
    /// Outputs of which nothing is known, not even how many there are.
    pub const fn unknown() -> Self {
        Self { leading: Vec::new(), trailing: Some(Vec::new()) }
    }

    /// One output that tells what columns with these tags hold; clean where there are none.
    pub(super) fn answering(tags: &Tags) -> Self {
        let output = if tags.is_empty() { Output::Clean } else { Output::Computed(tags.clone()) };
        Self { leading: vec![output], trailing: None }
    }

    /// Every output that is known, in order; what stands in a stretch of unknown width is not.
    pub fn known(&self) -> impl Iterator<Item = &Output> {
        self.leading.iter().chain(self.trailing.iter().flatten())
    }

    /// Whether a result of this many columns can be this one.
    pub fn fits(&self, total: usize) -> bool {
        match &self.trailing {
            None => total == self.leading.len(),
            Some(trailing) => total >= self.leading.len() + trailing.len(),
        }
    }

    /// How many outputs there are, where that is known.
    pub fn width(&self) -> Option<usize> {
        self.trailing.is_none().then_some(self.leading.len())
    }

    /// Output `index` of `total`; unknown where the widths do not agree.
    pub fn at(&self, index: usize, total: usize) -> &Output {
        let found = match &self.trailing {
            _ if !self.fits(total) => None,
            None => self.leading.get(index),
            Some(trailing) => match (total - trailing.len()).checked_sub(index) {
                None | Some(0) => trailing.get(index + trailing.len() - total),
                Some(_) => self.leading.get(index),
            },
        };
        found.unwrap_or(&Output::Unknown)
    }
}

/// Widths and kinds of the outputs; one stretch of unknown width keeps what stands before and after it.
pub(super) fn outputs(items: &Items) -> OutputLineage {
    let mut found = OutputLineage::default();
    for item in items {
        match (item, &mut found.trailing) {
            (Item::One(column), None) => found.leading.push(output(&column.value)),
            (Item::One(column), Some(trailing)) => trailing.push(output(&column.value)),
            (Item::Open(_), trailing) => *trailing = Some(Vec::new()),
        }
    }
    found
}

fn output(value: &Value) -> Output {
    match value.form {
        Form::Column(Some(origin)) => Output::Column { origin, tags: value.tags.clone() },
        _ if !value.is_masked() => Output::Clean,
        Form::Column(None) => Output::Masked(value.tags.clone()),
        Form::Made | Form::Folded => Output::Computed(value.tags.clone()),
    }
}
