//! One word of a command: the exact characters it stands for, or that nobody can say.
//!
//! Owns quoting, by the rules that sh, dash, bash, ksh and zsh share; where they part the word is [`Kind::Dynamic`]. It
//! reads the source of a word again, apart from the grammar, so that neither is believed alone.

/// What a word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Stands for exactly its text.
    Exact,
    /// Begins with a tilde that the shell replaces by a home directory.
    Home,
    /// Stands for what a pattern matches, or for itself.
    Glob,
    /// Depends on more than the text, or is read differently by different shells.
    Dynamic,
}

/// A word after quoting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// What it stands for; of a dynamic word, its source.
    pub(super) text: String,
    pub(super) kind: Kind,
}

/// Where the standard input of a command comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stdin {
    /// From the client.
    Inherited,
    /// From another command, a file, or a text that depends on more than itself.
    Elsewhere,
    /// From a text that stands in the command line.
    Text(String),
}

impl Word {
    /// A word that stands for itself.
    pub(super) fn exact(text: impl Into<String>) -> Self {
        Self { text: text.into(), kind: Kind::Exact }
    }

    /// What it stands for, where that is certain.
    pub(super) fn literal(&self) -> Option<&str> {
        (self.kind == Kind::Exact).then_some(self.text.as_str())
    }

    /// Whether it may turn out to begin with `-`, without being seen to.
    pub(super) fn may_be_option(&self) -> bool {
        match self.kind {
            Kind::Dynamic => true,
            Kind::Glob => self.text.starts_with(['*', '?', '[']),
            Kind::Exact | Kind::Home => false,
        }
    }
}

/// Reads the source of one word, which must be a word as a whole.
pub(super) fn read(source: &str) -> Word {
    let mut reader = Reader::default();
    match reader.run(source) {
        Some(()) => reader.finish(),
        None => Word { text: source.to_owned(), kind: Kind::Dynamic },
    }
}

/// Whether the inside of double quotes stands for itself, escapes aside.
pub(super) fn is_plain_inside(source: &str) -> bool {
    let mut reader = Reader::default();
    let mut rest = source.chars().peekable();
    reader.double_quoted(&mut rest, false).is_some()
}

type Characters<'a> = std::iter::Peekable<std::str::Chars<'a>>;

#[derive(Debug, Default)]
struct Reader {
    text: String,
    is_home: bool,
    has_pattern: bool,
    has_open_bracket: bool,
    quotes_pattern: bool,
    has_any: bool,
}

impl Reader {
    /// None where the word is dynamic.
    fn run(&mut self, source: &str) -> Option<()> {
        let mut rest = source.chars().peekable();
        while let Some(character) = rest.next() {
            match character {
                '\\' => self.escaped(rest.next()?),
                '\'' => self.single_quoted(&mut rest)?,
                '"' => self.double_quoted(&mut rest, true)?,
                '$' => dollar(rest.peek().copied(), false)?,
                '~' if !self.has_any => self.is_home = true,
                '~' if self.text.ends_with(['=', ':']) => return None,
                '*' | '?' => self.has_pattern = true,
                '[' => self.has_open_bracket = true,
                ']' if self.has_open_bracket => self.has_pattern = true,
                '{' | '}' if source == "{}" => {}
                '!' if matches!(source, "!" | "!=") => {}
                '=' if !self.has_any && source != "=" && source != "==" => return None,
                '`' | '{' | '}' | '!' | ';' | '&' | '|' | '<' | '>' | '(' | ')' | '#' | '^'
                    if character != '#' && character != '^' || !self.has_any =>
                {
                    return None;
                }
                ' ' | '\t' | '\n' => return None,
                _ => {}
            }
            if !matches!(character, '\\' | '\'' | '"') {
                self.text.push(character);
            }
            self.has_any = true;
        }
        Some(())
    }

    fn finish(self) -> Word {
        let is_glob = self.has_pattern || (self.has_open_bracket && self.text != "[");
        let mixes = self.quotes_pattern && is_glob;
        let user = self.text.split('/').next().unwrap_or_default().trim_start_matches('~');
        let is_odd_home =
            self.is_home && !user.chars().all(|one| one.is_ascii_alphanumeric() || matches!(one, '_' | '.'));
        let is_stack = self.is_home && user.starts_with(|one: char| one.is_ascii_digit());
        let kind = match () {
            () if mixes || is_odd_home || is_stack => Kind::Dynamic,
            () if is_glob => Kind::Glob,
            () if self.is_home => Kind::Home,
            () => Kind::Exact,
        };
        // A quoted tilde is a name, and must not be taken for a home later.
        let is_name = !self.is_home && self.text.starts_with('~');
        Word { text: if is_name { format!("./{}", self.text) } else { self.text }, kind }
    }

    fn escaped(&mut self, character: char) {
        if character != '\n' {
            self.quoted(character);
        }
    }

    fn quoted(&mut self, character: char) {
        self.quotes_pattern |= matches!(character, '*' | '?' | '[' | ']' | '\\');
        // `~'x'` is no home of anybody.
        self.is_home &= self.text.contains('/');
        self.text.push(character);
    }

    fn single_quoted(&mut self, rest: &mut Characters<'_>) -> Option<()> {
        let mut backslashes = 0_usize;
        self.unhome();
        loop {
            match rest.next()? {
                // fish takes the quote after a backslash for a character.
                '\'' if backslashes % 2 == 1 => return None,
                '\'' => return Some(()),
                character => {
                    backslashes = if character == '\\' { backslashes + 1 } else { 0 };
                    self.quoted(character);
                }
            }
        }
    }

    /// Up to the closing quote, or to the end where the quotes are not part of the source.
    fn double_quoted(&mut self, rest: &mut Characters<'_>, closes: bool) -> Option<()> {
        self.unhome();
        loop {
            let Some(character) = rest.next() else { return (!closes).then_some(()) };
            match character {
                '"' if closes => return Some(()),
                '"' | '`' => return None,
                '$' => {
                    dollar(rest.peek().copied(), true)?;
                    self.quoted('$');
                }
                '\\' => match rest.next()? {
                    '\n' => {}
                    escaped @ ('$' | '`' | '"' | '\\') => self.quoted(escaped),
                    other => {
                        self.quoted('\\');
                        self.quoted(other);
                    }
                },
                _ => self.quoted(character),
            }
        }
    }

    /// Quotes right after a tilde make it a name.
    fn unhome(&mut self) {
        if self.is_home && !self.text.contains('/') {
            self.is_home = false;
        }
    }
}

/// A dollar that begins nothing stands for itself.
fn dollar(next: Option<char>, in_quotes: bool) -> Option<()> {
    let stays = match next {
        None | Some('/' | '.' | ',' | '%') => true,
        Some(' ' | '"' | '\'' | '|' | ')' | '\n' | ';' | ']') => in_quotes,
        Some(_) => false,
    };
    stays.then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_removed_and_what_they_hold_stays() {
        for (source, text, kind) in [
            ("ls", "ls", Kind::Exact),
            ("r''m", "rm", Kind::Exact),
            ("\\rm", "rm", Kind::Exact),
            ("'a b'\"c d\"e\\ f", "a bc de f", Kind::Exact),
            ("r\\\nm", "rm", Kind::Exact),
            ("\"a\\$b\\\\c\\d\"", "a$b\\c\\d", Kind::Exact),
            ("*.log", "*.log", Kind::Glob),
            ("'*.log'", "*.log", Kind::Exact),
            ("~/x", "~/x", Kind::Home),
            ("~bob/x", "~bob/x", Kind::Home),
            ("'~/x'", "./~/x", Kind::Exact),
            ("[", "[", Kind::Exact),
            ("{}", "{}", Kind::Exact),
            ("a#b", "a#b", Kind::Exact),
            ("foo$", "foo$", Kind::Exact),
            ("''", "", Kind::Exact),
        ] {
            assert_eq!(read(source), Word { text: text.to_owned(), kind }, "{source}");
        }
    }

    #[test]
    fn what_shells_read_differently_is_dynamic() {
        for source in [
            "$x",
            "\"$x\"",
            "$'a'",
            "$\"a\"",
            "`id`",
            "{a,b}",
            "a{1..3}",
            "!x",
            "=ls",
            "~+",
            "~-/x",
            "~1",
            "'a\\'",
            "'a",
            "\"a",
            "a\\",
            "a b",
            "'*'*",
            "x=~/y",
            "a(b)",
            "a;b",
            "#a",
            "^x",
            "$(id)",
            "${x}",
            "@(a)",
            "~\"bob\"$x",
        ] {
            assert_eq!(read(source).kind, Kind::Dynamic, "{source}");
        }
        assert_eq!(read("~'bob'").kind, Kind::Exact);
    }
}
