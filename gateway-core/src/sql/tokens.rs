//! What the words of a statement are, for whoever shows it: PostgreSQL's own scanner, in plain spans.
//!
//! Owns no meaning: a text is only coloured by this, never decided on. Fails soft: what the scanner does not take is one
//! plain span. Called by the CLI's `paint`.

use std::ops::Range;

use pg_query::protobuf::{KeywordKind, ScanToken, Token as Scanned};

/// A longer text is one plain span.
pub const MAX_TOKENED_BYTES: usize = 256 << 10;

/// The longest placeholder of a sealed part that is looked for.
const MAX_PLACEHOLDER_BYTES: usize = 256;

/// What a span of a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// `SELECT`, `from`, …
    Keyword,
    /// A name, quoted or not.
    Name,
    /// A string, bit string or dollar-quoted text.
    Text,
    /// A number.
    Number,
    /// `$1`.
    Parameter,
    /// `=`, `(`, `;`, …
    Operator,
    /// A comment.
    Comment,
    /// What stands for a sealed part or a secret: `⟦email 17 bytes #1⟧`.
    Sealed,
    /// Space between the others, and whatever was not understood.
    Plain,
}

/// A span of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Which bytes.
    pub range: Range<usize>,
    /// What they are.
    pub kind: TokenKind,
}

/// The spans of a text: in order, without a gap, on character boundaries. Empty for an empty text.
pub fn tokens(text: &str) -> Vec<Token> {
    let placeholders = placeholders(text);
    let mut ahead = placeholders.as_slice();
    let mut tokens = Vec::new();
    for token in scanned(text, &placeholders) {
        fill(&mut tokens, token.range.start);
        lay(&mut tokens, &token, &mut ahead);
    }
    fill(&mut tokens, text.len());
    tokens
}

/// Adds plain space up to `end`.
fn fill(tokens: &mut Vec<Token>, end: usize) {
    let start = tokens.last().map_or(0, |last| last.range.end);
    if start < end {
        tokens.push(Token { range: start..end, kind: TokenKind::Plain });
    }
}

/// Adds a token, with the placeholders in it on top; those that lie behind it stay ahead.
fn lay(tokens: &mut Vec<Token>, token: &Token, ahead: &mut &[Range<usize>]) {
    let mut start = token.range.start;
    while let Some((place, rest)) = ahead.split_first().filter(|(place, _)| place.start < token.range.end) {
        *ahead = rest;
        if place.start < start || place.end > token.range.end {
            continue;
        }
        if start < place.start {
            tokens.push(Token { range: start..place.start, kind: token.kind });
        }
        tokens.push(Token { range: place.clone(), kind: TokenKind::Sealed });
        start = place.end;
    }
    if start < token.range.end {
        tokens.push(Token { range: start..token.range.end, kind: token.kind });
    }
}

/// Where a sealed part's placeholder stands.
fn placeholders(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = text.get(from..).and_then(|rest| rest.find('⟦')).map(|at| at + from) {
        let end = text.get(start..).and_then(|rest| rest.find('⟧')).map(|at| start + at + '⟧'.len_utf8());
        let Some(end) = end else { break };
        if end - start <= MAX_PLACEHOLDER_BYTES {
            found.push(start..end);
        }
        from = end;
    }
    found
}

fn scanned(text: &str, placeholders: &[Range<usize>]) -> Vec<Token> {
    // A text without a token is not scanned soundly by the library.
    let is_blank = text.trim_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']).is_empty();
    if is_blank || text.len() > MAX_TOKENED_BYTES {
        return Vec::new();
    }
    // A placeholder is no SQL; a name of the same length is.
    let scanned = pg_query::scan_tokens(&named(text, placeholders)).unwrap_or_default();
    let spans: Vec<(Range<usize>, &ScanToken)> =
        scanned.iter().filter_map(|token| Some((range(text, token)?, token))).collect();
    if spans.len() != scanned.len() {
        return Vec::new();
    }
    let mut tokens: Vec<Token> = Vec::with_capacity(spans.len());
    for (index, (range, token)) in spans.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|index| spans.get(index));
        let after = spans.get(index + 1);
        let beside = |other: Option<&(Range<usize>, &ScanToken)>| {
            other.and_then(|(range, _)| text.get(range.clone())).unwrap_or_default()
        };
        if tokens.last().is_none_or(|last| last.range.end <= range.start) {
            let kind = kind(token, beside(before), beside(after));
            tokens.push(Token { range: range.clone(), kind });
        }
    }
    tokens
}

/// The text with a name instead of each placeholder.
fn named(text: &str, placeholders: &[Range<usize>]) -> String {
    let mut named = String::with_capacity(text.len());
    for place in placeholders {
        named.push_str(text.get(named.len()..place.start).unwrap_or_default());
        named.extend(std::iter::repeat_n('x', place.len()));
    }
    named.push_str(text.get(named.len()..).unwrap_or_default());
    named
}

fn range(text: &str, token: &ScanToken) -> Option<Range<usize>> {
    let range = usize::try_from(token.start).ok()?..usize::try_from(token.end).ok()?;
    (range.start < range.end && text.get(range.clone()).is_some()).then_some(range)
}

fn kind(token: &ScanToken, before: &str, after: &str) -> TokenKind {
    match token.token() {
        Scanned::SqlComment | Scanned::CComment => return TokenKind::Comment,
        Scanned::Sconst | Scanned::Usconst | Scanned::Bconst | Scanned::Xconst => return TokenKind::Text,
        Scanned::Iconst | Scanned::Fconst => return TokenKind::Number,
        Scanned::Param => return TokenKind::Parameter,
        Scanned::Ident | Scanned::Uident => return TokenKind::Name,
        _ => {}
    }
    // Words such as `name` and `type` are columns where they stand like one.
    let stands_like_a_name =
        matches!(before, "." | ",") || matches!(after, "." | "," | "=" | "<" | ">" | "<=" | ">=" | "<>");
    match token.keyword_kind() {
        KeywordKind::NoKeyword => TokenKind::Operator,
        KeywordKind::UnreservedKeyword | KeywordKind::ColNameKeyword if stands_like_a_name => TokenKind::Name,
        KeywordKind::UnreservedKeyword
        | KeywordKind::ColNameKeyword
        | KeywordKind::TypeFuncNameKeyword
        | KeywordKind::ReservedKeyword => TokenKind::Keyword,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spelt(text: &str) -> Vec<(&str, TokenKind)> {
        let words = tokens(text).into_iter().map(|token| (text.get(token.range).unwrap(), token.kind));
        words.filter(|(word, _)| !word.trim().is_empty()).collect()
    }

    #[test]
    fn words_are_what_the_server_takes_them_for() {
        use TokenKind::{Comment, Keyword, Name, Number, Operator, Parameter, Text};
        let text = "select c.name, 7 from customers c -- who\nwhere note = $$a 'b'$$ and id<$1";
        assert_eq!(
            spelt(text),
            [
                ("select", Keyword),
                ("c", Name),
                (".", Operator),
                ("name", Name),
                (",", Operator),
                ("7", Number),
                ("from", Keyword),
                ("customers", Name),
                ("c", Name),
                ("-- who", Comment),
                ("where", Keyword),
                ("note", Name),
                ("=", Operator),
                ("$$a 'b'$$", Text),
                ("and", Keyword),
                ("id", Name),
                ("<", Operator),
                ("$1", Parameter),
            ]
        );
    }

    #[test]
    fn placeholders_of_sealed_parts_stand_out_wherever_they_are() {
        let text = "select ⟦secret⟧ from c where email = 'x⟦email 17 bytes #1⟧' and id = ⟦pii 3 bytes #2⟧";
        let sealed: Vec<&str> =
            spelt(text).into_iter().filter_map(|(word, kind)| (kind == TokenKind::Sealed).then_some(word)).collect();
        assert_eq!(sealed, ["⟦secret⟧", "⟦email 17 bytes #1⟧", "⟦pii 3 bytes #2⟧"]);
        assert!(spelt(text).contains(&("'x", TokenKind::Text)));
    }

    #[test]
    fn what_cannot_be_scanned_is_one_plain_span() {
        for text in [" \t\n", "select 'open", "\0", "select 1\0", &"x ".repeat(MAX_TOKENED_BYTES)] {
            assert_eq!(tokens(text), [Token { range: 0..text.len(), kind: TokenKind::Plain }]);
        }
        assert!(tokens("").is_empty());
    }

    proptest! {
        #[test]
        fn every_byte_is_in_one_span(text in "(?s)[ a-z0-9'\"$;⟦⟧#().é-]{0,60}|.{0,60}") {
            let mut end = 0;
            for token in tokens(&text) {
                prop_assert_eq!(token.range.start, end);
                prop_assert!(token.range.start < token.range.end && text.get(token.range.clone()).is_some());
                end = token.range.end;
            }
            prop_assert_eq!(end, text.len());
        }
    }
}
