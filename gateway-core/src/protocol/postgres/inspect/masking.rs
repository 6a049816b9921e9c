//! What masking and sealing have to do with a text: which tagged relations are in scope, whether its outputs can be
//! followed, and which of its constants belong to tagged columns.
//!
//! Whatever cannot be followed is refused, with a sentence that says what would work instead.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::Sight;
use crate::{
    mask::{Detectors, is_pseudonym},
    model::{Effect, Operation, SealSpan, Verb},
    sql::{CopyKind, MaskScope, OutputLineage, RawColumn, RawName, Statement, TaggedColumns},
    upstream::TaggedColumn,
};

/// What has to be masked in the results of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Masking {
    /// No masked relation is in scope.
    Untouched,
    /// Rows may hold masked columns; `None` where several statements share the message, so that nothing is proven.
    Rows(Option<OutputLineage>),
    /// It cannot be masked.
    Refused(Reason),
}

/// Why a text cannot be masked: a sentence for the message and one for the hint. Holds no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// What cannot be done.
    pub message: String,
    /// What to do instead.
    pub hint: String,
}

/// System relations that show values of other tables, or texts of other sessions.
const TELLTALES: &[&str] = &[
    "pg_cursors",
    "pg_largeobject",
    "pg_prepared_statements",
    "pg_stat_activity",
    "pg_stat_statements",
    "pg_statistic",
    "pg_statistic_ext_data",
    "pg_stats",
    "pg_stats_ext",
    "pg_stats_ext_exprs",
];

/// Checks a text. With `veiled_only`, tags that the principal may reveal do not count; without, every tag does, which
/// is what the record needs.
pub(super) fn check(statements: &[Statement], operations: &[Operation], sight: &Sight, veiled_only: bool) -> Masking {
    let mut literals = statements.iter().flat_map(|statement| &statement.literals);
    if literals.any(|literal| is_pseudonym(&literal.value)) {
        return Masking::Refused(pseudonym());
    }
    let scope = Scope { sight, veiled_only };
    if veiled_only && sight.detects() && statements.iter().any(|one| one.copy == Some(CopyKind::OutOther)) {
        return Masking::Refused(Reason {
            message: "COPY in this format cannot be masked".to_owned(),
            hint: "Use COPY … TO STDOUT as text or csv, with the usual delimiter, quote and encoding.".to_owned(),
        });
    }
    if !scope.is_active() {
        return Masking::Untouched;
    }
    if let Some(reason) = statements.iter().zip(operations).find_map(|(one, asked)| scope.opaque(one, asked)) {
        return Masking::Refused(reason);
    }
    let mut found = Masking::Untouched;
    for statement in statements {
        match statement.sources.mask_check(&|name| scope.columns(name)) {
            MaskScope::Untouched => {}
            MaskScope::Rows { outputs } => {
                found = Masking::Rows((statements.len() == 1).then_some(outputs));
            }
            MaskScope::Refuse(hint) => {
                let message = format!("{} cannot be shown with its masked columns", article(&statement.kind));
                return Masking::Refused(Reason { message, hint: sentence(&hint) });
            }
        }
    }
    found
}

/// A token that this site gave out would be compared or stored as a value, which it is not.
pub fn pseudonym() -> Reason {
    Reason {
        message: "a pseudonym is not turned back into its value".to_owned(),
        hint: "Join or filter on another column, or ask somebody who may reveal the value.".to_owned(),
    }
}

struct Scope<'sight> {
    sight: &'sight Sight,
    veiled_only: bool,
}

impl Scope<'_> {
    fn is_active(&self) -> bool {
        if self.veiled_only { self.sight.hides_columns() } else { self.sight.catalogue.has_tags() }
    }

    fn counts(&self, tag: &Arc<str>) -> bool {
        !self.veiled_only || self.sight.veils.contains_key(tag)
    }

    /// Statements that could show or move a masked value in ways that a text does not tell.
    fn opaque(&self, statement: &Statement, operation: &Operation) -> Option<Reason> {
        let reason = |message: &str, hint: &str| Some(Reason { message: message.to_owned(), hint: hint.to_owned() });
        if matches!(operation.effect, Effect::Exec | Effect::Unknown) {
            let what = format!("{} runs code that could show masked columns", article(&operation.kind));
            return reason(&what, "Ask somebody who may reveal them, or use plain statements and built-in functions.");
        }
        let touched: Vec<&RawName> = statement.accesses.iter().filter_map(|access| access.object.as_ref()).collect();
        if touched.iter().any(|name| TELLTALES.contains(&name.name.as_str())) {
            return reason(
                "this system view can show values of masked columns",
                "Query the tables themselves: their masked columns are hidden there.",
            );
        }
        if touched.iter().any(|name| self.is_derived(name)) {
            return reason(
                "a view over masked columns cannot be masked yet",
                "Query the table behind it: its masked columns are hidden there.",
            );
        }
        let reshapes = matches!(operation.effect, Effect::Schema | Effect::Admin | Effect::Grant)
            && !matches!(statement.verb, Verb::Maintain);
        if reshapes && touched.iter().any(|name| self.columns(name).is_some()) {
            return reason(
                "a relation with masked columns cannot be reshaped by somebody they are masked for",
                "Ask somebody who may reveal them to make the change.",
            );
        }
        (statement.copy == Some(CopyKind::File) || statement.copy == Some(CopyKind::Program)).then(|| Reason {
            message: "COPY with a file or a program cannot be masked".to_owned(),
            hint: "Use COPY … TO STDOUT of tables without masked columns.".to_owned(),
        })
    }

    fn is_derived(&self, name: &RawName) -> bool {
        let Some(relation) = self.sight.catalogue.resolve(name.schema.as_deref(), &name.name, &self.sight.search_path)
        else {
            return false;
        };
        self.sight.catalogue.derived_tags(relation.oid).is_some_and(|tags| tags.iter().any(|tag| self.counts(tag)))
    }

    /// The columns of a relation that count as masked, by the name as written.
    fn columns(&self, name: &RawName) -> Option<TaggedColumns> {
        let catalogue = &self.sight.catalogue;
        let relation = catalogue.resolve(name.schema.as_deref(), &name.name, &self.sight.search_path)?;
        let tagged: BTreeSet<String> = catalogue
            .tags(relation.oid)
            .iter()
            .filter(|column| self.counts(&column.tag))
            .map(|column| column.name.to_string())
            .collect();
        (!tagged.is_empty()).then(|| TaggedColumns { tagged, all: catalogue.columns(relation.oid) })
    }
}

fn article(kind: &str) -> String {
    format!("this `{}`", kind.replace('_', " "))
}

fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", characters.as_str().trim_end_matches('.'))
}

/// Spans of constants that the record seals: those of tagged columns, and those in which a detector finds something.
pub(super) fn seals(text: &str, statements: &[Statement], sight: &Sight) -> Vec<SealSpan> {
    let mut spans: Vec<SealSpan> = statements
        .iter()
        .flat_map(|statement| &statement.literals)
        .filter_map(|literal| {
            let class = class_of(literal.column.as_ref()?, sight)?;
            Some(SealSpan { range: literal.span.clone(), class })
        })
        .collect();
    spans.extend(detected(text, &sight.record_detectors));
    spans.sort_by_key(|span| span.range.start);
    spans
}

/// What the detectors find in a text, as spans to seal.
pub fn detected(text: &str, detectors: &Detectors) -> Vec<SealSpan> {
    let mut hits = Vec::new();
    detectors.find(text.as_bytes(), &mut hits);
    hits.into_iter().map(|hit| SealSpan { range: hit.range, class: Arc::from(hit.class.as_str()) }).collect()
}

/// The class of each `$n` that is compared with or assigned to a tagged column.
pub(super) fn parameter_classes(statements: &[Statement], sight: &Sight) -> BTreeMap<u32, Arc<str>> {
    statements
        .iter()
        .flat_map(|statement| &statement.parameter_columns)
        .filter_map(|(number, column)| Some((*number, class_of(column, sight)?)))
        .collect()
}

/// The tag of a column as written. Where the relation or the column is not plain, any that could be meant counts.
fn class_of(column: &RawColumn, sight: &Sight) -> Option<Arc<str>> {
    let catalogue = &sight.catalogue;
    let relation = column.relation.as_ref();
    let resolved = relation.and_then(|name| catalogue.resolve(name.schema.as_deref(), &name.name, &sight.search_path));
    match (resolved, &column.column) {
        (Some(relation), Some(name)) => {
            let named = |tagged: &&TaggedColumn| *tagged.name == **name;
            catalogue.tags(relation.oid).iter().find(named).map(|tagged| Arc::clone(&tagged.tag))
        }
        (Some(relation), None) => catalogue.tags(relation.oid).first().map(|tagged| Arc::clone(&tagged.tag)),
        (None, Some(name)) => catalogue.tags_of_name(name).next().cloned(),
        (None, None) => None,
    }
}
