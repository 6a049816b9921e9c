//! Which SET, RESET and DISCARD change nothing but this conversation.
//!
//! An allow-list: a setting that could change whose rows are seen, what names mean, or how text is read is not on it.

use pg_query::{
    Node, NodeEnum,
    protobuf::{DiscardMode, DiscardStmt, FuncCall, VariableSetKind, VariableSetStmt, a_const::Val},
};

use super::{Rereads, classify::Shape};
use crate::model::Verb;

/// Settings that change at most how this session's values look, how long it waits, and how it is planned.
const HARMLESS: &[&str] = &[
    "application_name",
    "bytea_output",
    "check_function_bodies",
    "client_min_messages",
    "datestyle",
    "default_table_access_method",
    "default_tablespace",
    "default_transaction_deferrable",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "enable_bitmapscan",
    "enable_hashagg",
    "enable_hashjoin",
    "enable_indexonlyscan",
    "enable_indexscan",
    "enable_material",
    "enable_mergejoin",
    "enable_nestloop",
    "enable_seqscan",
    "enable_sort",
    "extra_float_digits",
    "geqo",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "intervalstyle",
    "jit",
    "lock_timeout",
    "max_parallel_workers_per_gather",
    "quote_all_identifiers",
    "random_page_cost",
    // Off only makes the server fail where a row-security policy would have hidden rows.
    "row_security",
    "statement_timeout",
    "synchronize_seqscans",
    "timezone",
    "transaction_deferrable",
    "transaction_isolation",
    "transaction_read_only",
    "work_mem",
    "xmloption",
];

/// Classifies SET and RESET.
pub(super) fn set(statement: &VariableSetStmt) -> Shape {
    // The server compares the names of settings without regard to case.
    let name = statement.name.to_ascii_lowercase();
    let word = if is_reset(statement.kind()) { "reset" } else { "set" };
    match name.as_str() {
        "role" | "session_authorization" => {
            return Shape::new("set_role", Verb::SetRole)
                .rereads(Rereads::Path)
                .advise("the gateway fixes the role; run the statement as the connection's own role");
        }
        // What it is set to is read back from the server before anything else is decided.
        "search_path" if statement.kind() != VariableSetKind::Undefined => {
            return Shape::new(word, Verb::Set).rereads(Rereads::Path);
        }
        _ => {}
    }
    let harmless = match statement.kind() {
        VariableSetKind::VarSetMulti => {
            matches!(statement.name.as_str(), "TRANSACTION" | "SESSION CHARACTERISTICS" | "TRANSACTION SNAPSHOT")
        }
        VariableSetKind::VarSetValue => {
            HARMLESS.contains(&name.as_str()) || keeps_text_readable(&name, &statement.args)
        }
        VariableSetKind::VarSetDefault | VariableSetKind::VarReset => HARMLESS.contains(&name.as_str()),
        VariableSetKind::VarResetAll => return Shape::new("reset_all", Verb::Set).rereads(Rereads::Path),
        VariableSetKind::VarSetCurrent | VariableSetKind::Undefined => false,
    };
    if harmless {
        Shape::new(word, Verb::Set)
    } else {
        Shape::new(word, Verb::Unknown).advise("only settings that cannot change what statements mean are set here")
    }
}

/// What `set_config` does where it is called as a SET with a rule would be: pooled drivers do, for settings such as
/// `jit`, and dumps for `search_path`.
pub(super) fn known_call(call: &FuncCall) -> Option<(Verb, Rereads)> {
    let [name, value, is_local] = call.args.as_slice() else { return None };
    let plain = |node: &Node| matches!(node.node, Some(NodeEnum::AConst(_) | NodeEnum::ParamRef(_)));
    let Some(NodeEnum::AConst(constant)) = &name.node else { return None };
    let Some(Val::Sval(name)) = &constant.val else { return None };
    if !plain(value) || !plain(is_local) {
        return None;
    }
    match name.sval.to_ascii_lowercase().as_str() {
        "search_path" => Some((Verb::Set, Rereads::Path)),
        name => HARMLESS.contains(&name).then_some((Verb::Set, Rereads::Nothing)),
    }
}

/// Classifies DISCARD.
pub(super) fn discard(statement: DiscardStmt) -> Shape {
    match statement.target() {
        DiscardMode::DiscardPlans | DiscardMode::DiscardSequences => Shape::new("discard", Verb::Discard),
        DiscardMode::DiscardTemp => Shape::new("discard", Verb::Discard).rereads(Rereads::Path),
        DiscardMode::DiscardAll => Shape::new("discard_all", Verb::Discard).rereads(Rereads::Path),
        DiscardMode::Undefined => Shape::new("discard", Verb::Unknown),
    }
}

fn is_reset(kind: VariableSetKind) -> bool {
    matches!(kind, VariableSetKind::VarReset | VariableSetKind::VarResetAll)
}

/// The gateway reads text as UTF-8 with standard strings; these settings may only say so again.
fn keeps_text_readable(name: &str, args: &[Node]) -> bool {
    let [value] = args else { return false };
    let Some(NodeEnum::AConst(constant)) = value.node.as_ref() else { return false };
    let Some(Val::Sval(text)) = &constant.val else { return false };
    let value: String = text.sval.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    match name {
        "client_encoding" => value == "utf8" || value == "unicode",
        "standard_conforming_strings" => value == "on" || value == "true",
        _ => false,
    }
}
