//! Requests for approval: what is held, who reviewed it, and the one-use grant that lets it go on.
//!
//! `request` and `state` are pure (time is passed in); `desk` is the thin async shell that keeps tickets, timers and
//! storage in step. Knows no protocol and no policy language. Called by `session` (submit) and `api` (review).

mod desk;
mod grant;
mod lease;
mod oversight;
mod quorum;
mod request;
mod state;
#[cfg(test)]
pub(crate) mod testing;

pub use desk::Ballot;
pub use desk::{Desk, DeskError, Limits, Listed, Storage, StorageError, SubmitError, Ticket};
pub use grant::{Grant, Void};
pub use lease::{Lease, LeaseKind, Leases};
#[cfg(test)]
pub(crate) use oversight::NoOversight;
pub use oversight::{Fact, Oversight, Unwritten};
pub use request::{Asks, Binding, Facts, Request};
pub use state::{Case, MAX_REASON_BYTES, Review, ReviewError, Rights, ShapeTerms, State, Vote};
