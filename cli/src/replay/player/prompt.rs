//! A line that is typed into the player: what to search, or where to go. Pure.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::output::is_shown_as_it_is;

/// What a prompt asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PromptKind {
    /// What to search.
    Search,
    /// Where to go.
    Jump,
}

/// A prompt and what was typed so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prompt {
    pub(crate) kind: PromptKind,
    pub(crate) text: String,
}

/// What a key did to a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Typed {
    More,
    Done,
    Left,
    Interrupt,
}

/// Where to go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Place {
    At(Duration),
    /// A share of the whole, 0 to 1.
    Share(f64),
    Operation(u64),
}

/// A longer line is not typed.
const MAX_CHARACTERS: usize = 200;

impl Prompt {
    pub(super) const fn new(kind: PromptKind) -> Self {
        Self { kind, text: String::new() }
    }

    /// What stands before the text.
    pub(crate) const fn sign(&self) -> &'static str {
        match self.kind {
            PromptKind::Search => "/",
            PromptKind::Jump => ":",
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "most keys of a keyboard type nothing")]
    pub(super) fn press(&mut self, key: KeyEvent) -> Typed {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            match key.code {
                KeyCode::Char('c') => return Typed::Interrupt,
                KeyCode::Char('u') => self.text.clear(),
                _ => {}
            }
            return Typed::More;
        }
        match key.code {
            KeyCode::Enter => return Typed::Done,
            KeyCode::Esc => return Typed::Left,
            KeyCode::Backspace if self.text.pop().is_none() => return Typed::Left,
            KeyCode::Char(letter) if is_shown_as_it_is(letter) && self.text.chars().count() < MAX_CHARACTERS => {
                self.text.push(letter);
            }
            _ => {}
        }
        Typed::More
    }
}

/// Reads `50%`, `#12`, `1:02:03`, `1:23.5` or `90`.
pub(super) fn place(text: &str) -> Option<Place> {
    let text = text.trim();
    if let Some(number) = text.strip_prefix('#') {
        return number.trim().parse().ok().map(Place::Operation);
    }
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| (0.0..1e9).contains(number));
    if let Some(share) = text.strip_suffix('%') {
        return number(share).map(|share| Place::Share(share.min(100.0) / 100.0));
    }
    let mut seconds = 0.0;
    for part in text.split(':') {
        seconds = seconds * 60.0 + number(part)?;
    }
    Duration::try_from_secs_f64(seconds).ok().map(Place::At)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_times_shares_and_operations() {
        assert_eq!(place("1:23.5"), Some(Place::At(Duration::from_millis(83_500))));
        assert_eq!(place(" 90 "), Some(Place::At(Duration::from_secs(90))));
        assert_eq!(place("1:02:03"), Some(Place::At(Duration::from_secs(3723))));
        assert_eq!(place("50%"), Some(Place::Share(0.5)));
        assert_eq!(place("#12"), Some(Place::Operation(12)));
        for nonsense in ["", "x", "-3", "NaN", "inf", "1:", "#", "%", "1e300"] {
            assert_eq!(place(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_prompt_takes_letters_and_nothing_that_acts() {
        let mut prompt = Prompt::new(PromptKind::Search);
        for letter in ['a', '\u{202e}', '\u{1b}', 'é'] {
            prompt.press(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::NONE));
        }
        assert_eq!(prompt.text, "aé");
        assert_eq!(prompt.press(KeyEvent::new(KeyCode::Backspace, KeyModifiers::NONE)), Typed::More);
        assert_eq!(prompt.text, "a");
        prompt.press(KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL));
        assert_eq!(prompt.press(KeyEvent::new(KeyCode::Backspace, KeyModifiers::NONE)), Typed::Left);
        assert_eq!(prompt.press(KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE)), Typed::Done);
    }
}
