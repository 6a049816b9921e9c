//! What cannot be taken away yet: said, kept, tried again later and later, and on record once.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::{
    clock::WallClock,
    credential::{
        Secrets,
        lease::{Answer, LeaseError, LendOrder, Lent},
    },
    model::ConnectionName,
    record::{Durability, RecordKeys, Recorder, SystemClock},
    store::{LeasePlace, LeaseRows, Store},
};

/// A server that does not take a login away at first.
#[derive(Debug)]
struct Unwilling {
    refusals: u32,
    asked: AtomicU32,
}

impl Lender for Unwilling {
    fn takes_names(&self) -> bool {
        true
    }

    fn place(&self) -> Option<LeasePlace> {
        Some(place())
    }

    fn lend(&self, _order: Recorded<Own<LendOrder>>) -> Answer<'_, Lent> {
        Box::pin(async { Err(LeaseError::Randomness) })
    }

    fn renew<'lender>(&'lender self, _id: &'lender str) -> Answer<'lender, Option<Duration>> {
        Box::pin(async { Ok(None) })
    }

    fn take_back<'lender>(&'lender self, _order: &'lender Recorded<Own<ReturnOrder>>) -> Answer<'lender, bool> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            if asked < self.refusals { Err(LeaseError::Refused("not now".to_owned())) } else { Ok(true) }
        })
    }
}

fn place() -> LeasePlace {
    LeasePlace { host: "db.internal".into(), port: 5432, database: "shop".into() }
}

struct World {
    folder: tempfile::TempDir,
    leases: Leases,
    kept: KeptLease,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = RecordKeys::load_or_create(&folder.path().join("keys")).unwrap();
        let log = folder.path().join("recordings");
        let (recorder, _) = Recorder::open(&log, keys, Durability::Relaxed, Arc::new(SystemClock)).unwrap();
        let rows = LeaseRows::new(Store::in_memory().unwrap());
        let kept = KeptLease {
            id: "hoop_abc".into(),
            connection: ConnectionName::new("pg-prod").unwrap(),
            session: "ses_1".into(),
            heir: "app".into(),
            lent_at_millis: 1_000,
            place: Some(place()),
        };
        rows.keep(kept.clone()).await.unwrap();
        let leases = Leases::new(Secrets::local(), rows, recorder, WallClock::manual(1_000 + SETTLED_MILLIS));
        Self { folder, leases, kept }
    }

    async fn try_once(&self, lender: Option<&Arc<dyn Lender>>, before: Option<Overdue>) -> Option<Overdue> {
        let (kept, lender) = (self.kept.clone(), lender.cloned());
        let task = Task { kept, lender, grace: Duration::ZERO, why: "nobody holds it any more", before };
        self.leases.clone().take_back(task, |_kept| None).await
    }

    async fn is_kept(&self) -> bool {
        self.leases.0.rows.all().await.unwrap() == [self.kept.clone()]
    }

    fn recorded(&self) -> usize {
        let files = std::fs::read_dir(self.folder.path().join("recordings")).unwrap();
        let texts = files.map(|file| std::fs::read(file.unwrap().path()).unwrap_or_default());
        texts.map(|text| String::from_utf8_lossy(&text).matches("login_returned").count()).sum()
    }
}

#[tokio::test]
async fn what_cannot_be_taken_away_is_kept_and_tried_later_each_time_and_is_on_record_once() {
    let world = World::new().await;
    let lender: Arc<dyn Lender> = Arc::new(Unwilling { refusals: 4, asked: AtomicU32::new(0) });
    let mut overdue = None;
    let mut last = Duration::ZERO;
    for failures in 1..=4 {
        overdue = world.try_once(Some(&lender), overdue).await;
        let pause = pause(failures, &world.kept.id);
        assert_eq!(overdue.as_ref().map(|overdue| overdue.failures), Some(failures));
        assert!(pause > last && world.is_kept().await);
        last = pause;
    }
    assert!(world.try_once(None, overdue).await.is_none(), "it knows who made it");
    assert!(!world.is_kept().await);
    assert_eq!(world.recorded(), 1);
}

#[tokio::test]
async fn what_nobody_of_the_site_can_take_away_is_kept_for_ever() {
    let world = World::new().await;
    let overdue = world.try_once(None, None).await;
    assert!(world.try_once(None, overdue).await.is_some());
    assert!(world.is_kept().await, "with where it was made");
    assert_eq!(world.recorded(), 0, "nothing was sent");
}

#[test]
fn those_that_fail_together_are_not_tried_together_and_none_waits_for_ever() {
    assert_ne!(pause(3, "hoop_abc"), pause(3, "hoop_abd"));
    assert!(pause(1, "hoop_abc") >= AGAIN);
    assert!(pause(u32::MAX, "hoop_abc") <= AGAIN_AT_MOST * 5 / 4);
}
