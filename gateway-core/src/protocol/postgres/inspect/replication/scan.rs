//! The words of replication commands, cut as the server's `repl_scanner.l` cuts them, and nothing that it might cut
//! otherwise. Private to the parser.

use super::CommandError;

/// One word of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A bare word.
    Word(String),
    /// A name in double quotes.
    Quoted(String),
    /// A text in single quotes.
    Text(String),
    /// Digits.
    Number(String),
    /// A place in the log: `16/B374D848`.
    Position,
    /// A single sign.
    Sign(char),
    /// Nothing is left.
    End,
}

pub(super) struct Scanner<'text> {
    rest: &'text str,
}

impl<'text> Scanner<'text> {
    pub(super) fn new(text: &'text str) -> Self {
        Self { rest: text }
    }

    /// Takes the next word.
    pub(super) fn next(&mut self) -> Result<Token, CommandError> {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r', '\u{c}', '\u{b}']);
        let Some(first) = self.rest.chars().next() else { return Ok(Token::End) };
        match first {
            '"' => self.quoted('"').map(Token::Quoted),
            '\'' => self.quoted('\'').map(Token::Text),
            'a'..='z' | 'A'..='Z' | '_' | '0'..='9' => self.bare(),
            '(' | ')' | ',' | ';' | '.' => {
                self.rest = self.rest.get(1..).unwrap_or_default();
                Ok(Token::Sign(first))
            }
            other => Err(CommandError::Syntax(format!("`{}`", other.escape_default()))),
        }
    }

    /// A word, a number, or a place in the log: what stands between other signs, and must be one of these whole.
    fn bare(&mut self) -> Result<Token, CommandError> {
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '$' | '/');
        let end = self.rest.find(|letter: char| !is_part(letter)).unwrap_or(self.rest.len());
        let (bare, rest) = self.rest.split_at(end);
        let strange = || CommandError::Syntax(format!("`{}`", bare.chars().take(64).collect::<String>()));
        let token = if let Some((high, low)) = bare.split_once('/') {
            let is_half =
                |half: &str| (1..=8).contains(&half.len()) && half.chars().all(|digit| digit.is_ascii_hexdigit());
            if !is_half(high) || !is_half(low) {
                return Err(strange());
            }
            Token::Position
        } else if bare.starts_with(|first: char| first.is_ascii_digit()) {
            if bare.len() > 10 || !bare.chars().all(|digit| digit.is_ascii_digit()) {
                return Err(strange());
            }
            Token::Number(bare.to_owned())
        } else {
            Token::Word(bare.to_owned())
        };
        self.rest = rest;
        Ok(token)
    }

    /// Text between quotes; two of them are one. Printable ASCII only.
    fn quoted(&mut self, quote: char) -> Result<String, CommandError> {
        let unended = || CommandError::Syntax("quote".to_owned());
        let mut inside = self.rest.get(1..).ok_or_else(unended)?;
        let mut text = String::new();
        loop {
            let end = inside.find(quote).ok_or_else(unended)?;
            let (part, rest) = inside.split_at(end);
            if !part.chars().all(|letter| letter == ' ' || letter.is_ascii_graphic()) {
                return Err(CommandError::Syntax("character in quotes".to_owned()));
            }
            text.push_str(part);
            let rest = rest.get(1..).ok_or_else(unended)?;
            if let Some(more) = rest.strip_prefix(quote) {
                text.push(quote);
                inside = more;
            } else {
                self.rest = rest;
                return Ok(text);
            }
        }
    }

    fn peek(&self) -> Result<Token, CommandError> {
        Self::new(self.rest).next()
    }

    fn unexpected<T>(token: &Token) -> Result<T, CommandError> {
        Err(CommandError::Syntax(match token {
            Token::Word(word) | Token::Quoted(word) | Token::Number(word) => {
                format!("`{}`", word.chars().take(64).collect::<String>())
            }
            Token::Text(_) => "text".to_owned(),
            Token::Position => "place in the log".to_owned(),
            Token::Sign(sign) => format!("`{sign}`"),
            Token::End => "end".to_owned(),
        }))
    }

    pub(super) fn word(&mut self) -> Result<String, CommandError> {
        let next = self.next()?;
        if let Token::Word(word) = next { Ok(word) } else { Self::unexpected(&next) }
    }

    /// The next bare word, where there is one.
    pub(super) fn any_word(&mut self) -> Option<String> {
        matches!(self.peek(), Ok(Token::Word(_))).then(|| self.word().ok()).flatten()
    }

    /// Takes this word, where it is the next.
    pub(super) fn takes(&mut self, word: &str) -> bool {
        let is_next = matches!(self.peek(), Ok(Token::Word(next)) if next == word);
        is_next && self.word().is_ok()
    }

    pub(super) fn expect(&mut self, word: &str) -> Result<(), CommandError> {
        let next = self.next()?;
        if next == Token::Word(word.to_owned()) { Ok(()) } else { Self::unexpected(&next) }
    }

    /// A name: bare, in lower case, or in quotes.
    pub(super) fn name(&mut self) -> Result<String, CommandError> {
        let next = self.next()?;
        if let Token::Word(name) = &next {
            return Ok(name.to_ascii_lowercase());
        }
        if let Token::Quoted(name) = &next
            && !name.is_empty()
        {
            return Ok(name.clone());
        }
        Self::unexpected(&next)
    }

    pub(super) fn number(&mut self) -> Result<(), CommandError> {
        let next = self.next()?;
        if matches!(next, Token::Number(_)) { Ok(()) } else { Self::unexpected(&next) }
    }

    pub(super) fn text(&mut self) -> Result<(), CommandError> {
        let next = self.next()?;
        if matches!(next, Token::Text(_)) { Ok(()) } else { Self::unexpected(&next) }
    }

    pub(super) fn takes_text(&mut self) -> bool {
        matches!(self.peek(), Ok(Token::Text(_))) && self.next().is_ok()
    }

    /// The value of an option, where it has one.
    pub(super) fn value(&mut self) -> Option<String> {
        let Ok(Token::Word(value) | Token::Quoted(value) | Token::Text(value) | Token::Number(value)) = self.peek()
        else {
            return None;
        };
        self.next().ok()?;
        Some(value)
    }

    pub(super) fn position(&mut self) -> Result<(), CommandError> {
        let next = self.next()?;
        if matches!(next, Token::Position) { Ok(()) } else { Self::unexpected(&next) }
    }

    pub(super) fn at_sign(&self, sign: char) -> bool {
        self.peek() == Ok(Token::Sign(sign))
    }

    pub(super) fn takes_sign(&mut self, sign: char) -> bool {
        self.at_sign(sign) && self.next().is_ok()
    }

    pub(super) fn sign(&mut self, sign: char) -> Result<(), CommandError> {
        let next = self.next()?;
        if next == Token::Sign(sign) { Ok(()) } else { Self::unexpected(&next) }
    }

    /// Nothing is left, but one semicolon.
    pub(super) fn end(&mut self) -> Result<(), CommandError> {
        self.takes_sign(';');
        let next = self.next()?;
        if matches!(next, Token::End) { Ok(()) } else { Self::unexpected(&next) }
    }
}
