//! What masking has to do with statements that are no query: definitions, COPY, cursors, EXPLAIN.

use pg_query::{
    Node, NodeEnum,
    protobuf::{AlterTableStmt, AlterTableType, CopyStmt, ExplainStmt},
};

use super::{
    MaskScope,
    analysis::{Analysis, Outcome, copied},
    columns::{self, Column, Item, Items},
    outputs::{OutputLineage, outputs},
    value::{Tags, Value},
};
use crate::sql::{
    CopyFormat, CopyOut, RawName, classify,
    name::text_of,
    utility::{is_off, runs},
};

/// Statements whose reads their text does not show.
pub(super) fn opaque(inner: &NodeEnum) -> Option<MaskScope> {
    match inner {
        NodeEnum::DoStmt(_) | NodeEnum::CallStmt(_) | NodeEnum::ExecuteStmt(_) => {
            Some(MaskScope::Refuse("what this statement reads is not known, so it cannot be masked".into()))
        }
        // It shows nothing; what it prepares is checked each time it is executed.
        NodeEnum::PrepareStmt(_) => Some(MaskScope::Untouched),
        NodeEnum::ExplainStmt(explain) => explain.query.as_ref()?.node.as_ref().and_then(opaque),
        NodeEnum::CreateTableAsStmt(create) => create.query.as_ref()?.node.as_ref().and_then(opaque),
        NodeEnum::FetchStmt(_) => Some(MaskScope::Rows { outputs: OutputLineage::unknown(), filters: Tags::new() }),
        _ => None,
    }
}

/// The outputs of a statement that names a relation with masked columns, or why it is refused.
pub(super) fn statement(analysis: &mut Analysis<'_>, tree: &Node) -> Outcome<OutputLineage> {
    let Some(inner) = tree.node.as_ref() else { return Err("the statement is empty".into()) };
    match inner {
        NodeEnum::SelectStmt(select) => {
            let items = analysis.select(select)?;
            if classify::creates(select) {
                return kept(&items);
            }
            Ok(outputs(&items))
        }
        NodeEnum::InsertStmt(_) | NodeEnum::UpdateStmt(_) | NodeEnum::DeleteStmt(_) | NodeEnum::MergeStmt(_) => {
            analysis.query(tree).map(|items| outputs(&items))
        }
        NodeEnum::CreateTableAsStmt(create) => kept(&analysis.query(query(create.query.as_deref())?)?),
        NodeEnum::ViewStmt(view) => kept(&analysis.query(query(view.query.as_deref())?)?),
        // It shows nothing; each FETCH is read as the query behind the cursor.
        NodeEnum::DeclareCursorStmt(cursor) => {
            analysis.query(query(cursor.query.as_deref())?)?;
            Ok(OutputLineage::default())
        }
        NodeEnum::ExplainStmt(explain) => plan(analysis, explain),
        NodeEnum::CopyStmt(copy) => copied_out(analysis, copy),
        _ => keeps_masks(inner),
    }
}

fn query(node: Option<&Node>) -> Outcome<&Node> {
    node.ok_or_else(|| "the query is missing".into())
}

/// A query whose rows are kept where nothing is tagged.
fn kept(items: &Items) -> Outcome<OutputLineage> {
    let masked = columns::known(items).find_map(|column| column.value.masked());
    masked.map_or(Ok(OutputLineage::default()), |name| Err(copied(name)))
}

/// The columns that COPY … TO sends; what COPY … FROM brings is the client's own.
fn copied_out(analysis: &mut Analysis<'_>, copy: &CopyStmt) -> Outcome<OutputLineage> {
    if copy.is_from {
        analysis.levels.push(columns::Level::default());
        analysis.target(copy.relation.as_ref(), &[])?;
        analysis.conditions(copy.where_clause.as_deref())?;
        return Ok(OutputLineage::default());
    }
    if let Some(inner) = copy.query.as_deref() {
        return Ok(outputs(&analysis.query(inner)?));
    }
    let Some(relation) = &copy.relation else { return Err("what is copied is not named".into()) };
    let items = columns::of_relation(analysis.relations.columns(&RawName::of_relation(relation)));
    if copy.attlist.is_empty() {
        return Ok(outputs(&items));
    }
    let named = |node: &Node| {
        let name = text_of(node).unwrap_or_default();
        let value = columns::named(&items, name).unwrap_or_else(Value::varying);
        Item::One(Column { name: name.to_owned(), value })
    };
    Ok(outputs(&copy.attlist.iter().map(named).collect()))
}

/// A plan shows no row, but it counts or estimates how many there are: where a masked column is compared, that answers
/// what the column holds, so nothing of it is shown. EXPLAIN ANALYZE runs what it explains.
fn plan(analysis: &mut Analysis<'_>, explain: &ExplainStmt) -> Outcome<OutputLineage> {
    let followed = statement(analysis, query(explain.query.as_deref())?);
    if runs(explain) {
        followed?;
    }
    Ok(OutputLineage::answering(&analysis.filters))
}

/// Statements that return no rows: those that neither copy a masked value nor take the mask off its name.
fn keeps_masks(inner: &NodeEnum) -> Outcome<OutputLineage> {
    let keeps = match inner {
        NodeEnum::TruncateStmt(_)
        | NodeEnum::LockStmt(_)
        | NodeEnum::DropStmt(_)
        | NodeEnum::CommentStmt(_)
        | NodeEnum::VacuumStmt(_)
        | NodeEnum::ClusterStmt(_)
        | NodeEnum::ReindexStmt(_)
        | NodeEnum::RefreshMatViewStmt(_)
        | NodeEnum::GrantStmt(_) => true,
        NodeEnum::IndexStmt(index) => index.index_params.iter().all(
            |element| matches!(element.node.as_ref(), Some(NodeEnum::IndexElem(element)) if element.expr.is_none()),
        ),
        NodeEnum::AlterTableStmt(alter) => keeps_columns(alter),
        _ => false,
    };
    if keeps {
        Ok(OutputLineage::default())
    } else {
        Err("this would let a masked column be read under another name; it is not done while columns are masked".into())
    }
}

fn keeps_columns(alter: &AlterTableStmt) -> bool {
    alter.cmds.iter().all(|node| match node.node.as_ref() {
        Some(NodeEnum::AlterTableCmd(command)) => {
            match (command.subtype(), command.def.as_ref().and_then(|def| def.node.as_ref())) {
                (AlterTableType::AtAddColumn, Some(NodeEnum::ColumnDef(column))) => {
                    column.raw_default.is_none() && column.constraints.is_empty()
                }
                (
                    AlterTableType::AtDropColumn
                    | AlterTableType::AtDropNotNull
                    | AlterTableType::AtSetNotNull
                    | AlterTableType::AtDropConstraint
                    | AlterTableType::AtValidateConstraint
                    | AlterTableType::AtSetStatistics,
                    _,
                ) => true,
                _ => false,
            }
        }
        _ => false,
    })
}

/// How a COPY … TO STDOUT writes its rows; `None` where its columns cannot be told apart for sure.
pub(super) fn copy_out(copy: &CopyStmt) -> Option<CopyOut> {
    if copy.is_from || copy.is_program || !copy.filename.is_empty() {
        return None;
    }
    let (mut format, mut delimiter, mut null, mut has_header) = (CopyFormat::Text, None, None, false);
    for option in &copy.options {
        let Some(NodeEnum::DefElem(option)) = &option.node else { return None };
        let text = option.arg.as_deref().and_then(text_of);
        match (option.defname.as_str(), text) {
            ("format", Some("text")) | ("force_quote", _) => {}
            ("format", Some("csv")) => format = CopyFormat::Csv,
            ("format", Some("binary")) => format = CopyFormat::Binary,
            ("header", _) => has_header = !is_off(option.arg.as_deref()),
            ("null", Some(text)) => null = Some(text.to_owned()),
            ("delimiter", Some(text @ ("\t" | "," | ";" | "|"))) => delimiter = text.bytes().next(),
            _ => return None,
        }
    }
    let (usual, marker) = if format == CopyFormat::Csv { (b',', "") } else { (b'\t', "\\N") };
    let null = null.unwrap_or_else(|| marker.to_owned());
    Some(CopyOut { format, delimiter: delimiter.unwrap_or(usual), null, has_header })
}
