//! The command line that stands on a terminal when Enter is pressed, read from an emulated screen. **Advisory**: what
//! edits the line on the machine (readline, `stty`, an editor that starts a shell) can show one thing and run another.
//!
//! Where the shell marks its prompts (OSC 133) the line begins there, else where typing began, behind a prompt. Pure:
//! the machine's output and the client's keys go in. What is typed and not shown (a password) never comes out.

mod keys;

use std::panic::{AssertUnwindSafe, catch_unwind};

use avt::{
    Anchor, Observation, Observer, Operation, Position, ScreenKind, Terminal,
    parser::{Function, Osc, ShellIntegration},
};

use self::keys::Keys;

/// A larger screen is not emulated.
const MOST_COLUMNS: usize = 512;
const MOST_ROWS: usize = 256;
/// Longer lines are not read: they are not understood either.
const MOST_LINE: usize = crate::shell::MAX_TEXT_BYTES;

/// What stands there when Enter is pressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// No command line: a program has the screen, or asks for something.
    Foreign,
    /// Nothing was typed, and nothing stands there.
    Empty,
    /// These lines, each as it may be read: what the screen shows, and what was typed where that differs.
    Lines(Vec<String>),
    /// Something was typed that the screen does not show.
    Hidden,
}

/// One terminal, and what is typed into it.
#[derive(Debug)]
pub struct LineReader {
    screen: Option<Screen>,
    keys: Keys,
    /// Bytes of a letter that has not ended.
    rest: Vec<u8>,
}

struct Screen {
    terminal: Terminal,
    marks: Marks,
    /// Where typing began.
    begun: Option<Anchor>,
    /// The last prompt behind which a line was read.
    prompt: String,
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Screen").finish_non_exhaustive()
    }
}

/// What the shell says of its prompt.
#[derive(Default)]
struct Marks {
    line: Option<Anchor>,
}

impl Observer for Marks {
    type Output = ();

    fn after(&mut self, context: &mut Observation<'_>, operation: &Operation) {
        match operation {
            Operation::Function(Function::Osc(Osc::ShellIntegration(mark))) => {
                self.line = match mark {
                    ShellIntegration::CommandStart => Some(context.anchor_at_cursor()),
                    ShellIntegration::PromptStart
                    | ShellIntegration::CommandExecuted
                    | ShellIntegration::CommandFinished { .. } => None,
                };
            }
            Operation::Function(_) | Operation::Resize { .. } => {}
        }
    }

    fn end(&mut self, _context: &mut Observation<'_>) {}
}

impl LineReader {
    /// A terminal of that size, on which nothing was written.
    pub fn new(columns: u32, rows: u32) -> Self {
        let (columns, rows) = size(columns, rows);
        let screen = Terminal::new(columns, rows).ok().map(|terminal| {
            let (marks, prompt) = (Marks::default(), String::new());
            Screen { terminal, marks, begun: None, prompt }
        });
        Self { screen, keys: Keys::default(), rest: Vec::new() }
    }

    /// The machine wrote this.
    pub fn output(&mut self, bytes: &[u8]) {
        self.keys.paste_is_marked(bytes);
        self.rest.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&self.rest) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Ok(_) | Err(_) => self.rest.len(),
        };
        let ready: Vec<u8> = self.rest.drain(..whole).collect();
        let text = String::from_utf8_lossy(&ready);
        self.guarded(|screen| {
            let Screen { terminal, marks, .. } = screen;
            terminal.feed_with(&*text, marks);
        });
    }

    /// The terminal has another size.
    pub fn resize(&mut self, columns: u32, rows: u32) {
        let (columns, rows) = size(columns, rows);
        self.guarded(|screen| screen.terminal.resize(columns, rows));
    }

    // FAIL-CLOSED: an emulator that fails reads nothing any more, and then every line is one that is not shown.
    fn guarded<T>(&mut self, does: impl FnOnce(&mut Screen) -> T) -> Option<T> {
        let mut screen = self.screen.take()?;
        let result = catch_unwind(AssertUnwindSafe(|| does(&mut screen))).ok()?;
        self.screen = Some(screen);
        Some(result)
    }

    /// Takes what was typed, up to an Enter that runs something; gives how many bytes are before it.
    pub fn typed(&mut self, bytes: &[u8]) -> (usize, Option<u8>) {
        let foreign = self.screen.as_ref().is_some_and(Screen::is_foreign);
        if foreign {
            self.keys.forget();
            return (bytes.len(), None);
        }
        if self.keys.is_fresh() {
            self.guarded(Screen::begin);
        }
        self.keys.take(bytes)
    }

    /// The line went, or was cleared: what is typed from here on is another one.
    pub fn entered(&mut self) {
        self.keys.forget();
        if let Some(screen) = &mut self.screen {
            screen.begun = None;
        }
    }

    /// Whether all that was typed stands on the screen, and nothing else: nothing has to be waited for.
    pub fn shows_all(&mut self) -> bool {
        let Some(typed) = self.keys.plain().map(str::to_owned) else { return false };
        match self.guarded(Screen::line) {
            Some(Shown::Line(shown)) => is_same(&shown, &typed),
            Some(Shown::Foreign) => true,
            Some(Shown::Nothing) => typed.is_empty(),
            None => false,
        }
    }

    /// Whether letters that were typed are not on the screen yet.
    pub fn lacks_letters(&mut self) -> bool {
        let Some(typed) = self.keys.plain().map(|typed| typed.trim().to_owned()) else { return false };
        match self.guarded(Screen::line) {
            Some(Shown::Line(shown)) => !shown.contains(&typed),
            Some(Shown::Nothing) => !typed.is_empty(),
            Some(Shown::Foreign) | None => false,
        }
    }

    /// Whether nothing stands behind the prompt.
    pub fn is_clear(&mut self) -> bool {
        matches!(self.guarded(Screen::line), Some(Shown::Nothing))
    }

    /// What stands there now.
    pub fn read(&mut self) -> Reading {
        let typed = self.keys.plain().map(|typed| typed.trim().to_owned());
        let Some(shown) = self.guarded(Screen::line) else { return Reading::Hidden };
        let shown = match shown {
            Shown::Foreign => return Reading::Foreign,
            Shown::Nothing => String::new(),
            Shown::Line(line) => line,
        };
        match typed {
            Some(typed) if typed.is_empty() && shown.is_empty() => Reading::Empty,
            Some(typed) if is_same(&shown, &typed) => Reading::Lines(vec![typed]),
            Some(typed) if !typed.is_empty() && shown.is_empty() => Reading::Hidden,
            // More is shown than was typed, or not all of it yet: either may run. What is not shown is not kept.
            Some(typed) if !typed.is_empty() && (shown.contains(&typed) || typed.starts_with(&shown)) => {
                Reading::Lines(vec![shown, typed])
            }
            None if shown.is_empty() && self.keys.has_letters() => Reading::Hidden,
            None if shown.is_empty() => Reading::Empty,
            Some(_) | None => Reading::Lines(vec![shown]),
        }
    }

    /// The prompt behind which the line stands.
    pub fn prompt(&self) -> &str {
        self.screen.as_ref().map_or("", |screen| screen.prompt.as_str())
    }
}

enum Shown {
    Foreign,
    Nothing,
    Line(String),
}

impl Screen {
    fn is_foreign(&self) -> bool {
        self.terminal.active_screen_kind() == ScreenKind::Alternate
    }

    /// Typing begins here.
    fn begin(&mut self) {
        let place = self.terminal.cursor_position();
        let (before, _) = self.around(&place);
        if is_prompt(&before) {
            self.prompt = before;
        }
        self.begun = Some(self.terminal.anchor_at_cursor());
    }

    /// The line, right of where it begins.
    fn line(&mut self) -> Shown {
        if self.is_foreign() {
            return Shown::Foreign;
        }
        let marked = self.marks.line.as_ref().and_then(|anchor| self.terminal.resolve(anchor));
        if let Some(place) = marked {
            let (before, line) = self.around(&place);
            self.prompt = before;
            return shown(line);
        }
        let Some(place) = self.begun.as_ref().and_then(|anchor| self.terminal.resolve(anchor)) else {
            // The place was erased: the prompt was written anew, or the line was emptied.
            let (before, line) = self.around(&Position { col: 0, ..self.terminal.cursor_position() });
            let both = format!("{before}{line}");
            let prompt = self.prompt.trim_end();
            if both.trim_end() == prompt {
                return Shown::Nothing;
            }
            return self.behind(&both).map_or_else(|| shown(both), shown);
        };
        let (before, line) = self.around(&place);
        if before.trim().is_empty() {
            // FAIL-CLOSED: a shell may have no prompt.
            return self.behind(&line).map_or_else(|| shown(line), shown);
        }
        if is_prompt(&before) {
            self.prompt = before;
            return shown(line);
        }
        let both = format!("{before}{line}");
        // Typing began before the prompt was there, or the prompt was written anew.
        self.behind(&both).map_or(Shown::Foreign, shown)
    }

    /// What stands behind a prompt that stands in the line itself.
    fn behind(&mut self, line: &str) -> Option<String> {
        if let Some((_, found)) = line.split_once("-search)`") {
            return found.split_once("': ").map(|(_, found)| found.trim().to_owned());
        }
        if !self.prompt.is_empty()
            && let Some(rest) = line.strip_prefix(self.prompt.as_str())
        {
            return Some(rest.trim().to_owned());
        }
        let end = line.char_indices().find_map(|(index, _)| {
            let (before, rest) = line.split_at_checked(index)?;
            (rest.starts_with(' ') && is_prompt(before)).then_some(index + 1)
        })?;
        let (before, rest) = line.split_at_checked(end)?;
        before.clone_into(&mut self.prompt);
        Some(rest.trim().to_owned())
    }

    /// What stands in the row before that place, and from there to the cursor and where its row ends.
    fn around(&self, place: &Position) -> (String, String) {
        let screen = self.terminal.screen();
        let wraps = |row: usize| screen.line(row).is_some_and(avt::Line::is_wrapped);
        let row = usize::try_from(place.row).unwrap_or(0);
        let mut first = row;
        while first > 0 && wraps(first - 1) {
            first -= 1;
        }
        let mut last = self.terminal.cursor_position().row.max(place.row).try_into().unwrap_or(row);
        while wraps(last) {
            last += 1;
        }
        let (mut before, mut line) = (String::new(), String::new());
        for index in first..=last {
            let Some(cells) = screen.line(index).map(avt::Line::cells) else { break };
            for (column, cell) in cells.iter().enumerate().filter(|(_, cell)| cell.width() > 0) {
                let earlier = index < row || (index == row && column < place.col);
                if earlier { &mut before } else { &mut line }.push(cell.char());
            }
            if index >= row && !wraps(index) {
                line.truncate(line.trim_end_matches(' ').len());
                line.push('\n');
            }
            if line.len() > MOST_LINE {
                break;
            }
        }
        (before, line.trim().to_owned())
    }
}

fn shown(line: String) -> Shown {
    if line.is_empty() { Shown::Nothing } else { Shown::Line(line) }
}

/// Whether a shell asks with it: it ends as prompts of shells do, and not as those of databases and interpreters.
fn is_prompt(before: &str) -> bool {
    let before = before.trim_end();
    let mut letters = before.chars().rev();
    let (last, other) = (letters.next(), letters.next());
    let ends = last.is_some_and(|last| matches!(last, '$' | '#' | '%' | '❯' | '➜' | 'λ' | '»'));
    ends && !other
        .is_some_and(|other| matches!(other, '=' | '-' | '(' | '\'' | '"' | '^' | '!' | '*') && last == Some('#'))
}

/// Whether the screen shows what was typed, with nothing else but what stands at the right edge.
fn is_same(shown: &str, typed: &str) -> bool {
    let typed = typed.trim();
    shown.strip_prefix(typed).is_some_and(|rest| rest.is_empty() || (!typed.is_empty() && rest.starts_with("    ")))
}

fn size(columns: u32, rows: u32) -> (usize, usize) {
    let bounded = |size: u32, most: usize| usize::try_from(size).unwrap_or(most).clamp(1, most);
    (bounded(columns, MOST_COLUMNS), bounded(rows, MOST_ROWS))
}

#[cfg(test)]
mod tests;
