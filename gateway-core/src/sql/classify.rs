//! One statement's tree → what it does at worst.
//!
//! Owns the order: each family of statements is asked in turn, and what none of them knows is `Unknown`.

use std::{collections::BTreeSet, ops::Range, sync::Arc};

use pg_query::{Node, NodeEnum, protobuf::SelectStmt};

use super::{
    CopyKind, Lineage, RawAccess, RawName, Rereads, Statement, SyntaxError, TransactionWord, definition,
    literals::Constants, narrowing, privilege, query::Walk, risk, secrets, utility,
};
use crate::model::{Effect, Verb};

/// What a statement is by itself, before what it contains is weighed.
#[derive(Debug)]
pub(super) struct Shape {
    kind: String,
    verb: Verb,
    advice: Option<String>,
    transaction: Option<TransactionWord>,
    copy: Option<CopyKind>,
    rereads: Rereads,
    renames: bool,
}

impl Shape {
    pub(super) fn new(kind: impl Into<String>, verb: Verb) -> Self {
        Self {
            kind: kind.into(),
            verb,
            advice: None,
            transaction: None,
            copy: None,
            rereads: Rereads::Nothing,
            renames: false,
        }
    }

    pub(super) fn verb(&self) -> Verb {
        self.verb
    }

    pub(super) fn advise(mut self, advice: &str) -> Self {
        self.advice = Some(advice.to_owned());
        self
    }

    pub(super) fn rereads(mut self, what: Rereads) -> Self {
        self.rereads = what;
        self
    }

    pub(super) fn renames(mut self) -> Self {
        self.renames = true;
        self
    }

    pub(super) fn transaction(mut self, word: TransactionWord) -> Self {
        self.transaction = Some(word);
        self
    }

    pub(super) fn copy(mut self, kind: CopyKind) -> Self {
        self.copy = Some(kind);
        self
    }
}

/// Classifies one statement of `text`. Fails only for a tree deeper than is walked.
pub(super) fn statement(
    text: &str,
    constants: &Constants,
    span: Range<usize>,
    node: Node,
) -> Result<Statement, SyntaxError> {
    let mut walk = Walk::new(constants, span.clone());
    let shape = shape(&mut walk, &node);
    if walk.too_deep {
        return Err(SyntaxError::too_deep());
    }
    if walk.unknown || shape.verb == Verb::Unknown {
        walk.accesses.insert(RawAccess { verb: Verb::Unknown, object: None });
    }
    if walk.accesses.is_empty() {
        walk.accesses.insert(RawAccess { verb: shape.verb, object: None });
    }
    let worst = walk
        .accesses
        .iter()
        .map(|access| access.verb)
        .max_by_key(|verb| (verb.effect(), risk::of_verb(*verb).0))
        .unwrap_or(shape.verb);
    let effect = worst.effect().max(shape.verb.effect());
    let kind: Arc<str> =
        if worst.effect() > shape.verb.effect() { worst.as_str().into() } else { shape.kind.as_str().into() };
    let (risk, risk_reasons) = risk::weigh(&walk.accesses, walk.has_where);
    let secret_spans = secrets::spans(text, constants, &span, &node);
    walk.literals.extend(constants.others(text, &span, &walk.literals));
    let relations: BTreeSet<RawName> = walk.accesses.iter().filter_map(|access| access.object.clone()).collect();
    walk.literals.sort_by_key(|literal| literal.span.start);
    Ok(Statement {
        kind,
        verb: shape.verb,
        effect,
        advice: shape.advice.or_else(|| advice(&walk, effect)),
        accesses: walk.accesses,
        has_where: walk.has_where,
        narrowings: narrowing::of(&node),
        risk,
        risk_reasons,
        functions: walk.functions,
        types: walk.types,
        attributes: walk.attributes,
        span,
        transaction: shape.transaction,
        rereads: shape.rereads.max(walk.rereads),
        uses_names: walk.uses_names,
        renames: shape.renames,
        copy: shape.copy,
        literals: walk.literals,
        parameter_columns: walk.parameter_columns,
        parameter_places: walk.parameter_places,
        secret_spans,
        sources: Lineage::new(node, relations),
    })
}

/// What a statement is; everything inside it is left in `walk`.
pub(super) fn shape(walk: &mut Walk<'_>, node: &Node) -> Shape {
    let Some(inner) = node.node.as_ref() else { return Shape::new("unknown", Verb::Unknown) };
    query(walk, node, inner)
        .or_else(|| utility::shape(walk, inner))
        .or_else(|| privilege::shape(walk, inner))
        .or_else(|| definition::shape(walk, inner))
        // FAIL-CLOSED: a statement that no family knows.
        .unwrap_or_else(|| Shape::new("unknown", Verb::Unknown).advise("this statement has no rule in this version"))
}

fn query(walk: &mut Walk<'_>, node: &Node, inner: &NodeEnum) -> Option<Shape> {
    let shape = match inner {
        NodeEnum::SelectStmt(select) if creates(select) => Shape::new("select_into", Verb::Create),
        NodeEnum::SelectStmt(_) => Shape::new("select", Verb::Select),
        NodeEnum::InsertStmt(_) => Shape::new("insert", Verb::Insert),
        NodeEnum::UpdateStmt(_) => Shape::new("update", Verb::Update),
        NodeEnum::DeleteStmt(_) => Shape::new("delete", Verb::Delete),
        NodeEnum::MergeStmt(_) => Shape::new("merge", Verb::Merge),
        _ => return None,
    };
    walk.query(node);
    Some(shape)
}

/// Whether a SELECT has INTO, which stands in the leftmost branch of set operations.
pub(super) fn creates(select: &SelectStmt) -> bool {
    let mut next = Some(select);
    while let Some(select) = next {
        if select.into_clause.is_some() {
            return true;
        }
        next = select.larg.as_deref();
    }
    false
}

fn advice(walk: &Walk<'_>, effect: Effect) -> Option<String> {
    let has = |verb| walk.accesses.iter().any(|access| access.verb == verb);
    let advice = if !walk.has_where {
        "add a WHERE clause that names the rows"
    } else if has(Verb::CopyProgram) || has(Verb::CopyFile) {
        "use COPY … TO STDOUT or COPY … FROM STDIN, with the file on the client's side"
    } else if has(Verb::Truncate) {
        "use DELETE with a WHERE clause that names the rows"
    } else if has(Verb::CallFunction) {
        "leave out functions that run SQL given as text"
    } else if effect == Effect::Unknown {
        "a part of this statement has no rule in this version; write it without that part"
    } else {
        return None;
    };
    Some(advice.to_owned())
}
