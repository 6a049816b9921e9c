//! Message in, changed state and effects out. No terminal, no socket, no clock.

mod approvals;
mod command;
mod fed;
mod keyed;
mod mouse;
mod replays;
mod runs;
mod sessions;
mod timed;

pub(crate) use timed::next_change;

use super::{effect::Effect, message::Answer, message::Message, state::State, state::Tone};

/// What a message led to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// What to do.
    pub(crate) effects: Vec<Effect>,
    /// Whether the screen looks different now.
    pub(crate) redraw: bool,
}

impl Outcome {
    /// Nothing to do, nothing to see.
    pub(crate) fn nothing() -> Self {
        Self::default()
    }

    /// Only the screen changed.
    pub(crate) const fn redraw() -> Self {
        Self { effects: Vec::new(), redraw: true }
    }

    /// Something to do, with a change of the screen.
    pub(crate) fn effect(effect: Effect) -> Self {
        Self { effects: vec![effect], redraw: true }
    }

    fn when(changed: bool) -> Self {
        Self { effects: Vec::new(), redraw: changed }
    }
}

/// Changes the state by one message.
pub(crate) fn update(state: &mut State, message: Message) -> Outcome {
    let outcome = match message {
        Message::Time(now_millis) => timed::tick(state, now_millis),
        Message::Key(key) => keyed::key(state, key),
        Message::Paste(text) => keyed::paste(state, &text),
        Message::Mouse(mouse) => mouse::mouse(state, mouse),
        Message::Resized(columns, rows) => {
            state.size = (columns, rows);
            Outcome::redraw()
        }
        Message::Shown(shown) => return approvals::shown(state, &shown),
        Message::Fed(fed) => fed::fed(state, fed),
        Message::Answer(answer) => answered(state, answer),
    };
    if outcome.redraw {
        state.lay_out();
    }
    outcome
}

fn answered(state: &mut State, answer: Answer) -> Outcome {
    match answer {
        Answer::Me(Ok(me)) => state.me = Some(me),
        Answer::Health(report) => {
            state.health.health = Some(report.health);
            state.health.gateway = report.gateway.or(state.health.gateway.take());
        }
        Answer::Reviewed { id, approved, outcome } => return approvals::reviewed(state, &id, approved, outcome),
        Answer::Watched(session, news) => return sessions::watched(state, &session, news),
        Answer::Found(outcome) => return replays::found(state, outcome),
        Answer::Runs(outcome) => return runs::listed(state, outcome),
        Answer::Run(run, outcome) => return runs::fetched(state, &run, *outcome),
        Answer::Fetched(session, outcome) => return replays::fetched(state, &session, outcome),
        Answer::Killed(session, Ok(())) => state.say(Tone::Good, format!("{session} is being killed")),
        Answer::Me(Err(trouble)) | Answer::Killed(_, Err(trouble)) => state.say(Tone::Bad, trouble.in_one_line()),
        Answer::Copied(Ok(())) => state.say(Tone::Good, "copied, if your terminal takes OSC 52"),
        Answer::Copied(Err(why)) => state.say(Tone::Bad, why),
    }
    Outcome::redraw()
}

impl super::message::Trouble {
    fn in_one_line(&self) -> String {
        match &self.next {
            Some(next) => format!("{}; {next}", self.said),
            None => self.said.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
