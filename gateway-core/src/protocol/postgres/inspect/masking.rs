//! What masking and sealing have to do with a text: which tagged relations are in scope, whether its outputs can be
//! followed, and which of its constants belong to tagged columns.
//!
//! Whatever cannot be followed is refused, with a sentence that says what would work instead.

use std::{collections::BTreeMap, sync::Arc};

use super::Sight;
use crate::{
    mask::Detectors,
    model::{Effect, Operation, SealSpan, Verb},
    sql::{
        CopyKind, Literal, MaskScope, OutputLineage, RawColumn, RawName, RelationColumns, Relations, Statement, Tags,
        functions,
    },
    upstream::TaggedColumn,
};

/// What has to be masked in the results of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Masking {
    /// No masked relation is in scope.
    Untouched,
    /// Rows may hold masked columns: the outputs of each statement of the message, `None` for one that touches no
    /// masked relation.
    Rows(Arc<[Option<OutputLineage>]>),
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

/// What a check says of a text.
#[derive(Debug)]
pub(super) struct Checked {
    /// What has to be masked.
    pub(super) masking: Masking,
    /// For each statement, the tags of columns by which it chooses or orders rows.
    pub(super) filters: Vec<Tags>,
}

/// Checks a text. With `veiled_only`, tags that the principal may reveal do not count; without, every tag does, which
/// is what the record needs.
pub(super) fn check(statements: &[Statement], operations: &[Operation], sight: &Sight, veiled_only: bool) -> Checked {
    let scope = Scope { sight, veiled_only };
    let mut filters = vec![Tags::new(); statements.len()];
    let masking = scope.check(statements, operations, &mut filters);
    Checked { masking, filters }
}

/// A token that this site gave out would be compared or stored as a value, which it is not.
pub fn pseudonym() -> Reason {
    Reason {
        message: "a pseudonym is not turned back into its value here".to_owned(),
        hint: "Compare it by = or IN with a column of its class, named with its table, or set such a column to it."
            .to_owned(),
    }
}

struct Scope<'sight> {
    sight: &'sight Sight,
    veiled_only: bool,
}

impl Scope<'_> {
    fn check(&self, statements: &[Statement], operations: &[Operation], filters: &mut [Tags]) -> Masking {
        let is_unreadable = |one: &Statement| {
            one.copy == Some(CopyKind::OutOther) && (statements.len() > 1 || one.sources.copy_out().is_none())
        };
        let is_copy_among_others = |one: &Statement| {
            statements.len() > 1 && matches!(one.copy, Some(CopyKind::Out | CopyKind::OutCsv | CopyKind::OutOther))
        };
        if self.veiled_only && self.sight.detects() && statements.iter().any(is_unreadable) {
            return Masking::Refused(unreadable_copy());
        }
        if self.looks() && statements.iter().any(reads_large_object) {
            return Masking::Refused(large_object());
        }
        if !self.is_active() {
            return Masking::Untouched;
        }
        if let Some(reason) = statements.iter().zip(operations).find_map(|(one, asked)| self.opaque(one, asked)) {
            return Masking::Refused(reason);
        }
        let mut found = Vec::with_capacity(statements.len());
        for (index, statement) in statements.iter().enumerate() {
            found.push(match statement.sources.mask_check(self) {
                MaskScope::Untouched => None,
                MaskScope::Rows { .. } if is_unreadable(statement) || is_copy_among_others(statement) => {
                    return Masking::Refused(unreadable_copy());
                }
                MaskScope::Rows { outputs, filters: by } => {
                    if let Some(place) = filters.get_mut(index) {
                        *place = by;
                    }
                    Some(outputs)
                }
                MaskScope::Refuse(hint) => {
                    let message = format!("{} cannot be shown with its masked columns", article(&statement.kind));
                    return Masking::Refused(Reason { message, hint: sentence(&hint) });
                }
            });
        }
        if found.iter().all(Option::is_none) { Masking::Untouched } else { Masking::Rows(found.into()) }
    }

    fn is_active(&self) -> bool {
        let catalogue = &self.sight.catalogue;
        if self.veiled_only { self.sight.shows_masked() } else { catalogue.has_tags() || catalogue.overhears() }
    }

    /// Whether columns of this database itself are masked, so that whatever is not followed could show them.
    fn hides_own(&self) -> bool {
        if self.veiled_only { self.sight.hides_columns() } else { self.sight.catalogue.has_tags() }
    }

    /// Whether anything is hidden at all, by column or by what a value looks like.
    fn looks(&self) -> bool {
        let detectors = if self.veiled_only { &self.sight.detectors } else { &self.sight.record_detectors };
        self.is_active() || !detectors.is_empty()
    }

    fn counts(&self, tag: &Arc<str>) -> bool {
        !self.veiled_only || self.sight.veils.contains_key(tag)
    }

    /// Statements that could show or move a masked value in ways that a text does not tell.
    fn opaque(&self, statement: &Statement, operation: &Operation) -> Option<Reason> {
        let reason = |message: &str, hint: &str| Some(Reason { message: message.to_owned(), hint: hint.to_owned() });
        let tells = || statement.functions.iter().any(|name| functions::shows_texts(&name.name));
        if matches!(operation.effect, Effect::Exec | Effect::Unknown) && (self.hides_own() || tells()) {
            let what = format!("{} runs code that could show masked columns", article(&operation.kind));
            return reason(&what, "Ask somebody who may reveal them, or use plain statements and built-in functions.");
        }
        let reshapes = |verb: Verb| {
            matches!(verb.effect(), Effect::Schema | Effect::Admin | Effect::Grant) && verb != Verb::Maintain
        };
        let mut altered = statement.accesses.iter().filter(|access| reshapes(access.verb));
        if altered.any(|access| access.object.as_ref().is_some_and(|name| self.is_tagged(name))) {
            return reason(
                "a relation with masked columns cannot be reshaped by somebody they are masked for",
                "Ask somebody who may reveal them to make the change.",
            );
        }
        let mut touched = statement.accesses.iter().filter_map(|access| access.object.as_ref());
        if touched.any(|name| self.is_unfollowed(name)) {
            return reason(
                "a view over masked columns cannot be followed",
                "Query the table behind it: its masked columns are hidden there.",
            );
        }
        let mut read = statement.accesses.iter().filter_map(|access| access.object.as_ref());
        let concerns = self.hides_own() || read.any(|name| self.is_tagged(name));
        let leaves = matches!(statement.copy, Some(CopyKind::File | CopyKind::Program));
        (leaves && concerns).then(|| Reason {
            message: "COPY with a file or a program cannot be masked".to_owned(),
            hint: "Use COPY … TO STDOUT of tables without masked columns.".to_owned(),
        })
    }

    /// FAIL-CLOSED: a view that could show something masked, and of which no column is known.
    fn is_unfollowed(&self, name: &RawName) -> bool {
        let catalogue = &self.sight.catalogue;
        let Some(relation) = catalogue.resolve(name.schema.as_deref(), &name.name, &self.sight.search_path) else {
            return false;
        };
        let shows = catalogue.derived_tags(relation.oid).is_some_and(|tags| tags.iter().any(|tag| self.counts(tag)));
        shows
            && catalogue.columns_of(relation.oid).is_empty()
            && catalogue.tags(relation.oid).is_empty()
            && !matches!(&*relation.schema, "pg_catalog" | "information_schema")
    }

    fn counted(&self, oid: u32) -> impl Iterator<Item = &TaggedColumn> {
        self.sight.catalogue.tags(oid).iter().filter(|column| self.counts(&column.tag))
    }
}

impl Relations for Scope<'_> {
    fn is_tagged(&self, name: &RawName) -> bool {
        let relation = self.sight.catalogue.resolve(name.schema.as_deref(), &name.name, &self.sight.search_path);
        relation.is_some_and(|relation| self.counted(relation.oid).next().is_some())
    }

    fn columns(&self, name: &RawName) -> Option<RelationColumns> {
        let catalogue = &self.sight.catalogue;
        let oid = catalogue.resolve(name.schema.as_deref(), &name.name, &self.sight.search_path)?.oid;
        Some(catalogue.columns_counting(oid, &|tag| self.counts(tag)))
    }
}

fn unreadable_copy() -> Reason {
    Reason {
        message: "COPY in this format cannot be masked".to_owned(),
        hint: "Use COPY … TO STDOUT by itself, with the usual delimiter, quote and encoding.".to_owned(),
    }
}

fn reads_large_object(statement: &Statement) -> bool {
    statement.functions.iter().any(|name| functions::reads_large_object(&name.name))
}

/// FAIL-CLOSED: a large object is bytes without columns, read in pieces that cut through any value.
fn large_object() -> Reason {
    Reason {
        message: "what a large object holds cannot be masked".to_owned(),
        hint: "Ask somebody from whom nothing is masked here, or keep it in a column of a table.".to_owned(),
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
            let tagged = literal.column.as_ref().and_then(|column| class_of(column, sight));
            let class = tagged.or_else(|| written_otherwise(text, literal, &sight.record_detectors))?;
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

/// What the detectors find in a constant's value that its text does not show: behind escapes, over lines, in
/// hexadecimal digits.
fn written_otherwise(text: &str, literal: &Literal, detectors: &Detectors) -> Option<Arc<str>> {
    let shows = text.get(literal.span.clone()).is_some_and(|written| written.contains(&literal.value));
    let found = if shows { None } else { detected(&literal.value, detectors).into_iter().next() };
    found.map(|span| span.class).or_else(|| detected_in_hexadecimal(&literal.value, detectors))
}

/// What the detectors find first in the bytes that a text writes as `\x…`.
pub fn detected_in_hexadecimal(text: &str, detectors: &Detectors) -> Option<Arc<str>> {
    let digits = text.strip_prefix("\\x")?;
    let nibble = |digit: char| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let nibbles: Vec<u8> = digits.chars().filter(|digit| !digit.is_whitespace()).map(nibble).collect::<Option<_>>()?;
    let bytes: Vec<u8> =
        nibbles.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, nibble| byte << 4 | nibble)).collect();
    let mut hits = Vec::new();
    detectors.find(&bytes, &mut hits);
    hits.first().map(|hit| Arc::from(hit.class.as_str()))
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
