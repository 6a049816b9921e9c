//! One cell: what its type and format allow a mask to be, and how it is searched.
//!
//! A value is masked in place only where the client can still read the result; everywhere else it becomes NULL.

use bytes::{BufMut, BytesMut};

use super::{json, number};
use crate::{
    mask::{DetectedClass, Detectors, Hit, Mask, MaskFunction, mask_value},
    protocol::postgres::message::Format,
};

/// How values of one column are written, as far as masking is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Text that may hold anything.
    Text,
    /// JSON text, with the bytes that stand before it: one in binary jsonb.
    Json {
        /// Bytes before the text.
        prefix: usize,
    },
    /// Text of another type, such as an array, a composite or a type of an extension.
    OtherText,
    /// Text of a number, or of an array of numbers.
    NumberText,
    /// bytea as text: hexadecimal digits that may spell anything.
    BytesText,
    /// Binary int8 or money.
    Integer,
    /// Binary float8.
    Float,
    /// Binary numeric.
    Numeric,
    /// A binary array of int8.
    IntegerArray,
    /// A binary array of numeric.
    NumericArray,
    /// Any other binary type.
    OtherBinary,
    /// A fixed-size scalar that can hold no value of any class.
    Harmless,
}

impl Shape {
    /// The shape of a type in a format.
    pub const fn new(type_oid: u32, format: Format) -> Self {
        match (type_oid, format) {
            // text, varchar, bpchar, name, unknown, xml, cstring
            (25 | 1043 | 1042 | 19 | 705 | 142 | 2275, _) => Self::Text,
            (114, _) | (3802, Format::Text) => Self::Json { prefix: 0 },
            (3802, Format::Binary) => Self::Json { prefix: 1 },
            // bool, "char", int2, int4, oid, float4, date, time, timetz, timestamp, timestamptz, uuid, inet, cidr, macaddr
            (16 | 18 | 21 | 23 | 26 | 700 | 1082 | 1083 | 1266 | 1114 | 1184 | 2950 | 869 | 650 | 829 | 774, _) => {
                Self::Harmless
            }
            // int8, float8, numeric, money and arrays of the first three
            (20 | 701 | 1700 | 790 | 1016 | 1022 | 1231, Format::Text) => Self::NumberText,
            (17, Format::Text) => Self::BytesText,
            (20 | 790, Format::Binary) => Self::Integer,
            (701, Format::Binary) => Self::Float,
            (1700, Format::Binary) => Self::Numeric,
            (1016, Format::Binary) => Self::IntegerArray,
            (1231, Format::Binary) => Self::NumericArray,
            (_, Format::Text) => Self::OtherText,
            (_, Format::Binary) => Self::OtherBinary,
        }
    }

    pub(super) const fn is_harmless(self) -> bool {
        matches!(self, Self::Harmless)
    }

    /// Finds what the detectors see in a value. A number that is a card is one hit over all of it.
    pub(super) fn find(self, detectors: &Detectors, value: &[u8], hits: &mut Vec<Hit>) {
        hits.clear();
        let is_card = match self {
            Self::Harmless => return,
            Self::Integer => number::integer_is_card(value),
            Self::Float => number::float_is_card(value),
            Self::Numeric => number::numeric_is_card(value),
            Self::IntegerArray => number::array_holds(value, number::integer_is_card),
            Self::NumericArray => number::array_holds(value, number::numeric_is_card),
            Self::BytesText => return find_in_hexadecimal(detectors, value, hits),
            Self::OtherBinary => return find_in_binary(detectors, value, hits),
            Self::Text | Self::Json { .. } | Self::OtherText | Self::NumberText => {
                return detectors.find(value, hits);
            }
        };
        if is_card && detectors.seeks(DetectedClass::CreditCard) {
            hits.push(Hit { range: 0..value.len(), class: DetectedClass::CreditCard });
        }
    }

    /// Appends length and bytes of a value that is masked whole.
    pub(super) fn put_whole(self, mask: Mask<'_>, value: &[u8], out: &mut BytesMut) {
        match self {
            Self::Text => put_cell(out, |out| mask_value(mask, value, out)),
            Self::Json { prefix } => put_cell(out, |out| {
                out.put_slice(value.get(..prefix).unwrap_or_default());
                json::put_masked_string(mask, value.get(prefix..).unwrap_or_default(), out)
            }),
            Self::OtherText
            | Self::NumberText
            | Self::BytesText
            | Self::Integer
            | Self::Float
            | Self::Numeric
            | Self::IntegerArray
            | Self::NumericArray
            | Self::OtherBinary
            | Self::Harmless => put_null(out),
        }
    }

    /// Appends length and bytes of a value in which something was found.
    pub(super) fn put_hits(self, detectors: &Detectors, value: &[u8], hits: &[Hit], out: &mut BytesMut) {
        if hits.iter().any(|hit| detectors.function_or_redact(hit.class) == MaskFunction::Null) {
            return put_null(out);
        }
        match self {
            Self::Text | Self::OtherText => put_cell(out, |out| {
                put_in_place(detectors, value, hits, false, out);
                true
            }),
            Self::Json { .. } => put_cell(out, |out| {
                json::put_in_place(detectors, value, hits, out);
                true
            }),
            Self::NumberText
            | Self::BytesText
            | Self::Integer
            | Self::Float
            | Self::Numeric
            | Self::IntegerArray
            | Self::NumericArray
            | Self::OtherBinary
            | Self::Harmless => put_null(out),
        }
    }
}

/// Appends the text with every hit masked. With `escapes`, a letter after a backslash is left in its place.
pub(super) fn put_in_place(detectors: &Detectors, value: &[u8], hits: &[Hit], escapes: bool, out: &mut impl BufMut) {
    let mut copied = 0;
    for hit in hits {
        let skipped = if escapes { escaped_bytes(value, hit.range.start) } else { 0 };
        let start = (hit.range.start + skipped).min(hit.range.end);
        out.put_slice(value.get(copied..start).unwrap_or_default());
        let found = value.get(start..hit.range.end).unwrap_or_default();
        detectors.put_hit(hit.class, found, out);
        copied = hit.range.end;
    }
    out.put_slice(value.get(copied..).unwrap_or_default());
}

/// How many bytes at `start` belong to an escape that began before it: `\n`, or `\u00e9`.
pub(super) fn escaped_bytes(value: &[u8], start: usize) -> usize {
    let backslashes = value.get(..start).unwrap_or_default().iter().rev().take_while(|byte| **byte == b'\\').count();
    match (backslashes % 2, value.get(start)) {
        (0, _) => 0,
        (_, Some(b'u')) => 5,
        (_, _) => 1,
    }
}

fn find_in_hexadecimal(detectors: &Detectors, value: &[u8], hits: &mut Vec<Hit>) {
    let Some(digits) = value.strip_prefix(b"\\x") else { return detectors.find(value, hits) };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).unwrap_or_default();
    let bytes: Vec<u8> = digits.as_chunks::<2>().0.iter().map(|[high, low]| digit(*high) << 4 | digit(*low)).collect();
    detectors.find(&bytes, hits);
}

/// Searches arrays, composites and what else is binary. The length before an element may look like one more digit or
/// letter of it, so bytes that stand where lengths stand are blanked for a second look.
fn find_in_binary(detectors: &Detectors, value: &[u8], hits: &mut Vec<Hit>) {
    detectors.find(value, hits);
    if hits.is_empty() && detectors.may_hit(value) {
        detectors.find(&without_lengths(value), hits);
    }
}

/// Blanks the byte after three zeros, and the two after two: what is left of a length word below 16 MiB.
fn without_lengths(value: &[u8]) -> Vec<u8> {
    let (mut zeros, mut blanks) = (0, 0);
    let blanked = value.iter().map(|byte| {
        if blanks == 0 && *byte == 0 {
            zeros += 1;
            return 0;
        }
        if blanks == 0 {
            blanks = match zeros {
                0 | 1 => 0,
                2 => 2,
                _ => 1,
            };
        }
        zeros = 0;
        if blanks == 0 {
            return *byte;
        }
        blanks -= 1;
        0
    });
    blanked.collect()
}

fn put_null(out: &mut BytesMut) {
    out.put_i32(-1);
}

/// Appends a length and what `write` writes; NULL where it says that there is no value.
fn put_cell(out: &mut BytesMut, write: impl FnOnce(&mut BytesMut) -> bool) {
    let at = out.len();
    out.put_u32(0);
    if write(out) {
        let length = u32::try_from(out.len() - at - 4).unwrap_or(u32::MAX);
        if let Some(place) = out.get_mut(at..at + 4) {
            place.copy_from_slice(&length.to_be_bytes());
        }
    } else {
        out.truncate(at);
        put_null(out);
    }
}
