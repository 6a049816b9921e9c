//! Hexadecimal text for hashes, lower case. Used wherever a hash meets a reader.

/// Lower-case hexadecimal.
pub(crate) fn encode(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().map_or('0', char::from);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The 32 bytes of a hash; `None` unless the text is exactly 64 lower-case digits.
pub fn decode(text: &str) -> Option<[u8; 32]> {
    let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
    let mut out = [0; 32];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => return None,
            };
            *byte = (*byte << 4) | value;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_the_round_trip_and_refuses_other_spellings() {
        let bytes = std::array::from_fn(|index| u8::try_from(index * 8).expect("small"));
        assert_eq!(decode(&encode(&bytes)), Some(bytes));
        assert_eq!(decode(&"AB".repeat(32)), None);
        assert_eq!(decode("ab"), None);
    }
}
