//! The wall clock as a value, so that everything above it can be driven by a test's clock.
//!
//! The only reader of the system's time for approvals, identity and the API. Knows nothing else.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Reads milliseconds since 1970; cheap to clone.
#[derive(Clone)]
pub struct WallClock(Source);

#[derive(Clone)]
enum Source {
    System,
    Manual(Arc<AtomicI64>),
}

impl WallClock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands until it is moved, for tests.
    pub fn manual(unix_millis: i64) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(unix_millis))))
    }

    /// Moves a manual clock, and every clone of it; the system's clock is left alone.
    pub fn advance(&self, millis: i64) {
        if let Source::Manual(now) = &self.0 {
            now.fetch_add(millis, Ordering::SeqCst);
        }
    }

    /// Milliseconds since 1970.
    pub fn unix_millis(&self) -> i64 {
        match &self.0 {
            Source::Manual(now) => now.load(Ordering::SeqCst),
            Source::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |elapsed| i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)),
        }
    }

    /// The moment, for libraries that take the standard library's time.
    pub fn moment(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(u64::try_from(self.unix_millis()).unwrap_or(0))
    }

    /// Seconds since 1970.
    pub fn unix_seconds(&self) -> i64 {
        self.unix_millis().div_euclid(1_000)
    }
}

impl fmt::Debug for WallClock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("WallClock")
    }
}
