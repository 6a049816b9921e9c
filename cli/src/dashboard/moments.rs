//! Times and spans in few words. Pure: the time is passed in.

use std::time::Duration;

use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

use crate::login::spoken;

/// `2026-11-21T14:03:22Z`.
pub(crate) fn moment(millis: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(millis.div_euclid(1000)).ok();
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| millis.to_string())
}

/// `14:03:22`, in universal time.
pub(crate) fn clock_time(millis: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(millis.div_euclid(1000)).ok();
    let format = format_description!("[hour]:[minute]:[second]");
    time.and_then(|time| time.format(format).ok()).unwrap_or_else(|| millis.to_string())
}

/// `4:59`: what is left of a time; nothing is less than nothing.
pub(crate) fn left(millis: i64) -> String {
    // A started second counts: at 0:00 it is over.
    let millis = u64::try_from(millis).unwrap_or(0);
    spoken(Duration::from_secs(millis.div_ceil(1000)))
}

/// `43 min`, `1 h 5 min`, `20 s`: coarse, so that it seldom changes.
pub(crate) fn coarse(millis: i64) -> String {
    let seconds = u64::try_from(millis).unwrap_or(0) / 1000;
    match seconds {
        0..60 => "under a minute".to_owned(),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// `1 h`, `90 s`, `15 min`: a span as it was asked for.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        _ if seconds > 0 && seconds.is_multiple_of(86_400) => format!("{} d", seconds / 86_400),
        _ if seconds > 0 && seconds.is_multiple_of(3_600) => format!("{} h", seconds / 3_600),
        _ if seconds > 0 && seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        _ => format!("{seconds} s"),
    }
}

/// Reads `1h`, `30m`, `90s` or `2d`.
pub(crate) fn read_span(text: &str) -> Option<u64> {
    let text = text.trim();
    let unit = text.chars().last()?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let number: u64 = text.strip_suffix(unit)?.trim().parse().ok()?;
    number.checked_mul(factor).filter(|seconds| *seconds > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_started_second_counts() {
        assert_eq!([left(4_001), left(4_000), left(1), left(0), left(-5)], ["0:05", "0:04", "0:01", "0:00", "0:00"]);
    }

    #[test]
    fn spans_are_read_as_they_are_said() {
        assert_eq!(["1h", "30m", "90s", "2d"].map(read_span), [Some(3_600), Some(1_800), Some(90), Some(172_800)]);
        assert_eq!(["", "h", "0h", "-1h", "1w", "99999999999999999999d"].map(read_span), [None; 6]);
        assert_eq!([3_600, 1_800, 90, 172_800].map(span), ["1 h", "30 min", "90 s", "2 d"]);
    }

    #[test]
    fn what_is_coarse_seldom_changes() {
        assert_eq!(coarse(59_000), "under a minute");
        assert_eq!(coarse(3_900_000), "1 h 5 min");
        assert_eq!(coarse(2_580_000), "43 min");
    }
}
