//! What an expression's value depends on: calls, casts, subqueries, conditions inside of it.
//!
//! Called by the analysis wherever an expression stands.

use pg_query::{
    Node, NodeEnum,
    protobuf::{AIndirection, ColumnRef, FuncCall, SubLink, SubLinkType, TypeCast},
};

use super::{
    analysis::{Analysis, Outcome},
    columns, total,
    value::{Form, Value},
};
use crate::sql::{RawName, functions, name::texts_of, tree};

/// Functions that show their argument in another way than by their result.
const TELLING: &[&str] = &["pg_sleep", "pg_sleep_for", "pg_sleep_until", "setseed"];

/// Functions that give another value each time, or each row.
const VARYING: &[&str] = &[
    "random",
    "gen_random_uuid",
    "clock_timestamp",
    "timeofday",
    "row_number",
    "rank",
    "dense_rank",
    "percent_rank",
    "cume_dist",
    "ntile",
    "lag",
    "lead",
    "first_value",
    "last_value",
    "nth_value",
    "nextval",
    "uuid_generate_v4",
    "uuidv7",
    "uuidv4",
    "random_normal",
];

/// Functions that give any number of rows.
const SETS: &[&str] = &[
    "generate_series",
    "generate_subscripts",
    "unnest",
    "regexp_matches",
    "regexp_split_to_table",
    "string_to_table",
    "json_each",
    "json_each_text",
    "jsonb_each",
    "jsonb_each_text",
    "json_array_elements",
    "json_array_elements_text",
    "jsonb_array_elements",
    "jsonb_array_elements_text",
    "json_object_keys",
    "jsonb_object_keys",
    "json_populate_recordset",
    "jsonb_populate_recordset",
    "json_to_recordset",
    "jsonb_to_recordset",
    "jsonb_path_query",
    "jsonb_path_query_tz",
    "aclexplode",
    "ts_parse",
    "ts_debug",
    "ts_token_type",
    "pg_options_to_table",
    "pg_mcv_list_items",
    "txid_snapshot_xip",
    "pg_snapshot_xip",
    "pg_partition_tree",
    "pg_partition_ancestors",
    "pg_get_publication_tables",
    "pg_get_keywords",
    "pg_listening_channels",
];

impl Analysis<'_> {
    /// The value of an output. One that mixes something masked with something that varies may not fail: the rows
    /// before the failure would say where it was.
    pub(super) fn shown(&mut self, node: &Node) -> Outcome<Value> {
        let value = self.value(node)?;
        match value.masked() {
            Some(name) if value.is_mixed() && !total::is_total(node) => Err(format!(
                "the masked column `{name}` stands beside something that varies in an expression that could fail; \
                 leave one of them out"
            )),
            _ => Ok(value),
        }
    }

    pub(super) fn value(&mut self, node: &Node) -> Outcome<Value> {
        let Some(inner) = node.node.as_ref() else { return Ok(Value::clean()) };
        match inner {
            NodeEnum::ColumnRef(column) => Ok(self.reference(column)),
            NodeEnum::SelectStmt(select) => {
                let items = self.select(select)?;
                let mut row = columns::known(&items).fold(Value::clean(), |row, column| row.join(&column.value));
                row.varies |= !row.is_masked();
                Ok(row)
            }
            NodeEnum::NullTest(test) => {
                let Some(argument) = test.arg.as_deref() else { return Ok(Value::clean()) };
                let value = self.value(argument)?;
                self.filters.extend(value.tags.iter().cloned());
                // Whether a masked value is there is no secret; whether something made of it is could be.
                Ok(if value.is_masked() && !matches!(value.form, Form::Column(_)) {
                    value.made()
                } else {
                    Value::varying()
                })
            }
            NodeEnum::FuncCall(call) => self.call(call),
            NodeEnum::SubLink(link) => self.sublink(link),
            NodeEnum::TypeCast(cast) => self.cast(cast),
            NodeEnum::CollateClause(collate) => {
                collate.arg.as_deref().map_or(Ok(Value::clean()), |argument| self.value(argument))
            }
            NodeEnum::CoalesceExpr(coalesce) => self.coalesce(&coalesce.args),
            NodeEnum::AIndirection(indirection) => self.indirection(indirection),
            _ => {
                let Some(children) = tree::children(inner) else {
                    return Err("a part of the statement is not understood".into());
                };
                self.joined(children)
            }
        }
    }

    fn joined<'tree>(&mut self, nodes: impl IntoIterator<Item = &'tree Node>) -> Outcome<Value> {
        let mut all = Value::clean();
        for node in nodes {
            all = all.join(&self.value(node)?);
        }
        Ok(all)
    }

    fn reference(&self, column: &ColumnRef) -> Value {
        let parts = texts_of(&column.fields);
        if parts.len() == column.fields.len() {
            return columns::resolve(&self.levels, &parts);
        }
        match parts.last() {
            Some(qualifier) => columns::whole(&columns::star_of(&self.levels, qualifier)),
            None => columns::resolve(&self.levels, &[]),
        }
    }

    /// `(row).column` is that column; anything else depends on all that stands before it.
    fn indirection(&mut self, indirection: &AIndirection) -> Outcome<Value> {
        let row = indirection.arg.as_deref().and_then(|node| node.node.as_ref());
        if let (Some(NodeEnum::ColumnRef(row)), [step]) = (row, indirection.indirection.as_slice())
            && let Some(name) = crate::sql::name::text_of(step)
            && let Some(value) = columns::field(&self.levels, &texts_of(&row.fields), name)
        {
            return Ok(value);
        }
        self.joined(indirection.arg.as_deref().into_iter().chain(&indirection.indirection)).map(Value::made)
    }

    /// A cast to text keeps the value as it is; any other, and one that cuts it off, makes another.
    fn cast(&mut self, cast: &TypeCast) -> Outcome<Value> {
        let value = cast.arg.as_deref().map_or(Ok(Value::clean()), |argument| self.value(argument))?;
        let keeps = cast.type_name.as_ref().is_some_and(|name| {
            let names = texts_of(&name.names);
            let known = names.last().is_some_and(|name| matches!(*name, "text" | "varchar" | "citext"));
            known && name.typmods.is_empty() && name.array_bounds.is_empty()
        });
        Ok(match value.form {
            Form::Column(_) if keeps => Value { form: Form::Column(None), ..value },
            Form::Folded if keeps => value,
            _ => value.made(),
        })
    }

    fn coalesce(&mut self, arguments: &[Node]) -> Outcome<Value> {
        let mut all = Value::clean();
        let mut keeps = true;
        for argument in arguments {
            let value = self.value(argument)?;
            let is_constant = matches!(argument.node, Some(NodeEnum::AConst(_) | NodeEnum::ParamRef(_)));
            keeps &= is_constant || value.is_masked() && super::analysis::keeps_place(value.form);
            all = all.join(&value);
        }
        if keeps && all.is_masked() {
            all.form = Form::Folded;
        }
        Ok(all)
    }

    /// A call; one that is not known to keep its arguments to itself may not be given a masked column anywhere.
    fn call(&mut self, call: &FuncCall) -> Outcome<Value> {
        let name = RawName::of_call(call);
        let mut values = Vec::new();
        for argument in &call.args {
            values.push(self.value(argument)?);
        }
        let arguments = values.iter().fold(Value::clean(), |all, value| all.join(value));
        let order = self.joined(&call.agg_order)?;
        self.keys(&call.agg_order)?;
        let filter = self.joined(call.agg_filter.as_deref())?;
        self.conditions(call.agg_filter.as_deref())?;
        if let Some(window) = &call.over {
            self.window(window)?;
        }
        let inside = if call.agg_within_group { arguments.join(&order) } else { arguments };
        let varies = call.over.is_some() || [VARYING, SETS].iter().any(|list| list.contains(&name.name.as_str()));
        let with_filter = |mut value: Value| {
            value = if filter.is_masked() { value.join(&filter) } else { value };
            value.varies |= varies;
            value.made()
        };
        let Some(column) = inside.masked() else { return Ok(with_filter(inside)) };
        if !functions::is_known_safe(&name) || TELLING.contains(&name.name.as_str()) {
            return Err(format!(
                "the masked column `{column}` is passed to `{name}`, which could carry it away; leave it out"
            ));
        }
        if SETS.contains(&name.name.as_str()) {
            return Err(format!(
                "the masked column `{column}` would say how many rows `{name}` gives; leave it out there"
            ));
        }
        match (name.name.as_str(), values.as_slice()) {
            ("count", [counted]) => {
                // How many there are is no secret.
                let counts = matches!(counted.form, Form::Column(_));
                Ok(if counts { with_filter(Value::varying()) } else { with_filter(inside) })
            }
            ("lower" | "upper" | "btrim", [only]) if super::analysis::keeps_place(only.form) => {
                Ok(Value { form: Form::Folded, ..inside })
            }
            _ => Ok(with_filter(inside)),
        }
    }

    fn sublink(&mut self, link: &SubLink) -> Outcome<Value> {
        let test = self.joined(link.testexpr.as_deref())?;
        let rows = self.joined(link.subselect.as_deref())?;
        if link.sub_link_type() == SubLinkType::ExistsSublink {
            return Ok(Value::varying());
        }
        Ok(test.join(&rows).made())
    }
}
