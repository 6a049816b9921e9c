//! The words of a link's requests and answers: header names, the token path, how a bearer and a problem are written.
//!
//! Pure. Lengths are bounded here before anything is kept. Called by `client` and `acceptor`.

use std::fmt::Write as _;

use http::header::{HeaderMap, HeaderValue, InvalidHeaderValue};
use secrecy::{ExposeSecret, SecretString};

/// Where the laptop says its client came from; informational, never trusted.
pub(crate) const CLIENT_ADDRESS_HEADER: &str = "hoop-client-address";
/// The password the gateway asks the local client for, where the client's user cannot be looked up.
pub(crate) const LOCAL_PASSWORD_HEADER: &str = "hoop-local-password";
/// Why a stream or token was refused, in one line.
pub(crate) const PROBLEM_HEADER: &str = "hoop-problem";
/// Where a new token is presented for the whole link.
pub(crate) const TOKEN_PATH: &str = "/link/token";
/// The longest connection name taken from `:authority`.
pub(crate) const MAX_CONNECTION_NAME_BYTES: usize = 128;

const MAX_TOKEN_BYTES: usize = 16 << 10;
const MAX_PROBLEM_BYTES: usize = 1024;

pub(crate) fn bearer(token: &SecretString) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The bearer of a request; `None` when there is not exactly one, or it is no token.
pub(crate) fn token_of(headers: &HeaderMap) -> Option<SecretString> {
    let mut values = headers.get_all(http::header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let token = value.to_str().ok()?.strip_prefix("Bearer ")?;
    (!token.is_empty() && token.len() <= MAX_TOKEN_BYTES).then(|| SecretString::from(token))
}

/// One line a header can carry: ASCII as it is, everything else percent-encoded, bounded.
pub(crate) fn problem_value(problem: &str) -> HeaderValue {
    let mut written = String::with_capacity(problem.len().min(MAX_PROBLEM_BYTES));
    for character in problem.chars() {
        let mut bytes = [0; 4];
        let mut piece = String::new();
        for byte in character.encode_utf8(&mut bytes).bytes() {
            match byte {
                b'%' | 0..=0x1f | 0x7f..=0xff => {
                    // Writing to a string does not fail.
                    write!(piece, "%{byte:02X}").unwrap_or_default();
                }
                plain => piece.push(char::from(plain)),
            }
        }
        if written.len() + piece.len() > MAX_PROBLEM_BYTES {
            break;
        }
        written.push_str(&piece);
    }
    HeaderValue::try_from(written).unwrap_or_else(|_| HeaderValue::from_static("refused"))
}

/// The problem of an answer, decoded and bounded; control characters become spaces, so that it can be printed.
pub(crate) fn problem_text(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(PROBLEM_HEADER)?.as_bytes();
    let mut bytes = Vec::with_capacity(value.len().min(MAX_PROBLEM_BYTES));
    let mut rest = value.iter().copied().take(MAX_PROBLEM_BYTES);
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = (rest.next().and_then(hex), rest.next().and_then(hex));
        let (Some(high), Some(low)) = digits else { break };
        bytes.push(high << 4 | low);
    }
    let text = String::from_utf8_lossy(&bytes);
    Some(text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for value in values {
            map.append(http::header::AUTHORIZATION, HeaderValue::try_from(*value).unwrap());
        }
        map
    }

    #[test]
    fn takes_exactly_one_bearer() {
        assert_eq!(token_of(&headers(&["Bearer abc"])).unwrap().expose_secret(), "abc");
        assert!(token_of(&headers(&[])).is_none());
        assert!(token_of(&headers(&["Bearer "])).is_none());
        assert!(token_of(&headers(&["Basic abc"])).is_none());
        assert!(token_of(&headers(&["Bearer abc", "Bearer def"])).is_none());
        assert!(token_of(&headers(&[&format!("Bearer {}", "x".repeat(MAX_TOKEN_BYTES + 1))])).is_none());
    }

    #[test]
    fn a_bearer_is_never_shown() {
        let value = bearer(&SecretString::from("abc")).unwrap();
        assert!(value.is_sensitive());
        assert!(bearer(&SecretString::from("a\nb")).is_err());
    }

    proptest! {
        #[test]
        fn a_problem_arrives_as_it_was_written(problem in "\\PC{0,100}") {
            let mut map = HeaderMap::new();
            map.insert(PROBLEM_HEADER, problem_value(&problem));
            prop_assert_eq!(problem_text(&map).unwrap(), problem);
        }

        #[test]
        fn any_problem_header_is_printable(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let mut map = HeaderMap::new();
                map.insert(PROBLEM_HEADER, value);
                prop_assert!(!problem_text(&map).unwrap().chars().any(char::is_control));
            }
        }
    }
}
