//! Logins lent to sessions: kept and recorded before they are made, taken away within a second of their session's end,
//! whatever ended it, and by the next start where the gateway itself was ended.
//!
//! A session holds a [`HeldLease`]; dropping it is the end. One task (`keeper`) takes them back, renews those that need it,
//! and looks for what an earlier run left.

mod keeper;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use secrecy::SecretString;
use tokio::sync::mpsc;

pub(crate) use self::keeper::keep;
use crate::{
    clock::WallClock,
    credential::{
        Secrets,
        lease::{LeaseError, LendOrder, Lender, Lent},
    },
    model::{ConnectionName, Principal},
    record::{GatewayEvent, OwnPurpose, Recorder},
    store::{KeptLease, LeaseRows},
    upstream,
};

/// How long what a client left running may take to end by itself.
const GRACE: Duration = Duration::from_millis(300);
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
    /// Who made it, and takes it away.
    lender: Arc<dyn Lender>,
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

    /// Where what is lent is put on record.
    pub(crate) fn recorder(&self) -> &Recorder {
        &self.0.recorder
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
            place: lender.place(),
        };
        let mut held = None;
        if lender.takes_names() {
            // Held before it is kept: what is kept and held by nobody is taken for left over.
            held = Some(self.hold(kept(&name), &lender, ends_at_millis, None));
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
        let lease = if let Some(held) = held {
            held
        } else {
            let lease = self.hold(kept(&id), &lender, ends_at_millis, life.filter(|_| is_renewable));
            self.keep(kept(&id)).await?;
            lease
        };
        Ok(Borrowed { username, password, lease, ends_at_millis })
    }

    async fn keep(&self, kept: KeptLease) -> Result<(), LeaseError> {
        let stored = self.0.rows.keep(kept).await;
        stored.map_err(|error| LeaseError::Refused(format!("it cannot be kept in the store: {error}")))
    }

    fn hold(
        &self,
        kept: KeptLease,
        lender: &Arc<dyn Lender>,
        ends_at_millis: i64,
        life: Option<Duration>,
    ) -> HeldLease {
        let (id, renew_at) = (kept.id.clone(), life.map(|life| Instant::now() + life / 2));
        self.lock().insert(id.clone(), Live { kept, lender: Arc::clone(lender), ends_at_millis, renew_at });
        HeldLease { leases: self.clone(), id, grace: Duration::ZERO }
    }
}
