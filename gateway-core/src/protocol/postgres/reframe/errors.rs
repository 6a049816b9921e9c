//! Errors and notices of the server, which quote values: `Key (email)=(jane@example.com) already exists`.
//!
//! What may quote a masked value is replaced by a fixed sentence; positions and names stay. A code stays where it says
//! nothing that a value could choose: a statement can be written so that each letter fails in another way.

use crate::{mask::Detectors, protocol::postgres::message::backend::ErrorFields};

const WITHHELD_DETAIL: &str = "The server's details are withheld because they may quote a masked value.";

/// SQLSTATEs and routines of the server whose message names relations, columns, constraints, types, or what the client
/// wrote, and never a value of a row.
const PLAIN: &[(&str, &str)] = &[
    ("0A000", "RevalidateCachedQuery"),
    ("23502", "ExecConstraints"),
    ("23503", "ri_ReportViolation"),
    ("23505", "_bt_check_unique"),
    ("23514", "ExecConstraints"),
    ("25006", "PreventCommandIfReadOnly"),
    ("25P02", "exec_bind_message"),
    ("25P02", "exec_execute_message"),
    ("25P02", "exec_parse_message"),
    ("25P02", "exec_simple_query"),
    ("26000", "FetchPreparedStatement"),
    ("40P01", "DeadLockReport"),
    ("42501", "aclcheck_error"),
    ("42601", "scanner_yyerror"),
    ("42702", "colNameToVar"),
    ("42703", "errorMissingColumn"),
    ("42803", "check_ungrouped_columns_walker"),
    ("42883", "ParseFuncOrColumn"),
    ("42883", "op_error"),
    ("42P01", "errorMissingRTE"),
    ("42P01", "parserOpenTable"),
    ("55P03", "ProcessInterrupts"),
    ("57014", "ProcessInterrupts"),
];

fn is_plain(fields: &ErrorFields) -> bool {
    PLAIN.iter().any(|(code, routine)| fields.field(b'C') == Some(*code) && fields.field(b'R') == Some(*routine))
}

/// Whether code in a procedural language chose every field, names of objects included.
fn is_raised(fields: &ErrorFields) -> bool {
    let file = fields.field(b'F').unwrap_or_default();
    file.starts_with("pl") || file.starts_with("spi")
}

/// Classes of SQLSTATEs that clients act upon, and that no value of a row chooses among: lost connections, constraints,
/// rollbacks, resources, states of objects, interventions, the system.
const ACTED_UPON: [&str; 8] = ["08", "23", "25", "40", "53", "55", "57", "58"];
/// What stands for every code that a value may have chosen: a data exception.
const SOME_FAILURE: &str = "22000";
/// What stands for a name or a type that is not there: `token::regclass` fails so too.
const SOME_NAME: &str = "42000";

/// The code as a client may read it.
fn shown_code<'code>(code: &'code str, fields: &ErrorFields, scope: ErrorScope) -> &'code str {
    if scope != ErrorScope::TaggedInScope || is_plain(fields) {
        return code;
    }
    match code.get(..2) {
        Some(class) if ACTED_UPON.contains(&class) => code,
        // Of a notice: nothing failed.
        Some("00" | "01") => code,
        Some("42") => SOME_NAME,
        _ => SOME_FAILURE,
    }
}

/// How much a message could quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorScope {
    /// Nothing is tagged on the connection: only the detectors look.
    Untagged,
    /// Something is tagged on the connection, but nothing that this statement reads.
    TaggedElsewhere,
    /// A tagged relation is in the statement's scope, or what it reads is not known.
    TaggedInScope,
}

/// The fields of an error or notice as a client may read them.
pub fn mask_error(fields: &ErrorFields, scope: ErrorScope, detectors: &Detectors) -> ErrorFields {
    let mut shown: Vec<(u8, String)> = fields
        .0
        .iter()
        .filter_map(|(code, text)| Some((*code, shown_field(*code, text, fields, scope, detectors)?)))
        .collect();
    let is_withheld = scope != ErrorScope::Untagged && fields.0.iter().any(|(code, _)| is_detail(*code));
    if is_withheld {
        shown.push((b'D', WITHHELD_DETAIL.to_owned()));
    }
    ErrorFields(shown)
}

fn shown_field(code: u8, text: &str, fields: &ErrorFields, scope: ErrorScope, detectors: &Detectors) -> Option<String> {
    match code {
        b's' | b't' | b'c' | b'd' | b'n' if scope != ErrorScope::Untagged && is_raised(fields) => None,
        // SPEC: severity, SQLSTATE, position, schema, table, column, type, constraint, file, line, routine.
        b'C' => Some(shown_code(text, fields, scope).to_owned()),
        b'F' | b'L' | b'R' if scope == ErrorScope::TaggedInScope && !is_plain(fields) => None,
        b'S' | b'V' | b'P' | b's' | b't' | b'c' | b'd' | b'n' | b'F' | b'L' | b'R' => Some(text.to_owned()),
        b'M' if scope == ErrorScope::TaggedInScope && !is_plain(fields) => Some(format!(
            "the server's message is withheld because it may quote a masked value (SQLSTATE {})",
            shown_code(fields.sqlstate(), fields, scope)
        )),
        b'M' => Some(masked(text, detectors)),
        // FAIL-CLOSED: details, and codes that are not known, pass only where nothing is tagged.
        _ if scope == ErrorScope::Untagged => Some(masked(text, detectors)),
        _ => None,
    }
}

/// DETAIL, HINT, WHERE (context) and the internal query.
const fn is_detail(code: u8) -> bool {
    matches!(code, b'D' | b'H' | b'W' | b'q')
}

fn masked(text: &str, detectors: &Detectors) -> String {
    detectors.mask_text(text).unwrap_or_else(|| text.to_owned())
}
