//! The first proof of the data path: a message together with what inspection found in it.
//!
//! `Inspected` → (`policy`) `Permitted` → (`record`) `Recorded` → (`upstream`) bytes. Each proof has one maker; an
//! architecture test says that only a protocol's `inspect` calls `Inspected::new`.

use std::{fmt, sync::Arc};

use aws_lc_rs::digest;

use super::Operation;

/// Feeds everything of a message that an approval must bind to into a digest, each part with its length.
pub trait Digestible {
    /// Calls `sink` once a part, in a fixed order.
    fn parts(&self, sink: &mut dyn FnMut(&[u8]));
}

/// Tells whether a message runs nothing by itself, so that it may be prepared while what it prepares awaits approval.
pub trait Preparation {
    /// Whether the message only prepares.
    fn only_prepares(&self) -> bool;
}

/// A message whose meaning is known: what `policy` decides and what an approval binds to.
pub struct Inspected<M> {
    message: M,
    operations: Arc<[Operation]>,
    circumstance: Arc<[u8]>,
}

impl<M> Inspected<M> {
    /// Joins a message to its operations. `circumstance` is what an approval binds to besides the message: principal,
    /// session, connection, database, role and search path, in an unambiguous encoding.
    pub(crate) fn new(message: M, operations: Arc<[Operation]>, circumstance: Arc<[u8]>) -> Self {
        Self { message, operations, circumstance }
    }

    /// The message.
    pub fn message(&self) -> &M {
        &self.message
    }

    /// What it asks for; never empty.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The same message, with more known of its operations: they are the same in number and in what they ask for.
    #[must_use]
    pub(crate) fn with_operations(self, operations: Arc<[Operation]>) -> Self {
        debug_assert_eq!(self.operations.len(), operations.len(), "an estimate adds no operation and takes none away");
        Self { operations, ..self }
    }

    /// Takes the parts; only the maker of the next proof needs it.
    pub(crate) fn into_parts(self) -> (M, Arc<[Operation]>) {
        (self.message, self.operations)
    }
}

impl<M: Digestible> Inspected<M> {
    /// SHA-256 over everything an approval binds to (law 5): circumstance, resolved objects, text and parameters.
    /// Computed only when asked, since most messages need no approval.
    pub fn digest(&self) -> [u8; 32] {
        self.digest_within(&self.circumstance)
    }

    /// The same in another circumstance: without the session, say, for what is asked again by another one.
    pub fn digest_within(&self, circumstance: &[u8]) -> [u8; 32] {
        let mut context = digest::Context::new(&digest::SHA256);
        let mut part = |bytes: &[u8]| {
            context.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(bytes);
        };
        part(circumstance);
        for operation in self.operations.iter() {
            part(operation.text.as_bytes());
            part(operation.kind.as_bytes());
            for access in &operation.accesses {
                part(access.verb.as_str().as_bytes());
                if let Some(object) = &access.object {
                    part(object.schema.as_bytes());
                    part(object.name.as_bytes());
                }
            }
        }
        part(b"message");
        self.message.parts(&mut part);
        let mut out = [0; 32];
        out.copy_from_slice(context.finish().as_ref());
        out
    }
}

impl<M> fmt::Debug for Inspected<M> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Inspected").field("operations", &self.operations.len()).finish_non_exhaustive()
    }
}
