//! What the record and the reviewers may read of texts, parameters and results (law 4).
//!
//! Values of tagged columns, and what a detector hits, are sealed; passwords are dropped; results are kept masked,
//! whatever the principal itself may see, up to a cap.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::{
    columns::{Described, rules},
    environment::Environment,
    ledger::RowTreatment,
    readable::{hexadecimal, readable},
};
use crate::{
    mask::{Detectors, MaskFunction, is_pseudonym},
    model::{Refusal, RefusalKind, SealSpan},
    protocol::postgres::{
        inspect::{Masking, Reason, Sight, Understood, detected, detected_in_hexadecimal},
        message::{
            Bind, Format, Frontend, FunctionCall,
            backend::{DataRow, Field},
        },
        reframe::{self, CellType, ErrorScope, MaskTally, RowPlan},
    },
    record::{SealedText, Sealer},
    upstream::RelationKind,
};

/// The text of an understood message.
pub(super) fn text<'text>(understood: &'text Understood, sealer: &Sealer) -> SealedText<'text> {
    let text = understood.resolved.as_ref().unwrap_or(&understood.text);
    if understood.seals.is_empty() && understood.secrets.is_empty() {
        return SealedText::plain(text);
    }
    SealedText::new(text, &understood.seals, &understood.secrets, sealer)
}

/// A text that the grammar rejects: which columns its constants belong to is not known, so everything from the first
/// constant on is sealed.
pub(super) fn unparsed(text: &str, environment: &Environment) -> SealedText<'static> {
    let shown: String = text.chars().take(4_096).collect();
    let suspicious = shown.to_ascii_lowercase().contains("password");
    let (before, _) = shown.split_at(first_constant(&shown));
    let mut spans = detected(before, &environment.detectors);
    if before.len() < shown.len() {
        spans.push(SealSpan { range: before.len()..shown.len(), class: Arc::from("unparsed") });
    }
    let whole = 0..shown.len();
    let secrets = if suspicious { std::slice::from_ref(&whole) } else { &[] };
    SealedText::new(&shown, &spans, secrets, &environment.sealer).into_owned()
}

/// Where a text's first constant could start: a quote, a dollar, or a digit that does not continue a word.
fn first_constant(text: &str) -> usize {
    let mut in_word = false;
    let found = text.char_indices().find(|(_, letter)| {
        let starts = matches!(letter, '\'' | '$') || (letter.is_ascii_digit() && !in_word);
        in_word = letter.is_alphanumeric() || *letter == '_';
        starts
    });
    found.map_or(text.len(), |(place, _)| place)
}

/// The values that a message carries besides text, and their formats.
fn values(message: &Frontend) -> (&[Format], &[Option<Bytes>]) {
    if let Frontend::Bind(Bind { parameter_formats, parameters, .. }) = message {
        return (parameter_formats, parameters);
    }
    if let Frontend::FunctionCall(FunctionCall { argument_formats, arguments, .. }) = message {
        return (argument_formats, arguments);
    }
    (&[], &[])
}

/// The parameters of a Bind, or the arguments of a function call, as text; `None` is NULL.
pub(super) fn parameters(
    message: &Frontend,
    understood: &Understood,
    types: &[u32],
    environment: &Environment,
) -> Vec<Option<SealedText<'static>>> {
    let mut left = PARAMETER_BYTES;
    let (formats, values) = values(message);
    let sealed = |(index, value): (usize, &Option<Bytes>)| {
        let value = value.as_ref()?;
        if let Some(token) = token(message, index) {
            return Some(SealedText::plain(token).into_owned());
        }
        let format = Format::of_column(formats, index).unwrap_or_default();
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let class = understood.parameter_classes.get(&number);
        let allowed = left;
        left = left.saturating_sub(value.len());
        let head = value.get(..allowed.saturating_add(OVERLAP_BYTES)).unwrap_or(value);
        let shown = readable(head, format, types.get(index).copied().unwrap_or(0));
        if value.len() <= allowed {
            return Some(sealed_value(&shown, class, &environment.detectors, &environment.sealer));
        }
        let cut = cut_value(&shown, allowed, value, &environment.detectors);
        Some(sealed_value(&cut, class, &environment.detectors, &environment.sealer))
    };
    values.iter().enumerate().map(sealed).collect()
}

/// The pseudonym that stood where a parameter's value stands now.
fn token(message: &Frontend, index: usize) -> Option<&str> {
    let Frontend::Bind(bind) = message else { return None };
    let (_, token) = bind.shown.iter().find(|(place, _)| *place == index)?;
    std::str::from_utf8(token).ok()
}

/// Whether a value is a pseudonym, which no server knows the meaning of.
pub(super) fn holds_pseudonym(message: &Frontend) -> bool {
    let mut texts = values(message).1.iter().flatten().filter_map(|value| std::str::from_utf8(value).ok());
    texts.any(is_pseudonym)
}

/// The start of a value too long for the record, and what identifies the whole. What a detector finds across the cut
/// is left out.
fn cut_value(shown: &str, allowed: usize, value: &[u8], detectors: &Detectors) -> String {
    let crossing = detected(shown, detectors).into_iter().map(|span| span.range).find(|range| range.end > allowed);
    let mut end = crossing.map_or(allowed, |range| range.start.min(allowed)).min(shown.len());
    while !shown.is_char_boundary(end) {
        end -= 1;
    }
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, value);
    let digest = hexadecimal(digest.as_ref());
    let start = shown.get(..end).unwrap_or_default();
    format!("{start}… ({} bytes, SHA-256 {})", value.len(), digest.trim_start_matches("\\x"))
}

/// How many bytes of the parameters of one message are recorded as they are; of the rest, their length and digest.
const PARAMETER_BYTES: usize = 256 * 1024;
/// How far detectors look past the end of what is recorded.
const OVERLAP_BYTES: usize = 1024;

fn sealed_value(value: &str, class: Option<&Arc<str>>, detectors: &Detectors, sealer: &Sealer) -> SealedText<'static> {
    let spans: Vec<SealSpan> = match class {
        Some(class) => vec![SealSpan { range: 0..value.len(), class: Arc::clone(class) }],
        None => match detected_in_hexadecimal(value, detectors) {
            Some(class) => vec![SealSpan { range: 0..value.len(), class }],
            None => detected(value, detectors),
        },
    };
    SealedText::new(value, &spans, &[], sealer).into_owned()
}

/// The refusal for what cannot be masked.
pub(super) fn unmaskable(reason: &Reason) -> Refusal {
    Refusal {
        kind: RefusalKind::Unmaskable,
        rule: None,
        message: reason.message.clone(),
        hint: Some(reason.hint.clone()),
    }
}

/// The refusal for a message that does not fit into one record.
pub(super) fn too_long() -> Refusal {
    Refusal {
        kind: RefusalKind::Unsupported,
        rule: None,
        message: "this statement and its parameters are too long to be recorded".to_owned(),
        hint: Some("Send fewer rows at a time, or use COPY.".to_owned()),
    }
}

/// The refusal for statements behind the end of a transaction that changed what names mean.
pub(super) fn sent_together() -> Refusal {
    Refusal {
        kind: RefusalKind::Unsupported,
        rule: None,
        message: "what the names behind the end of this transaction mean is not known before it has ended".to_owned(),
        hint: Some("Send COMMIT or ROLLBACK by itself, and what follows apart.".to_owned()),
    }
}

/// The refusal for a preparation that a policy neither permits nor refuses.
pub(super) fn undecided() -> Refusal {
    Refusal {
        kind: RefusalKind::Unsupported,
        rule: None,
        message: "this statement cannot be prepared before it is approved".to_owned(),
        hint: Some("Run it as a simple query.".to_owned()),
    }
}

/// What happens to rows of this shape, of this statement of the message, for the session's principal.
pub(super) fn treatment(
    fields: &[Field],
    masking: &Masking,
    statement: usize,
    resolved: bool,
    sight: &Sight,
) -> RowTreatment {
    if matches!(masking, Masking::Untouched) && !sight.detects() && !sight.hides_columns() {
        return RowTreatment::Pass;
    }
    let plan = plan(fields, masking, statement, resolved, sight, &veils(sight));
    if plan.passes() { RowTreatment::Pass } else { RowTreatment::Plan(Arc::new(plan)) }
}

/// What an error may quote, of an operation that does or does not touch something masked.
pub(super) fn error_scope(touched: bool, sight: &Sight) -> ErrorScope {
    match (touched, sight.hides_columns()) {
        (true, _) => ErrorScope::TaggedInScope,
        (false, true) => ErrorScope::TaggedElsewhere,
        // Only a text of another database could be shown, and this operation reads none.
        (false, false) => ErrorScope::Untagged,
    }
}

/// How this session's principal sees tags.
pub(super) fn veils(sight: &Sight) -> impl Fn(&Arc<str>) -> Option<MaskFunction> {
    |tag| sight.veils.get(tag).map(|veil| veil.function)
}

/// How the record keeps them.
#[expect(clippy::unnecessary_wraps, reason = "stands where a principal's veils stand")]
pub(super) fn recorded(tag: &Arc<str>) -> Option<MaskFunction> {
    Some(recorded_function(tag))
}

/// One rule a column: what lineage and the server's own table oid agree on, and masked where neither proves it clean.
fn plan(
    fields: &[Field],
    masking: &Masking,
    statement: usize,
    resolved: bool,
    sight: &Sight,
    veil: &dyn Fn(&Arc<str>) -> Option<MaskFunction>,
) -> RowPlan {
    let columns: Vec<Described> = fields.iter().map(|field| Described::of(field, resolved, sight)).collect();
    let rules = rules(&columns, masking, statement, veil);
    RowPlan::new(rules.into_iter().zip(fields).map(|(rule, field)| (rule, cell_type(field, sight), field.format)))
}

/// The type of a field, and whether the server says that it is a column of a table as it stands.
fn cell_type(field: &Field, sight: &Sight) -> CellType {
    let relation = sight.catalogue.relation(field.table_oid);
    let plain = relation.is_some_and(|relation| relation.kind == RelationKind::Table);
    CellType { plain, ..sight.catalogue.cell_type(field.type_oid) }
}

/// The part of a result that the record keeps: masked for everybody, up to a cap, one JSON array a line.
#[derive(Debug)]
pub(super) struct Capture {
    text: String,
    cap: usize,
    open: bool,
    truncated: bool,
    plan: Option<RowPlan>,
    formats: Vec<(Format, u32)>,
    scratch: BytesMut,
    tally: MaskTally,
}

impl Capture {
    pub(super) fn new(cap: usize, understood: &Understood) -> Self {
        let open = cap > 0 && !matches!(understood.record_masking, Masking::Refused(_));
        Self {
            text: String::new(),
            cap,
            open,
            truncated: !open && cap > 0,
            plan: None,
            formats: Vec::new(),
            scratch: BytesMut::new(),
            tally: MaskTally::new(),
        }
    }

    /// Whether rows must still be read for the record.
    pub(super) fn wants_more(&self) -> bool {
        self.open
    }

    /// Ends the capture: what follows is not kept.
    pub(super) fn cut(&mut self) {
        (self.open, self.truncated) = (false, true);
    }

    /// Takes the columns of the rows to come.
    pub(super) fn describe(&mut self, fields: &[Field], understood: &Understood, statement: usize, sight: &Sight) {
        if !self.open {
            return;
        }
        let resolved = !understood.unresolved;
        self.plan = Some(plan(fields, &understood.record_masking, statement, resolved, sight, &recorded));
        self.formats = fields.iter().map(|field| (field.format, field.type_oid)).collect();
        let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        self.line(&serde_json::json!({ "columns": names }).to_string());
    }

    /// Takes one row.
    pub(super) fn row(&mut self, body: &[u8], detectors: &Detectors) {
        if !self.open {
            return;
        }
        let Some(plan) = &self.plan else { return self.cut() };
        self.scratch.clear();
        if reframe::row(plan, detectors, body, &mut self.scratch, &mut self.tally).is_err() {
            return self.cut();
        }
        let masked = self.scratch.get(5..).unwrap_or_default();
        match shown_cells(masked, &self.formats) {
            Some(line) => self.line(&line),
            None => self.cut(),
        }
    }

    /// A COPY starts: its lines are kept only where no tagged relation is in scope.
    pub(super) fn copy_starts(&mut self, binary: bool, masking: &Masking) {
        if binary || !matches!(masking, Masking::Untouched) {
            self.cut();
        }
    }

    /// Takes one line of COPY output.
    pub(super) fn copy_line(&mut self, body: &[u8], detectors: &Detectors) {
        if !self.open {
            return;
        }
        let line = String::from_utf8_lossy(body);
        let masked = detectors.mask_text(&line).unwrap_or_else(|| line.into_owned());
        self.line(&serde_json::json!([masked.trim_end_matches('\n')]).to_string());
    }

    fn line(&mut self, line: &str) {
        if self.text.len() + line.len() + 1 > self.cap {
            return self.cut();
        }
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// What was kept, and whether it was cut off; `None` where there is nothing to record.
    pub(super) fn take(&mut self) -> Option<(String, bool)> {
        if self.text.is_empty() && !self.truncated {
            return None;
        }
        Some((std::mem::take(&mut self.text), self.truncated))
    }
}

/// How the record masks a tag: always, whatever the principal may see.
fn recorded_function(tag: &str) -> MaskFunction {
    match tag {
        "credit_card" => MaskFunction::Last4,
        _ => MaskFunction::Redact,
    }
}

fn shown_cells(body: &[u8], formats: &[(Format, u32)]) -> Option<String> {
    let mut row = DataRow::new(body).ok()?;
    let mut cells = Vec::with_capacity(formats.len());
    for (format, type_oid) in formats {
        let cell = row.next_cell().ok()??;
        cells.push(cell.map(|value| readable(value, *format, *type_oid)));
    }
    serde_json::to_string(&cells).ok()
}

#[cfg(test)]
mod tests;
