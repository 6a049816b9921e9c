//! Pseudonyms that come back from a client: tokens of this site, turned into the values that they stand for. Pure.
//!
//! Only where a token is, by itself, compared for equality with a column of its class or is what such a column is set
//! to; only in plain statements, whose text nothing stores; and only where every place of the same parameter is such
//! a one. What comes out is a text that is parsed and decided anew. Everything else is refused as before. Whoever reads
//! the record, or reviews a request, sees the token.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use bytes::Bytes;

use super::{Reason, Sight, Understood, masking::pseudonym};
use crate::{
    mask::is_pseudonym,
    model::Verb,
    protocol::postgres::message::{Bind, Text},
    sql::{RawColumn, Statement},
};

/// What became of the pseudonyms of a text.
#[derive(Debug)]
pub(super) enum Turned {
    /// It holds none.
    Nothing,
    /// The text with values in their places, and where the tokens stand in the text as it was written.
    Text(String, Vec<Range<usize>>),
    /// It holds one that cannot be turned back.
    Refused(Reason),
}

/// Turns the pseudonyms of a text back.
pub(super) fn turn(text: &str, statements: &[Statement], sight: &Sight) -> Turned {
    let tokens =
        || statements.iter().flat_map(|one| one.literals.iter().filter(|literal| is_pseudonym(&literal.value)));
    if tokens().next().is_none() {
        return Turned::Nothing;
    }
    if !statements.iter().all(is_plain) {
        return Turned::Refused(pseudonym());
    }
    let mut places = BTreeMap::new();
    for literal in tokens() {
        // FAIL-CLOSED: only a token that is written out plainly stands where it seems to stand.
        let written = text.get(literal.span.clone()) == Some(format!("'{}'", literal.value).as_str());
        let column = literal.column.as_ref().filter(|_| literal.direct && written);
        let Some(value) = column.and_then(|column| value_for(&literal.value, &tags_of(column, sight), sight)) else {
            return Turned::Refused(pseudonym());
        };
        places.insert(literal.span.start, (literal.span.end, value));
    }
    let (mut out, mut copied, mut spans) = (String::with_capacity(text.len()), 0, Vec::with_capacity(places.len()));
    for (start, (end, value)) in places {
        out.push_str(text.get(copied..start).unwrap_or_default());
        out.push('\'');
        out.push_str(&value.replace('\'', "''"));
        out.push('\'');
        spans.push(start..end);
        copied = end;
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Turned::Text(out, spans)
}

/// What runs at once and leaves its text nowhere.
fn is_plain(statement: &Statement) -> bool {
    matches!(statement.verb, Verb::Select | Verb::Insert | Verb::Update | Verb::Delete | Verb::Merge)
        && matches!(&*statement.kind, "select" | "insert" | "update" | "delete" | "merge")
        && statement.copy.is_none()
        && !statement.uses_names
}

/// The value that a token of one of these classes stands for, where a text can hold it.
fn value_for(token: &str, classes: &[Arc<str>], sight: &Sight) -> Option<String> {
    let keys = sight.record_detectors.keys()?;
    let value = classes.iter().find_map(|class| keys.value_of(class, token))?;
    // SPEC: a backslash is a plain character in '…', since standard_conforming_strings is never off here.
    let value = std::str::from_utf8(&value).ok().filter(|value| !value.contains('\0'))?;
    (!is_pseudonym(value)).then(|| value.to_owned())
}

/// The tags of exactly this column of exactly this relation; none where either is not plain.
fn tags_of(column: &RawColumn, sight: &Sight) -> Vec<Arc<str>> {
    let catalogue = &sight.catalogue;
    let (Some(name), Some(column)) = (&column.relation, &column.column) else { return Vec::new() };
    let Some(relation) = catalogue.resolve(name.schema.as_deref(), &name.name, &sight.search_path) else {
        return Vec::new();
    };
    let tagged = catalogue.tags(relation.oid).iter().filter(|tagged| *tagged.name == **column && !tagged.is_made);
    tagged.map(|tagged| Arc::clone(&tagged.tag)).collect()
}

/// For each `$n`, the classes whose tokens it may carry: those of every column that it meets.
pub(super) fn parameters(statements: &[Statement], sight: &Sight) -> BTreeMap<u32, Vec<Arc<str>>> {
    let mut found = BTreeMap::new();
    let [statement] = statements else { return found };
    if !is_plain(statement) {
        return found;
    }
    for (number, places) in &statement.parameter_places {
        let mut classes: Option<Vec<Arc<str>>> = None;
        for place in places {
            let here = place.as_ref().map(|column| tags_of(column, sight)).unwrap_or_default();
            classes = Some(match classes {
                None => here,
                Some(classes) => classes.into_iter().filter(|class| here.contains(class)).collect(),
            });
        }
        if let Some(classes) = classes.filter(|classes| !classes.is_empty()) {
            found.insert(*number, classes);
        }
    }
    found
}

/// What a text is sent as.
pub(super) fn sent(text: Text, understood: &Understood) -> Text {
    understood.sent.as_deref().and_then(Text::copied).unwrap_or(text)
}

/// The parameters of a Bind with values in the places of tokens; the tokens stay beside, for the record. One that cannot be
/// turned back stays what it is, and whoever would run it refuses.
pub(super) fn bound(mut bind: Bind, understood: &Understood, sight: &Sight) -> Bind {
    for (index, given) in bind.parameters.iter_mut().enumerate() {
        let Some(token) = given.as_ref().and_then(|given| std::str::from_utf8(given).ok()) else { continue };
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let Some(classes) = understood.pseudonym_classes.get(&number).filter(|_| is_pseudonym(token)) else { continue };
        if let Some(value) = value_for(token, classes, sight) {
            let shown = given.replace(Bytes::from(value));
            bind.shown.extend(shown.map(|shown| (index, shown)));
        }
    }
    bind
}
