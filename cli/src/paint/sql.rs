//! SQL as it is shown: highlighted, wrapped to a width, with nothing in it that a terminal would act on or hide.
//!
//! Every character of the text is on one of the lines, so that whoever saw all lines saw the whole statement. Scanning
//! is done once, when a text is painted; callers keep what they painted.

use hoop_gateway_core::sql::{TokenKind, tokens};
use ratatui::text::{Line, Span};

use super::{Role, Sign, Theme};
use crate::output::printable;

/// What a tab is shown as.
const TAB: &str = "    ";

/// A text, highlighted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Painted {
    /// The lines of the text, as pieces of one role each.
    lines: Vec<Vec<(Role, String)>>,
}

impl Painted {
    /// A statement.
    pub(crate) fn sql(text: &str) -> Self {
        let mut painted = Self { lines: vec![Vec::new()] };
        for token in tokens(text) {
            // A space that is none to the server is shown, unless it is data.
            let is_data = matches!(token.kind, TokenKind::Text | TokenKind::Comment);
            painted.push(role(token.kind), is_data, text.get(token.range).unwrap_or_default());
        }
        painted
    }

    /// Any other text, all of one role.
    pub(crate) fn text(role: Role, text: &str) -> Self {
        let mut painted = Self { lines: vec![Vec::new()] };
        painted.push(role, true, text);
        painted
    }

    /// The lines that it takes at this width, from the first character to the last.
    pub(crate) fn lines(&self, width: u16, theme: Theme) -> Vec<Line<'static>> {
        self.lines.iter().flat_map(|line| wrapped(line, usize::from(width.max(MIN_WIDTH)), theme)).collect()
    }

    /// The text on one row, cut to this width.
    pub(crate) fn row(&self, width: u16, theme: Theme) -> Line<'static> {
        let mut left = usize::from(width).saturating_mul(4);
        let mut flat = Vec::new();
        for line in &self.lines {
            if !flat.is_empty() {
                flat.push((Role::Text, " ".to_owned()));
            }
            for (role, text) in line {
                let part: String = text.chars().take(left).collect();
                left = left.saturating_sub(part.chars().count());
                flat.push((*role, part));
            }
            if left == 0 {
                break;
            }
        }
        let mut rows = wrapped(&flat, usize::from(width.max(MIN_WIDTH)), theme).into_iter();
        let mut first = rows.next().unwrap_or_default();
        if rows.next().is_some() {
            shorten(&mut first, usize::from(width), theme);
        }
        first
    }

    fn push(&mut self, role: Role, is_data: bool, text: &str) {
        for (index, part) in printable(text).split('\n').enumerate() {
            if index > 0 {
                self.lines.push(Vec::new());
            }
            if part.is_empty() {
                continue;
            }
            let part = part.replace('\t', TAB);
            let part = if is_data { part } else { part.chars().map(no_odd_space).collect() };
            if let Some(line) = self.lines.last_mut() {
                line.push((role, part));
            }
        }
    }
}

/// As wide as the widest character.
const MIN_WIDTH: u16 = 2;

fn no_odd_space(character: char) -> char {
    if character != ' ' && (character.is_whitespace() || character == '\u{2800}') { '␣' } else { character }
}

fn role(kind: TokenKind) -> Role {
    match kind {
        TokenKind::Keyword => Role::Keyword,
        TokenKind::Name | TokenKind::Plain => Role::Text,
        TokenKind::Text => Role::Literal,
        TokenKind::Number => Role::Number,
        TokenKind::Parameter => Role::Parameter,
        TokenKind::Operator => Role::Operator,
        TokenKind::Comment => Role::Comment,
        TokenKind::Sealed => Role::Sealed,
    }
}

/// How many cells a text takes.
pub(crate) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// The text, cut to a width with a sign where something is missing.
pub(crate) fn cut(text: &str, most: usize, theme: Theme) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 0;
    for character in text.chars() {
        used += cells(character);
        if used + 1 > most {
            break;
        }
        kept.push(character);
    }
    if most > 0 {
        kept.push_str(theme.sign(Sign::Cut));
    }
    kept
}

fn cells(character: char) -> usize {
    width(character.encode_utf8(&mut [0; 4]))
}

/// One line of the text as rows of a width.
fn wrapped(line: &[(Role, String)], most: usize, theme: Theme) -> Vec<Line<'static>> {
    let mut rows = vec![Line::default()];
    let mut used = 0;
    for (role, text) in line {
        let mut piece = String::new();
        for character in text.chars() {
            let mut wide = cells(character);
            // A mark that nothing stands under would be left out.
            let is_alone = wide == 0 && piece.is_empty();
            wide += usize::from(is_alone);
            if used + wide > most {
                push(&mut rows, theme, *role, &mut piece);
                rows.push(Line::default());
                used = 0;
            }
            if is_alone {
                piece.push('◌');
            }
            piece.push(character);
            used += wide;
        }
        push(&mut rows, theme, *role, &mut piece);
    }
    rows
}

fn push(rows: &mut [Line<'static>], theme: Theme, role: Role, piece: &mut String) {
    if let Some(row) = rows.last_mut()
        && !piece.is_empty()
    {
        row.spans.push(Span::styled(std::mem::take(piece), theme.style(role)));
    }
}

/// Makes room for the sign that something is missing.
fn shorten(row: &mut Line<'static>, most: usize, theme: Theme) {
    while row.width() >= most.max(1) {
        let Some(last) = row.spans.last_mut() else { break };
        let mut text = last.content.to_string();
        if text.pop().is_none() || text.is_empty() {
            row.spans.pop();
        } else {
            last.content = text.into();
        }
    }
    row.spans.push(Span::styled(theme.sign(Sign::Cut), theme.style(Role::Dim)));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::paint::{Depth, ThemeName};

    const THEME: Theme = Theme::new(ThemeName::Dark, Depth::True, false);

    fn rows(text: &str, width: u16) -> Vec<String> {
        Painted::sql(text).lines(width, THEME).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn words_have_the_colour_of_what_they_are() {
        let lines = Painted::sql("select ⟦secret⟧ -- why").lines(80, THEME);
        let spans: Vec<_> =
            lines.iter().flat_map(|line| &line.spans).map(|span| (&*span.content, span.style)).collect();
        assert_eq!(
            spans,
            [
                ("select", THEME.style(Role::Keyword)),
                (" ", THEME.style(Role::Text)),
                ("⟦secret⟧", THEME.style(Role::Sealed)),
                (" ", THEME.style(Role::Text)),
                ("-- why", THEME.style(Role::Comment)),
            ]
        );
    }

    #[test]
    fn a_line_is_wrapped_where_it_must_and_wide_letters_are_counted() {
        assert_eq!(rows("select 1\n  , '日本'", 6), ["select", " 1", "  , '", "日本'"]);
        assert_eq!(rows("", 10), [""]);
    }

    #[test]
    fn nothing_hides_and_nothing_acts() {
        assert_eq!(rows("drop\u{1b}[2J\u{202e}x", 80), ["drop␛[2J\u{fffd}x"]);
        assert_eq!(rows("a\u{a0}b", 80), ["a␣b"]);
        assert_eq!(rows("'e\u{301}'", 80), ["'e\u{301}'"]);
        assert_eq!(rows("a=\u{301}", 80), ["a=◌\u{301}"]);
    }

    #[test]
    fn one_line_stands_for_all_and_says_so() {
        let row = |text: &str, width| Painted::sql(text).row(width, THEME).to_string();
        assert_eq!(row("select 1\nfrom t", 40), "select 1 from t");
        assert_eq!(row("select 1 from t", 10), "select 1 …");
        assert_eq!((cut("日本語", 4, THEME), cut("ab", 2, THEME)), ("日…".to_owned(), "ab".to_owned()));
    }

    proptest! {
        #[test]
        fn every_character_is_on_a_line_and_no_line_is_too_wide(
            text in "(?s)[ a-z0-9'\"$;().\n\tо日é-]{0,80}",
            most in 2_u16..30,
        ) {
            let lines = Painted::sql(&text).lines(most, THEME);
            prop_assert!(lines.iter().all(|line| line.width() <= usize::from(most)));
            let shown: String = lines.iter().map(ToString::to_string).collect();
            prop_assert_eq!(shown, text.replace('\t', TAB).replace('\n', ""));
        }

        #[test]
        fn whatever_comes_is_made_of_what_a_terminal_shows(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let text = String::from_utf8_lossy(&bytes);
            let lines = Painted::sql(&text).lines(20, THEME);
            let shown: String = lines.iter().map(ToString::to_string).collect();
            prop_assert!(shown.chars().all(crate::output::is_shown_as_it_is));
        }
    }
}
