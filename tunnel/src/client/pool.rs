//! The live links, and a place for a stream on one of them.
//!
//! INVARIANT: a link never carries more than `STREAMS_PER_LINK` streams, so that paused readers cannot use up its window.
//! Called by `keeper` (adds, prunes) and `open` (takes a place).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use h2::client::SendRequest;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

/// One live link. `gone` is set by the task that drives it, or by who found it going away.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) sender: SendRequest<Bytes>,
    pub(super) slots: Arc<Semaphore>,
    pub(super) gone: CancellationToken,
}

/// A place for one stream.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) link: Link,
    pub(super) permit: OwnedSemaphorePermit,
}

#[derive(Debug, Default)]
pub(super) struct Pool {
    links: Mutex<Vec<Link>>,
    /// Changes when a link was added.
    added: watch::Sender<u64>,
    /// Somebody found every link full.
    starved: AtomicBool,
    /// Wakes the keeper.
    wake: Notify,
}

impl Pool {
    pub(super) fn add(&self, link: Link) {
        self.with(|links| links.push(link));
        self.starved.store(false, Ordering::Release);
        self.added.send_modify(|count| *count += 1);
    }

    /// Changes whenever a link was added; subscribe before `take`.
    pub(super) fn added(&self) -> watch::Receiver<u64> {
        self.added.subscribe()
    }

    /// A place on a live link; where all are full, the keeper is asked for another link.
    pub(super) fn take(&self) -> Option<Slot> {
        let taken = self.with(|links| {
            links.iter().filter(|link| !link.gone.is_cancelled()).find_map(|link| {
                let permit = Arc::clone(&link.slots).try_acquire_owned().ok()?;
                Some(Slot { link: link.clone(), permit })
            })
        });
        if taken.is_none() {
            self.starved.store(true, Ordering::Release);
            self.wake.notify_one();
        }
        taken
    }

    /// Takes a link that is going away out of service; its streams go on.
    pub(super) fn retire(&self, link: &Link) {
        link.gone.cancel();
        self.wake.notify_one();
    }

    /// Whether another link is wanted: none is up, or all are full and there may be more.
    pub(super) fn hungry(&self) -> bool {
        let live = self.live().len();
        live == 0 || (live < MOST_LINKS && self.starved.load(Ordering::Acquire))
    }

    /// The links that are up; forgets the others.
    pub(super) fn live(&self) -> Vec<Link> {
        self.with(|links| {
            links.retain(|link| !link.gone.is_cancelled());
            links.clone()
        })
    }

    /// Returns when somebody wants a link, or one went away.
    pub(super) async fn wants_attention(&self) {
        let live = self.live();
        let gone = async {
            let waits = live.iter().map(|link| Box::pin(link.gone.cancelled()));
            futures_util::future::select_all(waits).await;
        };
        tokio::select! {
            () = self.wake.notified() => {}
            () = gone, if !live.is_empty() => {}
        }
    }

    /// Forgets every link; their streams go on.
    pub(super) fn clear(&self) {
        self.with(Vec::clear);
    }

    fn with<T>(&self, work: impl FnOnce(&mut Vec<Link>) -> T) -> T {
        work(&mut self.links.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

const MOST_LINKS: usize = 64;
