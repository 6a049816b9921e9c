//! Takes lent logins back: those whose session ended, those whose time is over, and those that an earlier run left.
//!
//! What cannot be taken away is said, and tried again for as long as it is there: later each time, a few at once, and on
//! record once. It is tried where it was made, whatever its connection is by now.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{Ended, HeldLease, Leases, Live};
use crate::{
    credential::lease::{LeaseError, Lender, ReturnOrder},
    record::{GatewayEvent, Own, OwnPurpose, Recorded},
    session::environment::{Environment, Surroundings},
    store::KeptLease,
};

/// How often renewals and ends are looked for.
const TICK: Duration = Duration::from_secs(1);
/// How long after it was asked for a login may still turn up at its server.
const SETTLED_MILLIS: i64 = 60_000;
/// How often it is looked whether the last sessions have ended, once the gateway stops.
const LAST_LOOK: Duration = Duration::from_millis(20);
/// How long until it is tried again to take away what could not be, at first and at most.
const AGAIN: Duration = Duration::from_secs(10);
const AGAIN_AT_MOST: Duration = Duration::from_mins(10);
/// Of those that nobody holds any more, so many are taken away at once.
const LEFT_AT_ONCE: usize = 8;

/// One that could not be taken away yet.
#[derive(Debug)]
struct Overdue {
    /// What is on record already.
    order: Option<Recorded<Own<ReturnOrder>>>,
    lender: Option<Arc<dyn Lender>>,
    failures: u32,
    again_at: Instant,
}

/// What is being done, and what came of it.
type Jobs = JoinSet<Option<(String, Option<Overdue>)>>;

/// One to take away.
struct Task {
    kept: KeptLease,
    /// Who made it, where that is known.
    lender: Option<Arc<dyn Lender>>,
    grace: Duration,
    why: &'static str,
    before: Option<Overdue>,
}

struct Keeper {
    leases: Leases,
    surroundings: Surroundings,
    jobs: Jobs,
    busy: BTreeSet<String>,
    overdue: BTreeMap<String, Overdue>,
    /// Found and not begun with yet.
    left: VecDeque<KeptLease>,
    left_busy: BTreeSet<String>,
    swept: Option<Instant>,
}

/// Takes lent logins back until the gateway stops, and those of its last sessions after that.
pub(crate) async fn keep(leases: Leases, surroundings: Surroundings, shutdown: CancellationToken) {
    let receiver = leases.0.receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(ended) = receiver else { return };
    let keeper = Keeper {
        leases,
        surroundings,
        jobs: Jobs::new(),
        busy: BTreeSet::new(),
        overdue: BTreeMap::new(),
        left: VecDeque::new(),
        left_busy: BTreeSet::new(),
        swept: None,
    };
    keeper.run(ended, shutdown).await;
}

impl Keeper {
    async fn run(mut self, mut ended: mpsc::UnboundedReceiver<Ended>, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let registry = self.surroundings.borrow().registry.clone();
        loop {
            if shutdown.is_cancelled() && registry.is_empty() && ended.is_empty() && self.jobs.is_empty() {
                return;
            }
            tokio::select! {
                () = shutdown.cancelled(), if !shutdown.is_cancelled() => self.left.clear(),
                () = tokio::time::sleep(LAST_LOOK), if shutdown.is_cancelled() => {}
                Some(Ended { id, grace }) = ended.recv() => self.end(&id, grace, "its session ended"),
                Some(done) = self.jobs.join_next() => if let Ok(Some((id, overdue))) = done {
                    self.settle(id, overdue);
                },
                _ = ticks.tick() => {
                    self.look_after_time();
                    if self.swept.is_none_or(|at| at.elapsed() >= AGAIN) && !shutdown.is_cancelled() {
                        self.swept = Some(Instant::now());
                        self.sweep().await;
                    }
                }
            }
            self.take_what_is_left();
        }
    }

    /// What a session held is not held any more.
    fn end(&mut self, id: &str, grace: Duration, why: &'static str) {
        let live = self.leases.lock().remove(id);
        if let Some(Live { kept, lender, .. }) = live {
            self.begin(kept, Some(lender), grace, why);
        }
    }

    fn settle(&mut self, id: String, overdue: Option<Overdue>) {
        self.busy.remove(&id);
        self.left_busy.remove(&id);
        if let Some(overdue) = overdue {
            self.overdue.insert(id, overdue);
        }
    }

    fn begin(&mut self, kept: KeptLease, lender: Option<Arc<dyn Lender>>, grace: Duration, why: &'static str) {
        if !self.busy.insert(kept.id.clone()) {
            return;
        }
        let (leases, environment, id) = (self.leases.clone(), self.surroundings.borrow().clone(), kept.id.clone());
        let before = self.overdue.remove(&id);
        let task = Task { kept, lender, grace, why, before };
        self.jobs.spawn(async move {
            let overdue = leases.take_back(task, |kept| whose(&environment, kept)).await;
            Some((id, overdue))
        });
    }

    /// Ends those whose time is over, and renews those that have to be.
    fn look_after_time(&mut self) {
        let (now, moment) = (self.leases.now_millis(), Instant::now());
        let mut over = Vec::new();
        let mut renewed = Vec::new();
        for live in self.leases.lock().values_mut() {
            if live.ends_at_millis <= now {
                over.push(live.kept.id.clone());
            } else if live.renew_at.is_some_and(|at| at <= moment) {
                live.renew_at = None;
                renewed.push((live.kept.clone(), Arc::clone(&live.lender)));
            }
        }
        for id in over {
            self.end(&id, Duration::ZERO, "its time is over");
        }
        for (kept, lender) in renewed {
            let leases = self.leases.clone();
            self.jobs.spawn(async move {
                leases.renew(kept, lender).await;
                None
            });
        }
    }

    /// Looks for what is kept and held by no session of this run, and may be tried by now.
    async fn sweep(&mut self) {
        let rows = match self.leases.0.rows.all().await {
            Ok(rows) => rows,
            Err(error) => return tracing::warn!(%error, "the store does not say which logins are lent"),
        };
        let now = Instant::now();
        let live = self.leases.lock();
        let waits = |id: &str| self.overdue.get(id).is_some_and(|overdue| now < overdue.again_at);
        let left = rows
            .into_iter()
            .filter(|row| !live.contains_key(&row.id) && !self.busy.contains(&row.id) && !waits(&row.id));
        self.left = left.collect();
    }

    fn take_what_is_left(&mut self) {
        while self.left_busy.len() < LEFT_AT_ONCE
            && let Some(kept) = self.left.pop_front()
        {
            // Its session may have ended since it was found.
            if !self.busy.contains(&kept.id) {
                self.left_busy.insert(kept.id.clone());
                self.begin(kept, None, Duration::ZERO, "nobody holds it any more");
            }
        }
    }
}

/// Who can take it away by now: the lender of its connection, else another, where it is of the server that made it. No
/// credential goes to a server that the site does not name any more.
fn whose(environment: &Environment, kept: &KeptLease) -> Option<Arc<dyn Lender>> {
    let own = environment.connections.get(kept.connection.as_str()).and_then(|one| one.lender());
    let Some(place) = &kept.place else { return own };
    let is_there = |lender: &Arc<dyn Lender>| lender.place().is_some_and(|here| here.is_same_server(place));
    let mut others = environment.connections.values().filter_map(|one| one.lender());
    own.filter(is_there).or_else(|| others.find(is_there))
}

impl Leases {
    /// Takes one away at once and says whether that works. What fails is left to the keeper.
    pub(in crate::session) async fn give_back(&self, held: HeldLease) -> Result<(), LeaseError> {
        let found = self.lock().get(&held.id).map(|live| (live.kept.clone(), Arc::clone(&live.lender)));
        let Some((kept, lender)) = found else { return Ok(()) };
        let order = self.order(&kept, Duration::ZERO, "it is not needed any more").await;
        let order = order.ok_or_else(|| LeaseError::Refused("the gateway cannot record it".to_owned()))?;
        lender.take_back(&order).await?;
        let forgotten = self.0.rows.forget(kept.id.clone()).await;
        forgotten.map_err(|error| LeaseError::Refused(error.to_string()))?;
        drop(self.lock().remove(&kept.id));
        Ok(())
    }

    async fn renew(self, kept: KeptLease, lender: Arc<dyn Lender>) {
        let renewed = lender.renew(&kept.id).await;
        let next = match renewed {
            Ok(life) => life.map(|life| Instant::now() + life / 2),
            Err(error) => {
                tracing::warn!(connection = %kept.connection, %error, "a lent login could not be renewed");
                Some(Instant::now() + AGAIN)
            }
        };
        if let Some(live) = self.lock().get_mut(&kept.id) {
            live.renew_at = next;
        }
    }

    /// Takes one away, on record, and forgets it once it is gone. What it gives is what is to be tried again.
    async fn take_back(
        self,
        task: Task,
        whose: impl FnOnce(&KeptLease) -> Option<Arc<dyn Lender>> + Send,
    ) -> Option<Overdue> {
        let Task { kept, lender, grace, why, before } = task;
        let KeptLease { id, connection, place, .. } = &kept;
        let (order, known, failures) =
            before.map_or((None, None, 0), |before| (before.order, before.lender, before.failures));
        let failed = |order, lender| {
            let failures = failures.saturating_add(1);
            Some(Overdue { order, lender, failures, again_at: Instant::now() + pause(failures, id) })
        };
        let place = place.as_ref().map_or_else(|| connection.to_string(), ToString::to_string);
        let lender = lender.or(known);
        let Some(lender) = lender.or_else(|| whose(&kept)) else {
            let login = id.as_str();
            tracing::error!(
                %connection, login, place,
                "a lent login is left over, and no connection of this site lends logins of its server: drop it by hand, \
                 or let one do so"
            );
            return failed(None, None);
        };
        let order = match order {
            Some(order) => order,
            None => match self.order(&kept, grace, why).await {
                Some(order) => order,
                None => return failed(None, Some(lender)),
            },
        };
        match lender.take_back(&order).await {
            // It may be on its way still: it is looked for again until that cannot be.
            Ok(false) if self.now_millis() - kept.lent_at_millis < SETTLED_MILLIS => {
                Some(Overdue { order: Some(order), lender: Some(lender), failures, again_at: Instant::now() + AGAIN })
            }
            Ok(_gone) => {
                let forgotten = self.0.rows.forget(id.clone()).await;
                let error = forgotten.err()?;
                tracing::warn!(%connection, %error, "a login that was taken away could not be forgotten");
                failed(Some(order), Some(lender))
            }
            Err(error) => {
                let (login, overdue) = (id.as_str(), failed(Some(order), Some(lender)));
                let again = pause(failures.saturating_add(1), id).as_secs();
                tracing::warn!(%connection, login, place, %error, again, "a lent login could not be taken away");
                overdue
            }
        }
    }

    /// The order to take one away, on record.
    async fn order(&self, kept: &KeptLease, grace: Duration, why: &'static str) -> Option<Recorded<Own<ReturnOrder>>> {
        let KeptLease { id, connection, session, heir, place, .. } = kept.clone();
        let event = GatewayEvent::LoginReturned { connection: connection.clone(), session, login: id.clone(), why };
        let order = ReturnOrder { id, heir, grace, place };
        let recorded = self.0.recorder.own(&event, OwnPurpose::Lease, order).await;
        let unrecorded = |error: &_| tracing::error!(%connection, %error, "a lent login is not taken away unrecorded");
        recorded.inspect_err(unrecorded).ok()
    }
}

/// How long to wait after so many failures: twice as long each time, and not for all of them the same.
fn pause(failures: u32, id: &str) -> Duration {
    let twice = 2_u32.saturating_pow(failures.saturating_sub(1));
    let pause = AGAIN.saturating_mul(twice).min(AGAIN_AT_MOST);
    let apart = id.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte))) % 256;
    pause + pause / 1_024 * apart
}

#[cfg(test)]
mod tests;
