//! The words for kinds of objects, and the names that object nodes carry.
//!
//! Knows no verbs. Called by the classification of definitions and privileges.

use pg_query::{Node, NodeEnum, protobuf::ObjectType};

use super::{
    RawName,
    name::{text_of, texts_of},
};

/// The word for a kind of object, as in `drop_table`.
pub(super) fn word(kind: ObjectType) -> &'static str {
    match kind {
        ObjectType::Undefined => "object",
        ObjectType::ObjectAccessMethod => "access_method",
        ObjectType::ObjectAggregate => "aggregate",
        ObjectType::ObjectAmop | ObjectType::ObjectAmproc | ObjectType::ObjectOpfamily => "operator_family",
        ObjectType::ObjectAttribute | ObjectType::ObjectType => "type",
        ObjectType::ObjectCast => "cast",
        ObjectType::ObjectColumn => "column",
        ObjectType::ObjectCollation => "collation",
        ObjectType::ObjectConversion => "conversion",
        ObjectType::ObjectDatabase => "database",
        ObjectType::ObjectDefault => "default",
        ObjectType::ObjectDefacl => "default_privileges",
        ObjectType::ObjectDomain | ObjectType::ObjectDomconstraint => "domain",
        ObjectType::ObjectEventTrigger => "event_trigger",
        ObjectType::ObjectExtension => "extension",
        ObjectType::ObjectFdw => "foreign_data_wrapper",
        ObjectType::ObjectForeignServer => "server",
        ObjectType::ObjectForeignTable => "foreign_table",
        ObjectType::ObjectFunction => "function",
        ObjectType::ObjectIndex => "index",
        ObjectType::ObjectLanguage => "language",
        ObjectType::ObjectLargeobject => "large_object",
        ObjectType::ObjectMatview => "materialized_view",
        ObjectType::ObjectOpclass => "operator_class",
        ObjectType::ObjectOperator => "operator",
        ObjectType::ObjectParameterAcl => "parameter",
        ObjectType::ObjectPolicy => "policy",
        ObjectType::ObjectProcedure => "procedure",
        ObjectType::ObjectPublication | ObjectType::ObjectPublicationNamespace | ObjectType::ObjectPublicationRel => {
            "publication"
        }
        ObjectType::ObjectRole => "role",
        ObjectType::ObjectRoutine => "routine",
        ObjectType::ObjectRule => "rule",
        ObjectType::ObjectSchema => "schema",
        ObjectType::ObjectSequence => "sequence",
        ObjectType::ObjectSubscription => "subscription",
        ObjectType::ObjectStatisticExt => "statistics",
        ObjectType::ObjectTabconstraint => "constraint",
        ObjectType::ObjectTable => "table",
        ObjectType::ObjectTablespace => "tablespace",
        ObjectType::ObjectTransform => "transform",
        ObjectType::ObjectTrigger => "trigger",
        ObjectType::ObjectTsconfiguration => "text_search_configuration",
        ObjectType::ObjectTsdictionary => "text_search_dictionary",
        ObjectType::ObjectTsparser => "text_search_parser",
        ObjectType::ObjectTstemplate => "text_search_template",
        ObjectType::ObjectUserMapping => "user_mapping",
        ObjectType::ObjectView => "view",
    }
}

/// The name that a policy sees for an object: a relation or routine by name, a part of a relation by that relation,
/// a schema as `schema.*`; `None` for what has no schema, which is asked on the connection.
pub(super) fn object(kind: ObjectType, node: &Node) -> Option<RawName> {
    let parts = parts(node);
    match kind {
        ObjectType::ObjectSchema => parts.first().map(|schema| RawName::qualified(*schema, "*")),
        ObjectType::ObjectColumn
        | ObjectType::ObjectTrigger
        | ObjectType::ObjectRule
        | ObjectType::ObjectPolicy
        | ObjectType::ObjectTabconstraint => parts.split_last().and_then(|(_, relation)| RawName::from_parts(relation)),
        ObjectType::ObjectTable
        | ObjectType::ObjectView
        | ObjectType::ObjectMatview
        | ObjectType::ObjectIndex
        | ObjectType::ObjectSequence
        | ObjectType::ObjectForeignTable
        | ObjectType::ObjectFunction
        | ObjectType::ObjectProcedure
        | ObjectType::ObjectRoutine
        | ObjectType::ObjectAggregate
        | ObjectType::ObjectStatisticExt
        | ObjectType::ObjectType
        | ObjectType::ObjectDomain => RawName::from_parts(&parts),
        _ => None,
    }
}

/// The components of a name in any of the shapes that the grammar gives it.
fn parts(node: &Node) -> Vec<&str> {
    match node.node.as_ref() {
        Some(NodeEnum::String(_)) => text_of(node).into_iter().collect(),
        Some(NodeEnum::List(list)) => texts_of(&list.items),
        Some(NodeEnum::TypeName(name)) => texts_of(&name.names),
        Some(NodeEnum::ObjectWithArgs(object)) => texts_of(&object.objname),
        Some(NodeEnum::RangeVar(relation)) => [relation.schemaname.as_str(), relation.relname.as_str()]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect(),
        _ => Vec::new(),
    }
}
