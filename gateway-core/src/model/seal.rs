//! Which part of a text only who may reveal its class may read: what inspection finds and the record seals.

use std::{ops::Range, sync::Arc};

/// A part of a text that only who may reveal its class may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealSpan {
    /// Where it is, in bytes.
    pub range: Range<usize>,
    /// Its data class or tag: `email`.
    pub class: Arc<str>,
}
