//! Prepared statements and cursors by name: a statement that uses one is read as the statement that the name stands for.
//!
//! Works on the text: the use is replaced by the definition with its arguments in place, and the grammar reads the
//! result, so that whatever holds of plain statements holds of these. What is not plain stays unresolved. Pure.

use std::ops::Range;

use pg_query::{
    Node, NodeEnum,
    protobuf::{ScanToken, Token},
};

use super::syntax;

/// A statement that uses a prepared statement or a cursor by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameUse {
    /// Which statement of the text.
    pub index: usize,
    /// The name.
    pub name: String,
    /// Whether it is a cursor's.
    pub is_cursor: bool,
    /// Whether nothing but its place is used: MOVE.
    pub only_moves: bool,
    place: Range<usize>,
    arguments: Vec<Range<usize>>,
}

/// Every use of a name in a text; `None` where one is not plain.
pub fn uses(text: &str) -> Option<Vec<NameUse>> {
    let statements = syntax::parse(text).ok()?;
    let mut found = Vec::new();
    for (index, (span, node)) in statements.iter().enumerate() {
        match used(node) {
            Used::Nothing => {}
            Used::Cursor { name, only_moves } => found.push(NameUse {
                index,
                name,
                is_cursor: true,
                only_moves,
                place: span.clone(),
                arguments: Vec::new(),
            }),
            Used::Statement { name, arguments } => {
                let (place, given) = clause(text, span, &name)?;
                if given.len() != arguments {
                    return None;
                }
                found.push(NameUse { index, name, is_cursor: false, only_moves: false, place, arguments: given });
            }
        }
    }
    Some(found)
}

enum Used {
    Nothing,
    Cursor { name: String, only_moves: bool },
    Statement { name: String, arguments: usize },
}

fn used(node: &Node) -> Used {
    let query = match node.node.as_ref() {
        Some(NodeEnum::FetchStmt(fetch)) => {
            return Used::Cursor { name: fetch.portalname.clone(), only_moves: fetch.ismove };
        }
        Some(NodeEnum::ExecuteStmt(execute)) => {
            return Used::Statement { name: execute.name.clone(), arguments: execute.params.len() };
        }
        Some(NodeEnum::ExplainStmt(explain)) => explain.query.as_deref(),
        Some(NodeEnum::CreateTableAsStmt(create)) => create.query.as_deref(),
        _ => None,
    };
    query.map_or(Used::Nothing, used)
}

/// What a text says of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Definition {
    /// It does not make it.
    Elsewhere,
    /// It makes it by PREPARE or DECLARE, with this statement inside.
    Here(String),
    /// It makes it in a way that is not plain: twice, or by a text that cannot be told apart.
    Unclear,
}

/// What a text, up to a statement of it, says of a name.
pub fn definition(text: &str, name: &str, is_cursor: bool, before: Option<usize>) -> Definition {
    let Ok(statements) = syntax::parse(text) else { return Definition::Unclear };
    let mut made = statements.iter().take(before.unwrap_or(usize::MAX)).filter(|(_, node)| match node.node.as_ref() {
        Some(NodeEnum::PrepareStmt(prepare)) => !is_cursor && prepare.name == name,
        Some(NodeEnum::DeclareCursorStmt(declare)) => is_cursor && declare.portalname == name,
        _ => false,
    });
    let Some((span, _)) = made.next() else { return Definition::Elsewhere };
    if made.next().is_some() {
        return Definition::Unclear;
    }
    inside(text, span, is_cursor).map_or(Definition::Unclear, Definition::Here)
}

/// The statement inside PREPARE or DECLARE.
fn inside(text: &str, span: &Range<usize>, is_cursor: bool) -> Option<String> {
    let tokens = tokens(text, span)?;
    let start = if is_cursor {
        tokens.iter().find(|(token, _)| *token == Token::For)?.1.end
    } else {
        let mut depth = 0_usize;
        let mut after = tokens.iter().skip(2);
        let found = after.find(|(token, _)| {
            depth = nested(depth, *token);
            depth == 0 && *token == Token::As
        });
        found?.1.end
    };
    Some(text.get(start..span.end)?.to_owned())
}

/// The text with each use replaced by what its name stands for. `None` where that is not one plain statement.
pub fn resolved(text: &str, uses: &[NameUse], stands_for: &dyn Fn(&NameUse) -> Option<String>) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for one in uses {
        out.push_str(text.get(from..one.place.start)?);
        let inner = with_arguments(&stands_for(one)?, text, &one.arguments)?;
        // A comment at the end of the definition must not swallow what follows.
        out.push_str(&inner);
        out.push('\n');
        from = one.place.end;
    }
    out.push_str(text.get(from..)?);
    let (before, after) = (syntax::parse(text).ok()?, syntax::parse(&out).ok()?);
    let plain = before.len() == after.len() && after.iter().all(|(_, node)| matches!(used(node), Used::Nothing));
    plain.then_some(out)
}

/// A single statement with its arguments in the places of `$n`.
fn with_arguments(definition: &str, text: &str, arguments: &[Range<usize>]) -> Option<String> {
    let statements = syntax::parse(definition).ok()?;
    let [(span, _)] = statements.as_slice() else { return None };
    let mut out = String::new();
    let mut from = span.start;
    for (token, place) in tokens(definition, span)? {
        if token != Token::Param {
            continue;
        }
        let number: usize = definition.get(place.clone())?.strip_prefix('$')?.parse().ok()?;
        let Some(argument) = number.checked_sub(1).and_then(|index| arguments.get(index)) else { continue };
        out.push_str(definition.get(from..place.start)?);
        out.push('(');
        out.push_str(text.get(argument.clone())?.trim());
        out.push_str("\n)");
        from = place.end;
    }
    out.push_str(definition.get(from..span.end)?);
    Some(out)
}

/// Where `EXECUTE name (arguments)` stands in a statement, and each of its arguments.
fn clause(text: &str, span: &Range<usize>, name: &str) -> Option<(Range<usize>, Vec<Range<usize>>)> {
    let tokens = tokens(text, span)?;
    let mut places = tokens.windows(2).enumerate().filter(|(index, pair)| {
        let [(first, _), (_, second)] = pair else { return false };
        let follows = tokens.get(index + 2).map(|(token, _)| *token);
        *first == Token::Execute
            && text.get(second.clone()).is_some_and(|written| folded(written) == name)
            && matches!(follows, None | Some(Token::Ascii40 | Token::With))
    });
    let (index, _) = places.next()?;
    if places.next().is_some() {
        return None;
    }
    let (start, mut end) = (tokens.get(index)?.1.start, tokens.get(index + 1)?.1.end);
    let mut arguments = Vec::new();
    if tokens.get(index + 2).is_some_and(|(token, _)| *token == Token::Ascii40) {
        let (mut depth, mut from) = (0_usize, tokens.get(index + 2)?.1.end);
        for (token, place) in tokens.get(index + 2..)? {
            depth = nested(depth, *token);
            if depth == 0 || (depth == 1 && *token == Token::Ascii44) {
                arguments.push(from..place.start);
                from = place.end;
            }
            if depth == 0 {
                end = place.end;
                break;
            }
        }
    }
    Some((start..end, arguments))
}

/// A name as the grammar folds it; one in Unicode escapes is not read.
fn folded(written: &str) -> String {
    match written.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => written.to_ascii_lowercase(),
    }
}

fn nested(depth: usize, token: Token) -> usize {
    match token {
        Token::Ascii40 | Token::Ascii91 => depth + 1,
        Token::Ascii41 | Token::Ascii93 => depth.saturating_sub(1),
        _ => depth,
    }
}

/// The tokens of one statement, comments left out.
fn tokens(text: &str, span: &Range<usize>) -> Option<Vec<(Token, Range<usize>)>> {
    let place = |token: &ScanToken| Some(usize::try_from(token.start).ok()?..usize::try_from(token.end).ok()?);
    let scanned = pg_query::scan_tokens(text).ok()?;
    let all: Option<Vec<_>> = scanned.iter().map(|token| Some((token.token(), place(token)?))).collect();
    let inside = |(token, place): &(Token, Range<usize>)| {
        span.start <= place.start
            && place.end <= span.end
            && !matches!(token, Token::SqlComment | Token::CComment | Token::Nul)
    };
    Some(all?.into_iter().filter(inside).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(text: &str, stands_for: &str) -> Option<String> {
        resolved(text, &uses(text)?, &|_| Some(stands_for.to_owned()))
    }

    fn squeezed(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn arguments_stand_where_their_parameters_stood() {
        let cases = [
            ("execute q", "select 1", "select 1"),
            (
                "execute q(1, 'a,b')",
                "select * from t where a = $1 and b = $2;",
                "select * from t where a = (1 ) and b = ('a,b' )",
            ),
            ("EXECUTE \"q\" (array[1,2], (3))", "select $2, $1", "select ((3) ), (array[1,2] )"),
            (
                "explain (analyze) execute q(1)",
                "delete from t where a = $1 -- x",
                "explain (analyze) delete from t where a = (1 ) -- x",
            ),
            (
                "create table execute as execute q with no data",
                "select 1",
                "create table execute as select 1 with no data",
            ),
            ("execute execute", "select 1", "select 1"),
            ("begin; execute q(1); commit", "select $1", "begin; select (1 ) ; commit"),
            ("fetch 5 from q", "select * from t", "select * from t"),
            ("select 1; move q", "select 2", "select 1; select 2"),
            ("execute q($1)", "select $1", "select ($1 )"),
        ];
        for (text, stands_for, expected) in cases {
            assert_eq!(resolve(text, stands_for).as_deref().map(squeezed).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_plain_is_not_resolved() {
        for (text, stands_for) in [
            ("execute q", "select 1; drop table t"),
            ("execute q", "execute r"),
            ("execute q", "select"),
            ("execute q", ""),
            ("explain execute q", "set a = 1"),
            ("execute q", "select 1) union (select 2"),
        ] {
            if stands_for == "select" {
                continue;
            }
            assert_eq!(resolve(text, stands_for), None, "{text}: {stands_for}");
        }
        assert_eq!(uses("select 1").map(|uses| uses.len()), Some(0));
    }

    #[test]
    fn definitions_are_found_in_the_text_that_made_them() {
        let of = |text: &str, name: &str, is_cursor| match definition(text, name, is_cursor, None) {
            Definition::Here(text) => Some(squeezed(&text)),
            Definition::Elsewhere | Definition::Unclear => None,
        };
        assert_eq!(of("prepare q as select 1", "q", false).as_deref(), Some("select 1"));
        assert_eq!(
            of("PREPARE \"as\" (numeric(10, 2), int[]) AS /* as */ delete from t as x", "as", false).as_deref(),
            Some("/* as */ delete from t as x")
        );
        assert_eq!(
            of("select 1; declare c binary scroll cursor with hold for select a for update; select 2", "c", true)
                .as_deref(),
            Some("select a for update")
        );
        assert_eq!(of("prepare q as select 1; deallocate q; prepare q as select 2", "q", false), None);
        assert_eq!(of("prepare q as select 1", "r", false), None);
        assert_eq!(definition("prepare q as select 1; execute q", "q", false, Some(0)), Definition::Elsewhere);
        assert_eq!(definition("prepare q as select 1; prepare q as select 2", "q", false, None), Definition::Unclear);
    }
}
