//! Where constants stand in the text, so that the record can seal them.
//!
//! Owns the scanner's view of one text. Knows no policy and no tags. Called by the walk and by classification.

use std::{collections::BTreeMap, ops::Range};

use pg_query::protobuf::{AConst, Token, a_const::Val};

use super::{Literal, RawColumn};

/// The constant tokens of a text by where they begin.
#[derive(Debug, Default)]
pub(super) struct Constants {
    /// Every constant: its end, and whether it is a string.
    places: BTreeMap<usize, (usize, bool)>,
}

impl Constants {
    /// Scans a text that the grammar has accepted and that holds a statement: a text without a token is not scanned
    /// soundly by the library. Where it cannot be scanned every constant is the whole text.
    pub(super) fn scan(text: &str) -> Self {
        let mut places = BTreeMap::new();
        let mut sign = None;
        for token in pg_query::scan_tokens(text).unwrap_or_default() {
            let (Ok(start), Ok(end)) = (usize::try_from(token.start), usize::try_from(token.end)) else { continue };
            let is_string = matches!(token.token(), Token::Sconst | Token::Usconst | Token::Bconst | Token::Xconst);
            let is_number = matches!(token.token(), Token::Iconst | Token::Fconst);
            if is_string || is_number {
                places.insert(start, (end, is_string));
                // A negative number's constant may begin at its sign.
                if let Some(sign) = sign.filter(|_| is_number) {
                    places.entry(sign).or_insert((end, false));
                }
            }
            sign = (token.token() == Token::Ascii45).then_some(start);
        }
        Self { places }
    }

    /// The literal of a constant node, or `None` for NULL, a boolean, or one that the text does not hold.
    pub(super) fn literal(&self, node: &AConst, column: Option<RawColumn>, whole: &Range<usize>) -> Option<Literal> {
        let value = match node.val.as_ref()? {
            Val::Ival(number) => number.ival.to_string(),
            Val::Fval(number) => number.fval.clone(),
            Val::Sval(text) => text.sval.clone(),
            Val::Bsval(bits) => bits.bsval.clone(),
            Val::Boolval(_) => return None,
        };
        let start = usize::try_from(node.location).ok()?;
        // FAIL-CLOSED: a constant whose place is not found seals the whole statement.
        let span = self.places.get(&start).map_or(whole.clone(), |(end, _)| start..*end);
        Some(Literal { span, value, column, direct: false })
    }

    /// Every string constant inside `span`.
    pub(super) fn strings(&self, span: &Range<usize>) -> Vec<Range<usize>> {
        let inside = self.places.range(span.start.min(span.end)..span.end);
        inside.filter(|(_, (_, is_string))| *is_string).map(|(start, (end, _))| *start..*end).collect()
    }

    /// The first string constant at or after `place`.
    pub(super) fn string_after(&self, place: usize, span: &Range<usize>) -> Option<Range<usize>> {
        self.strings(&(place.min(span.end)..span.end)).into_iter().next()
    }

    /// Strings that no literal covers yet, such as NOTIFY payloads and function bodies, as literals of no column.
    pub(super) fn others(&self, text: &str, span: &Range<usize>, known: &[Literal]) -> Vec<Literal> {
        let uncovered = self.strings(span).into_iter().filter(|place| {
            !known.iter().any(|literal| literal.span.start <= place.start && place.end <= literal.span.end)
        });
        uncovered
            .filter_map(|place| {
                let value = text.get(place.clone())?.to_owned();
                Some(Literal { span: place, value, column: None, direct: false })
            })
            .collect()
    }
}
