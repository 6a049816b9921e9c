//! What the gateway itself says to an upstream: that the client is not asked what a server asks of it.
//!
//! A server that asks faster than it reads the answers gets no more of them: it cannot have the gateway hold what it likes.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::conversation::Conversation;
use crate::{protocol::http::message::HttpRequest, record::OwnPurpose, upstream::OwnRequest};

/// Answers of one session that are on their way at once.
const MOST_AT_ONCE: usize = 16;

/// Places for those.
pub(super) fn places() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(MOST_AT_ONCE))
}

impl Conversation {
    /// Sends an answer of the gateway's own, on record first, beside whatever else goes on.
    pub(super) fn decline(self: &Arc<Self>, reply: HttpRequest) {
        let Ok(place) = Arc::clone(&self.declining).try_acquire_owned() else {
            return tracing::info!(session = %self.id, "a server asks its client too much at once to be told that it is not asked");
        };
        let order = match self.record(|recorder| recorder.own(OwnPurpose::Decline, OwnRequest::new(reply))) {
            Ok(order) => order,
            Err(_unrecorded) => return,
        };
        let conversation = Arc::clone(self);
        self.relays.spawn(async move {
            let _place = place;
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
