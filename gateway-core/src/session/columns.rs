//! What happens to each column of a result: the proof of lineage, checked against what the server says of it.
//!
//! Where the two disagree, nothing is proven and everything is hidden. Knows no bytes.

use std::sync::Arc;

use super::relay::Ending;
use crate::{
    mask::MaskFunction,
    protocol::postgres::{
        inspect::{Masking, Sight, Understood},
        message::backend::Field,
        reframe::{ColumnRule, CopyPlan},
    },
    sql::{CopyFormat, Output, OutputLineage, Tags},
};

/// A column as the server describes it.
#[derive(Debug, Default)]
pub(super) struct Described {
    /// The relation and the column that the server names; `None` for what it computed.
    place: Option<(u32, i16)>,
    /// Whether the snapshot knows that relation.
    is_known: bool,
    /// The tags of that column.
    tags: Tags,
    /// Whether the snapshot should know that relation and does not: it is not the one that the text was read for.
    is_strange: bool,
    /// Whether what it holds is made of tagged values.
    is_made: bool,
}

impl Described {
    /// `resolved` says that the snapshot knows every relation that the text names.
    pub(super) fn of(field: &Field, resolved: bool, sight: &Sight) -> Self {
        if field.table_oid == 0 {
            return Self::default();
        }
        let tagged = || sight.catalogue.tags_at(field.table_oid, field.column);
        let is_known = sight.catalogue.knows(field.table_oid);
        Self {
            place: Some((field.table_oid, field.column)),
            is_known,
            is_strange: resolved && !is_known && sight.catalogue.has_tags(),
            is_made: tagged().any(|column| column.is_made),
            tags: tagged().map(|column| Arc::clone(&column.tag)).collect(),
        }
    }
}

/// One rule a column, for statement `statement` of the message. `veil` says how a tag is masked, if it is.
pub(super) fn rules(
    columns: &[Described],
    masking: &Masking,
    statement: usize,
    veil: &dyn Fn(&Arc<str>) -> Option<MaskFunction>,
) -> Vec<ColumnRule> {
    let hide_all = || vec![conceal(&Tags::new()); columns.len()];
    let outputs = match masking {
        Masking::Untouched => {
            let shown = |column| rule(column, &Output::Clean, veil).unwrap_or_else(|| conceal(&Tags::new()));
            return columns.iter().map(shown).collect();
        }
        Masking::Refused(_) => return hide_all(),
        Masking::Rows(statements) => match statements.get(statement) {
            None => return hide_all(),
            Some(None) => &OutputLineage::unknown(),
            Some(Some(outputs)) => outputs,
        },
    };
    let is_untouched = matches!(masking, Masking::Rows(statements) if matches!(statements.get(statement), Some(None)));
    if !outputs.fits(columns.len()) {
        return hide_all();
    }
    let mut found = Vec::with_capacity(columns.len());
    for (index, column) in columns.iter().enumerate() {
        let output = if is_untouched { &Output::Clean } else { outputs.at(index, columns.len()) };
        match rule(column, output, veil) {
            Some(rule) => found.push(rule),
            None => return hide_all(),
        }
    }
    found
}

/// The rule of one column; `None` where lineage and server disagree.
fn rule(column: &Described, output: &Output, veil: &dyn Fn(&Arc<str>) -> Option<MaskFunction>) -> Option<ColumnRule> {
    let said = masked(&column.tags, veil).map(|rule| if column.is_made { conceal(&column.tags) } else { rule });
    if column.is_strange {
        return None;
    }
    match output {
        Output::Clean => said.is_none().then_some(ColumnRule::Detect),
        Output::Column { origin, tags } => {
            if column.place.is_some_and(|place| place != (origin.relation, origin.number)) {
                return None;
            }
            Some(masked(tags, veil).or(said).unwrap_or(ColumnRule::Detect))
        }
        Output::Masked(tags) => Some(masked(tags, veil).or(said).unwrap_or(ColumnRule::Detect)),
        Output::Computed(tags) => Some(conceal(tags)),
        Output::Unknown => {
            let is_proven = column.place.is_some() && column.is_known;
            Some(said.unwrap_or_else(|| if is_proven { ColumnRule::Detect } else { conceal(&Tags::new()) }))
        }
    }
}

/// The rule for a column's own value: the strictest function of its tags.
pub(super) fn masked(tags: &Tags, veil: &dyn Fn(&Arc<str>) -> Option<MaskFunction>) -> Option<ColumnRule> {
    let veiled = tags.iter().filter_map(|tag| Some((tag, veil(tag)?)));
    let (class, function) = veiled.min_by_key(|(_, function)| strictness(*function))?;
    Some(ColumnRule::Mask { class: Arc::clone(class), function })
}

/// How much a function leaves; the least first.
fn strictness(function: MaskFunction) -> u8 {
    match function {
        MaskFunction::Null => 0,
        MaskFunction::Redact => 1,
        MaskFunction::Hash => 2,
        MaskFunction::Pseudonym => 3,
        MaskFunction::Last4 => 4,
        MaskFunction::Partial => 5,
    }
}

fn conceal(tags: &Tags) -> ColumnRule {
    let class = tags.iter().next().cloned().unwrap_or_else(|| Arc::from("masked"));
    ColumnRule::Conceal { class }
}

/// How the rows of a COPY are masked, by the CopyOutResponse that announces them; `None` where its lines are only
/// searched, or nothing is.
pub(super) fn copy(
    response: &[u8],
    understood: &Understood,
    statement: usize,
    sight: &Sight,
) -> Result<Option<CopyPlan>, Ending> {
    let [format, high, low, ..] = response else { return Err(Ending::Unexpected("upstream")) };
    let (is_binary, count) = (*format == 1, usize::from(u16::from_be_bytes([*high, *low])));
    let outputs = match &understood.masking {
        Masking::Rows(statements) => statements.get(statement).map(Option::as_ref),
        Masking::Untouched => Some(None),
        Masking::Refused(_) => None,
    };
    if outputs == Some(None) && !(is_binary && sight.detects()) {
        return Ok(None);
    }
    let shape = understood.copy_out.clone().filter(|shape| (shape.format == CopyFormat::Binary) == is_binary);
    let shape = shape.ok_or(Ending::Unmaskable("a COPY in this format cannot be masked; use text or csv"))?;
    let columns: Vec<Described> = std::iter::repeat_with(Described::default).take(count).collect();
    let rules = rules(&columns, &understood.masking, statement, &super::sealing::veils(sight));
    let type_oid = |index| match outputs.flatten().map(|outputs| outputs.at(index, count)) {
        Some(Output::Column { origin, .. }) => origin.type_oid,
        _ => 0,
    };
    let typed = rules.into_iter().enumerate().map(|(index, rule)| (rule, type_oid(index)));
    Ok(Some(CopyPlan::new(shape, typed)))
}
