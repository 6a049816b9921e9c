//! `masking.toml`: which columns are tagged with which class, and which detectors run.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{ConnectionFacts, ConnectionName};

/// Which connections a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionSelector {
    /// Every connection.
    Any,
    /// This one.
    Name(ConnectionName),
    /// Those with all these labels.
    Labels(BTreeMap<String, String>),
}

impl ConnectionSelector {
    /// Whether the rule is about this connection.
    pub fn selects(&self, connection: &ConnectionFacts) -> bool {
        match self {
            Self::Any => true,
            Self::Name(name) => *name == connection.name,
            Self::Labels(labels) => labels.iter().all(|(key, value)| connection.labels.get(key) == Some(value)),
        }
    }
}

/// `schema.table.column`, where each part may hold `*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ColumnPattern {
    /// The schema.
    pub schema: String,
    /// The relation.
    pub table: String,
    /// The column.
    pub column: String,
}

/// One `[[column]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnRule {
    /// On these connections
    pub connection: ConnectionSelector,
    /// these columns
    pub columns: Vec<ColumnPattern>,
    /// carry this tag.
    pub tag: String,
}

/// What is sensitive at this site.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Masking {
    /// Tags on columns.
    pub columns: Vec<ColumnRule>,
    /// Detectors that run on every text value, by the data class they find.
    pub detectors: BTreeSet<String>,
}
