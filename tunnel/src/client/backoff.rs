//! How long to wait before the next attempt: exponential, bounded, jittered.
//!
//! Pure; randomness is passed in. Called by `keeper`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Randomness for pauses: given a bound, something between zero and it.
#[derive(Clone)]
pub struct Jitter(Arc<dyn Fn(Duration) -> Duration + Send + Sync>);

impl Jitter {
    /// Takes a function that returns a random duration between zero and its argument.
    pub fn new(random: impl Fn(Duration) -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(random))
    }
}

impl fmt::Debug for Jitter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Jitter")
    }
}

/// The pause after `attempt` failures in a row (one or more): at least half of what it may be at most.
pub(super) fn pause(attempt: u32, jitter: &Jitter) -> Duration {
    let doublings = attempt.saturating_sub(1).min(16);
    let most = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    let half = most / 2;
    half + (jitter.0)(half).min(half)
}

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn doubles_up_to_a_bound() {
        let jitter = Jitter::new(|bound| bound);
        let pauses: Vec<u128> =
            [1, 2, 3, 4, 7, 8, 100].iter().map(|attempt| pause(*attempt, &jitter).as_millis()).collect();
        assert_eq!(pauses, [200, 400, 800, 1600, 12_800, 20_000, 20_000]);
    }

    proptest! {
        #[test]
        fn stays_in_bounds_whatever_the_randomness(attempt in any::<u32>(), random in any::<u64>()) {
            let jitter = Jitter::new(move |_| Duration::from_nanos(random));
            let pause = pause(attempt, &jitter);
            prop_assert!(pause >= FIRST / 2 && pause <= LONGEST);
        }
    }
}
