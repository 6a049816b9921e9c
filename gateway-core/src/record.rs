//! Writes down what happens, before it happens, so that nobody can change it later unseen.
//!
//! Owns events, the write-ahead log, its hash chains and signatures, recovery, reading and offline verification.
//! Knows no protocol, no policy language and no HTTP; `session` appends, `api` reads, `hoop audit verify` verifies.

mod chain;
mod error;
mod event;
mod hex;
mod keys;
mod proof;
mod recorder;
mod seal;

pub use error::RecordError;
pub use event::{Asked, Event, GatewayEvent, Outcome, OwnPurpose, SessionFacts, Status, Step};
pub use keys::{PublicKey, PublicKeyError, RecordKeys};
pub use proof::{Admitted, Own, Recorded};
pub use recorder::{Clock, Position, Recorder, Recovery, SessionRecorder, SystemClock};
pub use seal::{SECRET_PLACEHOLDER, SealSpan, SealedPart, SealedText, Sealer, UnsealError};

pub use crate::config::Durability;
