//! Texts as they are recorded: what must not be read in the log is taken out, sealed beside it or dropped (law 4).
//!
//! A sealed part is AES-256-GCM under the site's recording key with the class as associated data, and a salted digest
//! of the plaintext that the chain covers. A secret (a password in a statement) is replaced and never stored.
//! Knows nothing of SQL: `session` says which spans are which. Fails closed: a span that is out of place is widened
//! or clamped, and a part that cannot be encrypted is dropped as a secret would be.

use std::{borrow::Cow, ops::Range};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    rand,
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};

use super::chain::{Salt, leaf_hash};
use crate::model::SealSpan;

/// What stands in a recorded text where a secret was.
pub const SECRET_PLACEHOLDER: &str = "⟦secret⟧";

/// A text ready to be recorded: plain, or with placeholders and the sealed parts behind them.
#[derive(Debug, Clone)]
pub struct SealedText<'a> {
    shown: Cow<'a, str>,
    parts: Vec<SealedPart>,
}

/// One sealed part, as it stands in the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedPart {
    /// Its number in the text, from 1: the `#1` of its placeholder.
    pub part: u32,
    /// Byte offset of its placeholder in the shown text.
    pub at: usize,
    /// Its class; several joined by `+` where spans overlap: all of them must be revealed.
    pub class: String,
    /// Length of the plaintext in bytes.
    pub bytes: usize,
    /// Salt of the digest, base64.
    pub salt: String,
    /// Leaf hash of (salt, class, plaintext), hexadecimal: proves a revealed plaintext.
    pub digest: String,
    /// Nonce, then ciphertext and tag, base64.
    pub sealed: String,
}

/// Why a sealed part cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnsealError {
    /// The ciphertext does not open under this key and class, or its digest does not fit.
    #[error("sealed part {0} does not open with this recording key")]
    Broken(u32),
}

impl<'a> SealedText<'a> {
    /// A text without anything to seal.
    pub fn plain(text: &'a str) -> Self {
        Self { shown: Cow::Borrowed(text), parts: Vec::new() }
    }

    /// Takes `secrets` out for good and seals `spans`; where they overlap, the secret wins.
    pub fn new(text: &'a str, spans: &[SealSpan], secrets: &[Range<usize>], sealer: &Sealer) -> Self {
        if spans.is_empty() && secrets.is_empty() {
            return Self::plain(text);
        }
        let mut shown = String::with_capacity(text.len() + 32);
        let mut parts = Vec::new();
        let mut copied = 0;
        for cut in cuts(text, spans, secrets) {
            shown.push_str(text.get(copied..cut.range.start).unwrap_or_default());
            copied = cut.range.end;
            let plaintext = text.get(cut.range).unwrap_or_default();
            let number = u32::try_from(parts.len()).unwrap_or(u32::MAX).saturating_add(1);
            match cut.class.and_then(|class| sealer.seal(number, shown.len(), class, plaintext)) {
                Some(part) => {
                    shown.push_str(&part.placeholder());
                    parts.push(part);
                }
                // FAIL-CLOSED: what cannot be sealed is not stored.
                None => shown.push_str(SECRET_PLACEHOLDER),
            }
        }
        shown.push_str(text.get(copied..).unwrap_or_default());
        Self { shown: Cow::Owned(shown), parts }
    }

    /// The text as everyone who may see the recording sees it.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The sealed parts, in order.
    pub fn parts(&self) -> &[SealedPart] {
        &self.parts
    }

    /// The same text, owning its content, to keep beside a prepared statement.
    pub fn into_owned(self) -> SealedText<'static> {
        SealedText { shown: Cow::Owned(self.shown.into_owned()), parts: self.parts }
    }
}

impl SealedPart {
    /// What stands in the shown text instead of it.
    pub fn placeholder(&self) -> String {
        format!("⟦{} {} bytes #{}⟧", self.class, self.bytes, self.part)
    }

    /// Opens the part. The caller must have asked policy whether the reader may reveal every class in `class`.
    pub fn unseal(&self, sealer: &Sealer) -> Result<String, UnsealError> {
        self.open(sealer).ok_or(UnsealError::Broken(self.part))
    }

    fn open(&self, sealer: &Sealer) -> Option<String> {
        let mut packed = BASE64.decode(&self.sealed).ok()?;
        let nonce: [u8; NONCE_LEN] = packed.get(..NONCE_LEN)?.try_into().ok()?;
        let body = packed.get_mut(NONCE_LEN..)?;
        let associated = Aad::from(associated(&self.class));
        let plaintext = sealer.key.open_in_place(Nonce::from(&nonce), associated, body).ok()?;
        let salt: Salt = BASE64.decode(&self.salt).ok()?.try_into().ok()?;
        let digest = leaf_hash(&mut Vec::new(), &salt, &self.class, plaintext);
        (super::hex::encode(&digest) == self.digest).then(|| String::from_utf8(plaintext.to_vec()).ok()).flatten()
    }
}

/// The site's recording key, which seals and unseals.
pub struct Sealer {
    key: RandomizedNonceKey,
}

impl Sealer {
    /// Takes the 32 bytes of the key; `None` where they are not a key.
    pub fn new(key: &[u8]) -> Option<Self> {
        RandomizedNonceKey::new(&AES_256_GCM, key).ok().map(|key| Self { key })
    }

    fn seal(&self, part: u32, at: usize, class: String, plaintext: &str) -> Option<SealedPart> {
        let mut salt = Salt::default();
        rand::fill(&mut salt).ok()?;
        let mut ciphertext = plaintext.as_bytes().to_vec();
        let nonce = self.key.seal_in_place_append_tag(Aad::from(associated(&class)), &mut ciphertext).ok()?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.extend_from_slice(&ciphertext);
        Some(SealedPart {
            part,
            at,
            bytes: plaintext.len(),
            salt: BASE64.encode(salt),
            digest: super::hex::encode(&leaf_hash(&mut Vec::new(), &salt, &class, plaintext.as_bytes())),
            sealed: BASE64.encode(sealed),
            class,
        })
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Sealer")
    }
}

/// What the ciphertext is bound to, so that a part cannot be passed off as another class.
fn associated(class: &str) -> Vec<u8> {
    [b"hoop seal v1\0", class.as_bytes()].concat()
}

/// A merged span: sealed under its class, or a secret where it has none.
struct Cut {
    range: Range<usize>,
    class: Option<String>,
}

/// Spans and secrets on character boundaries, in order, overlaps merged.
fn cuts(text: &str, spans: &[SealSpan], secrets: &[Range<usize>]) -> Vec<Cut> {
    let sealed = spans.iter().map(|span| (&span.range, Some(span.class.as_ref())));
    let mut all: Vec<Cut> = sealed
        .chain(secrets.iter().map(|range| (range, None)))
        .map(|(range, class)| Cut { range: on_boundaries(text, range), class: class.map(str::to_owned) })
        .filter(|cut| !cut.range.is_empty())
        .collect();
    all.sort_by_key(|cut| (cut.range.start, cut.range.end));
    let mut merged: Vec<Cut> = Vec::with_capacity(all.len());
    for cut in all {
        match merged.last_mut() {
            Some(last) if cut.range.start < last.range.end => {
                last.range.end = last.range.end.max(cut.range.end);
                last.class = joined(last.class.take(), cut.class);
            }
            _ => merged.push(cut),
        }
    }
    merged
}

fn joined(left: Option<String>, right: Option<String>) -> Option<String> {
    let (left, right) = (left?, right?);
    if left.split('+').any(|class| class == right) { Some(left) } else { Some(format!("{left}+{right}")) }
}

fn on_boundaries(text: &str, range: &Range<usize>) -> Range<usize> {
    let end = range.end.max(range.start);
    text.floor_char_boundary(range.start)..text.ceil_char_boundary(end.min(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer() -> Sealer {
        Sealer::new(&[7; 32]).expect("a key")
    }

    fn span(range: Range<usize>, class: &str) -> SealSpan {
        SealSpan { range, class: std::sync::Arc::from(class) }
    }

    #[test]
    fn seals_a_literal_and_opens_it_again() {
        let text = "select * from c where email = 'alice@example.com'";
        let start = text.find("alice").expect("there");
        let sealed = SealedText::new(text, &[span(start..start + 17, "email")], &[], &sealer());
        assert_eq!(sealed.shown(), "select * from c where email = '⟦email 17 bytes #1⟧'");
        assert_eq!(sealed.parts().len(), 1);
        assert_eq!(sealed.parts()[0].at, start);
        assert_eq!(sealed.parts()[0].unseal(&sealer()).as_deref(), Ok("alice@example.com"));
    }

    #[test]
    fn refuses_another_key_another_class_and_a_changed_ciphertext() {
        let sealed = SealedText::new("4111111111111111", &[span(0..16, "credit_card")], &[], &sealer());
        let part = sealed.parts()[0].clone();
        assert!(part.unseal(&Sealer::new(&[8; 32]).expect("a key")).is_err());
        assert!(SealedPart { class: "email".into(), ..part.clone() }.unseal(&sealer()).is_err());
        assert!(SealedPart { digest: "00".into(), ..part.clone() }.unseal(&sealer()).is_err());
        assert!(SealedPart { sealed: "AAAA".into(), ..part }.unseal(&sealer()).is_err());
    }

    #[test]
    fn never_stores_a_secret_even_inside_a_sealed_span() {
        let text = "alter role a password 'hunter2'";
        let secrets = vec![Range { start: 23, end: 30 }];
        let sealed = SealedText::new(text, &[span(20..31, "email")], &secrets, &sealer());
        assert_eq!(sealed.shown(), "alter role a passwor⟦secret⟧");
        assert!(sealed.parts().is_empty());
    }

    #[test]
    fn overlapping_classes_must_all_be_revealed_and_odd_spans_leak_nothing() {
        let sealed = SealedText::new("äöü@x", &[span(1..4, "email"), span(3..90, "pii")], &[], &sealer());
        assert_eq!(sealed.shown(), "⟦email+pii 8 bytes #1⟧");
        assert_eq!(sealed.parts()[0].unseal(&sealer()).as_deref(), Ok("äöü@x"));
    }
}
