//! From what is asked of a machine to what may go: decide → hold → record. Dropped, a held request is withdrawn.

use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use super::conversation::Conversation;
pub(super) use crate::session::held::Turned;
use crate::{
    model::{Operation, Refusal, flow::Inspected},
    policy::Permitted,
    protocol::ssh::message::SshRequest,
    record::{Asked, Recorded, Step},
    session::outcome::Open,
};

/// What may go, and is on record.
pub(super) struct Passed {
    pub(super) recorded: Recorded<Permitted<SshRequest>>,
    pub(super) operations: Vec<Operation>,
    /// Reviewers let it through.
    pub(super) approved: bool,
    pub(super) open: Open,
}

impl Conversation {
    /// Refuses, on record, what no policy is asked about.
    pub(super) fn turned(&self, operations: &[Operation], refusal: Refusal) -> Turned {
        let number = match self.number() {
            Ok(number) => number,
            Err(unrecorded) => return unrecorded.into(),
        };
        let text = operations.first().map(|one| Arc::clone(&one.text)).unwrap_or_default();
        let text = self.environment.sealed(&text, &[]);
        self.refused(number, operations, &text, refusal).into()
    }

    /// Decides, holds, and records what may go. `notices` are told while it waits.
    pub(super) async fn pass(
        &self,
        inspected: Inspected<SshRequest>,
        notices: &UnboundedSender<String>,
    ) -> Result<Passed, Turned> {
        let number = self.number()?;
        let text = inspected.operations().first().map(|one| Arc::clone(&one.text)).unwrap_or_default();
        let text = self.environment.sealed(&text, &[]);
        let asked = Asked { number, step: Step::Execute, text: &text, parameters: &[], proposed_by: None };
        let permitted = self.permitted(inspected, &asked, Some(notices)).await?;
        let (operations, approved) = (permitted.operations().to_vec(), permitted.approval().is_some());
        let (admitted, open) = self.session.admit(permitted, &asked)?;
        let recorded = self.durable(self.environment.recorder.settle(admitted)).await?;
        Ok(Passed { recorded, operations, approved, open })
    }
}
