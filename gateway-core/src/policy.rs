//! Who may do what: Cedar policies, validated strictly, asked once per (action, object), the strictest answer wins.
//!
//! Owns the schema, the load of `*.cedar` files, the decision and the proof [`Permitted`] that only it can make.
//! Knows no protocol, no socket, no clock: `session` and `api` hand in a principal, a connection and an operation.
//! Fails closed: no permit, an error in any policy, or a request that does not fit the schema is a refusal.

mod circumstances;
mod permitted;
mod set;
mod source;

pub use circumstances::{ApiAction, ApiResource, Circumstances, Source};
pub use permitted::{Decision, Permitted};
pub use set::{PolicySet, Reveal};
pub use source::{PolicySource, PolicyVersion, TagNames};
