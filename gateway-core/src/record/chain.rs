//! The hashes: field → leaf → record → log. Pure; an auditor re-implements exactly this file.
//!
//! Every preimage starts with a byte that says what it is and carries lengths, so that none can pass for another.

use aws_lc_rs::digest::{SHA256, digest};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// What makes a leaf unguessable when its value is dropped from an export.
pub type Salt = [u8; 16];

/// What stands before the first record of a chain and of the log.
pub const GENESIS: Hash = [0; 32];

const LEAF: u8 = 0;
const RECORD: u8 = 1;
const LOG: u8 = 2;

/// `SHA256(0x00 ‖ salt ‖ u32 length of name ‖ name ‖ value)`. `scratch` is reused between calls.
pub(crate) fn leaf_hash(scratch: &mut Vec<u8>, salt: &Salt, name: &str, value: &[u8]) -> Hash {
    scratch.clear();
    scratch.push(LEAF);
    scratch.extend_from_slice(salt);
    put_text(scratch, name);
    scratch.extend_from_slice(value);
    sha256(scratch)
}

/// The part of a record that is not a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header<'a> {
    pub(crate) version: u32,
    pub(crate) session: &'a str,
    pub(crate) seq: u64,
    pub(crate) at_micros: u64,
    pub(crate) kind: &'a str,
}

/// `SHA256(0x01 ‖ previous ‖ u32 version ‖ u32 length ‖ session ‖ u64 seq ‖ u64 at_micros ‖ u32 length ‖ kind ‖
/// u32 number of leaves ‖ leaves)`.
pub(crate) fn record_hash(scratch: &mut Vec<u8>, previous: &Hash, header: &Header<'_>, leaves: &[Hash]) -> Hash {
    scratch.clear();
    scratch.push(RECORD);
    scratch.extend_from_slice(previous);
    scratch.extend_from_slice(&header.version.to_be_bytes());
    put_text(scratch, header.session);
    scratch.extend_from_slice(&header.seq.to_be_bytes());
    scratch.extend_from_slice(&header.at_micros.to_be_bytes());
    put_text(scratch, header.kind);
    scratch.extend_from_slice(&u32::try_from(leaves.len()).unwrap_or(u32::MAX).to_be_bytes());
    scratch.extend_from_slice(leaves.as_flattened());
    sha256(scratch)
}

/// `SHA256(0x02 ‖ log hash so far ‖ record hash)`.
pub(crate) fn log_hash(previous: &Hash, record: &Hash) -> Hash {
    let mut preimage = [LOG; 65];
    let (before, after) = preimage.split_at_mut(33);
    if let Some(slot) = before.get_mut(1..) {
        slot.copy_from_slice(previous);
    }
    after.copy_from_slice(record);
    sha256(&preimage)
}

fn put_text(scratch: &mut Vec<u8>, text: &str) {
    scratch.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
    scratch.extend_from_slice(text.as_bytes());
}

fn sha256(preimage: &[u8]) -> Hash {
    let mut out = GENESIS;
    out.copy_from_slice(digest(&SHA256, preimage).as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::hex;

    #[test]
    fn hashes_are_what_the_format_says() {
        // Computed with Python's hashlib from the format text alone.
        let leaf = leaf_hash(&mut Vec::new(), &[1; 16], "number", b"7");
        assert_eq!(hex::encode(&leaf), "2823a15d170786b9528ab81657576b4358ccb9f4ab2012cb4ed5cf74c82e25ef");
        let header = Header { version: 1, session: "ses_0", seq: 1, at_micros: 2, kind: "outcome" };
        let record = record_hash(&mut Vec::new(), &GENESIS, &header, &[leaf]);
        assert_eq!(hex::encode(&record), "9e09f00c825c948ca42a4699ba6528ac880ce8e64d4724a22809f51a9e842569");
        assert_eq!(
            hex::encode(&log_hash(&GENESIS, &record)),
            "77f4ed37ea6ef9a7ca71b111d7c18189ff60d846e314a667ad9771c9f0472b33"
        );
    }

    #[test]
    fn every_part_of_a_record_changes_its_hash() {
        let header = Header { version: 1, session: "ses_0", seq: 1, at_micros: 2, kind: "outcome" };
        let hash = |previous: &Hash, header: &Header<'_>, leaves: &[Hash]| {
            record_hash(&mut Vec::new(), previous, header, leaves)
        };
        let base = hash(&GENESIS, &header, &[]);
        assert_ne!(base, hash(&[1; 32], &header, &[]));
        assert_ne!(base, hash(&GENESIS, &Header { version: 2, ..header }, &[]));
        assert_ne!(base, hash(&GENESIS, &Header { session: "ses_", ..header }, &[]));
        assert_ne!(base, hash(&GENESIS, &Header { seq: 2, ..header }, &[]));
        assert_ne!(base, hash(&GENESIS, &Header { at_micros: 3, ..header }, &[]));
        assert_ne!(base, hash(&GENESIS, &Header { kind: "outcom", ..header }, &[]));
        assert_ne!(base, hash(&GENESIS, &header, &[GENESIS]));
    }
}
