//! Which attributes of the context a policy reads: an answer that can change as time passes is not cached, and the
//! planner is asked only for a policy that reads what it says.

use cedar_policy::Policy;
use serde_json::Value;

/// Whether the policy reads one of these attributes, or uses the context in a way that cannot be seen through.
pub(super) fn reads(policy: &Policy, attributes: &[&str]) -> bool {
    // FAIL-CLOSED: what cannot be looked into is taken to read them.
    policy.to_json().map_or(true, |json| mentions(&json, attributes))
}

fn mentions(node: &Value, wanted: &[&str]) -> bool {
    match node {
        Value::Object(members) => members.iter().any(|(key, value)| match key.as_str() {
            "." | "has" => {
                attribute_of_context(value).map_or_else(|| mentions(value, wanted), |name| wanted.contains(&name))
            }
            "Var" => value == "context",
            _ => mentions(value, wanted),
        }),
        Value::Array(items) => items.iter().any(|item| mentions(item, wanted)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Whether a part of a policy reads an attribute of the context that is none of these.
pub(super) fn reads_other_than(node: &Value, allowed: &[&str]) -> bool {
    match node {
        Value::Object(members) => members.iter().any(|(key, value)| match key.as_str() {
            "." | "has" => attribute_of_context(value)
                .map_or_else(|| reads_other_than(value, allowed), |name| !allowed.contains(&name)),
            "Var" => value == "context",
            _ => reads_other_than(value, allowed),
        }),
        Value::Array(items) => items.iter().any(|item| reads_other_than(item, allowed)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn attribute_of_context(access: &Value) -> Option<&str> {
    let left = access.get("left")?.get("Var")?;
    if left == "context" { access.get("attr")?.as_str() } else { None }
}

#[cfg(test)]
mod tests {
    fn reads(condition: &str) -> bool {
        let policy = format!("permit(principal, action, resource) when {{ {condition} }};").parse().unwrap();
        super::reads(&policy, &["time"])
    }

    #[test]
    fn sees_the_time_wherever_it_is_read() {
        assert!(reads("context.time < datetime(\"2030-01-01\")"));
        assert!(reads("context has time"));
        assert!(reads("(if true then context else context).time < datetime(\"2030-01-01\")"));
        assert!(reads("context == {}"));
        assert!(reads("[context].contains({})"));
    }

    #[test]
    fn leaves_other_attributes_cached() {
        assert!(!reads("context.has_where && context.risk < 5"));
        assert!(!reads("context has run && context.run == \"time\""));
        assert!(!reads("context.connection.hasTag(\"time\")"));
        assert!(!reads("true"));
    }
}
