//! Keys: what the table says of them in the mode of the moment, done.

use crossterm::event::{KeyEvent, KeyEventKind};

use super::{Outcome, approvals, command, replays, runs, sessions};
use crate::dashboard::{
    effect::Effect,
    keys::{self, Action, Mode},
    state::{Asking, Choice, Overlay, Prompt, State, Tab, Tone},
};

/// More than this is not put into a clipboard by way of the terminal.
const MOST_COPIED_BYTES: usize = 64 * 1024;

/// A key.
pub(super) fn key(state: &mut State, key: KeyEvent) -> Outcome {
    if key.kind == KeyEventKind::Release {
        return Outcome::nothing();
    }
    let mode = state.mode();
    if mode == Mode::Playing {
        return replays::press(state, key);
    }
    let Some(action) = keys::action(mode, key) else {
        let Overlay::Prompt(prompt) = &mut state.overlay else { return Outcome::nothing() };
        prompt.press(key);
        filter_as_typed(state);
        return Outcome::redraw();
    };
    if mode != Mode::Typing {
        state.notice = None;
    }
    act(state, mode, action)
}

/// Pasted text is text, never keys: nobody approves by pasting.
pub(super) fn paste(state: &mut State, text: &str) -> Outcome {
    let Overlay::Prompt(prompt) = &mut state.overlay else { return Outcome::nothing() };
    prompt.paste(text);
    filter_as_typed(state);
    Outcome::redraw()
}

fn act(state: &mut State, mode: Mode, action: Action) -> Outcome {
    if let Some(rows) = rows(state, action) {
        return scroll(state, mode, rows);
    }
    match action {
        Action::ReadDown => read(state, true),
        Action::ReadUp => read(state, false),
        Action::Open => open(state),
        Action::Back => back(state),
        Action::Submit => submit(state),
        Action::NewLine => break_line(state),
        Action::Approve => approvals::arm(state, Choice::default()),
        Action::ApproveShape => approvals::ask_shape(state),
        Action::Deny => approvals::ask_denial(state),
        Action::Confirm if mode == Mode::Killing => sessions::kill(state),
        Action::Confirm => approvals::confirm(state),
        Action::Reason => approvals::ask_reason(state),
        Action::Kill => sessions::ask_kill(state),
        Action::CopyId => copy(state, false),
        Action::CopyText => copy(state, true),
        Action::Again => again(state),
        Action::NextTab => go_to(state, state.tab.step(1)),
        Action::PreviousTab => go_to(state, state.tab.step(Tab::ALL.len() - 1)),
        Action::FirstTab => go_to(state, Tab::Approvals),
        Action::SecondTab => go_to(state, Tab::Sessions),
        Action::ThirdTab => go_to(state, Tab::Replays),
        Action::FourthTab => go_to(state, Tab::Runs),
        Action::FifthTab => go_to(state, Tab::Health),
        Action::Search => ask(state, Asking::Search, &state.replays.search.clone()),
        Action::Filter => ask(state, Asking::Filter, &filter(state)),
        Action::Command => ask(state, Asking::Command, ""),
        Action::Help => help(state),
        Action::Suspend => Outcome::effect(Effect::Suspend),
        Action::Quit => Outcome::effect(Effect::Quit),
        Action::Interrupt => Outcome::effect(Effect::Interrupt),
        Action::Up
        | Action::Down
        | Action::Top
        | Action::Bottom
        | Action::HalfUp
        | Action::HalfDown
        | Action::PageUp
        | Action::PageDown => Outcome::nothing(),
    }
}

/// Opens a page.
pub(super) fn go_to(state: &mut State, tab: Tab) -> Outcome {
    state.tab = tab;
    state.overlay = Overlay::Nothing;
    match tab {
        Tab::Replays => replays::opened(state),
        Tab::Runs => runs::ask(state),
        Tab::Approvals | Tab::Sessions | Tab::Health => Outcome::redraw(),
    }
}

/// How many rows an action scrolls; `None` where it does not scroll.
#[expect(clippy::wildcard_enum_match_arm, reason = "few actions scroll")]
fn rows(state: &State, action: Action) -> Option<isize> {
    let page = isize::try_from(page(state)).unwrap_or(isize::MAX).max(2);
    let rows = match action {
        Action::Up => -1,
        Action::Down => 1,
        Action::Top => isize::MIN / 2,
        Action::Bottom => isize::MAX / 2,
        Action::HalfUp => -page / 2,
        Action::HalfDown => page / 2,
        Action::PageUp => 1 - page,
        Action::PageDown => page - 1,
        _ => return None,
    };
    Some(rows)
}

/// Scrolls the request beside the list by half of what fits.
fn read(state: &mut State, onwards: bool) -> Outcome {
    let half = isize::try_from(state.approvals.room / 2).unwrap_or(1).max(1);
    state.approvals.scroll_by(if onwards { half } else { -half });
    Outcome::redraw()
}

#[expect(clippy::wildcard_enum_match_arm, reason = "where nothing scrolls, its size does not matter")]
fn page(state: &State) -> usize {
    match state.mode() {
        Mode::Reading | Mode::Approving => state.approvals.room,
        Mode::Watching => state.sessions.watching.as_ref().map_or(1, |watching| watching.room),
        Mode::Sessions => state.sessions.listing.height(),
        Mode::Replays => state.replays.listing.height(),
        Mode::Runs => state.runs.listing.height(),
        Mode::Timeline => state.runs.opened.as_ref().map_or(1, |opened| opened.room),
        Mode::Helping => usize::from(state.size.1 / 2),
        _ => state.approvals.listing.height(),
    }
}

fn scroll(state: &mut State, mode: Mode, rows: isize) -> Outcome {
    match mode {
        Mode::Reading | Mode::Approving => state.approvals.scroll_by(rows),
        Mode::Approvals => state.approvals.listing.move_by(rows),
        Mode::Sessions => state.sessions.listing.move_by(rows),
        Mode::Replays => state.replays.listing.move_by(rows),
        Mode::Runs => state.runs.listing.move_by(rows),
        Mode::Timeline => {
            if let Some(opened) = &mut state.runs.opened {
                opened.scroll_by(rows);
            }
        }
        Mode::Watching => {
            if let Some(watching) = &mut state.sessions.watching {
                watching.scroll_by(rows);
            }
        }
        Mode::Helping => {
            if let Overlay::Help { scrolled } = &mut state.overlay {
                *scrolled = scrolled.saturating_add_signed(rows).min(keys::BINDINGS.len());
            }
        }
        Mode::Killing | Mode::Playing | Mode::Health | Mode::Typing => return Outcome::nothing(),
    }
    Outcome::redraw()
}

fn open(state: &mut State) -> Outcome {
    match state.tab {
        Tab::Approvals => {
            let Some(id) = state.approvals.listing.selected().cloned() else { return Outcome::nothing() };
            state.approvals.zoomed = true;
            Outcome::effect(Effect::Look(id))
        }
        Tab::Sessions => sessions::watch(state),
        Tab::Replays => replays::open(state),
        Tab::Runs => runs::open(state),
        Tab::Health => Outcome::nothing(),
    }
}

fn back(state: &mut State) -> Outcome {
    match std::mem::replace(&mut state.overlay, Overlay::Nothing) {
        Overlay::Nothing => leave_page(state),
        Overlay::Prompt(prompt) => {
            match prompt.asking {
                Asking::Filter => set_filter(state, ""),
                Asking::Reason(armed) => state.overlay = Overlay::Approve(armed),
                Asking::Search | Asking::Command | Asking::Deny(_) | Asking::Shape(_) | Asking::Kill(_) => {}
            }
            Outcome::redraw()
        }
        Overlay::Approve(armed) => {
            state.say(Tone::Plain, format!("{} was not approved", armed.id));
            Outcome::redraw()
        }
        Overlay::Help { .. } | Overlay::Kill(_) => Outcome::redraw(),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "few modes can be left backwards")]
fn leave_page(state: &mut State) -> Outcome {
    match state.mode() {
        Mode::Reading => state.approvals.zoomed = false,
        Mode::Timeline => state.runs.opened = None,
        Mode::Watching => {
            state.sessions.watching = None;
            return Outcome::effect(Effect::StopWatching);
        }
        Mode::Approvals | Mode::Sessions => set_filter(state, ""),
        _ => return Outcome::nothing(),
    }
    Outcome::redraw()
}

fn submit(state: &mut State) -> Outcome {
    let Overlay::Prompt(prompt) = &state.overlay else { return Outcome::nothing() };
    let (asking, text) = (prompt.asking.clone(), prompt.text());
    match asking {
        Asking::Filter => {
            state.overlay = Overlay::Nothing;
            Outcome::redraw()
        }
        Asking::Search => replays::search(state, &text),
        Asking::Command => {
            state.overlay = Overlay::Nothing;
            command::run(state, &text)
        }
        Asking::Deny(id) => approvals::deny(state, id, text),
        Asking::Reason(armed) => approvals::reasoned(state, *armed, text),
        Asking::Shape(id) => approvals::shaped(state, &id, &text),
        Asking::Kill(session) => sessions::reasoned(state, session, text),
    }
}

fn break_line(state: &mut State) -> Outcome {
    let Overlay::Prompt(prompt) = &mut state.overlay else { return Outcome::nothing() };
    prompt.break_line();
    Outcome::redraw()
}

fn ask(state: &mut State, asking: Asking, text: &str) -> Outcome {
    state.overlay = Overlay::Prompt(Box::new(Prompt::new(asking, text)));
    Outcome::redraw()
}

/// The help over what the keys mean now.
pub(super) fn help(state: &mut State) -> Outcome {
    state.overlay = Overlay::Help { scrolled: 0 };
    Outcome::redraw()
}

fn again(state: &mut State) -> Outcome {
    if state.tab == Tab::Health {
        state.health.asked_at_millis = Some(state.now_millis);
        return Outcome::effect(Effect::AskHealth);
    }
    if state.tab == Tab::Replays {
        let text = state.replays.search.clone();
        return replays::search(state, &text);
    }
    if state.tab == Tab::Runs {
        return match &state.runs.opened {
            Some(opened) => {
                state.runs.fetching = Some(opened.id.clone());
                Outcome::effect(Effect::FetchRun(opened.id.clone()))
            }
            None => runs::ask(state),
        };
    }
    Outcome::effect(Effect::List)
}

fn copy(state: &mut State, statement: bool) -> Outcome {
    let text = match state.tab {
        Tab::Approvals => state.approvals.listing.selection().map(|request| {
            // What is pasted elsewhere has no escape sequences in it either.
            let text = if statement { request.item.text.clone() } else { request.item.id.to_string() };
            crate::output::printable(&text)
        }),
        Tab::Sessions => state.sessions.listing.selected().map(ToString::to_string),
        Tab::Replays => state.replays.listing.selected().map(ToString::to_string),
        Tab::Runs => state.runs.listing.selected().map(ToString::to_string),
        Tab::Health => None,
    };
    match text {
        Some(text) if text.len() > MOST_COPIED_BYTES => {
            state.say(Tone::Bad, "it is too long for the clipboard of a terminal");
            Outcome::redraw()
        }
        Some(text) => Outcome::effect(Effect::Copy(text)),
        None => Outcome::nothing(),
    }
}

fn filter(state: &State) -> String {
    match state.tab {
        Tab::Approvals => state.approvals.listing.filter().to_owned(),
        Tab::Sessions => state.sessions.listing.filter().to_owned(),
        Tab::Replays | Tab::Runs | Tab::Health => String::new(),
    }
}

fn filter_as_typed(state: &mut State) {
    let Overlay::Prompt(prompt) = &state.overlay else { return };
    if matches!(prompt.asking, Asking::Filter) {
        let text = prompt.text();
        set_filter(state, &text);
    }
}

fn set_filter(state: &mut State, text: &str) {
    match state.tab {
        Tab::Approvals => state.approvals.listing.set_filter(text),
        Tab::Sessions => state.sessions.listing.set_filter(text),
        Tab::Replays | Tab::Runs | Tab::Health => {}
    }
}
