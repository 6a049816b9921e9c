//! Which key means what, and how the help says it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{Direction, Message, PromptKind};
use crate::replay::script::Mark;

/// The keys and what they do, as the help lists them.
pub(crate) const HELP: [(&str, &str); 14] = [
    ("space", "play or pause"),
    ("left right", "5 s back or on; with shift 60 s"),
    ("up down j k", "operation before or behind"),
    ("0 .. 9", "to so many tenths"),
    ("g G", "to the beginning, to the end"),
    (":", "go to 1:23, 90, 50% or #12"),
    ("r R", "refused: next, previous"),
    ("h H", "held: next, previous"),
    ("m M", "masked: next, previous"),
    ("/ n N", "search, next, previous"),
    ("+ - < >", "faster, slower"),
    ("pgup pgdn", "scroll the operation"),
    ("y", "copy the statement"),
    ("? esc q", "these keys; back; leave"),
];

/// How far a key goes.
const SECONDS: i64 = 5;
const FAR_SECONDS: i64 = 60;
const PAGE: isize = 10;

/// What a key means in the player; `None` for one that means nothing.
#[expect(clippy::wildcard_enum_match_arm, reason = "most keys of a keyboard mean nothing here")]
pub(super) fn meaning(key: KeyEvent, searching: bool) -> Option<Message> {
    use Direction::{Next, Previous};
    let far = key.modifiers.contains(KeyModifiers::SHIFT);
    let seconds = if far { FAR_SECONDS } else { SECONDS };
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => Some(Message::Interrupt),
            KeyCode::Char('z') => Some(Message::Suspend),
            KeyCode::Char('d' | 'f') => Some(Message::Scroll(PAGE)),
            KeyCode::Char('u' | 'b') => Some(Message::Scroll(-PAGE)),
            _ => None,
        };
    }
    Some(match key.code {
        KeyCode::Char('q') => Message::Quit,
        KeyCode::Esc => Message::Back,
        KeyCode::Char('?') => Message::Help,
        KeyCode::Char(' ') => Message::Toggle,
        KeyCode::Right => Message::By(seconds),
        KeyCode::Left => Message::By(-seconds),
        KeyCode::Home | KeyCode::Char('g') => Message::Share(0),
        KeyCode::End | KeyCode::Char('G') => Message::Share(100),
        KeyCode::Char(digit @ '0'..='9') => {
            let tenths = digit.to_digit(10).and_then(|digit| u8::try_from(digit).ok()).unwrap_or(0);
            Message::Share(tenths * 10)
        }
        KeyCode::Char(':') => Message::Ask(PromptKind::Jump),
        KeyCode::Char('/') => Message::Ask(PromptKind::Search),
        KeyCode::Char('n') if searching => Message::Found(Next),
        KeyCode::Char('N') if searching => Message::Found(Previous),
        KeyCode::Char('n' | 'j') | KeyCode::Down => Message::Operation(Next),
        KeyCode::Char('N' | 'p' | 'k') | KeyCode::Up => Message::Operation(Previous),
        KeyCode::Char('r') => Message::Mark(Mark::Refused, Next),
        KeyCode::Char('R') => Message::Mark(Mark::Refused, Previous),
        KeyCode::Char('h') => Message::Mark(Mark::Held, Next),
        KeyCode::Char('H') => Message::Mark(Mark::Held, Previous),
        KeyCode::Char('m') => Message::Mark(Mark::Masked, Next),
        KeyCode::Char('M') => Message::Mark(Mark::Masked, Previous),
        KeyCode::Char('+' | '=' | '>' | '.') => Message::Faster,
        KeyCode::Char('-' | '<' | ',') => Message::Slower,
        KeyCode::PageDown => Message::Scroll(PAGE),
        KeyCode::PageUp => Message::Scroll(-PAGE),
        KeyCode::Char('y') => Message::Copy,
        _ => return None,
    })
}

/// Whether a key ends everything, whatever is open.
pub(super) fn interrupts(key: KeyEvent) -> bool {
    key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL)
}
