//! Live runs: who started them, until when their token was renewed, what they used up, and which sessions end with them.
//!
//! Lives in memory only: a gateway that stops ends its runs, so that no budget begins anew. The store keeps what was.

use std::{collections::HashMap, sync::Arc};

use super::{End, Registry};
use crate::{
    model::{Principal, RunId, Usage},
    session::usage::Meter,
};

/// The most runs that live at once on a gateway, and of one starter.
const MOST_RUNS: usize = 4_096;
const MOST_OF_ONE: usize = 256;

/// A run that begins.
#[derive(Debug)]
pub struct OpenRun {
    /// Its id.
    pub id: RunId,
    /// Who started it, and may renew and end it.
    pub starter: Principal,
    /// When it began, milliseconds since 1970.
    pub started_at_millis: i64,
    /// When its token ends, seconds since 1970.
    pub expires_at: i64,
}

/// Why a run is not opened or renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// There are too many.
    #[error("too many runs are under way")]
    TooMany,
    /// It has ended, or never was, or is somebody else's.
    #[error("there is no such run under way")]
    Absent,
}

/// A run that is under way.
#[derive(Debug)]
pub(super) struct LiveRun {
    open: OpenRun,
    meter: Arc<Meter>,
}

impl Registry {
    /// Lets a run begin.
    pub fn open_run(&self, open: OpenRun) -> Result<(), RunError> {
        let mut runs = self.runs();
        let of_one = runs.values().filter(|run| run.open.starter.is(&open.starter)).count();
        if runs.len() >= MOST_RUNS || of_one >= MOST_OF_ONE || self.has_stopped() {
            return Err(RunError::TooMany);
        }
        let meter = Arc::new(Meter::new(open.id.clone()));
        runs.insert(open.id.clone(), LiveRun { open, meter });
        Ok(())
    }

    /// Whether a run is under way and of this starter.
    pub fn is_run_of(&self, id: &RunId, starter: &Principal) -> bool {
        self.runs().get(id).is_some_and(|run| run.open.starter.is(starter))
    }

    /// Notes that its token was renewed.
    pub fn renew_run(&self, id: &RunId, starter: &Principal, expires_at: i64) -> Result<(), RunError> {
        let mut runs = self.runs();
        let run = runs.get_mut(id).filter(|run| run.open.starter.is(starter)).ok_or(RunError::Absent)?;
        run.open.expires_at = run.open.expires_at.max(expires_at);
        Ok(())
    }

    /// Ends a run and its sessions; says what it used up. `None` where it had ended already.
    pub fn end_run(&self, id: &RunId, now_millis: i64) -> Option<Usage> {
        let run = self.runs().remove(id)?;
        self.end_sessions_of(id);
        self.provenance().forget(id.as_str());
        Some(run.used(now_millis))
    }

    /// The runs whose token nobody renewed.
    pub fn lapsed_runs(&self, now_seconds: i64) -> Vec<RunId> {
        let runs = self.runs();
        runs.values().filter(|run| run.open.expires_at <= now_seconds).map(|run| run.open.id.clone()).collect()
    }

    /// Every run that is under way.
    pub fn live_runs(&self) -> Vec<RunId> {
        self.runs().keys().cloned().collect()
    }

    /// Whether a run is under way.
    pub fn is_running(&self, id: &RunId) -> bool {
        self.runs().contains_key(id)
    }

    /// What a run that is under way has used up.
    pub fn usage(&self, id: &RunId, now_millis: i64) -> Option<Usage> {
        self.runs().get(id).map(|run| run.used(now_millis))
    }

    /// Where the sessions of a run report what they use up.
    pub fn meter(&self, id: &RunId) -> Option<Arc<Meter>> {
        self.runs().get(id).map(|run| Arc::clone(&run.meter))
    }

    pub(super) fn end_sessions_of(&self, run: &RunId) {
        for live in self.lock().values().filter(|live| live.entry.run.as_ref() == Some(run)) {
            live.end(End::RunEnded);
        }
    }

    fn runs(&self) -> std::sync::MutexGuard<'_, HashMap<RunId, LiveRun>> {
        self.0.runs.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl LiveRun {
    fn used(&self, now_millis: i64) -> Usage {
        let lived = now_millis.saturating_sub(self.open.started_at_millis);
        self.meter.read(u64::try_from(lived / 1_000).unwrap_or(0))
    }
}
