//! A live line while a person confirms the code: how long the code still lasts. Silent where nobody watches.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::output::Output;

/// The running line; it is wiped when stopped or dropped.
#[derive(Debug)]
pub(super) struct Countdown(Option<ProgressBar>);

impl Countdown {
    /// Starts to count `lasts` down while `what` is waited for, where a person watches standard error.
    pub(super) fn start(output: &Output, lasts: Duration, what: &'static str) -> Self {
        if !output.talk_is_terminal() {
            output.say(&format!("Waiting for {what}, for {} at most.", spoken(lasts)));
            return Self(None);
        }
        let left = move |state: &ProgressState, line: &mut dyn std::fmt::Write| {
            // A line that cannot be drawn is not worth a failure.
            line.write_str(&spoken(lasts.saturating_sub(state.elapsed()))).unwrap_or_default();
        };
        let style =
            ProgressStyle::with_template(&format!("{{spinner}} Waiting for {what}, {{left}} left (Ctrl-C to stop)"));
        let line = ProgressBar::new_spinner();
        if let Ok(style) = style {
            line.set_style(style.with_key("left", left));
        }
        line.enable_steady_tick(Duration::from_millis(250));
        Self(Some(line))
    }

    /// Wipes the line.
    pub(super) fn stop(self) {
        drop(self);
    }
}

impl Drop for Countdown {
    fn drop(&mut self) {
        if let Some(line) = &self.0 {
            line.finish_and_clear();
        }
    }
}

/// `9:05`, or `1:00:00` from an hour on.
pub(crate) fn spoken(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speaks_minutes_and_hours() {
        assert_eq!(spoken(Duration::from_secs(5)), "0:05");
        assert_eq!(spoken(Duration::from_secs(599)), "9:59");
        assert_eq!(spoken(Duration::from_secs(3_661)), "1:01:01");
    }
}
