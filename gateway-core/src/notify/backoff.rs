//! How long to wait before a delivery is tried again: longer each time, never quite the same.
//!
//! Pure: the draw is passed in.

use std::time::Duration;

/// Each wait is so many times the one before.
const FACTOR: u32 = 4;
/// The longest wait, before the draw.
const LONGEST: Duration = Duration::from_hours(4);

/// The wait after so many failed attempts, from 1; `draw` moves it by up to a quarter either way.
pub(super) fn wait(base: Duration, failed: u32, draw: u16) -> Duration {
    let steps = failed.saturating_sub(1).min(16);
    let full = base.checked_mul(FACTOR.saturating_pow(steps)).map_or(LONGEST, |wait| wait.min(LONGEST));
    full.mul_f64(0.75 + f64::from(draw) / f64::from(u16::MAX) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Duration = Duration::from_secs(5);

    #[test]
    fn waits_grow_to_hours_and_no_further() {
        let middle = u16::MAX / 2;
        let about =
            |seconds: u64, failed| wait(BASE, failed, middle).abs_diff(Duration::from_secs(seconds)) < BASE / 10;
        for (failed, seconds) in (1..).zip([5, 20, 80, 320, 1_280, 5_120, 14_400, 14_400]) {
            assert!(about(seconds, failed), "{failed}");
        }
        assert!(about(14_400, u32::MAX));
    }

    #[test]
    fn the_draw_moves_a_wait_by_a_quarter() {
        assert_eq!(wait(BASE, 1, 0), Duration::from_millis(3_750));
        assert_eq!(wait(BASE, 1, u16::MAX), Duration::from_millis(6_250));
    }
}
