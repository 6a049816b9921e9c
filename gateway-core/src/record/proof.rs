//! The last proof of the data path: only what was recorded reaches an upstream (law 1).
//!
//! `upstream` sends only [`Recorded`]. This folder alone makes one: from a permit, after its record is durable, or
//! from what the gateway itself sends, after that was noted.

use crate::policy::Permitted;

use super::{OwnPurpose, Position};

/// A permitted message whose record is appended but not yet durable; it cannot be sent.
#[derive(Debug)]
#[must_use = "an admitted message still has to be settled"]
pub struct Admitted<M> {
    pub(super) permitted: Permitted<M>,
    pub(super) position: Position,
}

impl<M> Admitted<M> {
    /// The message, to plan for its reply.
    pub fn message(&self) -> &M {
        self.permitted.message()
    }

    /// The permit.
    pub fn permitted(&self) -> &Permitted<M> {
        &self.permitted
    }
}

/// What is on record, and so may be sent.
#[derive(Debug)]
#[must_use = "recorded as sent, so it has to be sent"]
pub struct Recorded<T>(T);

impl<T> Recorded<T> {
    pub(super) fn new(inner: T) -> Self {
        Self(inner)
    }

    /// What was recorded.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// Takes it out to be sent; only `upstream` needs it.
    pub(crate) fn into_inner(self) -> T {
        self.0
    }
}

/// What the gateway itself sends: authentication, catalogue reads, a forced error, a cancel.
#[derive(Debug)]
pub struct Own<M> {
    purpose: OwnPurpose,
    message: M,
}

impl<M> Own<M> {
    pub(super) fn new(purpose: OwnPurpose, message: M) -> Self {
        Self { purpose, message }
    }

    /// Why.
    pub fn purpose(&self) -> OwnPurpose {
        self.purpose
    }

    /// The message.
    pub(crate) fn into_message(self) -> M {
        self.message
    }

    /// The message, for what is tried again until it succeeds and is on record once.
    pub(crate) fn message(&self) -> &M {
        &self.message
    }
}
