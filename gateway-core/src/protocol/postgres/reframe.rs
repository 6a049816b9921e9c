//! Rebuilds what a server sends once values in it are masked: rows, COPY lines, errors and notices.
//!
//! Detects first: a row in which nothing is masked keeps its very bytes, and a run of such rows is one slice. What
//! cannot be read is an error, which the relay turns into a refusal. Knows no policy: a [`RowPlan`] says what to hide.

mod array;
mod cell;
mod copy;
mod copy_columns;
mod errors;
mod json;
mod number;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use bytes::{BufMut, Bytes, BytesMut};

pub use cell::{CellType, Shape, TEXT};
pub use copy::{CopyDialect, copy_line, copy_run};
pub use copy_columns::CopyPlan;
pub use errors::{ErrorScope, mask_error};

use super::{
    codec::CodecError,
    message::{
        Format,
        backend::{DataRow, tag},
    },
};
use crate::mask::{DetectedClass, Detectors, Hit, Mask, MaskFunction};

/// Why a row or line cannot be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReframeError {
    /// The server's bytes do not hold what they announce.
    #[error("the server sent a row that cannot be read")]
    Malformed(#[from] CodecError),
    /// The row has another number of columns than its description.
    #[error("the server sent a row of {found} columns where {expected} were described")]
    Columns {
        /// Columns described.
        expected: usize,
        /// Columns found.
        found: usize,
    },
    /// A COPY uses options under which a value could hide from the detectors.
    #[error("copy with this {0} cannot be masked")]
    Dialect(&'static str),
}

/// What happens to one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnRule {
    /// Shown as it is.
    Pass,
    /// Masked whole, whatever is in it.
    Mask {
        /// The tag or data class, for the record.
        class: Arc<str>,
        /// How.
        function: MaskFunction,
    },
    /// Made of masked values: hidden whole, and so that not even NULL is told from a value.
    Conceal {
        /// The tag or data class, for the record.
        class: Arc<str>,
    },
    /// Searched by the detectors; only what they find is masked.
    Detect,
}

/// The plan for one result: for each column a rule and the shape of its values.
#[derive(Debug, Clone)]
pub struct RowPlan {
    columns: Vec<Column>,
    passes: bool,
}

#[derive(Debug, Clone)]
struct Column {
    rule: ColumnRule,
    shape: Shape,
}

impl RowPlan {
    /// Makes a plan from a rule, a type and the format that Bind asked for, column by column.
    pub fn new<T: Into<CellType>>(columns: impl IntoIterator<Item = (ColumnRule, T, Format)>) -> Self {
        let columns: Vec<Column> =
            columns.into_iter().map(|(rule, cell, format)| Column { rule, shape: Shape::new(cell, format) }).collect();
        let passes = columns.iter().all(|column| match &column.rule {
            ColumnRule::Pass => true,
            ColumnRule::Detect => column.shape.is_harmless(),
            ColumnRule::Mask { .. } | ColumnRule::Conceal { .. } => false,
        });
        Self { columns, passes }
    }

    /// Whether no row can change, so that rows need not be read at all.
    pub fn passes(&self) -> bool {
        self.passes
    }

    /// How many columns the plan has.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// Whether the result has no columns.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }
}

/// How many cells were masked, by column and class, for the record. Reused from row to row.
#[derive(Debug, Clone, Default)]
pub struct MaskTally {
    columns: Vec<Counts>,
    hits: Vec<Hit>,
}

impl MaskTally {
    /// An empty tally.
    pub fn new() -> Self {
        Self::default()
    }

    /// Column (from 0), class and masked cells, in order. For COPY lines, which have no columns, the column is 0.
    pub fn entries<'tally>(
        &'tally self,
        plan: Option<&'tally RowPlan>,
    ) -> impl Iterator<Item = (usize, &'tally str, u64)> + 'tally {
        self.columns.iter().enumerate().flat_map(move |(index, counts)| {
            let tagged: &'tally str = match plan.and_then(|plan| plan.columns.get(index)).map(|column| &column.rule) {
                Some(ColumnRule::Mask { class, .. } | ColumnRule::Conceal { class }) => class,
                Some(ColumnRule::Pass | ColumnRule::Detect) | None => "masked",
            };
            let names = DetectedClass::ALL.into_iter().map(|class| -> &'tally str { class.as_str() });
            let classes = names.zip(counts.classes);
            let custom = counts.custom.iter().map(|(class, count)| -> (&'tally str, u64) { (class.as_str(), *count) });
            let all = std::iter::once((tagged, counts.masked)).chain(classes).chain(custom);
            all.filter(|(_, count)| *count > 0).map(move |(class, count)| (index, class, count))
        })
    }

    /// Whether nothing was masked.
    pub fn is_empty(&self) -> bool {
        self.columns.iter().all(|counts| *counts == Counts::default())
    }

    fn at(&mut self, column: usize) -> Option<&mut Counts> {
        if self.columns.len() <= column {
            self.columns.resize(column + 1, Counts::default());
        }
        self.columns.get_mut(column)
    }

    fn add(&mut self, column: usize) {
        if let Some(counts) = self.at(column) {
            counts.masked += 1;
        }
    }

    /// Counts each class among the last hits once: a cell is counted, not its values.
    fn add_hits(&mut self, column: usize) {
        if self.hits.is_empty() {
            return;
        }
        let hits = std::mem::take(&mut self.hits);
        if let Some(counts) = self.at(column) {
            for (index, hit) in hits.iter().enumerate() {
                let first = !hits.iter().take(index.min(MOST_COMPARED)).any(|before| before.class == hit.class);
                if first {
                    counts.add(hit.class);
                }
            }
        }
        self.hits = hits;
    }
}

/// How far back a class is looked for among the hits of one cell, so that counting is linear.
const MOST_COMPARED: usize = 16;

/// What was masked in one column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Counts {
    masked: u64,
    classes: [u64; DetectedClass::ALL.len()],
    custom: BTreeMap<DetectedClass, u64>,
}

impl Counts {
    fn add(&mut self, class: DetectedClass) {
        match self.classes.get_mut(class.index()) {
            Some(count) => *count += 1,
            None => *self.custom.entry(class).or_default() += 1,
        }
    }
}

/// Whether a rewrite was needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "an unchanged message was not written"]
pub enum Outcome {
    /// Nothing is masked and nothing was written: the caller passes on the bytes it has.
    Unchanged,
    /// The message was written, masked.
    Rewritten,
}

/// Appends one DataRow, as a whole message, masked by the plan. `body` is the message without its header.
/// On an error nothing is left in `out`.
pub fn row(
    plan: &RowPlan,
    detectors: &Detectors,
    body: &[u8],
    out: &mut BytesMut,
    tally: &mut MaskTally,
) -> Result<(), ReframeError> {
    let start = out.len();
    match rewrite(plan, detectors, &[], body, out, tally) {
        Ok(Outcome::Rewritten) => {}
        Ok(Outcome::Unchanged) => put_message(tag::DATA_ROW, body, out),
        Err(error) => {
            out.truncate(start);
            return Err(error);
        }
    }
    Ok(())
}

/// Masks a run of whole DataRow messages, headers included. When no row changes nothing is written and the caller
/// passes on the run itself. On an error nothing is left in `out`.
pub fn rows(
    plan: &RowPlan,
    detectors: &Detectors,
    run: &Bytes,
    out: &mut BytesMut,
    tally: &mut MaskTally,
) -> Result<Outcome, ReframeError> {
    if plan.passes() {
        return Ok(Outcome::Unchanged);
    }
    each_message(run, out, |stretch, body, out| rewrite(plan, detectors, stretch, body, out, tally))
}

/// Goes through a run of whole messages; stretches that do not change are copied as one slice. `rewrite` gets the
/// stretch before its message and the body, and writes both if the body changes.
fn each_message(
    run: &[u8],
    out: &mut BytesMut,
    mut rewrite: impl FnMut(&[u8], &[u8], &mut BytesMut) -> Result<Outcome, ReframeError>,
) -> Result<Outcome, ReframeError> {
    let start = out.len();
    let (mut rest, mut clean) = (run, run);
    while let Some((body, after)) = split_message(rest) {
        let stretch = clean.get(..clean.len() - rest.len()).unwrap_or_default();
        match rewrite(stretch, body, out) {
            Ok(Outcome::Unchanged) => {}
            Ok(Outcome::Rewritten) => clean = after,
            Err(error) => {
                out.truncate(start);
                return Err(error);
            }
        }
        rest = after;
    }
    if !rest.is_empty() {
        out.truncate(start);
        return Err(CodecError::Truncated { tag: tag::DATA_ROW }.into());
    }
    if clean.len() == run.len() {
        return Ok(Outcome::Unchanged);
    }
    out.put_slice(clean);
    Ok(Outcome::Rewritten)
}

fn split_message(run: &[u8]) -> Option<(&[u8], &[u8])> {
    let ([_, length @ ..], rest) = run.split_first_chunk::<5>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?.checked_sub(4)?)
}

fn put_message(tag: u8, body: &[u8], out: &mut BytesMut) {
    out.reserve(body.len() + 5);
    out.put_u8(tag);
    out.put_u32(u32::try_from(body.len() + 4).unwrap_or(u32::MAX));
    out.put_slice(body);
}

/// Writes `stretch` and the masked row if a cell changes. On an error `out` may hold a part of them.
fn rewrite(
    plan: &RowPlan,
    detectors: &Detectors,
    stretch: &[u8],
    body: &[u8],
    out: &mut BytesMut,
    tally: &mut MaskTally,
) -> Result<Outcome, ReframeError> {
    let mut row = DataRow::new(body)?;
    if usize::from(row.columns_left()) != plan.len() {
        return Err(ReframeError::Columns { expected: plan.len(), found: row.columns_left().into() });
    }
    let (mut start, mut copied) = (None, 0);
    for (index, column) in plan.columns.iter().enumerate() {
        let before = body.len() - row.bytes_left();
        let value = match row.next_cell()? {
            Some(Some(value)) => value,
            Some(None) if matches!(column.rule, ColumnRule::Conceal { .. }) => &[],
            _ => continue,
        };
        if !column.hides(detectors, value, tally, index) {
            continue;
        }
        if start.is_none() {
            start = Some(begin_message(tag::DATA_ROW, stretch, out));
        }
        out.put_slice(body.get(copied..before).unwrap_or_default());
        copied = body.len() - row.bytes_left();
        column.put_masked(detectors, value, &tally.hits, out);
    }
    if row.next_cell()?.is_some() {
        return Err(CodecError::Trailing { tag: tag::DATA_ROW }.into());
    }
    let Some(start) = start else { return Ok(Outcome::Unchanged) };
    out.put_slice(body.get(copied..).unwrap_or_default());
    patch_length(out, start);
    Ok(Outcome::Rewritten)
}

/// Writes the stretch before a message and its header; returns where its length must go.
fn begin_message(tag: u8, stretch: &[u8], out: &mut BytesMut) -> usize {
    out.put_slice(stretch);
    out.put_u8(tag);
    let start = out.len();
    out.put_u32(0);
    start
}

/// Writes the length of everything after the four bytes at `at` into them.
fn patch_element(out: &mut BytesMut, at: usize) {
    let length = u32::try_from(out.len() - at - 4).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

/// Writes the length of everything from `at` on into the four bytes at `at`.
fn patch_length(out: &mut BytesMut, at: usize) {
    let length = u32::try_from(out.len() - at).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

impl Column {
    /// Whether this value changes. Leaves the hits in the tally and counts them.
    fn hides(&self, detectors: &Detectors, value: &[u8], tally: &mut MaskTally, index: usize) -> bool {
        match &self.rule {
            ColumnRule::Pass => false,
            ColumnRule::Mask { .. } | ColumnRule::Conceal { .. } => {
                tally.add(index);
                true
            }
            ColumnRule::Detect => {
                self.shape.find(detectors, value, &mut tally.hits);
                tally.add_hits(index);
                !tally.hits.is_empty()
            }
        }
    }

    fn put_masked(&self, detectors: &Detectors, value: &[u8], hits: &[Hit], out: &mut BytesMut) {
        match &self.rule {
            ColumnRule::Mask { class, function } => {
                let mask = Mask { function: *function, class, keys: detectors.keys() };
                self.shape.put_whole(mask, value, out);
            }
            ColumnRule::Conceal { class } if self.shape == Shape::Text => {
                let mask = Mask { function: MaskFunction::Redact, class, keys: detectors.keys() };
                self.shape.put_whole(mask, &[], out);
            }
            ColumnRule::Conceal { .. } => out.put_i32(-1),
            ColumnRule::Detect => self.shape.put_hits(detectors, value, hits, out),
            ColumnRule::Pass => {}
        }
    }
}
