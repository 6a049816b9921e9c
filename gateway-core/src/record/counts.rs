//! What a session did so far, for the record of its end.

use crate::api::types::SessionItem;

use super::{Event, frame::Writer};

/// What a session did so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Operations asked, refused ones included.
    pub operations: u64,
    /// Of these, refused.
    pub refused: u64,
    /// Held for approval.
    pub held: u64,
    /// Cells masked.
    pub masked: u64,
}

impl Counts {
    pub(super) fn of(item: &SessionItem) -> Self {
        Self { operations: item.operations, refused: item.refused, held: item.held, masked: item.masked }
    }

    pub(super) fn count(&mut self, event: &Event<'_>) {
        match event {
            Event::Refused { .. } => {
                self.operations += 1;
                self.refused += 1;
            }
            Event::Held { .. } => self.held += 1,
            Event::Outcome(outcome) => self.masked += outcome.masked.values().sum::<u64>(),
            Event::ApprovalDecided { .. }
            | Event::Noted { .. }
            | Event::TerminalOutput { .. }
            | Event::TerminalResized { .. }
            | Event::Result { .. } => {}
        }
    }

    pub(super) fn fields(self, to: &mut Writer) {
        to.number("operations", self.operations);
        to.number("refused", self.refused);
        to.number("held", self.held);
        to.number("masked", self.masked);
    }
}
