//! What the API needs of the recorder: to note what the API does, and to read a session back.
//!
//! A trait, so that the API's tests can make it fail. The gateway implements it over `record`.

use std::{future::Future, pin::Pin};

use axum::body::Bytes;

use super::types::SessionDetail;
use crate::{model::SessionId, record::GatewayEvent};

/// Why a recording cannot be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordingsError {
    /// There is none of that session.
    #[error("there is no recording of this session")]
    NotFound,
    /// The recorder or its files failed.
    #[error("{0}")]
    Failed(String),
}

/// Whether sealed parts of a data class are shown.
pub type MayReveal = dyn Fn(&str) -> bool + Send + Sync;

/// Takes one line; `false` once nobody reads on.
pub type LineSink<'reader> = dyn FnMut(Bytes) -> bool + 'reader;

/// Recordings, and the record of the gateway itself.
pub trait Recordings: Send + Sync + 'static {
    /// Records a fact about the gateway; durable when it returns.
    fn note(&self, event: GatewayEvent) -> Pin<Box<dyn Future<Output = Result<(), RecordingsError>> + Send + '_>>;
    /// Sums a session up. Blocks.
    fn detail(&self, id: &SessionId) -> Result<SessionDetail, RecordingsError>;
    /// Gives a session's events in order, each as one line of JSON with its line feed. Blocks.
    fn lines(&self, id: &SessionId, may_reveal: &MayReveal, to: &mut LineSink<'_>) -> Result<(), RecordingsError>;
    /// The public key that recordings verify with, as PEM.
    fn audit_key(&self) -> String;
    /// Whether the recorder can record.
    fn works(&self) -> bool;
}
