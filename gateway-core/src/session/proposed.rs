//! The link from a statement of a run to the answer of a model that proposed it.

use super::relay::Session;
use crate::{model::ProposedBy, protocol::postgres::inspect::Understood};

impl Session {
    /// Which answer of the same run proposed this text; `None` outside of runs.
    pub(super) fn proposed_by(&self, understood: &Understood) -> Option<ProposedBy> {
        let run = self.circumstances().run?;
        Some(self.environment.registry.provenance().link(run.as_str(), self.uncommented(&understood.text)))
    }
}
