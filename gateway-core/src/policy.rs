//! Who may do what: Cedar policies, validated strictly, asked once per (action, object), the strictest answer wins.
//!
//! Owns the schema, the load of `*.cedar` files, the decision and the proof [`Permitted`] that only it can make.
//! Knows no protocol, no socket, no clock: `session` and `api` hand in a principal, a connection and an operation.
//! Fails closed: no permit, an error in any policy, or a request that does not fit the schema is a refusal.

mod answer;
mod cache;
mod circumstances;
mod context_use;
mod format;
mod gate;
mod load;
mod name_use;
mod names;
mod permitted;
mod rule;
mod schema;
mod set;
mod source;
mod weigh;
mod wording;
mod world;

#[cfg(test)]
mod tests;

pub use circumstances::{ApiAction, ApiResource, Circumstances, Source};
pub use format::formatted;
pub use permitted::{Decision, Permitted};
pub use set::{PolicySet, Reveal};
pub use source::{PolicySource, PolicyVersion, TagNames};

use crate::model::RuleId;

/// The data classes that the gateway knows; any other tag is the site's own.
pub fn is_data_class(tag: &str) -> bool {
    schema::is_data_class(tag)
}

fn rule_id(id: &cedar_policy::PolicyId) -> RuleId {
    RuleId(AsRef::<str>::as_ref(id).into())
}
