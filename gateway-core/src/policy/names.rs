//! Names that Cedar's validator takes for any text, checked here: data classes and tags that exist nowhere.

use cedar_policy::Policy;

use super::{PolicySource, TagNames, load::at, schema};
use crate::config::{Problem, place::nearest};

/// Adds a problem for each data class that is not built in, and each tag that `masking.toml` puts on nothing.
pub(super) fn check(
    source: &PolicySource,
    policy: &Policy,
    offset: usize,
    tags: &TagNames,
    problems: &mut Vec<Problem>,
) {
    for literal in policy.entity_literals() {
        let kind = literal.type_name().to_string();
        let name = literal.id().unescaped();
        let wrong = match kind.as_str() {
            "DataClass" => unknown_class(name, tags),
            "Tag" => unknown_tag(name, tags),
            _ => None,
        };
        if let Some((message, fix)) = wrong {
            let text = source.text.get(offset..).unwrap_or_default();
            let inside = text.find(&format!("{kind}::\"{name}\"")).unwrap_or(0);
            problems.push(at(source, Some(offset + inside), message, fix));
        }
    }
}

fn unknown_class(name: &str, tags: &TagNames) -> Option<(String, String)> {
    if schema::is_data_class(name) {
        return None;
    }
    let classes = || schema::DATA_CLASSES.iter().map(|(class, _)| *class);
    let fix = if tags.0.contains(name) {
        format!("`{name}` is a tag of masking.toml: write Tag::\"{name}\"")
    } else if let Some(near) = nearest(name, classes()) {
        format!("did you mean DataClass::\"{near}\"?")
    } else {
        format!("use one of: {}", classes().collect::<Vec<_>>().join(", "))
    };
    Some((format!("there is no data class `{name}`"), fix))
}

fn unknown_tag(name: &str, tags: &TagNames) -> Option<(String, String)> {
    if schema::is_data_class(name) {
        let fix = format!("write DataClass::\"{name}\"");
        return Some((format!("`{name}` is a data class, so no column carries it as a tag"), fix));
    }
    if tags.0.contains(name) {
        return None;
    }
    let fix = match nearest(name, tags.0.iter().map(String::as_str)) {
        Some(near) => format!("did you mean Tag::\"{near}\"?"),
        None => "put the tag on a column in masking.toml, or remove it here".to_owned(),
    };
    Some((format!("no column in masking.toml carries the tag `{name}`"), fix))
}
