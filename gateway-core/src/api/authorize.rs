//! The one authorization function of the API: the site's policies, as for the data path (law 10).
//!
//! Every route that shows or changes something of somebody's goes through here.

use super::{ApiState, problem::ApiError};
use crate::{
    model::{Principal, Refusal, RefusalKind, Verdict},
    policy::{ApiAction, ApiResource},
    record::GatewayEvent,
};

impl ApiState {
    /// Asks the policies of this moment. Only a plain permit lets the caller do it.
    pub(super) fn authorize(&self, who: &Principal, action: &ApiAction, on: &ApiResource) -> Result<(), Refusal> {
        match self.policies().may(who, action, on) {
            Verdict::Permit { .. } => Ok(()),
            Verdict::Refuse(refusal) => Err(refusal),
            // FAIL-CLOSED: API calls cannot be held.
            Verdict::NeedsApproval(need) => Err(Refusal {
                kind: RefusalKind::Policy,
                rule: need.rules.into_iter().next(),
                message: "this would need an approval, which API calls cannot wait for".to_owned(),
                hint: None,
            }),
        }
    }

    /// Records a refusal, then turns it into the answer. The answer is the same if it cannot be recorded.
    pub(super) async fn refuse(&self, who: &Principal, action: String, refusal: Refusal) -> ApiError {
        let reason = refusal.message.clone();
        let event = GatewayEvent::Denied { who: who.clone(), action, reason };
        if let Err(failure) = self.0.recordings.note(event).await {
            tracing::error!(%failure, "a refusal could not be recorded");
        }
        ApiError::refused(refusal)
    }
}
