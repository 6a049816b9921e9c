//! stub
use super::{Lineage, RawAccess, Statement, SyntaxError};
use crate::model::{Effect, Verb};
use pg_query::Node;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};
pub(super) fn statement(_text: &str, span: Range<usize>, node: Node) -> Result<Statement, SyntaxError> {
    Ok(Statement {
        kind: "unknown".into(),
        verb: Verb::Unknown,
        effect: Effect::Unknown,
        accesses: BTreeSet::from([RawAccess { verb: Verb::Unknown, object: None }]),
        has_where: true,
        risk: 70,
        risk_reasons: vec!["not understood"],
        advice: None,
        functions: BTreeSet::new(),
        attributes: BTreeSet::new(),
        span,
        transaction: None,
        copy: None,
        literals: Vec::new(),
        parameter_columns: BTreeMap::new(),
        secret_spans: Vec::new(),
        sources: Lineage::new(node),
    })
}
