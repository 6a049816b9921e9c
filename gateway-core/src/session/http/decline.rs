//! What the gateway itself says to an upstream: that the client is not asked what a server asks of it.

use std::sync::Arc;

use super::conversation::Conversation;
use crate::{protocol::http::message::HttpRequest, record::OwnPurpose, upstream::OwnRequest};

impl Conversation {
    /// Sends an answer of the gateway's own, on record first, beside whatever else goes on.
    pub(super) fn decline(self: &Arc<Self>, reply: HttpRequest) {
        let order = match self.record(|recorder| recorder.own(OwnPurpose::Decline, OwnRequest::new(reply))) {
            Ok(order) => order,
            Err(_unrecorded) => return,
        };
        let conversation = Arc::clone(self);
        self.relays.spawn(async move {
            let said = tokio::select! {
                biased;
                () = conversation.ended.cancelled() => return,
                said = conversation.outlet.say(order, &conversation.marks) => said,
            };
            if let Err(error) = said {
                tracing::info!(session = %conversation.id, %error, "a server did not hear that its client is not asked");
            }
        });
    }
}
