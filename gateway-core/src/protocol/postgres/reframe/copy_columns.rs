//! COPY output column by column: text, csv and binary rows in which some columns are masked whole.
//!
//! A server sends one row per CopyData, and a binary header with the first. What does not come so is an error.

use std::borrow::Cow;

use bytes::{BufMut, BytesMut};

use super::{Column, ColumnRule, MaskTally, Outcome, ReframeError, RowPlan, cell::put_in_place, put_message, rewrite};
use crate::{
    mask::Detectors,
    protocol::postgres::{
        codec::CodecError,
        message::{Format, backend::tag},
    },
    sql::{CopyFormat, CopyOut},
};

/// SPEC: the signature of a binary COPY; flags and the length of an extension follow.
const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
/// SPEC: the end of a binary COPY, in place of a row's column count.
const TRAILER: &[u8; 2] = b"\xff\xff";

/// What happens to the rows of one COPY … TO STDOUT.
#[derive(Debug)]
pub struct CopyPlan {
    shape: CopyOut,
    plan: RowPlan,
    has_started: bool,
    scratch: BytesMut,
}

impl CopyPlan {
    /// A rule and a type oid (0 where it is not known) for each column.
    pub fn new(shape: CopyOut, columns: impl IntoIterator<Item = (ColumnRule, u32)>) -> Self {
        let format = if shape.format == CopyFormat::Binary { Format::Binary } else { Format::Text };
        let plan = RowPlan::new(columns.into_iter().map(|(rule, type_oid)| (rule, type_oid, format)));
        Self { shape, plan, has_started: false, scratch: BytesMut::new() }
    }

    /// The rules, for the record of what was masked.
    pub fn plan(&self) -> &RowPlan {
        &self.plan
    }

    /// Whether the rows are binary.
    pub fn is_binary(&self) -> bool {
        self.shape.format == CopyFormat::Binary
    }

    /// Appends one CopyData, as a whole message, masked. `body` is the message without its header.
    pub fn data(
        &mut self,
        detectors: &Detectors,
        body: &[u8],
        out: &mut BytesMut,
        tally: &mut MaskTally,
    ) -> Result<(), ReframeError> {
        let is_first = !std::mem::replace(&mut self.has_started, true);
        self.scratch.clear();
        if self.is_binary() {
            return self.binary(is_first, detectors, body, out, tally);
        }
        if is_first && self.shape.has_header {
            put_message(tag::COPY_DATA, body, out);
            return Ok(());
        }
        self.line(detectors, body, tally)?;
        put_message(tag::COPY_DATA, &self.scratch, out);
        Ok(())
    }

    fn binary(
        &mut self,
        is_first: bool,
        detectors: &Detectors,
        body: &[u8],
        out: &mut BytesMut,
        tally: &mut MaskTally,
    ) -> Result<(), ReframeError> {
        let (header, row) = if is_first { body.split_at(header_length(body)?) } else { body.split_at(0) };
        let is_row = !row.is_empty() && row != TRAILER;
        match if is_row {
            rewrite(&self.plan, detectors, &[], row, &mut self.scratch, tally)?
        } else {
            Outcome::Unchanged
        } {
            Outcome::Unchanged => put_message(tag::COPY_DATA, body, out),
            Outcome::Rewritten => {
                let row = self.scratch.get(5..).unwrap_or_default();
                put_message(tag::COPY_DATA, &[header, row].concat(), out);
            }
        }
        Ok(())
    }

    /// Leaves the masked line in `scratch`.
    fn line(&mut self, detectors: &Detectors, body: &[u8], tally: &mut MaskTally) -> Result<(), ReframeError> {
        let content = body.strip_suffix(b"\n").unwrap_or(body);
        let mut rest = Some(content);
        let mut count = 0;
        for (index, column) in self.plan.columns.iter().enumerate() {
            let Some(left) = rest else {
                return Err(ReframeError::Columns { expected: self.plan.len(), found: count });
            };
            let (field, after) = self.shape.split(left);
            if index > 0 {
                self.scratch.put_u8(self.shape.delimiter);
            }
            put_field(&self.shape, column, index, field, detectors, tally, &mut self.scratch);
            (rest, count) = (after, count + 1);
        }
        if rest.is_some_and(|left| count > 0 || !left.is_empty()) {
            return Err(ReframeError::Columns { expected: self.plan.len(), found: count + 1 });
        }
        self.scratch.put_slice(body.get(content.len()..).unwrap_or_default());
        Ok(())
    }
}

fn header_length(body: &[u8]) -> Result<usize, ReframeError> {
    let malformed = || ReframeError::Malformed(CodecError::Truncated { tag: tag::COPY_DATA });
    let fields = body.strip_prefix(SIGNATURE).and_then(|rest| rest.split_first_chunk::<8>()).ok_or_else(malformed)?;
    let ([_, _, _, _, length @ ..], rest) = fields;
    let extension = usize::try_from(u32::from_be_bytes(*length)).map_err(|_too_long| malformed())?;
    if extension > rest.len() {
        return Err(malformed());
    }
    Ok(SIGNATURE.len() + 8 + extension)
}

/// Appends one field as the column's rule wants it.
fn put_field(
    shape: &CopyOut,
    column: &Column,
    index: usize,
    field: &[u8],
    detectors: &Detectors,
    tally: &mut MaskTally,
    out: &mut BytesMut,
) {
    match &column.rule {
        ColumnRule::Pass => out.put_slice(field),
        ColumnRule::Detect => {
            detectors.find(field, &mut tally.hits);
            if tally.hits.is_empty() {
                return out.put_slice(field);
            }
            tally.add_hits(index);
            put_in_place(detectors, field, &tally.hits, shape.format == CopyFormat::Text, out);
        }
        ColumnRule::Mask { .. } if field == shape.null.as_bytes() => out.put_slice(field),
        ColumnRule::Mask { .. } | ColumnRule::Conceal { .. } => {
            tally.add(index);
            let mut cell = BytesMut::new();
            column.put_masked(detectors, &shape.value(field), &[], &mut cell);
            match cell.split_first_chunk::<4>() {
                Some((length, value)) if i32::from_be_bytes(*length) >= 0 => shape.put_value(value, out),
                _ => out.put_slice(shape.null.as_bytes()),
            }
        }
    }
}

impl CopyOut {
    /// The first field of a line as it stands, and what follows its delimiter.
    fn split<'line>(&self, line: &'line [u8]) -> (&'line [u8], Option<&'line [u8]>) {
        let mut place = 0;
        let mut quoted = false;
        while let Some(byte) = line.get(place) {
            match byte {
                b'\\' if self.format == CopyFormat::Text => place += 1,
                b'"' if self.format == CopyFormat::Csv => quoted = !quoted,
                byte if *byte == self.delimiter && !quoted => {
                    let field = line.get(..place).unwrap_or_default();
                    return (field, Some(line.get(place + 1..).unwrap_or_default()));
                }
                _ => {}
            }
            place += 1;
        }
        (line, None)
    }

    /// The value that a field stands for.
    fn value<'field>(&self, field: &'field [u8]) -> Cow<'field, [u8]> {
        if self.format == CopyFormat::Csv {
            let Some(inner) = field.strip_prefix(b"\"").and_then(|field| field.strip_suffix(b"\"")) else {
                return Cow::Borrowed(field);
            };
            let mut value = Vec::with_capacity(inner.len());
            let mut bytes = inner.iter();
            while let Some(byte) = bytes.next() {
                value.push(*byte);
                if *byte == b'"' {
                    bytes.next();
                }
            }
            return Cow::Owned(value);
        }
        if !field.contains(&b'\\') {
            return Cow::Borrowed(field);
        }
        let mut value = Vec::with_capacity(field.len());
        let mut bytes = field.iter();
        while let Some(byte) = bytes.next() {
            let byte = match byte {
                b'\\' => match bytes.next() {
                    Some(b'b') => 8,
                    Some(b'f') => 12,
                    Some(b'n') => b'\n',
                    Some(b'r') => b'\r',
                    Some(b't') => b'\t',
                    Some(b'v') => 11,
                    Some(other) => *other,
                    None => b'\\',
                },
                byte => *byte,
            };
            value.push(byte);
        }
        Cow::Owned(value)
    }

    fn put_value(&self, value: &[u8], out: &mut BytesMut) {
        if self.format == CopyFormat::Csv {
            let is_plain = |byte: &u8| *byte != self.delimiter && !matches!(byte, b'"' | b'\n' | b'\r' | b'\\');
            if value.iter().all(is_plain) && value != self.null.as_bytes() && !value.is_empty() {
                return out.put_slice(value);
            }
            out.put_u8(b'"');
            for byte in value {
                if *byte == b'"' {
                    out.put_u8(b'"');
                }
                out.put_u8(*byte);
            }
            return out.put_u8(b'"');
        }
        for byte in value {
            match byte {
                b'\n' => out.put_slice(b"\\n"),
                b'\r' => out.put_slice(b"\\r"),
                b'\t' => out.put_slice(b"\\t"),
                b'\\' => out.put_slice(b"\\\\"),
                byte if *byte == self.delimiter => out.put_slice(&[b'\\', *byte]),
                byte => out.put_u8(*byte),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Buf as _;

    use super::*;
    use crate::mask::MaskFunction;

    fn shape(format: CopyFormat, delimiter: u8, null: &str) -> CopyOut {
        CopyOut { format, delimiter, null: null.to_owned(), has_header: false }
    }

    fn rules() -> [(ColumnRule, u32); 3] {
        let mask = ColumnRule::Mask { class: "email".into(), function: MaskFunction::Partial };
        [(ColumnRule::Pass, 23), (mask, 25), (ColumnRule::Conceal { class: "email".into() }, 0)]
    }

    fn masked(plan: &mut CopyPlan, body: &[u8]) -> Result<Vec<u8>, ReframeError> {
        let mut out = BytesMut::new();
        plan.data(&Detectors::none(), body, &mut out, &mut MaskTally::new())?;
        assert_eq!((&out[1..5]).get_u32() as usize, out.len() - 1);
        Ok(out[5..].to_vec())
    }

    #[test]
    fn masks_columns_of_text_and_csv() {
        let text = || CopyPlan::new(shape(CopyFormat::Text, b'\t', "\\N"), rules());
        let csv = || CopyPlan::new(shape(CopyFormat::Csv, b',', ""), rules());
        for (mut plan, line, expected) in [
            (text(), "1\tann@example.com\tx\n", "1\ta****@*****.com\t\\N\n"),
            (text(), "1\t\\N\t\\N\n", "1\t\\N\t\\N\n"),
            (text(), "a\\tb\ta\\tn\\\\\tx\n", "a\\tb\ta*****\t\\N\n"),
            (csv(), "1,\"ann, or\"\"@example.com\",x\n", "1,a****@*****.com,\n"),
            (csv(), "\"1,\"\"2\",,\n", "\"1,\"\"2\",,\n"),
            (csv(), "1,\"two\nlines\",\"\"\n", "1,t*****,\n"),
        ] {
            assert_eq!(String::from_utf8(masked(&mut plan, line.as_bytes()).unwrap()).unwrap(), expected);
        }
        for line in ["1\t2\n", "1\t2\t3\t4\n", ""] {
            assert!(matches!(masked(&mut text(), line.as_bytes()), Err(ReframeError::Columns { .. })), "{line:?}");
        }
    }

    #[test]
    fn a_header_line_passes_once() {
        let shape = CopyOut { has_header: true, ..shape(CopyFormat::Csv, b',', "") };
        let mut plan = CopyPlan::new(shape, rules());
        assert_eq!(masked(&mut plan, b"id,email,made\n").unwrap(), b"id,email,made\n");
        assert_eq!(masked(&mut plan, b"id,email,made\n").unwrap(), b"id,e*****,\n");
    }

    #[test]
    fn masks_columns_of_binary_rows_behind_their_header() {
        let mut plan = CopyPlan::new(shape(CopyFormat::Binary, b'\t', "\\N"), rules());
        let row = |cells: &[Option<&[u8]>]| {
            let mut row = vec![0, u8::try_from(cells.len()).unwrap()];
            for cell in cells {
                row.put_i32(cell.map_or(-1, |cell| i32::try_from(cell.len()).unwrap()));
                row.put_slice(cell.unwrap_or_default());
            }
            row
        };
        let header = [&SIGNATURE[..], &[0; 8]].concat();
        let first = row(&[Some(&[0, 0, 0, 1]), Some(b"ann@example.com"), Some(b"x")]);
        let hidden = row(&[Some(&[0, 0, 0, 1]), Some(b"a****@*****.com"), None]);
        assert_eq!(masked(&mut plan, &[&header[..], &first].concat()).unwrap(), [&header[..], &hidden].concat());
        assert_eq!(masked(&mut plan, &first).unwrap(), hidden);
        assert_eq!(masked(&mut plan, TRAILER).unwrap(), TRAILER);
        assert!(masked(&mut plan, &row(&[None])).is_err());
        let mut plan = CopyPlan::new(shape(CopyFormat::Binary, b'\t', "\\N"), rules());
        assert!(masked(&mut plan, &first).is_err(), "without a header");
    }
}
