//! Joins a canonical request to what a dialect found in it: the only maker of an inspected request.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    dialect::{Dialect, Inspection, Note, Sight},
    message::{HttpRequest, RequestHead},
    refuse::Rejection,
};
use crate::model::{SealSpan, flow::Inspected};

/// A request that is understood, with what the record wants to know besides.
#[derive(Debug)]
pub struct Understood {
    /// What is decided.
    pub inspected: Inspected<HttpRequest>,
    /// Which parts of its text are sealed, besides what detectors find.
    pub seals: Vec<SealSpan>,
    /// What is recorded before it goes on.
    pub notes: Vec<Note>,
    /// The texts that an answer of a model may have proposed.
    pub proposals: Vec<String>,
}

/// Has a dialect read a request. `circumstance` is what an approval binds to besides it.
pub fn inspect(
    dialect: &dyn Dialect,
    head: RequestHead,
    body: Bytes,
    sight: &Sight,
    circumstance: Arc<[u8]>,
) -> Result<Understood, Rejection> {
    let Inspection { operations, body: rewritten, seals, notes, proposals } = dialect.inspect(&head, &body, sight)?;
    if operations.is_empty() {
        // FAIL-CLOSED: what asks for nothing was not understood.
        return Err(Rejection::malformed("this request asks for nothing that the gateway knows", "Send it otherwise."));
    }
    let message = HttpRequest { head, body: rewritten.unwrap_or(body) };
    Ok(Understood { inspected: Inspected::new(message, operations.into(), circumstance), seals, notes, proposals })
}
