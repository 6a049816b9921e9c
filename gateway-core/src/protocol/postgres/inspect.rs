//! Message → operation: what a statement asks for once its names are resolved as the server would resolve them, and
//! what masking and sealing have to do with it. Pure.
//!
//! The only maker of [`Inspected`] messages for this protocol. Knows a catalogue snapshot and which tags are masked
//! for the session's principal; knows no policy. Called by `session`.

mod ahead;
mod breadth;
mod calls;
pub mod fastpath;
mod masking;
mod plannable;
mod pseudonyms;
pub mod replication;
mod sight;
mod through;
pub mod twin;

use std::{collections::BTreeSet, sync::Arc};

use ahead::Ahead;
use bytes::Bytes;
pub use masking::{Masking, Reason, detected, detected_in_hexadecimal, pseudonym};
pub use plannable::{Plannable, has_rows, is_sure, plannable};
use pseudonyms::Turned;
pub use sight::{Sight, Veil};
pub use through::{through, unresolved};

use super::message::{Bind, Execute, Format, Frontend, FunctionCall, Parse, Query};
use crate::{
    model::{
        Access, Effect, ObjectName, Operation, SealSpan, Verb,
        flow::{Digestible, Inspected, Preparation},
    },
    sql::{self, RawName, Rereads, Statement, SyntaxError, TransactionWord, risk},
};

/// What a text leaves behind in the session, beyond rows and data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Aftermath {
    /// What of the session has to be read again.
    pub rereads: Rereads,
    /// It may undo what the open transaction did, settings included.
    pub undoes: bool,
    /// Statements with names stand behind the end of a transaction, so that what it undoes is what they mean.
    pub acts_after_undoing: bool,
    /// Its names are looked up when it is executed, not when it is bound: it is no plain query.
    pub looks_up_late: bool,
    /// It holds nothing but ends of transactions, and returns to savepoints.
    pub only_ends_transactions: bool,
}

/// Everything that is known of a text in a session's sight. Cached by exact text and sight.
#[derive(Debug, Clone)]
pub struct Understood {
    /// The exact text.
    pub text: Arc<str>,
    /// What it is read as, where it uses prepared statements or cursors by name; seals and secrets are places in this.
    pub resolved: Option<Arc<str>>,
    /// Whether it uses such names.
    pub uses_names: bool,
    /// One operation a statement; one `empty` operation for a text without statements.
    pub operations: Arc<[Operation]>,
    /// What has to be masked for this principal.
    pub masking: Masking,
    /// What has to be masked in the record, whatever the principal may see.
    pub record_masking: Masking,
    /// Spans of the text that the record seals.
    pub seals: Vec<SealSpan>,
    /// Spans of the text that are never stored.
    pub secrets: Vec<std::ops::Range<usize>>,
    /// What is sent in its place, where it holds pseudonyms that stand for values. Shown to nobody.
    pub sent: Option<Arc<str>>,
    /// The classes of which `$n` may carry a pseudonym that is turned back.
    pub pseudonym_classes: std::collections::BTreeMap<u32, Vec<Arc<str>>>,
    /// The class of `$n` (from 1), where it belongs to a tagged column.
    pub parameter_classes: std::collections::BTreeMap<u32, Arc<str>>,
    /// Whether it may change what later names mean.
    pub changes_catalogue: bool,
    /// What it leaves behind in the session.
    pub aftermath: Aftermath,
    /// Whether COPY … TO STDOUT writes csv.
    pub copies_csv: bool,
    /// How COPY … TO STDOUT writes its rows, where it is the only statement and its columns can be told apart.
    pub copy_out: Option<sql::CopyOut>,
    /// Whether some statement asks the client for data (COPY … FROM STDIN).
    pub copies_in: bool,
    /// How many statements it holds.
    pub statements: usize,
    /// Whether some name is not in the snapshot: a fresh one may know it.
    pub unresolved: bool,
}

/// Understands a text. Fails only where the grammar fails: then nothing is ever forwarded.
///
/// A text with pseudonyms that can be turned back means what the text with their values means.
pub fn understand(text: &str, sight: &Sight) -> Result<Understood, SyntaxError> {
    let statements = sql::inspect(text)?;
    match pseudonyms::turn(text, &statements, sight) {
        Turned::Nothing => Ok(understand_statements(text, &statements, sight)),
        Turned::Refused(reason) => {
            let understood = understand_statements(text, &statements, sight);
            Ok(Understood {
                masking: Masking::Refused(reason.clone()),
                record_masking: Masking::Refused(reason),
                ..understood
            })
        }
        Turned::Text(sent, tokens) => {
            let meant = sql::inspect(&sent)?;
            let meant = understand_statements(&sent, &meant, sight);
            let shown = understand_statements(text, &statements, sight);
            Ok(shown_as(shown, meant, &tokens))
        }
    }
}

/// What a text with values means, shown as the text with tokens in their places.
fn shown_as(shown: Understood, meant: Understood, tokens: &[std::ops::Range<usize>]) -> Understood {
    let renamed = |operation: &Operation| Operation { text: Arc::clone(&shown.text), ..operation.clone() };
    let is_token =
        |seal: &SealSpan| tokens.iter().any(|token| token.start < seal.range.end && seal.range.start < token.end);
    Understood {
        operations: meant.operations.iter().map(renamed).collect(),
        seals: shown.seals.into_iter().filter(|seal| !is_token(seal)).collect(),
        secrets: shown.secrets,
        text: shown.text,
        sent: Some(meant.text),
        ..meant
    }
}

fn understand_statements(text: &str, statements: &[Statement], sight: &Sight) -> Understood {
    let text: Arc<str> = Arc::from(text);
    let count = u32::try_from(statements.len()).unwrap_or(u32::MAX);
    let mut ahead = Ahead::default();
    let mut operations: Vec<Operation> = Vec::with_capacity(statements.len());
    for statement in statements {
        let operation = operation(statement, &text, count, sight, &ahead);
        ahead.pass(statement, &operation);
        operations.push(operation);
    }
    if operations.is_empty() {
        operations.push(empty(&text));
    }
    let reshapes = |operation: &Operation| !matches!(operation.effect, Effect::Session | Effect::Read | Effect::Write);
    let changes_catalogue = operations.iter().any(reshapes);
    let masking = masking::check(statements, &operations, sight, true).masking;
    let checked = masking::check(statements, &operations, sight, false);
    for (operation, filters) in operations.iter_mut().zip(checked.filters) {
        operation.filters_on.extend(filters);
    }
    let seals = masking::seals(&text, statements, sight);
    Understood {
        resolved: None,
        sent: None,
        pseudonym_classes: pseudonyms::parameters(statements, sight),
        uses_names: statements.iter().any(|statement| statement.uses_names),
        masking,
        record_masking: checked.masking,
        seals,
        secrets: statements.iter().flat_map(|statement| statement.secret_spans.iter().cloned()).collect(),
        parameter_classes: masking::parameter_classes(statements, sight),
        changes_catalogue,
        aftermath: aftermath(statements, changes_catalogue),
        copies_in: statements.iter().any(|statement| statement.copy == Some(sql::CopyKind::In)),
        copy_out: match statements {
            [only] => only.sources.copy_out(),
            _ => None,
        },
        copies_csv: statements.iter().any(|statement| statement.copy == Some(sql::CopyKind::OutCsv)),
        statements: statements.len(),
        unresolved: operations.iter().flat_map(|operation| &operation.accesses).any(is_unresolved)
            || statements.iter().flat_map(|statement| &statement.accesses).any(|access| is_stranger(access, sight)),
        operations: Arc::from(operations),
        text,
    }
}

fn aftermath(statements: &[Statement], changes_catalogue: bool) -> Aftermath {
    let is_end = |statement: &Statement| {
        use TransactionWord::{Commit, Release, Rollback, RollbackTo, TwoPhase};
        matches!(statement.transaction, Some(Commit | Rollback | RollbackTo | Release | TwoPhase))
    };
    let names = |statement: &Statement| {
        statement.uses_names
            || !statement.functions.is_empty()
            || statement.accesses.iter().any(|access| access.object.is_some())
    };
    let planned = |statement: &Statement| {
        matches!(statement.verb, Verb::Select | Verb::Insert | Verb::Update | Verb::Delete | Verb::Merge)
    };
    let end = statements.iter().position(is_end).unwrap_or(statements.len());
    // FAIL-CLOSED: what runs code, or changes the schema, may have changed anything.
    let own = if changes_catalogue { Rereads::Path } else { Rereads::Nothing };
    Aftermath {
        rereads: statements.iter().map(|statement| statement.rereads).fold(own, Rereads::max),
        undoes: statements.iter().any(is_end),
        acts_after_undoing: statements.iter().skip(end).any(names),
        looks_up_late: statements.iter().any(|statement| names(statement) && !planned(statement)),
        only_ends_transactions: !statements.is_empty() && statements.iter().all(is_end),
    }
}

/// A simple query, ready to be decided.
pub fn query(message: Query, understood: &Understood, circumstance: &Arc<[u8]>) -> Inspected<Frontend> {
    let message = Query { text: pseudonyms::sent(message.text, understood) };
    Inspected::new(Frontend::Query(message), Arc::clone(&understood.operations), Arc::clone(circumstance))
}

/// A Parse, ready to be decided.
pub fn parse(message: Parse, understood: &Understood, circumstance: &Arc<[u8]>) -> Inspected<Frontend> {
    let message = Parse { text: pseudonyms::sent(message.text, understood), ..message };
    Inspected::new(Frontend::Parse(message), Arc::clone(&understood.operations), Arc::clone(circumstance))
}

/// A Bind of a statement that was understood when it was parsed, ready to be decided.
pub fn bind(message: Bind, understood: &Understood, sight: &Sight, circumstance: &Arc<[u8]>) -> Inspected<Frontend> {
    let message = pseudonyms::bound(message, understood, sight);
    Inspected::new(Frontend::Bind(message), Arc::clone(&understood.operations), Arc::clone(circumstance))
}

/// A function call that was understood as its SELECT, ready to be decided.
pub fn call(message: FunctionCall, understood: &Understood, circumstance: &Arc<[u8]>) -> Inspected<Frontend> {
    Inspected::new(Frontend::FunctionCall(message), Arc::clone(&understood.operations), Arc::clone(circumstance))
}

/// An Execute of a cursor that SQL declared, understood as the FETCH that it is, ready to be decided.
pub fn more(message: Execute, understood: &Understood, circumstance: &Arc<[u8]>) -> Inspected<Frontend> {
    Inspected::new(Frontend::Execute(message), Arc::clone(&understood.operations), Arc::clone(circumstance))
}

impl Preparation for Frontend {
    fn only_prepares(&self) -> bool {
        matches!(self, Self::Parse(_))
    }
}

impl Digestible for Frontend {
    fn parts(&self, sink: &mut dyn FnMut(&[u8])) {
        match self {
            Self::Query(query) => sink(query.text.as_bytes()),
            Self::Parse(parse) => {
                sink(parse.text.as_bytes());
                for oid in &parse.parameter_types {
                    sink(&oid.to_be_bytes());
                }
            }
            Self::Bind(bind) => values(&bind.parameter_formats, &bind.parameters, sink),
            Self::FunctionCall(call) => {
                sink(&call.function.to_be_bytes());
                values(&call.argument_formats, &call.arguments, sink);
            }
            Self::Execute(execute) => {
                sink(execute.portal.as_bytes());
                sink(&execute.max_rows.to_be_bytes());
            }
            Self::Describe(_)
            | Self::Close(_)
            | Self::Flush
            | Self::Sync
            | Self::CopyData(_)
            | Self::CopyDone
            | Self::CopyFail(_)
            | Self::Password(_)
            | Self::Terminate => {}
        }
    }
}

fn values(formats: &[Format], values: &[Option<Bytes>], sink: &mut dyn FnMut(&[u8])) {
    for (index, value) in values.iter().enumerate() {
        let binary = Format::of_column(formats, index) == Some(Format::Binary);
        sink(if binary { b"binary" } else { b"text" });
        match value {
            Some(value) => sink(value),
            None => sink(b"\0null"),
        }
    }
}

fn empty(text: &Arc<str>) -> Operation {
    Operation {
        text: Arc::clone(text),
        kind: Arc::from("empty"),
        effect: Effect::Session,
        accesses: BTreeSet::from([Access { verb: Verb::Show, object: None }]),
        has_where: true,
        names_rows: true,
        risk: 0,
        risk_reasons: Vec::new(),
        statements: 0,
        estimated_rows: None,
        estimated_percent: None,
        export: false,
        filters_on: BTreeSet::new(),
        facts: BTreeSet::new(),
        advice: None,
        request: None,
    }
}

fn operation(statement: &Statement, text: &Arc<str>, count: u32, sight: &Sight, ahead: &Ahead) -> Operation {
    let mut accesses: BTreeSet<Access> = statement
        .accesses
        .iter()
        .map(|access| Access {
            verb: access.verb,
            object: access.object.as_ref().map(|name| resolve(&statement.kind, access.verb, name, sight, ahead)),
        })
        .collect();
    let mut effect = statement.effect;
    let mut risk = statement.risk;
    let mut risk_reasons = statement.risk_reasons.clone();
    // FAIL-CLOSED: an UPDATE of `pg_settings` is a SET of whatever it names; nothing in the catalogue is written as rows.
    if accesses.iter().any(writes_catalogue) {
        accesses.insert(Access { verb: Verb::Unknown, object: None });
        effect = Effect::Unknown;
        risk = risk.max(risk::CATALOGUE_WRITE.0);
        risk_reasons.push(risk::CATALOGUE_WRITE.1);
    }
    let calls = calls::of(statement, &accesses, sight);
    for access in &calls {
        effect = effect.max(access.verb.effect());
        if access.verb.effect() > Effect::Write {
            let (more, reason) = calls::risk(access, sight);
            risk = risk.max(more);
            risk_reasons.push(reason);
        }
    }
    accesses.extend(calls);
    let export = accesses.iter().any(|access| access.verb == Verb::CopyOut);
    risk_reasons.dedup();
    let mut named = statement.accesses.iter().filter_map(|access| access.object.as_ref());
    let is_unsure =
        named.any(|name| ahead.is_unsure(name)) || (ahead.is_unsure_of_functions() && !statement.functions.is_empty());
    let mut operation = Operation {
        text: Arc::clone(text),
        kind: Arc::clone(&statement.kind),
        effect,
        accesses,
        has_where: statement.has_where,
        names_rows: statement.narrowings.iter().all(|one| breadth::names_row(one, sight)),
        risk,
        risk_reasons,
        statements: count,
        estimated_rows: None,
        estimated_percent: None,
        export,
        filters_on: BTreeSet::new(),
        facts: BTreeSet::new(),
        advice: statement.advice.clone(),
        request: None,
    };
    if is_unsure {
        ahead::make_unknown(&mut operation);
    }
    operation
}

fn writes_catalogue(access: &Access) -> bool {
    let is_own =
        |object: &ObjectName| matches!(object.schema.as_str(), "pg_catalog" | "information_schema" | "pg_toast");
    access.verb.effect() == Effect::Write && access.object.as_ref().is_some_and(is_own)
}

fn is_unresolved(access: &Access) -> bool {
    !matches!(access.verb, Verb::Call | Verb::CallFunction)
        && access.object.as_ref().is_some_and(|object| object.schema == UNRESOLVED)
}

/// Whether a name with a schema, of something that should be there, is not in the snapshot.
fn is_stranger(access: &sql::RawAccess, sight: &Sight) -> bool {
    let Some(RawName { schema: Some(schema), name }) = &access.object else { return false };
    let is_kept = !schema.starts_with("pg_toast") && !schema.starts_with("pg_temp") && name != "*";
    let is_relation = matches!(access.verb.effect(), Effect::Read | Effect::Write);
    is_kept && is_relation && sight.catalogue.resolve(Some(schema), name, &sight.search_path).is_none()
}

/// Stands for the schema of a name that no schema of the search path holds.
const UNRESOLVED: &str = "?";

fn resolve(kind: &str, verb: Verb, name: &RawName, sight: &Sight, ahead: &Ahead) -> ObjectName {
    // What is created goes to the first schema that can be created in.
    let creation = || {
        let mut schemas = sight.search_path.iter().filter(|schema| !schema.starts_with("pg_"));
        (verb == Verb::Create).then(|| schemas.next().cloned()).flatten()
    };
    if ahead.is_unsure(name) {
        return ObjectName { schema: UNRESOLVED.to_owned(), name: name.name.clone() };
    }
    // What makes a relation does not mean one that is there already under that name.
    let is_new = verb == Verb::Create && ahead::makes_relation(kind);
    if let Some(found) = ahead.find(name, sight).filter(|_| !is_new) {
        return found;
    }
    let schema = name.schema.clone().or_else(creation).unwrap_or_else(|| UNRESOLVED.to_owned());
    ObjectName { schema, name: name.name.clone() }
}

#[cfg(test)]
pub(crate) mod tests;
