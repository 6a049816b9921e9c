//! A time as people write it: `90s`, `15m`, `4h`, `1d`.

use std::time::Duration;

/// Reads a time; the message says how to write one.
pub(super) fn lasting(text: &str) -> Result<Duration, String> {
    let wrong = || "write a number and a unit: `90s`, `15m`, `4h`, `1d`".to_owned();
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let seconds = match text.strip_prefix(digits) {
        Some("s") => 1,
        Some("m") => 60,
        Some("h") => 3_600,
        Some("d") => 86_400,
        _ => return Err(wrong()),
    };
    let count: u64 = digits.parse().map_err(|_unread| wrong())?;
    count.checked_mul(seconds).map(Duration::from_secs).filter(|lasting| !lasting.is_zero()).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        assert_eq!(lasting("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(lasting("2h"), Ok(Duration::from_hours(2)));
        for text in ["", "h", "0m", "1", "1w", "-1h", "1.5h", "99999999999999999999d"] {
            assert!(lasting(text).is_err(), "{text}");
        }
    }
}
