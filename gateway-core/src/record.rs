//! Writes down what happens, before it happens, so that nobody can change it later unseen.
//!
//! Owns events, the write-ahead log, its hash chains and signatures, recovery, reading and offline verification.
//! Knows no protocol, no policy language and no HTTP; `session` appends, `api` reads, `hoop audit verify` verifies.

mod chain;
mod checkpoint;
mod error;
mod event;
mod fields;
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
mod sessions;
mod summary;
pub mod verify;
mod walk;

pub use chain::{GENESIS, Hash, Salt};
pub use checkpoint::CHECKPOINT_FILE;
pub use error::RecordError;
pub use event::{Asked, Event, GatewayEvent, Outcome, OwnPurpose, SessionFacts, Status, Step};
pub use frame::{Field, MAX_BODY_BYTES, Record};
pub use hex::decode as parse_hash;
pub use keys::{PublicKey, PublicKeyError, RecordKeys};
pub use proof::{Admitted, Own, Recorded};
pub use recorder::{Clock, Position, Recorder, Recovery, SystemClock};
pub use result::{ResultLine, ResultText, result_lines};
pub use seal::{SECRET_PLACEHOLDER, SealSpan, SealedPart, SealedText, Sealer, UnsealError};
pub use session::SessionRecorder;

pub use crate::config::Durability;

#[cfg(test)]
mod tests;
