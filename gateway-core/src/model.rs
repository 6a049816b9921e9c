//! The words of the domain as types: who asks, for what, on which connection, and what was decided.
//!
//! Owns newtypes and plain values. Knows no IO, no clock, no wire format and no policy language.

mod connection;
mod decision;
pub mod environment;
pub mod flow;
mod ids;
mod operation;
mod principal;
mod proposal;
mod request;
mod run;
mod seal;
mod shape;
mod step_up;

pub use connection::{ConnectionFacts, ConnectionKind};
pub use decision::{ApprovalNeed, Quorum, Refusal, RefusalKind, RuleId, Verdict};
pub use ids::{ApprovalId, ConnectionName, GroupName, OperationNumber, PrincipalName, RunId, SessionId};
pub use operation::{Access, Effect, ObjectKind, ObjectName, Operation, Verb};
#[cfg(test)]
pub(crate) use operation::{EXPORT, UNSURE, WHOLE};
pub use principal::{Principal, PrincipalKind};
pub use proposal::{AnswerPlace, Likeness, ProposedBy};
pub use request::RequestFacts;
pub use run::{Presence, RunScope, Usage};
pub use seal::SealSpan;
pub use shape::ShapeId;
pub use step_up::{Authentication, CLOCK_SKEW_SECONDS, StepUp};
