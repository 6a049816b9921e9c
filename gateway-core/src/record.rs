//! Writes down what happens, before it happens, so that nobody can change it later unseen.
//!
//! Owns events, the write-ahead log, its hash chains and signatures, recovery, reading and offline verification.
//! Knows no protocol, no policy language and no HTTP; `session` appends, `api` reads, `hoop audit verify` verifies.
//!
//! # The format, for auditors
//!
//! A JSON parser, SHA-256 and Ed25519 are enough to check a log. `‖` joins bytes, `u32` and `u64` are big-endian, and
//! `text(t)` is `u32(length of t in bytes) ‖ t`.
//!
//! **Files.** `00000001.log`, `00000002.log`, … are the segments, numbered without a gap. `checkpoints` repeats every
//! signed checkpoint as one line of JSON, so that it can be copied away. `lock` says which process writes.
//!
//! **Frame.** A segment is frames, one after another: `u32(length of body) ‖ body ‖ record hash (32 bytes)`. A body has 1
//! to 4 MiB ([`MAX_BODY_BYTES`]) and is JSON without white space, keys in this order, strings escaped as little as JSON
//! allows (`\"`, `\\`, `\b`, `\f`, `\n`, `\r`, `\t`, other control characters as `\u001b` with lower-case digits):
//!
//! ```json
//! {"v":1,"session":"ses_…","seq":7,"at_micros":1800000000000000,"kind":"operation","fields":[["number","c2FsdHNhbHRzYWx0c2FsdA==","3"],…]}
//! ```
//!
//! A field is `[name, salt, value]`: the salt is 16 random bytes in base64 with padding, the value is always a string;
//! numbers are digits, lists and maps are JSON inside the string, an absent fact has no field. A body in any other
//! spelling is no record, so that no bit of a log is without meaning.
//!
//! **Hashes.**
//!
//! - leaf = `SHA256(0x00 ‖ salt ‖ text(name) ‖ value)`
//! - record = `SHA256(0x01 ‖ previous record hash of the same chain ‖ u32(v) ‖ text(session) ‖ u64(seq) ‖
//!   u64(at_micros) ‖ text(kind) ‖ u32(number of fields) ‖ leaves in order)`
//! - log after a record = `SHA256(0x02 ‖ log before it ‖ record hash)`
//!
//! The hash before the first record of a chain, and of the log, is 32 zero bytes. An export may drop a value and keep
//! its leaf: the record still verifies, and the salt keeps the value from being guessed.
//!
//! **Chains.** `session` names the chain: a session's id; `gateway` for logins, looks and reviews; `log_00000001` for
//! what the log says of itself in segment 1 (a chain for each segment). `seq` counts from 1 in each.
//!
//! **A session** begins with `session_started` and ends with `session_ended` and then `session_head`, whose field
//! `signature` is an Ed25519 signature (base64) over this statement about all records before it:
//!
//! ```text
//! hoop session head v1⏎session SESSION⏎records SEQ⏎head HEX⏎
//! ```
//!
//! **The log of itself.** A segment opens with `segment` (fields `segment`, `records`, `log`: where the log stood before
//! it), any number of `heads` (lines `chain seq hash first-segment` of all open chains), and a `checkpoint`. Checkpoints
//! follow every 10 s while there is something new, and at the end; each has `segment`, `records`, `log` (count and hash
//! of everything before it) and a `signature` over, with its own `at_micros`:
//!
//! ```text
//! hoop log checkpoint v1⏎segment N⏎records N⏎log HEX⏎at MICROS⏎
//! ```
//!
//! **Sealed parts.** Where a value was sealed, `text` shows `⟦email 17 bytes #1⟧`, and `text_sealed` (likewise
//! `parameters_sealed`, a list for each parameter) holds for each part its number, byte offset, class, length, `salt`,
//! `digest` = the leaf of (salt, class, plaintext) in hexadecimal, and `sealed` = base64 of `nonce (12) ‖ ciphertext ‖ tag`:
//! AES-256-GCM under the site's sealing key with `hoop seal v1 ‖ 0x00 ‖ class` as associated data. Secrets (passwords in
//! statements) are replaced by `⟦secret⟧` and stored nowhere.
//!
//! **What is proved.** With a public key kept elsewhere, everything up to the last checkpoint. Records behind it are
//! chained but not signed yet ([`verify::Report::unsigned_records`]); whoever holds the disk could cut or rewrite those.
//! A log that was cut earlier is found by the file of checkpoints, or by a head that was noted elsewhere.

mod chain;
mod checkpoint;
mod counts;
mod error;
mod event;
mod fields;
mod follow;
mod frame;
mod hex;
mod keys;
mod log;
mod proof;
pub mod read;
mod reader;
mod recorder;
mod recovery;
mod result;
mod seal;
mod session;
mod summary;
pub mod verify;
mod walk;

pub use chain::{GENESIS, Hash, Salt};
pub use checkpoint::CHECKPOINT_FILE;
pub use counts::Counts;
pub use error::RecordError;
pub use event::{Asked, Event, GatewayEvent, Outcome, OwnPurpose, SessionFacts, Status, Step};
pub use follow::{LogPlace, Saying, follow};
pub use frame::{Field, MAX_BODY_BYTES, Record};
pub use hex::decode as parse_hash;
pub use keys::{PublicKey, PublicKeyError, RecordKeys};
pub use proof::{Admitted, Own, Recorded};
pub use recorder::{Clock, Position, Recorder, Recovery, SystemClock};
pub use result::{ResultLine, result_lines};
pub use seal::{SECRET_PLACEHOLDER, SealedPart, SealedText, Sealer, UnsealError};
pub use session::SessionRecorder;

pub use crate::config::Durability;

#[cfg(test)]
mod tests;
