//! The one table of keys: what is pressed is looked up in it, and the help and the hints are printed from it. Pure.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Action {
    Up,
    Down,
    Top,
    Bottom,
    HalfUp,
    HalfDown,
    PageUp,
    PageDown,
    ReadUp,
    ReadDown,
    Open,
    Back,
    Submit,
    NewLine,
    Approve,
    ApproveShape,
    Deny,
    Confirm,
    Reason,
    Kill,
    CopyId,
    CopyText,
    Again,
    NextTab,
    PreviousTab,
    FirstTab,
    SecondTab,
    ThirdTab,
    FourthTab,
    FifthTab,
    Filter,
    Search,
    Command,
    Help,
    Suspend,
    Quit,
    Interrupt,
}

/// What the keys mean at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mode {
    /// The list of approvals.
    Approvals,
    /// One request over the whole screen.
    Reading,
    /// A request is about to be approved.
    Approving,
    /// The list of sessions.
    Sessions,
    /// One session as it runs.
    Watching,
    /// A session is about to be killed.
    Killing,
    /// Old sessions.
    Replays,
    /// An old session is played: the player takes the keys.
    Playing,
    /// Runs.
    Runs,
    /// One run, from its beginning on.
    Timeline,
    /// Health.
    Health,
    /// A line is typed.
    Typing,
    /// The help.
    Helping,
}

/// A key with its modifiers; shift is part of the letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chord {
    Plain(KeyCode),
    Control(char),
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Binding {
    pub(crate) chords: &'static [Chord],
    pub(crate) action: Action,
    pub(crate) modes: &'static [Mode],
    /// What the help says.
    pub(crate) says: &'static str,
    /// One word for the bottom line, where there is room for few.
    pub(crate) hint: Option<&'static str>,
}

impl Mode {
    /// All of them.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 13] = [
        Self::Approvals,
        Self::Reading,
        Self::Approving,
        Self::Sessions,
        Self::Watching,
        Self::Killing,
        Self::Replays,
        Self::Playing,
        Self::Runs,
        Self::Timeline,
        Self::Health,
        Self::Typing,
        Self::Helping,
    ];
}

const LISTS: &[Mode] = &[Mode::Approvals, Mode::Sessions, Mode::Replays, Mode::Runs];
const FILTERED: &[Mode] = &[Mode::Approvals, Mode::Sessions];
const SCROLLED: &[Mode] = &[
    Mode::Approvals,
    Mode::Reading,
    Mode::Approving,
    Mode::Sessions,
    Mode::Watching,
    Mode::Replays,
    Mode::Runs,
    Mode::Timeline,
    Mode::Helping,
];
const PAGES: &[Mode] = &[
    Mode::Approvals,
    Mode::Reading,
    Mode::Sessions,
    Mode::Watching,
    Mode::Replays,
    Mode::Runs,
    Mode::Timeline,
    Mode::Health,
];
const TABS: &[Mode] = PAGES;
const REQUEST: &[Mode] = &[Mode::Approvals, Mode::Reading];
const EVERYWHERE_BUT_TYPING: &[Mode] = &[
    Mode::Approvals,
    Mode::Reading,
    Mode::Approving,
    Mode::Sessions,
    Mode::Watching,
    Mode::Killing,
    Mode::Replays,
    Mode::Runs,
    Mode::Timeline,
    Mode::Health,
    Mode::Helping,
];

const fn letter(letter: char) -> Chord {
    Chord::Plain(KeyCode::Char(letter))
}

macro_rules! binding {
    ($chords:expr, $action:ident, $modes:expr, $says:literal) => {
        Binding { chords: &$chords, action: Action::$action, modes: $modes, says: $says, hint: None }
    };
    ($chords:expr, $action:ident, $modes:expr, $says:literal, $hint:literal) => {
        Binding { chords: &$chords, action: Action::$action, modes: $modes, says: $says, hint: Some($hint) }
    };
}

/// Every binding, in the order of the help.
pub(crate) const BINDINGS: &[Binding] = &[
    binding!([letter('y')], Confirm, &[Mode::Approving], "approve, once the whole statement was on screen", "approve"),
    binding!([letter('y')], Confirm, &[Mode::Killing], "kill the session", "kill"),
    binding!([letter('r')], Reason, &[Mode::Approving], "add a reason", "reason"),
    binding!(
        [letter('a')],
        Approve,
        REQUEST,
        "approve: shows the whole request, then asks for a second key",
        "approve"
    ),
    binding!([letter('d')], Deny, REQUEST, "deny: asks for the reason", "deny"),
    binding!([letter('S')], ApproveShape, REQUEST, "approve this shape of statement for a time, where policy allows"),
    binding!([Chord::Plain(KeyCode::Enter), letter('l'), Chord::Plain(KeyCode::Right)], Open, LISTS, "open", "open"),
    binding!([letter('x')], Kill, &[Mode::Sessions, Mode::Watching], "kill the session: asks why, then again", "kill"),
    binding!([letter('j'), Chord::Plain(KeyCode::Down)], Down, SCROLLED, "down"),
    binding!([letter('k'), Chord::Plain(KeyCode::Up)], Up, SCROLLED, "up"),
    binding!([letter('g'), Chord::Plain(KeyCode::Home)], Top, SCROLLED, "to the top"),
    binding!([letter('G'), Chord::Plain(KeyCode::End)], Bottom, SCROLLED, "to the end"),
    binding!([Chord::Control('d')], HalfDown, SCROLLED, "half a page down"),
    binding!([Chord::Control('u')], HalfUp, SCROLLED, "half a page up"),
    binding!([Chord::Plain(KeyCode::PageDown), Chord::Control('f')], PageDown, SCROLLED, "a page down"),
    binding!([Chord::Plain(KeyCode::PageUp), Chord::Control('b')], PageUp, SCROLLED, "a page up"),
    binding!([letter(' '), letter('J')], ReadDown, &[Mode::Approvals], "scroll the request down", "read on"),
    binding!([letter(' ')], PageDown, &[Mode::Reading, Mode::Approving], "read on"),
    binding!([letter('K')], ReadUp, &[Mode::Approvals], "scroll the request up"),
    binding!(
        [letter('y')],
        CopyId,
        &[Mode::Approvals, Mode::Reading, Mode::Sessions, Mode::Watching, Mode::Replays, Mode::Runs, Mode::Timeline],
        "copy the id"
    ),
    binding!([letter('Y')], CopyText, REQUEST, "copy the statement"),
    binding!([letter('R')], Again, PAGES, "ask the gateway again"),
    binding!([letter('/')], Filter, FILTERED, "filter the list", "filter"),
    binding!(
        [letter('/')],
        Search,
        &[Mode::Replays],
        "search: who:ann on:pg-prod refused held masked since:7d until:1h, and what was said",
        "search"
    ),
    binding!(
        [letter(':')],
        Command,
        PAGES,
        "a command: approvals, sessions, replays, runs, health, theme, ring, help, q"
    ),
    binding!([Chord::Plain(KeyCode::Tab)], NextTab, TABS, "next tab"),
    binding!([Chord::Plain(KeyCode::BackTab)], PreviousTab, TABS, "previous tab"),
    binding!([letter('1')], FirstTab, TABS, "approvals"),
    binding!([letter('2')], SecondTab, TABS, "sessions"),
    binding!([letter('3')], ThirdTab, TABS, "replays"),
    binding!([letter('4')], FourthTab, TABS, "runs"),
    binding!([letter('5')], FifthTab, TABS, "health"),
    binding!([Chord::Plain(KeyCode::Enter)], Submit, &[Mode::Typing], "done", "done"),
    binding!([Chord::Control('j')], NewLine, &[Mode::Typing], "a new line"),
    binding!(
        [Chord::Plain(KeyCode::Esc), letter('q'), letter('h'), Chord::Plain(KeyCode::Left)],
        Back,
        &[Mode::Reading, Mode::Watching, Mode::Timeline],
        "back",
        "back"
    ),
    binding!(
        [Chord::Plain(KeyCode::Esc), letter('q'), letter('n')],
        Back,
        &[Mode::Approving, Mode::Killing],
        "leave it",
        "leave it"
    ),
    binding!([Chord::Plain(KeyCode::Esc), Chord::Control('c')], Back, &[Mode::Typing], "leave it", "leave it"),
    binding!([Chord::Plain(KeyCode::Esc), letter('q'), letter('?')], Back, &[Mode::Helping], "close the help", "close"),
    binding!([Chord::Plain(KeyCode::Esc)], Back, FILTERED, "drop the filter"),
    binding!([letter('?')], Help, PAGES, "this help", "help"),
    binding!([Chord::Control('z')], Suspend, EVERYWHERE_BUT_TYPING, "suspend; `fg` comes back"),
    binding!(
        [letter('q')],
        Quit,
        &[Mode::Approvals, Mode::Sessions, Mode::Replays, Mode::Runs, Mode::Health],
        "quit",
        "quit"
    ),
    binding!([Chord::Control('c')], Interrupt, EVERYWHERE_BUT_TYPING, "quit at once"),
];

/// What a key does in a mode, if anything.
pub(crate) fn action(mode: Mode, key: KeyEvent) -> Option<Action> {
    let pressed = chord(key)?;
    let mut here = live(mode);
    here.find(|binding| binding.chords.contains(&pressed)).map(|binding| binding.action)
}

/// The bindings of a mode.
pub(crate) fn live(mode: Mode) -> impl Iterator<Item = &'static Binding> {
    BINDINGS.iter().filter(move |binding| binding.modes.contains(&mode))
}

/// A key as the table knows it. Other modifiers are other keys, which mean nothing.
#[expect(clippy::wildcard_enum_match_arm, reason = "most keys of a keyboard mean nothing here")]
fn chord(key: KeyEvent) -> Option<Chord> {
    let held = key.modifiers - KeyModifiers::SHIFT;
    match key.code {
        KeyCode::Char(letter) if held == KeyModifiers::CONTROL => Some(Chord::Control(letter.to_ascii_lowercase())),
        // Some terminals say tab with shift, some say that it is another key.
        KeyCode::Tab if key.modifiers.contains(KeyModifiers::SHIFT) => Some(Chord::Plain(KeyCode::BackTab)),
        code if held.is_empty() => Some(Chord::Plain(code)),
        _ => None,
    }
}

impl Binding {
    /// Its keys as they are printed.
    pub(crate) fn keys(&self) -> String {
        self.chords.iter().map(|chord| chord.name()).collect::<Vec<_>>().join(" ")
    }
}

impl Chord {
    /// How it is printed.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Control(letter) => format!("ctrl-{letter}"),
            Self::Plain(KeyCode::Char(' ')) => "space".to_owned(),
            Self::Plain(KeyCode::Char(letter)) => letter.to_string(),
            Self::Plain(KeyCode::BackTab) => "shift-tab".to_owned(),
            Self::Plain(KeyCode::PageDown) => "pgdn".to_owned(),
            Self::Plain(KeyCode::PageUp) => "pgup".to_owned(),
            Self::Plain(code) => code.to_string().to_lowercase(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn press(mode: Mode, code: KeyCode, modifiers: KeyModifiers) -> Option<Action> {
        action(mode, KeyEvent::new(code, modifiers))
    }

    #[test]
    fn no_key_means_two_things_at_once() {
        for mode in Mode::ALL {
            let mut names = BTreeSet::new();
            for name in live(mode).flat_map(|binding| binding.chords).map(|chord| chord.name()) {
                assert!(names.insert(name.clone()), "{name} in {mode:?}");
            }
        }
    }

    #[test]
    fn every_mode_can_be_left_and_says_how() {
        // The player has keys of its own, and its own line of hints.
        for mode in Mode::ALL.into_iter().filter(|mode| *mode != Mode::Playing) {
            let leaves = |binding: &Binding| matches!(binding.action, Action::Back | Action::Quit);
            assert!(live(mode).any(|binding| leaves(binding) && binding.hint.is_some()), "{mode:?}");
        }
    }

    #[test]
    fn a_decision_is_never_one_key_and_never_the_same_key_twice() {
        let first = press(Mode::Approvals, KeyCode::Char('a'), KeyModifiers::NONE);
        assert_eq!(first, Some(Action::Approve));
        assert_eq!(press(Mode::Approving, KeyCode::Char('a'), KeyModifiers::NONE), None);
        assert_eq!(press(Mode::Approving, KeyCode::Enter, KeyModifiers::NONE), None);
        assert_eq!(press(Mode::Approving, KeyCode::Char('y'), KeyModifiers::NONE), Some(Action::Confirm));
    }

    #[test]
    fn modifiers_make_another_key() {
        assert_eq!(press(Mode::Approvals, KeyCode::Char('d'), KeyModifiers::CONTROL), Some(Action::HalfDown));
        assert_eq!(press(Mode::Approvals, KeyCode::Char('a'), KeyModifiers::ALT), None);
        assert_eq!(press(Mode::Approvals, KeyCode::Char('G'), KeyModifiers::SHIFT), Some(Action::Bottom));
        assert_eq!(press(Mode::Runs, KeyCode::Tab, KeyModifiers::SHIFT), Some(Action::PreviousTab));
    }

    #[test]
    fn letters_are_text_while_a_line_is_typed() {
        for letter in ('a'..='z').chain('A'..='Z').chain(['?', ':', '/', ' ']) {
            assert_eq!(press(Mode::Typing, KeyCode::Char(letter), KeyModifiers::NONE), None);
        }
    }
}
