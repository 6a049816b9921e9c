//! The first proof of the data path: a message together with what inspection found in it.
//!
//! `Inspected` → (`policy`) `Permitted` → (`record`) `Recorded` → (`upstream`) bytes. Each proof has one maker; an
//! architecture test says that only a protocol's `inspect` calls [`Inspected::new`].

use super::Operation;

/// A message whose meaning is known: what `policy` decides and what an approval binds to.
#[derive(Debug)]
pub struct Inspected<M> {
    message: M,
    operations: Vec<Operation>,
    digest: [u8; 32],
}

impl<M> Inspected<M> {
    /// Joins a message to its operations. `digest` is SHA-256 over everything an approval binds to (law 5).
    pub(crate) fn new(message: M, operations: Vec<Operation>, digest: [u8; 32]) -> Self {
        Self { message, operations, digest }
    }

    /// The message.
    pub fn message(&self) -> &M {
        &self.message
    }

    /// What it asks for; never empty for a message that does anything.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// What an approval binds to.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Takes the parts; only the makers of later proofs need it.
    pub(crate) fn into_parts(self) -> (M, Vec<Operation>, [u8; 32]) {
        (self.message, self.operations, self.digest)
    }
}
