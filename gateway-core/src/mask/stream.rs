//! Masks a text that arrives in pieces, so that a value split over them neither escapes nor holds everything back.
//!
//! What was let go is final; what a value might still begin in is kept. The end of what went out is remembered, since a
//! keyword there may announce a value here. Pure; called for answers of models and other streams.

use bytes::BufMut;

use super::{DetectedClass, Detectors};

/// How much of the end is always kept: longer than every value that is made of several words.
const KEPT_BYTES: usize = 320;
/// How much of what went out is looked at again, for keywords and for what stands before a value.
const LOOK_BACK_BYTES: usize = 128;
/// The longest value, or word without a space, that is waited for.
const MOST_HELD_BYTES: usize = 128 * 1024;

/// A value, or a word without an end, is longer than what is kept of a stream. Whoever sees it stops the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a word of more than {MOST_HELD_BYTES} bytes cannot be searched for values while it streams")]
pub struct Overlong;

/// One text of a stream.
#[derive(Debug, Default)]
pub struct StreamedText {
    /// The end of what went out, as it was, then what is kept.
    text: Vec<u8>,
    /// Where what is kept begins.
    kept: usize,
    /// How much is kept before it is looked at again, so that a long word is not searched for each letter that comes.
    look_at: usize,
}

impl StreamedText {
    /// Takes a piece and appends to `out` what can go. `found` is told the class of each value that was masked.
    pub fn push(
        &mut self,
        detectors: &Detectors,
        piece: &[u8],
        out: &mut Vec<u8>,
        found: &mut impl FnMut(DetectedClass),
    ) -> Result<(), Overlong> {
        self.text.extend_from_slice(piece);
        if detectors.is_empty() {
            self.release(detectors, self.text.len(), out, found);
            return Ok(());
        }
        if self.held() <= KEPT_BYTES.max(self.look_at) {
            return Ok(());
        }
        let cut = self.cut(detectors);
        self.release(detectors, cut, out, found);
        self.look_at = self.held() + self.held() / 4;
        if self.held() > MOST_HELD_BYTES { Err(Overlong) } else { Ok(()) }
    }

    /// Lets the rest go: nothing follows.
    pub fn finish(&mut self, detectors: &Detectors, out: &mut Vec<u8>, found: &mut impl FnMut(DetectedClass)) {
        self.release(detectors, self.text.len(), out, found);
        *self = Self::default();
    }

    fn held(&self) -> usize {
        self.text.len().saturating_sub(self.kept)
    }

    /// Whether something is kept.
    pub fn is_waiting(&self) -> bool {
        self.kept < self.text.len()
    }

    /// How far the text may go: before the window, before the word that lies over its edge, before a value there.
    fn cut(&self, detectors: &Detectors) -> usize {
        let mut cut = self.text.len().saturating_sub(KEPT_BYTES).max(self.kept);
        let mut hits = Vec::new();
        detectors.find(&self.text, &mut hits);
        loop {
            let word = self.text.get(self.kept..cut).unwrap_or_default();
            let goes_on = self.text.get(cut).copied().is_some_and(is_wordlike);
            let back = if goes_on { word.iter().rev().take_while(|byte| is_wordlike(**byte)).count() } else { 0 };
            let before = cut - back;
            let crossed = hits.iter().filter(|hit| hit.range.start < before && hit.range.end >= before);
            let next = crossed.map(|hit| hit.range.start).min().unwrap_or(before).max(self.kept);
            if next == cut {
                return cut;
            }
            cut = next;
        }
    }

    fn release(
        &mut self,
        detectors: &Detectors,
        until: usize,
        out: &mut Vec<u8>,
        found: &mut impl FnMut(DetectedClass),
    ) {
        let (mut hits, mut copied) = (Vec::new(), self.kept);
        if !detectors.is_empty() && until > self.kept {
            detectors.find(&self.text, &mut hits);
        }
        for hit in hits.iter().filter(|hit| hit.range.end > self.kept && hit.range.start < until) {
            let start = hit.range.start.max(copied);
            let end = hit.range.end.min(until);
            out.put_slice(self.text.get(copied..start).unwrap_or_default());
            detectors.put_hit(hit.class, self.text.get(start..end).unwrap_or_default(), out);
            found(hit.class);
            copied = end;
        }
        out.put_slice(self.text.get(copied..until).unwrap_or_default());
        let forgotten = until.saturating_sub(LOOK_BACK_BYTES);
        self.text.drain(..forgotten.min(self.text.len()));
        self.kept = until - forgotten;
    }
}

/// What a token, a key or an address is made of; bytes of letters that are not ASCII count, so that none is cut.
const fn is_wordlike(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || byte >= 0x80
        || matches!(byte, b'-' | b'_' | b'.' | b'+' | b'/' | b'=' | b'@' | b':' | b'%')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7Zr1xW9JQ0\nq8yT3nQ1p0c5Lw2bXvR6mZk4HsUe\n-----END RSA PRIVATE KEY-----";

    fn streamed(text: &str, cuts: &[usize]) -> String {
        let (mut stream, mut out, detectors) = (StreamedText::default(), Vec::new(), Detectors::builtin());
        let mut from = 0;
        for cut in cuts.iter().copied().chain([text.len()]) {
            let cut = cut.clamp(from, text.len());
            stream.push(&detectors, &text.as_bytes()[from..cut], &mut out, &mut |_class| {}).unwrap();
            from = cut;
        }
        stream.finish(&detectors, &mut out, &mut |_class| {});
        String::from_utf8(out).unwrap()
    }

    fn whole(text: &str) -> String {
        Detectors::builtin().mask_text(text).unwrap_or_else(|| text.to_owned())
    }

    fn sample() -> String {
        let jwt = format!("eyJhbGciOiJIUzI1NiJ9.eyJ{}.c2lnbmF0dXJl", "QUJDRGFi".repeat(120));
        let prose = "Żółw is a word, and the orders of the week were 17, as was said before. ".repeat(6);
        format!(
            "{prose}Write to ada@example.com or +1 (201) 555-0123. {prose}The card is 4111 1111 1111 1111, her number \
             123-45-6789.\n{KEY}\n{prose}token {jwt} and password = \"Tr0ub4dor&3xyz\" {prose}"
        )
    }

    #[test]
    fn a_split_at_every_byte_gives_what_the_whole_gives() {
        let text = sample();
        let expected = whole(&text);
        assert!(!expected.contains("ada@example.com") && !expected.contains("4111 1111 1111 1111"));
        for cut in 0..text.len() {
            assert_eq!(streamed(&text, &[cut]), expected, "split at {cut}");
        }
        let single: Vec<usize> = (0..text.len()).collect();
        assert_eq!(streamed(&text, &single), expected, "byte by byte");
    }

    #[test]
    fn prose_is_not_kept_whole() {
        let (mut stream, mut out, detectors) = (StreamedText::default(), Vec::new(), Detectors::builtin());
        for _ in 0..100 {
            stream.push(&detectors, b"nothing to hide in here, and more. ", &mut out, &mut |_class| {}).unwrap();
        }
        assert!(out.len() + 2 * KEPT_BYTES >= 3_500, "{}", out.len());
    }

    #[test]
    fn without_detectors_nothing_is_kept() {
        let (mut stream, mut out) = (StreamedText::default(), Vec::new());
        stream.push(&Detectors::none(), b"ada@exam", &mut out, &mut |_class| {}).unwrap();
        assert_eq!(out, b"ada@exam");
        assert!(!stream.is_waiting());
    }

    #[test]
    fn a_word_without_an_end_stops_the_stream() {
        let (mut stream, mut out, detectors) = (StreamedText::default(), Vec::new(), Detectors::builtin());
        let mut result = Ok(());
        for _ in 0..200 {
            result = result.and(stream.push(&detectors, &[b'a'; 1024], &mut out, &mut |_class| {}));
        }
        assert_eq!(result, Err(Overlong));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn any_split_gives_what_the_whole_gives(mut cuts in prop::collection::vec(0_usize..4_000, 0..40)) {
            cuts.sort_unstable();
            prop_assert_eq!(streamed(&sample(), &cuts), whole(&sample()));
        }
    }
}
