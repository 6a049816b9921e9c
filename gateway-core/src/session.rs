//! One client conversation with one connection, from the accepted stream to the last record.
//!
//! The only place that orders decide → record → forward → mask. Owns the relay and its bookkeeping; knows PostgreSQL's
//! messages through `protocol`, decisions through `policy`, durability through `record`, and sends through
//! `upstream::Outlet`, which takes nothing that skipped a step.

mod access;
mod asking;
mod backend;
mod books;
pub mod cases;
mod check;
mod client;
mod columns;
mod conversation;
mod cursor;
mod ending;
mod environment;
mod estimate;
mod farewell;
mod fastpath;
mod frontend;
mod held;
mod hold;
mod http;
mod leases;
mod ledger;
mod login;
mod meaning;
mod metering;
mod named;
mod names;
mod onward;
mod open;
mod opened;
mod outcome;
mod overdrawn;
mod proposed;
pub mod provenance;
mod readable;
mod reading;
mod refusal;
mod relay;
mod replication;
mod reported;
mod room;
mod sealing;
mod shape;
mod shared;
mod ssh;
mod stay;
mod through;
mod tunnelled;
mod understanding;
pub mod usage;
mod wake;
#[cfg(test)]
mod weight;

pub mod registry;

pub use access::{Admission, Window, admission, longest_window_millis};
pub(crate) use access::{Wish, access_request};
pub use check::StatementChecker;
pub use client::ClientStream;
pub use environment::{Environment, HttpSide, Served, SshSide, Surroundings};
pub use leases::Leases;
pub(crate) use leases::keep as keep_leases;
pub use open::Arrival;
pub(crate) use open::negotiate;
pub use ssh::{Entered, Gatekeeper, Judgement, SshGuest, SshProof, admit as admit_ssh};
pub use stay::Stay;
pub use tunnelled::serve;
#[doc(hidden)]
pub use understanding::Understandings;
