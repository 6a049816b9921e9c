//! Bounds and parses text, and says where the grammar stopped, as the server would.
//!
//! Owns the limits on text and nesting. Knows no meaning of what it parses. Called by `inspect`.

mod objection;

use std::ops::Range;

use pg_query::Node;

/// The longest text that is parsed, in bytes; longer text is refused.
pub const MAX_TEXT_BYTES: usize = 1 << 20;

/// Longest text for which a repeated word's place is searched; beyond it the first candidate is not guessed.
const MAX_SEARCHED_BYTES: usize = 64 << 10;

/// Text that is not parsed: the grammar rejects it, or it is beyond a bound.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// The grammar's message, or what bound was exceeded.
    pub message: String,
    /// Where, in characters from 1, as the server reports it; `None` where the grammar does not say.
    pub position: Option<u32>,
    /// The grammar's own further facts.
    pub detail: Option<&'static str>,
    /// The grammar's own advice.
    pub hint: Option<&'static str>,
    /// The SQLSTATE to answer with.
    pub sqlstate: &'static str,
}

impl SyntaxError {
    const SYNTAX: &'static str = "42601";
    const TOO_COMPLEX: &'static str = "54001";
    const TOO_LONG: &'static str = "54000";

    pub(super) fn too_deep() -> Self {
        Self::new("statement too deeply nested".into(), None, Self::TOO_COMPLEX)
    }

    const fn new(message: String, position: Option<u32>, sqlstate: &'static str) -> Self {
        Self { message, position, detail: None, hint: None, sqlstate }
    }
}

/// Splits `text` into statements with the bytes each occupies. Refuses what it cannot bound.
pub(super) fn parse(text: &str) -> Result<Vec<(Range<usize>, Node)>, SyntaxError> {
    if text.len() > MAX_TEXT_BYTES {
        let message = format!("statement text has {} bytes, at most {MAX_TEXT_BYTES} are read", text.len());
        return Err(SyntaxError::new(message, None, SyntaxError::TOO_LONG));
    }
    if let Some(place) = text.bytes().position(|byte| byte == 0) {
        let message = "statement text holds a NUL byte".into();
        return Err(SyntaxError::new(message, character(text, place), SyntaxError::SYNTAX));
    }
    let parsed = pg_query::parse(text, pg_query::ParserOptions::DEFAULT).map_err(|error| rejected(text, error))?;
    let mut statements = Vec::new();
    for raw in parsed.protobuf.stmts {
        let Some(node) = raw.stmt else { continue };
        statements.push((span(text, raw.stmt_location, raw.stmt_len), *node));
    }
    Ok(statements)
}

/// The bytes of one statement, without the space around it.
fn span(text: &str, location: i32, length: i32) -> Range<usize> {
    let start = usize::try_from(location).unwrap_or(0).min(text.len());
    let end = match usize::try_from(length) {
        Ok(length) if length > 0 => start.saturating_add(length).min(text.len()),
        _ => text.len(),
    };
    let Some(inside) = text.get(start..end) else { return 0..text.len() };
    let start = end - inside.trim_start().len();
    start..start + inside.trim().len()
}

fn rejected(text: &str, error: pg_query::Error) -> SyntaxError {
    let message = match error {
        // This grammar's words where servers up to 17 have others, which programs may know.
        pg_query::Error::Parse(message) if message == "constraints cannot be altered to be NOT VALID" => {
            "FOREIGN KEY constraints cannot be marked NOT VALID".into()
        }
        pg_query::Error::Parse(message) => message,
        // FAIL-CLOSED: a tree too deep to decode is a statement that is not understood.
        pg_query::Error::Decode(_) => return SyntaxError::too_deep(),
        pg_query::Error::Conversion(_)
        | pg_query::Error::InvalidJson(_)
        | pg_query::Error::InvalidPointer
        | pg_query::Error::Scan(_)
        | pg_query::Error::IsUtility(_)
        | pg_query::Error::Split(_) => "statement could not be parsed".into(),
    };
    if message.contains("stack depth limit exceeded") || message.contains("depth") && message.contains("exceed") {
        return SyntaxError::too_deep();
    }
    if let Some(found) = objection::find(text, &message, MAX_SEARCHED_BYTES) {
        let position = found.place.and_then(|place| character(text, place));
        return SyntaxError { message, position, detail: found.detail, hint: found.hint, sqlstate: found.sqlstate };
    }
    let position = locate(text, &message).and_then(|place| character(text, place));
    SyntaxError::new(message, position, SyntaxError::SYNTAX)
}

/// The 1-based character that a byte offset falls on.
fn character(text: &str, byte: usize) -> Option<u32> {
    let before = text.get(..byte)?.chars().count();
    u32::try_from(before).ok()?.checked_add(1)
}

/// Finds the byte offset of the error. The library keeps the message but not the cursor, so it is found again.
fn locate(text: &str, message: &str) -> Option<usize> {
    if message.ends_with("at end of input") {
        return Some(text.len());
    }
    let (_, quoted) = message.split_once(" at or near \"")?;
    let word = quoted.strip_suffix('"')?;
    let mut places = text.match_indices(word).map(|(place, _)| place);
    let first = places.next()?;
    if places.next().is_none() {
        return Some(first);
    }
    if message.starts_with("unterminated") {
        return text.strip_suffix(word).map(str::len);
    }
    if text.len() > MAX_SEARCHED_BYTES { None } else { bisect(text, word) }
}

/// The grammar reads from left to right, so every prefix that ends before the bad token fails later or at its end:
/// the shortest prefix of whole tokens that fails *near* a word, rather than at its end, ends with that word.
fn bisect(text: &str, word: &str) -> Option<usize> {
    let tokens = pg_query::scan(text).ok()?.tokens;
    let mut places = Vec::new();
    for token in &tokens {
        let place = usize::try_from(token.start).ok()?..usize::try_from(token.end).ok()?;
        if text.get(place.clone()) == Some(word) {
            places.push(place);
        }
    }
    let index = places.partition_point(|place| match text.get(..place.end).map(|prefix| pg_query::parse(prefix, 0)) {
        Some(Err(pg_query::Error::Parse(message))) => !message.contains(" at or near "),
        _ => true,
    });
    places.get(index).map(|place| place.start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> SyntaxError {
        parse(text).expect_err(text)
    }

    #[test]
    fn says_where_the_grammar_stopped() {
        assert_eq!(error("selec 1").position, Some(1));
        assert_eq!(error("selec 1").message, "syntax error at or near \"selec\"");
        assert_eq!(error("select 1 from").position, Some(14));
        assert_eq!(error("select 'é', from x").position, Some(13));
        assert_eq!(error("select a from a where from = from from").position, Some(23));
        assert_eq!(error("select 'abc").position, Some(8));
        assert_eq!(error("select ''||'abc").position, Some(12));
    }

    #[test]
    fn says_what_the_grammars_own_rules_object_to_and_where() {
        for (marked, hint, detail) in [
            ("select 1; drop operator === (int4^)", true, false),
            ("drop operator = (é.nonesuch^)", true, false),
            ("create policy p1 on document as ^ugly using (a < as_ugly)", true, false),
            ("select p, percentile_cont(p order by p) ^within group (order by x) from g(1) group by p", false, false),
            ("create schema if not exists a authorization b ^create table abc (a int)", false, false),
            ("create table g (a int primary key, b int generated ^by default as (a * 2) stored)", false, false),
            ("create publication p for table a.b, ^current_schema", false, false),
            ("create publication p for tables in schema foo, ^test.foo", false, false),
            ("create publication p for tables in schema a, ^b where (a = f(1, 2))", false, false),
            ("create publication p for tables in schema a, ^b (c, d)", false, false),
            ("copy x to stdout ^where a = 1", false, false),
            ("alter index i alter column ^0 set statistics 1000", false, false),
            ("create table f (a int, foreign key (a) references p ^on update set null (a))", false, false),
            ("alter table f alter constraint c not deferrable ^initially deferred", false, false),
            ("create publication p for ^current_schema", false, true),
            ("create publication p for ^a.b", false, true),
        ] {
            let place = marked.find('^').expect("a mark");
            let error = error(&marked.replace('^', ""));
            assert_eq!(error.position, character(marked, place), "{marked}: {}", error.message);
            assert_eq!((error.hint.is_some(), error.detail.is_some()), (hint, detail), "{marked}");
        }
    }

    #[test]
    fn refuses_what_is_not_bounded() {
        assert_eq!(error(&"x".repeat(MAX_TEXT_BYTES + 1)).sqlstate, "54000");
        assert_eq!(error("select 1\0; drop table t").position, Some(9));
        for deep in [
            format!("select {}1{}", "(".repeat(20_000), ")".repeat(20_000)),
            format!("select {}1", "- ".repeat(60_000)),
            format!("select 1{}", "+1".repeat(60_000)),
            format!("select {}1{}", "(select ".repeat(3_000), ")".repeat(3_000)),
            vec!["select 1"; 5_000].join(" union "),
        ] {
            assert!(parse(&deep).is_err());
        }
    }

    #[test]
    fn spans_are_the_statements_without_space() {
        let text = " select 1 ; \n select 'é' -- x\n;;";
        let spans: Vec<_> =
            parse(text).unwrap().into_iter().map(|(span, _)| text.get(span).unwrap().to_owned()).collect();
        assert_eq!(spans, ["select 1", "select 'é' -- x"]);
        assert!(parse(" -- nothing\n").unwrap().is_empty());
    }
}
