//! Everything in hoop that decides, records and masks.
//!
//! One operation flows: bytes → [`protocol`] message → `inspect` → [`model::Operation`] → [`policy`] decision →
//! [`record`] (durable) → [`upstream`] → reply → [`mask`] → client. [`session`] is the only place that orders these
//! steps, and the types [`model::flow`] carry the order: a step that is skipped does not compile.
//! This crate knows nothing of terminals or of the laptop side.

#![warn(missing_docs)]

pub mod api;
pub mod approval;
pub mod clock;
pub mod config;
pub mod credential;
#[doc(hidden)]
pub mod fuzz_targets;
pub mod gateway;
pub mod identity;
mod lasting;
pub mod mask;
pub mod model;
pub mod notify;
pub mod policy;
pub mod protocol;
pub mod record;
pub mod session;
pub mod shell;
pub mod sql;
pub mod store;
pub mod upstream;
