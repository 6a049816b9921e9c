//! The schemas are made here, of what the readers ask for while they read sites that lead them to every key.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::{Map, Value, json};

use super::SiteFile;
use crate::config::{
    Site, SiteFiles,
    reader::asked::{self, Asked, Journal, Key, Kind},
};

/// Sites that lead the readers to every key: one of everything, and of what excludes something else another.
const SITES: &[&[(&str, &str)]] = &[
    &[
        ("gateway.toml", include_str!("samples/gateway.toml")),
        ("connections.toml", include_str!("samples/connections.toml")),
        ("masking.toml", include_str!("samples/masking.toml")),
        ("agents.toml", include_str!("samples/agents.toml")),
        ("tests/cases.toml", include_str!("samples/cases.toml")),
    ],
    &[("gateway.toml", include_str!("samples/gateway-saml.toml")), ("connections.toml", "")],
    &[("gateway.toml", include_str!("samples/gateway-approle.toml")), ("connections.toml", "")],
    &[("gateway.toml", include_str!("samples/gateway-kubernetes.toml")), ("connections.toml", "")],
];

fn journal() -> Journal {
    asked::during(|| {
        for site in SITES {
            let files = site.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
            let files = SiteFiles::sent(files).unwrap();
            if let Err(problems) = Site::of(files, Path::new("/site")) {
                panic!("the samples are valid: {problems:#?}");
            }
        }
    })
}

/// The schema of a table, and of everything below it.
fn table(tables: &std::collections::BTreeMap<String, Asked>, path: &str) -> Value {
    let Some(asked) = tables.get(path) else { panic!("no sample has a table `{path}`") };
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, key) in &asked.keys {
        let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        properties.insert(name.clone(), property(tables, &below, key));
        if key.required >= asked.read {
            required.push(name.clone());
        }
    }
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": !asked.closed });
    if let (false, Some(schema)) = (required.is_empty(), schema.as_object_mut()) {
        schema.insert("required".to_owned(), json!(required));
    }
    schema
}

fn property(tables: &std::collections::BTreeMap<String, Asked>, path: &str, key: &Key) -> Value {
    let mut kinds = key.kinds.clone();
    // What these two are read by is asked for in its turn.
    if kinds.contains(&Kind::TextOrTexts) {
        kinds.retain(|kind| !matches!(kind, Kind::Text | Kind::Texts));
    }
    if kinds.contains(&Kind::Map) {
        kinds.remove(&Kind::Table);
    }
    let mut shapes: Vec<Value> = kinds
        .into_iter()
        .map(|kind| match kind {
            Kind::Text => json!({ "type": "string" }),
            Kind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
            Kind::TextOrTexts => json!({ "type": ["string", "array"], "items": { "type": "string" } }),
            Kind::Boolean => json!({ "type": "boolean" }),
            Kind::Number => json!({ "type": "integer", "minimum": 0 }),
            Kind::Map => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
            Kind::Table => table(tables, path),
            Kind::Tables => json!({ "type": "array", "items": table(tables, path) }),
        })
        .collect();
    let mut shape = if shapes.len() == 1 { shapes.remove(0) } else { json!({ "anyOf": shapes }) };
    if let (Some(example), Some(shape)) = (&key.example, shape.as_object_mut()) {
        shape.insert("description".to_owned(), json!(format!("For example: {example}")));
    }
    shape
}

fn made(journal: &Journal, file: SiteFile) -> String {
    let name = match file {
        SiteFile::Tests => "tests".to_owned(),
        SiteFile::Gateway | SiteFile::Connections | SiteFile::Masking | SiteFile::Agents => {
            format!("{}.toml", file.as_str())
        }
    };
    let mut schema = table(&journal[&name], "");
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
        schema.insert("title".to_owned(), json!(format!("{} of a hoop site", file.as_str())));
    }
    serde_json::to_string_pretty(&schema).unwrap() + "\n"
}

#[test]
fn the_schemas_are_what_the_readers_ask_for() {
    let journal = journal();
    let mut stale = Vec::new();
    for file in SiteFile::ALL {
        let text = made(&journal, file);
        if file.schema() != text {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config").join(file.place());
            fs::write(&path, text).unwrap();
            stale.push(path);
        }
    }
    assert!(stale.is_empty(), "{stale:?} were stale and are written anew; look at the change and run again");
}

/// Every key that a reader's source names, found where it is asked for.
fn in_sources() -> BTreeSet<String> {
    const ASKS: &[&str] = &[
        ".text(",
        ".required(",
        ".boolean(",
        ".number(",
        ".texts(",
        ".text_or_texts(",
        ".map(",
        ".table(",
        ".tables(",
        "(table, ",
        "(&mut table, ",
        "(&mut file, ",
        "(identity, ",
        "number(",
    ];
    let mut keys = BTreeSet::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config");
    for folder in [root.clone(), root.join("http")] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let others = ["tests.rs", "reader.rs", "place.rs", "starters.rs", "development.rs"];
            let is_reader = path.extension().is_some_and(|ending| ending == "rs");
            if !is_reader || others.iter().any(|other| path.ends_with(other)) {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            for part in ASKS.iter().flat_map(|ask| code.split(ask).skip(1)) {
                if let Some(literal) = part.strip_prefix('"').and_then(|part| part.split('"').next()) {
                    // Examples have more than a key.
                    keys.extend((!literal.contains(' ')).then(|| literal.to_owned()));
                }
            }
        }
    }
    keys
}

/// The samples lead to every key: one that a reader asks for in a branch that no sample takes is found here.
#[test]
fn no_reader_asks_for_a_key_that_the_schemas_do_not_have() {
    fn names(schema: &Value, to: &mut BTreeSet<String>) {
        match schema {
            Value::Object(members) => {
                if let Some(Value::Object(properties)) = members.get("properties") {
                    to.extend(properties.keys().cloned());
                }
                members.values().for_each(|member| names(member, to));
            }
            Value::Array(items) => items.iter().for_each(|item| names(item, to)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut known = BTreeSet::new();
    for file in SiteFile::ALL {
        names(&serde_json::from_str(file.schema()).unwrap(), &mut known);
    }
    let asked = in_sources();
    assert!(asked.len() > 90 && asked.contains("lifetime_hours"), "the sources are read: {asked:?}");
    let missing: Vec<_> = asked.difference(&known).collect();
    assert!(missing.is_empty(), "no sample in schema/samples leads a reader to {missing:?}");
}
