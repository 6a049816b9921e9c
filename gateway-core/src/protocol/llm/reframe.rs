//! Answers: read, and masked before the client gets them, whole (`plain`) or as they stream (`streamed`).
//!
//! What was read is what the client gets: provenance and the record know the answer as masked. Pure.

mod channel;
mod deltas;
mod plain;
mod streamed;

pub use plain::{plain, read};
pub use streamed::StreamedAnswer;

use crate::mask::Overlong;

use super::super::{json::JsonError, sse::SseError};

/// Why an answer cannot be shown. Holds nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// It is no JSON.
    #[error("the model's answer cannot be read: {0}")]
    Json(#[from] JsonError),
    /// It is no stream of events.
    #[error("the model's answer cannot be read: {0}")]
    Events(#[from] SseError),
    /// Part of it is too long to be searched as it streams.
    #[error("the model's answer cannot be masked: {0}")]
    Overlong(#[from] Overlong),
    /// The arguments of its calls are too long, or there are too many texts at once.
    #[error("the model's answer cannot be masked: the arguments of its calls are too long")]
    TooMuch,
    /// It holds what cannot be searched.
    #[error("the model's answer holds what cannot be searched for values")]
    Opaque,
}

#[cfg(test)]
mod tests;
