//! A line that is being typed: what it is for, and the editor. Nothing that a terminal acts on gets into it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use hoop_gateway_core::model::{ApprovalId, SessionId};
use ratatui_textarea::{CursorMove, TextArea, WrapMode};

use super::Armed;
use crate::output::{printable, printable_line};

/// What a line is typed for.
#[derive(Debug, Clone)]
pub(crate) enum Asking {
    /// To filter the list of the page.
    Filter,
    /// To search old sessions.
    Search,
    /// A command.
    Command,
    /// Why a request is denied.
    Deny(ApprovalId),
    /// Why it is approved.
    Reason(Box<Armed>),
    /// For how long a shape is approved.
    Shape(ApprovalId),
    /// Why a session is killed.
    Kill(SessionId),
}

/// The line.
#[derive(Debug, Clone)]
pub(crate) struct Prompt {
    /// What for.
    pub(crate) asking: Asking,
    /// The editor.
    pub(crate) area: TextArea<'static>,
}

/// No reason is longer; the gateway takes none that is.
const MOST_CHARACTERS: usize = 2_000;

impl Prompt {
    /// A prompt that begins with some text.
    pub(crate) fn new(asking: Asking, text: &str) -> Self {
        let mut area = TextArea::new(printable(text).lines().map(str::to_owned).collect());
        area.set_wrap_mode(WrapMode::WordOrGlyph);
        area.set_cursor_line_style(ratatui::style::Style::new());
        area.move_cursor(CursorMove::End);
        Self { asking, area }
    }

    /// What was typed, without space around it.
    pub(crate) fn text(&self) -> String {
        self.area.lines().join("\n").trim().to_owned()
    }

    /// A key of the editor.
    #[expect(clippy::wildcard_enum_match_arm, reason = "most keys are the editor's own")]
    pub(crate) fn press(&mut self, key: KeyEvent) {
        match key.code {
            // As in a shell; the editor would undo.
            KeyCode::Char('u') if key.modifiers == KeyModifiers::CONTROL => {
                self.area.delete_line_by_head();
            }
            KeyCode::Char(letter) if printable_line(&letter.to_string()) != letter.to_string() => {}
            KeyCode::Char(_) if self.is_full() && key.modifiers != KeyModifiers::CONTROL => {}
            _ => {
                self.area.input(key);
            }
        }
    }

    /// Pasted text; on a line that is a line, newlines become visible.
    pub(crate) fn paste(&mut self, text: &str) {
        let room = MOST_CHARACTERS.saturating_sub(self.characters());
        let text: String = text.replace("\r\n", "\n").replace('\r', "\n").chars().take(room).collect();
        let safe = if self.takes_lines() { printable(&text).replace('\t', " ") } else { printable_line(&text) };
        self.area.insert_str(safe);
    }

    /// Breaks the line, where more than one makes sense.
    pub(crate) fn break_line(&mut self) {
        if self.takes_lines() && !self.is_full() {
            self.area.insert_newline();
        }
    }

    const fn takes_lines(&self) -> bool {
        matches!(self.asking, Asking::Deny(_) | Asking::Reason(_) | Asking::Kill(_))
    }

    fn is_full(&self) -> bool {
        self.characters() >= MOST_CHARACTERS
    }

    fn characters(&self) -> usize {
        self.area.lines().iter().map(|line| line.chars().count() + 1).sum()
    }
}
