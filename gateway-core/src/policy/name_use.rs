//! Whether an answer about an operation can depend on what its names mean: a set that asks neither for objects nor for
//! what is derived from them needs no catalogue that is true to the moment.

use cedar_policy::Policy;
use serde_json::Value;

use super::context_use;

/// Actions that no operation asks: what is said about them says nothing about statements.
const OTHER_ACTIONS: &[&str] =
    &["connect", "reveal", "approve", "replay", "administer", "list_sessions", "kill_session", "act_as"];
/// What an operation's context holds besides what its names and functions make of it.
const NAMELESS: &[&str] = &["time", "source", "run", "usage", "agent"];

/// Whether what this policy says of an operation may depend on its objects, its functions or its effect.
pub(super) fn reads_names(policy: &Policy) -> bool {
    // FAIL-CLOSED: what cannot be looked into is taken to read them.
    policy.to_json().map_or(true, |json| !is_about_something_else(&json) && depends(&json))
}

fn is_about_something_else(policy: &Value) -> bool {
    let Some(action) = policy.get("action") else { return false };
    let one = action.get("entity").into_iter();
    let many = action.get("entities").and_then(Value::as_array).into_iter().flatten();
    let mut named = one.chain(many).peekable();
    named.peek().is_some() && named.all(|entity| field(entity, "id").is_some_and(|id| OTHER_ACTIONS.contains(&id)))
}

fn depends(policy: &Value) -> bool {
    let any_action = operator(policy, "action") == Some("All");
    let resource = policy.get("resource");
    let whole_connection = match operator(policy, "resource") {
        Some("All") => true,
        Some("==" | "in") => {
            resource.and_then(|scope| scope.get("entity")).and_then(|entity| field(entity, "type"))
                == Some("Connection")
        }
        _ => false,
    };
    let conditions = policy
        .get("conditions")
        .is_none_or(|conditions| mentions_resource(conditions) || context_use::reads_other_than(conditions, NAMELESS));
    !any_action || !whole_connection || conditions
}

fn operator<'policy>(policy: &'policy Value, scope: &str) -> Option<&'policy str> {
    policy.get(scope)?.get("op")?.as_str()
}

fn field<'policy>(entity: &'policy Value, name: &str) -> Option<&'policy str> {
    entity.get("__entity").unwrap_or(entity).get(name)?.as_str()
}

fn mentions_resource(node: &Value) -> bool {
    match node {
        Value::Object(members) => members.iter().any(|(key, value)| {
            matches!(key.as_str(), "Var" | "Slot") && value != "principal" && value != "context"
                || mentions_resource(value)
        }),
        Value::Array(items) => items.iter().any(mentions_resource),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    fn reads(policy: &str) -> bool {
        super::reads_names(&policy.parse().unwrap())
    }

    #[test]
    fn a_set_that_lets_everything_pass_reads_no_names() {
        assert!(!reads("permit(principal, action, resource);"));
        assert!(!reads("permit(principal in Group::\"dba\", action, resource);"));
        assert!(!reads("permit(principal, action, resource in Connection::\"pg-prod\");"));
        assert!(!reads("permit(principal, action, resource) when { context.source == \"tunnel\" };"));
        assert!(!reads("forbid(principal, action, resource) unless { principal in Group::\"dba\" };"));
    }

    #[test]
    fn what_is_said_of_other_actions_reads_no_names() {
        assert!(!reads("permit(principal, action == Action::\"connect\", resource == Connection::\"a\");"));
        assert!(!reads("forbid(principal, action in [Action::\"approve\", Action::\"replay\"], resource);"));
        assert!(reads("permit(principal, action in [Action::\"approve\", Action::\"read\"], resource);"));
    }

    #[test]
    fn what_is_part_of_every_site_reads_no_names() {
        assert!(!reads(include_str!("builtin.cedar")));
    }

    #[test]
    fn whatever_depends_on_objects_functions_or_effects_reads_names() {
        for policy in [
            "permit(principal, action in Action::\"read\", resource);",
            "permit(principal, action == Action::\"select\", resource);",
            "permit(principal, action, resource in Schema::\"a\");",
            "permit(principal, action, resource is Table);",
            "permit(principal, action, resource) when { resource in Schema::\"a\" };",
            "permit(principal, action, resource) when { context.objects.contains(\"public.a\") };",
            "permit(principal, action, resource) when { context.effect == \"read\" };",
            "permit(principal, action, resource) when { context has risk };",
            "permit(principal, action, resource) when { [context].contains({}) };",
            "permit(principal, action, resource) when { action in Action::\"read\" };",
            "permit(principal, action, resource) when { [resource].contains(principal) };",
        ] {
            assert!(reads(policy), "{policy}");
        }
    }
}
