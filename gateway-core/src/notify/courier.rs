//! One task a receiver: takes what is due from the outbox, tries, and puts it back for later or gives it up.
//!
//! Nothing waits for a courier: what it tells was durable before, and a receiver that hangs holds up its own courier
//! only. A delivery that succeeded just before the gateway died is made once more, with the same id.

use std::{fmt, sync::Arc, time::Duration};

use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;

use super::{Outbox, Receiver, backoff, payload::Links, receiver::Undelivered};
use crate::{
    clock::WallClock,
    store::{Delivery, StoreError},
};

/// How late a due delivery may be noticed when the wall clock jumps, and how soon a failed store is asked again.
const LONGEST_NAP: Duration = Duration::from_secs(5);

/// The receivers of a gateway, ready to be served.
pub struct Couriers {
    receivers: Vec<(String, Receiver)>,
    outbox: Outbox,
    links: Links,
    retry: Retry,
    clock: WallClock,
}

#[derive(Clone, Copy)]
struct Retry {
    base: Duration,
    attempts: u32,
}

impl fmt::Debug for Couriers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Couriers").field("receivers", &self.receivers).finish_non_exhaustive()
    }
}

impl Couriers {
    /// Couriers for these receivers by name; `base` is the wait after the first failure, and after `attempts` failures
    /// a delivery is given up.
    pub fn new(
        receivers: Vec<(String, Receiver)>,
        outbox: Outbox,
        public_url: Url,
        (base, attempts): (Duration, u32),
        clock: WallClock,
    ) -> Self {
        Self { receivers, outbox, links: Links(public_url), retry: Retry { base, attempts }, clock }
    }

    /// Starts a task for each receiver; they end with `shutdown`. What no receiver is left for is given up first.
    pub async fn start(self, tasks: &TaskTracker, shutdown: &CancellationToken) -> Result<(), StoreError> {
        let names: Vec<String> = self.receivers.iter().map(|(name, _receiver)| name.clone()).collect();
        self.outbox.queue().give_up_all_but(names).await?;
        let links = Arc::new(self.links);
        for (name, receiver) in self.receivers {
            let courier = Courier {
                name,
                receiver,
                outbox: self.outbox.clone(),
                links: Arc::clone(&links),
                retry: self.retry,
                clock: self.clock.clone(),
            };
            let ended = shutdown.clone();
            tasks.spawn(async move { ended.run_until_cancelled(courier.run()).await });
        }
        Ok(())
    }
}

struct Courier {
    name: String,
    receiver: Receiver,
    outbox: Outbox,
    links: Arc<Links>,
    retry: Retry,
    clock: WallClock,
}

impl Courier {
    async fn run(self) {
        let mut news = self.outbox.news();
        loop {
            news.borrow_and_update();
            let nap = match self.next().await {
                Ok(None) => LONGEST_NAP,
                Ok(Some(delivery)) => match u64::try_from(delivery.due_at_millis - self.clock.unix_millis()) {
                    Ok(left) if left > 0 => Duration::from_millis(left).min(LONGEST_NAP),
                    Ok(_) | Err(_) => match self.attempt(delivery).await {
                        Ok(()) => continue,
                        Err(error) => self.trouble(&error),
                    },
                },
                Err(error) => self.trouble(&error),
            };
            tokio::select! {
                () = tokio::time::sleep(nap) => {}
                changed = news.changed() => if changed.is_err() { return },
            }
        }
    }

    async fn next(&self) -> Result<Option<Delivery>, StoreError> {
        self.outbox.queue().next(&self.name).await
    }

    fn trouble(&self, error: &StoreError) -> Duration {
        tracing::error!(receiver = %self.name, %error, "notifications cannot be read or written");
        LONGEST_NAP
    }

    async fn attempt(&self, delivery: Delivery) -> Result<(), StoreError> {
        let outcome = self.receiver.deliver(&delivery, &self.links, self.clock.unix_seconds()).await;
        let queue = self.outbox.queue();
        self.outbox.noted(&self.name, outcome.as_ref().err().map(|failure| failure.why.as_str()));
        let Err(failure) = outcome else {
            tracing::debug!(receiver = %self.name, id = %delivery.id, "delivered");
            return queue.remove(&delivery.id).await.map(drop);
        };
        let failed = delivery.attempts.saturating_add(1);
        let Undelivered { why, is_final, retry_after } = failure;
        if is_final || failed >= self.retry.attempts {
            tracing::warn!(receiver = %self.name, id = %delivery.id, attempts = failed, %why, "a notification was given up");
            return queue.give_up(&delivery.id, failed, &why).await;
        }
        tracing::info!(receiver = %self.name, id = %delivery.id, attempts = failed, %why, "a notification is tried later");
        let wait = backoff::wait(self.retry.base, failed, draw()).max(retry_after.unwrap_or_default());
        let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        queue.put_off(&delivery.id, failed, self.clock.unix_millis().saturating_add(wait), &why).await
    }
}

/// Without randomness every wait is a little short.
fn draw() -> u16 {
    let mut bytes = [0; 2];
    aws_lc_rs::rand::fill(&mut bytes).map_or(0, |()| u16::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests;
