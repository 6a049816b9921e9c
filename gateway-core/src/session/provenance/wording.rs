//! When two texts say the same: but for white space, comments, the case of words, the last semicolon and the way in
//! which parameters are written. What stands in quotes stays as it is.
//!
//! Pure. It only makes a link that people read; nothing is decided by it.

/// A text with its spelling taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wording {
    /// As it stands, without white space around it.
    pub(super) exact: String,
    /// Normalised.
    pub(super) plain: String,
    /// Whether it has parameters.
    pub(super) has_parameters: bool,
}

impl Wording {
    pub(super) fn of(text: &str) -> Self {
        let tokens = tokens(text);
        let has_parameters = tokens.contains(&Token::Parameter);
        Self { exact: text.to_owned(), plain: joined(&tokens), has_parameters }
    }

    pub(super) fn bytes(&self) -> usize {
        self.exact.len() + self.plain.len()
    }
}

/// The text with constants and parameters alike.
pub(super) fn shape(text: &str) -> String {
    let constant = |token| match token {
        Token::Constant(_) => Token::Parameter,
        Token::Word(_) | Token::Parameter | Token::Sign(_) => token,
    };
    joined(&tokens(text).into_iter().map(constant).collect::<Vec<_>>())
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// A name or a keyword, in lower case; a quoted name as it stands.
    Word(String),
    /// A quoted text or a number.
    Constant(String),
    /// `$1`, `?`, `%s`, `:name`
    Parameter,
    /// Anything else.
    Sign(char),
}

fn joined(tokens: &[Token]) -> String {
    let end = tokens.iter().rposition(|token| *token != Token::Sign(';')).map_or(0, |last| last + 1);
    let mut out = String::new();
    for token in tokens.iter().take(end) {
        if !out.is_empty() {
            out.push(' ');
        }
        match token {
            Token::Word(text) | Token::Constant(text) => out.push_str(text),
            Token::Parameter => out.push('?'),
            Token::Sign(sign) => out.push(*sign),
        }
    }
    out
}

fn tokens(text: &str) -> Vec<Token> {
    let mut rest = text;
    let mut found = Vec::new();
    while let Some(first) = rest.chars().next() {
        let after = rest.get(first.len_utf8()..).unwrap_or_default();
        let length = match first {
            _ if first.is_whitespace() => first.len_utf8(),
            '-' if after.starts_with('-') => rest.find('\n').unwrap_or(rest.len()),
            // MySQL runs what stands in `/*! … */`.
            '/' if after.starts_with('*') && !after.starts_with("*!") && !after.starts_with("*M!") => comment(rest),
            '\'' => constant(rest, quoted(rest, '\''), &mut found),
            '$' if dollar_quoted(rest).is_some() => constant(rest, dollar_quoted(rest).unwrap_or(1), &mut found),
            '"' => {
                let length = quoted(rest, '"');
                found.push(Token::Word(rest.get(..length).unwrap_or_default().to_owned()));
                length
            }
            '0'..='9' => {
                let length = while_true(rest, |letter| letter.is_ascii_alphanumeric() || letter == '.');
                found.push(Token::Constant(rest.get(..length).unwrap_or_default().to_lowercase()));
                length
            }
            _ if first.is_alphanumeric() || first == '_' => {
                let length = while_true(rest, |letter| letter.is_alphanumeric() || letter == '_');
                found.push(Token::Word(rest.get(..length).unwrap_or_default().to_lowercase()));
                length
            }
            _ => {
                let parameter = parameter(rest);
                found.push(parameter.map_or(Token::Sign(first), |_length| Token::Parameter));
                parameter.unwrap_or(first.len_utf8())
            }
        };
        rest = rest.get(length.max(1)..).unwrap_or_default();
    }
    found
}

fn constant(rest: &str, length: usize, found: &mut Vec<Token>) -> usize {
    found.push(Token::Constant(rest.get(..length).unwrap_or_default().to_owned()));
    length
}

/// The length of a quoted text, quotes included; a doubled quote is inside of it.
fn quoted(rest: &str, quote: char) -> usize {
    let mut letters = rest.char_indices().skip(1).peekable();
    while let Some((place, letter)) = letters.next() {
        if letter == quote && letters.next_if(|(_, next)| *next == quote).is_none() {
            return place + letter.len_utf8();
        }
    }
    rest.len()
}

/// The length of a text in dollar quotes, tags included; to the end where it has none.
fn dollar_quoted(rest: &str) -> Option<usize> {
    let tag = 1 + while_true(rest.get(1..)?, |letter| letter.is_alphanumeric() || letter == '_');
    let opening = rest.get(..=tag).filter(|opening| opening.ends_with('$'))?;
    if opening.as_bytes().get(1).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let inside = rest.get(opening.len()..)?;
    Some(inside.find(opening).map_or(rest.len(), |end| 2 * opening.len() + end))
}

/// The length of a comment, with those inside of it.
fn comment(rest: &str) -> usize {
    let (mut depth, mut place) = (0_usize, 0);
    while let Some(here) = rest.get(place..).filter(|here| !here.is_empty()) {
        if here.starts_with("/*") {
            (depth, place) = (depth + 1, place + 2);
        } else if here.starts_with("*/") {
            (depth, place) = (depth.saturating_sub(1), place + 2);
            if depth == 0 {
                return place;
            }
        } else {
            place += here.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// The length of a parameter: `$1`, `?`, `%s`, `%(name)s`, `:name`, but not `::type`.
fn parameter(rest: &str) -> Option<usize> {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let named = |prefix: usize| {
        let length = while_true(rest.get(prefix..)?, is_word);
        (length > 0).then_some(prefix + length)
    };
    match rest.chars().next()? {
        '?' => Some(1),
        '$' => {
            named(1).filter(|end| rest.get(1..*end).is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit())))
        }
        ':' if !rest.starts_with("::") && !rest.starts_with(":=") => named(1),
        '%' if rest.starts_with("%s") => Some(2),
        '%' if rest.starts_with("%(") => rest.find(")s").map(|end| end + 2),
        _ => None,
    }
}

fn while_true(rest: &str, is_it: impl Fn(char) -> bool) -> usize {
    rest.find(|letter| !is_it(letter)).unwrap_or(rest.len())
}
