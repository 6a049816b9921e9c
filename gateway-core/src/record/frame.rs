//! A record as bytes: `u32 length of body | body (JSON) | record hash`. Writing it and reading it back; no IO.
//!
//! The one spelling rule: a body is read only if writing what was read gives the very same bytes, so that no bit of
//! the log is without meaning. Lengths are checked before anything is allocated.

use aws_lc_rs::rand;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};

use super::{
    RecordError,
    chain::{GENESIS, Hash, Header, Salt, leaf_hash, record_hash},
};

/// The version of the format.
pub(crate) const VERSION: u32 = 1;
/// No body is longer.
pub const MAX_BODY_BYTES: usize = 4 << 20;
/// Bytes of a frame besides its body.
pub(crate) const OVERHEAD_BYTES: usize = 4 + 32;
/// Salts are drawn this many bytes at a time.
const SALT_POOL_BYTES: usize = 1024;

/// One record, read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The chain it belongs to: a session's id, `gateway`, or `log_N` for what the log says of itself.
    pub session: String,
    /// Its position in that chain, from 1.
    pub seq: u64,
    /// When it was made, microseconds since 1970.
    pub at_micros: u64,
    /// What it is: `operation`, `outcome`, …
    pub kind: String,
    /// Its fields in order.
    pub fields: Vec<Field>,
    /// The hash stored behind it; trust it only after verification.
    pub hash: Hash,
}

/// One field of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What its leaf is salted with.
    pub salt: Salt,
    /// Its value.
    pub value: String,
}

impl Record {
    /// The value of a field.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|field| field.name == name).map(|field| field.value.as_str())
    }

    /// The value of a field that is a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.value(name)?.parse().ok()
    }

    /// The body as it is written.
    pub(crate) fn spelt(&self) -> Vec<u8> {
        let header = Header {
            version: VERSION,
            session: &self.session,
            seq: self.seq,
            at_micros: self.at_micros,
            kind: &self.kind,
        };
        let mut writer = Writer::default();
        writer.begin(&header);
        for field in &self.fields {
            writer.salted_field(&field.name, &field.value, &field.salt);
        }
        writer.finish(&GENESIS, &header).map(|(body, _hash)| body.to_vec()).unwrap_or_default()
    }

    /// The hash that this record must have after `previous` in its chain.
    pub(crate) fn hash_after(&self, previous: &Hash) -> Hash {
        let mut scratch = Vec::new();
        let leaves: Vec<Hash> = self
            .fields
            .iter()
            .map(|field| leaf_hash(&mut scratch, &field.salt, &field.name, field.value.as_bytes()))
            .collect();
        let header = Header {
            version: VERSION,
            session: &self.session,
            seq: self.seq,
            at_micros: self.at_micros,
            kind: &self.kind,
        };
        record_hash(&mut scratch, previous, &header, &leaves)
    }
}

/// What is found at the start of some bytes.
#[derive(Debug)]
pub(crate) enum Found<'bytes> {
    /// A whole frame: its body and the hash behind it.
    Frame { body: &'bytes [u8], hash: Hash },
    /// The bytes end before the frame does.
    Partial,
    /// No frame starts like this.
    Broken(&'static str),
}

/// Looks at the start of `bytes` without copying.
pub(crate) fn find(bytes: &[u8]) -> Found<'_> {
    let Some((prefix, rest)) = bytes.split_first_chunk::<4>() else { return Found::Partial };
    let Ok(length) = usize::try_from(u32::from_be_bytes(*prefix)) else { return Found::Broken("too long a record") };
    if length == 0 {
        return Found::Broken("a record without a body");
    }
    if length > MAX_BODY_BYTES {
        return Found::Broken("too long a record");
    }
    let Some((body, rest)) = rest.split_at_checked(length) else { return Found::Partial };
    match rest.first_chunk::<32>() {
        Some(hash) => Found::Frame { body, hash: *hash },
        None => Found::Partial,
    }
}

/// The body as it is spelt; the order of keys is part of the format.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    v: u32,
    session: String,
    seq: u64,
    at_micros: u64,
    kind: String,
    fields: Vec<(String, String, String)>,
}

/// Reads a body; says what is wrong with one that this format does not write.
pub(crate) fn parse(body: &[u8], hash: Hash) -> Result<Record, &'static str> {
    let parsed: Body = serde_json::from_slice(body).map_err(|_no_body| "not a record")?;
    if parsed.v != VERSION {
        return Err("a record of another format version");
    }
    let respelt = serde_json::to_vec(&parsed).map_err(|_unspeakable| "not a record")?;
    if respelt != body {
        return Err("a record that is spelt differently");
    }
    let fields = parsed
        .fields
        .into_iter()
        .map(|(name, salt, value)| {
            let salt = BASE64.decode(salt).ok()?.try_into().ok()?;
            Some(Field { name, salt, value })
        })
        .collect::<Option<Vec<_>>>()
        .ok_or("a salt that is not 16 bytes")?;
    Ok(Record {
        session: parsed.session,
        seq: parsed.seq,
        at_micros: parsed.at_micros,
        kind: parsed.kind,
        fields,
        hash,
    })
}

/// Writes records into reused buffers: the body and its leaves in one pass.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    body: Vec<u8>,
    leaves: Vec<Hash>,
    scratch: Vec<u8>,
    salts: Vec<u8>,
    broken: bool,
}

impl Writer {
    /// Starts a record.
    pub(crate) fn begin(&mut self, header: &Header<'_>) {
        self.body.clear();
        self.leaves.clear();
        self.broken = false;
        self.raw(b"{\"v\":");
        self.json(&header.version);
        self.raw(b",\"session\":");
        self.json(header.session);
        self.raw(b",\"seq\":");
        self.json(&header.seq);
        self.raw(b",\"at_micros\":");
        self.json(&header.at_micros);
        self.raw(b",\"kind\":");
        self.json(header.kind);
        self.raw(b",\"fields\":[");
    }

    /// Adds a field.
    pub(crate) fn field(&mut self, name: &str, value: &str) {
        let salt = self.salt();
        self.salted_field(name, value, &salt);
    }

    fn salted_field(&mut self, name: &str, value: &str, salt: &Salt) {
        if !self.leaves.is_empty() {
            self.raw(b",");
        }
        self.leaves.push(leaf_hash(&mut self.scratch, salt, name, value.as_bytes()));
        self.raw(b"[");
        self.json(name);
        let mut spelt = [0; 24];
        // INVARIANT: 16 bytes are 24 digits in base64; another length would leave the record broken.
        match BASE64.encode_slice(salt, &mut spelt) {
            Ok(24) => {
                self.raw(b",\"");
                self.raw(&spelt);
                self.raw(b"\",");
            }
            _ => self.broken = true,
        }
        self.json(value);
        self.raw(b"]");
    }

    /// Adds a field whose value is JSON itself.
    pub(crate) fn json_field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) {
        match serde_json::to_string(value) {
            Ok(text) => self.field(name, &text),
            Err(_unspeakable) => self.broken = true,
        }
    }

    /// Adds a field that is a number.
    pub(crate) fn number(&mut self, name: &str, value: u64) {
        let mut digits = [0; 20];
        self.field(name, decimal(value, &mut digits));
    }

    /// Ends the record; gives its body and hash.
    pub(crate) fn finish(&mut self, previous: &Hash, header: &Header<'_>) -> Result<(&[u8], Hash), RecordError> {
        self.raw(b"]}");
        if self.broken {
            return Err(RecordError::Randomness);
        }
        if self.body.len() > MAX_BODY_BYTES {
            return Err(RecordError::TooLong { length: self.body.len(), limit: MAX_BODY_BYTES });
        }
        let hash = record_hash(&mut self.scratch, previous, header, &self.leaves);
        Ok((&self.body, hash))
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.body.extend_from_slice(bytes);
    }

    fn json<T: Serialize + ?Sized>(&mut self, value: &T) {
        if serde_json::to_writer(&mut self.body, value).is_err() {
            self.broken = true;
        }
    }

    fn salt(&mut self) -> Salt {
        if self.salts.is_empty() {
            self.salts.resize(SALT_POOL_BYTES, 0);
            // FAIL-CLOSED: without randomness the record is not written.
            self.broken |= rand::fill(&mut self.salts).is_err();
        }
        let rest = self.salts.len().saturating_sub(size_of::<Salt>());
        let salt = self.salts.get(rest..).and_then(|tail| tail.try_into().ok());
        self.salts.truncate(rest);
        salt.unwrap_or_else(|| {
            self.broken = true;
            Salt::default()
        })
    }
}

/// A frame around a body.
pub(crate) fn put(body: &[u8], hash: &Hash, out: &mut Vec<u8>) {
    // INVARIANT: `finish` bounds the body far below 4 GiB.
    out.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(body);
    out.extend_from_slice(hash);
}

/// The digits of a number without allocating.
fn decimal(mut value: u64, digits: &mut [u8; 20]) -> &str {
    let mut start = digits.len();
    loop {
        start -= 1;
        if let Some(slot) = digits.get_mut(start) {
            *slot = b'0' + u8::try_from(value % 10).unwrap_or_default();
        }
        value /= 10;
        if value == 0 || start == 0 {
            break;
        }
    }
    digits.get(start..).and_then(|tail| std::str::from_utf8(tail).ok()).unwrap_or("0")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn write(fields: &[(String, String)]) -> (Vec<u8>, Hash) {
        let header = Header { version: VERSION, session: "ses_0", seq: 3, at_micros: 9, kind: "operation" };
        let mut writer = Writer::default();
        writer.begin(&header);
        for (name, value) in fields {
            writer.field(name, value);
        }
        let (body, hash) = writer.finish(&[5; 32], &header).expect("fits");
        let mut frame = Vec::new();
        put(body, &hash, &mut frame);
        (frame, hash)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_with_the_same_hash(fields in prop::collection::vec((".{0,8}", "(?s).{0,40}"), 0..8)) {
            let (frame, hash) = write(&fields);
            let Found::Frame { body, hash: stored } = find(&frame) else { panic!("a frame") };
            prop_assert_eq!(stored, hash);
            let record = parse(body, stored).expect("reads");
            prop_assert_eq!(record.hash_after(&[5; 32]), hash);
            let read: Vec<_> = record.fields.iter().map(|field| (field.name.clone(), field.value.clone())).collect();
            prop_assert_eq!(read, fields);
        }

        #[test]
        fn any_bytes_are_looked_at_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Found::Frame { body, hash } = find(&bytes) {
                prop_assert!(parse(body, hash).is_err());
            }
        }
    }

    #[test]
    fn numbers_are_written_as_digits() {
        for value in [0, 7, 10, 1234, u64::MAX] {
            assert_eq!(decimal(value, &mut [0; 20]), value.to_string());
        }
    }

    #[test]
    fn refuses_another_spelling_of_the_same_record() {
        let (frame, hash) = write(&[("a".into(), "\u{1b}".into())]);
        let Found::Frame { body, .. } = find(&frame) else { panic!("a frame") };
        let text = String::from_utf8(body.to_vec()).expect("JSON");
        assert!(parse(text.as_bytes(), hash).is_ok());
        assert!(parse(text.replace("\\u001b", "\\u001B").as_bytes(), hash).is_err());
        assert!(parse(text.replace(",\"seq\"", ", \"seq\"").as_bytes(), hash).is_err());
        assert!(parse(text.replace("\"v\":1", "\"v\":2").as_bytes(), hash).is_err());
    }

    #[test]
    fn a_cut_frame_is_partial_at_every_byte_and_a_long_one_is_broken() {
        let (frame, _) = write(&[("a".into(), "b".into())]);
        for end in 0..frame.len() {
            assert!(matches!(find(&frame[..end]), Found::Partial), "cut at {end}");
        }
        assert!(matches!(find(&[0xff; 64]), Found::Broken(_)));
        assert!(matches!(find(&[0; 64]), Found::Broken(_)));
    }
}
