//! Names as they stand in the text, before the server's `search_path` resolves them.
//!
//! Knows nothing of catalogues. Used by every part of `sql` and by its callers.

use std::fmt;

use pg_query::{
    Node, NodeEnum,
    protobuf::{FuncCall, RangeVar},
};

/// A possibly qualified name, folded as the grammar folds it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RawName {
    /// The schema, where the text names one.
    pub schema: Option<String>,
    /// The name.
    pub name: String,
}

impl RawName {
    /// A name without a schema.
    pub fn bare(name: impl Into<String>) -> Self {
        Self { schema: None, name: name.into() }
    }

    /// A name with a schema.
    pub fn qualified(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self { schema: Some(schema.into()), name: name.into() }
    }

    /// Joins the last two components; a leading database name is dropped, since it can only be the current one.
    pub(super) fn from_parts(parts: &[&str]) -> Option<Self> {
        let (name, rest) = parts.split_last()?;
        Some(Self { schema: rest.last().map(|schema| (*schema).to_owned()), name: (*name).to_owned() })
    }

    pub(super) fn from_nodes(nodes: &[Node]) -> Option<Self> {
        let parts: Vec<&str> = nodes.iter().filter_map(text_of).collect();
        if parts.len() == nodes.len() { Self::from_parts(&parts) } else { None }
    }

    pub(super) fn of_relation(relation: &RangeVar) -> Self {
        let is_temporary = relation.relpersistence == "t" && relation.schemaname.is_empty();
        let written = || (!relation.schemaname.is_empty()).then(|| relation.schemaname.clone());
        let schema = if is_temporary { Some("pg_temp".to_owned()) } else { written() };
        Self { schema, name: relation.relname.clone() }
    }

    pub(super) fn of_call(call: &FuncCall) -> Self {
        Self::from_nodes(&call.funcname).unwrap_or_else(|| Self::bare("?"))
    }
}

impl fmt::Display for RawName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(formatter, "{schema}.")?;
        }
        formatter.write_str(&self.name)
    }
}

/// A column as the text names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RawColumn {
    /// The relation, where it is plain which one; a caller that must be safe counts `None` as any.
    pub relation: Option<RawName>,
    /// The column; `None` where only the relation is known, as in `INSERT INTO t VALUES (…)`.
    pub column: Option<String>,
}

/// The text of a string node.
pub(super) fn text_of(node: &Node) -> Option<&str> {
    match node.node.as_ref()? {
        NodeEnum::String(text) => Some(&text.sval),
        _ => None,
    }
}

/// The components of a list of string nodes, other nodes left out.
pub(super) fn texts_of(nodes: &[Node]) -> Vec<&str> {
    nodes.iter().filter_map(text_of).collect()
}
