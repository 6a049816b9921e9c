//! The live line of a tunnel on standard error: sessions, bytes, state. Plain lines where nobody watches.
//!
//! Owns how it looks; told what happens by `tunnel`. Nothing here is data.

use std::{sync::Arc, time::Duration};

use hoop_tunnel::{client::LinkState, forward::Counters};
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use super::address::Opened;
use crate::output::{Output, printable_line};

/// Talk while a tunnel is open.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    output: Output,
    line: Option<ProgressBar>,
    head: Arc<str>,
}

impl Live {
    /// Starts the line where a person watches and nobody else uses the terminal.
    pub(super) fn start(output: &Output, opened: &Opened, alone: bool) -> Self {
        let head = format!("{}  {}", opened.connection, opened.place()).into();
        let line = (alone && output.talk_is_terminal()).then(ProgressBar::new_spinner);
        if let Some(line) = &line {
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                line.set_style(style);
            }
            line.enable_steady_tick(REDRAW);
        }
        Self { output: output.clone(), line, head }
    }

    /// For a tunnel whose terminal is another program's: no line, only what wants attention.
    pub(crate) fn silent(output: &Output) -> Self {
        Self { output: output.clone(), line: None, head: "".into() }
    }

    /// One line above the live one.
    pub(super) fn note(&self, text: &str) {
        self.aside(|| self.output.say(text));
    }

    /// One line that wants attention.
    pub(super) fn warn(&self, text: &str) {
        self.aside(|| self.output.warn(&printable_line(text)));
    }

    /// Brings the live line up to date.
    pub(super) fn update(&self, state: &LinkState, sessions: usize, counters: &Counters) {
        if let Some(line) = &self.line {
            let (sent, received) = (HumanBytes(counters.sent()), HumanBytes(counters.received()));
            let sessions = plural(sessions, "session");
            let state = printable_line(&words(state));
            line.set_message(format!("{}  {sessions}  ↑ {sent}  ↓ {received}  {state}", self.head));
        }
    }

    /// Says a change of state where there is no live line to show it.
    pub(super) fn state(&self, state: &LinkState) {
        match state {
            LinkState::Reconnecting { attempt, .. } if *attempt > 1 && self.line.is_none() => {}
            LinkState::Reconnecting { .. } | LinkState::Unauthenticated(_) => self.warn(&words(state)),
            LinkState::Connected => self.note("The gateway answers again."),
            LinkState::Closed => {}
        }
    }

    /// Wipes the line.
    pub(super) fn stop(&self) {
        if let Some(line) = &self.line {
            line.finish_and_clear();
        }
    }

    fn aside(&self, talk: impl FnOnce()) {
        match &self.line {
            Some(line) => line.suspend(talk),
            None => talk(),
        }
    }
}

/// `1 session`, `2 sessions`.
pub(super) fn plural(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}

fn words(state: &LinkState) -> String {
    match state {
        LinkState::Connected => "connected".into(),
        LinkState::Reconnecting { attempt, reason, .. } => {
            format!("reconnecting, attempt {}: {reason}", attempt.saturating_add(1))
        }
        LinkState::Unauthenticated(why) => format!("the gateway does not take this login: {why}; run `hoop login`"),
        LinkState::Closed => "closed".into(),
    }
}

pub(super) const REDRAW: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_in_words() {
        assert_eq!(
            [plural(0, "session"), plural(1, "session"), plural(2, "session")],
            ["0 sessions", "1 session", "2 sessions"]
        );
    }

    #[test]
    fn says_what_to_do_when_the_login_is_over() {
        assert!(words(&LinkState::Unauthenticated("expired".into())).ends_with("run `hoop login`"));
    }
}
