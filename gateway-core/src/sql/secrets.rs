//! Where passwords and connection strings stand, so that the record never stores them.
//!
//! Owns only their places. A statement that may hold one in any of its strings has all of them marked.

use std::ops::Range;

use pg_query::{Node, NodeEnum};

use super::literals::Constants;

/// Byte offsets of secrets in one statement.
pub(super) fn spans(text: &str, constants: &Constants, span: &Range<usize>, node: &Node) -> Vec<Range<usize>> {
    let Some(inner) = node.node.as_ref() else { return Vec::new() };
    match inner {
        NodeEnum::CreateRoleStmt(role) => passwords(constants, span, &role.options),
        NodeEnum::AlterRoleStmt(role) => passwords(constants, span, &role.options),
        NodeEnum::CreateUserMappingStmt(_)
        | NodeEnum::AlterUserMappingStmt(_)
        | NodeEnum::CreateSubscriptionStmt(_)
        | NodeEnum::AlterSubscriptionStmt(_)
        | NodeEnum::CreateForeignServerStmt(_)
        | NodeEnum::AlterForeignServerStmt(_)
        | NodeEnum::AlterSystemStmt(_) => constants.strings(span),
        _ => suspicious(text, constants, span),
    }
}

fn passwords(constants: &Constants, span: &Range<usize>, options: &[Node]) -> Vec<Range<usize>> {
    let places = options.iter().filter_map(|option| match option.node.as_ref() {
        Some(NodeEnum::DefElem(element)) if element.defname == "password" && element.arg.is_some() => {
            constants.string_after(usize::try_from(element.location).unwrap_or(span.start), span)
        }
        _ => None,
    });
    places.collect()
}

/// Strings that hold a connection string, or a statement with a password in it, wherever they stand.
fn suspicious(text: &str, constants: &Constants, span: &Range<usize>) -> Vec<Range<usize>> {
    let connects = text.get(span.clone()).is_some_and(|inside| inside.to_ascii_lowercase().contains("dblink"));
    let holds_password = |place: &Range<usize>| {
        text.get(place.clone()).is_some_and(|inside| inside.to_ascii_lowercase().contains("password"))
    };
    constants.strings(span).into_iter().filter(|place| connects || holds_password(place)).collect()
}
