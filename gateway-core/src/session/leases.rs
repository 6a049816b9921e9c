//! Logins lent to sessions: kept and recorded before they are made, taken away within a second of their session's end,
//! whatever ended it, and by the next start where the gateway itself was ended.
//!
//! A session holds a [`HeldLease`]; dropping it is the end. One task ([`keep`]) takes them back, renews those that need it,
//! and looks for what an earlier run left.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use secrecy::SecretString;
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::environment::Environment;
use crate::{
    clock::WallClock,
    credential::{
        Secrets,
        lease::{LeaseError, LendOrder, Lender, Lent, ReturnOrder},
    },
    model::{ConnectionName, Principal},
    record::{GatewayEvent, OwnPurpose, Recorder},
    store::{KeptLease, LeaseRows},
    upstream,
};

/// How long what a client left running may take to end by itself.
const GRACE: Duration = Duration::from_millis(300);
/// How often renewals and ends are looked for.
const TICK: Duration = Duration::from_secs(1);
/// How long after it was asked for a login may still turn up at its server.
const SETTLED_MILLIS: i64 = 60_000;
/// How often it is looked whether the last sessions have ended, once the gateway stops.
const LAST_LOOK: Duration = Duration::from_millis(20);
/// How often it is tried again to take away what could not be.
const AGAIN: Duration = Duration::from_secs(10);

/// The logins that this gateway lent. Cheap to clone.
#[derive(Clone)]
pub struct Leases(Arc<Shared>);

struct Shared {
    /// Where the secrets of lenders are had.
    secrets: Secrets,
    rows: LeaseRows,
    recorder: Recorder,
    clock: WallClock,
    live: Mutex<BTreeMap<String, Live>>,
    ended: mpsc::UnboundedSender<Ended>,
    receiver: Mutex<Option<mpsc::UnboundedReceiver<Ended>>>,
}

/// One that a session holds.
struct Live {
    kept: KeptLease,
    ends_at_millis: i64,
    renew_at: Option<Instant>,
}

struct Ended {
    id: String,
    grace: Duration,
}

impl fmt::Debug for Leases {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Leases").field("live", &self.lock().len()).finish_non_exhaustive()
    }
}

/// A login of one session. Dropped, it is taken away.
#[derive(Debug)]
pub(super) struct HeldLease {
    leases: Leases,
    id: String,
    grace: Duration,
}

impl HeldLease {
    /// Ends it; what the client left running gets a moment to end by itself.
    pub(super) fn let_go(mut self) {
        self.grace = GRACE;
    }
}

impl Drop for HeldLease {
    fn drop(&mut self) {
        let ended = Ended { id: std::mem::take(&mut self.id), grace: self.grace };
        // Where nobody listens the gateway has stopped: the next start takes it away.
        self.leases.0.ended.send(ended).ok();
    }
}

/// For whom, and until when.
#[derive(Debug, Clone)]
pub(super) struct Borrower {
    pub(super) who: Option<Principal>,
    pub(super) session: String,
    pub(super) ends_at_millis: i64,
}

/// What a session logs in with.
#[derive(Debug)]
pub(super) struct Borrowed {
    pub(super) username: String,
    pub(super) password: SecretString,
    pub(super) lease: HeldLease,
    pub(super) ends_at_millis: i64,
}

impl Leases {
    /// None lent yet by this run of the gateway.
    pub fn new(secrets: Secrets, rows: LeaseRows, recorder: Recorder, clock: WallClock) -> Self {
        let (ended, receiver) = mpsc::unbounded_channel();
        let (live, receiver) = (Mutex::default(), Mutex::new(Some(receiver)));
        Self(Arc::new(Shared { secrets, rows, recorder, clock, live, ended, receiver }))
    }

    /// Where the gateway's secrets are had.
    pub(crate) fn secrets(&self) -> &Secrets {
        &self.0.secrets
    }

    pub(super) fn now_millis(&self) -> i64 {
        self.0.clock.unix_millis()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Live>> {
        self.0.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a login made, for a session or for the gateway itself. Cancelled, what was made is taken away again.
    pub(super) async fn lend(
        &self,
        facts: (ConnectionName, String),
        lender: Arc<dyn Lender>,
        to: Borrower,
    ) -> Result<Borrowed, LeaseError> {
        // A task of its own: a statement that is on its way to the server is not called back by being forgotten here.
        let made = tokio::spawn(self.clone().made(facts, lender, to));
        made.await.map_err(|_ended| LeaseError::Refused("the gateway stopped making it".to_owned()))?
    }

    /// Kept and recorded first, so that whatever ends the gateway leaves nothing that nobody knows of.
    async fn made(
        self,
        (connection, heir): (ConnectionName, String),
        lender: Arc<dyn Lender>,
        to: Borrower,
    ) -> Result<Borrowed, LeaseError> {
        let name = upstream::fresh_name()?;
        let Borrower { who, session, mut ends_at_millis } = to;
        let kept = |id: &str| KeptLease {
            id: id.to_owned(),
            connection: connection.clone(),
            session: session.clone(),
            heir: heir.clone(),
            lent_at_millis: self.now_millis(),
        };
        let mut held = None;
        if lender.takes_names() {
            // Held before it is kept: what is kept and held by nobody is taken for left over.
            held = Some(self.hold(kept(&name), ends_at_millis, None));
            self.keep(kept(&name)).await?;
        }
        let login = lender.takes_names().then(|| name.clone());
        let (lent_to, at) = (session.clone(), connection.clone());
        let event = GatewayEvent::LoginLent { who, connection: at, session: lent_to, login, ends_at_millis };
        let comment = format!("hoop: lent to {session} on {connection}; dropped when it ends");
        let order = LendOrder { name, ends_at_millis, comment };
        let order = self.0.recorder.own(&event, OwnPurpose::Lease, order).await;
        let order = order.map_err(|error| LeaseError::Refused(format!("it cannot be recorded: {error}")))?;
        let Lent { id, username, password, life, is_renewable } = lender.lend(order).await?;
        if let (Some(life), false) = (life, is_renewable) {
            let over = self.now_millis().saturating_add(i64::try_from(life.as_millis()).unwrap_or(i64::MAX));
            ends_at_millis = ends_at_millis.min(over);
        }
        let lease = match held {
            Some(held) => held,
            None => {
                let lease = self.hold(kept(&id), ends_at_millis, life.filter(|_| is_renewable));
                self.keep(kept(&id)).await?;
                lease
            }
        };
        Ok(Borrowed { username, password, lease, ends_at_millis })
    }

    async fn keep(&self, kept: KeptLease) -> Result<(), LeaseError> {
        let stored = self.0.rows.keep(kept).await;
        stored.map_err(|error| LeaseError::Refused(format!("it cannot be kept in the store: {error}")))
    }

    fn hold(&self, kept: KeptLease, ends_at_millis: i64, life: Option<Duration>) -> HeldLease {
        let (id, renew_at) = (kept.id.clone(), life.map(|life| Instant::now() + life / 2));
        self.lock().insert(id.clone(), Live { kept, ends_at_millis, renew_at });
        HeldLease { leases: self.clone(), id, grace: Duration::ZERO }
    }

    /// Those whose time is over, and those that have to be renewed.
    fn due(&self) -> (Vec<String>, Vec<KeptLease>) {
        let (now, moment) = (self.now_millis(), Instant::now());
        let live = self.lock();
        let over = live.values().filter(|one| one.ends_at_millis <= now).map(|one| one.kept.id.clone()).collect();
        let renewed = live.values().filter(|one| one.renew_at.is_some_and(|at| at <= moment));
        (over, renewed.map(|one| one.kept.clone()).collect())
    }

    async fn renew(self, environment: Arc<Environment>, kept: KeptLease) {
        let Some(lender) = environment.connections.get(kept.connection.as_str()).and_then(|one| one.lender()) else {
            return;
        };
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

    /// Takes one away, on record, and forgets it once it is gone.
    async fn take_back(self, environment: Arc<Environment>, kept: KeptLease, grace: Duration, why: &'static str) {
        let connection = kept.connection.clone();
        let Some(lender) = environment.connections.get(connection.as_str()).and_then(|one| one.lender()) else {
            tracing::warn!(%connection, login = kept.id, "a lent login is left over, and its connection lends no more");
            return;
        };
        let event = GatewayEvent::LoginReturned {
            connection: connection.clone(),
            session: kept.session.clone(),
            login: kept.id.clone(),
            why,
        };
        let order = ReturnOrder { id: kept.id.clone(), heir: kept.heir.clone(), grace };
        let order = match self.0.recorder.own(&event, OwnPurpose::Lease, order).await {
            Ok(order) => order,
            Err(error) => return tracing::error!(%connection, %error, "a lent login is not taken away unrecorded"),
        };
        match lender.take_back(order).await {
            // It may be on its way still: it is looked for again until that cannot be.
            Ok(false) if self.now_millis() - kept.lent_at_millis < SETTLED_MILLIS => {}
            Ok(_gone) => {
                if let Err(error) = self.0.rows.forget(kept.id).await {
                    tracing::warn!(%connection, %error, "a login that was taken away could not be forgotten");
                }
            }
            Err(error) => {
                let again = AGAIN.as_secs();
                tracing::warn!(%connection, login = kept.id, %error, again, "a lent login could not be taken away");
            }
        }
    }
}

/// What is being done: each names the login that it takes away.
type Jobs = JoinSet<Option<String>>;

/// Takes lent logins back until the gateway stops, and those of its last sessions after that.
pub(crate) async fn keep(leases: Leases, environment: Arc<Environment>, shutdown: CancellationToken) {
    let receiver = leases.0.receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(mut ended) = receiver else { return };
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut jobs = Jobs::new();
    let mut busy = BTreeSet::new();
    let mut swept: Option<Instant> = None;
    let begin = |jobs: &mut Jobs, busy: &mut BTreeSet<String>, kept: KeptLease, grace, why| {
        if busy.insert(kept.id.clone()) {
            let (leases, environment, id) = (leases.clone(), Arc::clone(&environment), kept.id.clone());
            jobs.spawn(async move {
                leases.take_back(environment, kept, grace, why).await;
                Some(id)
            });
        }
    };
    loop {
        if shutdown.is_cancelled() && environment.registry.is_empty() && ended.is_empty() && jobs.is_empty() {
            return;
        }
        tokio::select! {
            () = shutdown.cancelled(), if !shutdown.is_cancelled() => {}
            () = tokio::time::sleep(LAST_LOOK), if shutdown.is_cancelled() => {}
            Some(Ended { id, grace }) = ended.recv() => {
                let live = leases.lock().remove(&id);
                if let Some(live) = live {
                    begin(&mut jobs, &mut busy, live.kept, grace, "its session ended");
                }
            }
            Some(done) = jobs.join_next() => if let Ok(Some(id)) = done {
                busy.remove(&id);
            },
            _ = ticks.tick() => {
                let (over, renewed) = leases.due();
                for id in over {
                    let live = leases.lock().remove(&id);
                    if let Some(live) = live {
                        begin(&mut jobs, &mut busy, live.kept, Duration::ZERO, "its time is over");
                    }
                }
                for kept in renewed {
                    if let Some(live) = leases.lock().get_mut(&kept.id) {
                        live.renew_at = None;
                    }
                    let (leases, environment) = (leases.clone(), Arc::clone(&environment));
                    jobs.spawn(async move {
                        leases.renew(environment, kept).await;
                        None
                    });
                }
                if swept.is_none_or(|at| at.elapsed() >= AGAIN) && !shutdown.is_cancelled() {
                    swept = Some(Instant::now());
                    for kept in left_over(&leases).await {
                        begin(&mut jobs, &mut busy, kept, Duration::ZERO, "nobody holds it any more");
                    }
                }
            }
        }
    }
}

/// What is kept and held by no session of this run.
async fn left_over(leases: &Leases) -> Vec<KeptLease> {
    match leases.0.rows.all().await {
        Ok(rows) => {
            let live = leases.lock();
            rows.into_iter().filter(|row| !live.contains_key(&row.id)).collect()
        }
        Err(error) => {
            tracing::warn!(%error, "the store does not say which logins are lent");
            Vec::new()
        }
    }
}
