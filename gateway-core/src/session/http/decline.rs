//! What the gateway itself says to an upstream: that the client is not asked what a server asks of it.
//!
//! A server that asks faster than it takes the answers gets no more of them at some point: it cannot have the gateway
//! hold what it likes.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::conversation::Conversation;
use crate::{protocol::http::message::HttpRequest, record::OwnPurpose, upstream::OwnRequest};

/// Answers of one session that wait or are on their way, and of those on their way.
const MOST: usize = 256;
const MOST_AT_ONCE: usize = 8;

/// Room for such answers.
#[derive(Debug, Clone)]
pub(super) struct Declining {
    room: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

impl Default for Declining {
    fn default() -> Self {
        Self { room: Arc::new(Semaphore::new(MOST)), turns: Arc::new(Semaphore::new(MOST_AT_ONCE)) }
    }
}

impl Declining {
    /// Room for one more, where there is some.
    fn enter(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.room).try_acquire_owned().ok()
    }
}

impl Conversation {
    /// Sends an answer of the gateway's own, on record first, beside whatever else goes on.
    pub(super) fn decline(self: &Arc<Self>, reply: HttpRequest) {
        let Some(room) = self.declining.enter() else {
            let session = &self.id;
            return tracing::info!(%session, "a server asks its client too much to be told that it is not asked");
        };
        let order = match self.record(|recorder| recorder.own(OwnPurpose::Decline, OwnRequest::new(reply))) {
            Ok(order) => order,
            Err(_unrecorded) => return,
        };
        let conversation = Arc::clone(self);
        self.tasks.spawn(async move {
            let _room = room;
            let saying = async {
                // Never closed.
                let _turn = conversation.declining.turns.acquire().await.ok();
                conversation.outlet.say(order, &conversation.marks).await
            };
            let said = tokio::select! {
                biased;
                () = conversation.ended.cancelled() => return,
                said = saying => said,
            };
            if let Err(error) = said {
                tracing::info!(session = %conversation.id, %error, "a server did not hear that its client is not asked");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_asks_without_end_is_not_answered_without_end() {
        let declining = Declining::default();
        let held: Vec<_> = (0..MOST).map(|_| declining.enter().expect("room")).collect();
        assert!(declining.enter().is_none());
        drop(held);
        assert!(declining.enter().is_some());
    }
}
