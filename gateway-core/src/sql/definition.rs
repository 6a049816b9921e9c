//! CREATE, ALTER, DROP and COMMENT of every kind of object.
//!
//! Each arm names the kind (`create_index`) and leaves the objects in the walk. Called by classification.

use pg_query::{
    Node, NodeEnum,
    protobuf::{
        AlterTableCmd, AlterTableStmt, AlterTableType, CreateStmt, CreateTableAsStmt, DropStmt, ObjectType, RangeVar,
        RenameStmt,
    },
};

use super::{
    RawName, Rereads,
    classify::{self, Shape},
    kinds,
    name::RawName as Name,
    query::Walk,
    utility,
};
use crate::model::Verb;

pub(super) fn shape(walk: &mut Walk<'_>, inner: &NodeEnum) -> Option<Shape> {
    relation(walk, inner)
        .or_else(|| dependent(walk, inner))
        .or_else(|| routine(walk, inner))
        .or_else(|| change(walk, inner))
        .or_else(|| other(walk, inner))
}

/// Tables, views, sequences, schemas.
fn relation(walk: &mut Walk<'_>, inner: &NodeEnum) -> Option<Shape> {
    Some(match inner {
        NodeEnum::CreateStmt(statement) => {
            table(walk, statement);
            Shape::new("create_table", Verb::Create)
        }
        NodeEnum::CreateForeignTableStmt(statement) => {
            statement.base_stmt.iter().for_each(|base| table(walk, base));
            Shape::new("create_foreign_table", Verb::Create)
        }
        NodeEnum::ImportForeignSchemaStmt(statement) => {
            walk.access(Verb::Create, Some(RawName::qualified(statement.local_schema.clone(), "*")));
            Shape::new("import_foreign_schema", Verb::Create)
        }
        NodeEnum::CreateTableAsStmt(statement) => table_as(walk, statement),
        NodeEnum::ViewStmt(statement) => {
            walk.access_relation(Verb::Create, statement.view.as_ref());
            statement.query.iter().for_each(|query| walk.query(query));
            Shape::new("create_view", Verb::Create)
        }
        NodeEnum::CreateSeqStmt(statement) => {
            walk.access_relation(Verb::Create, statement.sequence.as_ref());
            Shape::new("create_sequence", Verb::Create)
        }
        NodeEnum::AlterSeqStmt(statement) => {
            walk.access_relation(Verb::Alter, statement.sequence.as_ref());
            Shape::new("alter_sequence", Verb::Alter)
        }
        NodeEnum::CreateSchemaStmt(statement) => {
            walk.access(Verb::Create, Some(RawName::qualified(statement.schemaname.clone(), "*")));
            for element in &statement.schema_elts {
                nested(walk, element);
            }
            Shape::new("create_schema", Verb::Create).rereads(Rereads::Path)
        }
        NodeEnum::AlterTableStmt(statement) => alter_table(walk, statement),
        NodeEnum::DropStmt(statement) => drop_objects(walk, statement),
        NodeEnum::CommentStmt(statement) => {
            let object = statement.object.as_deref().and_then(|object| kinds::object(statement.objtype(), object));
            walk.access(Verb::Comment, object);
            Shape::new("comment", Verb::Comment)
        }
        NodeEnum::SecLabelStmt(statement) => {
            let object = statement.object.as_deref().and_then(|object| kinds::object(statement.objtype(), object));
            walk.access(Verb::Comment, object);
            Shape::new("security_label", Verb::Comment)
        }
        _ => return None,
    })
}

/// What hangs on a relation: a policy asks for the relation itself.
fn dependent(walk: &mut Walk<'_>, inner: &NodeEnum) -> Option<Shape> {
    let (kind, verb, relation) = match inner {
        NodeEnum::IndexStmt(statement) => {
            walk.expressions(statement.index_params.iter().chain(&statement.index_including_params));
            walk.expressions(statement.where_clause.as_deref());
            ("create_index", Verb::Create, statement.relation.as_ref())
        }
        NodeEnum::CreateTrigStmt(statement) => {
            walk.functions.extend(RawName::from_nodes(&statement.funcname));
            walk.expressions(statement.when_clause.as_deref());
            ("create_trigger", Verb::Create, statement.relation.as_ref())
        }
        NodeEnum::RuleStmt(statement) => {
            walk.expressions(statement.where_clause.as_deref());
            for action in &statement.actions {
                nested(walk, action);
            }
            ("create_rule", Verb::Create, statement.relation.as_ref())
        }
        NodeEnum::CreatePolicyStmt(statement) => {
            walk.expressions(statement.qual.as_deref().into_iter().chain(statement.with_check.as_deref()));
            ("create_policy", Verb::Create, statement.table.as_ref())
        }
        NodeEnum::AlterPolicyStmt(statement) => {
            walk.expressions(statement.qual.as_deref().into_iter().chain(statement.with_check.as_deref()));
            ("alter_policy", Verb::Alter, statement.table.as_ref())
        }
        NodeEnum::CreateStatsStmt(statement) => {
            utility::relations(walk, Verb::Create, &statement.relations);
            walk.expressions(&statement.exprs);
            return Some(Shape::new("create_statistics", Verb::Create));
        }
        _ => return None,
    };
    walk.access_relation(verb, relation);
    Some(Shape::new(kind, verb))
}

/// Functions, procedures and what runs them.
fn routine(walk: &mut Walk<'_>, inner: &NodeEnum) -> Option<Shape> {
    Some(match inner {
        NodeEnum::CreateFunctionStmt(statement) => {
            walk.access(Verb::Create, Name::from_nodes(&statement.funcname));
            walk.expressions(&statement.parameters);
            if let Some(body) = &statement.sql_body {
                body_of(walk, body);
            }
            Shape::new(if statement.is_procedure { "create_procedure" } else { "create_function" }, Verb::Create)
        }
        NodeEnum::AlterFunctionStmt(statement) => {
            let name = statement.func.as_ref().and_then(|function| Name::from_nodes(&function.objname));
            walk.access(Verb::Alter, name);
            Shape::new("alter_function", Verb::Alter)
        }
        NodeEnum::CreateEventTrigStmt(_) => Shape::new("create_event_trigger", Verb::Create),
        NodeEnum::AlterEventTrigStmt(_) => Shape::new("alter_event_trigger", Verb::Alter),
        NodeEnum::CreateCastStmt(_) => Shape::new("create_cast", Verb::Create),
        NodeEnum::CreateTransformStmt(_) => Shape::new("create_transform", Verb::Create),
        NodeEnum::CreateConversionStmt(_) => Shape::new("create_conversion", Verb::Create),
        NodeEnum::CreateAmStmt(_) => Shape::new("create_access_method", Verb::Create),
        NodeEnum::CreateOpClassStmt(_) => Shape::new("create_operator_class", Verb::Create),
        NodeEnum::CreateOpFamilyStmt(_) => Shape::new("create_operator_family", Verb::Create),
        NodeEnum::AlterOpFamilyStmt(_) => Shape::new("alter_operator_family", Verb::Alter),
        NodeEnum::AlterOperatorStmt(_) => Shape::new("alter_operator", Verb::Alter),
        NodeEnum::DefineStmt(statement) => {
            walk.access(Verb::Create, Name::from_nodes(&statement.defnames));
            Shape::new(format!("create_{}", kinds::word(statement.kind())), Verb::Create)
        }
        _ => return None,
    })
}

/// A body written in SQL's standard form: one statement, or a list of lists of them.
fn body_of(walk: &mut Walk<'_>, body: &Node) {
    let mut pending = vec![body];
    while let Some(next) = pending.pop() {
        match next.node.as_ref() {
            Some(NodeEnum::List(list)) => pending.extend(&list.items),
            Some(NodeEnum::ReturnStmt(statement)) => walk.expressions(statement.returnval.as_deref()),
            Some(_) => nested(walk, next),
            None => {}
        }
    }
}

/// A statement inside a definition; one without a rule makes the whole unknown.
fn nested(walk: &mut Walk<'_>, node: &Node) {
    if classify::shape(walk, node).verb() == Verb::Unknown {
        walk.unknown = true;
    }
}

/// Changes that every kind of object shares: name, schema, owner.
fn change(walk: &mut Walk<'_>, inner: &NodeEnum) -> Option<Shape> {
    let (kind, relation, object) = match inner {
        NodeEnum::RenameStmt(statement) => return Some(rename(walk, statement)),
        NodeEnum::AlterObjectDependsStmt(statement) => {
            (statement.object_type(), statement.relation.as_ref(), statement.object.as_deref())
        }
        NodeEnum::AlterObjectSchemaStmt(statement) => {
            walk.access(Verb::Create, Some(RawName::qualified(statement.newschema.clone(), "*")));
            (statement.object_type(), statement.relation.as_ref(), statement.object.as_deref())
        }
        NodeEnum::AlterOwnerStmt(statement) => {
            walk.access(Verb::Grant, None);
            (statement.object_type(), statement.relation.as_ref(), statement.object.as_deref())
        }
        _ => return None,
    };
    altered(walk, kind, relation, object);
    let shape = Shape::new(format!("alter_{}", kinds::word(kind)), Verb::Alter);
    Some(if matches!(inner, NodeEnum::AlterObjectSchemaStmt(_)) { shape.renames() } else { shape })
}

fn rename(walk: &mut Walk<'_>, statement: &RenameStmt) -> Shape {
    altered(walk, statement.rename_type(), statement.relation.as_ref(), statement.object.as_deref());
    let word = match statement.rename_type() {
        ObjectType::ObjectColumn | ObjectType::ObjectTabconstraint => "table",
        ObjectType::ObjectRole => return Shape::new("alter_role", Verb::Role),
        ObjectType::ObjectDatabase => return Shape::new("alter_database", Verb::AlterSystem),
        kind => kinds::word(kind),
    };
    let shape = Shape::new(format!("alter_{word}"), Verb::Alter);
    let keeps_names = matches!(statement.rename_type(), ObjectType::ObjectColumn | ObjectType::ObjectTabconstraint);
    if keeps_names { shape } else { shape.renames() }
}

fn altered(walk: &mut Walk<'_>, kind: ObjectType, relation: Option<&RangeVar>, object: Option<&Node>) {
    let named = relation.map(Name::of_relation).or_else(|| object.and_then(|object| kinds::object(kind, object)));
    let verb = match kind {
        ObjectType::ObjectRole => Verb::Role,
        ObjectType::ObjectDatabase | ObjectType::ObjectTablespace | ObjectType::ObjectForeignServer => {
            Verb::AlterSystem
        }
        _ => Verb::Alter,
    };
    walk.access(verb, named);
}

/// Types, domains, text search, publications.
fn other(walk: &mut Walk<'_>, inner: &NodeEnum) -> Option<Shape> {
    let (kind, verb, name) = match inner {
        NodeEnum::CreateDomainStmt(statement) => {
            elements(walk, &statement.constraints);
            ("create_domain", Verb::Create, Name::from_nodes(&statement.domainname))
        }
        NodeEnum::AlterDomainStmt(statement) => {
            statement.def.iter().for_each(|definition| element(walk, definition));
            ("alter_domain", Verb::Alter, Name::from_nodes(&statement.type_name))
        }
        NodeEnum::CompositeTypeStmt(statement) => {
            ("create_type", Verb::Create, statement.typevar.as_ref().map(Name::of_relation))
        }
        NodeEnum::CreateEnumStmt(statement) => ("create_type", Verb::Create, Name::from_nodes(&statement.type_name)),
        NodeEnum::CreateRangeStmt(statement) => ("create_type", Verb::Create, Name::from_nodes(&statement.type_name)),
        NodeEnum::AlterEnumStmt(statement) => ("alter_type", Verb::Alter, Name::from_nodes(&statement.type_name)),
        NodeEnum::AlterTypeStmt(statement) => ("alter_type", Verb::Alter, Name::from_nodes(&statement.type_name)),
        NodeEnum::AlterCollationStmt(statement) => {
            ("alter_collation", Verb::Alter, Name::from_nodes(&statement.collname))
        }
        NodeEnum::AlterStatsStmt(statement) => ("alter_statistics", Verb::Alter, Name::from_nodes(&statement.defnames)),
        NodeEnum::AlterTsdictionaryStmt(statement) => {
            ("alter_text_search_dictionary", Verb::Alter, Name::from_nodes(&statement.dictname))
        }
        NodeEnum::AlterTsconfigurationStmt(statement) => {
            ("alter_text_search_configuration", Verb::Alter, Name::from_nodes(&statement.cfgname))
        }
        NodeEnum::CreatePublicationStmt(statement) => {
            published(walk, Verb::Create, &statement.pubobjects);
            return Some(Shape::new("create_publication", Verb::Create));
        }
        NodeEnum::AlterPublicationStmt(statement) => {
            published(walk, Verb::Alter, &statement.pubobjects);
            return Some(Shape::new("alter_publication", Verb::Alter));
        }
        _ => return None,
    };
    walk.access(verb, name);
    Some(Shape::new(kind, verb))
}

/// A publication sends the rows of its tables away.
fn published(walk: &mut Walk<'_>, verb: Verb, objects: &[Node]) {
    walk.access(verb, None);
    for node in objects {
        let Some(NodeEnum::PublicationObjSpec(object)) = node.node.as_ref() else {
            walk.unknown = true;
            continue;
        };
        if let Some(table) = &object.pubtable {
            walk.access_relation(verb, table.relation.as_ref());
            walk.access_relation(Verb::CopyOut, table.relation.as_ref());
            walk.expressions(table.where_clause.as_deref());
        }
    }
}

fn table(walk: &mut Walk<'_>, statement: &CreateStmt) {
    walk.access_relation(Verb::Create, statement.relation.as_ref());
    utility::relations(walk, Verb::Alter, &statement.inh_relations);
    elements(walk, &statement.table_elts);
    elements(walk, &statement.constraints);
    if let Some(partition) = &statement.partspec {
        walk.expressions(&partition.part_params);
    }
    walk.type_name(statement.of_typename.as_ref());
}

fn table_as(walk: &mut Walk<'_>, statement: &CreateTableAsStmt) -> Shape {
    walk.access_relation(Verb::Create, statement.into.as_ref().and_then(|into| into.rel.as_ref()));
    match statement.query.as_deref() {
        Some(query) if classify::shape(walk, query).verb() != Verb::Unknown => {}
        _ => walk.unknown = true,
    }
    let is_view = statement.objtype() == ObjectType::ObjectMatview;
    Shape::new(if is_view { "create_materialized_view" } else { "create_table_as" }, Verb::Create)
}

fn alter_table(walk: &mut Walk<'_>, statement: &AlterTableStmt) -> Shape {
    walk.access_relation(Verb::Alter, statement.relation.as_ref());
    for node in &statement.cmds {
        match node.node.as_ref() {
            Some(NodeEnum::AlterTableCmd(command)) => alter_command(walk, command),
            _ => walk.unknown = true,
        }
    }
    Shape::new(format!("alter_{}", kinds::word(statement.objtype())), Verb::Alter)
}

fn alter_command(walk: &mut Walk<'_>, command: &AlterTableCmd) {
    if command.subtype() == AlterTableType::AtChangeOwner {
        walk.access(Verb::Grant, None);
    }
    if let Some(definition) = &command.def {
        element(walk, definition);
    }
}

fn elements(walk: &mut Walk<'_>, nodes: &[Node]) {
    for node in nodes {
        element(walk, node);
    }
}

/// One part of a definition: a column, a constraint, a partition, an option, or an expression.
fn element(walk: &mut Walk<'_>, node: &Node) {
    match node.node.as_ref() {
        Some(NodeEnum::ColumnDef(column)) => {
            walk.type_name(column.type_name.as_ref());
            walk.expressions(column.raw_default.as_deref());
            for constraint in &column.constraints {
                element(walk, constraint);
            }
        }
        Some(NodeEnum::Constraint(constraint)) => {
            walk.expressions(constraint.raw_expr.as_deref().into_iter().chain(constraint.where_clause.as_deref()));
            walk.access_relation(Verb::Alter, constraint.pktable.as_ref());
        }
        Some(NodeEnum::TableLikeClause(like)) => walk.access_relation(Verb::Select, like.relation.as_ref()),
        Some(NodeEnum::PartitionCmd(partition)) => walk.access_relation(Verb::Alter, partition.name.as_ref()),
        Some(NodeEnum::RangeVar(relation)) => walk.access_relation(Verb::Alter, Some(relation)),
        Some(
            NodeEnum::ReplicaIdentityStmt(_)
            | NodeEnum::AtalterConstraint(_)
            | NodeEnum::RoleSpec(_)
            | NodeEnum::DefElem(_),
        )
        | None => {}
        Some(NodeEnum::List(list)) => {
            for item in &list.items {
                element(walk, item);
            }
        }
        Some(_) => walk.expression(node),
    }
}

fn drop_objects(walk: &mut Walk<'_>, statement: &DropStmt) -> Shape {
    for object in &statement.objects {
        walk.access(Verb::Drop, kinds::object(statement.remove_type(), object));
    }
    let shape = Shape::new(format!("drop_{}", kinds::word(statement.remove_type())), Verb::Drop);
    if statement.remove_type() == ObjectType::ObjectSchema { shape.renames() } else { shape }
}
