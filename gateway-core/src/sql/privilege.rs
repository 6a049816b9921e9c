//! Statements that change who may do what, and those that change the server itself.
//!
//! Each arm says what the statement is and leaves what it touches in the walk. Called by classification.

use pg_query::{
    NodeEnum,
    protobuf::{GrantStmt, GrantTargetType, ObjectType},
};

use super::{RawName, classify::Shape, kinds, name::text_of, query::Walk};
use crate::model::Verb;

pub(super) fn shape(walk: &mut Walk<'_>, inner: &NodeEnum) -> Option<Shape> {
    let (kind, verb) = match inner {
        NodeEnum::GrantStmt(statement) => {
            granted(walk, statement);
            (if statement.is_grant { "grant" } else { "revoke" }, Verb::Grant)
        }
        NodeEnum::GrantRoleStmt(statement) => {
            (if statement.is_grant { "grant_role" } else { "revoke_role" }, Verb::Grant)
        }
        NodeEnum::AlterDefaultPrivilegesStmt(_) => ("alter_default_privileges", Verb::Grant),
        NodeEnum::ReassignOwnedStmt(_) => ("reassign_owned", Verb::Grant),
        NodeEnum::DropOwnedStmt(_) => {
            walk.access(Verb::Drop, None);
            walk.access(Verb::Grant, None);
            ("drop_owned", Verb::Grant)
        }
        NodeEnum::CreateRoleStmt(_) => ("create_role", Verb::Role),
        NodeEnum::AlterRoleStmt(_) | NodeEnum::AlterRoleSetStmt(_) => ("alter_role", Verb::Role),
        NodeEnum::DropRoleStmt(_) => ("drop_role", Verb::Role),
        NodeEnum::AlterSystemStmt(_) => ("alter_system", Verb::AlterSystem),
        NodeEnum::AlterDatabaseSetStmt(_)
        | NodeEnum::AlterDatabaseStmt(_)
        | NodeEnum::AlterDatabaseRefreshCollStmt(_) => ("alter_database", Verb::AlterSystem),
        NodeEnum::AlterTableSpaceOptionsStmt(_) => ("alter_tablespace", Verb::AlterSystem),
        NodeEnum::AlterTableMoveAllStmt(_) => ("alter_table", Verb::AlterSystem),
        NodeEnum::CreatedbStmt(_) => return Some(server(walk, "create_database", Verb::Create)),
        NodeEnum::DropdbStmt(_) => return Some(server(walk, "drop_database", Verb::Drop)),
        NodeEnum::CreateTableSpaceStmt(_) => return Some(server(walk, "create_tablespace", Verb::Create)),
        NodeEnum::DropTableSpaceStmt(_) => return Some(server(walk, "drop_tablespace", Verb::Drop)),
        NodeEnum::CreateSubscriptionStmt(_) => return Some(server(walk, "create_subscription", Verb::Create)),
        NodeEnum::AlterSubscriptionStmt(_) => return Some(server(walk, "alter_subscription", Verb::Alter)),
        NodeEnum::DropSubscriptionStmt(_) => return Some(server(walk, "drop_subscription", Verb::Drop)),
        NodeEnum::CreateForeignServerStmt(_) => return Some(server(walk, "create_server", Verb::Create)),
        NodeEnum::AlterForeignServerStmt(_) => return Some(server(walk, "alter_server", Verb::Alter)),
        NodeEnum::CreateFdwStmt(_) => return Some(server(walk, "create_foreign_data_wrapper", Verb::Create)),
        NodeEnum::AlterFdwStmt(_) => return Some(server(walk, "alter_foreign_data_wrapper", Verb::Alter)),
        NodeEnum::CreateUserMappingStmt(_) => ("create_user_mapping", Verb::Role),
        NodeEnum::AlterUserMappingStmt(_) => ("alter_user_mapping", Verb::Role),
        NodeEnum::DropUserMappingStmt(_) => ("drop_user_mapping", Verb::Role),
        NodeEnum::CreateExtensionStmt(_) => return Some(code(walk, "create_extension", Verb::Create)),
        NodeEnum::AlterExtensionStmt(_) | NodeEnum::AlterExtensionContentsStmt(_) => {
            return Some(code(walk, "alter_extension", Verb::Alter));
        }
        NodeEnum::CreatePlangStmt(_) => return Some(code(walk, "create_language", Verb::Create)),
        _ => return None,
    };
    Some(Shape::new(kind, verb))
}

/// What reaches beyond the schema: other servers, the file system, the whole cluster.
fn server(walk: &mut Walk<'_>, kind: &'static str, verb: Verb) -> Shape {
    walk.access(verb, None);
    walk.access(Verb::AlterSystem, None);
    Shape::new(kind, Verb::AlterSystem)
}

/// What brings code into the server.
fn code(walk: &mut Walk<'_>, kind: &'static str, verb: Verb) -> Shape {
    walk.access(verb, None);
    walk.access(Verb::Load, None);
    Shape::new(kind, Verb::Load)
}

fn granted(walk: &mut Walk<'_>, statement: &GrantStmt) {
    for node in &statement.objects {
        let object = match statement.targtype() {
            GrantTargetType::AclTargetAllInSchema => text_of(node).map(|schema| RawName::qualified(schema, "*")),
            _ => kinds::object(statement.objtype(), node),
        };
        walk.access(Verb::Grant, object);
    }
    if statement.objtype() == ObjectType::ObjectParameterAcl {
        walk.access(Verb::AlterSystem, None);
    }
}
