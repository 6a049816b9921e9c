//! Statements that are neither queries nor definitions: transactions, settings, COPY, EXPLAIN, cursors, maintenance.
//!
//! Each arm says what the statement is and leaves what it touches in the walk. Called by classification.

use pg_query::{
    Node, NodeEnum,
    protobuf::{
        CopyStmt, ExplainStmt, LockStmt, Node as Child, ReindexObjectType, ReindexStmt, TransactionStmt,
        TransactionStmtKind, TruncateStmt, VacuumStmt, a_const::Val,
    },
};

use super::{
    CopyKind, RawAccess, RawName, Rereads, TransactionWord,
    classify::{self, Shape},
    name::text_of,
    query::Walk,
    settings,
};
use crate::model::Verb;

const PREPARE_ADVICE: &str = "prepare the statement in this session first, by a statement of its own";

pub(super) fn shape(walk: &mut Walk<'_>, inner: &NodeEnum) -> Option<Shape> {
    Some(match inner {
        NodeEnum::TransactionStmt(statement) => transaction(statement),
        NodeEnum::VariableSetStmt(statement) => settings::set(statement),
        NodeEnum::VariableShowStmt(_) => Shape::new("show", Verb::Show),
        NodeEnum::DiscardStmt(statement) => settings::discard(*statement),
        NodeEnum::ConstraintsSetStmt(_) => Shape::new("set_constraints", Verb::Set),
        NodeEnum::ListenStmt(_) => Shape::new("listen", Verb::Listen),
        NodeEnum::UnlistenStmt(_) => Shape::new("unlisten", Verb::Listen),
        NodeEnum::NotifyStmt(_) => Shape::new("notify", Verb::Notify),
        NodeEnum::DeallocateStmt(_) => Shape::new("deallocate", Verb::Discard),
        NodeEnum::ClosePortalStmt(_) => Shape::new("close", Verb::Discard),
        NodeEnum::FetchStmt(statement) => {
            walk.uses_names = true;
            Shape::new(if statement.ismove { "move" } else { "fetch" }, Verb::Fetch)
        }
        NodeEnum::DeclareCursorStmt(statement) => {
            contained(walk, statement.query.as_deref());
            mirror(walk, Verb::Declare);
            Shape::new("declare", Verb::Declare).rereads(Rereads::Names)
        }
        NodeEnum::ExplainStmt(statement) => explain(walk, statement),
        NodeEnum::CopyStmt(statement) => copy(walk, statement),
        NodeEnum::PrepareStmt(statement) => {
            // It runs nothing; what it prepares is decided each time it is executed.
            let outer = walk.explained;
            walk.explained = true;
            contained(walk, statement.query.as_deref());
            walk.explained = outer;
            Shape::new("prepare", Verb::Explain).rereads(Rereads::Names)
        }
        NodeEnum::ExecuteStmt(statement) => {
            walk.uses_names = true;
            walk.expressions(&statement.params);
            Shape::new("execute", Verb::Unknown).advise(PREPARE_ADVICE)
        }
        NodeEnum::DoStmt(_) => Shape::new("do_block", Verb::Do).advise("run the statements of the block one by one"),
        NodeEnum::CallStmt(statement) => {
            if let Some(call) = &statement.funccall {
                walk.call(call);
                walk.expressions(&call.args);
                walk.access(Verb::Call, Some(RawName::of_call(call)));
            }
            Shape::new("call", Verb::Call)
        }
        NodeEnum::LoadStmt(_) => Shape::new("load", Verb::Load),
        NodeEnum::TruncateStmt(statement) => truncate(walk, statement),
        NodeEnum::LockStmt(statement) => lock(walk, statement),
        _ => return maintenance(walk, inner),
    })
}

fn maintenance(walk: &mut Walk<'_>, inner: &NodeEnum) -> Option<Shape> {
    let word = match inner {
        NodeEnum::VacuumStmt(statement) => vacuum(walk, statement),
        NodeEnum::ClusterStmt(statement) => {
            walk.access_relation(Verb::Maintain, statement.relation.as_ref());
            "cluster"
        }
        NodeEnum::ReindexStmt(statement) => reindex(walk, statement),
        NodeEnum::RefreshMatViewStmt(statement) => {
            walk.access_relation(Verb::Maintain, statement.relation.as_ref());
            "refresh_materialized_view"
        }
        NodeEnum::CheckPointStmt(_) => "checkpoint",
        _ => return None,
    };
    Some(Shape::new(word, Verb::Maintain))
}

fn transaction(statement: &TransactionStmt) -> Shape {
    let (kind, word) = match statement.kind() {
        TransactionStmtKind::TransStmtBegin | TransactionStmtKind::TransStmtStart => ("begin", TransactionWord::Begin),
        TransactionStmtKind::TransStmtCommit => ("commit", TransactionWord::Commit),
        TransactionStmtKind::TransStmtRollback => ("rollback", TransactionWord::Rollback),
        TransactionStmtKind::TransStmtSavepoint => ("savepoint", TransactionWord::Savepoint),
        TransactionStmtKind::TransStmtRelease => ("release", TransactionWord::Release),
        TransactionStmtKind::TransStmtRollbackTo => ("rollback_to", TransactionWord::RollbackTo),
        TransactionStmtKind::TransStmtPrepare
        | TransactionStmtKind::TransStmtCommitPrepared
        | TransactionStmtKind::TransStmtRollbackPrepared => {
            return Shape::new("two_phase_commit", Verb::Unknown)
                .transaction(TransactionWord::TwoPhase)
                .advise("two-phase commit has no rule in this version; use COMMIT");
        }
        TransactionStmtKind::Undefined => return Shape::new("transaction", Verb::Unknown),
    };
    Shape::new(kind, Verb::Transaction).transaction(word)
}

/// A statement inside another one; its own word is left out.
fn contained(walk: &mut Walk<'_>, node: Option<&Node>) {
    match node {
        Some(node) => {
            let inner = classify::shape(walk, node);
            inner.note(walk);
        }
        None => walk.unknown = true,
    }
}

/// Asks `verb` for every relation that is read, or on the connection where none is.
fn mirror(walk: &mut Walk<'_>, verb: Verb) {
    let read: Vec<_> = walk.accesses.iter().filter(|access| access.verb == Verb::Select).cloned().collect();
    if read.is_empty() {
        walk.access(verb, None);
    }
    for access in read {
        walk.access(verb, access.object);
    }
}

/// Whether EXPLAIN runs what it explains.
pub(super) fn runs(statement: &ExplainStmt) -> bool {
    statement.options.iter().any(|option| match option.node.as_ref() {
        Some(NodeEnum::DefElem(element)) => element.defname == "analyze" && !is_off(element.arg.as_deref()),
        _ => true,
    })
}

fn explain(walk: &mut Walk<'_>, statement: &ExplainStmt) -> Shape {
    let runs = runs(statement);
    let outer = walk.explained;
    walk.explained = outer || !runs;
    contained(walk, statement.query.as_deref());
    walk.explained = outer;
    Shape::new(if runs { "explain_analyze" } else { "explain" }, Verb::Explain)
}

/// Whether an option says off; everything else counts as on.
pub(super) fn is_off(value: Option<&Child>) -> bool {
    match value.and_then(|value| value.node.as_ref()) {
        Some(NodeEnum::String(text)) => matches!(text.sval.to_ascii_lowercase().as_str(), "off" | "false"),
        Some(NodeEnum::Integer(number)) => number.ival == 0,
        Some(NodeEnum::Boolean(value)) => !value.boolval,
        Some(NodeEnum::AConst(constant)) => {
            matches!(&constant.val, Some(Val::Boolval(value)) if !value.boolval)
                || matches!(&constant.val, Some(Val::Ival(number)) if number.ival == 0)
        }
        _ => false,
    }
}

fn copy(walk: &mut Walk<'_>, statement: &CopyStmt) -> Shape {
    let (verb, row_verb, word) = if statement.is_from {
        (Verb::CopyIn, Verb::Insert, "copy_in")
    } else {
        (Verb::CopyOut, Verb::Select, "copy_out")
    };
    if let Some(query) = statement.query.as_deref() {
        contained(walk, Some(query));
        mirror(walk, verb);
    }
    for verb in [verb, row_verb] {
        walk.access_relation(verb, statement.relation.as_ref());
    }
    walk.expressions(statement.where_clause.as_deref());
    if statement.is_program {
        walk.access(Verb::CopyProgram, None);
        Shape::new("copy_program", Verb::CopyProgram).copy(CopyKind::Program)
    } else if !statement.filename.is_empty() {
        walk.access(Verb::CopyFile, None);
        Shape::new("copy_file", Verb::CopyFile).copy(CopyKind::File)
    } else {
        Shape::new(word, verb).copy(if statement.is_from { CopyKind::In } else { copy_out(&statement.options) })
    }
}

/// How COPY … TO STDOUT writes its rows, by its options.
fn copy_out(options: &[Child]) -> CopyKind {
    let mut kind = CopyKind::Out;
    for option in options {
        let Some(NodeEnum::DefElem(option)) = &option.node else { return CopyKind::OutOther };
        let value = option.arg.as_deref().and_then(text_of).unwrap_or_default();
        match (option.defname.as_str(), value) {
            ("format", "text") | ("header" | "null" | "force_quote", _) | ("delimiter", "\t" | "," | ";" | "|") => {}
            ("format", "csv") => kind = CopyKind::OutCsv,
            _ => return CopyKind::OutOther,
        }
    }
    kind
}

fn truncate(walk: &mut Walk<'_>, statement: &TruncateStmt) -> Shape {
    relations(walk, Verb::Truncate, &statement.relations);
    Shape::new("truncate", Verb::Truncate)
}

fn lock(walk: &mut Walk<'_>, statement: &LockStmt) -> Shape {
    relations(walk, Verb::Lock, &statement.relations);
    Shape::new("lock_table", Verb::Lock)
}

/// Every relation of a plain list; anything else in it is not understood.
pub(super) fn relations(walk: &mut Walk<'_>, verb: Verb, nodes: &[Node]) {
    for node in nodes {
        match node.node.as_ref() {
            Some(NodeEnum::RangeVar(relation)) => walk.access_relation(verb, Some(relation)),
            _ => walk.unknown = true,
        }
    }
}

fn vacuum(walk: &mut Walk<'_>, statement: &VacuumStmt) -> &'static str {
    for node in &statement.rels {
        match node.node.as_ref() {
            Some(NodeEnum::VacuumRelation(relation)) => {
                walk.access_relation(Verb::Maintain, relation.relation.as_ref());
            }
            _ => walk.unknown = true,
        }
    }
    if statement.is_vacuumcmd { "vacuum" } else { "analyze" }
}

fn reindex(walk: &mut Walk<'_>, statement: &ReindexStmt) -> &'static str {
    match statement.kind() {
        ReindexObjectType::ReindexObjectSchema => {
            walk.access(Verb::Maintain, Some(RawName::qualified(statement.name.clone(), "*")));
        }
        _ => walk.access_relation(Verb::Maintain, statement.relation.as_ref()),
    }
    "reindex"
}

impl Shape {
    /// Leaves the statement's own verb in the walk where nothing that it touches says it.
    fn note(self, walk: &mut Walk<'_>) {
        let (verb, explained) = (self.verb(), walk.explained);
        if verb == Verb::Unknown {
            walk.unknown = true;
        } else if !explained && walk.accesses.is_empty() {
            walk.accesses.insert(RawAccess { verb, object: None });
        }
    }
}
