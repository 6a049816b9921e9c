//! What a live session counted so far, readable from outside while it runs. Costs the session four plain stores.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::store::SessionCounts;

/// The counts of one live session: written by its relay alone, read by whoever lists or watches sessions.
#[derive(Debug, Default)]
pub(crate) struct LiveCounts {
    operations: AtomicU64,
    refused: AtomicU64,
    held: AtomicU64,
    masked: AtomicU64,
}

impl LiveCounts {
    pub(in crate::session) fn set(&self, counts: SessionCounts) {
        let SessionCounts { operations, refused, held, masked } = counts;
        let all =
            [(&self.operations, operations), (&self.refused, refused), (&self.held, held), (&self.masked, masked)];
        for (counter, count) in all {
            counter.store(count, Ordering::Relaxed);
        }
    }

    /// Each count as it is now; those of one moment may be a statement apart.
    pub(super) fn read(&self) -> SessionCounts {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        SessionCounts {
            operations: of(&self.operations),
            refused: of(&self.refused),
            held: of(&self.held),
            masked: of(&self.masked),
        }
    }
}
