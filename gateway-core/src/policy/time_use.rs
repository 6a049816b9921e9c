//! Whether a policy's answer can change as time passes; such answers are not cached.

use cedar_policy::Policy;
use serde_json::Value;

/// Whether the policy reads `context.time`, or uses the context in a way that cannot be seen through.
pub(super) fn reads_time(policy: &Policy) -> bool {
    // FAIL-CLOSED: what cannot be looked into is taken to read the time.
    policy.to_json().map_or(true, |json| mentions_time(&json))
}

fn mentions_time(node: &Value) -> bool {
    match node {
        Value::Object(members) => members.iter().any(|(key, value)| match key.as_str() {
            "." | "has" => attribute_of_context(value).map_or_else(|| mentions_time(value), |name| name == "time"),
            "Var" => value == "context",
            _ => mentions_time(value),
        }),
        Value::Array(items) => items.iter().any(mentions_time),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn attribute_of_context(access: &Value) -> Option<&str> {
    let left = access.get("left")?.get("Var")?;
    if left == "context" { access.get("attr")?.as_str() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(condition: &str) -> bool {
        reads_time(&format!("permit(principal, action, resource) when {{ {condition} }};").parse().unwrap())
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
