//! Random codes for people and programs: the one a person compares, and secrets that only programs see.
//!
//! Knows nothing of what a code stands for. Used by the development provider and by the gateway's own device page.

use super::IdentityError;

/// Digits and letters without the ones that look alike; 32 of them, so that each random byte gives five even bits.
const READABLE: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Consonants only: nothing to misread, no words by accident.
const USER_CODE_ALPHABET: &[u8] = b"BCDFGHJKLMNPQRSTVWXZ";
const USER_CODE_LENGTH: usize = 8;

/// Random text worth eight bits for every byte asked, without letters that look alike.
pub(super) fn random_text(bytes: usize) -> Result<String, IdentityError> {
    random_of(READABLE, (bytes * 8).div_ceil(5))
}

/// A code that a person compares or types: more than 34 bits, good for minutes, behind a limit on guesses.
pub(super) fn user_code() -> Result<String, IdentityError> {
    random_of(USER_CODE_ALPHABET, USER_CODE_LENGTH)
}

/// `length` characters of an alphabet of at most 256, evenly.
fn random_of(alphabet: &[u8], length: usize) -> Result<String, IdentityError> {
    let even = 256 - 256 % alphabet.len().max(1);
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let mut random = [0_u8; 64];
        aws_lc_rs::rand::fill(&mut random)
            .map_err(|_failed| IdentityError::Settings("the system gives no randomness".to_owned()))?;
        let even_bytes = random.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < even);
        let digits = even_bytes.filter_map(|byte| alphabet.get(byte % alphabet.len()));
        text.extend(digits.map(|digit| char::from(*digit)).take(length - text.len()));
    }
    Ok(text)
}

/// The canonical form of a typed user code, `None` if it cannot be one.
pub(super) fn canonical_user_code(typed: &str) -> Option<String> {
    if typed.len() > 32 {
        return None;
    }
    let code: String =
        typed.chars().filter(|one| !matches!(one, '-' | ' ')).map(|one| one.to_ascii_uppercase()).collect();
    let valid = code.len() == USER_CODE_LENGTH && code.bytes().all(|byte| USER_CODE_ALPHABET.contains(&byte));
    valid.then_some(code)
}

/// `ABCD-EFGH`, as it is shown.
pub(super) fn spaced_user_code(code: &str) -> String {
    code.split_at_checked(USER_CODE_LENGTH / 2)
        .map_or_else(|| code.to_owned(), |(left, right)| format!("{left}-{right}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_codes_are_read_leniently_and_nothing_else_is() {
        assert_eq!(canonical_user_code("bcdf-ghjk").as_deref(), Some("BCDFGHJK"));
        assert_eq!(canonical_user_code("BCDFGHJ"), None);
        assert_eq!(canonical_user_code("BCDFGHJA"), None);
        assert_eq!(canonical_user_code("<script>"), None);
        assert_eq!(spaced_user_code("BCDFGHJK"), "BCDF-GHJK");
        assert!(canonical_user_code(&user_code().unwrap()).is_some());
    }
}
