//! What command lines are understood to do: everyday ones, evasions, and properties of any bytes.

mod differential;
mod evasions;
mod everyday;
mod execution;
mod properties;
mod reader;
mod review;
mod secrets;

use super::{Effect, Fact, Understanding, Verb, understand};

/// One line about what was understood, for tables: the effect, then each verb and object.
fn told(found: &Understanding) -> String {
    let mut parts = vec![format!("{:?}", found.effect).to_lowercase()];
    let plain = found.accesses.iter().filter(|access| access.object.is_some());
    parts.extend(plain.filter_map(|access| {
        access.object.as_ref().map(|object| format!("{}:{object}", access.verb.as_str().trim_start_matches("ssh_")))
    }));
    parts.extend(found.facts.iter().map(|fact| format!("+{}", fact.as_str())));
    parts.join(" ")
}

fn effect(text: &str) -> Effect {
    understand(text.as_bytes()).effect
}

fn touches(text: &str, verb: Verb, object: &str) -> bool {
    understand(text.as_bytes())
        .accesses
        .iter()
        .any(|access| access.verb == verb && access.object.as_ref().is_some_and(|given| given.to_string() == object))
}
