//! One cell: what its type and format allow a mask to be, and how it is searched.
//!
//! A value is masked in place only where the client can still read the result; everywhere else it becomes NULL.

use bytes::{BufMut, BytesMut};

use super::{array, json, number};
use crate::{
    mask::{DetectedClass, Detectors, Hit, Mask, MaskFunction, mask_value},
    protocol::postgres::message::Format,
};

/// A type as far as masks must know it: domains resolved to what they are over, arrays to their elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellType {
    /// The object id of the type, or of the elements of an array. A text-like type of an extension is `text`.
    pub base: u32,
    /// What stands between the elements of an array.
    pub array: Option<u8>,
    /// Whether it is a plain column of a table, so that names of members in a document are no values. What an expression
    /// or a view makes may have a value for a name: `json_build_object(email, 1)`.
    pub plain: bool,
}

/// The object id of `text`.
pub const TEXT: u32 = 25;

impl From<u32> for CellType {
    /// A type of which nothing but its object id is known. The arrays of texts that every server has are told.
    fn from(type_oid: u32) -> Self {
        match type_oid {
            // _text, _varchar, _bpchar, _name
            1009 | 1015 | 1014 | 1003 => Self { base: TEXT, array: Some(b','), plain: false },
            base => Self { base, array: None, plain: false },
        }
    }
}

/// How values of one column are written, as far as masking is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Text that may hold anything.
    Text,
    /// JSON text, with the bytes that stand before it: one in binary jsonb.
    Json {
        /// Bytes before the text.
        prefix: usize,
        /// Whether names of members may be shown.
        names: bool,
    },
    /// The literal of an array of texts.
    TextArray {
        /// What stands between its elements.
        delimiter: u8,
    },
    /// A binary array of texts.
    BinaryTextArray,
    /// A UUID as text.
    UuidText,
    /// A binary UUID.
    UuidBinary,
    /// inet or cidr, in either format.
    Address,
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
    pub fn new(cell: impl Into<CellType>, format: Format) -> Self {
        let CellType { base, array, plain } = cell.into();
        match (array, format) {
            (None, _) => Self::scalar(base, format, plain),
            (Some(delimiter), Format::Text) if is_text(base) => Self::TextArray { delimiter },
            (Some(_), Format::Binary) if is_text(base) => Self::BinaryTextArray,
            (Some(_), Format::Text) => Self::OtherText,
            (Some(_), Format::Binary) => match base {
                20 => Self::IntegerArray,
                1700 => Self::NumericArray,
                _ => Self::OtherBinary,
            },
        }
    }

    const fn scalar(type_oid: u32, format: Format, names: bool) -> Self {
        match (type_oid, format) {
            _ if is_text(type_oid) => Self::Text,
            (114, _) | (3802, Format::Text) => Self::Json { prefix: 0, names },
            (3802, Format::Binary) => Self::Json { prefix: 1, names },
            (2950, Format::Text) => Self::UuidText,
            (2950, Format::Binary) => Self::UuidBinary,
            // inet, cidr
            (869 | 650, _) => Self::Address,
            // bool, "char", int2, int4, oid, float4, date, time, timetz, timestamp, timestamptz, macaddr, macaddr8
            (16 | 18 | 21 | 23 | 26 | 700 | 1082 | 1083 | 1266 | 1114 | 1184 | 829 | 774, _) => Self::Harmless,
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
        matches!(self, Self::Harmless | Self::UuidText | Self::UuidBinary)
    }

    /// Finds what the detectors see in a value. A number that is a card is one hit over all of it.
    pub(super) fn find(self, detectors: &Detectors, value: &[u8], hits: &mut Vec<Hit>) {
        hits.clear();
        let is_card = match self {
            Self::Harmless | Self::UuidText | Self::UuidBinary => return,
            Self::Address => {
                if detectors.seeks(DetectedClass::Ip) {
                    hits.push(Hit { range: 0..value.len(), class: DetectedClass::Ip });
                }
                return;
            }
            Self::Integer => number::integer_is_card(value),
            Self::Float => number::float_is_card(value),
            Self::Numeric => number::numeric_is_card(value),
            Self::IntegerArray => number::array_holds(value, number::integer_is_card),
            Self::NumericArray => number::array_holds(value, number::numeric_is_card),
            Self::BytesText => return find_in_hexadecimal(detectors, value, hits),
            Self::OtherBinary | Self::BinaryTextArray => return find_in_binary(detectors, value, hits),
            Self::Text | Self::Json { .. } | Self::TextArray { .. } | Self::OtherText | Self::NumberText => {
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
            Self::Json { prefix, names } => put_cell(out, |out| {
                out.put_slice(value.get(..prefix).unwrap_or_default());
                json::put_masked_leaves(mask, names, value.get(prefix..).unwrap_or_default(), out)
            }),
            Self::TextArray { delimiter } if mask.function != MaskFunction::Null => {
                put_cell(out, |out| array::put_masked_literal(mask, delimiter, value, out).is_some());
            }
            Self::BinaryTextArray if mask.function != MaskFunction::Null => {
                put_cell(out, |out| array::put_masked_binary(mask, value, out).is_some());
            }
            Self::UuidText | Self::UuidBinary => put_cell(out, |out| put_uuid(self, mask, value, out).is_some()),
            Self::OtherText
            | Self::NumberText
            | Self::BytesText
            | Self::Integer
            | Self::Float
            | Self::Numeric
            | Self::IntegerArray
            | Self::NumericArray
            | Self::OtherBinary
            | Self::TextArray { .. }
            | Self::BinaryTextArray
            | Self::Address
            | Self::Harmless => put_null(out),
        }
    }

    /// Appends length and bytes of a value in which something was found.
    pub(super) fn put_hits(self, detectors: &Detectors, value: &[u8], hits: &[Hit], out: &mut BytesMut) {
        if hits.iter().any(|hit| detectors.function_or_redact(hit.class) == MaskFunction::Null) {
            return put_null(out);
        }
        match self {
            Self::BinaryTextArray => put_cell(out, |out| array::put_hits_binary(detectors, value, out).is_some()),
            Self::Text | Self::TextArray { .. } | Self::OtherText => put_cell(out, |out| {
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
            | Self::UuidText
            | Self::UuidBinary
            | Self::Address
            | Self::Harmless => put_null(out),
        }
    }
}

/// text, varchar, bpchar, name, unknown, xml, cstring.
const fn is_text(type_oid: u32) -> bool {
    matches!(type_oid, TEXT | 1043 | 1042 | 19 | 705 | 142 | 2275)
}

/// A hash fits into a UUID, so that joins still work; every other mask of one is NULL.
fn put_uuid(shape: Shape, mask: Mask<'_>, value: &[u8], out: &mut BytesMut) -> Option<()> {
    let keys = mask.keys.filter(|_| matches!(mask.function, MaskFunction::Hash | MaskFunction::Pseudonym))?;
    if shape == Shape::UuidBinary {
        out.put_slice(&versioned(keys.hash(mask.class, value)));
        return Some(());
    }
    let digits: Vec<u8> = value.iter().copied().filter(u8::is_ascii_hexdigit).collect();
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |[high, low]: &[u8; 2]| Some(nibble(*high)? << 4 | nibble(*low)?);
    let bytes: Vec<u8> = digits.as_chunks::<2>().0.iter().map(pair).collect::<Option<_>>()?;
    for (place, byte) in versioned(keys.hash(mask.class, &bytes)).into_iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            out.put_u8(b'-');
        }
        out.put_slice(format!("{byte:02x}").as_bytes());
    }
    Some(())
}

/// Marks 128 bits as a UUID of version 8, which RFC 9562 leaves to whoever makes it.
const fn versioned(bits: [u8; 16]) -> [u8; 16] {
    let mut bits = bits;
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut bits;
    *version = *version & 0x0F | 0x80;
    *variant = *variant & 0x3F | 0x80;
    bits
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
        super::patch_element(out, at);
    } else {
        out.truncate(at);
        put_null(out);
    }
}
