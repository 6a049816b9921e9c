//! Card numbers that hide in numbers: int8, float8, numeric and arrays of them, in binary format.
//!
//! A value that cannot be read counts as one, so that it is not shown.

use crate::mask::is_card;

/// int8 and money.
pub(super) fn integer_is_card(value: &[u8]) -> bool {
    match <[u8; 8]>::try_from(value) {
        Ok(bytes) => digits_are_card(i64::from_be_bytes(bytes).unsigned_abs()),
        Err(_other_length) => true,
    }
}

/// float8, which holds integers of up to 15 digits, and many of 16, exactly.
pub(super) fn float_is_card(value: &[u8]) -> bool {
    match <[u8; 8]>::try_from(value) {
        Ok(bytes) => {
            let number = f64::from_be_bytes(bytes).abs();
            let fits = number.fract() == 0.0 && (1e12..1e19).contains(&number);
            fits && is_card(format!("{number:.0}").as_bytes())
        }
        Err(_other_length) => true,
    }
}

/// numeric: groups of four decimal digits, of which the first `weight + 1` are whole.
pub(super) fn numeric_is_card(value: &[u8]) -> bool {
    let (words, rest) = value.as_chunks::<2>();
    let [count, weight, _sign, _scale, chunks @ ..] = words else { return true };
    let (count, weight) = (u16::from_be_bytes(*count), i16::from_be_bytes(*weight));
    if chunks.len() != usize::from(count) || !rest.is_empty() {
        return true;
    }
    if !(3..=4).contains(&weight) {
        return false;
    }
    let mut number = 0_u64;
    for index in 0..=usize::from(weight.unsigned_abs()) {
        let group = chunks.get(index).map_or(0, |group| u64::from(u16::from_be_bytes(*group)));
        match number.checked_mul(10_000).and_then(|number| number.checked_add(group)) {
            Some(next) => number = next,
            None => return false,
        }
    }
    digits_are_card(number)
}

/// A one- or many-dimensional array: each element is asked.
pub(super) fn array_holds(value: &[u8], is_hit: impl Fn(&[u8]) -> bool) -> bool {
    let Some((dimensions, rest)) = value.split_first_chunk::<4>() else { return true };
    let dimensions = u32::from_be_bytes(*dimensions);
    let skipped = usize::try_from(dimensions).ok().filter(|count| *count <= 6).map(|count| 8 + count * 8);
    let Some(mut rest) = skipped.and_then(|skipped| rest.get(skipped..)) else { return true };
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        rest = after;
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else { continue };
        let Some((element, after)) = rest.split_at_checked(length) else { return true };
        if is_hit(element) {
            return true;
        }
        rest = after;
    }
    !rest.is_empty()
}

fn digits_are_card(mut number: u64) -> bool {
    let mut digits = [b'0'; 20];
    let mut length = 0;
    for place in digits.iter_mut().rev() {
        if number == 0 {
            break;
        }
        *place = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
        length += 1;
    }
    digits.get(digits.len() - length..).is_some_and(is_card)
}
