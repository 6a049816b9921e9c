//! What is still to be told, kept in the store: entered with the change that it tells, gone when it was delivered.
//!
//! The store asks it, within the write of a case, which deliveries belong to it. Couriers take from it, the API shows
//! it. Cheap to clone.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::digest::{SHA256, digest};
use tokio::sync::watch;

use super::{Addressee, Notice};
use crate::{
    api::types::ReceiverHealth,
    approval::Case,
    clock::WallClock,
    store::{Announce, Delivery, DeliveryCounts, DeliveryQueue, Store, StoreError},
};

/// The outbox of a gateway.
#[derive(Clone)]
pub struct Outbox {
    queue: DeliveryQueue,
    addressees: Arc<[Addressee]>,
    news: watch::Sender<u64>,
    clock: WallClock,
    /// How each receiver did since the gateway started.
    receivers: Arc<Mutex<BTreeMap<String, ReceiverHealth>>>,
}

impl fmt::Debug for Outbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Outbox").field("addressees", &self.addressees).finish_non_exhaustive()
    }
}

impl Outbox {
    /// An outbox for these receivers.
    pub fn new(store: Store, addressees: Vec<Addressee>, clock: WallClock) -> Self {
        let queue = DeliveryQueue::new(store);
        let known =
            |one: &Addressee| (one.name.clone(), ReceiverHealth { name: one.name.clone(), ..Default::default() });
        let receivers = Arc::new(Mutex::new(addressees.iter().map(known).collect()));
        Self { queue, addressees: addressees.into(), news: watch::Sender::new(0), clock, receivers }
    }

    /// Tells something that is no change of a case. It is durable when this returns.
    pub async fn tell(&self, notice: &Notice) -> Result<(), StoreError> {
        self.queue.enter(self.deliveries(notice)).await?;
        self.wake();
        Ok(())
    }

    /// Everything that waits or was given up, the newest first, at most `limit`.
    pub async fn list(&self, limit: usize) -> Result<Vec<Delivery>, StoreError> {
        self.queue.list(limit).await
    }

    /// How many wait, and how many were given up.
    pub async fn counts(&self) -> Result<DeliveryCounts, StoreError> {
        self.queue.counts().await
    }

    /// Has a delivery tried again at once, from the first attempt; `false` where there is none of that id.
    pub async fn retry(&self, id: &str) -> Result<bool, StoreError> {
        let found = self.queue.retry(id, self.clock.unix_millis()).await?;
        self.wake();
        Ok(found)
    }

    /// Forgets a delivery; `false` where there is none of that id.
    pub async fn forget(&self, id: &str) -> Result<bool, StoreError> {
        self.queue.remove(id).await
    }

    /// How each receiver did since the gateway started.
    pub fn receivers(&self) -> Vec<ReceiverHealth> {
        self.receivers.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Keeps how an attempt ended.
    pub(super) fn noted(&self, receiver: &str, failure: Option<&str>) {
        let now = self.clock.unix_millis();
        let mut receivers = self.receivers.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(health) = receivers.get_mut(receiver) else { return };
        if let Some(why) = failure {
            (health.failed_at_millis, health.error) = (Some(now), Some(why.to_owned()));
        } else {
            health.delivered_at_millis = Some(now);
        }
    }

    pub(super) fn queue(&self) -> &DeliveryQueue {
        &self.queue
    }

    /// Changes whenever there may be something new to deliver.
    pub(super) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    fn deliveries(&self, notice: &Notice) -> Vec<Delivery> {
        let of = |addressee: &Addressee| {
            let copies = addressee.copies(notice).into_iter();
            let name = addressee.name.clone();
            copies.map(move |recipient| {
                Delivery::first(id(notice, &name, recipient.as_deref()), &name, recipient, notice)
            })
        };
        self.addressees.iter().flat_map(of).collect()
    }
}

impl Announce for Outbox {
    fn of_case(&self, case: &Case, before: Option<&str>) -> Vec<Delivery> {
        let notice = Notice::of_case(case, before, self.clock.unix_millis());
        notice.map(|notice| self.deliveries(&notice)).unwrap_or_default()
    }

    fn wake(&self) {
        self.news.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// The same for the same event and receiver, however often it is entered or sent: receivers tell copies apart by it.
fn id(notice: &Notice, receiver: &str, recipient: Option<&str>) -> String {
    let about = notice.about();
    let mut bytes = Vec::new();
    for part in ["hoop notification 1", notice.event.as_str(), &about, receiver, recipient.unwrap_or_default()] {
        bytes.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    let digest = digest(&SHA256, &bytes);
    digest.as_ref().iter().take(16).fold("msg_".to_owned(), |hex, byte| format!("{hex}{byte:02x}"))
}

#[cfg(test)]
mod tests;
