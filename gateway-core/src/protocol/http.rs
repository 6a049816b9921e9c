//! HTTP, for every kind that it carries: `http` itself, models' APIs (`llm`), the Model Context Protocol (`mcp`).
//!
//! ```text
//! client          gateway                                                   upstream
//!   | request        | codec: one canonical form, or refused                    |
//!   |--------------->| inspect (a dialect): operations, the body to send on     |
//!   |                | … decided, held, recorded by `session` …                 |
//!   |                |--------------------------------------------------------->|
//!   |                | reframe (the dialect's reader): masked as it streams     |
//!   |<---------------|<---------------------------------------------------------|
//! ```
//!
//! SPEC: RFC 9110 (semantics), RFC 9112 (HTTP/1.1), RFC 9113 (HTTP/2), RFC 9457 (problem details), RFC 6455 (WebSocket).
//! hyper owns the wire; nothing here opens a socket or knows a policy.

pub mod attributes;
pub mod aws;
pub mod codec;
pub mod dialect;
#[doc(hidden)]
pub mod fuzz_entry;
pub mod inspect;
pub mod message;
mod places;
pub mod plain;
pub mod reframe;
pub mod refuse;
pub mod route;
