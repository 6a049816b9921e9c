//! A value of the wire as people read it: text as it is, binary of the common types decoded, the rest in hexadecimal.
//!
//! For reviewers and the record, and so that detectors see what a binary value says. A value that is not what its type
//! says is shown in hexadecimal: nothing here fails.

use std::{borrow::Cow, fmt::Write as _};

use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339, macros::datetime};

use crate::protocol::postgres::message::Format;

/// SPEC: PostgreSQL counts time from here.
const EPOCH: OffsetDateTime = datetime!(2000-01-01 0:00 UTC);
/// The most elements of an array that are shown.
const MAX_ELEMENTS: usize = 1_000;
/// The most digits that a numeric may spread over by its weight or scale alone.
const MAX_NUMERIC_GROUPS: i32 = 4_096;

/// The value as text.
pub(super) fn readable(value: &[u8], format: Format, type_oid: u32) -> Cow<'_, str> {
    if format == Format::Text {
        return String::from_utf8_lossy(value);
    }
    match type_oid {
        18 | 19 | 25 | 114 | 142 | 705 | 1042 | 1043 => String::from_utf8_lossy(value),
        0 if is_printable(value) => String::from_utf8_lossy(value),
        _ => binary(value, type_oid).map_or_else(|| hexadecimal(value), Cow::Owned),
    }
}

/// SPEC: PostgreSQL `send` functions: everything is big-endian.
fn binary(value: &[u8], type_oid: u32) -> Option<String> {
    match type_oid {
        16 => match value {
            [byte] => Some(if *byte == 0 { "false" } else { "true" }.to_owned()),
            _ => None,
        },
        20 => Some(i64::from_be_bytes(value.try_into().ok()?).to_string()),
        21 => Some(i16::from_be_bytes(value.try_into().ok()?).to_string()),
        23 => Some(i32::from_be_bytes(value.try_into().ok()?).to_string()),
        26 | 24 | 2205 | 2206 => Some(u32::from_be_bytes(value.try_into().ok()?).to_string()),
        700 => Some(f32::from_be_bytes(value.try_into().ok()?).to_string()),
        701 => Some(f64::from_be_bytes(value.try_into().ok()?).to_string()),
        1082 => moment(Duration::days(i64::from(i32::from_be_bytes(value.try_into().ok()?))), Shown::Date),
        1083 => moment(Duration::microseconds(i64::from_be_bytes(value.try_into().ok()?)), Shown::Time),
        1114 => moment(Duration::microseconds(i64::from_be_bytes(value.try_into().ok()?)), Shown::Moment),
        1184 => moment(Duration::microseconds(i64::from_be_bytes(value.try_into().ok()?)), Shown::MomentInUtc),
        1186 => interval(value),
        1700 => numeric(value),
        2950 => uuid(value),
        3802 => match value.split_first()? {
            (1, text) => Some(String::from_utf8_lossy(text).into_owned()),
            _ => None,
        },
        1000 | 1005 | 1007 | 1009 | 1014 | 1015 | 1016 | 1021 | 1022 | 1115 | 1182 | 1185 | 1231 | 2951 | 3807 => {
            array(value)
        }
        _ => None,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Date,
    Time,
    Moment,
    MomentInUtc,
}

fn moment(since: Duration, shown: Shown) -> Option<String> {
    if since == Duration::microseconds(i64::MAX) {
        return Some("infinity".to_owned());
    }
    let written = EPOCH.checked_add(since)?.format(&Rfc3339).ok()?;
    let plain = written.trim_end_matches('Z');
    let (date, time) = plain.split_once('T')?;
    Some(match shown {
        Shown::Date => date.to_owned(),
        Shown::Time => time.to_owned(),
        Shown::Moment => format!("{date} {time}"),
        Shown::MomentInUtc => format!("{date} {time}+00"),
    })
}

fn interval(value: &[u8]) -> Option<String> {
    let (micros, rest) = value.split_first_chunk::<8>()?;
    let (days, months) = rest.split_first_chunk::<4>()?;
    let months = i32::from_be_bytes(months.try_into().ok()?);
    let (micros, days) = (i64::from_be_bytes(*micros), i32::from_be_bytes(*days));
    #[expect(clippy::cast_precision_loss, reason = "it is shown, not calculated with")]
    let seconds = micros as f64 / 1e6;
    Some(format!("{months} months {days} days {seconds} seconds"))
}

/// SPEC: `numeric_send`: groups of four decimal digits, of which the first `weight + 1` are whole; sign; scale.
fn numeric(value: &[u8]) -> Option<String> {
    let (words, []) = value.as_chunks::<2>() else { return None };
    let [count, weight, sign, scale, groups @ ..] = words else { return None };
    let (count, weight) = (u16::from_be_bytes(*count), i32::from(i16::from_be_bytes(*weight)));
    let scale = usize::from(u16::from_be_bytes(*scale));
    let sign = match u16::from_be_bytes(*sign) {
        0 => "",
        0x4000 => "-",
        0xc000 => return Some("NaN".to_owned()),
        0xd000 => return Some("Infinity".to_owned()),
        0xf000 => return Some("-Infinity".to_owned()),
        _ => return None,
    };
    if usize::from(count) != groups.len() || weight.abs() > MAX_NUMERIC_GROUPS || scale > 16_383 {
        return None;
    }
    let group = |place: i32| {
        let index = usize::try_from(weight.checked_sub(place)?).ok();
        Some(index.and_then(|index| groups.get(index)).map_or(0, |group| u16::from_be_bytes(*group)))
    };
    let mut whole = String::new();
    for place in (0..=weight.max(0)).rev() {
        write!(whole, "{:04}", group(place)?).ok()?;
    }
    let whole = whole.trim_start_matches('0');
    let mut fraction = String::new();
    let mut place = -1;
    while fraction.len() < scale {
        write!(fraction, "{:04}", group(place)?).ok()?;
        place -= 1;
    }
    let whole = if whole.is_empty() { "0" } else { whole };
    let fraction = fraction.get(..scale)?;
    Some(if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}

fn uuid(value: &[u8]) -> Option<String> {
    let number = u128::from_be_bytes(value.try_into().ok()?);
    let digits = format!("{number:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| digits.get(part).unwrap_or_default().to_owned());
    Some(parts.join("-"))
}

/// SPEC: `array_send`: dimensions, flags, element type, per dimension its length and lower bound, then the elements.
fn array(value: &[u8]) -> Option<String> {
    let mut rest = value;
    let mut word = || {
        let (word, left) = rest.split_first_chunk::<4>()?;
        rest = left;
        Some(i32::from_be_bytes(*word))
    };
    let (dimensions, _flags, element) = (word()?, word()?, word()?);
    match dimensions {
        0 => return Some("{}".to_owned()),
        1 => {}
        _ => return None,
    }
    let (length, _lower) = (usize::try_from(word()?).ok()?, word()?);
    let element = u32::from_be_bytes(element.to_be_bytes());
    let mut shown = Vec::new();
    for _ in 0..length.min(MAX_ELEMENTS) {
        let (size, left) = rest.split_first_chunk::<4>()?;
        rest = left;
        let Ok(size) = usize::try_from(i32::from_be_bytes(*size)) else {
            shown.push("NULL".to_owned());
            continue;
        };
        let (item, left) = rest.split_at_checked(size)?;
        rest = left;
        shown.push(readable(item, Format::Binary, element).into_owned());
    }
    if length > MAX_ELEMENTS {
        // FAIL-CLOSED: what is not shown here is not looked at by detectors either.
        return None;
    }
    Some(format!("{{{}}}", shown.join(",")))
}

fn is_printable(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_ok_and(|text| !text.chars().any(char::is_control))
}

pub(super) fn hexadecimal(value: &[u8]) -> Cow<'_, str> {
    let mut out = String::with_capacity(2 + value.len() * 2);
    out.push_str("\\x");
    for byte in value {
        // A `String` takes every write.
        let _written: Result<(), _> = write!(out, "{byte:02x}");
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(type_oid: u32, hex: &str) -> String {
        let bytes: Vec<u8> = hex
            .as_bytes()
            .chunks(2)
            .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
            .collect();
        readable(&bytes, Format::Binary, type_oid).into_owned()
    }

    /// The bytes are those that PostgreSQL 15's send functions give.
    #[test]
    fn binary_values_are_shown_as_the_server_would_write_them() {
        for (type_oid, hex, text) in [
            (16, "01", "true"),
            (20, "0000000000000007", "7"),
            (23, "fffffffe", "-2"),
            (26, "ffffffff", "4294967295"),
            (701, "3ff8000000000000", "1.5"),
            (1700, "000200000000000204d215e0", "1234.56"),
            (1700, "0001ffff4000000403e8", "-0.1000"),
            (1700, "00010001000000000001", "10000"),
            (1700, "00040003000000000fb7045704570457", "4023111111111111"),
            (1700, "00000000c0000000", "NaN"),
            (1082, "00000000", "2000-01-01"),
            (1082, "ffffffff", "1999-12-31"),
            (1114, "0000000000000000", "2000-01-01 00:00:00"),
            (1184, "00000000000f4240", "2000-01-01 00:00:01+00"),
            (2950, "00112233445566778899aabbccddeeff", "00112233-4455-6677-8899-aabbccddeeff"),
            (3802, "017b7d", "{}"),
            (1007, "0000000100000000000000170000000200000001000000040000000100000004ffffffff", "{1,-1}"),
            (1009, "00000001000000010000001900000001", "\\x00000001000000010000001900000001"),
            (23, "00", "\\x00"),
            (17, "dead", "\\xdead"),
        ] {
            assert_eq!(shown(type_oid, hex), text, "{type_oid} {hex}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_of_any_type_are_shown(bytes in prop::collection::vec(any::<u8>(), 0..64), index in 0..40_usize) {
            let types = [0, 16, 20, 23, 700, 1007, 1009, 1082, 1083, 1114, 1184, 1186, 1231, 1700, 2950, 3802, 9999];
            let type_oid = types[index % types.len()];
            prop_assert!(!readable(&bytes, Format::Binary, type_oid).is_empty() || bytes.len() < 2);
        }
    }
}
