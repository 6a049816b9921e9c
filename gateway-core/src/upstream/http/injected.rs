//! What a request carried of the gateway's own secrets, so that an upstream that says it back tells it to nobody.
//!
//! Every occurrence in what comes back is written over byte for byte, so that lengths stay true, whatever the pieces are. No
//! more is kept back than what may be the beginning of one. Knows nothing of HTTP but headers.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{Extensions, HeaderMap, HeaderValue};
use zeroize::Zeroizing;

/// Anything shorter stands in ordinary texts too.
const LEAST_BYTES: usize = 8;
/// What stands in its place.
const COVER: u8 = b'*';

/// The secrets of one request, as they may be said back. Shows nothing of them.
#[derive(Clone, Default)]
pub struct Injected(Arc<[Zeroizing<Vec<u8>>]>);

impl fmt::Debug for Injected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Injected").field(&self.0.len()).finish()
    }
}

impl Injected {
    /// These secrets: as they are, as JSON may have them, and percent-encoded.
    pub(super) fn new<'text>(secrets: impl IntoIterator<Item = &'text str>) -> Self {
        let mut spellings: Vec<Vec<u8>> = Vec::new();
        for secret in secrets.into_iter().map(str::trim).filter(|secret| secret.len() >= LEAST_BYTES) {
            let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
            let spelled = [secret.to_owned(), secret.replace('/', "\\/"), encoded.replace('+', "%20"), encoded];
            spellings.extend(spelled.map(String::into_bytes));
        }
        spellings.sort_unstable();
        spellings.dedup();
        // What holds another one is covered before it.
        spellings.sort_by_key(|spelling| std::cmp::Reverse(spelling.len()));
        Self(spellings.into_iter().map(Zeroizing::new).collect())
    }

    /// What the request to this answer carried.
    pub fn of(answer: &Extensions) -> Self {
        answer.get::<Self>().cloned().unwrap_or_default()
    }

    /// Covers them in what is there whole.
    pub fn cover(&self, bytes: &mut [u8]) {
        for secret in self.0.iter() {
            let places: Vec<usize> = memchr::memmem::find_iter(bytes, secret.as_slice()).collect();
            for place in places {
                if let Some(found) = bytes.get_mut(place..place + secret.len()) {
                    found.fill(COVER);
                }
            }
        }
    }

    /// Covers them in every value of a header.
    pub fn cover_headers(&self, headers: &mut HeaderMap) {
        for value in headers.values_mut().filter(|value| self.is_in(value.as_bytes())) {
            let mut covered = value.as_bytes().to_vec();
            self.cover(&mut covered);
            *value =
                HeaderValue::from_bytes(&covered).unwrap_or_else(|_invalid| HeaderValue::from_static("[redacted]"));
        }
    }

    /// Whether one of them stands in it.
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        self.0.iter().any(|secret| memchr::memmem::find(bytes, secret).is_some())
    }

    /// How many of the last bytes may begin one of them.
    fn begun(&self, bytes: &[u8]) -> usize {
        let longest = |secret: &Zeroizing<Vec<u8>>| {
            let most = secret.len().saturating_sub(1).min(bytes.len());
            (1..=most).rev().find(|length| secret.get(..*length).is_some_and(|begun| bytes.ends_with(begun)))
        };
        self.0.iter().filter_map(longest).max().unwrap_or(0)
    }
}

/// Covers the secrets of one request in the body of its answer, as it comes.
#[derive(Debug, Default)]
pub struct Cover {
    injected: Injected,
    kept: Vec<u8>,
}

impl Cover {
    /// At the start of a body.
    pub fn new(injected: Injected) -> Self {
        Self { injected, kept: Vec::new() }
    }

    /// Takes a piece, and gives what may go on.
    pub fn chunk(&mut self, bytes: Bytes) -> Bytes {
        if self.kept.is_empty() && self.injected.begun(&bytes) == 0 && !self.injected.is_in(&bytes) {
            return bytes;
        }
        let mut all = std::mem::take(&mut self.kept);
        all.extend_from_slice(&bytes);
        self.injected.cover(&mut all);
        self.kept = all.split_off(all.len().saturating_sub(self.injected.begun(&all)));
        Bytes::from(all)
    }

    /// Covers them in what follows the body.
    pub fn headers(&self, headers: &mut HeaderMap) {
        self.injected.cover_headers(headers);
    }

    /// What was kept back, once nothing more comes.
    pub fn rest(&mut self) -> Bytes {
        Bytes::from(std::mem::take(&mut self.kept))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "sk/live+abcabcab=";

    fn covered(body: &[u8], piece: usize) -> Vec<u8> {
        let mut cover = Cover::new(Injected::new([SECRET, "abcdefgh"]));
        let mut out = Vec::new();
        for part in body.chunks(piece.max(1)) {
            out.extend_from_slice(&cover.chunk(Bytes::copy_from_slice(part)));
        }
        out.extend_from_slice(&cover.rest());
        out
    }

    #[test]
    fn a_secret_is_covered_in_every_spelling() {
        let body = format!("a {SECRET} b sk\\/live+abcabcab= c sk%2Flive%2Babcabcab%3D d abcdefg");
        let said = String::from_utf8(covered(body.as_bytes(), 7)).unwrap();
        assert_eq!(said.len(), body.len());
        assert!(!said.contains("live") && said.starts_with("a ***") && said.ends_with(" d abcdefg"), "{said}");
        assert_eq!(covered(b"short: hoop", 3), b"short: hoop");
        let mut headers = HeaderMap::new();
        headers.insert("x-echo", HeaderValue::from_static("Bearer abcdefgh"));
        Injected::new(["abcdefgh", "hoop"]).cover_headers(&mut headers);
        assert_eq!(headers["x-echo"], "Bearer ********");
    }

    #[test]
    fn nothing_is_kept_back_that_begins_nothing() {
        let mut cover = Cover::new(Injected::new([SECRET]));
        assert_eq!(cover.chunk(Bytes::from_static(b"data: x\n\n")), "data: x\n\n");
        assert_eq!(cover.chunk(Bytes::from_static(b"data: sk/l")), "data: ");
        assert_eq!(cover.chunk(Bytes::from_static(b"ost")), "sk/lost");
    }

    proptest! {
        #[test]
        fn no_split_shows_one(words in prop::collection::vec(prop_oneof![
            Just(SECRET), Just("abcdefgh"), Just("abcd"), Just("sk/li"), Just("efgh"), Just("x"), Just("\n"),
        ], 0..12), piece in 1_usize..30) {
            let body = words.concat();
            let said = covered(body.as_bytes(), piece);
            prop_assert_eq!(&said, &covered(body.as_bytes(), body.len()));
            prop_assert_eq!(said.len(), body.len());
            prop_assert!(!Injected::new([SECRET, "abcdefgh"]).is_in(&said));
        }
    }
}
