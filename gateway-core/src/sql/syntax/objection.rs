//! What the grammar's own rules object to in a text whose words are all in place: where, and with which detail and hint.
//!
//! The library keeps such an error's message only; the rest is found again from the tokens. Called by [`super`].

use std::ops::Range;

/// The most tokens among which a place is searched; beyond it the client gets the message alone.
const MOST_TOKENS: usize = 400;

/// What goes with a message of the grammar.
pub(super) struct Objection {
    /// The byte where the server's cursor would be.
    pub(super) place: Option<usize>,
    pub(super) detail: Option<&'static str>,
    pub(super) hint: Option<&'static str>,
    pub(super) sqlstate: &'static str,
}

/// How the place is found from the shortest beginning of the text that is objected to.
#[derive(Clone, Copy)]
enum Place {
    /// At its last of these words.
    Last(&'static str),
    /// At its last word that the message quotes.
    Quoted,
    /// At the first or second of two words, where one of these pairs comes last.
    Pair(&'static [(&'static str, &'static str)], usize),
    /// At its last number before SET.
    Number,
    /// At the first element of a schema.
    Element,
    /// At the start of the object that it ends with, in a list of objects.
    Object,
}

/// The beginning of a message, its place, SQLSTATE, detail and hint.
type Entry = (&'static str, Place, &'static str, Option<&'static str>, Option<&'static str>);

/// SPEC: gram.y of PostgreSQL 15 to 18; every `ereport` there with a position that these texts can reach.
const OBJECTIONS: &[Entry] = &[
    (
        "missing argument",
        Place::Last(")"),
        "42601",
        None,
        Some("Use NONE to denote the missing argument of a unary operator."),
    ),
    (
        "unrecognized row security option \"",
        Place::Quoted,
        "42601",
        None,
        Some("Only PERMISSIVE or RESTRICTIVE policies are supported currently."),
    ),
    ("cannot use multiple ORDER BY clauses with WITHIN GROUP", Place::Last("within"), "42601", None, None),
    ("cannot use DISTINCT with WITHIN GROUP", Place::Last("within"), "42601", None, None),
    ("cannot use VARIADIC with WITHIN GROUP", Place::Last("within"), "42601", None, None),
    ("CREATE SCHEMA IF NOT EXISTS cannot include schema elements", Place::Element, "0A000", None, None),
    (
        "for a generated column, GENERATED ALWAYS must be specified",
        Place::Pair(&[("generated", "by")], 1),
        "42601",
        None,
        None,
    ),
    ("WHERE clause not allowed with COPY TO", Place::Last("where"), "42601", None, None),
    ("column number must be in range from 1 to ", Place::Number, "22023", None, None),
    ("a column list with SET ", Place::Pair(&[("on", "update")], 0), "0A000", None, None),
    (
        "constraint declared INITIALLY DEFERRED must be DEFERRABLE",
        Place::Pair(&[("initially", "deferred"), ("not", "deferrable")], 0),
        "42601",
        None,
        None,
    ),
    ("option name \"", Place::Quoted, "42601", None, None),
    ("invalid table name", Place::Object, "42601", None, None),
    ("invalid schema name", Place::Object, "42601", None, None),
    ("WHERE clause not allowed for schema", Place::Object, "42601", None, None),
    ("column specification not allowed for schema", Place::Object, "42601", None, None),
    (
        "invalid publication object list",
        Place::Object,
        "42601",
        Some("One of TABLE or TABLES IN SCHEMA must be specified before a standalone table or schema name."),
        None,
    ),
];

/// What goes with this message about this text, where it is one of the grammar's own rules.
pub(super) fn find(text: &str, message: &str, longest_text: usize) -> Option<Objection> {
    let &(_, place, sqlstate, detail, hint) = OBJECTIONS.iter().find(|(start, ..)| message.starts_with(start))?;
    let place = (text.len() <= longest_text).then(|| locate(text, message, place)).flatten();
    Some(Objection { place, detail, hint, sqlstate })
}

fn locate(text: &str, message: &str, place: Place) -> Option<usize> {
    let tokens: Vec<Range<usize>> = pg_query::scan(text)
        .ok()?
        .tokens
        .iter()
        .map(|token| Some(usize::try_from(token.start).ok()?..usize::try_from(token.end).ok()?))
        .collect::<Option<_>>()?;
    let shortest = (1..=tokens.len().min(MOST_TOKENS)).find(|count| {
        let end = tokens.get(count - 1).map_or(0, |token| token.end);
        let beginning = text.get(..end).map(|beginning| pg_query::parse(beginning, pg_query::ParserOptions::DEFAULT));
        matches!(beginning, Some(Err(pg_query::Error::Parse(said))) if said == message)
    })?;
    let words: Vec<(usize, &str)> =
        tokens.iter().take(shortest).filter_map(|token| Some((token.start, text.get(token.clone())?))).collect();
    let last = |wanted: &str| words.iter().rposition(|(_, word)| word.eq_ignore_ascii_case(wanted));
    let index = match place {
        Place::Last(word) => last(word),
        Place::Quoted => last(message.split('"').nth(1)?),
        Place::Pair(pairs, which) => {
            let wanted = |two: &[(usize, &str)]| pairs.iter().any(|(first, second)| is(two, &[first, second]));
            words.windows(2).rposition(wanted).map(|at| at + which)
        }
        Place::Number => words.windows(2).rposition(|two| {
            let [(_, number), (_, set)] = two else { return false };
            number.bytes().all(|byte| byte.is_ascii_digit()) && set.eq_ignore_ascii_case("set")
        }),
        Place::Element => {
            let exists = words.windows(3).rposition(|three| is(three, &["if", "not", "exists"]))? + 3;
            let elements = words.iter().skip(exists);
            elements
                .into_iter()
                .position(|(_, word)| ["create", "grant"].iter().any(|start| word.eq_ignore_ascii_case(start)))
                .map(|at| exists + at)
        }
        Place::Object => Some(object_start(&words)),
    }?;
    words.get(index).map(|(place, _)| *place)
}

fn is(words: &[(usize, &str)], wanted: &[&str]) -> bool {
    words.iter().zip(wanted).all(|((_, word), wanted)| word.eq_ignore_ascii_case(wanted))
}

/// The index of the first word of the last object: what stands after the last comma or keyword outside of parentheses.
fn object_start(words: &[(usize, &str)]) -> usize {
    const BEFORE: &[&str] = &["for", "table", "schema", "add", "set", "drop"];
    let mut depth = 0_usize;
    let before = words.iter().rposition(|(_, word)| {
        match *word {
            ")" => depth += 1,
            "(" => depth = depth.saturating_sub(1),
            "," if depth == 0 => return true,
            _ => {}
        }
        depth == 0 && BEFORE.iter().any(|keyword| word.eq_ignore_ascii_case(keyword))
    });
    before.map_or(0, |at| at + 1)
}
